"""The ledger on SQL: one writer, one journal, whole transactions (rules 4, 10, 11; R15, R47)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Engine, event

from comity.acts.enrol import covering
from comity.adapters.sql.engine import open_engine
from comity.adapters.sql.ledger import SqlLedger
from comity.domain import entries as e
from comity.domain import posting as p
from comity.domain.ids import KeyId, OrderId, Ori
from comity.domain.log import JOURNAL, Batch, Entry
from comity.domain.merkle import Frontier
from comity.errors import Halted
from comity.ports import Posted, Progress
from comity.projection.ledger import LedgerProjection
from comity.projection.watch import PositionWatch
from journals import (
    ADMINISTRATOR,
    BASE,
    COURT,
    EXCHANGE,
    A,
    B,
    Core,
    admission,
    grant,
    key,
    minutes,
    provisional,
    record,
    seal,
    signed,
    tag,
    unseal,
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(tmp_path / "ledger.db")
    yield engine
    engine.dispose()


@pytest.fixture
def core(engine: Engine) -> Core:
    return Core(SqlLedger(engine)).found()


def stored(core: Core) -> dict[str, tuple[p.Row, ...]]:
    return {kind.__name__: core.ledger.rows(kind) for kind in p.IDENTITY}


def moved(progress: Progress, leaf: bytes = b"x") -> Progress:
    frontier = progress.frontier.append(leaf)
    return replace(progress, next=frontier.size, frontier=frontier)


def test_a_zombie_of_an_older_epoch_rolls_back(core: Core) -> None:
    """Rule 11: a writer that was replaced changes nothing, not even rows that it has inserted."""
    zombie = core.ledger.progress()
    core.ledger.claim(zombie.topic_id)
    before = stored(core)
    posted = Posted(zombie.next, COURT, p.post(seal("o1", 1), zombie.next, p.Signer(COURT, e.Role.COURT, KeyId("k")), minutes(0)))
    with pytest.raises(Halted, match="Another projector"):
        core.ledger.apply(zombie, moved(zombie), [posted])
    assert stored(core) == before
    assert core.ledger.progress().next == zombie.next


def test_a_second_projector_on_the_same_ledger_stops_the_first(core: Core) -> None:
    """Rule 11: the newer one goes on."""
    second = LedgerProjection(core.log, core.ledger, PositionWatch())
    second.starts()
    core.say(admission(1))
    with pytest.raises(Halted):
        core.apply()
    start = core.ledger.progress().next
    second.apply(JOURNAL, Batch(tuple(core.log.held()[start:]), start + 1))
    assert [row.record_id for row in core.ledger.rows(p.Record)] == [record(1)]


def test_an_entry_applied_twice_moves_the_ledger_once(core: Core) -> None:
    """R15: offset rewind."""
    seen = core.ledger.progress()
    core.ledger.apply(seen, moved(seen), [Posted(seen.next, "")])
    with pytest.raises(Halted):
        core.ledger.apply(seen, moved(seen), [Posted(seen.next, "")])
    assert core.ledger.progress().next == seen.next + 1


def test_a_gap_that_holds_no_entry_is_passed_over_and_its_leaves_are_numbered_apart(core: Core) -> None:
    """Rules 1 and 11: a transaction's marker takes a position too; a place stays a position."""
    core.say(admission(1))
    start = core.ledger.progress()
    placed = core.log.held()[start.next]
    core.projection.apply(JOURNAL, Batch((), start.next + 2))
    core.projection.apply(JOURNAL, Batch((replace(placed, position=start.next + 4),), start.next + 6))
    after = core.ledger.progress()
    assert (after.next, after.frontier.size) == (start.next + 6, start.frontier.size + 1)
    assert core.watch.position == start.next + 6
    assert [row.entered for row in core.ledger.rows(p.Record)] == [start.next + 4]
    assert after.newest[-1][0] == start.next + 4


