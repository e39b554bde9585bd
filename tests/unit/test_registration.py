"""Registrations by a signed event obey what the form obeys, wherever they come in (R21)."""

from __future__ import annotations

import pytest

from comity.domain import entries as e
from comity.domain.ids import KeyId, Ori, PartyId
from comity.domain.posting import Agency, Court, Key
from comity.domain.rows import Row
from journals import ADMINISTRATOR, COURT, A, Core, key

NEW = Ori("WI0990009")

IMPROPER = [
    e.CourtRegistered(PartyId("exchange"), "Some court"),
    e.CourtRegistered(PartyId("Ad-ministrator"), "Some court"),
    e.CourtRegistered(PartyId(A), "A court under an agency's id"),
    e.CourtRegistered(PartyId("wi0139999"), "A court under an ORI in small letters"),
    e.CourtRegistered(PartyId("../x"), "Some court"),
    e.CourtRegistered(PartyId("X" * 65), "Some court"),
    e.CourtRegistered(PartyId("X-CC"), "Exchange"),
    e.CourtRegistered(PartyId("X-CC"), "Cou\u202ert"),
    e.CourtRegistered(PartyId("X-CC"), " "),
    e.AgencyRegistered(NEW, "Operator", "county"),
    e.AgencyRegistered(NEW, "Police\u2066x", "county"),
    e.AgencyRegistered(NEW, "Some police", "no-such-class"),
    e.KeyRegistered(KeyId("own-key-1"), PartyId("exchange"), e.Role.COURT, key("new").public_bytes),
    e.KeyRegistered(KeyId("own-key-1"), PartyId(A), e.Role.COURT, key("new").public_bytes),
    e.KeyRegistered(KeyId("own-key-1"), COURT, e.Role.AGENCY, key("new").public_bytes),
    e.KeyRegistered(KeyId("own-key-1"), COURT, e.Role.EXCHANGE, key("new").public_bytes),
    e.KeyRegistered(KeyId("own-key-1"), PartyId(A), e.Role.ADMINISTRATOR, key("new").public_bytes),
]
MISPLACED = {
    e.CourtRegistered(PartyId(COURT.upper()), "Twin by case"): "party-known",
    e.CourtRegistered(COURT, "Another name"): "party-known",
    e.AgencyRegistered(A, "Another name", "county"): "party-known",
    e.KeyRegistered(KeyId("own-key-1"), PartyId("X-CC"), e.Role.COURT, key("new").public_bytes): "party-unknown",
    e.KeyRegistered(KeyId("own-key-1"), PartyId(NEW), e.Role.AGENCY, key("new").public_bytes): "party-unknown",
    e.KeyRegistered(KeyId("own-key-1"), PartyId(COURT.upper()), e.Role.COURT, key("new").public_bytes): "party-unknown",
}


def rows(core: Core) -> list[Row]:
    """Return who takes part, with which keys."""
    return [row for kind in (Agency, Court, Key) for row in core.ledger.rows(kind)]


@pytest.fixture
def core() -> Core:
    return Core().found()


@pytest.mark.parametrize("event", IMPROPER, ids=str)
def test_an_improper_registration_by_event_has_no_effect(core: Core, event: e.JournalEntry) -> None:
    assert refused(core, event) == "improper-party"


@pytest.mark.parametrize("event", MISPLACED, ids=str)
def test_a_registration_that_does_not_fit_those_before_it_has_no_effect(core: Core, event: e.JournalEntry) -> None:
    assert refused(core, event) == MISPLACED[event]


def test_parties_are_known_again_after_a_restart(core: Core) -> None:
    core.projection.starts()
    assert refused(core, e.CourtRegistered(PartyId(COURT.upper()), "Twin by case")) == "party-known"


def refused(core: Core, event: e.JournalEntry) -> str | None:
    """Say an event as the administrator, see that nothing came of it, and return why."""
    before = rows(core)
    position = core.say(event, ADMINISTRATOR)
    core.apply()
    assert rows(core) == before
    (posted,) = core.ledger.refusals_between(position, position + 1)
    return posted.refused.reason if posted.refused else None
