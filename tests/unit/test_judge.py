"""The verdict, case by case: who is shown what, as of which place (rules 1-4, R3, R4, R11, R13, R19, R20, R22)."""

from __future__ import annotations

import pytest

from comity.domain import entries as e
from comity.domain import posting as p
from comity.domain.ids import GrantId
from comity.domain.judge import Facts, Question, Verdict, blocks, verdict
from journals import (
    ADMINISTRATOR,
    BASE,
    BOOKINGS,
    COURT,
    OTHER_COURT,
    STRANGER,
    A,
    B,
    C,
    Core,
    admission,
    expungement,
    grant,
    key,
    lift,
    minutes,
    provisional,
    record,
    seal,
    tag,
    unseal,
)  # fmt: skip

STANDS, SUPPRESSED, NOT_GRANTED = Verdict.STANDS, Verdict.SUPPRESSED, Verdict.NOT_GRANTED
PHOTO, BOOKING, CASE = e.IndexKind.PHOTOGRAPH, e.IndexKind.BOOKING, e.IndexKind.COURT_CASE


@pytest.fixture
def core(founded: Core) -> Core:
    """Return a journal in which agency A owns record 1 and lets B search its bookings; judged from lists, and from SQL."""
    founded.say(admission(1, A, tag(BOOKING, "b1"), tag(PHOTO, "p1"), tag(CASE, "c1")))
    founded.say(grant("g1"), A)
    return founded


def test_an_agency_that_is_not_registered_sees_nothing(core: Core) -> None:
    """R19: refused by default."""
    assert core.verdict(1, STRANGER) is Verdict.NOT_REGISTERED


def test_a_record_that_is_not_admitted_is_withheld(core: Core) -> None:
    """Rule 3."""
    assert core.verdict(2, A) is Verdict.NOT_ADMITTED
    place = core.say(admission(2, A))
    assert core.verdict(2, A, as_of=place) is Verdict.NOT_ADMITTED
    assert core.verdict(2, A) is STANDS


def test_the_owner_sees_its_own_record_and_a_grantee_what_is_granted(core: Core) -> None:
    """R19."""
    assert core.verdict(1, A) is STANDS
    assert core.verdict(1, B) is STANDS
    assert core.verdict(1, C) is NOT_GRANTED


def test_a_grant_holds_for_its_purposes_rights_and_classes_alone(core: Core) -> None:
    """R19, R20: rights are separate."""
    core.say(grant("g2", A, C, rights=("search",)), A)
    assert core.verdict(1, C) is STANDS
    assert core.verdict(1, C, right="view") is NOT_GRANTED
    assert core.verdict(1, C, right="export") is NOT_GRANTED
    assert core.verdict(1, C, purpose="missing-person") is NOT_GRANTED
    core.say(admission(3, A, record_class=e.RecordClass.MISSING))
    assert core.verdict(3, C, classes=frozenset({e.RecordClass.MISSING})) is NOT_GRANTED


def test_a_class_that_was_not_asked_for_is_not_shown_even_to_its_owner(core: Core) -> None:
    """R3: a search looks at bookings only, unless another class is named."""
    core.say(admission(3, A, record_class=e.RecordClass.MISSING))
    assert core.verdict(3, A) is NOT_GRANTED
    assert core.verdict(3, A, classes=frozenset({e.RecordClass.MISSING})) is STANDS


def test_minors_are_never_shared_whatever_a_grant_says(core: Core) -> None:
    """R3."""
    minors = frozenset({e.RecordClass.MINOR})
    core.say(admission(3, A, record_class=e.RecordClass.MINOR))
    core.say(grant("g2", A, C, classes=(e.RecordClass.MINOR,)), A)
    assert core.verdict(3, C, classes=minors) is NOT_GRANTED
    assert core.verdict(3, A, classes=minors) is STANDS


def test_a_grant_is_not_transitive(core: Core) -> None:
    """R55: B, to whom A shares, cannot share A's records with C, in its own name or in A's."""
    core.say(grant("g2", B, C), B)
    core.say(grant("g3", A, C), B)
    assert core.verdict(1, C) is NOT_GRANTED
    assert [x.refused.reason for x in core.ledger.refusals() if x.refused] == ["not-yours"]


