"""The process that reads the files for ``scan.py``: what to look for comes by standard input, and stays in memory.

Read with ``pread``, never mapped: another thread may truncate a file meanwhile, and touching a page that is gone kills (SIGBUS).
A file is read up to the length that it had when it was opened; what is appended meanwhile is not the erasure's.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

CHUNK_BYTES = 4 * 1024 * 1024
NICENESS = 10  # searches go first
LIBRARY_MISSING = 3  # the exit code by which the parent can say what to do


class _Needles:
    """All pieces as one automaton, and which needle each belongs to."""

    def __init__(self, pieces: Mapping[str, Sequence[bytes]]) -> None:
        flat = [(name, piece) for name, wanted in pieces.items() for piece in wanted]
        self._names = [name for name, _ in flat]
        self.longest = max((len(piece) for _, piece in flat), default=0)
        self._database = _automaton([piece for _, piece in flat]) if flat else None

    def found(self, data: bytes) -> set[str]:
        """Return the needles of which a piece lies in this data."""
        if self._database is None or not data:
            return set()
        hits: set[int] = set()

        def hit(number: int, *_: object) -> None:
            hits.add(number)

        self._database.scan(data, hit)
        return {self._names[number] for number in hits}


def _automaton(pieces: Sequence[bytes]) -> Any:  # noqa: ANN401 - a hyperscan.Database
    try:
        import hyperscan  # noqa: PLC0415 - 6 MB that only a scan needs
    except ImportError:
        sys.exit(LIBRARY_MISSING)
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        # As hex escapes: the library's literal interface ends at a NUL.
        expressions=["".join(f"\\x{octet:02x}" for octet in piece).encode() for piece in pieces],
        ids=list(range(len(pieces))),
        elements=len(pieces),
        flags=hyperscan.HS_FLAG_SINGLEMATCH,
    )
    return database


def look(places: Sequence[Path], pieces: Mapping[str, Sequence[bytes]]) -> dict[str, Any]:
    """Read every file at and under these places, and return what was found where."""
    needles = _Needles(pieces)
    files = size = 0
    found: dict[str, list[str]] = {}
    unreadable: list[str] = []
    for path in _files(places, unreadable):
        try:
            hits, read = _read(path, needles)
        except FileNotFoundError:
            continue  # rewritten while it was read: its successor is read in turn
        except OSError:
            unreadable.append(str(path))
            continue
        files, size = files + 1, size + read
        for name in hits:
            found.setdefault(name, []).append(str(path))
    return {"files": files, "bytes": size, "found": found, "unreadable": unreadable}


def _files(places: Sequence[Path], unreadable: list[str]) -> Iterator[Path]:
    """Yield every plain file once, links not followed; a folder that cannot be listed is unreadable."""
    seen: set[Path] = set()
    for place in places:
        if place.is_dir() and not place.is_symlink():
            for folder, inner, names in os.walk(place, onerror=lambda error: _unlisted(error, unreadable)):
                inner.sort()
                paths = [Path(folder, name) for name in sorted(names)]
                yield from (path for path in paths if _new(path, seen))
        elif _new(place, seen):
            yield place


def _unlisted(error: OSError, unreadable: list[str]) -> None:
    if not isinstance(error, FileNotFoundError):
        unreadable.append(str(error.filename))


def _new(path: Path, seen: set[Path]) -> bool:
    try:
        plain = stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False
    if not plain or path in seen:
        return False
    seen.add(path)
    return True


def _read(path: Path, needles: _Needles) -> tuple[set[str], int]:
    """Return the needles found in a file and how much of it was read; chunks overlap, so that none is cut by our own reading."""
    found: set[str] = set()
    overlap = max(0, needles.longest - 1)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        end = os.fstat(descriptor).st_size
        at = 0
        before = b""
        while at < end:
            chunk = os.pread(descriptor, min(CHUNK_BYTES, end - at), at)
            if not chunk:
                break  # truncated meanwhile: what was cut off is no longer in it
            data = before + chunk
            found |= needles.found(data)
            before = data[len(data) - overlap :] if overlap else b""
            at += len(chunk)
    finally:
        os.close(descriptor)
    return found, at


def main() -> None:
    """Be the child."""
    os.nice(NICENESS)
    asked = json.load(sys.stdin)
    pieces = {name: [bytes.fromhex(piece) for piece in wanted] for name, wanted in asked["pieces"].items()}
    json.dump(look([Path(place) for place in asked["places"]], pieces), sys.stdout)


if __name__ == "__main__":
    main()
