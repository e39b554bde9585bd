"""Intake over HTTP, on a whole exchange: what is taken, from whom, and what is said of it afterwards."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from builders import CAPTURED_AT, MADISON, MILWAUKEE, House, booking, photograph
from comity.client.publisher import Publisher
from comity.domain.entries import RecordClass
from comity.domain.ids import RecordId
from comity.domain.log import Entry, Placed, Topic
from comity.domain.posting import Record
from comity.errors import InvalidInput, NotPermitted, Unavailable
from comity.wire.booking import sealed
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


def upload(writer: TestClient, *photographs: bytes, **changed: Any) -> Response:  # noqa: ANN401
    files = [("photographs", (f"{n}.jpg", data)) for n, data in enumerate(photographs)]
    return writer.post("/v1/enrolments", files=files, data={"particulars": json.dumps(PARTICULARS | changed)})


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


def test_a_version_that_stood_already_is_said_to_repeat(house: House, writer: TestClient) -> None:
    """However it is sent again: the same bytes at once, or encrypted anew once it was admitted."""
    first = upload(writer, photograph(16), booking_number="U-AGAIN").json()["receipt"]
    house.settle()
    again = upload(writer, photograph(16), booking_number="U-AGAIN").json()["receipt"]
    corrected = upload(writer, photograph(16), booking_number="U-AGAIN", version=2).json()["receipt"]
    assert [r["repeated"] for r in (first, again, corrected)] == [False, True, False]


def test_the_very_bytes_again_are_said_to_repeat_before_anything_is_decided(house: House) -> None:
    publisher, sent = house.publisher(), list[Entry]()
    append = house.exchange.journal.append

    def kept(topic: Topic, entry: Entry) -> Placed:
        sent.append(entry)
        return append(topic, entry)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(house.exchange.journal, "append", kept)
        publisher.publish(booking(17, "V-BYTES"))
    enrolment = next(entry for entry in sent if entry.value and len(entry.value) > 10_000)
    assert house.exchange.enrol.submit(enrolment).repeated
    house.settle()


def test_an_upload_is_encrypted_and_signed_on_behalf_and_says_so(house: House, writer: TestClient) -> None:
    answer = upload(writer, photograph(3), photograph(3, 2))
    assert answer.status_code == 201, answer.text
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


def test_a_record_says_which_version_was_admitted_from_which_bytes(house: House, writer: TestClient) -> None:
    publisher = house.publisher()
    first = publisher.publish(booking(13, "V-1"))
    house.settle()
    found = publisher.standing(RecordId(str(first.record_id)), first)
    assert (found["version"], found["enrolment_sha256"]) == (1, first.sha256)
    ahead = {"partition": first.partition, "position": first.position + 1_000}
    asked = writer.get(f"/v1/records/{first.record_id}", params=ahead).json()
    assert (asked["state"], asked["version"]) == ("waiting", None)  # whatever stood before it


def test_the_same_content_again_changes_nothing_and_other_content_is_rejected(house: House) -> None:
    """R2: each encryption of it has other bytes."""
    publisher, own = house.publisher(), booking(14, "V-2", photographs=(photograph(14), photograph(14, 2)))
    receipts = [publisher.publish(own)]
    house.settle()
    receipts += [publisher.publish(own)]
    house.settle()
    record = RecordId(str(receipts[0].record_id))
    assert receipts[0].sha256 != receipts[1].sha256
    assert house.exchange.rejections.of(MILWAUKEE, record) == ()
    assert publisher.standing(record, receipts[1])["enrolment_sha256"] == receipts[0].sha256
    for changed in (
        {"name": "Somebody else"},
        {"photographs": (photograph(14, 2), photograph(14))},
        {"photographs": (photograph(14),)},
    ):
        publisher.publish(booking(14, "V-2", **({"photographs": own.photographs} | changed)))
        house.settle()
        (rejection,) = house.exchange.rejections.of(MILWAUKEE, record)
        assert (rejection.version, rejection.reason) == (1, "same-version")
        house.exchange.rejections.add(replace(rejection, reason="looked-at"))


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
    entry = house.exchange.journal.entry(event, key=event.record_id, source="//t", signer=signer, own_id="e-1")
    headers = {name.replace("_", "-"): value.decode() for name, value in entry.headers}
    return entry.value or b"", headers | changed


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, 201),
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
    here = house.exchange.journal.exchange_id
    forged = headers | {"jws": house.exchange.keyring.signer(MILWAUKEE).sign(value + b"x", here)}
    assert writer.post("/v1/events", content=value, headers=forged).status_code == 403
    unknown = headers | {"jws": SigningKey.generate().sign(value, here)}
    assert writer.post("/v1/events", content=value, headers=unknown).status_code == 403


def test_nobody_hands_in_another_partys_event_or_one_beyond_their_role(house: House, registrar: TestClient) -> None:
    value, headers = _event(house)
    madison = house.intake(MADISON, "agency-writer")
    assert madison.post("/v1/events", content=value, headers=headers).status_code == 403
    assert registrar.post("/v1/events", content=value, headers=headers).status_code == 403


def test_a_signature_is_needed_and_named_when_missing(house: House, writer: TestClient) -> None:
    value, headers = _event(house)
    del headers["jws"]
    refused = writer.post("/v1/events", content=value, headers=headers)
    assert refused.status_code == 422
    assert refused.json()["details"]["fields"][0]["loc"] == ["header", "jws"]


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
