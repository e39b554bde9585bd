"""Lists come a page at a time, and what was made is where its answer says."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from builders import ALAMEDA, MADISON, MILWAUKEE, House
from comity.domain.entries import RecordClass
from comity.domain.names import NAME_CHARS_MAX
from comity.domain.roles import ROLES
from comity.serving import http
from comity.wire.signing import SigningKey


@pytest.fixture
def web(house: House) -> TestClient:
    _, token = house.person(MILWAUKEE, "agency-writer", "agency-administrator", name="Reads")
    return TestClient(Starlette(routes=[Mount("/intake", house.intake_app)]), headers={"authorization": f"Bearer {token}"})


def pages(web: TestClient, path: str, limit: int) -> list[list[dict[str, Any]]]:
    found, answer = [], web.get(path, params={"limit": limit})
    while True:
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        if "next" not in answer.links:
            return found
        answer = web.get(answer.links["next"]["url"])


@pytest.mark.parametrize("path", ["/intake/v1/agencies", "/intake/v1/courts"])
def test_a_register_is_read_page_by_page(web: TestClient, path: str) -> None:
    whole = web.get(path).json()
    parts = pages(web, path, 1)
    assert [row for part in parts for row in part] == whole
    assert all(len(part) == 1 for part in parts)


def test_the_register_of_grants_begins_with_the_newest(house: House, web: TestClient) -> None:
    numbers = [house.grant(MILWAUKEE, grantee, "search") for grantee in (MADISON, ALAMEDA, MADISON)]
    parts = pages(web, "/intake/v1/grants", 2)
    assert [row["grant_id"] for part in parts for row in part][:3] == numbers[::-1]
    assert all(len(part) <= 2 for part in parts)


def test_what_is_entered_meanwhile_shifts_no_page(house: House, web: TestClient) -> None:
    for _ in range(3):
        house.grant(MILWAUKEE, MADISON, "search")
    first = web.get("/intake/v1/grants", params={"limit": 2})
    house.grant(MILWAUKEE, MADISON, "search")
    second = web.get(first.links["next"]["url"]).json()
    shown = {row["grant_id"] for row in first.json()}
    assert not shown & {row["grant_id"] for row in second}


def test_rejections_and_refusals_have_pages_too(web: TestClient) -> None:
    for path in ("/intake/v1/rejections", "/intake/v1/refusals"):
        assert web.get(path, params={"limit": 1}).status_code == 200


@pytest.mark.parametrize("cursor", ["?", "AAAA", base64.b64encode(b'{"a": 1}').decode(), base64.b64encode(b'["x", 1]').decode()])
@pytest.mark.parametrize("path", ["agencies", "grants", "rejections"])
def test_an_invented_cursor_is_refused_or_leads_on(house: House, web: TestClient, path: str, cursor: str) -> None:
    house.grant(MILWAUKEE, MADISON, "search")  # in an empty list any cursor leads on
    answer = web.get(f"/intake/v1/{path}", params={"cursor": cursor})
    assert answer.status_code in (200, 400)
    assert answer.status_code == 400 or path == "agencies"


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x"])
def test_a_page_is_bounded(web: TestClient, limit: str) -> None:
    assert web.get("/intake/v1/grants", params={"limit": limit}).status_code == 422


def test_what_was_made_is_where_the_answer_says(house: House, web: TestClient) -> None:
    asked = {
        "grantee": MADISON,
        "classes": ["booking"],
        "purposes": ["serious-crime"],
        "rights": ["search"],
        "expires_at": (house.exchange.now() + timedelta(days=10)).isoformat(),
    }
    answer = web.post("/intake/v1/grants", json=asked)
    assert answer.status_code == 201
    found = web.get(answer.headers["location"])
    assert found.json()["grant_id"] == answer.json()["event_id"]
    receipt = house.publisher().grant(
        MADISON, classes=[RecordClass.BOOKING], purposes=["serious-crime"], rights=["view"],
        expires_at=house.exchange.now() + timedelta(days=10),
    )  # fmt: skip
    assert web.get(f"/intake/v1/grants/{MILWAUKEE}/{receipt.event_id}").json()["rights"] == ["view"]


def test_a_session_says_whose_it_is(web: TestClient) -> None:
    assert web.get("/intake/v1/sessions").json()["party"] == MILWAUKEE


# --- cursors, whatever is in them ---

HOSTILE = [
    *("[1e30]", "[NaN]", "[true]", "[null]", "[[1]]", '[{"a": 1}]', "[]", "[1, 2]", '["a", 1, 0]', '["\\ud800"]', "[-1]"),
    *(f"[{number}]" for number in (10**30, -(10**30), 2**63, 2**63 - 1, -(2**63) - 1, "9" * 380)),
    *(f'[{10**30}, "x", 0]', f'["x", "y", {10**30}]', '["x", "y", "z"]'),
]


def everything(house: House) -> tuple[TestClient, list[str]]:
    """Return a browser of somebody with every role, and every list of all services without names in its path."""
    _, token = house.person(MILWAUKEE, *ROLES, name="Reads everything")
    headers = {"authorization": f"Bearer {token}"}
    whole = TestClient(http(house.exchange, ("testserver",)), headers=headers, raise_server_exceptions=False)
    paths = []
    for service in ("intake", "search", "operations"):
        document = whole.get(f"/{service}/openapi.json").json()
        for path, operations in document["paths"].items():
            said = operations.get("get", {}).get("parameters", [])
            if any(parameter["name"] == "cursor" for parameter in said) and "{" not in path:
                paths.append(f"/{service}{path}")
    return whole, paths


@pytest.mark.parametrize("inside", HOSTILE)
def test_no_cursor_is_an_unforeseen_error(house: House, inside: str) -> None:
    whole, paths = everything(house)
    assert len(paths) > 7
    cursor = base64.urlsafe_b64encode(inside.encode()).decode().rstrip("=")
    answers = {path: whole.get(path, params={"cursor": cursor}).status_code for path in paths}
    assert {path: status for path, status in answers.items() if status >= 500} == {}


@pytest.mark.parametrize("letter", ["Ж", "警", "😀", '"'])
def test_a_long_name_of_any_script_has_its_page(house: House, letter: str) -> None:
    """A cursor holds the last row's name, so it must fit whatever a machine may be called."""
    chief = house.intake(MILWAUKEE, "agency-administrator")
    made = set()
    for number in range(2):
        key = base64.b64encode(SigningKey.generate().public_bytes).decode()
        asked = {"name": f"{letter * (NAME_CHARS_MAX - 1)}{number}", "roles": ["agency-writer"], "public_key": key}
        answer = chief.post("/v1/machines", json=asked)
        assert answer.status_code == 201, answer.text
        made.add(answer.json()["name"])
    web = TestClient(Starlette(routes=[Mount("/intake", house.intake_app)]), headers=dict(chief.headers))
    assert made <= {row["name"] for part in pages(web, "/intake/v1/machines", 1) for row in part}