def test_a_revocation_ends_a_grant_at_its_place_and_only_the_owner_may_revoke(core: Core) -> None:
    """R22: as immediate as a seal."""
    core.say(e.ShareRevoked(GrantId("g1")), C)
    assert core.verdict(1, B) is STANDS
    place = core.say(e.ShareRevoked(GrantId("g1")), A)
    assert core.verdict(1, B, as_of=place) is STANDS
    assert core.verdict(1, B, as_of=place + 1) is NOT_GRANTED


def test_without_any_tick_no_grant_holds() -> None:
    """Rule 8: nothing is known not to have expired."""
    facts = Facts(
        9,
        agencies=(p.Agency(entered=0, ori=B, name="", requester_class="county"),),
        records=(p.Record(entered=1, record_id=record(1), owner=A, record_class=e.RecordClass.BOOKING, version=1,
                          enrolment_sha256=b""),),
        grants=(p.Grant(entered=2, grant_id=GrantId("g"), owner=A, grantee=B, classes=(e.RecordClass.BOOKING,),
                        purposes=("serious-crime",), rights=("search",), expires_at=minutes(9)),),
    )  # fmt: skip
    assert verdict(facts, Question(B, "serious-crime", "search", BOOKINGS), record(1), 9) is NOT_GRANTED


@pytest.mark.parametrize(
    ("mode", "owner"),
    [
        ("DESTROY", SUPPRESSED),
        ("COURT_ORDER_ONLY", SUPPRESSED),
        ("CRIMINAL_JUSTICE_ONLY", STANDS),
        ("ANNOTATE", STANDS),
        ("A_MODE_NOBODY_KNOWS", SUPPRESSED),
    ],
)
def test_peers_never_see_a_sealed_record_and_its_owner_as_the_mode_says(core: Core, mode: str, owner: Verdict) -> None:
    """R13; an unknown mode hides from everyone."""
    core.say(seal("o1", 1, mode=mode), COURT)
    assert core.verdict(1, B) is SUPPRESSED
    assert core.verdict(1, A) is owner


def test_of_two_orders_the_stricter_counts(core: Core) -> None:
    """Rule 2: suppressed while any covering order stands."""
    core.say(seal("o1", 1, mode="CRIMINAL_JUSTICE_ONLY"), COURT)
    core.say(seal("o2", 1), OTHER_COURT)
    assert core.verdict(1, A) is SUPPRESSED
    core.say(unseal("u1", "o2", of=OTHER_COURT), OTHER_COURT)
    assert core.verdict(1, A) is STANDS
    assert core.verdict(1, B) is SUPPRESSED


def test_a_provisional_seal_can_be_lifted_and_a_lift_ends_nothing_else(core: Core) -> None:
    """R11."""
    core.say(provisional("o1", 1, lapses_at=minutes(500)), COURT)
    core.say(seal("o2", 1), COURT)
    core.say(lift("l0", "o1", "o2"), COURT)
    core.say(unseal("u1", "o2"), COURT)
    assert core.verdict(1, B) is SUPPRESSED
    assert [x.refused.reason for x in core.ledger.refusals() if x.refused] == ["not-provisional"]
    core.say(lift("l1", "o1"), COURT)
    assert core.verdict(1, B) is STANDS


def test_an_unseal_ends_the_orders_that_it_names_and_no_others(core: Core) -> None:
    """Rule 2: position and name decide; the second order stands."""
    core.say(seal("o1", 1), COURT)
    core.say(seal("o2", 1), COURT)
    core.say(unseal("u1", "o1"), COURT)
    assert core.verdict(1, B) is SUPPRESSED


def test_a_lift_ends_only_what_was_entered_before_it(core: Core) -> None:
    """Rule 2: an order entered after the unseal that names it stands."""
    core.say(unseal("u1", "o1"), COURT)
    core.say(seal("o1", 1), COURT)
    assert core.verdict(1, B) is SUPPRESSED


def test_an_agency_cannot_end_a_courts_order_but_its_own(core: Core) -> None:
    """R18a, rule 2."""
    core.say(seal("o1", 1), COURT)
    core.say(unseal("u1", "o1"), A)
    assert core.verdict(1, A) is SUPPRESSED
    core.say(seal("o2", 1), A)
    core.say(unseal("u2", "o1"), COURT)
    assert core.verdict(1, B) is SUPPRESSED
    core.say(unseal("u3", "o2", of=A), A)
    assert core.verdict(1, B) is STANDS


