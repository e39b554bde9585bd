"""The roles in which people sign in (R39), and whose people may hold each: one table, for services, desk and commands."""

from __future__ import annotations

from enum import StrEnum

from comity.domain.ids import ori

AGENCY_WRITER, CLERK, INVESTIGATOR, EXAMINER = "agency-writer", "clerk", "investigator", "examiner"
AGENCY_ADMINISTRATOR, AUDITOR, OPERATOR, ADMINISTRATOR = "agency-administrator", "auditor", "operator", "administrator"
ROLES = (AGENCY_WRITER, CLERK, INVESTIGATOR, EXAMINER, AGENCY_ADMINISTRATOR, AUDITOR, OPERATOR, ADMINISTRATOR)


class PartyKind(StrEnum):
    """What a party is, as far as roles go."""

    AGENCY = "an agency"
    COURT = "a court"
    EXCHANGE = "the exchange"


_OWN_NAMES = frozenset({"exchange", "administrator"})  # the exchange's own parties; a court cannot be registered as one
_AGENCY = frozenset({PartyKind.AGENCY})
_ORDERS = frozenset({PartyKind.AGENCY, PartyKind.COURT})  # an owner seals its own records, a court anybody's
_EXCHANGE = frozenset({PartyKind.EXCHANGE})

# Searching, comparing, publishing and granting are an agency's acts: the ledger knows no other requester.
HELD_BY: dict[str, frozenset[PartyKind]] = {
    AGENCY_WRITER: _AGENCY,
    CLERK: _ORDERS,
    INVESTIGATOR: _AGENCY,
    EXAMINER: _AGENCY,
    AGENCY_ADMINISTRATOR: _AGENCY,
    AUDITOR: frozenset(PartyKind),
    OPERATOR: _EXCHANGE,
    ADMINISTRATOR: _EXCHANGE,
}


def kind_of(party: str) -> PartyKind:
    """Return what a party is, by its name: an ORI is an agency's, two names are the exchange's, any other is a court's."""
    if party in _OWN_NAMES:
        return PartyKind.EXCHANGE
    try:
        ori(party)
    except ValueError:
        return PartyKind.COURT
    return PartyKind.AGENCY


def may_hold(role: str, party: str) -> bool:
    """Say whether people of this party may act in this role."""
    return kind_of(party) in HELD_BY.get(role, frozenset())


def holders(role: str) -> str:
    """Return whose people may hold a role, in words."""
    return " or ".join(kind for kind in PartyKind if kind in HELD_BY[role])
