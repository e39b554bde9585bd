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

from builders import CAPTURED_AT, MADISON, MILWAUKEE, House, booking, intake_services, photograph, search_services
from comity.acts.people import People
from comity.adapters.key_vault import SqliteKeyVault
from comity.adapters.requests import SqliteRequests
from comity.domain.ids import UserId
from comity.domain.policy import Ruling
from comity.errors import Conflict, NotAppended
from comity.intake.app import create
from comity.operations.app import create as create_operations
from comity.ports import Claimed, Person
from comity.search.app import create as create_search
from comity.serving import operation_services
from comity.web.once import Once, Remembered
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
        requests = SqliteRequests(tmp_path / f"requests-{start if lost else 0}.db", house.exchange.vault)
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
    requests = SqliteRequests(tmp_path / "requests.db", house.exchange.vault, clock=lambda: now[0])
    once = Once(requests)
    with once(KEY, person, "grants", "asked"):
        pass
    requests.close()
    now[0] += 31 * 24 * 3600
    requests = SqliteRequests(tmp_path / "requests.db", house.exchange.vault, clock=lambda: now[0])
    with Once(requests)(KEY, person, "grants", "something else"):
        pass
    requests.close()


# --- a key never answers another request, whatever was forgotten in between ---


def forgetful(house: House, web: TestClient) -> TestClient:
    """Return a client of the same person's, of services that remember no request."""
    searching = search_services(house.exchange)
    object.__setattr__(searching, "once", Once())
    return TestClient(create_search(searching), headers=dict(web.headers))


def searched(web: TestClient, person: int, key: str | None, **changed: str) -> Response:
    asked = {
        "purpose": "serious-crime",
        "threshold": "probable-cause",
        "offence": "burglary",
        "authority": "S-4711",
        "case_number": "26-000123",
    }
    headers = {"idempotency-key": key} if key else {}
    return web.post("/v1/searches", files={"probe": photograph(person, 2)}, data=asked | changed, headers=headers)


def scores(answer: Response) -> list[float]:
    return [candidate["score"] for candidate in answer.json()["candidates"]]


def test_a_search_under_a_key_is_never_anothers_answer(house: House) -> None:
    """Lost, or older than a month: what was asked is in the search's number."""
    house.admit(booking(1, "ONCE-S1"), booking(2, "ONCE-S2"))
    web, key = house.search(MILWAUKEE, "investigator"), f"{KEY}-search"
    first = searched(web, 1, key)
    other, own = searched(forgetful(house, web), 2, key, case_number="26-000999"), searched(web, 2, None)
    assert (first.status_code, other.status_code) == (201, 201)
    assert scores(other) == scores(own) != scores(first)
    again = searched(forgetful(house, web), 1, key)
    assert again.status_code == 200
    assert scores(again) == scores(first)


