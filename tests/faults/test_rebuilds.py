"""Rebuilds and fsck on a running exchange: nothing is judged by half a ledger, and each finding's advice mends it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builders import booking, photograph
from comity.bootstrap import Exchange
from comity.domain import posting as p
from comity.domain.entries import IndexKind
from comity.domain.ids import RecordId
from comity.domain.log import JOURNAL, Batch, Topic
from comity.errors import Conflict, Unavailable
from comity.ports import EventLog, Ledger
from comity.projection import rebuild
from comity.projection.fsck import Fsck
from comity.projection.replay import replay
from exchange import RememberedFaces, enrol, held, listed, order, prepared, running, search, settle, share
from journals import A

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def faces() -> RememberedFaces:
    return RememberedFaces()


@pytest.fixture
def exchange(tmp_path: Path, faces: RememberedFaces) -> Iterator[Exchange]:
    with running(tmp_path / "home", faces) as exchange:
        share(exchange, A)
        yield exchange


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Hold each rebuild of the ledger until the gate is opened."""
    gate = threading.Event()

    def held_up(log: EventLog, ledger: Ledger, goal: int) -> int:
        gate.wait(30)
        return replay(log, ledger, goal)

    monkeypatch.setattr(rebuild, "replay", held_up)
    yield gate
    gate.set()


def begun(act: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=act)
    thread.start()
    time.sleep(0.3)
    return thread


def test_what_comes_while_the_ledger_is_made_anew_is_judged_by_a_whole_one(exchange: Exchange, gate: threading.Event) -> None:
    """F14: an enrolment that was accepted a moment before is neither refused nor lost."""
    _, entry = prepared(exchange, booking(1, "A-1", owner=A))
    rebuilding = begun(exchange.rebuild_ledger)
    exchange.journal.append(Topic.ENROLMENTS, entry)
    time.sleep(0.5)
    assert len(exchange.ledger.signing_keys()) > 5, "the ledger in use stays whole"
    with pytest.raises(Unavailable, match="made anew"):
        search(exchange, photograph(1, 2))
    gate.set()
    rebuilding.join(60)
    settle(exchange)
    assert not held(exchange, Topic.QUARANTINE)
    assert exchange.rejections.of(A) == ()
    assert len(exchange.gallery) == len(exchange.ledger.rows(p.Record)) == 1
    assert len(listed(search(exchange, photograph(1, 2)))) == 1
    assert exchange.fsck() == ()


def test_a_rebuild_beside_another_is_refused(exchange: Exchange, gate: threading.Event) -> None:
    rebuilding = begun(exchange.rebuild_ledger)
    for view in ("ledger", "gallery", "photographs"):
        with pytest.raises(Conflict, match="already"):
            exchange.rebuild(view)
    gate.set()
    rebuilding.join(60)
    exchange.rebuild("gallery")


def test_a_rebuild_that_fails_leaves_the_ledger_as_it_was(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_log: EventLog, _ledger: Ledger, goal: int) -> int:
        return goal - 1

    monkeypatch.setattr(rebuild, "replay", failing)
    before = exchange.ledger.rows(p.Key)
    with pytest.raises(Unavailable, match="could not be read"):
        exchange.rebuild_ledger()
    assert exchange.ledger.rows(p.Key) == before
    search(exchange, photograph(1, 2))
    assert not list(exchange.home.root.glob("ledger-anew*"))


def test_fsck_beside_a_busy_exchange_finds_nothing(exchange: Exchange) -> None:
    """F18: ticks, enrolments and an erasure come while it replays."""
    enrol(exchange, "A-1", 1, owner=A)
    enrol(exchange, "A-2", 2, owner=A)
    settle(exchange)
    came: list[object] = []

    def busy(_done: int, _goal: int) -> None:
        if not came:
            came.append(enrol(exchange, "A-3", 3, owner=A))
            order(exchange, "expunge", {IndexKind.BOOKING: "A-2"}, A)
        exchange.clock.tick()
        exchange.watch.wait(exchange.log.end(JOURNAL), 5)

    parts = (exchange.log, exchange.ledger, exchange.store, exchange.vault, exchange.photos)
    assert Fsck(*parts, exchange.overview.passed)(busy) == ()
    assert came