def test_a_lift_ends_its_own_partys_order_of_that_number_and_no_others(core: Core) -> None:
    """R18a: two courts and an agency use one number; each ends its own."""
    for number, party in ((1, COURT), (2, OTHER_COURT), (3, A)):
        core.say(admission(number))
        core.say(seal("2026-001", number), party)
    core.say(unseal("u1", "2026-001"), COURT)
    assert [core.verdict(n, B) for n in (1, 2, 3)] == [STANDS, SUPPRESSED, SUPPRESSED]
    core.say(unseal("u2", "2026-001", of=OTHER_COURT), COURT)
    core.say(unseal("u3", "2026-001", of=A, authority="Order of 4 March"), COURT)
    assert [core.verdict(n, B) for n in (1, 2, 3)] == [STANDS, SUPPRESSED, STANDS]
    assert [x.refused.reason for x in core.ledger.refusals(COURT) if x.refused] == ["no-authority"]


def test_an_order_that_was_lifted_stands_again_once_the_lifts_key_is_revoked_from_before_it(core: Core) -> None:
    """Rule 13: at once, as of any later place; what was judged before the revocation stays as it was."""
    core.say(seal("o1", 1), COURT)
    stolen = core.say(unseal("u1", "o1"), COURT)
    open_at = core.say(e.ClockTicked(minutes(1)))
    core.say(e.KeyRevoked(key(COURT).kid, stolen), ADMINISTRATOR)
    assert core.verdict(1, B) is SUPPRESSED
    assert core.verdict(1, B, as_of=open_at + 1) is STANDS
    core.ledger.reset()
    core.projection.starts()
    assert core.verdict(1, B) is SUPPRESSED


def test_what_a_key_loosened_before_it_was_stolen_goes_on(core: Core) -> None:
    """Rule 13: from the position named on, and only of that key."""
    core.say(seal("o1", 1), COURT)
    core.say(seal("o1", 1), OTHER_COURT)
    core.say(unseal("u1", "o1", of=OTHER_COURT), OTHER_COURT)
    lifted = core.say(unseal("u1", "o1"), COURT)
    core.say(e.KeyRevoked(key(COURT).kid, lifted + 1), ADMINISTRATOR)
    core.say(e.KeyRevoked(key(OTHER_COURT).kid, None), ADMINISTRATOR)
    assert core.verdict(1, B) is STANDS


def test_a_grant_by_a_stolen_key_is_void_and_the_thiefs_seal_is_not(core: Core) -> None:
    """Rule 13: only what loosens is void."""
    core.say(admission(2, C))
    first = core.say(grant("g2", C, B), C)
    core.say(seal("o1", 2), C)
    assert core.verdict(2, B) is SUPPRESSED
    core.say(unseal("u1", "o1", of=C), C)
    assert core.verdict(2, B) is STANDS
    core.say(admission(3, C))
    assert core.verdict(3, B) is STANDS
    core.say(e.KeyRevoked(key(C).kid, first), ADMINISTRATOR)
    assert core.verdict(2, C) is SUPPRESSED
    assert core.verdict(3, B) is NOT_GRANTED
    assert core.verdict(3, C) is STANDS


def test_an_expungement_has_no_end(core: Core) -> None:
    """Rule 9: neither an unseal nor a lift brings a record back."""
    core.say(expungement("o1", 1), COURT)
    core.say(unseal("u1", "o1"), COURT)
    core.say(lift("l1", "o1"), COURT)
    core.say(admission(1, A, version=2))
    assert core.verdict(1, A) is SUPPRESSED


def test_an_agencys_order_reaches_its_own_records_only(core: Core) -> None:
    """R12, DESIGN §3: orders by the owner."""
    core.say(seal("o1", 1, indexes=[tag(PHOTO, "p1")]), B)
    assert core.verdict(1, A) is STANDS
    core.say(admission(2, B, tag(PHOTO, "p1")))
    assert core.verdict(2, B) is SUPPRESSED


