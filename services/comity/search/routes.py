"""Searches, reviews and reveals: HTTP translates, the acts decide, and everything leaves through the release.

The handlers are plain functions, so that each runs in a thread of the pool: the acts wait for the journal and the ledger.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Path, UploadFile

from comity.acts.search import Pictures, SearchAnswer, SearchRequest
from comity.domain.ids import Ori, SearchId
from comity.domain.ids import ori as read_ori
from comity.domain.roles import EXAMINER, INVESTIGATOR
from comity.errors import NotPermitted
from comity.ports import Person
from comity.search import models as m
from comity.search.services import SearchServices, Services
from comity.web.pictures import data_uri
from comity.web.problem import documented
from comity.web.session import role

router = APIRouter(prefix="/v1", tags=["searches"])

Investigator = Annotated[Person, Depends(role(INVESTIGATOR))]
Examiner = Annotated[Person, Depends(role(EXAMINER))]
Either = Annotated[Person, Depends(role(INVESTIGATOR, EXAMINER))]
SearchPath = Annotated[str, Path(pattern=r"^[0-9a-f]{24}$", description="The search's number.")]
CandidatePath = Annotated[m.CandidateName, Path(description="The candidate's opaque name in this search.")]


@router.post("/searches", responses=documented(401, 403), summary="Search")
def search(
    asked: Annotated[m.SearchIn, Form(media_type="multipart/form-data")], person: Investigator, services: Services
) -> m.SearchOut:
    """Find candidates for a probe among the records that may be searched for this purpose, as of now.

    A sealed, an absent and an ungranted record look alike: none of them is there.
    """
    request = SearchRequest(
        requester=_requester(person),
        user=person.user_id,
        probe=asked.probe.file.read(),
        purpose=asked.purpose,
        threshold=asked.threshold,
        offence=asked.offence,
        authority=asked.authority,
        case_number=asked.case_number,
        classes=frozenset(asked.classes),
        shown_max=asked.shown_max,
        face=asked.face,
        pictures=_pictures(asked.photographs),
        after=services.watermarks.place(asked.at_least) if asked.at_least else -1,
    )
    return _answer(services, services.search(request))


@router.post("/searches/{search_id}/reopen", responses=documented(401, 403, 404), summary="Open a kept search again")
def reopen(search_id: SearchPath, sent: m.ReopenIn, person: Either, services: Services) -> m.SearchOut:
    """Show a kept search of my agency again, judged anew: what has been sealed since is not there. It gets a new number."""
    pictures = _pictures(sent.photographs)
    return _answer(services, services.search.reopen(SearchId(search_id), _requester(person), person.user_id, pictures))


@router.post(
    "/searches/{search_id}/candidates/{candidate}/reviews",
    responses=documented(401, 403, 404),
    summary="Record an examiner's finding",
)
def review(
    search_id: SearchPath, candidate: CandidatePath, sent: m.ReviewIn, person: Examiner, services: Services
) -> m.ReviewOut:
    """Record what an examiner, not the person who searched, found on comparing the probe with one candidate."""
    done = services.examine.review(
        SearchId(search_id), candidate, _requester(person), person.user_id, sent.finding, sent.notes
    )  # fmt: skip
    return m.ReviewOut(review_id=done.review_id, as_of=services.watermarks.of(done.place), finding=done.finding)


@router.post(
    "/searches/{search_id}/candidates/{candidate}/reveals",
    responses=documented(401, 403, 404),
    summary="Reveal one identity",
)
def reveal(search_id: SearchPath, candidate: CandidatePath, sent: m.RevealIn, person: Either, services: Services) -> m.RevealOut:
    """Reveal one candidate's identity, for a reason, after another person found the candidate possible. One at a time."""
    shown = services.examine.reveal(SearchId(search_id), candidate, _requester(person), person.user_id, sent.reason)
    return m.RevealOut(
        reveal_id=shown.reveal_id,
        as_of=services.watermarks.of(shown.place),
        owner=shown.owner,
        particulars=shown.particulars,
    )


@router.post("/probes/faces", responses=documented(401, 403), summary="Find the faces in a picture")
def find_faces(
    probe: Annotated[UploadFile, File(description="The picture; it is not kept.")], person: Investigator, services: Services
) -> m.FacesOut:
    """Say which faces are in a picture, largest first, so that a person picks the one to search with."""
    del person
    picture = services.encoder.open(probe.file.read())
    width, height = picture.size
    faces = [
        m.FaceOut(face=number, box=face.box, score=face.score, eye_distance=face.eye_distance)
        for number, face in enumerate(picture.faces)
    ]
    return m.FacesOut(width=width, height=height, faces=faces, model=services.encoder.model)


def _requester(person: Person) -> Ori:
    try:
        return read_ori(person.party)
    except ValueError:
        raise NotPermitted("Only an agency's people search.", advice="Sign in as somebody of an agency.") from None


def _pictures(photographs: bool) -> Pictures:  # noqa: FBT001 - as it was sent
    return Pictures.FULL if photographs else Pictures.NONE


def _answer(services: SearchServices, answer: SearchAnswer) -> m.SearchOut:
    return m.SearchOut(
        search_id=answer.search_id,
        as_of=services.watermarks.of(answer.place),
        judged_at=answer.judged_at,
        candidates=[
            m.CandidateOut(
                candidate=c.candidate,
                rank=c.rank,
                score=c.score,
                owner=c.owner,
                photograph=None if c.photograph is None else data_uri(c.photograph),
                placeholder=c.photograph is not None and c.photograph.placeholder,
            )
            for c in answer.candidates
        ],
        model=answer.model,
        score_floor=answer.score_floor,
        probe_quality=answer.probe_quality,
        face=answer.face.number,
        caveat=answer.caveat,
    )
