"""The desk's pages: who gets in, what they refuse, and that they only say what the acts do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from anyio import run, to_thread
from fastapi import Request
from fastapi.sse import ServerSentEvent
from fastapi.testclient import TestClient
from httpx2 import Response

from comity.acts.search import CAVEAT
from comity.desk.live import PER_SESSION_MAX, Live
from comity.domain.policy import PURPOSES, STATUTES
from desk_world import BASE, DANE, HOSTILE, MILWAUKEE, World, photo, services, together, world

ASKED = {
    "case_number": "26-0042",
    "purpose": "serious-crime",
    "threshold": "probable-cause",
    "offence": "robbery",
    "authority": "Sgt. Moss",
    "classes": "booking",
    "shown_max": "20",
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("home")) as made:
        yield made


@pytest.fixture
def clerk(desk: World) -> Iterator[TestClient]:
    with desk.signed_in(desk.clerk) as client:
        yield client


@pytest.fixture
def investigator(desk: World) -> Iterator[TestClient]:
    with desk.signed_in(desk.investigator) as client:
        yield client


@pytest.fixture
def examiner(desk: World) -> Iterator[TestClient]:
    with desk.signed_in(desk.examiner) as client:
        yield client


def search(client: TestClient, probe: bytes | None = None, **changed: str) -> Response:
    files = {"probe": ("probe.jpg", probe, "image/jpeg")} if probe else {"nothing": ("", b"", "text/plain")}
    return client.post("/desk/search", data=ASKED | changed, files=files)


def hidden(page: Response, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found, page.text
    return found.group(1)


def preview(client: TestClient, **fields: str) -> Response:
    return client.post("/desk/orders/preview", data={"what": "seal", "statute": "ca-pc-851.91", **fields})


# --- the door ---


def test_a_link_is_not_used_up_by_looking_at_it(desk: World) -> None:
    client, link = desk.signed_in(None), desk.link(desk.clerk)
    assert client.get(link).status_code == 200
    assert client.get(link).status_code == 200
    entered = client.post(link)
    assert entered.status_code == 200
    assert "Carla Voss" in entered.text
    assert desk.signed_in(None).post(link).status_code == 401


def test_whoever_signed_out_is_out(desk: World) -> None:
    client = desk.signed_in(desk.clerk)
    assert client.get("/desk/orders").status_code == 200
    held = client.cookies["comity_session"]
    assert client.post("/sign-out").status_code == 200
    client.cookies.set("comity_session", held)
    assert client.get("/desk/orders").status_code == 401


PAGES = ("/desk", "/desk/orders", "/desk/orders/x", "/desk/search", "/desk/searches", "/desk/reviews", "/desk/agency")


@pytest.mark.parametrize("path", [*PAGES, "/desk/live/x"])
def test_nothing_is_reachable_without_signing_in(desk: World, path: str) -> None:
    answer = desk.signed_in(None).get(path)
    assert answer.status_code == 401
    assert "Ask your administrator" in answer.text


def test_a_page_for_another_role_says_whose_it_is(clerk: TestClient, investigator: TestClient) -> None:
    """R39."""
    refused = clerk.get("/desk/search")
    assert refused.status_code == 403
    assert "Investigator" in refused.text
    for path in ("/desk/orders", "/desk/reviews", "/desk/agency"):
        assert investigator.get(path).status_code == 403
    assert clerk.get("/desk/live/x").status_code == 403


@pytest.mark.parametrize("path", ["/desk/orders", "/desk/orders/preview", "/sign-out"])
def test_another_site_cannot_press_a_button(desk: World, path: str) -> None:
    client = desk.signed_in(desk.clerk)
    assert client.post(path, headers={"Origin": "http://elsewhere.test"}).status_code == 403
    del client.headers["Origin"]
    assert client.post(path).status_code == 403


def test_every_page_allows_no_inline_script_and_is_kept_nowhere(investigator: TestClient) -> None:
    for page in (investigator.get("/desk/search"), search(investigator, photo("p01", 2))):
        policy = page.headers["content-security-policy"]
        assert "unsafe-inline" not in policy
        assert page.headers["cache-control"] == "no-store"
        assert " style=" not in page.text
        assert not re.search(r"<script(?! src=\"/desk/static/)|<style|\son\w+=", page.text)


def test_no_page_says_match(desk: World) -> None:
    """R26."""
    for person, path in ((desk.investigator, "/desk/search"), (desk.clerk, "/desk/orders"), (desk.examiner, "/desk/reviews")):
        assert "match" not in desk.signed_in(person).get(path).text.lower()
    assert "match" not in search(desk.signed_in(desk.investigator), photo("p01", 2)).text.lower().replace(".match", "")


# --- orders ---


def test_a_clerk_sees_what_an_order_covers_and_no_face(clerk: TestClient) -> None:
    """R10."""
    page = preview(clerk, court_case="2026CF000002")
    assert page.status_code == 200
    assert "Dane County Sheriff" in page.text
    assert "1 admitted" in page.text
    assert "CRIMINAL_JUSTICE_ONLY" in page.text
    assert "data:image" not in page.text


def test_pressing_twice_enters_once_and_shows_the_same_receipt(desk: World, clerk: TestClient) -> None:
    """R10."""
    desk.enrol(DANE, "B-TWICE", "p05")
    token = hidden(preview(clerk, booking="B-TWICE", agency=DANE), "token")
    document = {"document": ("order.pdf", b"%PDF-1.7 the court orders", "application/pdf")}
    first = clerk.post("/desk/orders", data={"token": token, "what": "seal"}, files=document)
    again = clerk.post("/desk/orders", data={"token": token, "what": "seal"}, files=document)
    assert first.status_code == again.status_code == 200
    assert first.url == again.url
    assert first.text == again.text
    assert first.text == clerk.get(first.url.path).text
    assert re.search(r"Position in the journal</dt><dd><code>\d+</code>", first.text)
    assert re.search(r"<code class=\"long\">[0-9a-f]{64}</code>", first.text)
    assert "<time" in first.text
    assert first.url.path in clerk.get("/desk/orders").text


def test_an_order_for_a_record_that_is_not_here_stands_and_says_so(clerk: TestClient) -> None:
    """R10."""
    page = preview(clerk, court_case="1999CF999999")
    assert "The order will stand" in page.text
    receipt = clerk.post("/desk/orders", data={"token": hidden(page, "token"), "what": "seal"})
    assert "No record here yet" in receipt.text


def test_a_statute_that_reaches_no_police_record_is_refused_with_its_reason(clerk: TestClient) -> None:
    """R13."""
    page = preview(clerk, court_case="2026CF000002", statute="wi-973.015")
    assert page.status_code == 403
    assert 'role="alert"' in page.text
    assert unescape(page.text).count(STATUTES["wi-973.015"].why) == 2


def test_an_expungement_is_confirmed_in_writing(desk: World, clerk: TestClient) -> None:
    desk.enrol(MILWAUKEE, "B-EXPUNGE", "p06")
    page = preview(clerk, booking="B-EXPUNGE", agency=MILWAUKEE, what="expunge", statute="wi-165.84")
    pressed = {"token": hidden(page, "token"), "what": "expunge"}
    assert clerk.post("/desk/orders", data=pressed).status_code == 400
    assert clerk.post("/desk/orders", data=pressed | {"confirmation": "expung"}).status_code == 400
    receipt = clerk.post("/desk/orders", data=pressed | {"confirmation": "Expunge "})
    assert receipt.status_code == 200
    assert "Erasure" in receipt.text


def test_a_statute_that_seals_expunges_nothing(clerk: TestClient) -> None:
    page = preview(clerk, court_case="2026CF000002", what="expunge", statute="ca-pc-851.91")
    assert page.status_code == 403
    assert "it orders none destroyed" in page.text


def test_anothers_order_is_not_there(desk: World, clerk: TestClient) -> None:
    receipt = clerk.post("/desk/orders", data={"token": hidden(preview(clerk, atn="ATN-7"), "token"), "what": "seal"})
    other = desk.exchange.identity.add("Other Clerk", DANE, {"clerk"})
    assert desk.signed_in(other).get(receipt.url.path).status_code == 404


@pytest.mark.parametrize("field", ["court_case", "atn", "booking", "agency", "statute", "what"])
def test_what_was_typed_comes_back_as_text(clerk: TestClient, field: str) -> None:
    page = preview(clerk, **{"statute": "wi-973.015", field: HOSTILE})
    assert page.status_code >= 400
    assert HOSTILE not in page.text


def test_what_is_too_long_or_no_preview_of_ours_is_refused(clerk: TestClient) -> None:
    assert preview(clerk, court_case="9" * 201).status_code == 400
    assert clerk.post("/desk/orders", data={"token": "00ff", "what": "seal"}).status_code == 400
    assert clerk.post("/desk/orders", data={"token": "no hex", "what": "seal"}).status_code == 400


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


def test_a_session_may_keep_only_so_many_pages_open(desk: World, investigator: TestClient) -> None:
    search_id, _ = found(investigator, photo("p01", 2))
    live, request = Live(services(desk.exchange)), as_from(investigator)

    async def heard() -> list[str | None]:
        streams = [live.follow(request, desk.investigator, search_id) for _ in range(PER_SESSION_MAX + 1)]
        first = [(await anext(stream)).event for stream in streams]
        for stream in streams:
            await stream.aclose()
        again = live.follow(request, desk.investigator, search_id)
        first.append((await anext(again)).event)
        await again.aclose()
        return first

    assert run(heard) == [*["judged"] * PER_SESSION_MAX, "lost", "judged"]


def test_an_agency_reads_what_could_not_be_used(desk: World) -> None:
    """R6."""
    page = desk.signed_in(desk.writer).get("/desk/agency")
    assert page.status_code == 200
    assert "Every enrolment could be used." in page.text


def test_the_pages_need_nothing_from_elsewhere() -> None:
    folder = Path(__file__).parents[2] / "services" / "comity" / "desk"
    for path in [*folder.glob("templates/*.html"), *folder.glob("static/*.css"), *folder.glob("static/*.js")]:
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//[a-z]+\.", text), path
    assert BASE.startswith("http")
