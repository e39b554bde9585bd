"""What every service does alike over HTTP: HEAD, documents that say who may, advice that leads somewhere, trace ids."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
import structlog
from fastapi import FastAPI
from starlette.testclient import TestClient

import comity
from builders import MILWAUKEE, House
from comity import telemetry
from comity.errors import LedgerBehind
from comity.serving import http
from comity.web.app import new_app


@pytest.fixture(scope="module")
def everything(house: House) -> Any:  # noqa: ANN401 - an application
    return http(house.exchange, ("testserver",))


@pytest.fixture
def web(house: House, everything: FastAPI) -> TestClient:
    _, token = house.person(MILWAUKEE, "agency-writer", name="Everywhere")
    return TestClient(everything, headers={"authorization": f"Bearer {token}"})


# --- HEAD ---


@pytest.mark.parametrize("path", ["/docs", "/healthz", "/desk", "/intake/docs", "/intake/v1/agencies", "/search/openapi.json"])
def test_head_is_answered_as_get_without_a_body(web: TestClient, path: str) -> None:
    got, head = web.get(path), web.head(path)
    assert head.status_code == got.status_code
    assert head.content == b""
    assert head.headers.get("content-type") == got.headers.get("content-type")


def test_head_is_for_what_get_is_for(web: TestClient) -> None:
    assert web.head("/intake/v1/events").status_code == 405
    assert web.put("/intake/v1/statutes").headers["allow"] == "GET, HEAD"
    assert TestClient(web.app).head("/intake/v1/agencies").status_code == 401


# --- documents ---


@pytest.mark.parametrize("service", ["intake", "search", "operations"])
def test_every_operation_says_what_it_answers_to_whoever_may_not(web: TestClient, service: str) -> None:
    paths = web.get(f"/{service}/openapi.json").json()["paths"]
    assert paths
    for path in paths.values():
        for method, operation in path.items():
            answers = set(operation["responses"])
            if operation.get("security"):
                assert {"401", "403"} <= answers, operation["operationId"]
            if method != "get":
                assert "403" in answers, operation["operationId"]


# --- advice ---


def test_what_is_not_of_the_form_is_compared_with_the_services_own_page(web: TestClient) -> None:
    advice = web.post("/intake/v1/records", json={}).json()["advice"]
    assert advice == "Compare it with /intake/docs."
    assert web.get("/intake/docs").status_code == 200


def test_the_desk_has_no_document_and_names_none(web: TestClient) -> None:
    page = web.get("/desk/search", params={"before": "x" * 1000})
    assert "openapi" not in page.text


PACKAGE = Path(comity.__file__).parent
NAMED_FILE = re.compile(r"(?<![\w/.-])((?:infra|schemas|services|tests)/[\w./-]*[\w/])")
NAMED_ROUTE = re.compile(r"(?<![\w/.}])(/(?:intake|search|operations)/[\w/]+|/docs)")


def sentences() -> list[tuple[str, str]]:
    """Return what the package says to people, with the module that says it: every text but documentation of code."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        quoted = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        found += [
            (path.relative_to(PACKAGE).as_posix(), node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value and id(node) not in quoted
        ]
    return found


def test_what_an_error_points_at_is_there(web: TestClient) -> None:
    """Whoever installed the package has no checkout: only the demo, which needs one and says so, names its files."""
    files = [(where, name) for where, text in sentences() for name in NAMED_FILE.findall(text)]
    assert [(w, name) for w, name in files if (w, name) != ("cli/story_world.py", "infra/demo/people")] == []
    routes = {name for _, text in sentences() for name in NAMED_ROUTE.findall(text)}
    assert {"/intake/docs", "/intake/v1/schemas", "/docs"} <= routes
    assert [name for name in routes if web.get(name).status_code in (404, 405)] == []


def test_the_schemas_of_events_are_served(web: TestClient) -> None:
    listed = {s["name"]: s["avro"] for s in TestClient(web.app).get("/intake/v1/schemas").json()}
    assert listed["RecordEnrolled"]["namespace"] == "comity.v1"


# --- the log ---


def test_whatever_is_logged_for_a_request_has_its_trace_id(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    app = new_app("Test", house.exchange.identity)

    @app.get("/work")
    def work() -> None:
        structlog.get_logger("act").warning("an act's own line", kind="x")
        raise LedgerBehind("Behind.")

    try:
        telemetry.configure()
        trace = TestClient(app).get("/work").json()["trace_id"]
        structlog.get_logger("act").warning("outside")
    finally:
        structlog.reset_defaults()
    inside, refused, outside = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert inside["trace_id"] == refused["trace_id"] == trace
    assert "trace_id" not in outside
