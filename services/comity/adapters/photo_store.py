"""Ciphertexts in files under one folder: photographs, particulars, court documents; never anything in clear.

A name such as ``rec/<record id>/0`` becomes ``ab/cd/rec/<record id>/0.sealed``; ``ab`` and ``cd`` are two bytes of SHA-256 over
the first two segments, so that no folder grows past some thousands of entries and one record's files stand together.

The order of a put: a file of its own in ``.incoming`` is written and synced, renamed into place, and the folder synced. A crash
before the rename leaves the earlier contents and a stray in ``.incoming``, which is swept once it is old.

Deletion writes zeros over a file before it unlinks it. On a plain disk that leaves nothing of the ciphertext. On an SSD or a
copy-on-write file system (btrfs, ZFS, snapshots, thin volumes) the zeros may land elsewhere, and a replaced file's old blocks
are freed as they are: nothing here can promise more. What makes a ciphertext worthless for certain is that its key is shredded.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from comity.errors import InvalidInput, Unavailable

SEGMENTS_MAX = 6
SEGMENT_CHARS_MAX = 128  # an order id; a file system takes 255 bytes, and the suffix has 7
CIPHERTEXT_BYTES_MAX = 64 * 1024 * 1024  # an order's scan of some hundred pages; photographs are far below
STRAY_SECONDS_MIN = 3_600.0  # no put takes an hour, so an older file in .incoming is a crash's

_SEGMENT = re.compile(rf"[A-Za-z0-9_-]{{1,{SEGMENT_CHARS_MAX}}}")  # no dot: neither "..", nor our suffix, nor a hidden file
_SHARD = re.compile(r"[0-9a-f]{2}")
_SUFFIX = ".sealed"
_INCOMING = ".incoming"
_SHARD_SEGMENTS = 2
_ZEROS = bytes(64 * 1024)


class FolderPhotoStore:
    """The store; thread-safe, and several processes may share one folder."""

    def __init__(self, root: Path) -> None:
        """Open or make the store at ``root`` (0700). Raises Unavailable where the disk refuses."""
        self._root = root
        self._incoming = root / _INCOMING
        with _reported("opening the photo store"):
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._incoming.mkdir(mode=0o700, exist_ok=True)
            self._sweep()

    def put(self, name: str, ciphertext: bytes) -> None:
        """Store durably and atomically; the same name again replaces.

        Raises InvalidInput for a bad name or over 64 MiB, Unavailable where the disk refuses: then what stood there still does.
        """
        path = self._path(name)
        if len(ciphertext) > CIPHERTEXT_BYTES_MAX:
            raise InvalidInput(f"a ciphertext has at most {CIPHERTEXT_BYTES_MAX} bytes", advice="Send a smaller file.")
        with _reported("storing a ciphertext"):
            descriptor, made = tempfile.mkstemp(dir=self._incoming)  # 0600
            try:
                with os.fdopen(descriptor, "wb") as file:
                    _write(file.fileno(), ciphertext)
                    os.fsync(file.fileno())
                self._place(Path(made), path)
            except BaseException:
                with suppress(FileNotFoundError):
                    _zero_and_unlink(Path(made))
                raise

    def get(self, name: str) -> bytes | None:
        """Return the ciphertext, or None. Raises InvalidInput for a bad name, Unavailable where the disk refuses."""
        path = self._path(name)
        with _reported("reading a ciphertext"):
            try:
                return path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def has(self, name: str) -> bool:
        """Say whether there is a ciphertext of this name, without reading it."""
        with _reported("looking for a ciphertext"):
            return self._path(name).is_file()

    def delete(self, prefix: str) -> int:
        """Overwrite and delete what has this name or stands under it, whole segments only; return how many files went.

        ``rec/ab`` takes ``rec/ab`` and ``rec/ab/0``, never ``rec/abc/0``. Idempotent.
        """
        segments = _segments(prefix)
        gone = 0
        with _reported("deleting a ciphertext"):
            for shard in self._shards(segments):
                place = shard.joinpath(*segments)
                files = [*sorted(place.rglob(f"*{_SUFFIX}")), place.with_name(place.name + _SUFFIX)]
                gone += sum(_deleted(path) for path in files)
                _remove_empty(place, shard)
        return gone

    def under(self, prefix: str) -> Iterator[str]:
        """Yield the names under a prefix of at least two segments, at the cost of these alone. Raises InvalidInput."""
        segments = _segments(prefix)
        if len(segments) < _SHARD_SEGMENTS:
            raise InvalidInput("a prefix has at least two segments", advice="Use names() to list everything.")
        shard = self._shard(segments)
        with _reported("listing the photo store"):
            for path in sorted(shard.joinpath(*segments).rglob(f"*{_SUFFIX}")):
                yield path.relative_to(shard).as_posix().removesuffix(_SUFFIX)

    def names(self) -> Iterator[str]:
        """Yield every name, in no meaningful order, for fsck; what is put or deleted meanwhile may or may not come."""
        with _reported("listing the photo store"):
            for shard in self._all_shards():
                for path in sorted(shard.rglob(f"*{_SUFFIX}")):
                    yield path.relative_to(shard).as_posix().removesuffix(_SUFFIX)

    def _path(self, name: str) -> Path:
        segments = _segments(name)
        place = self._shard(segments).joinpath(*segments)
        return place.with_name(place.name + _SUFFIX)

    def _shard(self, segments: list[str]) -> Path:
        digest = sha256("/".join(segments[:_SHARD_SEGMENTS]).encode()).hexdigest()
        return self._root / digest[:2] / digest[2:4]

    def _shards(self, segments: list[str]) -> Iterator[Path]:
        """Yield where names with these first segments can be: one folder, or all for a single segment."""
        return iter((self._shard(segments),)) if len(segments) >= _SHARD_SEGMENTS else self._all_shards()

    def _all_shards(self) -> Iterator[Path]:
        for outer in sorted(self._root.iterdir()):
            if _SHARD.fullmatch(outer.name):
                yield from (inner for inner in sorted(outer.iterdir()) if _SHARD.fullmatch(inner.name))

    def _place(self, made: Path, path: Path) -> None:
        """Rename into place, folders and all; another's delete may take an empty folder away just then, so try twice."""
        inner = path.parent.relative_to(self._root)
        folders = [self._root / folder for folder in (inner, *inner.parents)]  # inmost first, the root last
        for last in (False, True):
            try:
                for folder in reversed(folders):
                    folder.mkdir(mode=0o700, exist_ok=True)
                made.replace(path)
                break
            except FileNotFoundError:
                if last:
                    raise
        for folder in folders:
            _sync_folder(folder)

    def _sweep(self) -> None:
        oldest = time.time() - STRAY_SECONDS_MIN
        for stray in self._incoming.iterdir():
            with suppress(FileNotFoundError):
                if stray.stat().st_mtime < oldest:
                    _zero_and_unlink(stray)


