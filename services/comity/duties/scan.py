"""Looks for a record's bytes in the files that comity keeps: found before an erasure, not found after it (promise 5).

The files are read by a child process (``scan_child.py``). A process that closes any descriptor of a file loses its POSIX locks
on that file, and SQLite's with them (sqlite.org/howtocorrupt, 2.2): had the owner of the log read ``log.db`` here, another
program's visit could then delete the write-ahead log under it, and an acknowledged order with it.

All pieces of all needles are looked for in one pass over the bytes, however many they are.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from comity.duties.scan_child import LIBRARY_MISSING

PIECE_BYTES = 24  # six floats of a template, or 192 bits of a ciphertext: chance finds none of them, and a page cuts few
PIECES = 4  # evenly spread over what is looked for: a page boundary or a rewrite may cut some of them, hardly all
PIECES_PER_PASS = 50_000  # one pass's automaton takes 200 MB; more pieces take another pass
START_SECONDS_MAX = 120.0  # the child's own start, and making the automaton
BYTES_PER_SECOND_MIN = 4_000_000  # a slow disk that others read too; a scan that is slower hangs
LOOK_SECONDS = 0.5  # how soon a stop is noticed


@dataclass(frozen=True, slots=True)
class Scanned:
    """What was looked through, and in which files which needles were found."""

    files: int
    bytes: int
    found: Mapping[str, tuple[str, ...]]
    unreadable: tuple[str, ...] = field(default=())

    @property
    def clean(self) -> bool:
        """Say whether nothing was found in any file, and every file was read."""
        return not self.found and not self.unreadable

    @property
    def unproven(self) -> bool:
        """Say whether nothing was found, yet not every file was read: that proves nothing."""
        return not self.found and bool(self.unreadable)


def pieces(data: bytes) -> tuple[bytes, ...]:
    """Return some short pieces of what is looked for: the whole would be missed where a file breaks it up."""
    if len(data) <= PIECE_BYTES:
        return (data,) if data else ()
    last = len(data) - PIECE_BYTES
    starts = dict.fromkeys(last * number // (PIECES - 1) for number in range(PIECES))
    return tuple(dict.fromkeys(data[start : start + PIECE_BYTES] for start in starts))


def scan(
    places: Sequence[Path],
    needles: Mapping[str, Iterable[bytes]],
    stop: threading.Event | None = None,
) -> Scanned:
    """Read every file at and under these places, and look for each needle's pieces; ``found`` names the files by needle.

    Raises OSError where the child process cannot do its work, or ``stop`` was set: an erasure is then not certified.
    """
    wanted = {name: sorted({p for data in values for p in pieces(data)}) for name, values in needles.items()}
    scanned = Scanned(0, 0, {})
    for part in _passes(wanted):
        scanned = _joined(scanned, _pass(places, part, stop or threading.Event()))
    return scanned


def _passes(wanted: Mapping[str, Sequence[bytes]]) -> list[dict[str, list[bytes]]]:
    """Share the pieces out among passes; at least one, so that the files are counted."""
    parts: list[dict[str, list[bytes]]] = [{}]
    room = PIECES_PER_PASS
    for name, found in wanted.items():
        for piece in found:
            if not room:
                parts.append({})
                room = PIECES_PER_PASS
            parts[-1].setdefault(name, []).append(piece)
            room -= 1
    return parts


def _joined(one: Scanned, other: Scanned) -> Scanned:
    found = {name: set(paths) for name, paths in one.found.items()}
    for name, paths in other.found.items():
        found.setdefault(name, set()).update(paths)
    return Scanned(
        max(one.files, other.files),
        max(one.bytes, other.bytes),
        {name: tuple(sorted(paths)) for name, paths in found.items()},
        tuple(sorted({*one.unreadable, *other.unreadable})),
    )


def _pass(places: Sequence[Path], wanted: Mapping[str, Sequence[bytes]], stop: threading.Event) -> Scanned:
    asked = {
        "places": [str(place) for place in places],
        "pieces": {name: [piece.hex() for piece in found] for name, found in wanted.items()},
    }
    told = json.loads(_ask(json.dumps(asked), _size(places), stop))
    found = {name: tuple(paths) for name, paths in told["found"].items()}
    return Scanned(told["files"], told["bytes"], found, tuple(told["unreadable"]))


def _ask(asked: str, size: int, stop: threading.Event) -> str:
    """Run the child and return what it says; it is killed where it hangs, or should stop."""
    deadline = time.monotonic() + START_SECONDS_MAX + size / BYTES_PER_SECOND_MIN
    command = [sys.executable, "-m", "comity.duties.scan_child"]
    pipe = subprocess.PIPE
    told: list[str] = []
    why = ""
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as child:  # noqa: S603
        # A thread of its own: communicate() with a timeout does not go on writing what the first call left (CPython 3.11).
        talking = threading.Thread(target=lambda: told.append(child.communicate(asked)[0]), name="comity-scan")
        talking.start()
        while talking.is_alive():
            talking.join(LOOK_SECONDS)
            if talking.is_alive() and (why := _given_up(stop, deadline)):
                child.kill()
                talking.join()
    if why:
        raise OSError(f"the scan {why}")
    if child.returncode == LIBRARY_MISSING:
        raise OSError("the scan's library, hyperscan, is not installed: run `make setup`")
    if child.returncode:
        raise OSError(f"the scan ended with {child.returncode}")
    return told[0]


def _given_up(stop: threading.Event, deadline: float) -> str:
    if stop.is_set():
        return "was stopped"
    return "took too long" if time.monotonic() > deadline else ""


def _size(places: Sequence[Path]) -> int:
    """Return about how much there is to read. Nothing is opened here."""
    size = 0
    for place in places:
        for path in (place, *place.rglob("*")):
            try:
                size += path.lstat().st_size
            except OSError:  # gone meanwhile, or not to be looked at: the child tells
                continue
    return size
