"""Generated journals, played through SQL and through plain lists: equal rows, equal verdicts, however they are cut (R15, R47)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import ticks
from comity.acts.release import suppressions
from comity.adapters.sql.engine import open_engine
from comity.adapters.sql.ledger import SqlLedger
from comity.domain import entries as e
from comity.domain import posting as p
from comity.domain.authority import REPEATED, counted_as, event_id, refuse, refuse_terms
from comity.domain.clock import Clock, NoRuling
from comity.domain.entries import RecordClass
from comity.domain.ids import KeyId, OrderId, OrderName, Ori, PartyId
from comity.domain.judge import Facts, Question, Verdict, bound, verdict
from comity.domain.standing import never_counted, refuse_named
from histories import BEGINNING, INDEXES, NUMBERS, OWNERS, PURPOSES, ROLES, Said, histories
from journals import (
    AGENCIES,
    COURTS,
    STRANGER,
    Core,
    key,
    record,
    registered,
    seal,
)  # fmt: skip
from ticks import Held, plainly

EXAMPLES = 25
UNPROVEN = {"forged": "forged", "elsewhere": "other-exchange"}


def reference(said: list[Said]) -> tuple[p.MemoryLedger, dict[int, str]]:
    """Return what this journal comes to by the rules alone, without bytes: rows, and the refused with their reasons."""
    memory, refused, taken = p.MemoryLedger(), dict[int, str](), dict[tuple[str, str], int]()
    clock = Clock(Held(memory), 0, None)
    for at, one in enumerate(said):
        held = memory.rows[p.Key].get((key(one.party).kid,))
        assert held is None or isinstance(held, p.Key)
        signer = held if held is not None and held.holds(at) else None
        refusal = refuse(one.event, signer, founded=bool(memory.rows[p.Exchange]))
        own = counted(one)
        if one.harm in ("garbage", "no headers", "tombstone"):
            refused[at] = "undecodable"
        elif refusal is not None:
            refused[at] = refusal.reason
        elif (unproven := proof(one)) is not None:
            refused[at] = unproven
        elif own is not None and (one.party, own) in taken:
            first = taken[one.party, own]
            name = OrderName(PartyId(one.party), OrderId(own))
            void = never_counted(one.event, name, (key(one.party).kid, first), Rows(memory))
            refused[at] = again(one, said[first], void=void, refused=first in refused)
        elif (reason := terms(memory, one, signer, at)) is not None:
            refused[at] = reason
            if reason != REPEATED:
                taken[one.party, str(own)] = at
        else:
            taken[one.party, str(own)] = at
            who = p.Signer(registered(one.party, ROLES[one.party]).party, ROLES[one.party], key(one.party).kid)
            changes = p.post(one.event, at, who, one.appended_at, memory.those(p.Key))
            try:
                changes += clock.post(one.event, changes, at, who.kid, one.appended_at)
                memory.execute(changes, at)
            except NoRuling as error:
                refused[at] = error.reason
            clock.committed()
        clock.passed(one.appended_at)
    return memory, refused


def counted(one: Said) -> str | None:
    """Return what an entry counts as, once for ever."""
    return counted_as(one.event, key(one.party).kid, hashlib.sha256(one.entry().value or b"").digest())


def terms(memory: p.MemoryLedger, one: Said, signer: p.Key | None, at: int) -> str | None:
    """Return why an entry that is its signer's own has no effect."""
    if signer is not None and (refusal := refuse_terms(one.event, signer, one.appended_at)) is not None:
        return refusal.reason
    if (known := registered_before(memory, one.event)) is not None:
        return known
    named = refuse_named(one.event, PartyId(one.party), key(one.party).kid, Rows(memory), at)
    return named.reason if named is not None else None


def registered_before(memory: p.MemoryLedger, event: e.JournalEntry) -> str | None:
    """Return why a registration counts nothing the second time."""
    match event:
        case e.AgencyRegistered(ori) if (ori,) in memory.rows[p.Agency]:
            return "party-known"
        case e.CourtRegistered(court) if (court,) in memory.rows[p.Court]:
            return "party-known"
        case e.KeyRegistered(kid) if (kid,) in memory.rows[p.Key]:
            return "key-known"
        case _:
            return None


def again(one: Said, before: Said, *, void: bool, refused: bool) -> str:
    """Return why an id that was taken does not count again."""
    if refused:
        return "refused-before"
    if void:
        return "void-name"
    return "repeated" if before.event == one.event else "same-id"


