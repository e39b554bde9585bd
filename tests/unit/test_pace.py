"""Nobody makes everybody wait: what a party appends is counted by what it costs the ledger."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from comity.acts import pace
from comity.adapters.sql.engine import open_engine
from comity.adapters.sql.ledger import SqlLedger
from comity.domain import entries as e
from comity.domain.ids import OrderId
from comity.errors import TooMany
from comity.wire.limits import span
from journals import BASE, COURT, Core, record, tag

INDEXES = 8_000


def order(number: int, records: int, indexes: int = 0) -> e.RecordsSealed:
    named = tuple(record(number * 1_000 + n) for n in range(records))
    tags = tuple(tag(e.IndexKind.COURT_CASE, f"{number}-{n}") for n in range(indexes))
    return e.RecordsSealed(OrderId(f"o-{number}"), "COURT_ORDER_ONLY", "ny-cpl-160.50", named, tags, BASE, b"")


def test_the_ledger_applies_what_one_party_may_send_several_times_as_fast(tmp_path: Path) -> None:
    """Both kinds: the largest order, and orders of one target."""
    engine = open_engine(tmp_path / "ledger.db")
    try:
        core = Core(SqlLedger(engine)).found()
        core.apply()
        for orders in ([order(1, 1_000, INDEXES)], [order(2 + n, 1) for n in range(100)]):
            for one in orders:
                core.say(one, COURT)
            began = time.perf_counter()
            core.apply()
            seconds = time.perf_counter() - began
            assert sum(map(pace.weight, orders)) / seconds > 2 * pace.TARGETS_PER_SECOND
    finally:
        engine.dispose()


def test_the_largest_order_fits_a_bucket_and_a_second_one_waits_as_long_as_it_is_told() -> None:
    now = [0.0]
    burden = pace.burden()
    burden._clock = lambda: now[0]
    largest = order(1, 1_000, INDEXES)
    assert (span("RecordsSealed.records", tuple).most, span("RecordsSealed.indexes", tuple).most) == (1_000, INDEXES)
    burden.take(COURT, pace.weight(largest))
    with pytest.raises(TooMany) as caught:
        burden.take(COURT, pace.weight(largest))
    waits = caught.value.details["retry_after_seconds"]
    assert isinstance(waits, int)
    now[0] += waits - 1
    with pytest.raises(TooMany):
        burden.take(COURT, pace.weight(largest))
    now[0] += 1
    burden.take(COURT, pace.weight(largest))
    burden.take("another", pace.weight(largest))  # each has its own


def test_more_than_a_bucketful_waits_for_a_full_one_and_not_for_ever() -> None:
    now = [0.0]
    small = pace.Pace(lambda: now[0], per_second=10, burst=100)
    small.take("a", 5_000)
    with pytest.raises(TooMany) as caught:
        small.take("a", 5_000)
    assert caught.value.details["retry_after_seconds"] == 10
    now[0] += 10
    small.take("a", 5_000)
