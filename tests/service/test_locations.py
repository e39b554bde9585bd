"""What was made is where its answer says, whichever way it came in; and the same request again made nothing further."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from builders import COURT, MADISON, MILWAUKEE, ORIGIN, House
from comity.acts.register import ADMINISTRATOR
from comity.domain import entries as e
from comity.domain.ids import GrantId, KeyId, OrderId, Ori, PartyId
from comity.domain.log import JOURNAL
from comity.domain.roles import ROLES
from comity.serving import http
from comity.wire import codec
from comity.wire.signing import SigningKey
from exchange import read

KEY = "9b2f6d0e-made-once"


@pytest.fixture
def office(house: House) -> TestClient:
    """Return an administrator's client of everything that is served."""
    _, token = house.person("exchange", "administrator", name="Boss")
    return browser(house, token)


def browser(house: House, token: str) -> TestClient:
    return TestClient(http(house.exchange, ("testserver",)), base_url=ORIGIN, headers={"authorization": f"Bearer {token}"})


def of(house: House, party: str) -> TestClient:
    """Return a client of somebody of this party's with every role that they may have."""
    return browser(house, house.person(party, *ROLES, name="Everybody")[1])


def send(house: House, web: TestClient, party: str, event: e.Event, own: str, subject: str = "x") -> Any:  # noqa: ANN401
    exchange = house.exchange
    entry = exchange.journal.entry(event, key=subject, signer=exchange.keyring.signer(PartyId(party)), source="//x", own_id=own)
    headers = {name.replace("_", "-"): value.decode() for name, value in entry.headers}
    return web.post("/intake/v1/events", content=entry.value or b"", headers=headers)


def order(web: TestClient, number: str) -> str:
    asked = {"what": "seal", "statute": "wi-165.84", "court_case": number}
    token = web.post("/intake/v1/orders/preview", json=asked).json()["token"]
    return str(web.post("/intake/v1/orders", data={"token": token}).json()["event_id"])


def count(house: House, kind: type) -> int:
    values = [placed.entry.value or b"" for placed in read(house.exchange, JOURNAL)]
    return [codec.type_of(value) for value in values].count(kind)


def found(web: TestClient, answer: Any) -> Any:  # noqa: ANN401 - JSON
    assert answer.status_code in (200, 201), answer.text
    there = web.get(answer.headers["location"])
    assert there.status_code == 200, (answer.headers["location"], there.text)
    return there.json()


def test_a_lift_by_event_is_where_its_answer_says(house: House) -> None:
    web = of(house, COURT)
    lift = e.RecordsUnsealed(OrderId("lift-no-1"), (e.OrderName(COURT, OrderId(order(web, "2026CF000777"))),), "decision")
    answer = send(house, web, COURT, lift, "lift-no-1")
    shown = found(web, answer)
    assert (shown["event_id"], shown["position"]) == ("lift-no-1", answer.json()["position"])


@pytest.mark.parametrize("whose", ["own", "another party's"])
def test_a_lift_is_where_its_answer_says(house: House, whose: str) -> None:
    web = of(house, COURT)
    party, number = (COURT, order(web, "2026CF000778"))
    if whose != "own":
        party, number = PartyId(MILWAUKEE), order(of(house, MILWAUKEE), "2026CF000779")
    answer = web.post(f"/intake/v1/orders/{party}/{number}/lift", json={"authority": "Decision of 4 March"})
    assert found(web, answer)["event_id"] == answer.json()["event_id"]
    assert of(house, MADISON).get(answer.headers["location"]).status_code in (403, 404)


def test_what_is_taken_back_by_event_is_where_its_answer_says(house: House) -> None:
    """Whatever its sender wrote as the subject, which no signature covers."""
    grant = house.grant(MILWAUKEE, MADISON, "search")
    web = of(house, MILWAUKEE)
    answer = send(house, web, MILWAUKEE, e.ShareRevoked(GrantId(grant)), f"{grant}.r", subject="anything")
    assert found(web, answer)["revoked_at_position"] == answer.json()["position"]