def test_large_orders_end_a_transaction_so_that_releases_before_them_go_on(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 12: nobody makes everyone wait for all of a burst."""
    monkeypatch.setattr("comity.projection.ledger.ROWS_MAX", 3)
    places: list[int] = []
    published = core.watch.publish

    def publish(at: int) -> None:
        places.append(at)
        published(at)

    monkeypatch.setattr(core.watch, "publish", publish)
    start = core.ledger.progress().next
    for number in range(1, 5):
        core.say(seal(f"o{number}", number, number + 10), COURT)
    core.say(seal("o1", 1, 11), COURT)
    core.apply()
    assert places == [start + 2, start + 4, start + 5]
    assert [x.position for x in core.ledger.refusals()] == [start + 4]
    assert len(core.ledger.rows(p.Suppression)) == 8


def test_a_journal_that_goes_back_halts(core: Core) -> None:
    """Rule 11: an entry is applied once."""
    start = core.ledger.progress().next
    with pytest.raises(Halted, match="went back"):
        core.projection.apply(JOURNAL, Batch(tuple(core.log.held()[start - 1 :]), start))
    assert core.ledger.progress().next == start


def test_a_journal_whose_newest_entries_differ_halts_however_long_it_is(core: Core) -> None:
    """Rule 11: also past a power of two, where one root covers all of it."""
    while core.ledger.progress().frontier.size & (core.ledger.progress().frontier.size - 1):
        core.say(e.ClockTicked(BASE))
        core.apply()
    held = core.log.held()
    held[-2] = replace(held[-2], appended_at_ms=held[-2].appended_at_ms + 1)
    with pytest.raises(Halted, match="newest entries"):
        LedgerProjection(core.log, core.ledger, PositionWatch()).starts()


def test_another_journal_halts(core: Core) -> None:
    """Rule 11: a topic made anew is another topic, whatever its name."""
    core.log.name = "log-2"
    with pytest.raises(Halted, match="another journal"):
        LedgerProjection(core.log, core.ledger, PositionWatch()).starts()


def test_a_ledger_ahead_of_its_journal_halts(core: Core) -> None:
    """Rule 11: a log restored from an old copy would give a place twice."""
    core.log.held().pop()
    with pytest.raises(Halted, match="ahead"):
        LedgerProjection(core.log, core.ledger, PositionWatch()).starts()


@pytest.mark.parametrize("statement", ["INSERT INTO lift", "INSERT INTO refused", "INSERT INTO seen", "INSERT INTO record"])
def test_a_crash_inside_a_batch_leaves_nothing_of_it(core: Core, engine: Engine, statement: str) -> None:
    """R15: no half-applied state; applied again afterwards, whole."""
    core.say(seal("o1", 1), COURT)
    core.apply()
    before, position = stored(core), core.ledger.progress()
    core.say(admission(1))
    core.say(unseal("u1", "o1"), COURT)
    core.append(Entry(b"k", b"garbage"))

    def crash(_c: object, _cursor: object, text: str, *_: object) -> None:
        if text.startswith(statement):
            raise OSError("the machine went down")

    event.listen(engine, "before_cursor_execute", crash)
    with pytest.raises(OSError, match="went down"):
        core.apply()
    event.remove(engine, "before_cursor_execute", crash)
    assert stored(core) == before
    assert core.ledger.progress() == position
    assert core.watch.position == position.next
    core.projection.starts()
    core.apply()
    assert [row.entered for row in core.ledger.rows(p.Lift)] == [position.next + 1]
    assert [x.position for x in core.ledger.refusals()] == [position.next + 2]


def test_keys_learned_in_a_batch_that_failed_are_forgotten(core: Core, engine: Engine) -> None:
    """Rule 7: a verdict over the journal's prefix alone, never over a half-applied batch."""
    core.say(e.KeyRevoked(key(COURT).kid), ADMINISTRATOR)

    def crash(*_: object) -> None:
        raise OSError("the machine went down")

    event.listen(engine, "commit", crash)
    with pytest.raises(OSError, match="went down"):
        core.apply()
    event.remove(engine, "commit", crash)
    core.log.held().pop()
    core.say(seal("o1", 1), COURT)
    core.projection.starts()
    core.apply()
    assert [row.order_id for row in core.ledger.rows(p.Suppression)] == ["o1"]


@pytest.mark.parametrize("sealed", [False, True])
def test_records_are_judged_by_one_statement_sealed_or_not(core: Core, engine: Engine, sealed: bool) -> None:  # noqa: FBT001
    """Rule 4, R32: one statement, one snapshot, the position included; and no other path where an order names them."""
    core.say(admission(1, A, tag(e.IndexKind.PHOTOGRAPH, "p")))
    core.say(admission(2, A, tag(e.IndexKind.PHOTOGRAPH, "p")))
    if sealed:
        core.say(seal("o0", 1), COURT)
        core.say(unseal("u0", "o0"), COURT)
        core.say(seal("o1", 2), COURT)
    core.apply()
    said: list[str] = []
    raw = engine.raw_connection()
    cast("sqlite3.Connection", raw.driver_connection).set_trace_callback(said.append)
    raw.close()  # back to the pool, from which the next one is taken
    facts = core.ledger.facts(B, [record(1)], 1)
    assert [row.record_id for row in facts.records] == [record(1)]
    assert [row.order_id for row in facts.suppressions] == (["o0", "o1"] if sealed else [])
    assert len([text for text in said if not text.startswith("--")]) == 1


def test_a_stolen_key_that_registered_thousands_is_revoked_and_no_judgement_reads_them(core: Core, engine: Engine) -> None:
    """Rule 13: more than SQLite takes in one statement; of all of them, what a judgement reads is what voids something of it."""
    raw = engine.raw_connection()  # some builds take more, and none takes less
    cast("sqlite3.Connection", raw.driver_connection).setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 32_766)
    raw.close()
    core.say(admission(1, A))
    core.say(seal("o1", 1), COURT)
    core.apply()
    stolen, seen = key(ADMINISTRATOR).kid, core.ledger.progress()
    thieves = [
        p.Key(entered=seen.next, kid=stolen, key_id=KeyId(f"k{n}"), party=COURT, role=e.Role.COURT, public_key=b"")
        for n in range(40_000)
    ]
    changes = p.post(unseal("u1", "o1"), seen.next, p.Signer(COURT, e.Role.COURT, thieves[7].key_id), BASE)
    core.ledger.apply(seen, moved(seen), [Posted(seen.next, "", (*map(p.Enter, thieves), *changes))])
    revocation, now = e.KeyRevoked(stolen, seen.next), core.ledger.progress()
    changes = p.post(revocation, now.next, p.Signer(COURT, e.Role.COURT, KeyId("k")), BASE, core.ledger.signing_keys())
    core.ledger.apply(now, moved(now), [Posted(now.next, "", changes)])
    end = core.ledger.progress().next
    assert not [row for row in core.ledger.signing_keys() if row.holds(end) and row.kid == stolen and row.entered >= seen.next]
    for facts in (core.ledger.facts(B, [record(1)], end), core.ledger.reach({p.record_target(record(1))}, end)):
        assert [row.key_id for row in facts.revocations] == [thieves[7].key_id]
        assert facts.lifted(facts.suppressions[0], end) is None