def test_what_may_not_be_asked_opens_no_kept_search(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy is asked before a search is opened again, too: it may have been changed since."""
    house.admit(booking(3, "ONCE-S3"))
    web, key = house.search(MILWAUKEE, "investigator"), f"{KEY}-forbidden"
    made = searched(web, 3, key).json()
    monkeypatch.setattr("comity.acts.search.rule", lambda *_asked: (Ruling.REFUSE, "Not any more."))
    assert searched(web, 3, key).status_code == 403
    assert searched(forgetful(house, web), 3, key).status_code == 403
    assert web.post(f"/v1/searches/{made['search_id']}/reopen", json={}).status_code == 403


@pytest.mark.parametrize("what", ["reviews", "reveals"])
def test_an_act_on_another_candidate_under_a_used_key_is_an_act_of_its_own(house: House, what: str) -> None:
    """Or a finding on one candidate would count as a further attempt of a finding on another."""
    house.admit(*(booking(number, f"ONCE-{what}-{number}") for number in (4, 5)))
    searcher, examiner = house.search(MILWAUKEE, "investigator"), house.search(MILWAUKEE, "examiner")
    found = [searched(searcher, number, None).json() for number in (4, 5)]
    body = {"finding": "possible"} if what == "reviews" else {"reason": "To find the person."}
    numbers = []
    for one in found:
        path = f"/v1/searches/{one['search_id']}/candidates/{one['candidates'][0]['candidate']}"
        if what == "reveals":
            assert examiner.post(f"{path}/reviews", json={"finding": "possible"}).is_success
        web = forgetful(house, examiner if what == "reviews" else searcher)
        done = web.post(f"{path}/{what}", json=body, headers={"idempotency-key": f"{KEY}-{what}"})
        assert done.is_success, done.text
        numbers.append(done.json()["review_id" if what == "reviews" else "reveal_id"])
    assert numbers[0] != numbers[1]


# --- a crash before the answer was kept ---


class Crashed(Remembered):
    """Keeps no answer, as where the process ends just before."""

    def answer(self, name: bytes, answer: str) -> None:
        """Forget it."""


@pytest.mark.parametrize("where", ["people", "machines", "agencies", "courts", "keys"])
def test_what_was_done_before_a_crash_is_answered_when_it_is_sent_again(
    house: House, administrator: TestClient, where: str
) -> None:
    once = Once(Crashed())
    services = intake_services(house.exchange)
    object.__setattr__(services, "once", once)
    apps = {"people": create_operations(operation_services(house.exchange, once))}
    web = TestClient(apps.get(where) or create(services), headers=dict(administrator.headers))
    key = base64.b64encode(SigningKey.generate().public_bytes).decode()
    asked: dict[str, dict[str, Any]] = {
        "people": {"name": "Once Added", "party": MILWAUKEE, "roles": ["examiner"]},
        "machines": {"name": "Once Added", "party": MILWAUKEE, "roles": ["agency-writer"], "public_key": key},
        "agencies": {"ori": "WI0660000", "name": "Sauk County Sheriff", "requester_class": "county", "public_key": key},
        "courts": {"court_id": "WI-SAUK-CC", "name": "Sauk County Circuit Court", "public_key": key},
        "keys": {"party": MILWAUKEE, "role": "agency", "public_key": key},
    }
    headers = {"idempotency-key": f"{KEY}-crash"}
    first, second = (web.post(f"/v1/{where}", json=asked[where], headers=headers) for _ in range(2))
    assert first.status_code == 201, first.text
    assert second.is_success, second.text
    assert first.json() == second.json()
    assert first.headers["location"] == second.headers["location"]


@pytest.mark.parametrize("where", ["confirmations", "voidings"])
def test_a_ruling_before_a_crash_is_answered_when_it_is_sent_again(house: House, administrator: TestClient, where: str) -> None:
    once = Once(Crashed())
    web = TestClient(create_operations(operation_services(house.exchange, once)), headers=dict(administrator.headers))
    place = web.get("/v1/clock").json()["ticks"][-1]["position"]
    said = {"position": place} if where == "confirmations" else {"first": place, "last": place}
    asked, headers = {**said, "reason": f"Said once, by {where}."}, {"idempotency-key": f"{KEY}-ruled"}
    first, second = (web.post(f"/v1/clock/{where}", json=asked, headers=headers) for _ in range(2))
    assert first.status_code == 201, first.text
    assert second.is_success, second.text
    assert first.json()["position"] == second.json()["position"]


def test_somebody_whose_entry_failed_is_added_when_they_are_sent_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    by, own = house.person("exchange", "administrator")[0].user_id, UserId("u-0123456789ab")
    people = People(house.exchange.identity, house.exchange.journal)

    def away(*_asked: object, **_more: object) -> None:
        raise NotAppended("the log is away")

    with monkeypatch.context() as patch:
        patch.setattr(house.exchange.journal, "enter", away)
        with pytest.raises(NotAppended):
            people.add("Once Away", MILWAUKEE, ["examiner"], by, own)
    assert people.add("Once Away", MILWAUKEE, ["examiner"], by, own).user_id == own


# --- the file ---


def test_the_file_holds_nobodys_name(house: House, tmp_path: Path) -> None:
    path = tmp_path / "requests.db"
    requests = SqliteRequests(path, house.exchange.vault)
    requests.claim(MILWAUKEE, b"name", b"digest")
    requests.answer(b"name", '{"name": "Zacharias Quillfeather"}')
    assert requests.claim(MILWAUKEE, b"name", b"other").answer == '{"name": "Zacharias Quillfeather"}'
    assert [p.name for p in tmp_path.iterdir() if b"Quillfeather" in p.read_bytes()] == []
    requests.close()


def test_an_answer_under_a_key_that_is_gone_is_none(house: House, tmp_path: Path) -> None:
    requests = SqliteRequests(tmp_path / "requests.db", house.exchange.vault)
    requests.claim(MILWAUKEE, b"name", b"digest")
    requests.answer(b"name", "{}")
    requests.close()
    other = SqliteKeyVault(tmp_path / "vault.db", bytes(32))
    requests = SqliteRequests(tmp_path / "requests.db", other)
    assert requests.claim(MILWAUKEE, b"name", b"digest") == Claimed(b"digest", None, new=False)
    requests.close()
    other.close()


def test_no_party_pushes_out_what_another_asked(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comity.adapters.requests.PARTY_ROWS_MAX", 3)
    monkeypatch.setattr("comity.adapters.requests.SWEEP_EVERY", 1)
    requests = SqliteRequests(tmp_path / "requests.db", house.exchange.vault)
    requests.claim(MADISON, b"theirs", b"first")
    for number in range(10):
        requests.claim(MILWAUKEE, bytes([number]), b"first")
    assert requests.claim(MADISON, b"theirs", b"second").digest == b"first"
    assert requests.claim(MILWAUKEE, bytes([9]), b"second").digest == b"first"
    assert requests.claim(MILWAUKEE, bytes([0]), b"second").digest == b"second"
    requests.close()