def _segments(name: str) -> list[str]:
    segments = name.split("/")
    if len(segments) > SEGMENTS_MAX or not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise InvalidInput(
            "the name of a ciphertext cannot be used",
            advice=f"Use 1 to {SEGMENTS_MAX} segments of letters, digits, - and _, such as rec/0123/0.",
        )
    return segments


def _write(descriptor: int, octets: bytes) -> None:
    """Write all of it: a nearly full disk takes a part and says so by a count alone."""
    rest = memoryview(octets)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _deleted(path: Path) -> int:
    try:
        _zero_and_unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return 0
    _sync_folder(path.parent)
    return 1


def _zero_and_unlink(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    try:
        rest = os.fstat(descriptor).st_size
        while rest > 0:
            rest -= os.write(descriptor, _ZEROS[:rest])
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    path.unlink()


def _remove_empty(place: Path, shard: Path) -> None:
    """Remove the folders that a deletion emptied, inmost first, up to the shard's own."""
    inner = sorted((path for path in place.rglob("*") if path.is_dir()), reverse=True) if place.is_dir() else []
    for folder in (*inner, place, *place.parents):
        if folder == shard:
            return
        with suppress(OSError):  # not empty, or not there: both are as they should be
            folder.rmdir()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _reported(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        advice = "Look at the disk's space and health, then try again."
        raise Unavailable(f"{doing} failed: {error.strerror or 'the disk refused'}", advice=advice) from error