def test_what_a_stolen_key_admitted_is_not_what_an_order_would_reach(core: Core) -> None:
    place = core.say(admission(1, A))
    core.apply()
    of, targets = core.ledger.progress, {p.record_target(record(1))}
    assert core.ledger.reach(targets, of().next).record(record(1), of().next)
    core.say(e.KeyRevoked(key(EXCHANGE).kid, place), ADMINISTRATOR)
    core.apply()
    assert core.ledger.reach(targets, of().next).record(record(1), of().next) is None


def test_an_order_that_names_a_record_without_indexes_is_among_its_facts(core: Core) -> None:
    """Rule 2: the id alone is enough."""
    core.say(e.RecordsAdmitted((e.AdmittedRecord(record(1), A, e.RecordClass.BOOKING, 1, (), b"0" * 32),)))
    core.say(seal("o1", 1), COURT)
    core.apply()
    assert [row.order_id for row in core.ledger.facts(B, [record(1)], 1).suppressions] == ["o1"]


def test_an_order_is_remembered_for_ever_by_signer_and_id(core: Core) -> None:
    """Rule 10: the same again is nothing, other bytes of the same id are refused."""
    place = core.say(seal("o1", 1), COURT)
    core.say(seal("o1", 1), COURT)
    core.say(seal("o1", 2), COURT)
    core.say(seal("o1", 3), A)
    core.apply()
    held = core.ledger.seen(COURT, "o1")
    assert held is not None
    assert held[1] == place
    assert core.ledger.seen(B, "o1") is None
    assert {row.target for row in core.ledger.rows(p.Suppression)} == {f"record:{record(1)}", f"record:{record(3)}"}
    told = [(x.position, x.refused.reason) for x in core.ledger.refusals(COURT) if x.refused]
    assert told == [(place + 2, "same-id"), (place + 1, "repeated")]
    assert core.ledger.refusals_between(place, place + 1) == ()
    assert len(core.ledger.refusals_between(place, place + 3)) == 2


@pytest.mark.parametrize(
    ("after", "until", "ends"),
    [(0, 9, False), (9, 10, True), (10, 19, False), (19, 20, True), (0, 30, True), (20, 30, False)],
)
def test_the_ledger_says_whether_something_comes_to_its_end(core: Core, after: int, until: int, ends: bool) -> None:  # noqa: FBT001
    """The clock ticks for it."""
    core.say(admission(1))
    core.say(provisional("p1", 1, lapses_at=minutes(10)), COURT)
    core.say(seal("o1", 1), COURT)
    core.say(grant("g1", expires_at=minutes(20)), A)
    core.apply()
    assert core.ledger.ends(minutes(after), minutes(until)) is ends


