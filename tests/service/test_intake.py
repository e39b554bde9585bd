"""Intake over HTTP, on a whole exchange: what is taken, from whom, and what is said of it afterwards."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from builders import ALAMEDA, CAPTURED_AT, COURT, MADISON, MILWAUKEE, House, booking, photograph
from comity.client.publisher import Publisher
from comity.domain.entries import RecordClass, ShareGranted
from comity.domain.ids import GrantId, RecordId
from comity.domain.log import Topic
from comity.domain.posting import Record
from comity.errors import InvalidInput, NotPermitted, SuppressedRecord, Unavailable
from comity.wire.booking import sealed
from comity.wire.envelope import to_entry
from comity.wire.signing import SigningKey

PARTICULARS = {
    "booking_number": "U-1",
    "record_class": "booking",
    "age_at_capture": 30,
    "legal_basis": "Arrest on probable cause",
    "captured_at": CAPTURED_AT.isoformat(),
    "charges": [{"offence": "Burglary", "severity": "felony"}],
    "name": "Upland Person",
}
GRANT = {"grantee": MADISON, "classes": ["booking"], "purposes": ["serious-crime"], "rights": ["search", "view"]}


@pytest.fixture
def writer(house: House) -> TestClient:
    return house.intake(MILWAUKEE, "agency-writer")


@pytest.fixture
def clerk(house: House) -> TestClient:
    return house.intake(COURT, "clerk")


@pytest.fixture
def chief(house: House) -> TestClient:
    return house.intake(MILWAUKEE, "agency-administrator")


@pytest.fixture
def administrator(house: House) -> TestClient:
    return house.intake("administrator", "administrator")


def upload(writer: TestClient, *photographs: bytes, **changed: Any) -> Response:  # noqa: ANN401
    files = [("photographs", (f"{n}.jpg", data)) for n, data in enumerate(photographs)]
    return writer.post("/v1/enrolments", files=files, data={"particulars": json.dumps(PARTICULARS | changed)})


def enter(house: House, clerk: TestClient, what: str = "seal", **number: str) -> dict[str, Any]:
    shown = clerk.post("/v1/orders/preview", json={"what": what, "statute": "wi-165.84", **number})
    assert shown.status_code == 200, shown.text
    receipt: dict[str, Any] = clerk.post("/v1/orders", data={"token": shown.json()["token"]}).json()
    house.settle()
    return receipt


def state(web: TestClient, record: str) -> str:
    found: str = web.get(f"/v1/records/{record}").json()["state"]
    return found


# --- publishing ---


def test_what_an_agency_signs_at_home_is_appended_as_it_is(house: House, writer: TestClient) -> None:
    publisher, own = house.publisher(clock_ms=lambda: 1_700_000_000_000), booking(1, "I-1")
    issued = publisher.prepare(own)
    receipt = publisher.publish(own)
    with house.exchange.log.open(dict.fromkeys(house.exchange.log.streams(Topic.ENROLMENTS), 0)) as reader:
        batches = reader.poll(timeout_seconds=5, entries_max=1_000).values()
    placed = next(p for b in batches for p in b.entries if p.entry.key == issued.record_id.encode())
    assert hashlib.sha256(placed.entry.value or b"").hexdigest() == receipt.sha256
    assert dict(placed.entry.headers)["ce_time"] == b"2023-11-14T22:13:20Z"
    house.settle()
    assert publisher.standing(issued.record_id)["state"] == state(writer, issued.record_id) == "admitted"


def test_the_same_booking_has_the_same_id_for_ever(house: House) -> None:
    publisher = house.publisher()
    first, again = publisher.prepare(booking(2, "2026 i-2")), publisher.prepare(booking(2, "2026-I2"))
    assert first.record_id == again.record_id
    assert publisher.publish(booking(2, "I-2a")).repeated is False


def test_an_upload_is_encrypted_and_signed_on_behalf_and_says_so(house: House, writer: TestClient) -> None:
    answer = upload(writer, photograph(3), photograph(3, 2))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["signed_by"] == "intake on behalf"
    house.settle()
    assert state(writer, body["record_id"]) == "admitted"


def test_a_photograph_without_one_clear_face_is_rejected_with_advice(house: House, writer: TestClient) -> None:
    """R6."""
    record = upload(writer, b"\xff\xd8\xff no picture", booking_number="U-2").json()["record_id"]
    house.settle()
    found = writer.get(f"/v1/records/{record}").json()
    assert found["state"] == "rejected"
    assert found["advice"]
    listed = writer.get("/v1/rejections").json()
    assert [r["photograph"] for r in listed if r["record_id"] == record] == [0]


def test_applicants_are_refused_with_a_sentence(writer: TestClient) -> None:
    """R3."""
    refused = upload(writer, photograph(4), booking_number="U-3", record_class="applicant")
    assert refused.status_code == 400
    assert "Applicants" in refused.json()["detail"]


@pytest.mark.parametrize("age", [17, None])
def test_under_18_or_of_unknown_age_is_a_minor_whatever_is_said(house: House, writer: TestClient, age: int | None) -> None:
    """R3."""
    record = upload(writer, photograph(5), booking_number=f"U-4-{age}", age_at_capture=age).json()["record_id"]
    house.settle()
    rows = [row for row in house.exchange.ledger.rows(Record, record_id=record) if isinstance(row, Record)]
    assert [row.record_class for row in rows] == [RecordClass.MINOR]


@pytest.mark.parametrize(
    "changed",
    [
        {"captured_at": "2025-03-14T15:09:26"},  # no zone
        {"captured_at": "yesterday"},
        {"age_at_capture": -1},
        {"surprise": 1},
        {"legal_basis": ""},
        {"booking_number": ""},
    ],
)
def test_particulars_out_of_form_are_refused_and_not_echoed(writer: TestClient, changed: dict[str, Any]) -> None:
    refused = upload(writer, photograph(1), **changed)
    assert refused.status_code == 422
    assert "Upland" not in refused.text
    assert "yesterday" not in refused.text


def test_particulars_that_are_no_json_and_too_many_photographs_are_refused(writer: TestClient) -> None:
    refused = writer.post("/v1/enrolments", files={"photographs": photograph(1)}, data={"particulars": "{"})
    assert refused.status_code == 422
    assert upload(writer, *[b"x"] * 9).status_code == 422
    assert upload(writer, b"").status_code == 400
    assert upload(writer, photograph(1), booking_number="\u200b").status_code == 400


def test_an_agency_writes_its_own_records_only(house: House, writer: TestClient) -> None:
    asked = {"owner": MADISON, "booking_number": "1", "photograph_sha256": ["ab" * 32]}
    assert writer.post("/v1/records", json=asked).status_code == 403
    with pytest.raises(NotPermitted):
        house.publisher().publish(booking(1, "I-3", owner=MADISON))


def test_a_stranger_to_a_record_sees_it_as_one_that_never_was(house: House) -> None:
    """R32."""
    record = house.admit(booking(6, "I-4"))[0]
    madison = house.intake(MADISON, "agency-writer")
    theirs, absent = madison.get(f"/v1/records/{record}").json(), madison.get(f"/v1/records/{'0' * 32}").json()
    assert theirs | {"record_id": ""} == absent | {"record_id": ""}
    assert theirs["state"] == "waiting"


# --- events ---


def _event(house: House, **changed: str) -> tuple[bytes, dict[str, str]]:
    publisher, own = house.publisher(), booking(7, "E-1")
    issued = publisher.prepare(own)
    event = sealed(own, issued.record_id, issued.data_key, issued.indexes)
    signer = house.exchange.keyring.signer(MILWAUKEE)
    entry = to_entry(
        event, key=event.record_id.encode(), source="//t", signer=signer, event_id="e-1", at=house.exchange.now()
    )  # fmt: skip
    headers = {name.replace("_", "-"): value.decode() for name, value in entry.headers}
    return entry.value or b"", headers | changed


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, 200),
        ({"ce-subject": "0" * 32}, 400),
        ({"ce-type": "comity.v1.ShareGranted"}, 400),
        ({"ce-time": "today"}, 400),
        ({"ce-specversion": "0.3"}, 400),
        ({"content-type": "application/json"}, 400),
        ({"jws": "a.b.c"}, 400),
    ],
)
def test_an_event_is_taken_only_whole(house: House, writer: TestClient, changed: dict[str, str], status: int) -> None:
    value, headers = _event(house, **changed)
    answer = writer.post("/v1/events", content=value, headers=headers)
    assert answer.status_code == status, answer.text


def test_other_bytes_than_were_signed_are_refused(house: House, writer: TestClient) -> None:
    value, headers = _event(house)
    assert writer.post("/v1/events", content=value + b"x", headers=headers).status_code == 400
    assert writer.post("/v1/events", content=b"", headers=headers).status_code == 400
    forged = headers | {"jws": house.exchange.keyring.signer(MILWAUKEE).sign(value + b"x")}
    assert writer.post("/v1/events", content=value, headers=forged).status_code == 403
    unknown = headers | {"jws": SigningKey.generate().sign(value)}
    assert writer.post("/v1/events", content=value, headers=unknown).status_code == 403


def test_nobody_hands_in_another_partys_event_or_one_beyond_their_role(house: House, clerk: TestClient) -> None:
    value, headers = _event(house)
    madison = house.intake(MADISON, "agency-writer")
    assert madison.post("/v1/events", content=value, headers=headers).status_code == 403
    assert clerk.post("/v1/events", content=value, headers=headers).status_code == 403


def test_a_signature_is_needed_and_named_when_missing(house: House, writer: TestClient) -> None:
    value, headers = _event(house)
    del headers["jws"]
    refused = writer.post("/v1/events", content=value, headers=headers)
    assert refused.status_code == 422
    assert refused.json()["details"]["fields"][0]["loc"] == ["header", "jws"]


# --- orders ---


def test_an_order_is_previewed_pressed_once_and_receipted(house: House, clerk: TestClient, writer: TestClient) -> None:
    """R10."""
    record = house.admit(booking(8, "O-1", court_case="26-CF-8"))[0]
    asked = {"what": "seal", "statute": "wi-165.84", "court_case": "26 cf 8"}
    shown = clerk.post("/v1/orders/preview", json=asked).json()
    assert (shown["mode"], shown["per_agency"]) == ("DESTROY", {MILWAUKEE: 1})
    assert [c["record_id"] for c in shown["covers"]] == [record]
    files = {"document": ("order.pdf", b"%PDF-1.7 the court's order")}
    first = clerk.post("/v1/orders", data={"token": shown["token"]}, files=files).json()
    assert first["appended_at"] is not None
    assert state(writer, record) == "suppressed"
    found = writer.get(f"/v1/records/{record}").json()
    assert found["reason"] is None  # the words say what to do, never whose order it is


def test_pressing_twice_enters_it_once(house: House, clerk: TestClient) -> None:
    house.admit(booking(9, "O-2", atn="A-2"))
    token = clerk.post("/v1/orders/preview", json={"what": "seal", "statute": "ca-pc-851.91", "atn": "A-2"}).json()["token"]
    first, again = (clerk.post("/v1/orders", data={"token": token}).json() for _ in range(2))
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert first["position"] == again["position"]


def test_what_is_sealed_is_refused_when_it_is_sent_again(house: House, clerk: TestClient) -> None:
    """R18 b."""
    house.admit(booking(10, "O-3"))
    enter(house, clerk, booking_number="O-3", agency=MILWAUKEE)
    with pytest.raises(SuppressedRecord, match="order covers"):
        house.publisher().publish(booking(10, "O-3", version=2))
    with pytest.raises(SuppressedRecord):  # the same photograph under another number
        house.publisher().publish(booking(10, "O-4"))


def test_an_order_for_a_record_that_is_not_here_stands(house: House, clerk: TestClient) -> None:
    """R10."""
    shown = clerk.post("/v1/orders/preview", json={"what": "seal", "statute": "wi-165.84", "atn": "LATER"}).json()
    assert shown["covers"] == []
    assert "stand" in shown["notes"][0]
    clerk.post("/v1/orders", data={"token": shown["token"]})
    with pytest.raises(SuppressedRecord):
        house.publisher().publish(booking(11, "O-5", atn="LATER"))


def test_an_order_without_police_effect_is_refused_at_preview_with_the_reason(clerk: TestClient) -> None:
    """R13."""
    refused = clerk.post("/v1/orders/preview", json={"what": "seal", "statute": "wi-973.015", "atn": "1"})
    assert refused.status_code == 403
    assert "court's own record" in refused.json()["detail"]


def test_an_invented_token_presses_nothing(clerk: TestClient) -> None:
    for token in ("00", "zz", "é"):
        assert clerk.post("/v1/orders", data={"token": token}).status_code == 400
    assert clerk.post("/v1/orders", data={}).status_code == 422


def test_only_clerks_enter_orders(house: House, writer: TestClient) -> None:
    """R39."""
    asked = {"what": "seal", "statute": "wi-165.84", "atn": "1"}
    assert writer.post("/v1/orders/preview", json=asked).status_code == 403
    assert TestClient(house.intake_app).post("/v1/orders/preview", json=asked).status_code == 401


# --- parties and grants ---


def test_an_administrator_registers_agencies_courts_and_keys(house: House, administrator: TestClient) -> None:
    key = base64.b64encode(SigningKey.generate().public_bytes).decode()
    agency = {"ori": "MN0020300", "name": "Anoka", "requester_class": "county", "public_key": key}
    assert administrator.post("/v1/agencies", json=agency).status_code == 200
    assert administrator.post("/v1/agencies", json=agency).status_code == 409
    assert "MN0020300" in [a["ori"] for a in administrator.get("/v1/agencies").json()]
    other = base64.b64encode(SigningKey.generate().public_bytes).decode()
    assert administrator.post("/v1/courts", json={"court_id": "MN-X", "name": "X", "public_key": key}).status_code == 409
    assert administrator.post("/v1/courts", json={"court_id": "MN-X", "name": "X", "public_key": other}).status_code == 200
    assert "MN-X" in [c["court_id"] for c in administrator.get("/v1/courts").json()]
    third = base64.b64encode(SigningKey.generate().public_bytes).decode()
    stranger = {"party": "MN-Y", "role": "court", "public_key": third}
    assert administrator.post("/v1/keys", json=stranger).status_code == 404
    assert administrator.post("/v1/keys", json=stranger | {"party": "MN-X"}).status_code == 200
    assert administrator.post("/v1/keys", json=stranger | {"role": "administrator"}).status_code == 422
    assert house.intake(COURT, "clerk").post("/v1/agencies", json=agency).status_code == 403


def test_a_grant_is_made_listed_and_taken_back(house: House, chief: TestClient) -> None:
    """R19, R22."""
    expires = (house.exchange.now() + timedelta(days=30)).isoformat()
    made = chief.post("/v1/grants", json=GRANT | {"expires_at": expires, "in_return": "Likewise"})
    assert made.status_code == 200, made.text
    grant = made.json()["event_id"]
    listed = {g["grant_id"]: g for g in house.intake(ALAMEDA, "auditor").get("/v1/grants").json()}
    assert (listed[grant]["in_force"], listed[grant]["rights"]) == (True, ["search", "view"])
    other = house.intake(MADISON, "agency-administrator")
    assert other.delete(f"/v1/grants/{grant}").status_code == 404
    assert chief.delete(f"/v1/grants/{grant}").status_code == 200
    assert chief.delete(f"/v1/grants/{grant}").status_code == 404
    listed = {g["grant_id"]: g for g in chief.get("/v1/grants").json()}
    assert listed[grant]["in_force"] is False


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
    entry = to_entry(event, key=b"k", source="//t", signer=court, event_id=event.grant_id, at=house.exchange.now())
    position = house.exchange.log.append(Topic.JOURNAL, entry, timeout_seconds=5).position
    house.settle()
    clerks = house.intake(COURT, "clerk").get("/v1/refusals").json()
    assert [(r["position"], r["reason"]) for r in clerks] == [(position, "not-entitled")]
    assert chief.get("/v1/refusals").json() == []


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


# --- sessions and the client ---


def test_a_link_becomes_a_session_that_ends(house: House) -> None:
    web, (person, _) = TestClient(house.intake_app), house.person(MILWAUKEE, "auditor", name="Linked")
    link = house.exchange.identity.link(person.user_id)
    session = web.post("/v1/sessions", json={"link": link}).json()
    bearer = {"authorization": f"Bearer {session['token']}"}
    assert (session["party"], session["roles"]) == (MILWAUKEE, ["auditor"])
    assert web.post("/v1/sessions", json={"link": link}).status_code == 401
    assert web.get("/v1/agencies", headers=bearer).status_code == 200
    assert web.delete("/v1/sessions", headers=bearer).status_code == 204
    assert web.get("/v1/agencies", headers=bearer).status_code == 401
    assert web.delete("/v1/sessions").status_code == 400


def test_a_publishers_errors_are_the_exchanges_own(house: House) -> None:
    with pytest.raises(InvalidInput, match="number") as caught:
        house.publisher().publish(booking(12, "\u200b"))
    assert caught.value.advice
    assert caught.value.details["trace_id"]


def test_a_publisher_says_when_nobody_answers() -> None:
    with (
        Publisher("http://127.0.0.1:9", "token", SigningKey.generate(), MILWAUKEE) as publisher,
        pytest.raises(Unavailable, match="cannot be reached"),
    ):
        publisher.standing(RecordId("0" * 32))
