"""The desk's pages for investigators and examiners: that they only say what the acts do, and go blank when they must."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest
from anyio import run, to_thread
from fastapi import Request
from fastapi.sse import ServerSentEvent
from fastapi.testclient import TestClient

from comity.acts.search import CAVEAT
from comity.desk.live import Live
from comity.desk.places import HELD_PER_SESSION_MAX, PER_SESSION_MAX
from comity.desk.shelf import Shelf
from comity.domain import entries as e
from comity.domain.ids import OrderId
from comity.domain.policy import PURPOSES
from desk_world import COURT, DANE, HOSTILE, MILWAUKEE, World, hidden, photo, preview, search, services, together

# --- searches ---


def test_a_search_shows_candidates_inside_the_answer(investigator: TestClient) -> None:
    """R26."""
    page = search(investigator, photo("p02", 2))
    assert page.status_code == 200
    assert CAVEAT in unescape(page.text)
    assert "Dane County Sheriff" in page.text
    assert page.text.count("data-candidate=") >= 1
    sources = re.findall(r'<img[^>]* src="([^"]{0,40})', page.text)
    assert all(source.startswith(("data:image/jpeg;base64,", "/desk/static/mark.svg")) for source in sources)
    assert "Person p02" not in page.text


def test_what_an_investigator_typed_comes_back_as_text(investigator: TestClient) -> None:
    page = search(investigator, photo("p02", 2), case_number=HOSTILE, authority=HOSTILE, purpose=HOSTILE, threshold=HOSTILE)
    assert page.status_code == 403
    assert HOSTILE not in page.text
    assert "&lt;script&gt;" in page.text


def test_a_refused_purpose_shows_why_and_the_probe_need_not_be_sent_again(investigator: TestClient) -> None:
    """R24."""
    refused = search(investigator, photo("p02", 2), purpose="immigration-enforcement")
    assert refused.status_code == 403
    assert unescape(refused.text).count(PURPOSES["immigration-enforcement"].why) == 2
    assert "still here" in refused.text
    assert search(investigator, ticket=hidden(refused, "ticket")).status_code == 200


def test_of_several_faces_one_is_picked_without_sending_the_probe_again(desk: World, investigator: TestClient) -> None:
    """R25."""
    page = search(investigator, together("p01", "p03"))
    assert page.status_code == 422
    assert page.text.count('name="face"') == 2
    ticket = hidden(page, "ticket")
    assert search(desk.signed_in(desk.investigator), ticket=ticket, face="0").status_code == 400  # another session's
    assert search(investigator, ticket=ticket, face="0").status_code == 200
    assert search(investigator, ticket=ticket, face="0").status_code == 400  # it was used: the probe is gone


def test_no_candidate_is_an_answer(investigator: TestClient) -> None:
    page = search(
        investigator, photo("p02", 2), purpose="missing-person", threshold="identify", offence="none", classes="missing"
    )
    assert page.status_code == 200
    assert "No candidate" in page.text


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"shown_max": "51"}, 400),
        ({"shown_max": "many"}, 400),
        ({"classes": "applicant"}, 400),
        ({"case_number": ""}, 400),
        ({"authority": " "}, 400),
        ({"face": "7"}, 422),
    ],
)
def test_what_cannot_be_asked_is_said_on_the_form(investigator: TestClient, changed: dict[str, str], status: int) -> None:
    page = search(investigator, photo("p01", 2), **changed)
    assert page.status_code == status
    assert 'role="alert"' in page.text
    assert 'value="26-0042"' in page.text or "case_number" in changed


def test_a_probe_that_is_no_picture_is_refused(investigator: TestClient) -> None:
    page = search(investigator, b"no picture at all")
    assert page.status_code == 422
    assert "still here" not in page.text
    assert search(investigator).status_code == 400


# --- review, reveal ---


def test_identity_is_revealed_after_anothers_review_and_only_then(
    desk: World, investigator: TestClient, examiner: TestClient
) -> None:
    """R27, R30."""
    page = search(investigator, photo("p04", 2))
    root = re.search(r"/desk/searches/([0-9a-f]+)/reveal", page.text)
    assert root
    candidate, base = hidden(page, "candidate"), root.group(1)
    reveal = {"candidate": candidate, "reason": "The examiner found the candidate possible."}
    assert investigator.post(f"/desk/searches/{base}/reveal", data=reveal).status_code == 403
    opened = examiner.post(f"/desk/reviews/{base}/open")
    assert opened.status_code == 200
    assert hidden(opened, "candidate") == candidate  # named as in the first search
    assert f'data-candidate="{candidate}"' not in opened.text  # while this page has names of its own
    finding = {
        "candidate": candidate,
        f"finding-{candidate}": "possible",
        f"notes-{candidate}": HOSTILE,
        f"rank-{candidate}": "1",
    }
    recorded = examiner.post(f"/desk/reviews/{base}", data=finding)
    assert "possible" in recorded.text
    assert desk.exchange.settle()
    assert "1 by others" in investigator.post(f"/desk/searches/{base}/open").text
    shown = investigator.post(f"/desk/searches/{base}/reveal", data=reveal)
    assert shown.status_code == 200
    assert "Person p04" in shown.text
    assert investigator.post(f"/desk/searches/{base}/reveal", data=reveal | {"reason": " "}).status_code == 400


def test_a_review_that_was_refused_at_its_place_counts_for_nothing(
    desk: World, investigator: TestClient, examiner: TestClient
) -> None:
    """The examiner was told that nothing was recorded, so nobody is revealed by it, though the seal is lifted again."""
    record = desk.enrol(DANE, "B-UNREVIEWED", "p23")
    page = search(investigator, photo("p23", 2))
    candidate, base = hidden(page, "candidate"), re.findall(r"/desk/searches/([0-9a-f]+)/reveal", page.text)[0]
    exchange, signer = desk.exchange, desk.exchange.keyring.signer(COURT)
    sealed = e.RecordsSealed(OrderId("unreviewed"), "COURT_ORDER_ONLY", "ny-cpl-160.50", (record,), (), exchange.now())
    exchange.orders.submit(exchange.journal.entry(sealed, key="k", signer=signer))
    made = {"candidate": candidate, f"finding-{candidate}": "possible"}
    assert "Nothing was recorded" in examiner.post(f"/desk/reviews/{base}", data=made).text
    lifted = e.RecordsUnsealed(OrderId("reviewed"), (e.OrderName(COURT, OrderId("unreviewed")),))
    exchange.orders.submit(exchange.journal.entry(lifted, key="k", signer=signer))
    assert "by others" not in investigator.post(f"/desk/searches/{base}/open").text
    reveal = {"candidate": candidate, "reason": "A reason."}
    assert investigator.post(f"/desk/searches/{base}/reveal", data=reveal).status_code == 403
    assert "Recorded" in examiner.post(f"/desk/reviews/{base}", data=made).text
    assert "1 by others" in investigator.post(f"/desk/searches/{base}/open").text
    assert investigator.post(f"/desk/searches/{base}/reveal", data=reveal).status_code == 200


def test_a_time_that_no_calendar_can_turn_is_shown_as_it_came(
    desk: World, investigator: TestClient, examiner: TestClient
) -> None:
    desk.enrol(DANE, "B-EDGE", "p24", name="0001-01-01T00:00:00+01:00")
    page = search(investigator, photo("p24", 2))
    candidate, base = hidden(page, "candidate"), re.findall(r"/desk/searches/([0-9a-f]+)/reveal", page.text)[0]
    examiner.post(f"/desk/reviews/{base}", data={"candidate": candidate, f"finding-{candidate}": "possible"})
    shown = investigator.post(f"/desk/searches/{base}/reveal", data={"candidate": candidate, "reason": "A reason."})
    assert shown.status_code == 200
    assert "0001-01-01T00:00:00+01:00" in shown.text


def test_particulars_are_text_whatever_the_owner_sent(desk: World, investigator: TestClient, examiner: TestClient) -> None:
    desk.enrol(DANE, "B-HOSTILE", "p13", name=HOSTILE)
    page = search(investigator, photo("p13", 2))
    base = re.findall(r"/desk/searches/([0-9a-f]+)/reveal", page.text)[0]
    candidate = hidden(page, "candidate")
    examiner.post(f"/desk/reviews/{base}", data={"candidate": candidate, f"finding-{candidate}": "possible"})
    assert desk.exchange.settle()
    shown = investigator.post(f"/desk/searches/{base}/reveal", data={"candidate": candidate, "reason": "A reason."})
    assert shown.status_code == 200
    assert HOSTILE not in shown.text
    assert HOSTILE in unescape(shown.text)


def test_whoever_searched_cannot_review(desk: World) -> None:
    """R27."""
    both = desk.exchange.identity.add("Bo Both", MILWAUKEE, {"investigator", "examiner"})
    client = desk.signed_in(both)
    page = search(client, photo("p04", 2))
    candidate = hidden(page, "candidate")
    base = re.findall(r"/desk/searches/([0-9a-f]+)/reveal", page.text)[0]
    assert client.post(f"/desk/reviews/{base}/open").status_code == 200
    refused = client.post(f"/desk/reviews/{base}", data={"candidate": candidate, f"finding-{candidate}": "possible"})
    assert "Nothing was recorded" in refused.text
    assert "Whoever searched cannot review" in refused.text


def test_another_agencys_search_is_not_there(desk: World, investigator: TestClient) -> None:
    base = re.findall(r"/desk/searches/([0-9a-f]+)/reveal", search(investigator, photo("p04", 2)).text)[0]
    assert desk.exchange.settle()
    other = desk.signed_in(desk.exchange.identity.add("Olga Other", DANE, {"investigator", "examiner"}))
    assert other.post(f"/desk/searches/{base}/open").status_code == 404
    assert other.post(f"/desk/reviews/{base}/open").status_code == 404
    assert base not in other.get("/desk/reviews").text.replace(" ", "")


def test_a_list_opened_again_has_no_record_that_was_sealed(desk: World, clerk: TestClient, investigator: TestClient) -> None:
    """R18 d."""
    desk.enrol(DANE, "B-AGAIN", "p07")
    page = search(investigator, photo("p07", 2))
    base = re.findall(r"/desk/searches/([0-9a-f]+)/reveal", page.text)[0]
    before = page.text.count("data-candidate=")
    token = hidden(preview(clerk, booking="B-AGAIN", agency=DANE), "token")
    clerk.post("/desk/orders", data={"token": token, "what": "seal"})
    assert investigator.post(f"/desk/searches/{base}/open").text.count("data-candidate=") == before - 1


# --- open pages ---


Event = tuple[str | None, list[str]]


def follow(
    desk: World, client: TestClient, search_id: str, *, meanwhile: Callable[[], object] | None = None, late_seconds: float = 0
) -> list[Event]:
    """Return what a page's stream says first, and what it says when that changes after something happened meanwhile."""
    live = Live(replace(services(desk.exchange), now=lambda: desk.exchange.now() + timedelta(seconds=late_seconds)))
    request = as_from(client)

    async def heard() -> list[Event]:
        stream = live.follow(request, desk.investigator, search_id)
        events = [said(await anext(stream))]
        if meanwhile is not None:
            await to_thread.run_sync(meanwhile)
            while (event := said(await anext(stream))) == events[0]:
                pass
            events.append(event)
        await stream.aclose()
        return events

    return run(heard)


