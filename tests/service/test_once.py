"""A request sent again under its Idempotency-Key is not done again: at once, after a restart, and after that file was lost."""

from __future__ import annotations

import base64
import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from builders import CAPTURED_AT, MADISON, MILWAUKEE, House, intake_services, photograph
from comity.adapters.requests import SqliteRequests
from comity.errors import Conflict
from comity.intake.app import create
from comity.ports import Person
from comity.web.once import Once
from comity.wire.signing import SigningKey

KEY = "9b2f6d0e-retried-request"


def terms(house: House, **changed: Any) -> dict[str, Any]:  # noqa: ANN401
    until = (house.exchange.now() + timedelta(days=100)).replace(microsecond=0).isoformat()
    asked = {"grantee": MADISON, "classes": ["booking"], "purposes": ["serious-crime"], "rights": ["search"]}
    return {**asked, "expires_at": until, **changed}


def grant(web: TestClient, asked: dict[str, Any], key: str | None) -> Response:
    return web.post("/v1/grants", json=asked, headers={"idempotency-key": key} if key else {})


def count(web: TestClient) -> int:
    return len(web.get("/v1/grants", params={"limit": 500}).json())


def test_a_grant_that_is_sent_again_is_one_grant(house: House, chief: TestClient) -> None:
    asked, before = terms(house), count(chief)
    first, second = grant(chief, asked, KEY), grant(chief, asked, KEY)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["event_id"] == second.json()["event_id"]
    assert (first.json()["repeated"], second.json()["repeated"]) == (False, True)
    assert first.json()["position"] == second.json()["position"]
    assert count(chief) == before + 1


def test_without_a_key_each_request_is_one_of_its_own(house: House, chief: TestClient) -> None:
    asked, before = terms(house), count(chief)
    assert {grant(chief, asked, None).status_code for _ in range(2)} == {201}
    assert count(chief) == before + 2


def test_a_key_is_for_one_request(house: House, chief: TestClient) -> None:
    assert grant(chief, terms(house), f"{KEY}-2").status_code == 201
    refused = grant(chief, terms(house, rights=["search", "view"]), f"{KEY}-2")
    assert refused.status_code == 409
    assert "Idempotency-Key" in refused.json()["detail"]


def test_a_key_is_a_partys_own(house: House, chief: TestClient) -> None:
    madison = house.intake(MADISON, "agency-administrator")
    ours = grant(chief, terms(house), f"{KEY}-3").json()
    theirs = grant(madison, terms(house, grantee=MILWAUKEE), f"{KEY}-3").json()
    assert ours["event_id"] != theirs["event_id"]


@pytest.mark.parametrize("lost", [False, True])
def test_a_restart_in_between_changes_nothing(house: House, chief: TestClient, tmp_path: Path, lost: bool) -> None:  # noqa: FBT001
    """The file of requests may even be lost: the number is derived from the key, and the journal knows it."""
    asked, key, before = terms(house), f"{KEY}-4-{lost}", count(chief)
    receipts = []
    for start in range(2):
        requests = SqliteRequests(tmp_path / f"requests-{start if lost else 0}.db")
        services = intake_services(house.exchange)
        object.__setattr__(services, "once", Once(requests))
        web = TestClient(create(services), headers=dict(chief.headers))
        receipts.append(grant(web, asked, key).json())
        if start and not lost:
            assert grant(web, terms(house, in_return="Other"), key).status_code == 409
        requests.close()
    assert receipts[0]["event_id"] == receipts[1]["event_id"]
    assert receipts[1]["repeated"]
    assert count(chief) == before + 1


def test_a_booking_that_is_uploaded_again_is_entered_once(writer: TestClient) -> None:
    particulars = {
        "booking_number": "ONCE-1",
        "record_class": "booking",
        "age_at_capture": 30,
        "legal_basis": "Arrest on probable cause",
        "captured_at": CAPTURED_AT.isoformat(),
    }

    def upload(**changed: Any) -> Response:  # noqa: ANN401
        return writer.post(
            "/v1/enrolments",
            files=[("photographs", ("1.jpg", photograph(9)))],
            data={"particulars": json.dumps(particulars | changed)},
            headers={"idempotency-key": f"{KEY}-5"},
        )

    first, second = upload(), upload()
    assert (first.status_code, second.status_code) == (201, 200), second.text
    assert first.json()["receipt"]["position"] == second.json()["receipt"]["position"]
    assert first.headers["location"] == f"/intake/v1/records/{first.json()['record_id']}"
    assert upload(age_at_capture=31).status_code == 409


def test_a_party_that_is_registered_again_is_answered_as_before(administrator: TestClient) -> None:
    key = base64.b64encode(SigningKey.generate().public_bytes).decode()
    asked = {"ori": "WI0770000", "name": "Once County Sheriff", "requester_class": "county", "public_key": key}
    headers = {"idempotency-key": f"{KEY}-6"}
    first, second = (administrator.post("/v1/agencies", json=asked, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert administrator.post("/v1/agencies", json=asked).status_code == 409
    assert first.headers["location"] == "/intake/v1/agencies/WI0770000"
    assert administrator.get("/v1/agencies/WI0770000").json()["name"] == "Once County Sheriff"
    kid = first.json()["kid"]
    assert administrator.get(f"/v1/keys/{kid}").json()["party"] == "WI0770000"


def test_a_request_that_is_in_hand_is_not_taken_twice(house: House) -> None:
    once, (person, _) = Once(), house.person(MILWAUKEE, "agency-administrator")
    inside, outcome = threading.Event(), list[type]()

    def second() -> None:
        inside.wait()
        try:
            with once(KEY, person, "grants", "asked"):
                outcome.append(bool)
        except Conflict as error:
            outcome.append(type(error))

    thread = threading.Thread(target=second)
    thread.start()
    with once(KEY, person, "grants", "asked"):
        inside.set()
        thread.join()
    assert outcome == [Conflict]


def test_requests_are_kept_for_a_month(tmp_path: Path, house: House) -> None:
    person: Person = house.person(MILWAUKEE, "agency-administrator")[0]
    now = [1_000_000.0]
    requests = SqliteRequests(tmp_path / "requests.db", clock=lambda: now[0])
    once = Once(requests)
    with once(KEY, person, "grants", "asked"):
        pass
    requests.close()
    now[0] += 31 * 24 * 3600
    requests = SqliteRequests(tmp_path / "requests.db", clock=lambda: now[0])
    with Once(requests)(KEY, person, "grants", "something else"):
        pass
    requests.close()
