"""The desk's pages: who gets in, and what a clerk sees and presses."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from comity.domain.ids import RecordId
from comity.domain.policy import STATUTES
from comity.ports import Rejection
from desk_world import BASE, COURT, DANE, HOSTILE, MILWAUKEE, World, hidden, photo, preview, search

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


ELSEWHERE = [(role, party) for role in ("investigator", "examiner", "agency-writer") for party in (COURT, "exchange")]


@pytest.mark.parametrize(("role", "party"), ELSEWHERE)
def test_a_role_that_a_party_cannot_have_opens_no_page(desk: World, role: str, party: str) -> None:
    """R39: an old file may give a court's person an agency's role: 403, never a 500."""
    person = desk.exchange.identity.add(f"{role} of {party}", party, {role})
    client = desk.signed_in(person)
    assert "None of your roles has a page here" in client.get("/desk").text
    assert search(client, photo("p01", 2)).status_code == 403
    for path in ("/desk/search", "/desk/searches", "/desk/reviews", "/desk/agency", "/desk/live/x", "/desk/orders"):
        assert client.get(path).status_code == 403
    for path in ("/desk/searches/x/open", "/desk/searches/x/reveal", "/desk/reviews/x/open", "/desk/reviews/x"):
        assert client.post(path, data={"reason": "r", "candidate": "c"}).status_code == 403


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
    page = preview(clerk, court_case="9" * 129)
    assert page.status_code == 400
    assert "at most 128 characters" in page.text
    assert clerk.post("/desk/orders", data={"token": "00ff", "what": "seal"}).status_code == 400
    assert clerk.post("/desk/orders", data={"token": "no hex", "what": "seal"}).status_code == 400


def test_an_agency_reads_what_could_not_be_used(desk: World) -> None:
    """R6."""
    page = desk.signed_in(desk.writer).get("/desk/agency")
    assert page.status_code == 200
    assert "Every enrolment could be used." in page.text


def test_rejections_come_newest_first_a_page_at_a_time_and_leave_once_corrected(
    desk: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R6."""
    monkeypatch.setattr("comity.desk.agency.SHOWN_MAX", 2)
    rejections, client = desk.exchange.rejections, desk.signed_in(desk.writer)
    corrected = desk.enrol(MILWAUKEE, "B-CORRECTED", "p15")
    records = [RecordId(f"{n:032x}") for n in range(3)]
    for record in (*records, corrected):
        rejections.add(Rejection(record, MILWAUKEE, 0, None, "no-face", f"advice-{record[-1]}"))
    first = client.get("/desk/agency").text
    assert re.findall(r"advice-(\w)", first) == ["2", "1"]
    older = re.findall(r'href="(/desk/agency\?before=[^"]+)"', first)
    second = client.get(unescape(older[0])).text
    assert re.findall(r"advice-(\w)", second) == ["0"]
    assert "?before=" not in second
    assert client.get("/desk/agency?before=nothing.of.ours").status_code == 200


def test_the_pages_need_nothing_from_elsewhere() -> None:
    folder = Path(__file__).parents[2] / "services" / "comity" / "desk"
    for path in [*folder.glob("templates/*.html"), *folder.glob("static/*.css"), *folder.glob("static/*.js")]:
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//[a-z]+\.", text), path
    assert BASE.startswith("http")


@pytest.mark.parametrize("charset", ["undefined", "punycode", "unicode_escape", "raw_unicode_escape", "\x00", "utf-16"])
def test_a_form_in_other_letters_is_refused(clerk: TestClient, charset: str) -> None:
    """Whatever codec a form names would be looked up, and some of them fail, or give what no page can say."""
    body = b'--B\r\nContent-Disposition: form-data; name="court_case"\r\n\r\n\\ud800x\xff\r\n--B--\r\n'
    sent = {"content-type": f"multipart/form-data; boundary=B; charset={charset}"}
    assert clerk.post("/desk/orders/preview", content=body, headers=sent).status_code == 400
    sent["content-type"] = "multipart/form-data; boundary=B; charset=UTF-8"
    assert clerk.post("/desk/orders/preview", content=body, headers=sent).status_code == 400  # the form's own: no statute
    assert "Unknown statute" in clerk.post("/desk/orders/preview", content=body, headers=sent).text
