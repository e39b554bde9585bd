"""Who takes part, with which keys, under which policy: entered by the administrator."""

from __future__ import annotations

from dataclasses import dataclass

from comity.domain.entries.words import Role
from comity.domain.ids import ExchangeId, KeyId, Ori, PartyId


@dataclass(frozen=True, slots=True)
class ExchangeFounded:
    """What a journal begins with: the exchange's own id, which signatures name, and the administrator's key, self-signed."""

    exchange_id: ExchangeId
    kid: KeyId
    public_key: bytes


@dataclass(frozen=True, slots=True)
class AgencyRegistered:
    """An agency may take part; its class is set here (R21)."""

    ori: Ori
    name: str
    requester_class: str


@dataclass(frozen=True, slots=True)
class CourtRegistered:
    """A court may enter orders."""

    court_id: PartyId
    name: str


@dataclass(frozen=True, slots=True)
class KeyRegistered:
    """A party's public signing key (Ed25519, 32 bytes) holds from here on."""

    kid: KeyId
    party: PartyId
    role: Role
    public_key: bytes
    act_id: str = ""  # drawn: what was refused once can be said again


@dataclass(frozen=True, slots=True)
class KeyRevoked:
    """A key ends here; and from ``void_from`` on its unseals, lifts and grants never counted (rule 13)."""

    kid: KeyId
    void_from: int | None = None
    act_id: str = ""


@dataclass(frozen=True, slots=True)
class TicksVoided:
    """Readings of the clock at these positions, both included, were wrong: they count for nothing from here on."""

    first: int
    last: int
    reason: str


@dataclass(frozen=True, slots=True)
class ClockConfirmed:
    """A jump of the clock, by the position of its tick, was looked at and is right: what it held back goes on."""

    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class LossAccepted:
    """Entries that had been acknowledged are gone for good, and the journal goes on without them: what was known of them last."""

    next: int
    head: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class PolicyAdopted:
    """The digest of the role, purpose and mode tables in force from here on."""

    sha256: bytes
