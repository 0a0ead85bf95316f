"""The body store: verbatim, verified, never torn."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
from upath import UPath

from perp_pipeline.sources.base import Request
from perp_pipeline.sources.store import BodyStore

NOW = datetime(2024, 3, 5, 12, tzinfo=UTC)
LATER = datetime(2024, 3, 6, 12, tzinfo=UTC)
REQUEST = Request("https://venue.example/api/rates", params={"symbol": "BTC", "start": 0})
POST = Request("https://venue.example/info", method="POST", payload={"type": "rates", "coin": "BTC"})


@pytest.fixture(params=["local", "file-url", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BodyStore:
    roots = {
        "local": tmp_path / "d",
        "file-url": f"file://{tmp_path}/d",
        "memory": f"memory://{uuid.uuid4()}/d",
    }
    return BodyStore(UPath(roots[request.param]))


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_a_body_comes_back_verbatim_with_its_entry(store: BodyStore) -> None:
    content = bytes(range(256)) * 10
    store.put(REQUEST, content, status=200, fetched_at=NOW, etag='"x"', final=True)
    found = store.get(REQUEST)
    assert found is not None
    entry, stored = found
    assert stored == content
    assert entry.sha256 == hashlib.sha256(content).hexdigest()
    assert (entry.status, entry.bytes, entry.etag, entry.final) == (200, 2560, '"x"', True)
    assert datetime.fromisoformat(entry.fetched_at) == NOW
    assert entry.request.identity == REQUEST.identity


def test_requests_are_told_apart_by_method_parameters_and_payload(store: BodyStore) -> None:
    others = [
        Request(REQUEST.url, params={"symbol": "ETH", "start": 0}),
        POST,
        Request(POST.url, method="POST", payload={"type": "rates", "coin": "ETH"}),
        Request(POST.url),
    ]
    for number, request in enumerate([REQUEST, *others]):
        store.put(request, b"%d" % number, status=200, fetched_at=NOW)
    for number, request in enumerate([REQUEST, *others]):
        found = store.get(request)
        assert found is not None and found[1] == b"%d" % number


def test_an_unknown_request_has_no_entry(store: BodyStore) -> None:
    assert store.entry(REQUEST) is None
    assert store.get(REQUEST) is None
    assert store.manifest().empty


def test_a_new_body_replaces_the_old_one_and_its_file(store: BodyStore) -> None:
    first = store.put(REQUEST, b"one", status=200, fetched_at=NOW)
    second = store.put(REQUEST, b"two", status=200, fetched_at=LATER, final=True)
    found = store.get(REQUEST)
    assert found == (second, b"two")
    assert store.read(first) is None


def test_the_same_body_again_keeps_the_time_it_was_fetched(store: BodyStore) -> None:
    first = store.put(REQUEST, b"one", status=200, fetched_at=NOW)
    assert store.put(REQUEST, b"one", status=200, fetched_at=LATER) == first
    final = store.put(REQUEST, b"one", status=200, fetched_at=LATER, final=True)
    assert final.final and final.fetched_at == first.fetched_at


def test_an_absence_is_recorded_and_a_later_body_replaces_it(store: BodyStore) -> None:
    store.put_absence(REQUEST, status=404, fetched_at=NOW, final=True)
    found = store.get(REQUEST)
    assert found is not None and found[0].is_absence and found[0].status == 404 and found[1] == b""
    store.put(REQUEST, b"there", status=200, fetched_at=LATER)
    found = store.get(REQUEST)
    assert found is not None and not found[0].is_absence and found[1] == b"there"


def test_a_body_that_an_absence_replaces_is_set_aside(tmp_path: Path) -> None:
    store = BodyStore(tmp_path)
    entry = store.put(REQUEST, b"last words", status=200, fetched_at=NOW)
    store.put_absence(REQUEST, status=404, fetched_at=LATER, final=True)
    assert gzip.decompress((tmp_path / "_rejected" / entry.file).read_bytes()) == b"last words"


def test_forgotten_bodies_are_moved_out_of_the_way(store: BodyStore) -> None:
    entry = store.put(REQUEST, b"bad", status=200, fetched_at=NOW, final=True)
    store.forget(REQUEST)
    store.forget(POST)
    assert store.get(REQUEST) is None
    assert store.manifest().empty
    assert gzip.decompress((UPath(store.root) / "_rejected" / entry.file).read_bytes()) == b"bad"


def test_the_manifest_has_one_row_per_request(store: BodyStore) -> None:
    store.put(POST, b"[]", status=200, fetched_at=NOW, final=True)
    store.put(REQUEST, b"abc", status=200, fetched_at=LATER, etag="e")
    store.put_absence(Request("https://other.example/x.zip"), status=404, fetched_at=NOW, final=False)
    manifest = store.manifest()
    assert list(manifest["url"]) == ["https://other.example/x.zip", REQUEST.url, POST.url]
    assert list(manifest["status"]) == [404, 200, 200]
    assert list(manifest["bytes"]) == [0, 3, 2]
    assert list(manifest["final"]) == [False, False, True]
    assert manifest["params"][1] == '{"symbol": "BTC", "start": 0}'
    assert manifest["payload"][2] == '{"type": "rates", "coin": "BTC"}'
    assert str(manifest["fetched_at"].dtype) == "datetime64[us, UTC]"


def test_the_same_bodies_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        store = BodyStore(tmp_path / name)
        store.put(REQUEST, b"body" * 1000, status=200, fetched_at=NOW, final=True)
        store.put(POST, b"other", status=200, fetched_at=NOW)
    assert files(tmp_path / "a") == files(tmp_path / "b")


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "gone", "plain"])
def test_a_torn_body_is_not_believed_and_can_be_stored_again(tmp_path: Path, damage: str) -> None:
    store = BodyStore(tmp_path)
    entry = store.put(REQUEST, b"0123456789" * 100, status=200, fetched_at=NOW, final=True)
    path = tmp_path / entry.file
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        torn = {
            "cut": whole[:-9],
            "flipped": whole[:12] + bytes([whole[12] ^ 255]) + whole[13:],
            "empty": b"",
            "plain": b"not a gzip file",
        }
        path.write_bytes(torn[damage])
    assert store.get(REQUEST) is None
    store.put(REQUEST, b"0123456789" * 100, status=200, fetched_at=LATER, final=True)
    assert path.read_bytes() == whole
    assert store.get(REQUEST) is not None


def test_a_body_swapped_for_another_is_not_believed(tmp_path: Path) -> None:
    store = BodyStore(tmp_path)
    entry = store.put(REQUEST, b"mine", status=200, fetched_at=NOW)
    (tmp_path / entry.file).write_bytes(gzip.compress(b"theirs"))
    assert store.get(REQUEST) is None


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"url": "x"}', b"\xff\xfe"])
def test_a_torn_entry_is_no_entry(tmp_path: Path, text: bytes) -> None:
    store = BodyStore(tmp_path)
    store.put(REQUEST, b"body", status=200, fetched_at=NOW)
    next((tmp_path / "venue.example").glob("*.json")).write_bytes(text)
    assert store.get(REQUEST) is None
    assert store.manifest().empty


def test_an_entry_under_another_requests_name_is_no_answer(tmp_path: Path) -> None:
    store = BodyStore(tmp_path)
    store.put(REQUEST, b"body", status=200, fetched_at=NOW)
    entry = next((tmp_path / "venue.example").glob("*.json"))
    store.put(POST, b"post", status=200, fetched_at=NOW)
    other = next(p for p in (tmp_path / "venue.example").glob("*.json") if p != entry)
    other.write_bytes(entry.read_bytes())
    assert store.get(POST) is None


@pytest.mark.parametrize("steps", range(2))
def test_a_kill_between_body_and_entry_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """Replacing a body is two renames; a process that dies before either leaves the previous answer whole."""
    store = BodyStore(tmp_path)
    store.put(REQUEST, b"before", status=200, fetched_at=NOW)
    done = 0
    real = Path.replace

    def dies(self: Path, target: Path) -> Path:
        nonlocal done
        if done == steps:
            raise KeyboardInterrupt
        done += 1
        return real(self, target)

    monkeypatch.setattr(Path, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        store.put(REQUEST, b"after", status=200, fetched_at=LATER, final=True)
    monkeypatch.undo()
    found = BodyStore(tmp_path).get(REQUEST)
    assert found is not None and found[1] == b"before" and not found[0].final
    again = BodyStore(tmp_path).put(REQUEST, b"after", status=200, fetched_at=LATER, final=True)
    assert BodyStore(tmp_path).get(REQUEST) == (again, b"after")


WRITES_FOR_EVER = """
import sys
from datetime import UTC, datetime
from itertools import count
from perp_pipeline.sources.base import Request
from perp_pipeline.sources.store import BodyStore

