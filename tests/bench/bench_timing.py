"""Does a sealed record cost the searcher time? The whole search with the nearest record sealed, over never there: a ratio.

Two exchanges in one process, furnished alike but for one record, searched in turn with the same probe: what the machine does
meanwhile weighs on both. python tests/bench/bench_timing.py
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from builders import photograph
from comity.bootstrap import Exchange
from comity.domain.ids import RecordId
from exchange import RememberedFaces, enrol, running, sealing, search, settle, share
from journals import A, B

ROUNDS, WARM = 300, 30
RATIO_MAX = 1.1
SEALED_PERSON, OTHERS = 1, range(2, 12)


def main() -> None:
    """Measure in interleaved rounds and print; exit 1 where the goal is missed."""
    faces = RememberedFaces()
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder) / "never", faces) as never,
        running(Path(folder) / "sealed", faces) as sealed,
    ):
        record = furnish(never, sealed)
        probe = photograph(SEALED_PERSON, 2)
        whole = interleaved(lambda: search(never, probe), lambda: search(sealed, probe))
        facts = interleaved(lambda: judged(sealed, []), lambda: judged(sealed, [record]))
    print(f"{datetime.now(UTC):%F} sealed over never there; {ROUNDS} interleaved rounds")
    ratio = report("whole search", *whole)
    report("rows of one, over none", *facts)
    if ratio > RATIO_MAX:
        raise SystemExit(f"over the goal of {RATIO_MAX}")


def furnish(never: Exchange, sealed: Exchange) -> RecordId:
    """Enrol the same people in both; in one more, whose record is sealed."""
    for exchange in (never, sealed):
        for person in OTHERS:
            enrol(exchange, f"A-{person}", person, owner=A)
        share(exchange, A)
    record, _ = enrol(sealed, "A-1", SEALED_PERSON, owner=A)
    settle(sealed)
    sealing(sealed, "s", record)
    for exchange in (never, sealed):
        settle(exchange)
    return record


def judged(exchange: Exchange, records: list[RecordId]) -> object:
    """Read the rows of a judgement."""
    return exchange.ledger.facts(B, records, exchange.ledger.progress().next)


def interleaved(first: Callable[[], object], second: Callable[[], object]) -> tuple[list[float], list[float]]:
    """Return how long both took, in turn, the warming left out."""
    both: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS + WARM):
        order = ((0, first), (1, second)) if number % 2 else ((1, second), (0, first))
        for which, act in order:
            began = time.perf_counter()
            act()
            both[which].append(time.perf_counter() - began)
    return both[0][WARM:], both[1][WARM:]


def report(what: str, never: list[float], sealed: list[float]) -> float:
    """Print the ratios of medians and of lower quartiles, and return the latter: waiting for a busy machine weighs less there."""
    (low_n, n, _), (low_s, s, _) = (statistics.quantiles(times, n=4) for times in (never, sealed))
    median, quartile = f"{s / n:5.3f} ({1e3 * s:.2f} over {1e3 * n:.2f} ms)", f"{low_s / low_n:5.3f} (over {1e3 * low_n:.2f} ms)"
    print(f"{what:24} medians {median}, lower quartiles {quartile}")
    return low_s / low_n


if __name__ == "__main__":
    main()