def said(event: ServerSentEvent) -> Event:
    return event.event, event.data.get("gone", [])


def as_from(client: TestClient) -> Request:
    return Request({"type": "http", "headers": [(b"cookie", f"comity_session={client.cookies['comity_session']}".encode())]})


def found(client: TestClient, probe: bytes) -> tuple[str, list[str]]:
    page = search(client, probe)
    names = re.findall(r'data-candidate="([0-9a-f]+)"', page.text)
    return re.findall(r"/desk/live/([0-9a-f]+)", page.text)[0], names


def test_an_open_page_is_told_the_name_to_blank_and_nothing_else(
    desk: World, clerk: TestClient, investigator: TestClient
) -> None:
    """R18 d."""
    desk.enrol(DANE, "B-LIVE", "p14")
    search_id, names = found(investigator, photo("p14", 2))

    def seal() -> None:
        token = hidden(preview(clerk, booking="B-LIVE", agency=DANE), "token")
        clerk.post("/desk/orders", data={"token": token, "what": "seal"})

    events = follow(desk, investigator, search_id, meanwhile=seal)
    assert events[0] == ("judged", [])
    assert events[-1] == ("judged", [names[0]])
    assert follow(desk, investigator, search_id)[0] == ("judged", [names[0]])  # a page that connects later is told at once


