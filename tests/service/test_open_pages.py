"""Open pages judge each thing by the right that it was shown under, at its own place (R18 d, R20)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from anyio import run, to_thread
from fastapi import Request
from fastapi.sse import ServerSentEvent
from fastapi.testclient import TestClient

from comity.acts.grant import Grants, Terms
from comity.desk.live import Live
from comity.domain.entries import RecordClass
from comity.domain.ids import GrantId
from comity.domain.posting import Grant
from comity.wire.signing import SigningKey
from desk_world import DANE, MILWAUKEE, World, photo, search, services


class Shares:
    """Dane's grants to Milwaukee, one for each right, so that each can be taken back by itself."""

    def __init__(self, desk: World) -> None:
        self._desk, self._held = desk, dict[str, GrantId]()
        exchange = desk.exchange
        self._grants = Grants(ledger=exchange.ledger, orders=exchange.orders, now=exchange.now)
        for row in exchange.ledger.rows(Grant, owner=DANE):
            if row.holds(exchange.ledger.progress().next):
                self._grants.revoke(DANE, row.grant_id, self._signer)

    @property
    def _signer(self) -> SigningKey:
        return self._desk.exchange.keyring.signer(DANE)

    def give(self, *rights: str) -> None:
        for right in rights:
            until = self._desk.exchange.now() + timedelta(days=30)
            terms = Terms(MILWAUKEE, frozenset({RecordClass.BOOKING}), frozenset({"serious-crime"}), frozenset({right}), until)
            self._held[right] = GrantId(self._grants.grant(DANE, terms, self._signer).order_id)

    def take(self, right: str) -> None:
        self._grants.revoke(DANE, self._held.pop(right), self._signer)


@pytest.fixture(scope="module")
def shares(desk: World) -> Shares:
    return Shares(desk)


def told(desk: World, client: TestClient, page: str, *steps: Callable[[], object]) -> list[list[str]]:
    """Return what an open page is told to blank: at first, and after each step; silence is no news within two beats."""
    live, at = Live(services(desk.exchange)), str(re.findall(r'data-live="/desk/live/([^"]+)"', page)[0])
    cookie = f"comity_session={client.cookies['comity_session']}".encode()
    request = Request({"type": "http", "headers": [(b"cookie", cookie)]})
    reveal = at.removeprefix("reveals/")

    async def heard() -> list[list[str]]:
        person = desk.investigator
        stream = live.follow(request, person, at) if reveal == at else live.follow_reveal(request, person, reveal)
        events = [gone(await anext(stream))]
        for step in steps:
            await to_thread.run_sync(step)
            for _ in range(3):
                latest = gone(await anext(stream))
            events.append(latest)
        await stream.aclose()
        return events

    return run(heard)


def gone(event: ServerSentEvent) -> list[str]:
    assert event.event == "judged", event.data
    return [str(name) for name in event.data["gone"]]


def best(page: str) -> str:
    found: list[str] = re.findall(r'data-candidate="([0-9a-f]+)"', page)
    return found[0]


def test_a_right_to_view_that_is_taken_back_blanks_the_photograph_and_leaves_the_candidate(
    desk: World, investigator: TestClient, shares: Shares
) -> None:
    shares.give("search", "view", "reveal")
    page = search(investigator, photo("p02", 2)).text
    name = best(page)
    assert f'data-photograph="{name}.photograph"' in page
    steps = [lambda: shares.take("reveal"), lambda: shares.take("view"), lambda: shares.take("search")]
    heard = told(desk, investigator, page, *steps)
    assert name not in heard[0]
    assert name not in heard[1]  # nobody was shown an identity here
    assert name not in heard[2]
    assert f"{name}.photograph" in heard[2]
    assert name in heard[3]
    assert f"{name}.photograph" not in heard[3]  # it goes with its candidate


