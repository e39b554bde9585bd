"""Operations over HTTP: typed answers, the newest first, and people who are where their answer says."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from builders import MADISON, MILWAUKEE, House
from comity.cli import operate, up
from comity.domain.log import JOURNAL
from comity.errors import Unavailable
from comity.serving import http


@pytest.fixture
def operator(house: House) -> TestClient:
    _, token = house.person("exchange", "operator", "administrator", "auditor", name="Olga")
    return TestClient(http(house.exchange, ("testserver",)), headers={"authorization": f"Bearer {token}"})


def test_every_answer_has_a_shape(operator: TestClient) -> None:
    api = operator.get("/operations/openapi.json").json()
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            done = next(answer for status, answer in sorted(operation["responses"].items()) if status < "300")
            if "content" not in done:  # 204: there is nothing to say
                assert method == "delete", (path, method)
                continue
            shape = done["content"]["application/json"]["schema"]
            assert "$ref" in shape.get("items", shape), (path, method)
            assert operation["summary"]


def test_the_status_is_told_while_the_log_does_not_answer(
    house: House, operator: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When brokers are away is when an operator asks."""

    def away(_stream: object) -> int:
        raise Unavailable("Kafka did not answer.", advice="Look at the brokers.")

    with monkeypatch.context() as patch:
        patch.setattr(house.exchange.log, "end", away)
        now = operator.get("/operations/v1/status").json()
        assert "does not answer" in up._line(house.exchange)
    assert (now["journal"]["end"], {follower["lag"] for follower in now["followers"].values()}) == (None, {None})
    assert ("log-away", "Look at the brokers.") in [(alarm["kind"], alarm["advice"]) for alarm in now["alarms"]]
    operate._show_status(now)
    now = operator.get("/operations/v1/status").json()
    assert now["journal"]["end"] >= now["journal"]["applied"] > 0
    assert "log-away" not in {alarm["kind"] for alarm in now["alarms"]}


def test_the_journal_begins_with_the_newest(house: House, operator: TestClient) -> None:
    end = house.exchange.log.end(JOURNAL)
    first = operator.get("/operations/v1/journal", params={"limit": 3})
    assert [entry["position"] for entry in first.json()] == sorted((e["position"] for e in first.json()), reverse=True)
    assert first.json()[0]["position"] >= end - 1
    second = operator.get(first.links["next"]["url"]).json()
    assert second[0]["position"] == first.json()[-1]["position"] - 1


def test_the_journal_is_read_whole_in_both_directions(house: House, operator: TestClient) -> None:
    for start in ({}, {"first": 0}):
        found, answer = [], operator.get("/operations/v1/journal", params={"limit": 7, **start})
        while True:
            found += [entry["position"] for entry in answer.json()]
            if "next" not in answer.links:
                break
            answer = operator.get(answer.links["next"]["url"])
        assert set(range(house.exchange.log.end(JOURNAL) - 5)) <= set(found), start
        assert len(found) == len(set(found)), start


def test_somebody_who_was_added_twice_under_one_key_was_added_once(operator: TestClient) -> None:
    asked = {"name": "Perry Once", "party": MILWAUKEE, "roles": ["investigator"]}
    headers = {"idempotency-key": "people-once-1"}
    first, second = (operator.post("/operations/v1/people", json=asked, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json() == operator.get(first.headers["location"]).json()
    assert operator.post("/operations/v1/people", json=asked).status_code == 409


def test_people_come_a_page_at_a_time(house: House, operator: TestClient) -> None:
    for number in range(3):
        house.person(MADISON, "examiner", name=f"Listed {number}")
    answer = operator.get("/operations/v1/people", params={"limit": 2})
    assert len(answer.json()) == 2
    assert operator.get(answer.links["next"]["url"]).json()[0] not in answer.json()


@pytest.mark.parametrize("path", ["/v1/status", "/v1/journal", "/v1/people", f"/v1/exposures/{'0' * 32}"])
def test_who_may_not_is_told_so(house: House, operator: TestClient, path: str) -> None:
    _, token = house.person(MILWAUKEE, "investigator", name="Ivo")
    assert operator.get(f"/operations{path}").status_code == 200
    assert operator.get(f"/operations{path}", headers={"authorization": f"Bearer {token}"}).status_code == 403
