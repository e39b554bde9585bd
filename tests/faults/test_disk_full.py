"""The disk is full: nothing is acknowledged, nothing is disclosed, and it goes on once there is room (promise 4, R37)."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from builders import photograph
from comity.acts import release
from comity.adapters.sqlite_log import SqliteLog
from comity.bootstrap import Exchange
from comity.domain.log import JOURNAL, Entry, Topic
from comity.domain.posting import Suppression
from comity.errors import NotAppended, OutcomeUnknown, Unavailable
from exchange import RememberedFaces, enrol, listed, running, sealing, search, settle
from journals import A

CHILD = """
import resource, signal, sys
from pathlib import Path
from comity.adapters.sqlite_log import SqliteLog
from comity.domain.log import Entry, Topic
from comity.errors import NotAppended, OutcomeUnknown
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = SqliteLog(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
kept, refused = [], 0
for n in range(40):
    try:
        kept.append(log.append(Topic.JOURNAL, Entry(b"k", bytes([n]) * 20_000), timeout_seconds=1).position)
    except (NotAppended, OutcomeUnknown):
        refused += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
kept.append(log.append(Topic.JOURNAL, Entry(b"k", b"\\xff" * 20_000), timeout_seconds=1).position)
print(*kept, "refused", refused)
"""


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    with running(tmp_path / "home", RememberedFaces()) as exchange:
        enrol(exchange, "A-1", 1)
        settle(exchange)
        yield exchange


def test_a_log_file_that_cannot_grow_refuses_and_goes_on_afterwards(tmp_path: Path) -> None:
    """Promise 4: a real limit of the system, in a child; every position that was told is read back, in order."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    limit = 400_000
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "log.db"), str(limit)],
        capture_output=True, text=True, env=environment, timeout=60, check=True,
    )  # fmt: skip
    told, _, refused = ran.stdout.partition("refused")
    kept = list(map(int, told.split()))
    assert int(refused) > 0
    log = SqliteLog(tmp_path / "log.db")
    with log.open({JOURNAL: 0}) as reader:
        entries = reader.poll(timeout_seconds=0, entries_max=500)[JOURNAL].entries
    log.close()
    assert kept == [placed.position for placed in entries]
    assert entries[-1].entry.value == b"\xff" * 20_000


def test_a_search_or_an_order_that_cannot_be_entered_does_not_happen(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """R37, promise 4: 503, nothing rendered, no half of it; afterwards all goes on."""
    record = exchange.indexer.record_id(A, "A-1")
    place = exchange.log.end(JOURNAL)
    taken = exchange.log.append

    def full(*_: object, **__: object) -> None:
        raise NotAppended("the log did not take the entry (SQLITE_FULL)")

    with monkeypatch.context() as patch:
        patch.setattr(exchange.log, "append", full)
        patch.setattr(release.Release, "_judge", lambda *_: pytest.fail("judged without a place"))
        for attempt in (lambda: search(exchange, photograph(1), A), lambda: sealing(exchange, "o1", record)):
            with pytest.raises(NotAppended) as caught:
                attempt()
            assert caught.value.status == 503
    assert exchange.log.append == taken
    assert exchange.ledger.rows(Suppression) == ()
    assert exchange.log.end(JOURNAL) in (place, place + 1)  # the clock may have ticked before
    assert listed(search(exchange, photograph(1), A))
    sealing(exchange, "o1", record)
    assert listed(search(exchange, photograph(1), A)) == []


def test_a_ledger_that_cannot_be_written_stops_every_answer_until_it_can(exchange: Exchange) -> None:
    """Rule 7, promise 4: only storage stops the projector; what comes after an order is 503, and it goes on by itself."""

    def full(connection: object, cursor: object, text: str, *_: object) -> None:
        del connection, cursor
        if text.startswith(("UPDATE applied", "INSERT")):
            raise OperationalError(text, {}, OSError("database or disk is full"))

    before, record = exchange.ledger.progress().next, exchange.indexer.record_id(A, "A-1")
    event.listen(exchange.engine, "before_cursor_execute", full)
    for attempt in (lambda: sealing(exchange, "o1", record), lambda: search(exchange, photograph(1), A)):
        with pytest.raises(Unavailable):
            attempt()
    assert exchange.ledger.progress().next == before
    event.remove(exchange.engine, "before_cursor_execute", full)
    settle(exchange)
    assert exchange.watch.failure is None
    assert listed(search(exchange, photograph(1), A)) == []  # the order stands, though nobody was told so


def test_an_unknown_outcome_is_no_place(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 11: the entry may stand, the answer does not leave; the audit errs on the side of too much."""
    taken = exchange.log.append

    def uncertain(topic: Topic, entry: Entry, *, timeout_seconds: float) -> None:
        taken(topic, entry, timeout_seconds=timeout_seconds)
        raise OutcomeUnknown("the log's file did not confirm the entry")

    with monkeypatch.context() as patch:
        patch.setattr(exchange.log, "append", uncertain)
        with pytest.raises(OutcomeUnknown):
            search(exchange, photograph(1), A)
    settle(exchange)
    record = exchange.indexer.record_id(A, "A-1")
    assert len(exchange.exposures(record)) == 1