def test_records_are_found_by_their_own_id_and_by_their_indexes(core: Core) -> None:
    """R10: a clerk finds a record by its numbers."""
    case, photo = tag(e.IndexKind.COURT_CASE, "c"), tag(e.IndexKind.PHOTOGRAPH, "p")
    core.say(admission(1, A, case))
    core.say(admission(2, B, case, photo))
    core.apply()
    assert core.ledger.found([p.index_target(case)]) == (record(1), record(2))
    assert core.ledger.found([p.index_target(photo), p.record_target(record(1))]) == (record(1), record(2))
    assert core.ledger.found([p.record_target(record(9))]) == ()


def test_a_record_that_is_to_come_is_judged_by_what_it_would_bear(core: Core) -> None:
    """R18b: also by kin: a photograph of a record that is sealed by its case."""
    case, photo = tag(e.IndexKind.COURT_CASE, "c"), tag(e.IndexKind.PHOTOGRAPH, "p")
    core.say(admission(1, A, case, photo))
    core.say(seal("o1", indexes=[case]), COURT)
    core.apply()
    assert [order.order_id for order in covering(core.ledger, Ori(B), record(2), [photo])] == ["o1"]
    lifted = core.say(unseal("u1", "o1"), COURT)
    core.apply()
    assert not covering(core.ledger, Ori(B), record(2), [photo])
    core.say(e.KeyRevoked(key(COURT).kid, lifted), ADMINISTRATOR)  # rule 13: a stolen key's unseal ended nothing
    core.apply()
    assert [order.order_id for order in covering(core.ledger, Ori(B), record(2), [photo])] == ["o1"]


def test_thousands_of_records_are_judged_in_one_read(core: Core) -> None:
    """R18c: more than a statement's parameters."""
    for start in range(0, 1200, 400):
        records = tuple(admission(n).records[0] for n in range(start, start + 400))
        core.say(e.RecordsAdmitted(records))
    core.say(grant("g1"), A)
    core.apply()
    facts = core.ledger.facts(B, [record(n) for n in range(1200)], core.ledger.progress().next)
    assert len(facts.records) == 1200


@pytest.mark.parametrize("at", [datetime(2199, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC), datetime(1900, 1, 1, tzinfo=UTC)])
def test_the_first_and_last_time_that_the_wire_takes_come_back_as_they_were(core: Core, at: datetime) -> None:
    """Rule 8: a rounded expiry would be another one."""
    core.say(provisional("o1", 1, lapses_at=at), COURT)
    core.apply()
    (row,) = core.ledger.rows(p.Suppression)
    assert row.lapses_at == at
    assert row.lapses_at is not None
    assert row.lapses_at.utcoffset() == timedelta(0)


def test_a_naive_time_is_refused(core: Core) -> None:
    """Rule 8: a time without its zone is no time."""
    seen = core.ledger.progress()
    naive = p.Tick(entered=seen.next, at=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
    with pytest.raises(Exception, match="naive"):
        core.ledger.apply(seen, moved(seen), [Posted(seen.next, "", (p.Enter(naive),))])


def test_a_partys_orders_come_newest_first_once_each_however_many_targets(core: Core) -> None:
    """Beyond what is read at once the newest must not be missing, so nothing is cut before it is ordered."""
    for number in range(5):
        core.say(seal(f"o{number}", 1, 2, 3), COURT)
    core.say(seal("other", 1), A)
    core.apply()
    ledger = core.ledger
    newest = ledger.orders(COURT, count=2)
    assert [row.order_id for row in newest] == ["o4", "o3"]
    older = ledger.orders(COURT, before=newest[-1].entered, count=10)
    assert [row.order_id for row in older] == ["o2", "o1", "o0"]
    assert [row.order_id for row in ledger.orders(A, count=10)] == ["other"]


def test_the_frontier_is_the_journals_own(core: Core) -> None:
    """Rule 11, R34: a view keeps the Merkle head at its position."""
    from comity.domain.log import leaf  # noqa: PLC0415 - this test alone

    frontier = Frontier()
    for placed in core.log.held():
        frontier = frontier.append(leaf(placed))
    assert core.ledger.progress().frontier == frontier


def test_a_reset_forgets_every_row_and_the_position(core: Core) -> None:
    """R47: a rebuild starts from nothing."""
    core.say(seal("o1", 1), COURT)
    core.append(signed(unseal("x", "o1"), "exchange"))
    core.apply()
    core.ledger.reset()
    assert not any(stored(core).values())
    assert core.ledger.refusals() == ()
    assert core.ledger.seen(COURT, OrderId("o1")) is None
    assert core.ledger.progress().next == 0
