"""What stands in the journal, appended again by anybody: it counts once, and what was refused never counts (rule 10)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from comity.acts.clock import Freshness
from comity.adapters.sql.engine import open_engine
from comity.adapters.sql.ledger import REPEATS_MAX, SqlLedger
from comity.domain import entries as e
from comity.domain import posting as p
from comity.domain.authority import AGAIN
from comity.domain.ids import GrantId, PartyId, UserId
from comity.domain.judge import Verdict
from comity.domain.sharing import LASTS_MAX
from histories import Said
from journals import (
    ADMINISTRATOR,
    BASE,
    COURT,
    A,
    B,
    Core,
    PureLedger,
    admission,
    grant,
    key,
    minutes,
    seal,
    unseal,
)  # fmt: skip


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlLedger]:
    engine = open_engine(tmp_path_factory.mktemp("ledger") / "ledger.db")
    yield SqlLedger(engine)
    engine.dispose()


@pytest.fixture(params=["pure", "sql"])
def core(request: pytest.FixtureRequest, sql: SqlLedger) -> Core:
    sql.reset()
    core = Core(PureLedger() if request.param == "pure" else sql).found()
    core.say(admission(1))
    return core


def again(core: Core, place: int) -> str | None:
    """Append what stands at a place once more, byte for byte; return why it had no effect."""
    at = core.append(core.log.held()[place].entry)
    core.apply()
    (refused,) = core.ledger.refusals_between(at, at + 1) or (None,)
    return refused.refused.reason if refused and refused.refused else None


def clock(core: Core) -> p.Tick:
    core.apply()
    now = core.ledger.progress().next
    newest = core.ledger.facts(B, [], now).clock(now)
    assert newest is not None
    return newest


def ticked(core: Core, seconds: int) -> list[int]:
    return [core.tick(BASE + timedelta(seconds=at)) for at in range(10, seconds, 10)]


def test_a_tick_that_somebody_appends_again_stops_no_search(core: Core) -> None:
    places = ticked(core, 600)
    before = clock(core)
    assert again(core, places[0]) == "repeated"
    assert clock(core) == before
    Freshness(lambda: core.now).check(clock(core))


def test_ticks_that_somebody_appends_again_make_no_jump(core: Core) -> None:
    """One of an hour ago, and then the next: neither is the newest reading."""
    places = ticked(core, 7_200)
    for place in places[:50:10]:
        assert again(core, place) == "repeated"
    core.tick(core.now + timedelta(seconds=10))
    assert clock(core).alarm is None
    assert clock(core).at == core.now


def test_a_tick_is_known_again_within_one_batch(core: Core) -> None:
    place = core.tick(minutes(1))
    core.append(core.log.held()[place].entry)
    core.apply()
    assert [x.refused.reason for x in core.ledger.refusals() if x.refused] == ["repeated"]


def test_a_ruling_that_somebody_appends_again_reckons_nothing_anew(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    places = ticked(core, 300)
    rulings = [core.say(e.TicksVoided(places[3], places[4], "wrong"), ADMINISTRATOR)]
    rulings.append(core.say(e.ClockConfirmed(places[5], "right"), ADMINISTRATOR))
    core.apply()

    def folded(*_: object, **__: object) -> None:
        raise AssertionError("reckoned again")

    monkeypatch.setattr("comity.domain.clock.Clock._folded", folded)
    assert [again(core, place) for place in rulings] == ["repeated", "repeated"]


def test_a_ruling_that_was_refused_never_counts(core: Core) -> None:
    """It named ticks to come: once they are there, somebody appends it again."""
    places = ticked(core, 100)
    place = core.say(e.TicksVoided(places[0], places[-1] + 50, "wrong"), ADMINISTRATOR)
    ticked_on = [core.tick(core.now + timedelta(seconds=10 * n)) for n in range(1, 60)]
    assert again(core, place) == "refused-before"
    assert clock(core).entered == ticked_on[-1]


@pytest.mark.parametrize("void_from", [None, 3])
def test_a_revocation_that_somebody_appends_again_adds_no_row(core: Core, void_from: int | None) -> None:
    """Each row of it would be read by every judgement."""
    place = core.say(e.KeyRevoked(key(COURT).kid, void_from), ADMINISTRATOR)
    assert [again(core, place) for _ in range(3)] == ["repeated"] * 3
    assert len(core.ledger.rows(p.Revocation)) == 1
    core.say(e.KeyRevoked(key(COURT).kid, 2), ADMINISTRATOR)  # from further back: another revocation
    core.apply()
    assert len(core.ledger.rows(p.Revocation)) == 2


def test_an_unseal_that_came_before_its_order_does_not_lie_in_wait(core: Core) -> None:
    place = core.say(unseal("u1", "o1"), COURT)
    core.say(seal("o1", 1), COURT)
    assert again(core, place) == "refused-before"
    assert core.verdict(1, A) is Verdict.SUPPRESSED


def test_what_takes_a_grant_or_a_key_back_can_be_said_again_where_it_came_too_early(core: Core) -> None:
    """There are no other words for it, so what was refused must not use them up."""
    core.say(e.ShareRevoked(GrantId("g1")), A)
    core.say(e.KeyRevoked(key("late").kid), ADMINISTRATOR)
    core.say(grant("g1"), A)
    core.say(e.KeyRegistered(key("late").kid, COURT, e.Role.COURT, key("late").public_bytes), ADMINISTRATOR)
    assert core.verdict(1, B) is Verdict.STANDS
    core.say(e.ShareRevoked(GrantId("g1")), A)
    core.say(e.KeyRevoked(key("late").kid), ADMINISTRATOR)
    assert core.verdict(1, B) is Verdict.NOT_GRANTED
    core.say(seal("o1", 1), "late")
    core.apply()
    assert [x.refused.reason for x in core.ledger.refusals() if x.refused] == ["unknown-key", "no-such-key", "no-such-grant"]


def test_a_grant_that_was_refused_does_not_lie_in_wait(core: Core) -> None:
    """For longer than a year when it was entered, and not when somebody appends it again."""
    place = core.say(grant("g1", expires_at=BASE + LASTS_MAX + timedelta(days=1)), A)
    core.tick(BASE + timedelta(days=30))
    assert again(core, place) == "refused-before"
    assert core.verdict(1, B) is Verdict.NOT_GRANTED


@pytest.mark.parametrize("harm", ["forged", "elsewhere", "renamed"])
def test_what_its_signer_did_not_say_so_takes_no_id(core: Core, harm: str) -> None:
    """Else anybody could use up a court's ids."""
    core.append(Said(seal("o1", 1), COURT, harm).entry())
    core.say(grant("g1"), A)
    core.say(seal("o1", 1), COURT)
    assert core.verdict(1, B) is Verdict.SUPPRESSED


def test_what_is_said_of_people_counts_once(core: Core) -> None:
    said = e.PersonAdministered("act-1", UserId("u-1"), PartyId(A), ("clerk",), "added", UserId("u-0"))
    place = core.say(said)
    assert again(core, place) == "repeated"


@pytest.mark.parametrize("good", [True, False])
def test_repeats_push_no_other_refusal_out(sql: SqlLedger, *, good: bool) -> None:
    """What a party must mend stays in sight, however often somebody appends its words again."""
    sql.reset()
    core = Core(sql).found()
    wrong = core.say(grant("g9", B, A), A)
    place = core.say(grant("g1", A if good else B), A)
    entry = core.log.held()[place].entry
    for _ in range(1_200):
        core.append(entry)
    core.apply()
    told = core.ledger.refusals(A)
    assert [x.position for x in told if x.refused and x.refused.reason not in AGAIN] == ([wrong] if good else [place, wrong])
    assert len(told) == REPEATS_MAX + (1 if good else 2)
