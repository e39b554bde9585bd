"""A release against a bare append of the same bytes, and its share of a whole search: ratios of one run.

python tests/bench/bench_release.py [--kafka local]
"""

from __future__ import annotations

import argparse
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from comity.acts.release import Proposal
from comity.acts.search import SearchRequest
from comity.bootstrap import Exchange
from comity.cli import story_world as world
from comity.domain import entries as e
from comity.domain.ids import Ori, RecordId, SearchId, UserId
from comity.domain.judge import Question
from comity.domain.log import Topic
from comity.settings import Settings

A = Ori("WI0990100")
RECORDS, PROPOSED, ROUNDS, WARM = 2_000, 28, 300, 30


def main() -> None:
    """Measure in interleaved rounds and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kafka")
    kafka = parser.parse_args().kafka
    with tempfile.TemporaryDirectory() as folder, Exchange(Settings(home=Path(folder) / "home", kafka=kafka)) as exchange:
        records = prepare(exchange)
        question = Question(A, "criminal-investigation", "search", frozenset({e.RecordClass.BOOKING}))
        entry = searched(exchange, records)
        raw = exchange.journal.entry(entry, key=entry.search_id)
        bare, released, searches = [], [], []
        request = SearchRequest(A, UserId("u-1"), world.probe(), "criminal-investigation", "reasonable-suspicion",
                                "burglary", "Sgt. 1", "PC-1")  # fmt: skip
        for number in range(ROUNDS + WARM):
            bare.append(timed(lambda: exchange.log.append(Topic.JOURNAL, raw, timeout_seconds=5)))
            settle(exchange)  # idle: the ledger is not behind when the release begins
            released.append(timed(lambda: exchange.release(question, lambda _: proposed(entry, records), lambda d: d)))
            settle(exchange)
            if number % 10 == 0:
                searches.append(timed(lambda: exchange.search(request)))
                settle(exchange)
        report(kafka or "sqlite", bare[WARM:], released[WARM:], searches[3:])


def prepare(exchange: Exchange) -> list[RecordId]:
    """Register an agency and admit records, so that a judgement has something to read."""
    exchange.register.agency(A, "Bench", "county", exchange.keyring.issue(A).public_bytes)
    records = [RecordId(secrets.token_hex(16)) for _ in range(RECORDS)]
    for start in range(0, RECORDS, 1_000):
        part = tuple(
            e.AdmittedRecord(
                record,
                A,
                e.RecordClass.BOOKING,
                1,
                tuple(e.BlindIndex(kind, 1, secrets.token_hex(32)) for kind in e.IndexKind),
                secrets.token_bytes(32),
            )
            for record in records[start : start + 1_000]
        )
        exchange.journal.enter(e.RecordsAdmitted(part), key="bench")
    settle(exchange)
    return records


def searched(exchange: Exchange, records: list[RecordId]) -> e.SearchPerformed:
    """Return an entry of the size that a search makes."""
    return e.SearchPerformed(
        search_id=SearchId(secrets.token_hex(12)),
        attempt=0,
        requester=A,
        user=UserId("u-1"),
        purpose="criminal-investigation",
        threshold="reasonable-suspicion",
        offence="burglary",
        authority=secrets.token_bytes(40),
        case=exchange.indexer.index(e.IndexKind.AGENCY_CASE, "PC-1", A),
        classes=(e.RecordClass.BOOKING,),
        shown_max=20,
        model="bench",
        commitments=tuple(secrets.token_bytes(32) for _ in records[:PROPOSED]),
        candidates=secrets.token_bytes(60 * PROPOSED),
        reopens=None,
    )


def proposed(entry: e.SearchPerformed, records: list[RecordId]) -> Proposal:
    """Return a proposal of a search of its own: a repeated one is refused, which is another path through the ledger."""
    own = replace(entry, search_id=SearchId(secrets.token_hex(12)))
    return Proposal(own, own.search_id, tuple(records[:PROPOSED]), 20, complete=False)


def settle(exchange: Exchange) -> None:
    """Wait until every follower has read all there is: the exchange is idle."""
    exchange.settle(10)


def timed(act: Callable[[], object]) -> float:
    """Return how long an act takes, in seconds."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def report(log: str, bare: list[float], released: list[float], searches: list[float]) -> None:
    """Print medians as ratios, and their milliseconds beside them for the reader."""
    b, r, s = (statistics.median(x) for x in (bare, released, searches))
    p99 = sorted(released)[int(0.99 * len(released))]
    print(
        f"{datetime.now(UTC):%F} log: {log}; {PROPOSED} proposed of {RECORDS} records; medians of {len(bare)} interleaved rounds"
    )
    print(f"release / bare append   {r / b:5.2f}   (goal <= 2; {1e3 * r:.2f} ms, p99 {1e3 * p99:.2f} ms, over {1e3 * b:.2f} ms)")
    print(f"release / whole search  {r / s:5.2f}   ({1e3 * s:.1f} ms a search: decode, find, align, encode, scan, release)")


if __name__ == "__main__":
    main()
