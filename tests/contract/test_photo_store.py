"""What every store of ciphertexts promises, and what the folder leaves on the disk."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from comity.adapters import photo_store
from comity.adapters.photo_store import FolderPhotoStore
from comity.errors import InvalidInput, Unavailable
from comity.ports import PhotoStore

RECORD = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "photographs"


@pytest.fixture
def store(root: Path) -> FolderPhotoStore:
    return FolderPhotoStore(root)


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def test_what_was_put_is_got(store: PhotoStore) -> None:
    assert store.get(f"rec/{RECORD}/0") is None
    store.put(f"rec/{RECORD}/0", b"one")
    store.put(f"rec/{RECORD}/1", b"")
    assert store.get(f"rec/{RECORD}/0") == b"one"
    assert store.get(f"rec/{RECORD}/1") == b""


def test_the_same_name_again_replaces(store: PhotoStore) -> None:
    store.put("order/o-1", b"longer than the next")
    store.put("order/o-1", b"next")
    assert store.get("order/o-1") == b"next"
    assert list(store.names()) == ["order/o-1"]


def test_all_names_come_back(store: PhotoStore) -> None:
    names = {f"rec/{number:032x}/{photo}" for number in range(20) for photo in range(2)} | {"single", "rec/a", "rec/a/0/1"}
    for name in names:
        store.put(name, b"x")
    assert sorted(store.names()) == sorted(names)


def test_a_deletion_takes_whole_segments_and_is_idempotent(store: PhotoStore) -> None:
    for name in ("rec/ab", "rec/ab/0", "rec/ab/1/x", "rec/abc/0", "rec/a", "order/ab/0"):
        store.put(name, b"x")
    assert store.delete("rec/ab") == 3
    assert store.delete("rec/ab") == 0
    assert sorted(store.names()) == ["order/ab/0", "rec/a", "rec/abc/0"]
    assert store.delete("rec") == 2
    assert list(store.names()) == ["order/ab/0"]
    store.put("rec/ab/0", b"again")
    assert store.get("rec/ab/0") == b"again"


BAD = [
    "",
    "/",
    "rec/",
    "/rec",
    "rec//0",
    "..",
    "rec/../../etc",
    "rec/.",
    "a.b",
    "rec/\0",
    "rec/a b",
    "\u00e4",
    "x" * 129,
    "a/b/c/d/e/f/g",
    "rec\\0",
    "rec/0\n",
]


@pytest.mark.parametrize("name", BAD)
def test_a_name_that_cannot_be_used_is_refused(store: PhotoStore, name: str) -> None:
    for refused in (store.get, store.delete, lambda bad: store.put(bad, b"x")):
        with pytest.raises(InvalidInput, match="name"):
            refused(name)


def test_a_ciphertext_over_the_limit_is_refused(store: PhotoStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_store, "CIPHERTEXT_BYTES_MAX", 10)
    with pytest.raises(InvalidInput, match="at most 10 bytes"):
        store.put("rec/a", bytes(11))


def test_a_deletion_leaves_neither_file_nor_folder(store: FolderPhotoStore, root: Path) -> None:
    store.put(f"rec/{RECORD}/0", b"x")
    store.put(f"rec/{OTHER}/0", b"x")
    store.delete(f"rec/{RECORD}")
    assert RECORD not in "".join(str(path) for path in root.rglob("*"))
    assert len(files(root)) == 1


def test_a_deleted_file_is_overwritten_before_it_is_unlinked(store: FolderPhotoStore, root: Path) -> None:
    ciphertext = os.urandom(200_000)
    store.put("rec/a/0", ciphertext)
    [path] = files(root)
    with path.open("rb") as still_open:  # the file's blocks, although no name leads there any more
        store.delete("rec/a")
        assert not path.exists()
        assert still_open.read() == bytes(200_000)


def test_the_files_are_their_owners_alone(store: FolderPhotoStore, root: Path) -> None:
    store.put("rec/a/0", b"x")
    assert {path.stat().st_mode & 0o077 for path in (root, *root.rglob("*"))} == {0}


def test_a_disk_that_is_full_leaves_what_stood_there(
    store: FolderPhotoStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("rec/a/0", b"before")
    write = os.write

    def full_after_a_part(descriptor: int, octets: memoryview) -> int:
        if any(octets) and len(octets) < 50_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, octets[:30_000])

    monkeypatch.setattr(os, "write", full_after_a_part)
    with pytest.raises(Unavailable, match="No space left"):
        store.put("rec/a/0", b"x" * 100_000)
    monkeypatch.undo()
    assert store.get("rec/a/0") == b"before"
    assert len(files(root)) == 1


LIMITED = """
import resource, sys
from pathlib import Path
from comity.adapters.photo_store import FolderPhotoStore
from comity.errors import Unavailable
store = FolderPhotoStore(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    store.put("rec/a/0", b"x" * 300_000)
except Unavailable as error:
    print(error.message)
"""


def test_a_file_that_the_system_cuts_short_is_not_stored(store: FolderPhotoStore, root: Path) -> None:
    store.put("rec/a/0", b"before")
    said = subprocess.run([sys.executable, "-c", LIMITED, str(root)], capture_output=True, text=True, check=True)
    assert said.stdout == "storing a ciphertext failed: File too large\n"
    assert store.get("rec/a/0") == b"before"
    assert len(files(root)) == 1


ENDLESS = """
import sys
from pathlib import Path
from comity.adapters.photo_store import FolderPhotoStore
store = FolderPhotoStore(Path(sys.argv[1]))
for number in range(10**9):
    store.put(f"rec/{number % 5}/0", bytes([number % 256]) * 400_000)
    print(number, flush=True)
"""


@pytest.mark.parametrize("puts", [1, 20, 57])
def test_a_kill_in_the_middle_leaves_whole_files_and_a_stray_that_is_swept(root: Path, puts: int) -> None:
    child = subprocess.Popen([sys.executable, "-c", ENDLESS, str(root)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for _ in range(puts):
        last = int(child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    last = max([last, *[int(line) for line in child.communicate()[0].splitlines(keepends=True) if line.endswith("\n")]])
    store = FolderPhotoStore(root)
    for name in store.names():
        found = store.get(name)
        assert found is not None
        assert len(found) == 400_000
        assert len(set(found)) == 1
    for number in range(max(0, last - 3), last + 1):  # acknowledged, and at most one later put of the same name
        found = store.get(f"rec/{number % 5}/0")
        assert found is not None
        assert found[0] in (number % 256, (number + 5) % 256)
    for stray in (root / ".incoming").iterdir():
        os.utime(stray, (0, 0))
    FolderPhotoStore(root)
    assert list((root / ".incoming").iterdir()) == []


def test_another_process_put_in_progress_is_not_swept(store: FolderPhotoStore, root: Path) -> None:
    (root / ".incoming" / "young").write_bytes(b"x")
    old = root / ".incoming" / "old"
    old.write_bytes(b"x")
    os.utime(old, (time.time() - 7_200,) * 2)
    FolderPhotoStore(root)
    assert [path.name for path in (root / ".incoming").iterdir()] == ["young"]
    assert list(store.names()) == []


def test_a_link_is_not_followed_when_it_is_deleted(store: FolderPhotoStore, root: Path, tmp_path: Path) -> None:
    store.put("rec/a/0", b"x")
    [path] = files(root)
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    path.unlink()
    path.symlink_to(outside)
    with pytest.raises(Unavailable):
        store.delete("rec/a")
    assert outside.read_bytes() == b"precious"


def test_threads_put_and_delete_the_same_record(store: FolderPhotoStore) -> None:
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            for _ in range(30):
                store.put(f"rec/a/{number}", bytes(1_000))
                if number == 0:
                    store.delete("rec/a/0")
        except Exception as error:  # noqa: BLE001 - whatever it is, the test tells it
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(store.names()) == ["rec/a/1", "rec/a/2", "rec/a/3"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable, match="opening the photo store"):
        FolderPhotoStore(tmp_path / "file" / "store")