def test_a_stream_ends_where_nothing_can_be_judged(desk: World, investigator: TestClient) -> None:
    """R48: a stopped clock, a search that is not there, a session that ended."""
    search_id, _ = found(investigator, photo("p01", 2))
    assert follow(desk, investigator, search_id, late_seconds=120) == [("lost", [])]
    assert follow(desk, investigator, "f" * 24) == [("lost", [])]

    def leave() -> None:
        investigator.post("/sign-out")

    assert follow(desk, investigator, search_id, meanwhile=leave)[-1] == ("lost", [])


def test_a_fifth_page_is_judged_too_and_keeps_no_connection(desk: World, investigator: TestClient) -> None:
    """A browser has six connections: the pages after the fourth ask again every second, and none goes blank."""
    search_id, _ = found(investigator, photo("p01", 2))
    live, request = Live(services(desk.exchange)), as_from(investigator)

    async def heard() -> tuple[list[str | None], bool]:
        streams = [live.follow(request, desk.investigator, search_id) for _ in range(HELD_PER_SESSION_MAX + 1)]
        first = [(await anext(stream)).event for stream in streams]
        ended = await anext(streams[-1], None) is None
        for stream in streams:
            await stream.aclose()
        return first, ended

    assert run(heard) == (["judged"] * (HELD_PER_SESSION_MAX + 1), True)