@pytest.mark.parametrize(
    "event",
    [
        e.PolicyAdopted(bytes(32)),
        e.AgencyRegistered(Ori("WI0880008"), "Where it is", "county"),
        e.CourtRegistered(PartyId("WI-WHERE-CC"), "Where it is"),
        e.KeyRegistered(KeyId("our key, no. 7"), PartyId(MILWAUKEE), e.Role.AGENCY, SigningKey.generate().public_bytes),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_an_administrator_enters_by_event_is_where_its_answer_says(house: House, office: TestClient, event: e.Event) -> None:
    _, token = house.person(ADMINISTRATOR, "administrator", name="Root")
    web, own = browser(house, token), f"own-{type(event).__name__}"
    first = send(house, web, ADMINISTRATOR, event, own)
    found(office, first)
    second = send(house, web, ADMINISTRATOR, event, own)
    found(office, second)
    if not isinstance(event, e.PolicyAdopted):  # which is entered as often as it is adopted
        assert (second.status_code, second.json()["position"]) == (200, first.json()["position"])


def test_a_key_is_revoked_once_under_a_key_and_shown_where_the_answer_says(house: House, office: TestClient) -> None:
    public = base64.b64encode(SigningKey.generate().public_bytes).decode()
    asked = {"party": MILWAUKEE, "role": "agency", "public_key": public, "kid": "Lakeside PD, 2026 (+=?#)"}
    made = office.post("/intake/v1/keys", json=asked)
    assert found(office, made)["in_force"]
    path, before = f"{made.headers['location']}/revocation", count(house, e.KeyRevoked)
    first, second = (office.post(path, json={}, headers={"idempotency-key": KEY}) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert not found(office, second)["in_force"]
    assert count(house, e.KeyRevoked) == before + 1
    assert office.post(path, json={"void_from": 3}, headers={"idempotency-key": KEY}).status_code == 409


def test_a_look_under_a_key_is_the_same_look_judged_anew(house: House) -> None:
    web, asked = of(house, COURT), {"what": "seal", "statute": "wi-165.84", "court_case": "2026CF000780"}
    headers = {"idempotency-key": KEY}
    assert {web.post("/intake/v1/orders/preview", json=asked, headers=headers).status_code for _ in range(3)} == {200}
    looks = [event for event in previews(house) if event.party == COURT][-3:]
    assert {event.preview_id for event in looks} == {looks[0].preview_id}
    assert [event.attempt for event in looks] == [0, 1, 2]
    other = asked | {"court_case": "2026CF000781"}
    assert web.post("/intake/v1/orders/preview", json=other, headers=headers).status_code == 409


def previews(house: House) -> list[e.OrderPreviewed]:
    values = [placed.entry.value or b"" for placed in read(house.exchange, JOURNAL)]
    events = [codec.decode(value) for value in values if codec.type_of(value) is e.OrderPreviewed]
    return [event for event in events if isinstance(event, e.OrderPreviewed)]


def test_a_link_under_a_key_is_made_once(house: House, office: TestClient) -> None:
    person, _ = house.person(MILWAUKEE, "examiner", name="Linked")
    path, before = f"/operations/v1/people/{person.user_id}/links", count(house, e.PersonAdministered)
    first, second = (office.post(path, headers={"idempotency-key": KEY}) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert count(house, e.PersonAdministered) == before + 1
    assert office.post(path).json() != first.json()


def test_certificates_have_pages(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    web = of(house, COURT)
    number = order(web, "2026CF000790")
    name, now = e.OrderName(COURT, OrderId(number)), house.exchange.now()
    one = e.ErasureCertified("certificate-0", name, 0, "directed", (), 0, 0, (), 0, 0, 0, (), now)
    book, whole = house.exchange.book, house.exchange.book.receipt
    three = tuple(replace(one, certificate_id=f"certificate-{part}", part=part) for part in range(3))
    monkeypatch.setattr(book, "receipt", lambda name: replace(whole(name), certificates=three))
    answer, parts = web.get(f"/intake/v1/orders/{COURT}/{number}/certificates", params={"limit": 2}), []
    while True:
        parts.append([certificate["part"] for certificate in answer.json()])
        if "next" not in answer.links:
            break
        answer = web.get(answer.links["next"]["url"])
    assert parts == [[0, 1], [2]]


# --- names with a slash in them ---


def slashed(house: House, web: TestClient, number: str, own: str) -> Any:  # noqa: ANN401
    """Enter an order under the court's own number for it."""
    index = house.exchange.indexer.index(e.IndexKind.COURT_CASE, number, Ori(""))
    at = house.exchange.now()
    return send(house, web, COURT, e.RecordsSealed(OrderId(own), "COURT_ORDER_ONLY", "wi-165.84", (), (index,), at), own)


def test_an_order_whose_number_has_a_slash_is_read_and_lifted(house: House) -> None:
    web = of(house, COURT)
    answer = slashed(house, web, "2026CF000801", "2026/CF/801")
    assert found(web, answer)["event_id"] == "2026/CF/801"
    at = f"/intake/v1/orders/{COURT}/2026%2FCF%2F801"
    assert web.get(at).json()["order_id"] == "2026/CF/801"
    assert web.get(f"{at}/certificates").json() == []
    assert found(web, web.post(f"{at}/lift", json={}))
    assert web.get(f"/intake/v1/orders/{COURT}/2026/CF/801").status_code == 404


def test_the_desk_leads_to_an_order_whose_number_has_a_slash(house: House) -> None:
    web = of(house, COURT)
    assert slashed(house, web, "2026CF000802", "2026/CF/802").status_code == 201
    page = web.get("/desk/orders")
    assert page.status_code == 200
    (link,) = [part.split('"')[0] for part in page.text.split('href="') if "CF%2F802" in part.split('"')[0]]
    receipt = web.get(link)
    assert receipt.status_code == 200
    assert web.get(f"{link}/receipt.json").json()["order_id"] == "2026/CF/802"
    assert f"{link}/receipt.json" in receipt.text


def test_a_key_whose_id_has_a_slash_is_shown_and_revoked(office: TestClient) -> None:
    public = base64.b64encode(SigningKey.generate().public_bytes).decode()
    made = office.post(
        "/intake/v1/keys", json={"party": MILWAUKEE, "role": "agency", "public_key": public, "kid": "Zk3v/Pq+w9=="}
    )
    assert found(office, made)["in_force"]
    assert not found(office, office.post(f"{made.headers['location']}/revocation", json={}))["in_force"]


def test_a_grant_whose_number_has_a_slash_is_shown_and_taken_back(house: House) -> None:
    web, until = of(house, MILWAUKEE), house.exchange.now() + timedelta(days=30)
    classes, purposes, rights = (e.RecordClass.BOOKING,), ("serious-crime",), ("search",)
    event = e.ShareGranted(GrantId("MOU/2026/7"), MILWAUKEE, MADISON, classes, purposes, rights, until, "")
    assert found(web, send(house, web, MILWAUKEE, event, "MOU/2026/7"))["in_force"]
    assert web.delete("/intake/v1/grants/MOU%2F2026%2F7").status_code == 200
