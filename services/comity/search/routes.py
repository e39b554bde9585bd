"""Searches, reviews and reveals: HTTP translates, the acts decide, and everything leaves through the release.

The handlers are plain functions, so that each runs in a thread of the pool: the acts wait for the journal and the ledger.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, File, Form, Path, Response, UploadFile

from comity.acts.search import Pictures, SearchAnswer, SearchRequest
from comity.domain.ids import Ori, SearchId
from comity.domain.ids import ori as read_ori
from comity.domain.posting import Search as SearchRow
from comity.domain.posting import Withheld
from comity.domain.roles import EXAMINER, INVESTIGATOR
from comity.errors import Conflict, NotFound, NotPermitted
from comity.ports import Person
from comity.search import models as m
from comity.search.services import BASE, SearchServices, Services
from comity.web.once import Claim, Key, again, made
from comity.web.paging import LISTED, Page
from comity.web.pictures import data_uri
from comity.web.problem import documented
from comity.web.routing import Router
from comity.web.session import role

router = Router(prefix="/v1", tags=["searches"])

WITHHELD_MAX = 20  # times that a request under one key may fail before it asks for another

Investigator = Annotated[Person, Depends(role(INVESTIGATOR))]
Examiner = Annotated[Person, Depends(role(EXAMINER))]
Either = Annotated[Person, Depends(role(INVESTIGATOR, EXAMINER))]
SearchPath = Annotated[str, Path(pattern=r"^[0-9a-f]{24}$", description="The search's number.")]
CandidatePath = Annotated[m.CandidateName, Path(description="The candidate's opaque name in this search.")]


@router.post("/searches", status_code=201, responses=documented(409) | again(m.SearchOut), summary="Search")
def search(
    asked: Annotated[m.SearchIn, Form(media_type="multipart/form-data")],
    person: Investigator,
    services: Services,
    key: Key,
    response: Response,
) -> m.SearchOut:
    """Find candidates for a probe among the records that may be searched for this purpose, as of now.

    A sealed, an absent and an ungranted record look alike: none of them is there. The same search again under its key is not
    entered again: it is opened again, and judged anew.
    """
    probe = asked.probe.file.read()
    told = asked.model_dump_json(exclude={"probe"})
    request = _request(services, asked, probe, person)
    services.search.check(request)  # opened again, too: the policy and the form may have changed since
    with services.once(key, person, "searches", told, probe) as claim:
        kept, own = _numbers(services, claim, request.requester)
        if kept is not None:
            answer = services.search.reopen(kept, request.requester, person.user_id, request.pictures)
        else:
            answer = services.search(replace(request, own=own))
    made(response, f"{BASE}/searches/{answer.search_id}", again=kept is not None)
    return _answer(services, answer)


@router.get("/searches", responses=LISTED, summary="My agency's searches")
def list_searches(person: Either, services: Services, page: Page) -> list[m.SearchMadeOut]:
    """List the searches that my agency made and opened again, newest first: what for, by whom, when; no candidates."""
    rows = services.search.ledger.rows(SearchRow, requester=_requester(person))
    last = {row.search_id: row for row in rows}
    return [_made(services, row) for row in page.cut(list(last.values()), lambda row: (row.entered,), newest=True)]


@router.get("/searches/{search_id}", responses=documented(404), summary="A search of my agency's")
def read_search(search_id: SearchPath, person: Either, services: Services) -> m.SearchMadeOut:
    """Show what a search was for, who made it and when. Its candidates are shown by opening it again."""
    rows = services.search.ledger.rows(SearchRow, search_id=search_id, requester=_requester(person))
    if not rows:
        raise NotFound("There is no such search of your agency's.", advice="See the list of searches.")
    return _made(services, rows[-1])


@router.post("/searches/{search_id}/reopen", status_code=201, responses=documented(404), summary="Open a kept search again")
def reopen(search_id: SearchPath, sent: m.ReopenIn, person: Either, services: Services, response: Response) -> m.SearchOut:
    """Show a kept search of my agency again, judged anew: what has been sealed since is not there. It gets a new number.

    Each time is a disclosure of its own, so it takes no key.
    """
    pictures = _pictures(sent.photographs)
    answer = services.search.reopen(SearchId(search_id), _requester(person), person.user_id, pictures)
    made(response, f"{BASE}/searches/{answer.search_id}")
    return _answer(services, answer)


@router.post(
    "/searches/{search_id}/candidates/{candidate}/reviews",
    status_code=201,
    responses=documented(404, 409) | again(m.ReviewOut),
    summary="Record an examiner's finding",
)
def review(
    search_id: SearchPath,
    candidate: CandidatePath,
    sent: m.ReviewIn,
    person: Examiner,
    services: Services,
    key: Key,
    response: Response,
) -> m.ReviewOut:
    """Record what an examiner, not the person who searched, found on comparing the probe with one candidate.

    The same again under its key is the same review. `Location` is the search that it belongs to.
    """
    with services.once(key, person, "reviews", search_id, candidate, sent.model_dump_json()) as claim:
        done = services.examine.review(
            SearchId(search_id), candidate, _requester(person), person.user_id, sent.finding, sent.notes, own=claim.id()
        )  # fmt: skip
    made(response, f"{BASE}/searches/{search_id}", again=done.again)
    return m.ReviewOut(review_id=done.review_id, as_of=services.watermarks.of(done.place), finding=done.finding)


@router.post(
    "/searches/{search_id}/candidates/{candidate}/reveals",
    status_code=201,
    responses=documented(404, 409) | again(m.RevealOut),
    summary="Reveal one identity",
)
def reveal(
    search_id: SearchPath,
    candidate: CandidatePath,
    sent: m.RevealIn,
    person: Either,
    services: Services,
    key: Key,
    response: Response,
) -> m.RevealOut:
    """Reveal one candidate's identity, for a reason, after another person found the candidate possible. One at a time.

    The same again under its key is the same reveal, judged anew. `Location` is the search that it belongs to.
    """
    with services.once(key, person, "reveals", search_id, candidate, sent.model_dump_json()) as claim:
        shown = services.examine.reveal(
            SearchId(search_id), candidate, _requester(person), person.user_id, sent.reason, own=claim.id()
        )
    made(response, f"{BASE}/searches/{search_id}", again=shown.again)
    return m.RevealOut(
        reveal_id=shown.reveal_id,
        as_of=services.watermarks.of(shown.place),
        owner=shown.owner,
        particulars=shown.particulars,
    )


@router.post("/probes/faces", responses=documented(), summary="Find the faces in a picture")
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


def _request(services: SearchServices, asked: m.SearchIn, probe: bytes, person: Person) -> SearchRequest:
    return SearchRequest(
        requester=_requester(person),
        user=person.user_id,
        probe=probe,
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


def _numbers(services: SearchServices, claim: Claim, requester: Ori) -> tuple[SearchId | None, SearchId | None]:
    """Return the search that was made under this key, or the number to make it under; neither without a key.

    One that was withheld disclosed nothing, and its number is used up: the next one is taken.
    """
    if claim.name is None:
        return None, None
    services.search.searches.catch_up()
    ledger = services.search.ledger
    for number in range(WITHHELD_MAX):
        own = SearchId(str(claim.id(number=number)))
        if not ledger.rows(SearchRow, search_id=own, requester=requester):
            return None, own
        if not ledger.rows(Withheld, search_id=own):
            return own, None
    raise Conflict("This request failed too often.", advice="Send it under a new Idempotency-Key.")


def _made(services: SearchServices, row: SearchRow) -> m.SearchMadeOut:
    return m.SearchMadeOut(
        search_id=row.search_id,
        user=row.user,
        purpose=row.purpose,
        made_at=row.entered_at,
        as_of=services.watermarks.of(row.entered),
        reopens=row.reopens,
    )


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
