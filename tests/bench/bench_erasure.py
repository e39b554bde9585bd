"""What a start costs where many records were expunged: nothing new, and everything to be gone through again."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from comity.bootstrap import Exchange
from comity.domain import entries as e
from comity.domain.ids import OrderId, Ori, PartyId, RecordId, record_key
from comity.settings import Settings

OWNER, COURT = Ori("WI0130000"), PartyId("COURT")
FEW, MANY, EACH = 1_000, 8_000, 500
GOAL_NEW, GOAL_RESTORED = 5.0, 16.0  # times the cost for an eighth of the records; quadratic would be 64
CERTIFY_SECONDS = 300.0


def numbers(first: int, count: int) -> tuple[RecordId, ...]:
    return tuple(RecordId(f"{number:032x}") for number in range(first, first + count))


def expunge(exchange: Exchange, first: int, count: int) -> None:
    """Admit and expunge records that hold a key and nothing else, by one order for every few."""
    for start in range(first, first + count, EACH):
        records = numbers(start, EACH)
        exchange.vault.issue_many([record_key(record) for record in records])
        rows = tuple(e.AdmittedRecord(record, OWNER, e.RecordClass.BOOKING, 1, (), bytes(32)) for record in records)
        exchange.journal.enter(e.RecordsAdmitted(rows), key="k")
        event = e.RecordsExpunged(OrderId(f"o-{start}"), "wi-165.84", records, (), exchange.now(), b"", None, b"")
        exchange.orders.submit(exchange.journal.entry(event, key="k", signer=exchange.keyring.signer(COURT)))
    assert exchange.settle(CERTIFY_SECONDS)


def seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def measure(exchange: Exchange) -> tuple[float, float]:
    """Return what a start's pass costs with nothing new since the sweep, and where all is to be gone through again."""
    exchange.purge.sweep()
    new = min(seconds(exchange.purge.duty.again) for _ in range(3))
    for mark in exchange.purge.duty.marks.values():
        mark.save(0)
    return new, seconds(exchange.purge.duty.again)


def main() -> int:
    """Print ratios; return the exit status."""
    with tempfile.TemporaryDirectory() as made, Exchange(Settings(home=Path(made) / "home")) as exchange:
        exchange.register.agency(OWNER, "Agency", "county", exchange.keyring.issue(OWNER).public_bytes)
        exchange.register.court(COURT, "Court", exchange.keyring.issue(COURT).public_bytes)
        expunge(exchange, 0, FEW)
        few_new, few = measure(exchange)
        expunge(exchange, FEW, MANY - FEW)
        many_new, many = measure(exchange)
    new = many_new / max(few_new, 0.01)
    print(f"a start with {MANY:,} expunged records / with {FEW:,}: nothing new {new:.1f} (goal <= {GOAL_NEW:.0f})", end="   ")
    print(f"all to be done again {many / few:.1f} (goal <= {GOAL_RESTORED:.0f})")
    print(f"           here: nothing new {many_new * 1e3:.0f} ms, all again {many:.2f} s ({many / MANY * 1e6:.0f} us a record)")
    return 0 if new <= GOAL_NEW and many / few <= GOAL_RESTORED else 1


if __name__ == "__main__":
    sys.exit(main())