def test_a_page_beyond_the_limit_says_why_it_is_blank(desk: World, investigator: TestClient) -> None:
    live, request = Live(services(desk.exchange)), as_from(investigator)
    with ExitStack() as stack:
        for number in range(PER_SESSION_MAX):
            stack.enter_context(live._places.take(investigator.cookies["comity_session"], f"page {number}"))

        async def heard() -> ServerSentEvent:
            return await anext(live.follow(request, desk.investigator, "f" * 24))

        event = run(heard)
    assert event.event == "lost"
    assert f"{PER_SESSION_MAX} at most" in event.data["why"]


# --- the probe that is kept between two pages ---


def test_the_shelf_forgets_at_sign_out(desk: World) -> None:
    client, other = desk.signed_in(desk.investigator), desk.signed_in(desk.investigator)
    ticket = hidden(search(client, photo("p02", 2), purpose="immigration-enforcement"), "ticket")
    kept = hidden(search(other, photo("p02", 2), purpose="immigration-enforcement"), "ticket")
    assert ticket != kept
    shelf = shelf_of(desk)
    before = len(shelf)
    client.post("/sign-out")
    assert len(shelf) == before - 1
    other.post("/sign-out")


def shelf_of(desk: World) -> Shelf:
    """Return the desk's shelf."""
    shelf = desk.app.state.shelf
    assert isinstance(shelf, Shelf)
    return shelf


# --- lists, a page at a time ---


def test_your_searches_are_yours_however_many_others_make(
    desk: World, monkeypatch: pytest.MonkeyPatch, investigator: TestClient
) -> None:
    """Filtered before it is cut: a colleague's fifty searches must not hide one's own."""
    monkeypatch.setattr("comity.desk.lists.LISTED_MAX", 2)
    mine = desk.exchange.identity.add("Pat Pages", MILWAUKEE, {"investigator"})
    client = desk.signed_in(mine)
    own = [re.findall(r"/desk/searches/([0-9a-f]+)/reveal", search(client, photo("p01", 2)).text)[0] for _ in range(3)]
    for _ in range(3):
        search(investigator, photo("p01", 2))
    assert desk.exchange.settle()
    first = client.get("/desk/searches").text
    assert shown_in(first, own) == own[:0:-1]
    older = re.findall(r'href="(/desk/searches\?before=[^"]+)"', first)
    second = client.get(unescape(older[0])).text
    assert shown_in(second, own) == own[:1]
    assert "?before=" not in second


def shown_in(page: str, names: list[str]) -> list[str]:
    """Return which of these searches a page lists, in its order."""
    listed = re.findall(r"/desk/searches/([0-9a-f]+)/open", page)
    return [name for name in listed if name in names]
