"""What a search keeps: its face and candidates, encrypted under its own key, opened again for review, reveal and recall."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar, overload

from comity.domain import entries as e
from comity.domain.candidate import Candidate
from comity.domain.ids import Ori, RecordId, SearchId, candidates_context, search_key
from comity.domain.judge import Facts, Question, Verdict, verdict
from comity.domain.log import JOURNAL
from comity.domain.posting import Reveal, Review, Search, Withheld
from comity.errors import KeyShredded, NotFound
from comity.ports import Box, EventLog, KeyVault, LedgerView, Watch
from comity.wire import sealing
from comity.wire.envelope import from_entry

READ_SECONDS = 5.0
SHOWN, REVEALED = "shown", "identity revealed"
SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Proposed:
    """A candidate of an attempt: what the journal holds of it is the salted commitment alone."""

    candidate: Candidate
    commitment: bytes


@dataclass(frozen=True, slots=True)
class ProbeFace:
    """Which face was searched with: of which search's probe, its number there, and where it is."""

    search_id: SearchId
    number: int
    box: Box


@dataclass(frozen=True, slots=True)
class Kept:
    """A search as the journal has it: its last attempt, its place, the face, and what was proposed, best first."""

    entry: e.SearchPerformed
    place: int
    face: ProbeFace
    proposed: tuple[Proposed, ...]

    def question(self, right: str) -> Question:
        """Return the question that a further disclosure of this search asks."""
        return Question(self.entry.requester, self.entry.purpose, right, frozenset(self.entry.classes))

    def disclosed(self, facts: Facts) -> tuple[Proposed, ...]:
        """Return what this attempt disclosed: the first k that stood as of its own place (rules 4 and 5)."""
        question = self.question("search")
        standing = [p for p in self.proposed if verdict(facts, question, p.candidate.record_id, self.place) is Verdict.STANDS]
        return tuple(standing[: self.entry.shown_max])


def encrypt_candidates(
    key: bytes, search: SearchId, attempt: int, face: ProbeFace, candidates: Sequence[Candidate]
) -> tuple[bytes, tuple[Proposed, ...]]:
    """Return the ciphertext of the face and the candidates, and each candidate with its salted commitment."""
    salts = [secrets.token_bytes(SALT_BYTES) for _ in candidates]
    proposed = tuple(Proposed(c, sealing.commitment(salt, c.record_id)) for c, salt in zip(candidates, salts, strict=True))
    body = {
        "face": [face.search_id, face.number, face.box],
        "candidates": [[c.record_id, c.score, c.photo, salt.hex()] for c, salt in zip(candidates, salts, strict=True)],
    }
    return sealing.seal(key, json.dumps(body).encode(), context=candidates_context(search, attempt)), proposed


Act = TypeVar("Act", Review, Reveal)


def stood(ledger: LedgerView, kept: Kept, acts: Iterable[Act]) -> tuple[Act, ...]:
    """Return the last attempt of each review or reveal of a search, where what it names stood as of its own place.

    Of other attempts nobody was told anything but that they failed, so they count for nothing.
    """
    named = {p.commitment: p.candidate.record_id for p in kept.proposed}
    last = {_number(row): row for row in sorted(acts, key=lambda row: row.entered)}
    return tuple(row for row in last.values() if row.commitment in named and _stood(ledger, kept, row, named[row.commitment]))


def _number(act: Review | Reveal) -> str:
    return act.review_id if isinstance(act, Review) else act.reveal_id


def _stood(ledger: LedgerView, kept: Kept, act: Review | Reveal, record: RecordId) -> bool:
    question = kept.question("search" if isinstance(act, Review) else "reveal")
    facts = ledger.facts(kept.entry.requester, [record], act.entered)
    return verdict(facts, question, record, act.entered) is Verdict.STANDS


