"""A party's orders read back: on the desk, over HTTP, printed and downloaded; with what became of them since."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from html import unescape

import pytest
from fastapi.testclient import TestClient

from builders import COURT as HOUSE_COURT
from builders import MADISON, House, booking
from comity.domain import entries as e
from comity.domain.entries import OrderName
from comity.domain.ids import OrderId, PartyId, RecordId
from comity.domain.judge import Facts
from desk_world import COURT, DANE, MILWAUKEE, World, hidden, preview

PAPER = b"%PDF-1.7 the court orders"


def entered(client: TestClient, *, document: bytes = b"", word: str = "", **fields: str) -> str:
    """Preview and press, and return the order's number."""
    data = {"token": hidden(preview(client, **fields), "token"), "confirmation": word}
    files = {"document": ("order.pdf", document, "application/pdf")} if document else None
    answer = client.post("/desk/orders", data=data, files=files)
    assert answer.status_code == 200, answer.text
    return answer.url.path.rsplit("/", 1)[-1]


def lift(desk: World, order_id: str, *, of: str = COURT, by: str = COURT, authority: str = "") -> None:
    event = e.RecordsUnsealed(OrderId(f"lift-{order_id}"), (OrderName(PartyId(of), OrderId(order_id)),), authority, None)
    signer = desk.exchange.keyring.signer(by)
    desk.exchange.orders.submit(desk.exchange.journal.entry(event, key="k", signer=signer))