def test_another_signers_order_of_the_same_number_takes_nothing_away(core: Core) -> None:
    """Rule 10: orders are known by signer and number, so nobody can use up a court's number."""
    core.say(seal("24CF01", 1), B)
    core.say(seal("24CF01", 1), COURT)
    assert core.verdict(1, A) is SUPPRESSED
    core.say(unseal("u1", "24CF01"), B)
    assert core.verdict(1, A) is SUPPRESSED


@pytest.mark.parametrize("shared", [tag(PHOTO, "p1"), tag(BOOKING, "b1")])
def test_a_sealed_record_does_not_come_back_as_another_with_its_photograph_or_booking(core: Core, shared: e.BlindIndex) -> None:
    """Promise 3: nor its booking number or its photograph file under another id."""
    core.say(seal("o1", 1), COURT)
    core.say(admission(2, A, shared))
    assert core.verdict(2, A) is SUPPRESSED


def test_a_shared_court_case_makes_no_kin(core: Core) -> None:
    """R4, R14: one of several records of a person is sealed; that one alone goes."""
    core.say(admission(2, A, tag(CASE, "c1"), tag(PHOTO, "p2")))
    core.say(seal("o1", 1), COURT)
    assert core.verdict(2, B) is STANDS


def test_an_order_by_case_covers_all_records_of_the_case_also_later_ones(core: Core) -> None:
    """R10: an order for a record not here stands, and covers it when it comes."""
    core.say(seal("o1", indexes=[tag(CASE, "c1"), tag(CASE, "c9")]), COURT)
    core.say(admission(2, B, tag(CASE, "c9")))
    assert core.verdict(1, A) is SUPPRESSED
    assert core.verdict(2, B) is SUPPRESSED


def test_no_re_enrolment_shakes_off_an_order(core: Core) -> None:
    """Promise 3: indexes never end, and an order's record stays ordered under any version."""
    core.say(seal("o1", indexes=[tag(PHOTO, "p1")]), COURT)
    core.say(admission(1, A, tag(BOOKING, "b1"), tag(PHOTO, "another"), version=2))
    assert core.verdict(1, B) is SUPPRESSED


def test_of_several_versions_the_highest_counts_in_whatever_order_they_came(core: Core) -> None:
    """R2, rule 2: an older version never overwrites a newer one."""
    place = core.say(admission(1, A, version=3, record_class=e.RecordClass.MINOR))
    core.say(admission(1, A, version=2))
    assert core.verdict(1, B, as_of=place) is STANDS
    assert core.verdict(1, B) is NOT_GRANTED
    assert core.verdict(1, A) is NOT_GRANTED


def test_a_fact_holds_after_it_was_entered_and_up_to_where_it_ended(core: Core) -> None:
    """Rule 1: entered at E and ended at L, it holds iff E < N <= L."""
    entered = core.say(seal("o1", 1), COURT)
    core.say(e.ClockTicked(BASE))
    ended = core.say(unseal("u1", "o1"), COURT)
    assert {n: core.verdict(1, B, as_of=n) for n in range(entered, ended + 2)} == {
        entered: STANDS,
        entered + 1: SUPPRESSED,
        ended: SUPPRESSED,
        ended + 1: STANDS,
    }


def test_the_gallery_is_asked_for_own_blocks_and_granted_ones_only(core: Core) -> None:
    """R19: a grant picks blocks."""
    core.say(grant("g2", C, B, expires_at=minutes(1)), C)
    core.apply()
    question = Question(B, "serious-crime", "search", BOOKINGS)
    end = core.ledger.progress().next
    own, granted = (B, e.RecordClass.BOOKING), (A, e.RecordClass.BOOKING)
    assert blocks(core.ledger.facts(B, (), end), question, end) == {own, granted, (C, e.RecordClass.BOOKING)}
    core.log.now = minutes(1)
    core.say(e.ClockTicked(minutes(1)))
    core.apply()
    assert blocks(core.ledger.facts(B, (), end + 1), question, end + 1) == {own, granted}


def test_a_revoked_keys_later_orders_have_no_effect_and_its_earlier_ones_stand(core: Core) -> None:
    """Rule 7: a verdict over the journal's prefix."""
    from journals import key  # noqa: PLC0415 - this test alone

    core.say(seal("o1", 1), COURT)
    core.say(e.KeyRevoked(key(COURT).kid), ADMINISTRATOR)
    core.say(unseal("u1", "o1"), COURT)
    assert core.verdict(1, B) is SUPPRESSED
