"""Intake over HTTP, on a whole exchange: orders, parties and what they grant each other."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from builders import ALAMEDA, COURT, MADISON, MILWAUKEE, House, booking, intake_services
from comity.acts import pace
from comity.domain.entries import Event, KeyRevoked, RecordClass, RecordsSealed, RecordsUnsealed, ShareGranted, ShareRevoked
from comity.domain.ids import GrantId, KeyId, OrderId, OrderName, RecordId
from comity.domain.log import Entry, Topic
from comity.errors import ComityError, InvalidInput, NotFound, NotPermitted, SuppressedRecord, TooMany
from comity.intake.app import create
from comity.wire.codec import Unencodable
from comity.wire.curve import SMALL_ORDER
from comity.wire.signing import SigningKey

GRANT = {"grantee": MADISON, "classes": ["booking"], "purposes": ["serious-crime"], "rights": ["search", "view"]}


def enter(house: House, registrar: TestClient, what: str = "seal", **number: str) -> dict[str, Any]:
    shown = registrar.post("/v1/orders/preview", json={"what": what, "statute": "wi-165.84", **number})
    assert shown.status_code == 200, shown.text
    receipt: dict[str, Any] = registrar.post("/v1/orders", data={"token": shown.json()["token"]}).json()
    house.settle()
    return receipt


def state(web: TestClient, record: str) -> str:
    found: str = web.get(f"/v1/records/{record}").json()["state"]
    return found


def test_whoever_signed_an_entry_that_cannot_be_read_reads_why(house: House) -> None:
    """Whatever topic it stands in: rule 7."""
    value = b"\x00\x00\x00\xff\xff nobody's schema"
    signed = (
        ("jws", house.exchange.keyring.signer(MADISON).sign(value, house.exchange.journal.exchange_id).encode()),
        ("ce_id", b"feed-1"),
    )
    placed = house.exchange.journal.append(Topic.ENROLMENTS, Entry(b"k", value, signed))
    house.settle()
    mine, others = (house.intake(party, "agency-writer").get("/v1/refusals").json() for party in (MADISON, MILWAUKEE))
    (told,) = [one for one in mine if one["event_id"] == "feed-1"]
    assert (told["topic"], told["position"], told["reason"]) == (Topic.ENROLMENTS, placed.position, "undecodable")
    assert not [one for one in others if one["event_id"] == "feed-1"]


# --- orders ---


def test_an_order_is_previewed_pressed_once_and_receipted(house: House, registrar: TestClient, writer: TestClient) -> None:
    """R10."""
    record = house.admit(booking(8, "O-1", court_case="26-CF-8"))[0]
    asked = {"what": "seal", "statute": "wi-165.84", "court_case": "26 cf 8"}
    shown = registrar.post("/v1/orders/preview", json=asked).json()
    assert (shown["mode"], shown["per_agency"]) == ("DESTROY", {MILWAUKEE: 1})
    assert [c["record_id"] for c in shown["covers"]] == [record]
    files = {"document": ("order.pdf", b"%PDF-1.7 the court's order")}
    first = registrar.post("/v1/orders", data={"token": shown["token"]}, files=files).json()
    assert first["appended_at"] is not None
    assert state(writer, record) == "suppressed"
    found = writer.get(f"/v1/records/{record}").json()
    assert found["reason"] is None  # the words say what to do, never whose order it is


def test_pressing_twice_enters_it_once(house: House, registrar: TestClient) -> None:
    house.admit(booking(9, "O-2", atn="A-2"))
    token = registrar.post("/v1/orders/preview", json={"what": "seal", "statute": "ca-pc-851.91", "atn": "A-2"}).json()["token"]
    first, again = (registrar.post("/v1/orders", data={"token": token}).json() for _ in range(2))
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert first["position"] == again["position"]


def test_what_is_sealed_is_refused_when_it_is_sent_again(house: House) -> None:
    """R18 b: by its own agency's order at once; by another's where the record stands."""
    house.admit(booking(10, "O-3"))
    enter(house, house.intake(MILWAUKEE, "clerk"), booking_number="O-3", agency=MILWAUKEE)
    with pytest.raises(SuppressedRecord, match="order of your agency"):
        house.publisher().publish(booking(10, "O-3", version=2))
    with pytest.raises(SuppressedRecord):  # the same photograph under another number
        house.publisher().publish(booking(10, "O-4"))


def test_an_order_for_a_record_that_is_not_here_stands(house: House, registrar: TestClient) -> None:
    """R10."""
    shown = registrar.post("/v1/orders/preview", json={"what": "seal", "statute": "wi-165.84", "atn": "LATER"}).json()
    assert shown["covers"] == []
    assert "stand" in shown["notes"][0]
    registrar.post("/v1/orders", data={"token": shown["token"]})
    (record,) = house.admit(booking(11, "O-5", atn="LATER"))
    assert state(house.intake(MILWAUKEE, "agency-writer"), record) == "suppressed"


def test_an_order_without_police_effect_is_refused_at_preview_with_the_reason(registrar: TestClient) -> None:
    """R13."""
    refused = registrar.post("/v1/orders/preview", json={"what": "seal", "statute": "wi-973.015", "atn": "1"})
    assert refused.status_code == 403
    assert "court's own record" in refused.json()["detail"]


def test_an_invented_token_presses_nothing(registrar: TestClient) -> None:
    for token in ("00", "zz", "é"):
        assert registrar.post("/v1/orders", data={"token": token}).status_code == 400
    assert registrar.post("/v1/orders", data={}).status_code == 422


def test_only_clerks_enter_orders(house: House, writer: TestClient) -> None:
    """R39."""
    asked = {"what": "seal", "statute": "wi-165.84", "atn": "1"}
    assert writer.post("/v1/orders/preview", json=asked).status_code == 403
    assert TestClient(house.intake_app).post("/v1/orders/preview", json=asked).status_code == 401


# --- parties and grants ---


def test_an_administrator_registers_agencies_courts_and_keys(house: House, administrator: TestClient) -> None:
    key = base64.b64encode(SigningKey.generate().public_bytes).decode()
    agency = {"ori": "MN0020300", "name": "Anoka", "requester_class": "county", "public_key": key}
    assert administrator.post("/v1/agencies", json=agency).status_code == 201
    assert administrator.post("/v1/agencies", json=agency).status_code == 409
    assert "MN0020300" in [a["ori"] for a in administrator.get("/v1/agencies").json()]
    other = base64.b64encode(SigningKey.generate().public_bytes).decode()
    assert administrator.post("/v1/courts", json={"court_id": "MN-X", "name": "X", "public_key": key}).status_code == 409
    assert administrator.post("/v1/courts", json={"court_id": "MN-X", "name": "X", "public_key": other}).status_code == 201
    assert "MN-X" in [c["court_id"] for c in administrator.get("/v1/courts").json()]
    third = base64.b64encode(SigningKey.generate().public_bytes).decode()
    stranger = {"party": "MN-Y", "role": "court", "public_key": third}
    assert administrator.post("/v1/keys", json=stranger).status_code == 404
    assert administrator.post("/v1/keys", json=stranger | {"party": "MN-X"}).status_code == 201
    assert administrator.post("/v1/keys", json=stranger | {"role": "administrator"}).status_code == 422
    assert house.intake(COURT, "clerk").post("/v1/agencies", json=agency).status_code == 403


def test_a_key_is_registered_under_an_id_of_its_partys_own(house: House, administrator: TestClient) -> None:
    """FC-40."""
    own, other = SigningKey.generate(), SigningKey.generate()
    court = {"court_id": "MN-OWN", "name": "Own", "public_key": base64.b64encode(own.public_bytes).decode(), "kid": "mn-own-1"}
    assert administrator.post("/v1/courts", json=court | {"kid": other.kid}).status_code == 400
    assert administrator.post("/v1/courts", json=court | {"kid": "two\nlines"}).status_code == 400
    assert administrator.post("/v1/courts", json=court).json()["kid"] == "mn-own-1"
    again = {"party": "MN-OWN", "role": "court", "public_key": court["public_key"], "kid": "mn-own-2"}
    assert administrator.post("/v1/keys", json=again).status_code == 409
    taken = again | {"public_key": base64.b64encode(other.public_bytes).decode(), "kid": "mn-own-1"}
    assert administrator.post("/v1/keys", json=taken).json()["details"]["reason"] == "key-known"
    event = RecordsSealed(
        OrderId("own-1"), "COURT_ORDER_ONLY", "wi-973.015", (RecordId("0" * 32),), (), house.exchange.now(), b""
    )
    receipt = house.exchange.orders.submit(house.exchange.journal.entry(event, key="k", signer=own.named("mn-own-1")))
    assert receipt.order_id == "own-1"
    with pytest.raises(NotPermitted):
        house.exchange.orders.submit(house.exchange.journal.entry(event, key="k", signer=own))


@pytest.mark.parametrize("octets", sorted(SMALL_ORDER), ids=bytes.hex)
def test_a_key_that_proves_nothing_is_not_registered(administrator: TestClient, octets: bytes) -> None:
    """F46."""
    sent = {"court_id": "MN-WEAK", "name": "Weak", "public_key": base64.b64encode(octets).decode()}
    refused = administrator.post("/v1/courts", json=sent)
    assert (refused.status_code, refused.json()["details"]["reason"]) == (400, "weak-key")
    assert "MN-WEAK" not in [c["court_id"] for c in administrator.get("/v1/courts").json()]


def test_a_grant_is_made_listed_and_taken_back(house: House, chief: TestClient) -> None:
    """R19, R22."""
    expires = (house.exchange.now() + timedelta(days=30)).isoformat()
    made = chief.post("/v1/grants", json=GRANT | {"expires_at": expires, "in_return": "Likewise"})
    assert made.status_code == 201, made.text
    grant = made.json()["event_id"]
    listed = {g["grant_id"]: g for g in house.intake(ALAMEDA, "auditor").get("/v1/grants").json()}
    assert (listed[grant]["in_force"], listed[grant]["rights"]) == (True, ["search", "view"])
    assert listed[grant]["in_return"] == "Likewise"
    other = house.intake(MADISON, "agency-administrator")
    assert other.delete(f"/v1/grants/{grant}").status_code == 404
    assert chief.delete(f"/v1/grants/{grant}").status_code == 200
    assert chief.delete(f"/v1/grants/{grant}").status_code == 404
    listed = {g["grant_id"]: g for g in chief.get("/v1/grants").json()}
    assert listed[grant]["in_force"] is False


def test_a_grant_of_the_longest_id_is_taken_back(house: House, chief: TestClient) -> None:
    """Nothing is put behind an id that a party chose."""
    signer = house.exchange.keyring.signer(MILWAUKEE)
    event = replace(_grant_event(house), grant_id=GrantId("g" * 128))
    house.exchange.orders.submit(house.exchange.journal.entry(event, key="k", signer=signer))
    assert chief.delete(f"/v1/grants/{event.grant_id}").status_code == 200
    listed = {g["grant_id"]: g for g in chief.get("/v1/grants").json()}
    assert listed[event.grant_id]["in_force"] is False


@pytest.mark.parametrize(
    ("event", "refused"),
    [
        (ShareRevoked(GrantId("none")), NotFound),
        (RecordsUnsealed(OrderId("u-none"), (OrderName(COURT, OrderId("none")),)), NotFound),
        (KeyRevoked(KeyId("none")), NotFound),
        (RecordsSealed(OrderId("s-none"), "DESTROY", "wi-165.84", (), (), datetime(2026, 1, 1, tzinfo=UTC), b""), NotPermitted),
    ],
)
def test_what_would_do_nothing_gets_no_receipt(house: House, event: Event, refused: type[ComityError]) -> None:
    """It is refused before it is entered; on the log itself, at its place."""
    party = {ShareRevoked: MILWAUKEE, KeyRevoked: "administrator"}.get(type(event), COURT)
    entry = house.exchange.journal.entry(event, key="k", signer=house.exchange.keyring.signer(party))
    with pytest.raises(refused, match=r"made no grant|entered no order|No key|at least one"):
        house.exchange.orders.submit(entry)


@pytest.mark.parametrize("order", ["order 12", "Nº-12", "o\t1"])
def test_an_id_that_no_header_can_repeat_is_refused_with_words_that_help(house: House, order: str) -> None:
    """FC-39: it would never bind, and the advice on its header would lead in a circle."""
    event = RecordsSealed(OrderId(order), "DESTROY", "wi-165.84", (RecordId("0" * 32),), (), house.exchange.now(), b"")
    with pytest.raises(Unencodable, match="printable ASCII characters and no space"):
        house.exchange.journal.entry(event, key="k", signer=house.exchange.keyring.signer(COURT))
    with pytest.raises(InvalidInput, match="printable ASCII characters and no space"):
        house.exchange.orders.enter(event, key="k", signer=house.exchange.keyring.signer(COURT), source="test", own_id="o-1")


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"grantee": MILWAUKEE}, 400),
        ({"grantee": "ZZ0000000"}, 404),
        ({"classes": ["minor"]}, 400),
        ({"purposes": ["immigration-enforcement"]}, 400),
        ({"rights": ["export"]}, 400),
        ({"rights": []}, 422),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 400),
        ({"expires_at": "2999-01-01T00:00:00Z"}, 400),
        ({"expires_at": None}, 422),
    ],
)
def test_a_grant_outside_the_tables_is_refused(
    house: House, chief: TestClient, changed: dict[str, Any], status: int
) -> None:  # fmt: skip
    expires = (house.exchange.now() + timedelta(days=30)).isoformat()
    assert chief.post("/v1/grants", json=GRANT | {"expires_at": expires} | changed).status_code == status


def test_what_had_no_effect_is_told_to_its_sender_alone(house: House, chief: TestClient) -> None:
    court = house.exchange.keyring.signer(COURT)
    event = replace(_grant_event(house), owner=MADISON)
    entry = house.exchange.journal.entry(event, key="k", signer=court)
    position = house.exchange.log.append(Topic.JOURNAL, entry, timeout_seconds=5).position
    house.settle()
    clerks = house.intake(COURT, "clerk").get("/v1/refusals").json()
    assert [(r["position"], r["reason"]) for r in clerks] == [(position, "not-entitled")]
    assert chief.get("/v1/refusals").json() == []


def test_what_was_taken_gets_its_receipt_whatever_could_be_entered_now(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that was set back makes a year's grant longer than a year: the same bytes stand all the same."""
    exchange = house.exchange
    expires = exchange.now() + timedelta(days=365)
    event = replace(_grant_event(house), grant_id=GrantId("g-again"), expires_at=expires)
    entry = exchange.journal.entry(event, key=MILWAUKEE, signer=exchange.keyring.signer(MILWAUKEE))
    first = exchange.orders.submit(entry)
    earlier = exchange.now() - timedelta(days=2)
    monkeypatch.setattr(exchange.journal, "now", lambda: earlier)
    again = exchange.orders.submit(entry)
    assert (again.position, again.repeated) == (first.position, True)
    anew = replace(event, grant_id=GrantId("g-too-long"))
    with pytest.raises(NotPermitted):
        exchange.orders.submit(exchange.journal.entry(anew, key=MILWAUKEE, signer=exchange.keyring.signer(MILWAUKEE)))


