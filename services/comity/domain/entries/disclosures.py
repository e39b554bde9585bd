"""What was shown to whom, and who was let in: entered by the exchange as it happens."""

from __future__ import annotations

from dataclasses import dataclass, field

from comity.domain.entries.words import BlindIndex, RecordClass
from comity.domain.ids import Ori, PartyId, PreviewId, SearchId, UserId


@dataclass(frozen=True, slots=True)
class SearchPerformed:
    """An attempt to answer a search: candidates encrypted under the search's own key, salted commitments in clear.

    ``authority`` (who allowed it) may name a person, so it is encrypted likewise. ``shown_max`` is k: the answer is the first k
    that stand as of this entry's own position. ``reopens`` names the search whose kept page is shown again.
    """

    search_id: SearchId
    attempt: int
    requester: Ori
    user: UserId
    purpose: str
    threshold: str
    offence: str
    authority: bytes = field(repr=False)
    case: BlindIndex
    classes: tuple[RecordClass, ...]
    shown_max: int
    model: str
    commitments: tuple[bytes, ...]
    candidates: bytes = field(repr=False)
    reopens: SearchId | None


@dataclass(frozen=True, slots=True)
class SearchWithheld:
    """A search was given up: nothing of it was released."""

    search_id: SearchId
    attempts: int
    reason: str


@dataclass(frozen=True, slots=True)
class RecordRevealed:
    """One candidate's identity was asked for, by one person, for a reason (encrypted under the search's key)."""

    reveal_id: str
    attempt: int
    search_id: SearchId
    search_attempt: int
    requester: Ori
    user: UserId
    purpose: str
    commitment: bytes
    reason: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReviewRecorded:
    """An examiner compared the probe with one candidate; the finding is encrypted under the search's key."""

    review_id: str
    attempt: int
    search_id: SearchId
    search_attempt: int
    requester: Ori
    user: UserId
    purpose: str
    commitment: bytes
    finding: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class OrderPreviewed:
    """A clerk was shown what an order would bind: the records encrypted under the preview's key, commitments in clear."""

    preview_id: PreviewId
    attempt: int
    party: PartyId
    user: UserId
    what: str
    statute: str
    commitments: tuple[bytes, ...]
    covers: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PersonAdministered:
    """Somebody was let in, shut out, given roles or a link, by somebody: pseudonyms alone."""

    act_id: str
    user: UserId
    party: PartyId
    roles: tuple[str, ...]
    action: str
    by: UserId
