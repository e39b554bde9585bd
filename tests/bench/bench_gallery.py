"""How the resident scan compares, as ratios of one run: ``python tests/bench/bench_gallery.py [--templates 1000000]``.

Rounds are interleaved, so that whatever else the machine does touches all sides alike; medians are compared. Only the ratios mean
something elsewhere. Exits with 1 if a single template that belongs to the answer (by float64, exhaustively) is not in it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from numpy.typing import NDArray

from comity.adapters.milvus_store import MilvusStore
from comity.adapters.resident_scan import ResidentScan
from comity.domain.ids import Ori
from comity.ports import Block, StoredTemplate
from gallery import record

BLOCKS = [Block(Ori(f"WI{number:05d}00"), "booking") for number in range(10)]
COUNT = 20
PEOPLE_EACH = 3  # templates of one person: neighbours that are near, as in a real gallery
BATCH = 10_000
Matrix = NDArray[np.float32]


def normalised(rows: Matrix) -> Matrix:
    lengths: Matrix = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / lengths


def gallery(rows: int) -> Matrix:
    """Return (rows, 128) float32: people with a few templates each, about 0.65 alike."""
    draw = np.random.default_rng(7)
    found = np.empty((rows, 128), np.float32)
    for start in range(0, rows, BATCH):
        size = min(BATCH, rows - start)
        people = np.repeat(draw.standard_normal((size // PEOPLE_EACH + 1, 128), dtype=np.float32), PEOPLE_EACH, axis=0)[:size]
        found[start : start + size] = normalised(people + 0.73 * draw.standard_normal((size, 128), dtype=np.float32))
    return found


def probes(rows: Matrix, count: int) -> Matrix:
    """Return new pictures of people who are in the gallery."""
    draw = np.random.default_rng(8)
    chosen = rows[draw.integers(0, len(rows), count)]
    noise: Matrix = draw.standard_normal(chosen.shape, dtype=np.float32)
    return normalised(chosen + 0.06 * noise)


def stored(rows: Matrix, start: int) -> list[StoredTemplate]:
    """Return the templates of the batch that begins at ``start``; batches take turns among ten blocks."""
    block = BLOCKS[start // BATCH % len(BLOCKS)]
    return [
        StoredTemplate(start + row, record(start + row), block, 0, vector)
        for row, vector in enumerate(rows[start : start + BATCH])
    ]


def fill(put: Callable[[list[StoredTemplate]], None], rows: Matrix) -> float:
    """Put all rows; return the seconds it took."""
    began = time.perf_counter()
    for start in range(0, len(rows), BATCH):
        put(stored(rows, start))
    return time.perf_counter() - began


def resident_megabytes() -> float:
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def medians(sides: Sequence[Callable[[Matrix], object]], asked: Matrix) -> list[float]:
    """Time each side on each probe, in turns; return the median seconds of each."""
    times: list[list[float]] = [[] for _ in sides]
    for round_number, probe in enumerate(asked):
        for side in range(len(sides)):
            turn = (side + round_number) % len(sides)
            began = time.perf_counter()
            sides[turn](probe)
            times[turn].append(time.perf_counter() - began)
    return [statistics.median(each) for each in times]


def recall(scan: ResidentScan, rows: Matrix, asked: Matrix) -> float:
    """Return the share of the exact answers (float64, ties at 4 decimals included) that the scan returned."""
    due = found = 0
    for probe in asked:
        scores = np.concatenate(
            [rows[s : s + BATCH].astype(np.float64) @ probe.astype(np.float64) for s in range(0, len(rows), BATCH)]
        )
        rounded = np.round(scores, 4)
        exact = set(np.flatnonzero(rounded >= np.partition(rounded, -COUNT)[-COUNT]).tolist())
        returned = {int(hit.record_id, 16) for hit in scan.nearest(probe, BLOCKS, COUNT).hits}
        due += len(exact)
        found += len(exact & returned)
    return found / due


def compare(rows: Matrix, rounds: int) -> tuple[ResidentScan, float]:
    """Compare the scan with a bare matrix product over the same bytes, and one block of ten with all."""
    before = resident_megabytes()
    scan = ResidentScan()
    seconds = fill(scan.put, rows)
    size = (resident_megabytes() - before) / len(rows) * 1e6
    asked = probes(rows, rounds)
    bare, whole, one = medians(
        [
            lambda probe: rows @ probe,
            lambda probe: scan.nearest(probe, BLOCKS, COUNT),
            lambda probe: scan.nearest(probe, BLOCKS[:1], COUNT),
        ],
        asked,
    )
    found = recall(scan, rows, asked[:10])
    print(
        f"{len(rows):>9,} x 128: scan / bare matmul {whole / bare:5.2f} (goal <= 1.5)   one block of ten / all {one / whole:5.2f}"
    )
    print(
        f"           recall {found:.4f}   {size:.0f} MB a million templates (512 raw)   put {each(seconds, rows)} us a template"
    )
    print(f"           here: bare {bare * 1e3:.2f} ms, scan {whole * 1e3:.2f} ms, one block {one * 1e3:.2f} ms")
    return scan, found


def forgetting(scan: ResidentScan, rows: Matrix) -> None:
    """Time forget, alone and while others search without pause."""
    alone = forget_seconds(scan, range(0, 2_000, 2))
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            scan.nearest(rows[1], BLOCKS, COUNT)

    seekers = [threading.Thread(target=search) for _ in range(2)]
    for seeker in seekers:
        seeker.start()
    busy = forget_seconds(scan, range(2_001, 4_000, 10))
    done.set()
    for seeker in seekers:
        seeker.join()
    print(f"forget one record: p50 / p99 {quantiles(alone)} us alone, {quantiles(busy)} us beside two searches without pause")


def forget_seconds(scan: ResidentScan, numbers: range) -> list[float]:
    times = []
    for number in numbers:
        began = time.perf_counter()
        scan.forget([record(number)])
        times.append(time.perf_counter() - began)
    return times


def each(seconds: float, rows: Matrix) -> str:
    return f"{seconds / len(rows) * 1e6:.0f}"


def quantiles(times: list[float]) -> str:
    ordered = sorted(times)
    return f"{ordered[len(ordered) // 2] * 1e6:.0f} / {ordered[len(ordered) * 99 // 100] * 1e6:.0f}"


def against_milvus(rows: Matrix, rounds: int) -> None:
    """Compare with milvus-lite's own exhaustive search over the same templates, and time what the store costs."""
    scan = ResidentScan()
    fill(scan.put, rows)
    with tempfile.TemporaryDirectory() as home:
        store = MilvusStore(Path(home) / "gallery.db")
        seconds = fill(store.put, rows)
        store.nearest(rows[0], COUNT)  # loads
        lite, whole = medians(
            [lambda probe: store.nearest(probe, COUNT), lambda probe: scan.nearest(probe, BLOCKS, COUNT)], probes(rows, rounds)
        )
        began = time.perf_counter()
        assert sum(len(batch) for batch in store.all()) == len(rows)
        reading = time.perf_counter() - began
        began = time.perf_counter()
        store.forget([record(5)])
        erasing = time.perf_counter() - began
        store.close()
    print(f"{len(rows):>9,} x 128: milvus-lite / scan {lite / whole:.0f} (store in {len(BLOCKS)} agencies)")
    print(f"           here: milvus-lite {lite * 1e3:.1f} ms, scan {whole * 1e3:.2f} ms; store: put {each(seconds, rows)} us,")
    print(f"           read {each(reading, rows)} us a template, erase one record from a shard of {BATCH:,} {erasing:.1f} s")


def main() -> int:
    """Run all; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--templates", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--no-milvus", action="store_true")
    options = parser.parse_args()
    print(f"OPENBLAS_NUM_THREADS={os.environ.get('OPENBLAS_NUM_THREADS', '(unset)')}, {os.cpu_count()} cores")
    found = []
    for size in sorted({min(100_000, options.templates), options.templates}):
        rows = gallery(size)
        scan, share = compare(rows, options.rounds)
        found.append(share)
    forgetting(scan, rows)
    del scan
    if not options.no_milvus:
        against_milvus(rows[:100_000], 15)
    return 0 if min(found) == 1.0 else 1


if __name__ == "__main__":
    sys.exit(main())