def text(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_a_receipt_says_what_it_is_for_and_by_whom_and_once_lifted_says_so(desk: World, clerk: TestClient) -> None:
    desk.enrol(DANE, "B-READ", "p18", court_case="2026 CF-118")
    order = entered(clerk, court_case=" 2026 CF-118", document=PAPER)
    told = text(clerk.get(f"/desk/orders/{order}").text)
    for sentence in ("The order stands", "Court case 2026 CF-118", "Entered by Carla Voss", "1 of Dane County Sheriff"):
        assert sentence in told
    assert "by the log's clock" in told
    lift(desk, order)
    told = text(clerk.get(f"/desk/orders/{order}").text)
    assert "The order stands" not in told
    assert "In force" not in told
    assert "The order was lifted" in told
    assert "by Milwaukee County Circuit Court" in told
    assert "Covered by itself 1 of Dane County Sheriff" in told
    listed = text(clerk.get("/desk/orders").text)
    assert "Lifted on" in listed
    assert "Court case 2026 CF-118" in listed


def test_a_receipt_is_downloaded_and_the_api_gives_the_same(house: House, desk: World, clerk: TestClient) -> None:
    order = entered(clerk, atn="ATN-DOWN", document=PAPER)
    answer = clerk.get(f"/desk/orders/{order}/receipt.json")
    assert "attachment" in answer.headers["content-disposition"]
    held = answer.json()
    assert (held["order_id"], held["state"], held["numbers"]) == (order, "stands", {"atn": "ATN-DOWN"})
    assert held["position"] >= 0
    assert held["clerk"] == desk.clerk.user_id
    del house


def test_the_documents_very_bytes_are_read_back_by_their_own_court_alone(desk: World, clerk: TestClient) -> None:
    order = entered(clerk, atn="ATN-BACK", document=PAPER)
    answer = clerk.get(f"/desk/orders/{order}/document")
    assert answer.content == PAPER
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "attachment" in answer.headers["content-disposition"]
    assert ".pdf" in answer.headers["content-disposition"]
    other = desk.signed_in(desk.exchange.identity.add("Foreign Clerk", DANE, {"clerk"}))
    for path in ("", "/document", "/receipt.json"):
        assert other.get(f"/desk/orders/{order}{path}").status_code == 404
    bare = entered(clerk, atn="ATN-NO-PAPER")
    assert clerk.get(f"/desk/orders/{bare}/document").status_code == 404


def test_an_expungements_certificate_is_read_on_the_receipt(desk: World, clerk: TestClient) -> None:
    desk.enrol(MILWAUKEE, "B-CERTIFIED", "p19")
    order = entered(clerk, booking="B-CERTIFIED", agency=MILWAUKEE, what="expunge", statute="wi-165.84", word="expunge")
    assert desk.exchange.settle()
    told = text(clerk.get(f"/desk/orders/{order}").text)
    for sentence in ("Certificate", "Destroyed", "Looked for", "Not looked through", "backups outside this home"):
        assert sentence in told
    (certificate, *_) = clerk.get(f"/desk/orders/{order}/receipt.json").json()["certificates"]
    assert certificate["order_id"] == order
    assert certificate["keys_shredded"] == 1


def test_an_order_for_a_number_alone_says_what_it_covers_once_that_has_come(
    desk: World, clerk: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sent past intake, which would refuse it: an agency's own producer writes to the log itself."""
    order = entered(clerk, court_case="2031CF000031")
    assert "No record here yet" in clerk.get(f"/desk/orders/{order}").text
    assert "It will cover those that come" in clerk.get(f"/desk/orders/{order}").text
    monkeypatch.setattr("comity.acts.enrol.check_suppression", lambda *_: None)
    desk.enrol(DANE, "B-LATER", "p20", court_case="2031-CF-000031")
    assert "1 of Dane County Sheriff" in text(clerk.get(f"/desk/orders/{order}").text)


def test_what_came_after_an_orders_end_it_never_covered(desk: World, clerk: TestClient) -> None:
    order = entered(clerk, court_case="2031CF000041")
    lift(desk, order)
    desk.enrol(DANE, "B-AFTER-LIFT", "p20", court_case="2031CF000041")
    told = text(clerk.get(f"/desk/orders/{order}").text)
    assert "Covered by itself No record." in told
    assert clerk.get(f"/desk/orders/{order}/receipt.json").json()["covers"] == {}


def provisional(desk: World, record: RecordId, order_id: str, lapses_at: datetime) -> None:
    event = e.RecordsProvisionallySealed(OrderId(order_id), "ca-pc-851.91", (record,), (), lapses_at)
    signer = desk.exchange.keyring.signer(COURT)
    desk.exchange.orders.submit(desk.exchange.journal.entry(event, key="k", signer=signer))


def test_a_provisional_seal_lifted_after_its_day_and_before_it_lapsed_is_not_in_force(desk: World, clerk: TestClient) -> None:
    """Its day has come, and nothing settled says so yet: what ended it is the lift, as the verdict has it."""
    record = desk.enrol(DANE, "B-PROVISIONAL", "p21")
    provisional(desk, record, "provisional-1", desk.exchange.now() - timedelta(minutes=1))
    told = text(clerk.get("/desk/orders/provisional-1").text)
    assert "The order stands" in told
    assert "once the clock has confirmed that" in told
    assert "Its day to lapse has come" in told
    lift(desk, "provisional-1")
    told = text(clerk.get("/desk/orders/provisional-1").text)
    assert "The order was lifted" in told
    assert "In force" not in told
    assert clerk.get("/desk/orders/provisional-1/receipt.json").json()["state"] == "lifted"


def test_a_provisional_seal_that_lapsed_covers_what_had_come_by_then(
    desk: World, clerk: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = desk.enrol(DANE, "B-LAPSED", "p22")
    provisional(desk, record, "provisional-2", desk.exchange.now() + timedelta(seconds=1))
    monkeypatch.setattr(Facts, "lapsed", lambda _, order, __: order.lapses_at is not None)
    told = text(clerk.get("/desk/orders/provisional-2").text)
    assert "The order lapsed" in told
    assert "Covered by itself 1 of Dane County Sheriff" in told


def test_a_preview_calls_nothing_destroyed_that_is_hidden_alone(desk: World, clerk: TestClient) -> None:
    """The same picture under another booking is kin: no order names it."""
    desk.enrol(DANE, "B-KIN-1", "p25")
    desk.enrol(MILWAUKEE, "B-KIN-2", "p25")
    asked = {"what": "expunge", "statute": "wi-165.84", "booking": "B-KIN-1", "agency": DANE}
    told = text(preview(clerk, **asked).text)
    assert "Expunge 1 record " in told
    assert "1 of these only by a booking number or a photograph shared" in told
    assert "It is not destroyed." in told


def test_previews_at_the_desk_are_paced_as_the_apis(desk: World, clerk: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    pace = desk.exchange.seal.previews.looks
    monkeypatch.setattr(pace, "_burst", 1)
    monkeypatch.setattr(pace, "_per_second", 0.001)
    monkeypatch.setattr(pace, "_buckets", {})
    answers = [preview(clerk, atn="ATN-PACED") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert int(answers[1].headers["retry-after"]) > 0


def test_an_order_whose_number_has_slashes_opens_from_the_list(desk: World, clerk: TestClient) -> None:
    record = desk.enrol(DANE, "B-SLASH", "p26")
    sealed = e.RecordsSealed(OrderId("2026/CF/12"), "ANNOTATE", "mn-609a", (record,), (), desk.exchange.now())
    desk.exchange.orders.submit(desk.exchange.journal.entry(sealed, key="k", signer=desk.exchange.keyring.signer(COURT)))
    (link, *_) = re.findall(r'<a href="(/desk/orders/2026[^"]*)"', clerk.get("/desk/orders").text)
    page = clerk.get(link)
    assert page.status_code == 200
    assert "but for the search of the agency that holds them" in text(page.text)
    for path in re.findall(r'href="(/desk/orders/2026[^"]*)"', page.text):
        assert clerk.get(path).status_code == 200


def test_a_seal_under_a_law_that_destroys_leads_to_the_expungement(clerk: TestClient) -> None:
    page = clerk.get(f"/desk/orders/{entered(clerk, atn='ATN-LEADS', statute='ca-pc-851.8')}").text
    (leads,) = re.findall(r'href="(/desk/orders\?what=expunge[^"]*)"', page)
    assert "three years" in page
    form = clerk.get(unescape(leads)).text
    assert re.search(r'value="expunge" required checked', form)
    assert re.search(r'value="ca-pc-851.8" required checked', form)


def test_the_list_pages_newest_first(clerk: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comity.desk.clerk.ORDERS_SHOWN_MAX", 2)
    orders = [entered(clerk, atn=f"ATN-PAGE-{n}") for n in range(3)]
    first = clerk.get("/desk/orders").text
    assert re.findall(r'href="/desk/orders/([0-9a-f]{24})"', first) == orders[:0:-1]
    (older,) = re.findall(r'href="(/desk/orders\?before=[^"]+)"', first)
    assert re.findall(r'href="/desk/orders/([0-9a-f]{24})"', clerk.get(unescape(older)).text)[0] == orders[0]
    assert clerk.get("/desk/orders?before=never-there").status_code == 200


def test_receipts_are_printed_and_other_pages_are_not(clerk: TestClient) -> None:
    receipt = clerk.get(f"/desk/orders/{entered(clerk, atn='ATN-PRINT')}").text
    assert '<body class="prints">' in receipt
    assert 'class="prints"' not in clerk.get("/desk/orders").text
    style = clerk.get("/desk/static/desk.css").text
    assert "body:not(.prints) main" in style


# --- over HTTP ---


def test_orders_are_read_over_http_by_their_own_party(house: House, registrar: TestClient) -> None:
    house.admit(booking(21, "R-1", atn="ATN R/1"))
    asked = {"what": "seal", "statute": "ny-cpl-160.50", "atn": "ATN R/1"}
    token = registrar.post("/v1/orders/preview", json=asked).json()["token"]
    receipt = registrar.post("/v1/orders", data={"token": token}, files={"document": ("order.pdf", PAPER)}).json()
    path = f"/v1/orders/{HOUSE_COURT}/{receipt['event_id']}"
    held = registrar.get(path).json()
    assert (held["state"], held["sha256"], held["position"]) == ("stands", receipt["sha256"], receipt["position"])
    assert held["numbers"] == {"atn": "ATN R/1"}
    assert list(held["covers"].values()) == [1]
    assert registrar.get(f"{path}/document").content == PAPER
    assert registrar.get(f"{path}/certificates").json() == []
    listed = registrar.get("/v1/orders").json()
    assert listed[0]["order_id"] == receipt["event_id"]
    other = house.intake(MADISON, "clerk")
    assert other.get(path).status_code == 404
    assert other.get(f"/v1/orders/{MADISON}/{receipt['event_id']}").status_code == 404
    assert other.get("/v1/orders").json() == []
    assert house.intake(MADISON, "investigator").get("/v1/orders").status_code == 403


def test_the_list_over_http_comes_a_page_at_a_time(house: House, registrar: TestClient) -> None:
    made = []
    for number in range(3):
        asked = {"what": "seal", "statute": "ny-cpl-160.50", "atn": f"ATN-HTTP-{number}"}
        token = registrar.post("/v1/orders/preview", json=asked).json()["token"]
        made.append(registrar.post("/v1/orders", data={"token": token}).json()["event_id"])
    first = registrar.get("/v1/orders", params={"limit": 2})
    assert [one["order_id"] for one in first.json()] == made[:0:-1]
    (following,) = re.findall(r"<([^>]+)>; rel=\"next\"", first.headers["link"])
    assert registrar.get(following).json()[0]["order_id"] == made[0]
    assert json.dumps(first.json()).count("ATN-HTTP") == 2
    del house
