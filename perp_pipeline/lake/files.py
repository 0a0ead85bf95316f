"""Putting a file into a lake so that a reader sees the whole of it or nothing."""

from __future__ import annotations

import os
import socket
import uuid
from contextlib import suppress
from pathlib import Path

from upath import UPath

SCRATCH = "_scratch"


def is_local(path: UPath) -> bool:
    """True for a path on this machine's own file system."""
    return path.protocol in ("", "file", "local")


def put(root: UPath, path: UPath, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically and durably.

    On a local file system: a scratch file below the lake's root, fsync, rename, fsync of the directory.
    On an object store a put is atomic by itself.
    """
    if not is_local(path):
        path.write_bytes(content)
        return
    scratch = Path(str(root)) / SCRATCH
    scratch.mkdir(parents=True, exist_ok=True)
    target = Path(str(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = scratch / f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}"
    try:
        try:
            _write(temporary, content)
        except FileNotFoundError:  # another process has just swept the empty folder
            scratch.mkdir(exist_ok=True)
            _write(temporary, content)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sweep_scratch(root: UPath) -> None:
    """Remove scratch files whose process on this machine is gone and an empty folder."""
    if not is_local(root):
        return
    scratch = Path(str(root)) / SCRATCH
    if not scratch.is_dir():
        return
    for file in list(scratch.iterdir()):
        host, _, rest = file.name.rpartition("-")[0].rpartition("-")
        if host == socket.gethostname() and rest.isdigit() and not _alive(int(rest)):
            file.unlink(missing_ok=True)
    with suppress(OSError):  # a file that another process writes just now, or it has removed the folder
        scratch.rmdir()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
