"""Who may be registered, and as what: one rule for the form, the event and the ledger (R21)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from comity.domain import names
from comity.domain.entries import AgencyRegistered, CourtRegistered, KeyRegistered, Role
from comity.domain.ids import PARTY_FORM, is_ori
from comity.domain.policy import REQUESTER_CLASSES

Registered = AgencyRegistered | CourtRegistered | KeyRegistered

_COURTS_OWN = "Use the court's own, such as WI-MILWAUKEE-CC."
_OWN_PARTY = {Role.ADMINISTRATOR: "administrator", Role.EXCHANGE: "exchange"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a registration, and what to do about it."""

    message: str
    advice: str


def improper(event: Registered) -> Fault | None:
    """Return what is wrong with a registration by its own words, or None."""
    match event:
        case AgencyRegistered():
            return _improper_agency(event)
        case CourtRegistered():
            return _improper_court(event.court_id) or improper_name(event.name)
        case KeyRegistered():
            return _improper_holder(event)


def improper_name(name: str) -> Fault | None:
    """Return what is wrong with a name that is to be shown as a party's, or None."""
    if (wrong := names.fault(name)) is not None:
        return Fault(f"A name {wrong}.", "Type the name anew, without copying it.")
    if names.is_reserved(name):
        return Fault("This name speaks for the exchange itself.", "Use the name that the public knows the party by.")
    return None


def taken(event: Registered, parties: Iterable[str]) -> Fault | None:
    """Return why a registration does not fit the parties that were registered before it, or None.

    Two parties' ids differ by more than their case; a key is a registered party's.
    """
    if isinstance(event, KeyRegistered):
        if event.role in _OWN_PARTY or event.party in parties:
            return None
        return Fault(f"No such {event.role} is registered.", "Register it first.")
    new = event.ori if isinstance(event, AgencyRegistered) else event.court_id
    for party in parties:
        if party.casefold() == new.casefold():
            return Fault(f"{party} is registered already.", "To add a key, register the key alone.")
    return None


def _improper_agency(event: AgencyRegistered) -> Fault | None:
    if event.requester_class not in REQUESTER_CLASSES:
        return Fault(f"Unknown class {event.requester_class!r:.40}.", f"Use one of: {', '.join(REQUESTER_CLASSES)}.")
    return improper_name(event.name)


def _improper_court(court: str) -> Fault | None:
    if names.is_reserved(court):
        return Fault("This id is the exchange's own.", _COURTS_OWN)
    if is_ori(court):
        return Fault("This id has the form of an agency's.", _COURTS_OWN)
    if re.fullmatch(PARTY_FORM, court) is None:
        return Fault("A court's id has up to 64 letters, digits, dots, hyphens and underscores.", _COURTS_OWN)
    return None


def _improper_holder(event: KeyRegistered) -> Fault | None:
    """Return why a key cannot be this party's in this role: an order is judged by its key's role."""
    own = _OWN_PARTY.get(event.role)
    if own is not None:
        fits = event.party == own
    elif event.role is Role.AGENCY:
        fits = is_ori(event.party) and event.party.isupper()
    else:
        fits = _improper_court(event.party) is None
    return None if fits else Fault(f"This party cannot hold a key of role {event.role}.", "Name the party's own role.")
