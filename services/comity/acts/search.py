"""A search: policy, probe, the gallery proposes, the ledger disposes (R23-R26, R30, R32)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

import numpy as np

from comity.acts.indexes import Indexer
from comity.acts.opened import PAGE_SIDE, Album, Opened, Wanted
from comity.acts.probes import Probes
from comity.acts.release import Disclosure, Proposal, Release
from comity.acts.searches import ProbeFace, Proposed, Searches, encrypt_candidates
from comity.domain import entries as e
from comity.domain.candidate import SHOWN_DEFAULT, SHOWN_MAX, Candidate, rank
from comity.domain.ids import Ori, SearchId, UserId, search_key
from comity.domain.judge import Question, Verdict, blocks, verdict
from comity.domain.policy import Ruling, rule
from comity.errors import InvalidInput, NotAppended, NotPermitted, PhotographRefused, Unavailable
from comity.ports import Block, Candidates, Drawing, Drawn, Extracted, FaceEncoder, KeyVault, LedgerView, Picture, Vector
from comity.wire import sealing

SLACK = 8  # proposed beyond k, so that an order in between costs no second attempt (rule 5)
SCORE_FLOOR = 0.36  # about 1 false accept in 1,000 pairs of real faces for this model: a lead at most, never an identification
DEPTH_MAX = 1 << 20
CAVEAT = "Candidates are investigative leads only. A score is no probability, and a candidate is no probable cause for arrest."


class Pictures(StrEnum):
    """Whether an answer brings photographs, and how large."""

    NONE = "none"
    PAGE = "page"
    FULL = "full"


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
    pictures: Pictures = Pictures.NONE
    own: SearchId | None = None  # its number, where that was derived from the request; else it is drawn
    after: int = -1  # the place of an earlier answer: a journal that goes back to before it is refused (R36)


@dataclass(frozen=True, slots=True)
class Shown:
    """One candidate as it leaves: an opaque name, rank, score, whose record, and its photograph where the grant says view."""

    candidate: str
    rank: int
    score: float
    owner: str
    photograph: Drawn | None = None


@dataclass(frozen=True, slots=True)
class ProbeShown:
    """The probe as a page shows it, whole and cut to the face that was searched with."""

    whole: Drawn
    face: Drawn


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """A candidate list with what it was made from. ``place`` is for the exchange alone; callers get an opaque watermark.

    ``probe`` comes with pictures of the size of a page, while the probe is kept.
    """

    search_id: SearchId
    place: int
    candidates: tuple[Shown, ...]
    model: str
    score_floor: float
    probe_quality: float | None
    judged_at: datetime
    face: ProbeFace
    probe: ProbeShown | None = None
    caveat: str = CAVEAT


@dataclass(frozen=True, kw_only=True)
class Search:
    """Finds candidates for a probe, and opens a kept search again: both leave through the release."""

    ledger: LedgerView
    gallery: Candidates
    encoder: FaceEncoder
    vault: KeyVault
    indexer: Indexer
    release: Release
    opened: Opened
    probes: Probes
    drawing: Drawing
    searches: Searches
    now: Callable[[], datetime]

    def __call__(self, request: SearchRequest) -> SearchAnswer:
        """Search. Raises NotPermitted (policy), PhotographRefused (probe; several faces: pick one), Unavailable.

        Nothing is written before all of that was checked. Then the search's key is, the entry, and the probe; where no answer
        came of it the probe is destroyed again.
        """
        self.check(request)
        case = self._case(request)
        extracted, face = self._look_at(request)
        question = Question(request.requester, request.purpose, "search", request.classes)
        album, shown = _album(request.pictures), self._shown(request, face)
        proposed: list[Proposed] = []
        attempts: list[int] = []

        def propose(attempt: int) -> Proposal:
            candidates, complete = self._choose(extracted.vector, question, request.shown_max)
            key = self.vault.issue(search_key(face.search_id))
            attempts.append(attempt)
            ciphertext, proposed[:] = encrypt_candidates(key, face.search_id, attempt, face, candidates)
            entry = self._entry(request, face.search_id, key, case)
            filled = replace(
                entry, attempt=attempt, commitments=tuple(p.commitment for p in proposed), candidates=ciphertext
            )  # fmt: skip
            return Proposal(filled, face.search_id, tuple(c.record_id for c in candidates), request.shown_max, complete)

        def render(disclosure: Disclosure) -> SearchAnswer:
            self._check_place(request, disclosure.place)
            self._keep_probe(face.search_id, request.probe)
            answer = self._render(disclosure, face, proposed, album)
            return replace(answer, probe=shown, probe_quality=extracted.quality)

        try:
            return self.release(question, propose, render)
        except BaseException as error:
            self._clean_up(face.search_id, entered=len(attempts) > 1 or not isinstance(error, NotAppended))
            raise

    def reopen(self, search: SearchId, requester: Ori, user: UserId, pictures: Pictures = Pictures.NONE) -> SearchAnswer:
        """Show a kept search again: judged anew, so what fell since is blank (R18 d). The probe stays the first search's.

        Raises NotPermitted where the policy allows such a search no more.
        """
        kept = self.searches.open(search, requester)
        _allow(kept.entry)
        candidates = [p.candidate for p in self.searches.disclosed(kept)]
        album, shown = _album(pictures), self._shown_again(pictures, kept.face)
        again = SearchId(secrets.token_hex(12))
        proposed: list[Proposed] = []
        attempts: list[int] = []

        def propose(attempt: int) -> Proposal:
            key = self.vault.issue(search_key(again))
            attempts.append(attempt)
            ciphertext, proposed[:] = encrypt_candidates(key, again, attempt, kept.face, candidates)
            entry = _reopened(kept.entry, again, attempt, user, tuple(p.commitment for p in proposed), ciphertext)
            return Proposal(entry, again, tuple(c.record_id for c in candidates), max(1, len(candidates)), complete=True)

        def render(disclosure: Disclosure) -> SearchAnswer:
            return replace(self._render(disclosure, kept.face, proposed, album), search_id=again, probe=shown)

        try:
            return self.release(kept.question("search"), propose, render)
        except NotAppended:
            self._clean_up(again, entered=len(attempts) > 1)
            raise

    def check(self, request: SearchRequest) -> None:
        """Raise NotPermitted or InvalidInput for what may not be asked, Unavailable where the journal went back."""
        _allow(request)
        if not 1 <= request.shown_max <= SHOWN_MAX:
            raise InvalidInput(f"Between 1 and {SHOWN_MAX} candidates can be shown.", advice=f"The default is {SHOWN_DEFAULT}.")
        if not request.authority.strip():
            raise InvalidInput("A search names who authorised it.", advice="Send the supervisor's or the warrant's number.")
        self._check_place(request, self.ledger.progress().next + 1)

    def _check_place(self, request: SearchRequest, place: int) -> None:
        if place <= request.after:
            raise Unavailable(
                "The journal is behind an answer that you have; nothing was disclosed.", advice="Tell the operator."
            )

    def _look_at(self, request: SearchRequest) -> tuple[Extracted, ProbeFace]:
        picture = self.encoder.open(request.probe)
        number = _picked(picture, request.face)
        face = ProbeFace(request.own or SearchId(secrets.token_hex(12)), number, picture.faces[number].box)
        return picture.extract(number), face

    def _shown(self, request: SearchRequest, face: ProbeFace) -> ProbeShown | None:
        if request.pictures is not Pictures.PAGE:
            return None
        whole = self.drawing.draw(request.probe, side_max=PAGE_SIDE)
        return ProbeShown(whole, self.drawing.draw(request.probe, side_max=PAGE_SIDE, box=face.box))

    def _shown_again(self, pictures: Pictures, face: ProbeFace) -> ProbeShown | None:
        whole = self.opened.probe(face.search_id) if pictures is Pictures.PAGE else None
        cut = self.opened.probe(face.search_id, box=face.box) if whole is not None else None
        return None if whole is None or cut is None else ProbeShown(whole, cut)

    def _keep_probe(self, search: SearchId, probe: bytes) -> None:
        if self.probes.open(search) is None:
            self.probes.keep(search, probe)

    def _clean_up(self, search: SearchId, *, entered: bool) -> None:
        """Leave no probe of a search that was not answered, and no key where the journal has no entry of it either."""
        self.probes.destroy(search)
        if not entered:
            self.vault.shred([search_key(search)])

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

    def _case(self, request: SearchRequest) -> e.BlindIndex:
        try:
            return self.indexer.index(e.IndexKind.AGENCY_CASE, request.case_number, request.requester)
        except ValueError as error:
            raise InvalidInput(
                f"The agency case number cannot be used: {error}.",
                advice="Write it as your records system prints it.",
                field="case_number",
            ) from None

    def _entry(self, request: SearchRequest, search: SearchId, key: bytes, case: e.BlindIndex) -> e.SearchPerformed:
        """Return the search's entry, without the candidates that an attempt proposes."""
        return e.SearchPerformed(
            search_id=search,
            attempt=0,
            requester=request.requester,
            user=request.user,
            purpose=request.purpose,
            threshold=request.threshold,
            offence=request.offence,
            authority=sealing.seal(key, request.authority.encode(), context=f"authority/{search}".encode()),
            case=case,
            classes=tuple(sorted(request.classes)),
            shown_max=request.shown_max,
            model=self.encoder.model,
            commitments=(),
            candidates=b"",
            reopens=None,
        )

    def _render(self, disclosure: Disclosure, face: ProbeFace, proposed: list[Proposed], album: Album | None) -> SearchAnswer:
        by_record = {p.candidate.record_id: p for p in proposed}
        wanted = [Wanted(record, by_record[record].candidate.photo) for record in disclosure.records]
        drawn = {} if album is None else self.opened.photographs(disclosure, wanted, album)
        shown = tuple(
            Shown(
                by_record[record].commitment.hex(),
                number,
                by_record[record].candidate.score,
                disclosure.owner(record),
                drawn.get(record),
            )
            for number, record in enumerate(disclosure.records, 1)
        )
        return SearchAnswer(
            face.search_id, disclosure.place, shown, self.encoder.model, SCORE_FLOOR, None, self.now(), face
        )  # fmt: skip