class Searches:
    """Opens kept searches."""

    def __init__(self, log: EventLog, ledger: LedgerView, watch: Watch, vault: KeyVault) -> None:
        self._log, self._ledger, self._watch, self._vault = log, ledger, watch, vault

    def open(self, search: SearchId, requester: str) -> Kept:
        """Return the last attempt of a search of this requester. Raises NotFound, whoever else's it is.

        It waits for what the journal's end was when it was asked, so that a caller finds what it has just entered.
        """
        self.catch_up()
        rows = self._ledger.rows(Search, search_id=search, requester=requester)
        if not rows or self._ledger.rows(Withheld, search_id=search):
            raise NotFound("There is no such search of yours.", advice="Search again.")
        return self.read(max(rows, key=lambda row: row.entered))

    def catch_up(self) -> None:
        """Wait until the ledger has applied what the journal's end is now, so that whoever asks finds what was just entered."""
        self._watch.wait(self._log.end(JOURNAL), READ_SECONDS)

    def read(self, row: Search) -> Kept:
        """Return an attempt with its candidates. Raises NotFound where the search's key was shredded."""
        entry = self._entry(row.entered)
        try:
            key = self._vault.open(search_key(entry.search_id))
        except KeyShredded:
            raise NotFound("This search is no longer kept.", advice="Search again.") from None
        plain = sealing.unseal(key, entry.candidates, context=candidates_context(entry.search_id, entry.attempt))
        body = json.loads(plain)
        return Kept(entry, row.entered, _face(*body["face"]), tuple(_proposed(*fields) for fields in body["candidates"]))

    def disclosed(self, kept: Kept) -> tuple[Proposed, ...]:
        """Return what this attempt disclosed, judged again from the ledger."""
        records = [p.candidate.record_id for p in kept.proposed]
        return kept.disclosed(self._ledger.facts(kept.entry.requester, records, kept.place))

    def candidate(self, kept: Kept, commitment: str) -> Proposed:
        """Return the disclosed candidate that a caller names by its commitment (hex). Raises NotFound."""
        for proposed in self.disclosed(kept):
            if proposed.commitment.hex() == commitment:
                return proposed
        raise NotFound("There is no such candidate.", advice="Open the search again.")

    def _entry(self, position: int) -> e.SearchPerformed:
        with self._log.open({JOURNAL: position}) as reader:
            batch = reader.poll(timeout_seconds=READ_SECONDS, entries_max=1).get(JOURNAL)
        event = from_entry(batch.entries[0].entry).event if batch and batch.entries else None
        if not isinstance(event, e.SearchPerformed):
            raise NotFound("The journal's entry could not be read back.", advice="Try again.")
        return event


def _face(search: str, number: int, box: Sequence[float]) -> ProbeFace:
    x, y, width, height = box
    return ProbeFace(SearchId(search), number, (x, y, width, height))


def _proposed(record: str, score: float, photo: int, salt: str) -> Proposed:
    record_id = RecordId(record)
    return Proposed(Candidate(record_id, score, photo), sealing.commitment(bytes.fromhex(salt), record_id))


@dataclass(frozen=True, slots=True)
class Exposure:
    """Somebody was shown a record: what no order can take back, and whom a recall must reach."""

    place: int
    search_id: SearchId
    requester: Ori
    user: str
    purpose: str
    rank: int
    what: str = SHOWN


@dataclass(frozen=True, slots=True)
class Exposures(Sequence[Exposure]):
    """Every disclosure of a record that could be read, oldest first, and how many searches could not be."""

    shown: tuple[Exposure, ...]
    unread: int

    @overload
    def __getitem__(self, index: int) -> Exposure: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Exposure, ...]: ...

    def __getitem__(self, index: int | slice) -> Exposure | tuple[Exposure, ...]:
        """Return one of them, or some."""
        return self.shown[index]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.shown)


def exposures(searches: Searches, ledger: LedgerView, record: RecordId) -> Exposures:
    """Return every disclosure of a record, recomputed from the journal: linear in the searches made.

    A search whose key is gone cannot be read: it may have shown the record, and is counted.
    """
    searches.catch_up()
    found: list[Exposure] = []
    unread, last = 0, dict[str, Search]()
    withheld = {row.search_id for row in ledger.every(Withheld)}
    for row in ledger.every(Search):
        if row.search_id not in withheld:
            last[row.search_id] = row
    for row in last.values():
        try:
            kept = searches.read(row)
        except (NotFound, sealing.Unsealable):
            unread += 1
            continue
        for rank, proposed in enumerate(searches.disclosed(kept), 1):
            if proposed.candidate.record_id == record:
                found.append(Exposure(row.entered, row.search_id, row.requester, row.user, row.purpose, rank))
                found += _revealed(ledger, kept, proposed, rank)
    return Exposures(tuple(sorted(found, key=lambda x: x.place)), unread)


def _revealed(ledger: LedgerView, kept: Kept, proposed: Proposed, rank: int) -> list[Exposure]:
    """Return the reveals of one candidate that stood at their own places."""
    rows = (row for row in ledger.rows(Reveal, search_id=kept.entry.search_id) if row.commitment == proposed.commitment)
    requester, purpose = kept.entry.requester, kept.entry.purpose
    return [
        Exposure(row.entered, row.search_id, requester, row.user, purpose, rank, REVEALED) for row in stood(ledger, kept, rows)
    ]
