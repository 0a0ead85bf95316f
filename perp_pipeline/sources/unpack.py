"""Opening what venues pack, for body checks: a damaged body is asked for again and never stored."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from typing import Any

from perp_pipeline.sources.errors import FormatChanged, TransientError

UNPACKED_CAP = 256 * 2**20


def unzip_single(content: bytes, cap: int = UNPACKED_CAP) -> bytes:
    """The one member of a zip file.

    Args:
        cap: most bytes it may unpack to; counted while unpacking, whatever the zip's own directory says.

    Raises:
        TransientError: not a zip, damaged (CRC), or larger than ``cap``.
        FormatChanged: a zip with no member, with several, or with a password.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            if len(members) != 1:
                raise FormatChanged(
                    f"a zip with one file was expected, this has {[m.filename for m in members]}"
                )
            if members[0].flag_bits & 1:
                raise FormatChanged(f"the zip asks for a password: {members[0].filename}")
            with archive.open(members[0]) as member:
                # One byte beyond the cap tells "too large"; reading a good member to its end checks its CRC.
                data = member.read(cap + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise TransientError(f"the zip is damaged ({error})") from error
    if len(data) > cap:
        raise TransientError(f"the zip unpacks to more than {cap:,} bytes")
    return data


def parse_json(content: bytes) -> Any:
    """The value of a JSON body. ``NaN``, which is not JSON, is read as a float: the table's checks find it.

    Raises:
        TransientError: cut off, or not JSON at all.
    """
    try:
        return json.loads(content)
    except ValueError as error:
        raise TransientError(f"the body is not JSON ({error})") from error
