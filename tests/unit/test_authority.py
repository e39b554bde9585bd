"""Who may enter what: a closed table, and every wrong signer refused (DESIGN §3, rule 7, R18a, R33)."""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import UnionType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from comity.domain import authority
from comity.domain import entries as e
from comity.domain.ids import KeyId, PartyId
from comity.domain.posting import Key, Signer, post
from comity.domain.sharing import LASTS_MAX
from journals import BASE, COURT, A, B, grant, lift, unseal
from strategies import events, events_of

JOURNAL_TYPES: tuple[type, ...] = typing.get_args(e.JournalEntry)
OUTSIDE: tuple[type, ...] = (e.RecordEnrolled, e.TemplatesExtracted, e.EnrolmentRejected)


def held(role: e.Role, party: str = A) -> Key:
    return Key(entered=0, key_id=KeyId("k"), party=PartyId(party), role=role, public_key=bytes(32))


def reason(event: e.Event, role: e.Role, party: str = A) -> str | None:
    key = held(role, party)
    refusal = authority.refuse(event, key, founded=True) or authority.refuse_terms(event, key, BASE)
    return refusal.reason if refusal else None


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
        refused = {role: authority.refuse(event, held(role), founded=True) for role in e.Role}
        entered = {role for role, refusal in refused.items() if refusal is None}
        assert entered == (frozenset() if kind is e.ExchangeFounded else e.MAY_ENTER.get(kind, frozenset()))

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
    assert authority.refuse(event, None, founded=True) is not None
    assert (authority.refuse(event, None, founded=False) is None) is isinstance(event, e.ExchangeFounded)


@given(events_of(e.ExchangeFounded))
def test_an_exchange_is_founded_once(event: e.ExchangeFounded) -> None:
    """DESIGN §3: the first founding entry is the root of trust; not even the administrator founds it again."""
    assert authority.refuse(event, None, founded=False) is None
    again = authority.refuse(event, held(e.Role.ADMINISTRATOR), founded=True)
    assert again is not None
    assert again.reason == "founded"


def test_an_agency_grants_its_own_records_only() -> None:
    """R19, R55."""
    assert reason(grant("g", B, A), e.Role.AGENCY) == "not-yours"
    assert reason(grant("g", A, B), e.Role.AGENCY) is None


@pytest.mark.parametrize(
    "terms",
    [
        {"expires_at": BASE + LASTS_MAX + timedelta(milliseconds=1)},
        {"purposes": ("immigration-enforcement",)},
        {"purposes": ("serious-crime", "anything")},
        {"purposes": ()},
        {"rights": ("search", "copy")},
        {"rights": ()},
        {"classes": (e.RecordClass.BOOKING, e.RecordClass.MINOR)},
        {"classes": ()},
        {"grantee": A},
    ],
)
def test_a_grant_by_event_obeys_what_the_form_obeys(terms: dict[str, Any]) -> None:
    """R3, R19, R23: whoever enters it, and however."""
    assert reason(replace(grant("g", A, B), **terms), e.Role.AGENCY) == "unlawful-grant"
    assert reason(grant("g", A, B, expires_at=BASE + LASTS_MAX), e.Role.AGENCY) is None


@pytest.mark.parametrize("end", [unseal, lift])
def test_another_partys_order_is_ended_by_a_court_that_names_its_authority_alone(end: Callable[..., e.Lift]) -> None:
    """R18a: an order's name is whose it is, and its id."""
    assert reason(end("u", "o1", of=A), e.Role.AGENCY) is None
    assert reason(end("u", "o1", of=COURT), e.Role.COURT, COURT) is None
    assert reason(end("u", "o1", of=COURT), e.Role.AGENCY) == "not-yours"
    assert reason(end("u", "o1", of=COURT, authority="a statute"), e.Role.AGENCY) == "not-yours"
    assert reason(end("u", "o1", of=A), e.Role.COURT, COURT) == "no-authority"
    assert reason(end("u", "o1", of=A, authority="  "), e.Role.COURT, COURT) == "no-authority"
    assert reason(end("u", "o1", of=A, authority="Order of 4 March"), e.Role.COURT, COURT) is None


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
        post(event, 3, Signer(PartyId(A), e.Role.AGENCY, KeyId("k")), BASE)  # type: ignore[arg-type]
