"""Every release keeps its promises under drawn schedules, and a build without one of its guards is caught (R15, R53)."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from comity.acts import journal as journal_module
from comity.acts import release as release_module
from comity.adapters.sql.engine import open_engine
from comity.adapters.sql.ledger import SqlLedger
from comity.domain import clock as clock_module
from comity.domain import entries as e
from comity.domain import judge as judge_module
from comity.domain import posting as p
from comity.domain.ids import RecordId
from comity.domain.judge import Facts
from comity.domain.log import JOURNAL, Placed
from comity.ports import Ledger, Posted
from comity.projection import ledger as projection_module
from schedules import Parts, explore

SEEDS, SEEDS_SQL, SEEDS_MUTANT = 120, 12, 1_200


def test_no_schedule_shows_what_an_order_covers_nor_shortens_an_answer() -> None:
    """R15, promises 1, 2 and 4: and most searches are answered, or nothing would be shown by it."""
    world = explore(Parts(), range(SEEDS))
    assert not +world.found
    assert world.outcomes["answered"] > SEEDS
    assert world.outcomes["outcome-unknown"]
    assert world.outcomes["ledger-behind"]


def test_no_schedule_does_over_sql_either(tmp_path: Path) -> None:
    """R15: the same over the real tables."""
    engine = open_engine(tmp_path / "ledger.db")
    sql = SqlLedger(engine)

    def emptied() -> Ledger:
        sql.reset()
        return sql

    world = explore(Parts(), range(SEEDS_SQL), ledger=emptied)
    engine.dispose()
    assert not +world.found
    assert world.outcomes["answered"] > SEEDS_SQL


# --- every guard, taken away ---


def mutated(module: types.ModuleType, *changes: tuple[str, str]) -> dict[str, Any]:
    """Return what a module defines once some of its text is changed: the guard must stand there, exactly once."""
    source = inspect.getsource(module)
    for old, new in changes:
        assert source.count(old) == 1, f"the guard moved: {old!r}"
        source = source.replace(old, new)
    names: dict[str, Any] = {"__name__": module.__name__}
    exec(compile(source, str(module.__file__), "exec"), names)  # noqa: S102 - our own module, less one guard
    return names


ENTERED = "                place = self._journal.enter(proposal.entry, key=proposal.key).position\n"
NOTED = "                entered = proposal\n"
JUDGED = "                disclosure = judge(proposal, place)\n"
UNREAD = ("if facts.applied < place:", "if False:")
SECOND = ("if any(verdict(facts, question, r, facts.applied) is not Verdict.STANDS for r in chosen):", "if False:")
FIRST = (
    "[r for r in proposal.records if verdict(facts, question, r, place) is Verdict.STANDS]",
    "list(proposal.records)",
)


def released(*changes: tuple[str, str], **names: object) -> Parts:
    module = mutated(release_module, *changes)
    module.update(names)
    return Parts(release=module["Release"])


def no_wait() -> Parts:
    return released(("if not self._watch.wait(place, WAIT_SECONDS):", "if False:"), UNREAD)


def judged_before_appended() -> Parts:
    end = ENTERED.replace("self._journal.enter(proposal.entry, key=proposal.key).position", "self._ledger.progress().next")
    return released((ENTERED + NOTED + JUDGED, end + NOTED + JUDGED + ENTERED.replace("place", "_", 1)))


def place_from_the_logs_end() -> Parts:
    end = ENTERED.replace("self._journal.enter(proposal.entry, key=proposal.key).position", "self._journal._log.end(JOURNAL)")
    return released((ENTERED, end + ENTERED.replace("place", "_", 1)), JOURNAL=JOURNAL)


def gallery_trusted() -> Parts:
    return released(FIRST, SECOND)


def no_second_judgement() -> Parts:
    return released(SECOND)


def no_refill() -> Parts:
    return released(("if len(chosen) < proposal.shown_max and not proposal.complete:", "if False:"))


def unknown_facts_let_through() -> Parts:
    judge = mutated(judge_module, ("        return Verdict.NOT_ADMITTED", "        return Verdict.STANDS"))
    return released(verdict=judge["verdict"], Verdict=judge["Verdict"])


def minus_one_taken_for_a_place() -> Parts:
    """Besides its own guard the clock's and the key's stand in the way: no tick and no key holds as of -1."""
    clock = ("        self._fresh.check(facts.clock(place))\n", "")
    keys = ("if not all(facts.speaks(self._journal.kid, at) for at in (place, facts.applied)):", "if False:")
    journal = mutated(journal_module, ("if placed.position < 0:", "if False:"))["Journal"]
    return Parts(release=released(clock, keys).release, journal=journal)


def position_published_before_the_commit() -> Parts:
    commit, publish = "        self._ledger.apply(seen, after, posted)\n", "        self._watch.publish(after.next)\n"
    module = mutated(projection_module, (publish, ""), (commit, publish + commit))
    return Parts(release=released(UNREAD).release, projection=module["LedgerProjection"])


def published_further_than_applied() -> Parts:
    further = ("self._watch.publish(after.next)", "self._watch.publish(self._log.end(JOURNAL))")
    return Parts(release=released(UNREAD).release, projection=mutated(projection_module, further)["LedgerProjection"])


def suppression_dropped_on_re_enrolment() -> Parts:
    def post(entry: e.JournalEntry, *rest: Any) -> tuple[p.Change, ...]:  # noqa: ANN401 - handed on
        changes = p.post(entry, *rest)
        if isinstance(entry, e.RecordsAdmitted):
            names = tuple(p.record_target(r.record_id) for r in entry.records)
            return (p.End(p.Suppression, {"target": names}), *changes)
        return changes

    return Parts(patches=[(projection_module, "post", post)])


def orders_before_enrolment_dropped() -> Parts:
    class Forgetful(projection_module.LedgerProjection):
        def _post(self, placed: Placed, envelope: Any, *rest: Any) -> Posted:  # noqa: ANN401 - handed on
            posted = super()._post(placed, envelope, *rest)
            rows = [c.row for c in posted.changes if isinstance(c, p.Enter) and isinstance(c.row, p.Suppression)]
            known = not rows or self._ledger.found({row.target for row in rows})
            return posted if known else replace(posted, changes=())

    return Parts(projection=Forgetful)


def kin_forgotten() -> Parts:
    def targets(facts: Facts, record_id: RecordId, as_of: int) -> frozenset[str]:
        own = {row.target for row in facts.indexes if row.record_id == record_id and row.holds(as_of)}
        return frozenset(own | {p.record_target(record_id)})

    return Parts(patches=[(Facts, "targets", targets)])


def unseal_ends_expungements() -> Parts:
    def post(entry: e.JournalEntry, *rest: Any) -> tuple[p.Change, ...]:  # noqa: ANN401 - handed on
        changes = p.post(entry, *rest)
        if isinstance(entry, e.RecordsUnsealed):
            return (*changes, p.End(p.Suppression, {"order_id": tuple(name.order_id for name in entry.ends)}))
        return changes

    return Parts(patches=[(projection_module, "post", post)])


def lifts_by_number_alone() -> Parts:
    def ends(lift: p.Lift, order: p.Suppression, as_of: int) -> bool:
        return whole(lift, replace(order, entered_by=lift.party), as_of)

    whole = p.Lift.ends
    return Parts(patches=[(p.Lift, "ends", ends)])


def void_lifts_and_grants_counted() -> Parts:
    return Parts(patches=[(Facts, "void", lambda _facts, _row, _as_of: False)])


def lapses_by_the_latest_tick() -> Parts:
    def lapsed(facts: Facts, order: p.Suppression, as_of: int) -> bool:
        now = facts.clock(as_of)
        return bool(order.lapses_at and now and now.latest and order.lapses_at <= now.latest)

    return Parts(patches=[(Facts, "lapsed", lapsed)])


def one_reading_settles() -> Parts:
    return Parts(patches=[(clock_module, "SETTLE_SPAN", timedelta(0)), (clock_module, "SETTLE_TICKS", 1)])


def an_alarm_holds_nothing() -> Parts:
    def settle(now: clock_module.Reckoning, window: Sequence[clock_module.Reading]) -> clock_module.Reckoning:
        return replace(whole(replace(now, alarm=None), window), alarm=now.alarm)

    whole = clock_module.Reckoning.settle
    return Parts(patches=[(clock_module.Reckoning, "settle", settle)])


def an_entry_before_the_tick_hides_a_jump() -> Parts:
    def then(stretch: clock_module.Stretch, appended_at: datetime) -> clock_module.Stretch:
        return clock_module.Stretch(stretch.first, appended_at)

    return Parts(patches=[(clock_module.Stretch, "then", then)])


def grants_end_by_what_is_settled() -> Parts:
    def in_force(facts: Facts, row: p.Grant, as_of: int) -> bool:
        now = facts.clock(as_of)
        expired = now is not None and now.settled is not None and row.expires_at <= now.settled
        return not expired and row.holds(as_of) and not facts.void(row, as_of)

    return Parts(patches=[(Facts, "in_force", in_force)])


def void_ticks_counted() -> Parts:
    return Parts(patches=[(clock_module.Clock, "_void", lambda _clock, _position: None)])


def refused_words_lie_in_wait() -> Parts:
    forgetting = ("taken=None if again else own", "taken=None")
    return Parts(projection=mutated(projection_module, forgetting)["LedgerProjection"])


MUTANTS: list[tuple[Callable[[], Parts], str]] = [
    (no_wait, "a"),
    (judged_before_appended, "a"),
    (place_from_the_logs_end, "a"),
    (gallery_trusted, "a"),
    (no_second_judgement, "k"),
    (no_refill, "b"),
    (unknown_facts_let_through, "a"),
    (minus_one_taken_for_a_place, "b"),
    (position_published_before_the_commit, "a"),
    (published_further_than_applied, "a"),
    (suppression_dropped_on_re_enrolment, "a"),
    (orders_before_enrolment_dropped, "a"),
    (kin_forgotten, "a"),
    (unseal_ends_expungements, "a"),
    (lifts_by_number_alone, "a"),
    (void_lifts_and_grants_counted, "a"),
    (lapses_by_the_latest_tick, "a"),
    (one_reading_settles, "a"),
    (an_alarm_holds_nothing, "a"),
    (an_entry_before_the_tick_hides_a_jump, "a"),
    (grants_end_by_what_is_settled, "a"),
    (void_ticks_counted, "b"),
    (refused_words_lie_in_wait, "a"),
]


@pytest.fixture(params=MUTANTS, ids=lambda case: case[0].__name__)
def mutant(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Parts, str]:
    build, broken = request.param
    parts: Parts = build()
    for where, name, value in parts.patches:
        monkeypatch.setattr(where, name, value)
    return parts, broken


def test_the_checker_catches_a_build_without_this_guard(mutant: tuple[Parts, str]) -> None:
    """R53: builds with one guard removed fail the checker."""
    parts, broken = mutant
    world = explore(parts, range(SEEDS_MUTANT), until=broken)
    assert world.found[broken], f"nothing found in {SEEDS_MUTANT} schedules: {world.outcomes}"
