"""Keeps open pages honest: whenever the ledger moves, what a page shows is judged again, and what fell goes blank.

One event, ``judged``, says two things: the names to blank, and that everything else on the page stood a moment ago. It is sent
on every movement of the ledger and every two seconds; a page that has not heard it for ten seconds blanks itself, so whatever
silences this stream (the network, a standing ledger, a stopped clock, a session's end) blanks the page too. ``lost`` says at
once that there will be no more, and why. How many pages may be open is in ``places``.

Each thing is judged by the right that it was shown under, at its own place: a right to reveal that is taken back blanks the
identity and leaves the candidate, one to view blanks the photograph.

The first event comes as soon as the page is there, so it covers what fell between the answer's release and its arrival.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from anyio import CapacityLimiter, sleep, to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from comity.acts.clock import Freshness
from comity.desk.places import Places
from comity.desk.services import DeskServices
from comity.domain.ids import RecordId, SearchId
from comity.domain.judge import Facts, Question, Verdict, verdict
from comity.domain.posting import Reveal
from comity.domain.roles import EXAMINER, INVESTIGATOR
from comity.errors import ComityError, LedgerBehind, NotFound
from comity.ports import Person
from comity.web.routing import Router
from comity.web.session import require, role, token_of

READERS = (INVESTIGATOR, EXAMINER)
Reader = Annotated[Person, Depends(role(*READERS))]

BEAT_SECONDS = 2.0  # a page waits five of these before it blanks itself
REST_SECONDS = 0.1  # between two judgements, however fast the ledger moves
STREAM_SECONDS_MAX = 300.0  # then the page comes again by itself
RETRY_MS = 1_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OnPage:
    """One thing on an open page: its name there, and the right that it was shown under.

    A candidate was shown under the right to search, its photograph under that to view, an identity under that to reveal. What is
    ``part_of`` another goes with it.
    """

    name: str
    record: RecordId
    question: Question
    part_of: str = ""

    def stands(self, facts: Facts, as_of: int) -> bool:
        """Say whether what let it be shown does so as of a place."""
        return verdict(facts, self.question, self.record, as_of) is Verdict.STANDS


class Live:
    """The streams of all open pages of this process."""

    def __init__(self, services: DeskServices, *, seconds_max: float = STREAM_SECONDS_MAX) -> None:
        self._services, self._seconds_max = services, seconds_max
        self._fresh = Freshness(services.now)
        self._places = Places()

    def routes(self) -> APIRouter:
        """Return the stream's route."""
        router = Router(include_in_schema=False)
        for path, follow in (("/desk/live/{search_id}", self.follow), ("/desk/live/reveals/{reveal_id}", self.follow_reveal)):
            router.add_api_route(path, follow, methods=["GET"], response_class=EventSourceResponse)
        return router

    async def follow(self, request: Request, person: Reader, search_id: str) -> AsyncGenerator[ServerSentEvent, None]:
        """Stream judgements of what a search disclosed, until the time is up or nothing can be said any more."""
        async for event in self._follow(request, person, search_id, lambda: self._shown(SearchId(search_id), person.party)):
            yield event

    async def follow_reveal(self, request: Request, person: Reader, reveal_id: str) -> AsyncGenerator[ServerSentEvent, None]:
        """Stream judgements of one identity that was revealed, likewise."""
        async for event in self._follow(request, person, reveal_id, lambda: self._revealed(reveal_id, person.party)):
            yield event

    async def _follow(
        self, request: Request, person: Person, page: str, look: Callable[[], tuple[OnPage, ...]]
    ) -> AsyncGenerator[ServerSentEvent, None]:
        session, until = token_of(request) or "", time.monotonic() + self._seconds_max
        own = CapacityLimiter(1)  # a thread of its own: waiting streams must not use up those that serve pages
        try:
            with self._places.take(session, page) as keeps:
                shown = await _aside(own, look)
                while time.monotonic() < until:
                    seen = self._services.watch.position
                    gone = await _aside(own, lambda: self._gone(shown, person.party, session))
                    yield ServerSentEvent(event="judged", data={"gone": gone}, retry=RETRY_MS)
                    if not keeps:  # the browser asks again after RETRY_MS: the page is judged as often, without a connection
                        return
                    await sleep(REST_SECONDS)
                    await _aside(own, lambda: self._services.watch.wait(seen + 1, BEAT_SECONDS))  # noqa: B023 - awaited here
        except ComityError as error:
            yield ServerSentEvent(event="lost", data={"why": f"{error.message} {error.advice}".strip()})

    def _shown(self, search: SearchId, party: str) -> tuple[OnPage, ...]:
        """Return what a search disclosed: candidates, and the photographs that could be viewed at its place."""
        kept = self._services.searches.open(search, party)
        disclosed = self._services.searches.disclosed(kept)
        facts = self._services.ledger.facts(party, [p.candidate.record_id for p in disclosed], kept.place)
        search_, view = kept.question("search"), kept.question("view")
        shown = []
        for one in disclosed:
            candidate = OnPage(one.commitment.hex(), one.candidate.record_id, search_)
            photograph = OnPage(f"{candidate.name}.photograph", candidate.record, view, part_of=candidate.name)
            shown += [candidate, *([photograph] if photograph.stands(facts, kept.place) else ())]
        return tuple(shown)

    def _revealed(self, reveal_id: str, party: str) -> tuple[OnPage, ...]:
        """Return the identity that a reveal disclosed at its own place. Raises NotFound, whoever else's it is."""
        self._services.searches.catch_up()
        row = max(self._services.ledger.rows(Reveal, reveal_id=reveal_id), key=lambda row: row.entered, default=None)
        if row is None:
            raise NotFound("There is no such reveal of your agency's.", advice="Open the search again.")
        kept = self._services.searches.open(row.search_id, party)
        record = next((p.candidate.record_id for p in kept.proposed if p.commitment == row.commitment), None)
        if record is None:
            raise NotFound("There is no such candidate.", advice="Open the search again.")
        identity = OnPage(reveal_id, record, kept.question("reveal"))
        facts = self._services.ledger.facts(party, [record], row.entered)
        return (identity,) if identity.stands(facts, row.entered) else ()

    def _gone(self, shown: tuple[OnPage, ...], party: str, session: str) -> list[str]:
        """Return the names of what no longer stands. Raises where that cannot be said, or the session or its role has ended."""
        require(self._services.identity.person(session), *READERS)
        if not self._services.watch.wait(self._services.tick(), BEAT_SECONDS):  # a right may end while the page is open
            raise LedgerBehind("The ledger did not catch up in time.", advice="The page comes again by itself.")
        facts = self._services.ledger.facts(party, sorted({one.record for one in shown}), self._services.watch.position)
        self._fresh.check(facts.clock(facts.applied))
        fallen = {one.name for one in shown if not one.stands(facts, facts.applied)}
        return [one.name for one in shown if one.name in fallen and one.part_of not in fallen]


async def _aside(limiter: CapacityLimiter, work: Callable[[], T]) -> T:
    return await to_thread.run_sync(work, limiter=limiter, abandon_on_cancel=True)
