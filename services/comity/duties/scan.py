"""Looks for a record's bytes in every file that comity keeps: found before an erasure, not found after it (promise 5).

The files are read by a child process. A process that closes any descriptor of a file loses its POSIX locks on that file, and
SQLite's with them (sqlite.org/howtocorrupt, 2.2): had the owner of the log read ``log.db`` here, another program's visit could
then delete the write-ahead log under it, and an acknowledged order with it.
"""

from __future__ import annotations

import json
import mmap
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SCAN_SECONDS_MAX = 600.0
WINDOW_BYTES = 48
WINDOWS = 4  # evenly spread over what is looked for: a page boundary or a rewrite may cut some of them, hardly all


@dataclass(frozen=True, slots=True)
class Scanned:
    """What was looked through, and where which kind of bytes was found."""

    files: int
    bytes: int
    found: Mapping[str, tuple[str, ...]]
    unreadable: tuple[str, ...] = field(default=())

    @property
    def clean(self) -> bool:
        """Say whether nothing was found in any file, and every file was read."""
        return not self.found and not self.unreadable


def windows(data: bytes) -> tuple[bytes, ...]:
    """Return some short pieces of what is looked for: the whole would be missed where a file breaks it up."""
    if len(data) <= WINDOW_BYTES:
        return (data,)
    step = (len(data) - WINDOW_BYTES) // (WINDOWS - 1)
    return tuple(dict.fromkeys(data[i : i + WINDOW_BYTES] for i in range(0, len(data) - WINDOW_BYTES + 1, max(1, step))))


def scan(roots: Sequence[Path], needles: Mapping[str, Iterable[bytes]]) -> Scanned:
    """Read every file under these folders and look for each kind's pieces; ``found`` names the files by kind.

    Raises OSError where the child process cannot do its work: an erasure is then not certified.
    """
    pieces = {kind: sorted({w.hex() for data in values for w in windows(data)}) for kind, values in needles.items()}
    asked = json.dumps({"roots": [str(root) for root in roots], "pieces": pieces})
    command = [sys.executable, "-m", "comity.duties.scan"]
    child = subprocess.run(command, input=asked, capture_output=True, text=True, check=False, timeout=SCAN_SECONDS_MAX)  # noqa: S603
    if child.returncode:
        raise OSError(f"the scan ended with {child.returncode}")
    told = json.loads(child.stdout)
    found = {kind: tuple(paths) for kind, paths in told["found"].items()}
    return Scanned(told["files"], told["bytes"], found, tuple(told["unreadable"]))


def _scan(roots: Sequence[Path], pieces: Mapping[str, tuple[bytes, ...]]) -> Scanned:
    files = size = 0
    found: dict[str, list[str]] = {}
    unreadable = []
    for path in sorted(p for root in roots for p in root.rglob("*") if p.is_file() and not p.is_symlink()):
        try:
            hits, read = _look(path, pieces)
        except FileNotFoundError:
            continue  # rewritten while it was read: its successor is read in turn
        except OSError:
            unreadable.append(str(path))
            continue
        files, size = files + 1, size + read
        for kind in hits:
            found.setdefault(kind, []).append(str(path))
    return Scanned(files, size, {kind: tuple(paths) for kind, paths in found.items()}, tuple(unreadable))


def _look(path: Path, pieces: Mapping[str, tuple[bytes, ...]]) -> tuple[list[str], int]:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if not size:
            return [], 0
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return [kind for kind, wanted in pieces.items() if any(data.find(piece) >= 0 for piece in wanted)], size


def _main() -> None:
    """Be the child: what to look for comes by standard input, and stays in memory."""
    asked = json.load(sys.stdin)
    pieces = {kind: tuple(map(bytes.fromhex, values)) for kind, values in asked["pieces"].items()}
    told = _scan([Path(root) for root in asked["roots"]], pieces)
    json.dump({"files": told.files, "bytes": told.bytes, "found": told.found, "unreadable": told.unreadable}, sys.stdout)


if __name__ == "__main__":
    _main()
