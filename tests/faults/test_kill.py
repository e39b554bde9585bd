"""kill -9 at any moment: what was acknowledged stands at its place, and nothing is half done (R15, R37)."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from comity.adapters.sql.engine import open_engine
from comity.adapters.sql.ledger import SqlLedger
from comity.bootstrap import Exchange
from comity.domain import posting as p
from comity.domain.ids import RecordId, record_key
from comity.domain.judge import Question, Verdict, verdict
from comity.domain.log import JOURNAL, Batch, Placed, Topic
from comity.errors import KeyShredded
from comity.projection.ledger import LedgerProjection
from comity.projection.watch import PositionWatch
from exchange import RememberedFaces, read, running, settle
from journals import BOOKINGS, A

ROUNDS = 3
CHILD = Path(__file__).with_name("looping_exchange.py")
TESTS = CHILD.parent.parent
START_SECONDS, LOOP_SECONDS_MIN, LOOP_SECONDS_MAX = 60.0, 0.3, 2.0
Receipt = dict[str, Any]


def run_and_kill(home: Path, seconds: float) -> list[Receipt]:
    """Run the loop on this home, kill it so many seconds after its start, and return what it had acknowledged."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    child = subprocess.Popen(
        [sys.executable, str(CHILD), str(home)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    )
    assert child.stdout is not None
    watchdog = threading.Timer(START_SECONDS, child.kill)
    watchdog.start()
    first = child.stdout.readline()
    watchdog.cancel()
    assert first, "the exchange did not start"
    time.sleep(seconds)
    child.kill()
    rest, _ = child.communicate()
    whole = rest.rpartition("\n")[0]  # the last line may have been cut off
    return [json.loads(line) for line in [first, *whole.splitlines()]]


@pytest.fixture(scope="module")
def survived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Receipt]]:
    """Return a home that was killed again and again, and everything that was acknowledged on it."""
    home, draw, receipts = tmp_path_factory.mktemp("killed") / "home", random.Random(), list[Receipt]()  # noqa: S311
    for _ in range(ROUNDS):
        receipts += run_and_kill(home, draw.uniform(LOOP_SECONDS_MIN, LOOP_SECONDS_MAX))
    return home, receipts


def of(receipts: list[Receipt], what: str) -> list[Receipt]:
    return [receipt for receipt in receipts if receipt["what"] == what]


@pytest.mark.timeout(240)
def test_what_was_acknowledged_before_a_kill_stands_and_nothing_is_half_done(
    survived: tuple[Path, list[Receipt]], tmp_path: Path
) -> None:
    """R15, R37: receipts, ledger, gallery, vault and photo store, after three kills."""
    home, receipts = survived
    assert len(of(receipts, "started")) == ROUNDS
    assert of(receipts, "enrolled")
    with running(home, RememberedFaces()) as exchange:
        settle(exchange)
        journal = read(exchange, JOURNAL)
        assert [placed.position for placed in journal] == list(range(len(journal)))
        for receipt in of(receipts, "sealed") + of(receipts, "expunged"):
            assert sha256(journal[receipt["position"]]) == receipt["sha256"]
        check_enrolments(exchange, receipts)
        check_orders(exchange, receipts)
        check_replay(exchange, journal, tmp_path)


def sha256(placed: Placed) -> str:
    return hashlib.sha256(placed.entry.value or b"").hexdigest()


def check_enrolments(exchange: Exchange, receipts: list[Receipt]) -> None:
    """Every acknowledged enrolment stands at its place and was admitted, unless its expungement was entered.

    An order that comes before the record's admission names its booking alone, so the ledger does not tell which record it was.
    """
    erased = {receipt["record"] for receipt in of(receipts, "expunging")}
    assert len(erased) <= len(of(receipts, "expunged")) + ROUNDS  # one unanswered at most for each kill
    standing = {
        (stream.partition, placed.position): sha256(placed)
        for stream in exchange.log.streams(Topic.ENROLMENTS)
        for placed in read(exchange, stream)
        if placed.entry.value is not None
    }
    for receipt in of(receipts, "enrolled"):
        if receipt["record"] not in erased:
            assert standing[receipt["partition"], receipt["position"]] == receipt["sha256"]
            assert exchange.ledger.rows(p.Record, record_id=receipt["record"])


def check_orders(exchange: Exchange, receipts: list[Receipt]) -> None:
    """Nobody is shown a sealed record; of an expunged one neither key nor template nor photograph is left."""
    templates = {t.record_id for batch in exchange.store.all() for t in batch}
    question, end = Question(A, "serious-crime", "search", BOOKINGS), exchange.ledger.progress().next
    for receipt in of(receipts, "sealed") + of(receipts, "expunged"):
        record = RecordId(receipt["record"])
        facts = exchange.ledger.facts(A, [record], end)
        assert verdict(facts, question, record, end) in (Verdict.SUPPRESSED, Verdict.NOT_ADMITTED)
    for receipt in of(receipts, "expunged"):
        record = RecordId(receipt["record"])
        if exchange.ledger.rows(p.Record, record_id=record):
            assert record not in templates
            with pytest.raises(KeyShredded):
                exchange.vault.open(record_key(record))
            assert not [name for name in exchange.photos.names() if name.startswith(f"record/{record}/")]
        assert [c for c in exchange.ledger.rows(p.Certificate) if c.entered > receipt["position"]]


def check_replay(exchange: Exchange, journal: list[Placed], folder: Path) -> None:
    """Compare the views that lived through the kills with those that a replay from nothing makes."""
    engine = open_engine(folder / "again.db")
    again = SqlLedger(engine)
    projection = LedgerProjection(exchange.log, again, PositionWatch())
    projection.starts()
    end = exchange.ledger.progress().next
    projection.apply(JOURNAL, Batch(tuple(journal[:end]), end))
    for kind in p.IDENTITY:
        assert again.rows(kind) == exchange.ledger.rows(kind), kind.__name__
    assert again.progress().frontier == exchange.ledger.progress().frontier
    engine.dispose()
    before = stored(exchange)
    exchange.rebuild_gallery()
    settle(exchange)
    assert stored(exchange) == before


def stored(exchange: Exchange) -> set[tuple[str, int, bytes]]:
    return {(t.record_id, t.photo, t.vector.tobytes()) for batch in exchange.store.all() for t in batch}