store = BodyStore(sys.argv[1])
for n in count():
    request = Request("https://venue.example/", params={"n": n % 7})
    store.put(request, b"%d " % n * 20_000, status=200, fetched_at=datetime.now(UTC))
    print(n, flush=True)
"""


def test_a_process_killed_while_storing_leaves_only_whole_bodies(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITES_FOR_EVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout as lines:
        while int(lines.readline()) < 40:
            pass
        process.kill()
        process.wait(timeout=10)
    store = BodyStore(tmp_path)
    entries = list(store.entries())
    assert len(entries) == 7
    for entry in entries:
        content = store.read(entry)
        assert content is not None and len(set(content.split())) == 1


def test_half_written_files_of_a_killed_run_are_swept_after_an_hour(tmp_path: Path) -> None:
    (tmp_path / ".tmp").mkdir()
    old, young = tmp_path / ".tmp" / "old", tmp_path / ".tmp" / "young"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    BodyStore(tmp_path).put(REQUEST, b"x", status=200, fetched_at=NOW)
    assert not old.exists()
    assert young.exists()


def test_a_half_written_file_that_is_gone_before_it_is_looked_at_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / ".tmp").mkdir()
    (tmp_path / ".tmp" / "gone").symlink_to(tmp_path / "put in its place")
    store = BodyStore(tmp_path)
    store.put(REQUEST, b"x", status=200, fetched_at=NOW)
    found = store.get(REQUEST)
    assert found is not None and found[1] == b"x"


def test_threads_that_store_and_read_the_same_request_never_see_a_torn_body(tmp_path: Path) -> None:
    store = BodyStore(tmp_path)
    bodies = [bytes([65 + n]) * 5000 for n in range(4)]
    store.put(REQUEST, bodies[0], status=200, fetched_at=NOW)
    seen: list[bytes] = []
    go = threading.Barrier(8)

    def write(n: int) -> None:
        go.wait()
        for _ in range(20):
            store.put(REQUEST, bodies[n], status=200, fetched_at=NOW)

    def read() -> None:
        go.wait()
        for _ in range(50):
            found = store.get(REQUEST)
            if found is not None:
                seen.append(found[1])

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    threads += [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen and set(seen) <= set(bodies)
    assert len(list((tmp_path / "venue.example").glob("*.gz"))) == 1


def test_a_renamed_entry_keeps_its_body_and_leaves_nothing_behind(tmp_path: Path) -> None:
    store = BodyStore(tmp_path)
    old = Request("https://node.example.org/v3/key", method="POST", payload={"id": 1})
    new = Request("rpc://ethereum/", method="POST", payload={"id": 1})
    entry = store.put(old, b"body", status=200, fetched_at=NOW, final=True)
    (listed,) = store.entries_of(old.url)
    assert listed == entry
    store.move(entry, new)
    found = store.get(new)
    assert found is not None
    assert (found[1], found[0].fetched_at, found[0].final) == (b"body", entry.fetched_at, True)
    assert store.get(old) is None
    assert not store.entries_of(old.url)
    assert not list((tmp_path / "node.example.org").iterdir())


def test_a_renamed_entry_does_not_replace_what_is_there(tmp_path: Path) -> None:
    store = BodyStore(tmp_path)
    old, new = (Request(url, method="POST", payload={}) for url in ("https://a.org/", "rpc://ethereum/"))
    entry = store.put(old, b"old", status=200, fetched_at=NOW)
    store.put(new, b"new", status=200, fetched_at=NOW)
    store.move(entry, new)
    kept = store.get(new)
    assert kept is not None
    assert kept[1] == b"new"
    assert store.get(old) is None


def test_a_renewed_body_has_a_new_date(tmp_path: Path) -> None:
    store = BodyStore(tmp_path)
    request = Request("https://a.org/")
    store.put(request, b"body", status=200, fetched_at=NOW)
    assert store.put(request, b"body", status=200, fetched_at=LATER).fetched_at == NOW.isoformat()
    assert (
        store.put(request, b"body", status=200, fetched_at=LATER, renew=True).fetched_at == LATER.isoformat()
    )
