"""A search: policy, probe, the gallery proposes, the ledger disposes (R23-R26, R30, R32)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from comity.acts.indexes import Indexer
from comity.acts.opened import Opened
from comity.acts.release import Disclosure, Proposal, Release
from comity.acts.searches import Kept, Proposed, Searches, seal_candidates
from comity.domain import entries as e
from comity.domain.candidate import SHOWN_DEFAULT, SHOWN_MAX, Candidate, rank
from comity.domain.ids import Ori, SearchId, UserId, probe_name, search_key
from comity.domain.judge import Question, Verdict, blocks, verdict
from comity.domain.policy import Ruling, rule
from comity.errors import InvalidInput, NotPermitted, PhotographRefused, Unavailable
from comity.ports import Block, Candidates, Extracted, FaceEncoder, KeyVault, LedgerView, PhotoStore, Vector
from comity.wire import sealing

SLACK = 8  # proposed beyond k, so that an order in between costs no second attempt (rule 5)
SCORE_FLOOR = 0.36  # about 1 false accept in 1,000 pairs of real faces for this model: a lead at most, never an identification
DEPTH_MAX = 1 << 20
CAVEAT = "Candidates are investigative leads only. A score is no probability, and a candidate is no probable cause for arrest."


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What an investigator asks, structured and complete (R23)."""

    requester: Ori
    user: UserId
    probe: bytes = field(repr=False)
    purpose: str
    threshold: str
    offence: str
    authority: str
    case_number: str
    classes: frozenset[e.RecordClass] = frozenset({e.RecordClass.BOOKING})
    shown_max: int = SHOWN_DEFAULT
    face: int | None = None
    after: int = -1  # the place of an earlier answer: a journal that goes back to before it is refused (R36)


@dataclass(frozen=True, slots=True)
class Shown:
    """One candidate as it leaves: an opaque name, rank, score, whose record, and its photograph where the grant says view."""

    candidate: str
    rank: int
    score: float
    owner: str
    photograph: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """A candidate list with what it was made from. ``place`` is for the exchange alone; callers get an opaque watermark."""

    search_id: SearchId
    place: int
    candidates: tuple[Shown, ...]
    model: str
    score_floor: float
    probe_quality: float | None
    judged_at: datetime
    caveat: str = CAVEAT


