"""What stands in the journal, appended again by anybody: it counts once, and what was refused never counts (rule 10)."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from comity.acts.clock import Freshness
from comity.adapters.sql.ledger import REPEATS_MAX, SqlLedger
from comity.domain import entries as e
from comity.domain import posting as p
from comity.domain.authority import counted_as
from comity.domain.ids import GrantId, PartyId, UserId
from comity.domain.judge import Verdict
from comity.domain.sharing import LASTS_MAX
from comity.wire.envelope import from_entry
from histories import Said
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
    seal,
    signed,
    unseal,
)  # fmt: skip


@pytest.fixture
def core(founded: Core) -> Core:
    founded.say(admission(1))
    return founded


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


def test_a_tick_that_was_void_never_counts(core: Core) -> None:
    """It was ahead of the log when it was entered; the log has come there since."""
    ticked(core, 100)
    void = core.say(e.ClockTicked(core.now + timedelta(seconds=30)))
    assert again(core, void) == "repeated"  # at once: neither counts
    core.tick(core.now + timedelta(seconds=100))
    before = clock(core)
    assert again(core, void) == "repeated"
    assert clock(core) == before


def test_of_ticks_that_count_nothing_more_is_remembered(sql: SqlLedger) -> None:
    """There are three million a year: each has a row already."""
    sql.reset()
    core = Core(sql).found()
    entry = core.log.held()[ticked(core, 30)[-1]].entry
    core.apply()
    digest = hashlib.sha256(entry.value or b"").digest()
    assert sql.seen("exchange", str(counted_as(e.ClockTicked(core.now), key("exchange").kid, digest))) is None


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


def test_what_takes_a_grant_or_a_key_back_too_early_does_not_lie_in_wait_and_can_be_said_again(core: Core) -> None:
    early = [core.say(e.ShareRevoked(GrantId("g1")), A), core.say(e.KeyRevoked(key("late").kid), ADMINISTRATOR)]
    core.say(grant("g1"), A)
    core.say(e.KeyRegistered(key("late").kid, COURT, e.Role.COURT, key("late").public_bytes), ADMINISTRATOR)
    assert [again(core, place) for place in early] == ["refused-before"] * 2
    assert core.verdict(1, B) is Verdict.STANDS
    core.say(e.ShareRevoked(GrantId("g1"), "other words"), A)
    core.say(e.KeyRevoked(key("late").kid, None, "other words"), ADMINISTRATOR)
    assert core.verdict(1, B) is Verdict.NOT_GRANTED
    core.say(seal("o1", 1), "late")
    core.apply()
    refused = [x.refused.reason for x in core.ledger.refusals() if x.refused]
    assert refused == ["unknown-key", "refused-before", "refused-before", "no-such-key", "no-such-grant"]


@pytest.mark.parametrize("at_once", [False, True])
def test_what_was_taken_back_is_not_once_more_in_other_words(core: Core, at_once: bool) -> None:  # noqa: FBT001
    """A receipt for nothing, and of a key another row for judgements; in one transaction as in two."""
    core.say(grant("g1"), A)
    core.apply()
    for event, party in (
        (e.ShareRevoked(GrantId("g1")), A),
        (e.ShareRevoked(GrantId("g1"), "again"), A),
        (e.KeyRevoked(key(COURT).kid, None, "1"), ADMINISTRATOR),
        (e.KeyRevoked(key(COURT).kid, None, "2"), ADMINISTRATOR),
        (e.KeyRevoked(key(COURT).kid, 4, "3"), ADMINISTRATOR),  # it reaches back, and the first did not
        (e.KeyRevoked(key(COURT).kid, 5, "4"), ADMINISTRATOR),
        (e.KeyRevoked(key(COURT).kid, None, "5"), ADMINISTRATOR),
        (e.KeyRevoked(key(COURT).kid, 3, "6"), ADMINISTRATOR),
    ):
        core.say(event, party)
        if not at_once:
            core.apply()
    core.apply()
    assert [x.refused.reason for x in core.ledger.refusals() if x.refused] == ["ended-before"] * 4
    assert [row.void_from for row in core.ledger.rows(p.Revocation)] == [None, 4, 3]


def test_a_tick_that_is_appended_again_and_again_is_each_time_a_repeat(core: Core) -> None:
    """It was not refused when it came."""
    place = core.tick(core.now + timedelta(seconds=10))
    assert [again(core, place) for _ in range(3)] == ["repeated"] * 3


def test_a_grant_that_was_refused_does_not_lie_in_wait(core: Core) -> None:
    """For longer than a year when it was entered, and not when somebody appends it again."""
    place = core.say(grant("g1", expires_at=BASE + LASTS_MAX + timedelta(days=1)), A)
    core.tick(BASE + timedelta(days=30))
    assert again(core, place) == "refused-before"
    assert core.verdict(1, B) is Verdict.NOT_GRANTED


def test_a_key_that_was_refused_before_its_party_was_there_does_not_lie_in_wait(core: Core) -> None:
    new, party = key("court-9"), PartyId("court-9")
    said = e.KeyRegistered(new.kid, party, e.Role.COURT, new.public_bytes)
    place = core.say(said, ADMINISTRATOR)
    core.say(e.CourtRegistered(party, "Court 9"), ADMINISTRATOR)
    assert again(core, place) == "refused-before"
    core.say(replace(said, act_id="another"), ADMINISTRATOR)
    core.apply()
    assert new.kid in {row.key_id for row in core.ledger.signing_keys()}


@pytest.mark.parametrize("of", [0, 1, 2])
def test_what_registers_a_party_or_a_key_is_repeated_like_anything_else(core: Core, of: int) -> None:
    kinds = (e.AgencyRegistered, e.CourtRegistered, e.KeyRegistered)
    held = (one.position for one in core.log.held() if isinstance(from_entry(one.entry).event, kinds[of]))
    assert again(core, next(held)) == "repeated"


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


@pytest.mark.parametrize("what", ["taken", "refused", "barred", "renamed", "cut"])
def test_repeats_push_no_other_refusal_out(sql: SqlLedger, what: str) -> None:
    """What a party must mend stays in sight, however often somebody appends its words again, under whatever headers."""
    sql.reset()
    core = Core(sql).found()
    wrong = core.say(grant("g9", B, A), A)
    said = {"refused": grant("g1", B, A), "barred": e.TicksVoided(1, 2, "not ours to say")}
    entry = signed(said.get(what, grant("g1")), A)
    core.append(entry)
    for number in range(1_200):
        headers = dict(entry.headers)
        if what == "renamed":
            headers["ce_id"] = b"x%d" % number
        elif what == "cut":
            headers["ce_time"] = b"never"
        core.append(replace(entry, headers=tuple(headers.items())))
    core.apply()
    told = core.ledger.refusals(A)
    assert wrong in {one.position for one in told}
    assert len(told) == REPEATS_MAX + (2 if what in said else 1)


def test_nor_do_ticks_each_appended_again_once(sql: SqlLedger) -> None:
    sql.reset()
    core = Core(sql).found()
    wrong = core.say(grant("g9"), EXCHANGE)
    for place in ticked(core, 12_000):
        core.append(core.log.held()[place].entry)
    core.apply()
    told = core.ledger.refusals(EXCHANGE)
    assert wrong in {one.position for one in told}
    assert len(told) == REPEATS_MAX + 1


def test_a_second_attempt_in_other_words_is_no_repeat(sql: SqlLedger) -> None:
    sql.reset()
    core = Core(sql).found()
    places = [core.say(seal("o1", mode=mode), COURT) for mode in ("DESTROY", "ANNOTATE")]  # of nothing: refused
    for _ in range(1_200):
        core.append(core.log.held()[places[0]].entry)
    core.apply()
    told = {one.position: one.refused.reason for one in core.ledger.refusals(str(COURT)) if one.refused}
    assert [told[place] for place in places] == ["no-target", "refused-before"]