def proof(one: Said) -> str | None:
    """Return why an entry's bytes do not prove what it says."""
    if one.harm == "renamed" and event_id(one.event) is not None:
        return "id-differs"
    return UNPROVEN.get(one.harm)


class Rows:
    """Answers what an entry is about from the rows in memory."""

    def __init__(self, memory: p.MemoryLedger) -> None:
        self.rows, self.order, self.versions = memory.those, memory.order, memory.versions
        self.ticked = memory.ticked


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlLedger]:
    """Return one ledger for the module, emptied before each history."""
    engine = open_engine(Path(tmp_path_factory.mktemp("ledger")) / "ledger.db")
    yield SqlLedger(engine)
    engine.dispose()


def played(sql: SqlLedger, said: list[Said], sizes: list[int] | None = None) -> Core:
    """Return the journal applied to the emptied ledger, in batches of these sizes."""
    sql.reset()
    core = Core(sql)
    for one in said:
        core.log.now = one.appended_at
        core.append(one.entry())
    list(core.batches(sizes or []))
    return core


def rows(ledger: SqlLedger | p.MemoryLedger) -> dict[str, list[p.Row]]:
    def of(kind: type[p.Row]) -> list[p.Row]:
        return list(ledger.rows(kind)) if isinstance(ledger, SqlLedger) else list(ledger.rows[kind].values())

    return {kind.__name__: sorted(of(kind), key=repr) for kind in p.IDENTITY}


def questions() -> Iterator[Question]:
    for requester in (*AGENCIES, STRANGER):
        for purpose in PURPOSES:
            yield Question(Ori(requester), purpose, "search", frozenset(RecordClass))


def whole(memory: p.MemoryLedger, applied: int) -> Facts:
    """Return every row as facts: the pure judgement is given all that there is."""
    of = {kind: tuple(memory.rows[kind].values()) for kind in memory.rows}
    return Facts(
        applied,
        records=of[p.Record],  # type: ignore[arg-type]
        indexes=of[p.Index],  # type: ignore[arg-type]
        suppressions=of[p.Suppression],  # type: ignore[arg-type]
        lifts=of[p.Lift],  # type: ignore[arg-type]
        revocations=of[p.Revocation],  # type: ignore[arg-type]
        keys=of[p.Key],  # type: ignore[arg-type]
        grants=of[p.Grant],  # type: ignore[arg-type]
        agencies=of[p.Agency],  # type: ignore[arg-type]
        ticks=of[p.Tick],  # type: ignore[arg-type]
    )


SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


@SETTINGS
@given(said=histories(), sizes=st.lists(st.integers(1, 9), max_size=6))
def test_the_rows_in_sql_are_those_that_the_rules_give_however_the_journal_is_cut(
    sql: SqlLedger, said: list[Said], sizes: list[int]
) -> None:
    """Rules 1, 2, 7, 8, 10; R15: a batch may end anywhere."""
    memory, refused = reference(said)
    played(sql, said, sizes)
    assert rows(sql) == rows(memory)
    found = {x.position: x.refused.reason for x in sql.refusals() if x.refused}
    assert found == refused


@SETTINGS
@given(said=histories())
def test_a_replay_from_zero_gives_the_rows_that_stood_live(sql: SqlLedger, said: list[Said]) -> None:
    """R47, rule 7: one entry at a time, as it came; then all at once from nothing; then nothing more."""
    live = played(sql, said, [1] * len(said))
    before, head = rows(sql), sql.progress()
    sql.reset()
    live.projection.starts()
    live.apply()
    assert rows(sql) == before
    assert sql.progress().frontier == head.frontier
    live.projection.starts()
    live.apply()
    assert rows(sql) == before


@settings(SETTINGS, max_examples=3 * EXAMPLES)
@given(said=histories(), data=st.data())
def test_sql_judges_as_the_pure_judgement_does(sql: SqlLedger, said: list[Said], data: st.DataObject) -> None:
    """Rules 1-4: all records, requesters and purposes, at any place; also as of all that is applied by the same facts."""
    memory, _ = reference(said)
    played(sql, said)
    everything, end = whole(memory, len(said)), len(said)
    for place in {end, *data.draw(st.lists(st.integers(len(BEGINNING), end), max_size=2))}:
        for question in questions():
            for number in NUMBERS:  # alone: among the others its kin would come by themselves
                facts = sql.facts(question.requester, [record(number)], place)
                for as_of in (place, end):  # the clock is given as of these two
                    pure = verdict(everything, question, record(number), as_of)
                    assert verdict(facts, question, record(number), as_of) is pure, (number, question, as_of)