@dataclass(frozen=True, kw_only=True)
class Search:
    """Finds candidates for a probe, and opens a kept search again: both leave through the release."""

    ledger: LedgerView
    gallery: Candidates
    encoder: FaceEncoder
    vault: KeyVault
    photos: PhotoStore
    indexer: Indexer
    release: Release
    opened: Opened
    searches: Searches
    now: Callable[[], datetime]

    def __call__(self, request: SearchRequest) -> SearchAnswer:
        """Search. Raises NotPermitted (policy), PhotographRefused (probe; several faces: pick one), Unavailable."""
        ruling, why = rule(request.purpose, request.threshold, request.offence, request.classes)
        if ruling is not Ruling.ALLOW:
            raise NotPermitted(why, advice="State a purpose, threshold and offence that the policy allows.")
        if not 1 <= request.shown_max <= SHOWN_MAX:
            raise InvalidInput(f"Between 1 and {SHOWN_MAX} candidates can be shown.", advice=f"The default is {SHOWN_DEFAULT}.")
        if not request.authority.strip():
            raise InvalidInput("A search names who authorised it.", advice="Send the supervisor's or the warrant's number.")
        template = self._template(request)
        search = SearchId(secrets.token_hex(12))
        key = self.vault.issue(search_key(search))
        name = probe_name(search)
        self.photos.put(name, sealing.seal(key, request.probe, context=name.encode()))
        question = Question(request.requester, request.purpose, "search", request.classes)
        entry = self._entry(request, search)
        proposed: list[Proposed] = []

        def propose(attempt: int) -> Proposal:
            candidates, complete = self._choose(template.vector, question, request.shown_max)
            ciphertext, proposed[:] = seal_candidates(key, search, attempt, candidates)
            filled = entry(attempt, tuple(p.commitment for p in proposed), ciphertext)
            return Proposal(filled, search, tuple(c.record_id for c in candidates), request.shown_max, complete)

        def render(disclosure: Disclosure) -> SearchAnswer:
            if disclosure.place <= request.after:
                raise Unavailable(
                    "The journal is behind an answer that you have; nothing was disclosed.", advice="Tell the operator."
                )
            return self._render(disclosure, search, proposed, template.quality)

        return self.release(question, propose, render)

    def reopen(self, search: SearchId, requester: Ori, user: UserId) -> SearchAnswer:
        """Show a kept search again: judged anew, so what fell since is blank (R18 d)."""
        kept = self.searches.open(search, requester)
        again = SearchId(secrets.token_hex(12))
        key, disclosed = self.vault.issue(search_key(again)), self.searches.disclosed(kept)
        self._copy_probe(kept, again, key)
        proposed: list[Proposed] = []

        def propose(attempt: int) -> Proposal:
            candidates = [p.candidate for p in disclosed]
            ciphertext, proposed[:] = seal_candidates(key, again, attempt, candidates)
            entry = _reopened(kept.entry, again, attempt, user, tuple(p.commitment for p in proposed), ciphertext)
            return Proposal(entry, again, tuple(c.record_id for c in candidates), max(1, len(candidates)), complete=True)

        return self.release(kept.question("search"), propose, lambda d: self._render(d, again, proposed, None))

    def _template(self, request: SearchRequest) -> Extracted:
        picture = self.encoder.open(request.probe)
        if not picture.faces:
            raise PhotographRefused("no-face", "No face was found in the probe.", advice="Try a larger or sharper picture.")
        if len(picture.faces) > 1 and request.face is None:
            boxes = " ".join(f"{i}:{'/'.join(str(round(v)) for v in face.box)}" for i, face in enumerate(picture.faces))
            raise PhotographRefused(
                "several-faces", "There are several faces in the probe.", advice="Pick one with `face`.", faces=boxes
            )
        if not 0 <= (chosen := request.face or 0) < len(picture.faces):
            raise PhotographRefused("no-such-face", f"The probe has {len(picture.faces)} face(s), counted from 0.")
        return picture.extract(chosen)

    def _choose(self, probe: Vector, question: Question, shown_max: int) -> tuple[list[Candidate], bool]:
        """Return the first k and some slack of what stands now, best first, and whether there is nothing further."""
        facts = self.ledger.facts(question.requester, [], self.ledger.progress().next)
        pool = [Block(owner, record_class) for owner, record_class in blocks(facts, question, facts.applied)]
        wanted, depth = shown_max + SLACK, 2 * (shown_max + SLACK)
        while True:
            near = self.gallery.nearest(probe, pool, depth)
            wide = probe.astype(np.float64)
            scored = [(hit.record_id, hit.photo, float(wide @ hit.vector.astype(np.float64))) for hit in near.hits]
            ranked = rank(scored, SCORE_FLOOR)
            below = near.exhausted or min((s for *_, s in scored), default=0.0) < SCORE_FLOOR
            judged = self.ledger.facts(question.requester, [c.record_id for c in ranked], facts.applied)
            standing = [c for c in ranked if verdict(judged, question, c.record_id, judged.applied) is Verdict.STANDS]
            if below or len(standing) >= wanted or depth >= DEPTH_MAX:
                return standing[:wanted], below and len(standing) <= wanted
            depth *= 2

    def _entry(self, request: SearchRequest, search: SearchId) -> Callable[[int, tuple[bytes, ...], bytes], e.SearchPerformed]:
        try:
            case = self.indexer.index(e.IndexKind.AGENCY_CASE, request.case_number, request.requester)
        except ValueError:
            raise InvalidInput("A search names its agency case number.", advice="Send case_number.") from None
        key = self.vault.issue(search_key(search))
        authority = sealing.seal(key, request.authority.encode(), context=f"authority/{search}".encode())

        def filled(attempt: int, commitments: tuple[bytes, ...], ciphertext: bytes) -> e.SearchPerformed:
            return e.SearchPerformed(
                search_id=search,
                attempt=attempt,
                requester=request.requester,
                user=request.user,
                purpose=request.purpose,
                threshold=request.threshold,
                offence=request.offence,
                authority=authority,
                case=case,
                classes=tuple(sorted(request.classes)),
                shown_max=request.shown_max,
                model=self.encoder.model,
                commitments=commitments,
                candidates=ciphertext,
                reopens=None,
            )

        return filled

    def _render(self, disclosure: Disclosure, search: SearchId, proposed: list[Proposed], quality: float | None) -> SearchAnswer:
        by_record = {p.candidate.record_id: p for p in proposed}
        shown = tuple(
            Shown(
                by_record[record].commitment.hex(),
                number,
                by_record[record].candidate.score,
                disclosure.owner(record),
                self.opened.photograph(disclosure, record, by_record[record].candidate.photo),
            )
            for number, record in enumerate(disclosure.records, 1)
        )
        return SearchAnswer(search, disclosure.place, shown, self.encoder.model, SCORE_FLOOR, quality, self.now())

    def _copy_probe(self, kept: Kept, again: SearchId, key: bytes) -> None:
        probe = self.opened.probe(kept.entry.search_id)
        if probe is not None:
            name = probe_name(again)
            self.photos.put(name, sealing.seal(key, probe, context=name.encode()))


def _reopened(
    kept: e.SearchPerformed, again: SearchId, attempt: int, user: UserId, commitments: tuple[bytes, ...], ciphertext: bytes
) -> e.SearchPerformed:
    return replace(
        kept, search_id=again, attempt=attempt, user=user, commitments=commitments, candidates=ciphertext, reopens=kept.search_id,
        shown_max=max(1, len(commitments)),
    )  # fmt: skip
