"""An examiner compares a candidate with the probe; identity is revealed on that, with a reason, one at a time (R27, R30)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from comity.acts.opened import Opened
from comity.acts.release import Answer, Disclosure, Proposal, Release
from comity.acts.searches import Kept, Proposed, Searches, stood
from comity.domain import entries as e
from comity.domain.ids import Ori, SearchId, UserId, search_key
from comity.domain.log import JOURNAL
from comity.domain.posting import Reveal, Review, Search
from comity.errors import InvalidInput, NotFound, NotPermitted
from comity.ports import EventLog, KeyVault, LedgerView
from comity.wire import sealing
from comity.wire.envelope import from_entry

FINDINGS = ("possible", "excluded", "inconclusive")
TEXT_MAX = 2_000
REOPENED_MAX = 100  # copies of copies that are followed


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A review's number and place."""

    review_id: str
    place: int
    finding: str
    again: bool  # it stood already, and was asked for again


@dataclass(frozen=True, slots=True)
class Revealed:
    """One record's identity, as the owner's particulars give it."""

    reveal_id: str
    place: int
    owner: str
    particulars: dict[str, Any] = field(repr=False)
    again: bool = False  # it stood already, and is judged anew


class Examine:
    """Review and reveal: each takes its own place in the journal and is judged there."""

    def __init__(
        self, *, log: EventLog, ledger: LedgerView, vault: KeyVault, release: Release, opened: Opened, searches: Searches
    ) -> None:
        self._log, self._ledger, self._vault = log, ledger, vault
        self._release, self._opened, self._searches = release, opened, searches

    def review(
        self,
        search: SearchId,
        candidate: str,
        requester: Ori,
        user: UserId,
        finding: str,
        notes: str,
        *,
        own: str | None = None,
    ) -> Reviewed:
        """Record an examiner's finding on a candidate; asked for again under ``own`` as its number, it is the same review.

        Raises InvalidInput for an unknown finding, NotPermitted for the searcher's own review, NotFound where the candidate
        is not, or no longer, there.
        """
        if finding not in FINDINGS:
            raise InvalidInput(f"Unknown finding {finding!r:.40}.", advice=f"Use one of: {', '.join(FINDINGS)}.")
        kept, proposed = self._candidate(search, candidate, requester)
        if user == self._searcher(kept):
            raise NotPermitted("Whoever searched cannot review.", advice="Ask another examiner: two people look.")
        review_id = own or secrets.token_hex(12)
        first = _next(self._ledger.rows(Review, review_id=review_id))
        sealed = self._seal(kept, f"finding/{review_id}", {"finding": finding, "notes": notes[:TEXT_MAX]})
        entry = e.ReviewRecorded(
            review_id, first, search, kept.entry.attempt, requester, user, kept.entry.purpose, proposed.commitment, sealed
        )

        def render(disclosure: Disclosure) -> Reviewed | None:
            return Reviewed(review_id, disclosure.place, finding, first > 0) if disclosure.records else None

        return self._one(kept, proposed, entry, "search", render)

    def reveal(
        self, search: SearchId, candidate: str, requester: Ori, user: UserId, reason: str, *, own: str | None = None
    ) -> Revealed:
        """Reveal one candidate's identity. Raises NotPermitted without another person's review that says possible.

        Asked for again under ``own`` as its number, it is a further attempt of the same reveal, judged anew.
        """
        if not reason.strip():
            raise InvalidInput("A reveal needs a reason.", advice="Write why this identity is needed.")
        kept, proposed = self._candidate(search, candidate, requester)
        if not any(self._possible(kept, row) for row in self._reviews(kept, proposed, user)):
            raise NotPermitted(
                "Identity is revealed only after another person's review found the candidate possible.",
                advice="Ask an examiner to review this candidate first.",
            )
        reveal_id = own or secrets.token_hex(12)
        first = _next(self._ledger.rows(Reveal, reveal_id=reveal_id))
        sealed = self._seal(kept, f"reason/{reveal_id}", {"reason": reason[:TEXT_MAX]})
        entry = e.RecordRevealed(
            reveal_id, first, search, kept.entry.attempt, requester, user, kept.entry.purpose, proposed.commitment, sealed
        )

        def render(disclosure: Disclosure) -> Revealed | None:
            for record in disclosure.records:
                particulars = self._opened.particulars(disclosure, record)
                if particulars is not None:
                    return Revealed(reveal_id, disclosure.place, disclosure.owner(record), particulars, first > 0)
            return None

        return self._one(kept, proposed, entry, "reveal", render)

    def _candidate(self, search: SearchId, candidate: str, requester: Ori) -> tuple[Kept, Proposed]:
        kept = self._searches.open(search, requester)
        return kept, self._searches.candidate(kept, candidate)

    def _one(
        self,
        kept: Kept,
        proposed: Proposed,
        entry: e.ReviewRecorded | e.RecordRevealed,
        right: str,
        render: Callable[[Disclosure], Answer | None],
    ) -> Answer:
        """Release one candidate, rendered before it leaves, so that an answer too old is released again."""

        def propose(attempt: int) -> Proposal:
            again = replace(entry, attempt=entry.attempt + attempt)
            return Proposal(again, kept.entry.search_id, (proposed.candidate.record_id,), 1, complete=True)

        answer = self._release(kept.question(right), propose, render)
        if answer is None:
            raise NotFound("There is no such candidate.", advice="Open the search again.")
        return answer

    def _searcher(self, kept: Kept) -> str:
        """Return who made the search, whoever opened it again since: a reopened copy makes nobody another person."""
        user, search = str(kept.entry.user), kept.entry.reopens
        for _ in range(REOPENED_MAX):
            rows = self._ledger.rows(Search, search_id=search) if search else ()
            if not rows:
                break
            user, search = rows[-1].user, rows[-1].reopens
        return user

    def _reviews(self, kept: Kept, proposed: Proposed, user: UserId) -> tuple[Review, ...]:
        """Return other people's reviews of a candidate that were recorded: one that was refused at its place is none."""
        rows = self._ledger.rows(Review, search_id=kept.entry.search_id)
        return stood(self._ledger, kept, (r for r in rows if r.user != user and r.commitment == proposed.commitment))

    def _possible(self, kept: Kept, row: Review) -> bool:
        with self._log.open({JOURNAL: row.entered}) as reader:
            batch = reader.poll(timeout_seconds=5.0, entries_max=1).get(JOURNAL)
        event = from_entry(batch.entries[0].entry).event if batch and batch.entries else None
        if not isinstance(event, e.ReviewRecorded):
            return False
        key = self._vault.open(search_key(kept.entry.search_id))
        plain = sealing.unseal(key, event.finding, context=f"finding/{event.review_id}".encode())
        return bool(json.loads(plain)["finding"] == "possible")

    def _seal(self, kept: Kept, context: str, body: dict[str, str]) -> bytes:
        key = self._vault.open(search_key(kept.entry.search_id))
        return sealing.seal(key, json.dumps(body).encode(), context=context.encode())


def _next(attempts: Sequence[Review | Reveal]) -> int:
    """Return the number of the next attempt: one asked for again goes on where it was."""
    return 1 + max((row.attempt for row in attempts), default=-1)