def test_a_right_to_reveal_that_is_taken_back_blanks_the_identity_and_leaves_the_list(
    desk: World, investigator: TestClient, examiner: TestClient, shares: Shares
) -> None:
    """Though it was given after the search: it is judged from the reveal's own place on."""
    shares.give("search", "view")
    page = search(investigator, photo("p04", 2)).text
    name, candidate = best(page), hidden_in(page, "candidate")
    root = re.findall(r"/desk/searches/([0-9a-f]+)/reveal", page)[0]
    examiner.post(f"/desk/reviews/{root}", data={"candidate": candidate, f"finding-{candidate}": "possible"})
    assert desk.exchange.settle()
    reveal = {"candidate": candidate, "reason": "The examiner found the candidate possible."}
    assert investigator.post(f"/desk/searches/{root}/reveal", data=reveal).status_code == 404
    shares.give("reveal")
    identity = investigator.post(f"/desk/searches/{root}/reveal", data=reveal).text
    assert "Person p04" in identity
    assert "data-candidate" not in identity
    reveal_id = re.findall(r'data-identity="([0-9a-f]+)"', identity)[0]
    assert told(desk, investigator, identity, lambda: shares.take("reveal")) == [[], [reveal_id]]
    assert name not in told(desk, investigator, page)[0]
    assert told(desk, investigator, identity) == [[reveal_id]]  # a page that connects later is told at once
    for right in ("search", "view"):
        shares.take(right)


def test_an_open_page_is_judged_on_by_the_time_now_though_nobody_searches(
    desk: World, investigator: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else asks for a tick (rule 8), and by an old one no page is judged."""
    page = search(investigator, photo("p01", 2)).text
    passed, now = [timedelta(minutes=-4)], desk.exchange.journal.now
    monkeypatch.setattr(desk.exchange.journal, "now", lambda: now() + passed[0])
    monkeypatch.setattr(desk.exchange, "now", desk.exchange.journal.now)
    desk.exchange.clock.tick()
    heard = told(desk, investigator, page, lambda: passed.append(passed.pop() + timedelta(minutes=4)))
    assert best(page) not in heard[0] + heard[1]


def test_an_open_page_is_not_judged_before_the_time_is_known(
    desk: World, investigator: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the tick before, what ended meanwhile would still stand."""
    page = search(investigator, photo("p01", 2)).text
    end = desk.exchange.journal.end()
    monkeypatch.setattr(desk.exchange.clock, "fresh", lambda: end + 1_000)
    with pytest.raises(AssertionError):
        told(desk, investigator, page)


def test_an_open_page_goes_blank_when_its_readers_role_is_taken(desk: World) -> None:
    """What the role opened stays open to nobody: not until the stream ends, but at once."""
    person = desk.exchange.identity.add("Rolf Taken", MILWAUKEE, {"investigator"})
    client = desk.signed_in(person)
    at = str(re.findall(r'data-live="/desk/live/([^"]+)"', search(client, photo("p01", 2)).text)[0])
    cookie = f"comity_session={client.cookies['comity_session']}".encode()
    request = Request({"type": "http", "headers": [(b"cookie", cookie)]})

    async def heard() -> list[str | None]:
        stream = Live(services(desk.exchange)).follow(request, person, at)
        first = await anext(stream)
        await to_thread.run_sync(lambda: desk.exchange.identity.give(person.user_id, {"agency-writer"}))
        second = await anext(stream)
        await stream.aclose()
        return [first.event, second.event]

    assert run(heard) == ["judged", "lost"]


def test_a_photograph_that_was_not_shown_is_not_missed(desk: World, investigator: TestClient, shares: Shares) -> None:
    """What was granted after the answer is not on its page, so its end blanks nothing."""
    shares.give("search")
    page = search(investigator, photo("p08", 2)).text
    assert "No photograph is shared" in page
    shares.give("view")
    assert told(desk, investigator, page, lambda: shares.take("view"))[-1] == []
    shares.take("search")


def test_anothers_reveal_is_not_there(desk: World, investigator: TestClient) -> None:
    live = Live(services(desk.exchange))
    cookie = f"comity_session={investigator.cookies['comity_session']}".encode()
    request = Request({"type": "http", "headers": [(b"cookie", cookie)]})

    async def heard() -> str | None:
        stream = live.follow_reveal(request, desk.investigator, "f" * 24)
        event = await anext(stream)
        await stream.aclose()
        return event.event

    assert run(heard) == "lost"


def hidden_in(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found
    return found.group(1)
