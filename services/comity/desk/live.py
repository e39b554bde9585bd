"""Keeps open pages honest: whenever the ledger moves, what a page shows is judged again, and what fell goes blank.

One event, ``judged``, says two things: the names to blank, and that everything else on the page stood a moment ago. It is sent
on every movement of the ledger and every two seconds; a page that has not heard it for ten seconds blanks itself, so whatever
silences this stream (the network, a standing ledger, a stopped clock, a session's end) blanks the page too. ``lost`` says at
once that there will be no more, and why. How many pages may be open is in ``places``.

The first event comes as soon as the page is there, so it covers what fell between the answer's release and its arrival.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from typing import Annotated, TypeVar

from anyio import CapacityLimiter, sleep, to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from comity.acts.clock import Freshness
from comity.desk.places import Places
from comity.desk.services import DeskServices
from comity.domain.ids import RecordId, SearchId
from comity.domain.judge import Facts, Question, Verdict, verdict
from comity.domain.roles import EXAMINER, INVESTIGATOR
from comity.errors import ComityError
from comity.ports import Person
from comity.web.session import role, token_of

Reader = Annotated[Person, Depends(role(INVESTIGATOR, EXAMINER))]

BEAT_SECONDS = 2.0  # a page waits five of these before it blanks itself
REST_SECONDS = 0.1  # between two judgements, however fast the ledger moves
STREAM_SECONDS_MAX = 300.0  # then the page comes again by itself
RETRY_MS = 1_000
RIGHTS = ("search", "view", "reveal")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OnPage:
    """One candidate on an open page: its name there, and everything that let it be shown."""

    name: str
    record: RecordId
    questions: tuple[Question, ...]

    def stands(self, facts: Facts) -> bool:
        """Say whether all that let it be shown still does."""
        return all(verdict(facts, q, self.record, facts.applied) is Verdict.STANDS for q in self.questions)


class Live:
    """The streams of all open pages of this process."""

    def __init__(self, services: DeskServices, *, seconds_max: float = STREAM_SECONDS_MAX) -> None:
        self._services, self._seconds_max = services, seconds_max
        self._fresh = Freshness(services.now)
        self._places = Places()

    def routes(self) -> APIRouter:
        """Return the stream's route."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/desk/live/{search_id}", self.follow, methods=["GET"], response_class=EventSourceResponse)
        return router

    async def follow(self, request: Request, person: Reader, search_id: str) -> AsyncGenerator[ServerSentEvent, None]:
        """Stream judgements of what a search disclosed, until the time is up or nothing can be said any more."""
        session, until = token_of(request) or "", time.monotonic() + self._seconds_max
        own = CapacityLimiter(1)  # a thread of its own: waiting streams must not use up those that serve pages
        try:
            with self._places.take(session, search_id) as keeps:
                shown = await _aside(own, lambda: self._shown(SearchId(search_id), person.party))
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
        """Return what a search disclosed, each with the rights that it was disclosed under."""
        kept = self._services.searches.open(search, party)
        disclosed = self._services.searches.disclosed(kept)
        facts = self._services.ledger.facts(party, [p.candidate.record_id for p in disclosed], kept.place)
        then = replace(facts, applied=kept.place)
        whole = [OnPage(p.commitment.hex(), p.candidate.record_id, tuple(map(kept.question, RIGHTS))) for p in disclosed]
        return tuple(
            replace(one, questions=tuple(q for q in one.questions if replace(one, questions=(q,)).stands(then))) for one in whole
        )

    def _gone(self, shown: tuple[OnPage, ...], party: str, session: str) -> list[str]:
        """Return the names of what no longer stands. Raises where that cannot be said, or the session has ended."""
        self._services.identity.person(session)
        facts = self._services.ledger.facts(party, [one.record for one in shown], self._services.watch.position)
        self._fresh.check(facts.clock(facts.applied))
        return [one.name for one in shown if not one.stands(facts)]


async def _aside(limiter: CapacityLimiter, work: Callable[[], T]) -> T:
    return await to_thread.run_sync(work, limiter=limiter, abandon_on_cancel=True)