def _allow(asked: SearchRequest | e.SearchPerformed) -> None:
    """Raise NotPermitted for what the policy allows nobody to ask, or no more."""
    ruling, why = rule(asked.purpose, asked.threshold, asked.offence, frozenset(asked.classes))
    if ruling is not Ruling.ALLOW:
        raise NotPermitted(why, advice="State a purpose, threshold and offence that the policy allows.")


def _album(pictures: Pictures) -> Album | None:
    return None if pictures is Pictures.NONE else Album(PAGE_SIDE if pictures is Pictures.PAGE else None)


def _picked(picture: Picture, face: int | None) -> int:
    """Return the face to search with. Raises PhotographRefused where there is none, or a person must pick."""
    if not picture.faces:
        raise PhotographRefused("no-face", "No face was found in the probe.", advice="Try a larger or sharper picture.")
    if len(picture.faces) > 1 and face is None:
        boxes = " ".join(f"{i}:{'/'.join(str(round(v)) for v in found.box)}" for i, found in enumerate(picture.faces))
        raise PhotographRefused(
            "several-faces", "There are several faces in the probe.", advice="Pick one with `face`.", faces=boxes
        )
    if not 0 <= (chosen := face or 0) < len(picture.faces):
        raise PhotographRefused("no-such-face", f"The probe has {len(picture.faces)} face(s), counted from 0.")
    return chosen


def _reopened(
    kept: e.SearchPerformed, again: SearchId, attempt: int, user: UserId, commitments: tuple[bytes, ...], ciphertext: bytes
) -> e.SearchPerformed:
    return replace(
        kept, search_id=again, attempt=attempt, user=user, commitments=commitments, candidates=ciphertext,
        reopens=kept.reopens or kept.search_id,
        shown_max=max(1, len(commitments)),
    )  # fmt: skip
