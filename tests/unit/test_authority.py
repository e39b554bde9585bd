"""Who may enter what: a closed table, and every wrong signer refused (DESIGN §3, rule 7, R18a, R33)."""

from __future__ import annotations

import typing
from types import UnionType

import pytest
from hypothesis import HealthCheck, given, settings

from comity.domain import authority
from comity.domain import entries as e
from comity.domain.ids import KeyId, PartyId
from comity.domain.posting import Key, Signer, post
from journals import BASE, A, B, grant
from strategies import events, events_of

JOURNAL_TYPES: tuple[type, ...] = typing.get_args(e.JournalEntry)
OUTSIDE: tuple[type, ...] = (e.RecordEnrolled, e.TemplatesExtracted, e.EnrolmentRejected)


def held(role: e.Role, party: str = A) -> Key:
    return Key(entered=0, kid=KeyId("k"), party=PartyId(party), role=role, public_key=bytes(32))


def test_every_type_of_the_journal_has_its_row_and_no_other_type_has_one() -> None:
    """DESIGN §3: a closed table."""
    assert isinstance(e.JournalEntry, UnionType)
    assert set(e.MAY_ENTER) == set(JOURNAL_TYPES)
    assert all(roles for roles in e.MAY_ENTER.values())
    assert set(typing.get_args(e.Event)) == set(JOURNAL_TYPES) | set(OUTSIDE)


@pytest.mark.parametrize("kind", [*JOURNAL_TYPES, *OUTSIDE])
def test_each_role_enters_what_the_table_says_and_nothing_else(kind: type) -> None:
    """R33, R39: refused by default."""

    @settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow])
    @given(events_of(kind))
    def check(event: e.Event) -> None:
        party = str(event.owner) if isinstance(event, e.ShareGranted) else A
        entered = {role for role in e.Role if authority.refuse(event, 7, held(role, party), genesis=False) is None}
        assert entered == e.MAY_ENTER.get(kind, frozenset())

    check()


def test_no_disclosure_duty_or_admission_can_be_entered_by_a_party() -> None:
    """R33: the services' own words, in the exchange's own hand."""
    own = {*typing.get_args(e.Act), *typing.get_args(e.Duty), e.RecordsAdmitted}
    assert {kind for kind, roles in e.MAY_ENTER.items() if e.Role.EXCHANGE in roles} == own
    assert all(e.MAY_ENTER[kind] == {e.Role.EXCHANGE} for kind in own)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(events())
def test_an_unknown_key_enters_nothing(event: e.Event) -> None:
    """Rule 7: nor does the administrator's, after the first position or once a key is known."""
    assert authority.refuse(event, 7, None, genesis=False) is not None
    assert authority.refuse(event, 7, None, genesis=True) is not None
    assert authority.refuse(event, 0, None, genesis=False) is not None


@given(events_of(e.KeyRegistered))
def test_the_first_key_is_the_administrators_own_at_position_0(event: e.KeyRegistered) -> None:
    """DESIGN §3: position 0 is the root of trust."""
    taken = authority.refuse(event, 0, None, genesis=True) is None
    assert taken is (event.role is e.Role.ADMINISTRATOR)


def test_an_agency_grants_its_own_records_only() -> None:
    """R19, R55."""
    refusal = authority.refuse(grant("g", B, A), 7, held(e.Role.AGENCY, A), genesis=False)
    assert refusal is not None
    assert refusal.reason == "not-yours"


def test_orders_and_acts_carry_their_own_id_and_a_revocation_and_duties_do_not() -> None:
    """Rule 10: what is deduplicated has an id under the signature."""
    fields = {kind: set(kind.__dataclass_fields__) for kind in typing.get_args(e.Order)}
    assert {kind for kind, names in fields.items() if not names & {"order_id", "grant_id"}} == set()
    assert authority.event_id(grant("g", A, B)) == "g"
    assert authority.event_id(e.ShareRevoked(grant("g", A, B).grant_id)) is None


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(events())
def test_posting_takes_every_entry_of_the_journal(event: e.Event) -> None:
    """Rule 7: only storage stops the projector, so no event may make posting fail."""
    if isinstance(event, JOURNAL_TYPES):
        post(event, 3, Signer(PartyId(A), e.Role.AGENCY), BASE)  # type: ignore[arg-type]