def test_an_older_version_sent_again_stands_nowhere(exchange: Exchange) -> None:
    """The exchange's own signed bytes, appended again by anybody, and read again from the beginning."""
    record, _ = enrol(exchange, "A-1", 1, owner=A)
    settle(exchange)
    (first,) = held(exchange, Topic.TEMPLATES)
    enrol(exchange, "A-1", 1, 2, 3, owner=A, version=2)
    settle(exchange)
    exchange.journal.append(Topic.TEMPLATES, first.entry)
    settle(exchange)
    exchange.gallery_projection.apply(first.stream, Batch((first,), first.position + 1))
    stored = [t for batch in exchange.store.all() for t in batch]
    assert [(t.record_id, t.version) for t in stored] == [(record, 2), (record, 2)]
    assert len(exchange.gallery) == 2
    edition = exchange.gallery.edition(record)
    assert edition is not None
    assert edition.version == 2


def test_the_same_version_extracted_again_stands_once(exchange: Exchange) -> None:
    """A crash between the templates and the admission has them extracted twice."""
    record, _ = enrol(exchange, "A-1", 1, owner=A)
    settle(exchange)
    (first,) = held(exchange, Topic.TEMPLATES)
    exchange.journal.append(Topic.TEMPLATES, first.entry)
    settle(exchange)
    stored = [t for batch in exchange.store.all() for t in batch]
    assert [t.record_id for t in stored] == [record]
    assert stored[0].template_id == (first.position + 1) << 3 | first.stream.partition << 48
    assert len(exchange.gallery) == 1
    assert exchange.fsck() == ()


def lose_rows(exchange: Exchange, _record: RecordId) -> None:
    tampered(exchange, "DELETE FROM blind_index")


def invent_rows(exchange: Exchange, _record: RecordId) -> None:
    tampered(exchange, "UPDATE record SET owner = 'WI9999999'")


def end_rows(exchange: Exchange, _record: RecordId) -> None:
    tampered(exchange, "UPDATE share_grant SET ended = 1")


def tampered(exchange: Exchange, statement: str) -> None:
    connection = sqlite3.connect(exchange.home.path("ledger.db"))
    with connection:
        assert connection.execute(statement).rowcount
    connection.close()


def lose_templates(exchange: Exchange, record: RecordId) -> None:
    exchange.store.forget([record])


def age_templates(exchange: Exchange, record: RecordId) -> None:
    older = [t for batch in exchange.store.all() for t in batch if t.record_id == record]
    exchange.store.forget([record])
    exchange.store.put([type(t)(t.template_id, t.record_id, t.block, t.photo, t.vector, t.version + 6) for t in older])


def invent_templates(exchange: Exchange, record: RecordId) -> None:
    held = [t for batch in exchange.store.all() for t in batch if t.record_id == record]
    stranger = RecordId("f" * 32)
    exchange.store.put([type(t)(t.template_id + 2**40, stranger, t.block, t.photo, t.vector) for t in held])
    exchange.gallery.put([type(t)(t.template_id + 2**40, stranger, t.block, t.photo, t.vector) for t in held])


def lose_photographs(exchange: Exchange, record: RecordId) -> None:
    assert exchange.photos.delete(f"record/{record}")


@pytest.mark.parametrize(
    "spoil", [lose_rows, invent_rows, end_rows, lose_templates, age_templates, invent_templates, lose_photographs]
)
def test_the_advice_of_each_finding_mends_it(exchange: Exchange, spoil: Callable[[Exchange, RecordId], None]) -> None:
    record, _ = enrol(exchange, "A-1", 1, owner=A)
    enrol(exchange, "A-2", 2, owner=A)
    settle(exchange)
    before = listed(search(exchange, photograph(1, 2)))
    kept = {name: exchange.photos.get(name) for name in exchange.photos.under(f"record/{record}")}
    spoil(exchange, record)
    found = exchange.fsck()
    assert found
    for advice in dict.fromkeys(finding.advice for finding in found):
        follow(exchange, advice)
    assert exchange.fsck() == ()
    assert listed(search(exchange, photograph(1, 2))) == before
    assert len(exchange.gallery) == 2
    assert {name: exchange.photos.get(name) for name in exchange.photos.under(f"record/{record}")} == kept


def follow(exchange: Exchange, advice: str) -> None:
    command, _, view = advice.rpartition(" ")
    assert command == "comity rebuild", advice
    exchange.rebuild(view)


def test_a_key_that_is_missing_is_told_and_only_the_vault_can_bring_it_back(exchange: Exchange) -> None:
    record, _ = enrol(exchange, "A-1", 1, owner=A)
    settle(exchange)
    connection = sqlite3.connect(exchange.home.path("vault.db"))
    with connection:
        connection.execute("UPDATE keys SET name = 'aside' WHERE name = ?", (f"record/{record}",))
    assert [f.what for f in exchange.fsck()] == ["1 admitted records whose keys are missing from the vault"]
    with connection:
        connection.execute("UPDATE keys SET name = ? WHERE name = 'aside'", (f"record/{record}",))
    connection.close()
    assert exchange.fsck() == ()