def _grant_event(house: House) -> ShareGranted:
    expires = house.exchange.now() + timedelta(days=1)
    return ShareGranted(
        GrantId("g-x"), MILWAUKEE, ALAMEDA, (RecordClass.BOOKING,), ("serious-crime",), ("search",), expires, ""
    )  # fmt: skip


def test_the_tables_are_there_for_anybody_with_their_sources(house: House) -> None:
    web = TestClient(house.intake_app)
    assert all(p["source"] for p in web.get("/v1/purposes").json()["purposes"])
    modes = {s["slug"]: s["mode_title"] for s in web.get("/v1/statutes").json()}
    assert modes["wi-973.015"] is None


# --- the pace ---


def test_a_party_that_sends_too_fast_is_told_how_long_to_wait(house: House, chief: TestClient) -> None:
    now = [100.0]
    services = replace(intake_services(house.exchange), pace=pace.Pace(lambda: now[0]))
    limited = TestClient(create(services), headers=dict(chief.headers))
    for _ in range(pace.BURST_EVENTS):
        services.pace.take(MILWAUKEE)
    refused = limited.delete("/v1/grants/g-none")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["type"] == "urn:comity:problem:too-many"
    services.pace.take(MADISON)  # each has its own
    now[0] += 1.5 / pace.EVENTS_PER_SECOND
    assert limited.delete("/v1/grants/g-none").status_code == 404
    assert limited.delete("/v1/grants/g-none").status_code == 429
    now[0] += 3600  # no more than a bucketful is saved up
    for _ in range(pace.BURST_EVENTS):
        services.pace.take(MILWAUKEE)
    with pytest.raises(TooMany):
        services.pace.take(MILWAUKEE)


def test_buckets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "PARTIES_MAX", 2)
    kept = pace.Pace(lambda: 0.0)
    for party in ("a", "b", "a", "c"):
        kept.take(party)
    assert list(kept._buckets) == ["a", "c"]
