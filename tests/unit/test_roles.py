"""Roles by kind of party: a table, written out a second time by hand, and what a request meets."""

from __future__ import annotations

import pytest

from comity.domain import roles
from comity.domain.ids import PartyId, UserId
from comity.domain.roles import HELD_BY, ROLES, PartyKind, kind_of, may_hold
from comity.errors import NotPermitted
from comity.ports import Person
from comity.web.session import require

AGENCY, COURT, EXCHANGE = PartyKind.AGENCY, PartyKind.COURT, PartyKind.EXCHANGE
PARTIES = {AGENCY: "WI0130000", COURT: "milwaukee-circuit-court", EXCHANGE: "exchange"}
EXPECTED = {
    roles.AGENCY_WRITER: {AGENCY},
    roles.CLERK: {AGENCY, COURT},
    roles.INVESTIGATOR: {AGENCY},
    roles.EXAMINER: {AGENCY},
    roles.AGENCY_ADMINISTRATOR: {AGENCY},
    roles.AUDITOR: {AGENCY, COURT, EXCHANGE},
    roles.OPERATOR: {EXCHANGE},
    roles.ADMINISTRATOR: {EXCHANGE},
}
PAIRS = [(role, kind) for role in ROLES for kind in PartyKind]


def test_every_role_has_holders() -> None:
    """R39: refused by default."""
    assert set(HELD_BY) == set(ROLES) == set(EXPECTED)
    assert not may_hold("emperor", "exchange")


@pytest.mark.parametrize(("role", "kind"), PAIRS)
def test_whose_people_hold_a_role_is_one_table(role: str, kind: PartyKind) -> None:
    assert may_hold(role, PARTIES[kind]) is (kind in EXPECTED[role])


@pytest.mark.parametrize(("role", "kind"), PAIRS)
def test_a_role_that_was_given_all_the_same_opens_nothing(role: str, kind: PartyKind) -> None:
    person = Person(UserId("u-1"), "Somebody", PartyId(PARTIES[kind]), frozenset({role}))
    if kind in EXPECTED[role]:
        assert require(person, role) is person
    else:
        with pytest.raises(NotPermitted, match=f"People of {kind}"):
            require(person, role)


@pytest.mark.parametrize("party", ["", "wi0130000", "WI01300000", "Exchange", "W10130000"])
def test_whatever_is_no_agency_and_not_the_exchange_is_a_court(party: str) -> None:
    assert kind_of(party) is COURT