@SETTINGS
@given(
    said=histories(),
    named=st.lists(st.sampled_from(NUMBERS), max_size=2, unique=True),
    tags=st.lists(st.sampled_from(INDEXES), max_size=2, unique=True),
    party=st.sampled_from([*COURTS, *AGENCIES]),
)
def test_what_a_preview_shows_is_what_the_order_binds_once_it_is_entered(
    sql: SqlLedger, said: list[Said], named: list[int], tags: list[e.BlindIndex], party: str
) -> None:
    """FC-07: from the rows that SQL fetches before, against the whole ledger after; by this order alone."""
    order, end = seal("previewed", *named, indexes=tags), len(said)
    played(sql, said)
    role = e.Role.COURT if party in COURTS else e.Role.AGENCY
    rows_of = suppressions(order, p.Signer(PartyId(party), role, KeyId("")), end, said[-1].appended_at)
    shown = {row.record_id for row in bound(sql.reach([row.target for row in rows_of], end), rows_of, end)}
    memory, refused = reference([*said, Said(order, party)])
    assume(end not in refused)
    after = whole(memory, end + 1)
    admitted = (after.record(record(number), end + 1) for number in NUMBERS)
    bind = {r.record_id for r in admitted if r and any(o.order_id == "previewed" for o in after.covering(r, end + 1))}
    assert shown == bind


def covered(said: list[Said], refused: dict[int, str], number: int, place: int) -> bool:
    """Say by what the orders mean whether one of them covers this record at a place: by its id or its own indexes."""
    standing: dict[tuple[str, str], e.Cover] = {}
    bears = set[e.BlindIndex]()
    settled = plainly([ticked(one, refused=at in refused) for at, one in enumerate(said[:place])]).settled
    for at, one in enumerate(said[:place]):
        if at in refused:
            continue
        event = one.event
        if isinstance(event, e.RecordsAdmitted) and event.records[0].record_id == record(number):
            bears |= set(event.records[0].indexes)
        elif isinstance(event, e.RecordsSealed | e.RecordsProvisionallySealed | e.RecordsExpunged):
            if not any(s.event == event and s.party == one.party for i, s in enumerate(said[:at]) if i not in refused):
                standing[one.party, event.order_id] = event
        elif isinstance(event, e.RecordsUnsealed | e.ProvisionalSealLifted) and not void(said, refused, at, place):
            standing = {k: v for k, v in standing.items() if not _ends(event, *k, v)}
    return any(
        (record(number) in order.records or bears & set(order.indexes))
        and (party in COURTS or party == OWNERS[number])
        and not (isinstance(order, e.RecordsProvisionallySealed) and settled is not None and order.lapses_at <= settled)
        for (party, _), order in standing.items()
    )


def ticked(one: Said, *, refused: bool) -> ticks.Said:
    """Return what an entry says of the clock."""
    about = isinstance(one.event, e.ClockTicked | e.TicksVoided | e.ClockConfirmed) and not refused
    return ticks.Said(one.appended_at, one.event if about else None)  # type: ignore[arg-type]


def void(said: list[Said], refused: dict[int, str], at: int, place: int) -> bool:
    """Say whether a lift's key was revoked, by this place, from a position that is not after it (rule 13)."""
    return any(
        isinstance(one.event, e.KeyRevoked)
        and one.event.kid == key(said[at].party).kid
        and one.event.void_from is not None
        and one.event.void_from <= at
        for later, one in enumerate(said[:place])
        if later not in refused
    )


def _ends(event: e.Lift, party: str, order_id: str, order: e.Cover) -> bool:
    provisional_only = isinstance(event, e.ProvisionalSealLifted) and not isinstance(order, e.RecordsProvisionallySealed)
    never = isinstance(order, e.RecordsExpunged) or provisional_only
    return not never and any((name.party, name.order_id) == (party, order_id) for name in event.ends)


@SETTINGS
@given(said=histories())
def test_no_record_stands_for_a_peer_after_an_order_and_before_its_end(sql: SqlLedger, said: list[Said]) -> None:
    """Promise 1: the seal always wins, by an oracle that knows only what orders mean."""
    _, refused = reference(said)
    played(sql, said)
    for place in range(len(BEGINNING), len(said) + 1):
        hidden = [n for n in NUMBERS if covered(said, refused, n, place)]
        for question in questions() if hidden else ():
            facts = sql.facts(question.requester, [record(n) for n in hidden], place)
            for number in hidden:
                if question.requester != OWNERS[number]:
                    assert verdict(facts, question, record(number), place) is not Verdict.STANDS, (number, place)
