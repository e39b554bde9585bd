"""A candidate list as a page shows it, and the way from a list opened again back to the search that it came from.

Every opening is a disclosure of its own, with its own number and its own names for the candidates; reviews and reveals name the
candidates of the first search, so that what people found stays together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from comity.acts.search import Pictures, SearchAnswer
from comity.acts.searches import stood
from comity.desk.paging import Page, cut
from comity.desk.pictures import OnPage, on_page
from comity.desk.services import DeskServices
from comity.domain.ids import Ori, RecordId, SearchId
from comity.domain.posting import Review, Search
from comity.errors import NotFound
from comity.ports import Person

STEPS_MAX = 1_000  # how often a list may have been opened from a list that was opened again
LISTED_MAX = 50


@dataclass(frozen=True, slots=True)
class Card:
    """One candidate on a page. ``name`` is what the live stream blanks; ``original`` what a review or a reveal names."""

    name: str
    original: str
    rank: int
    score: float
    owner: str
    photograph: OnPage | None = field(repr=False)
    reviews: int


@dataclass(frozen=True, slots=True)
class CandidateList:
    """A released answer, dressed for a page."""

    search_id: SearchId
    root: SearchId
    answer: SearchAnswer = field(repr=False)
    cards: tuple[Card, ...] = field(repr=False)
    probe: OnPage | None = field(repr=False)
    face: OnPage | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Listed:
    """A search that was made, to be opened again."""

    search_id: SearchId
    purpose: str
    user: str
    mine: bool
    opened: int


def first(services: DeskServices, search: SearchId, requester: str) -> SearchId:
    """Return the search that a list was first opened with. Raises NotFound for what is not this agency's."""
    for _ in range(STEPS_MAX):
        rows = services.ledger.rows(Search, search_id=search, requester=requester)
        row = next(iter(rows), None)
        if row is None:
            break
        if row.reopens is None:
            return search
        search = row.reopens
    raise NotFound("There is no such search of your agency's.", advice="Open it from the list of searches.")


def opened_again(services: DeskServices, search: str, person: Person) -> CandidateList:
    """Open a kept search again: a new disclosure, judged anew. Raises as ``Search.reopen``."""
    party = Ori(person.party)
    root = first(services, SearchId(search), party)
    return dressed(services, services.search.reopen(root, party, person.user_id, Pictures.PAGE), root, person)


def dressed(services: DeskServices, answer: SearchAnswer, root: SearchId, person: Person) -> CandidateList:
    """Return an answer as a page shows it."""
    original = _originals(services, answer.search_id, root, person.party)
    reviews = _reviews(services, root, person)
    cards = tuple(
        Card(
            shown.candidate,
            original.get(shown.candidate, shown.candidate),
            shown.rank,
            shown.score,
            shown.owner,
            on_page(shown.photograph),
            reviews[original.get(shown.candidate, shown.candidate)],
        )
        for shown in answer.candidates
    )
    probe, face = (answer.probe.whole, answer.probe.face) if answer.probe else (None, None)
    return CandidateList(answer.search_id, root, answer, cards, on_page(probe), on_page(face))


def listed(services: DeskServices, person: Person, *, before: str = "", mine: bool = False) -> Page[Listed]:
    """Return a page of the agency's searches, newest first, without those that only opened another again.

    ``mine``: this person's alone. ``before``: the last search of the page before.
    """
    rows = services.ledger.rows(Search, requester=person.party)
    opened = Counter(row.reopens for row in rows)
    last = {row.search_id: row for row in rows if row.reopens is None and (row.user == person.user_id or not mine)}
    newest = sorted(last.values(), key=lambda row: -row.entered)
    page = cut(newest, before, lambda row: row.search_id, LISTED_MAX)
    names = {p.user_id: p.name for p in services.identity.people(former=True) if p.party == person.party}
    shown = [
        Listed(row.search_id, row.purpose, names.get(row.user, row.user), row.user == person.user_id, opened[row.search_id])
        for row in page.rows
    ]
    return Page(shown, page.older)


def _originals(services: DeskServices, search: SearchId, root: SearchId, party: str) -> Mapping[str, str]:
    """Return, for each name on a list opened again, the same record's name in the first search."""
    if search == root:
        return {}
    names: dict[RecordId, str] = {p.candidate.record_id: p.commitment.hex() for p in services.searches.open(root, party).proposed}
    again = services.searches.open(search, party).proposed
    return {p.commitment.hex(): names[p.candidate.record_id] for p in again if p.candidate.record_id in names}


def _reviews(services: DeskServices, root: SearchId, person: Person) -> Counter[str]:
    """Count other people's reviews by candidate; what they found stays sealed (R27)."""
    others = [row for row in services.ledger.rows(Review, search_id=root) if row.user != person.user_id]
    recorded = stood(services.ledger, services.searches.open(root, person.party), others) if others else ()
    return Counter(row.commitment.hex() for row in recorded)
