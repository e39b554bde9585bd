"""Both services keep what their OpenAPI documents promise, whatever is sent: schemathesis, a few examples each."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from fastapi import APIRouter, FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from starlette.testclient import TestClient

from builders import MILWAUKEE, House
from comity.domain.roles import ROLES
from comity.intake.routes import router as intake_router
from comity.search.routes import router as search_router
from comity.serving import http

KEPT = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
)
EXAMPLES = 20  # an operation: the suite stays under a minute; `make fuzz` can take more
BRIEFLY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)


schemathesis.serializer.alias("application/avro", "application/octet-stream")


def operations(router: APIRouter) -> list[tuple[str, str]]:
    """Return a service's operations, but for signing out, which would end the session that everything is asked with."""
    app = FastAPI()
    app.include_router(router)
    paths = app.openapi()["paths"]
    return [(path, method) for path, held in paths.items() for method, o in held.items() if o["summary"] != "Sign out"]


def takes_anything(operation: Any) -> bool:  # noqa: ANN401
    """Say whether an operation has anything in it that could be broken."""
    return bool(operation.body) or any(operation.iter_parameters())


def keeps_its_promises(house: House, app: FastAPI, path: str, method: str) -> None:
    _, token = house.person(MILWAUKEE, *ROLES, name="Everybody")
    operation = schemathesis.openapi.from_asgi("/openapi.json", app)[path][method]

    lawful = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    broken = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    # Not schemathesis's own fixtures: they reach into what pytest 9 has renamed.
    @BRIEFLY
    @given(case=st.one_of(lawful, broken) if takes_anything(operation) else lawful)
    def kept(case: Any) -> None:  # noqa: ANN401
        case.call_and_validate(headers={"authorization": f"Bearer {token}"}, checks=KEPT)

    kept()


@pytest.mark.parametrize(("path", "method"), operations(intake_router))
def test_intake_keeps_its_promises(house: House, path: str, method: str) -> None:
    keeps_its_promises(house, house.intake_app, path, method)


@pytest.mark.parametrize(("path", "method"), operations(search_router))
def test_search_keeps_its_promises(house: House, path: str, method: str) -> None:
    keeps_its_promises(house, house.search_app, path, method)


def test_the_word_that_nobody_may_say_is_nowhere(house: House) -> None:
    """R26."""
    for app in (house.intake_app, house.search_app):
        assert "match" not in TestClient(app).get("/openapi.json").text.lower()
        assert "match" not in TestClient(app).get("/docs").text.lower()


def test_every_operation_and_every_member_is_told(house: House) -> None:
    for app in (house.intake_app, house.search_app):
        api = TestClient(app).get("/openapi.json").json()
        for path in api["paths"].values():
            for operation in path.values():
                assert operation["summary"]
                assert operation["description"]
                assert "400" in operation["responses"]


def test_everything_but_the_tables_and_signing_in_needs_somebody(house: House) -> None:
    """R39: refused by default."""
    public = {"list_statutes", "list_purposes", "list_schemas", "read_exchange", "sign_in", "sign_out"}
    for app in (house.intake_app, house.search_app):
        api = TestClient(app).get("/openapi.json").json()
        for path in api["paths"].values():
            for operation in path.values():
                assert bool(operation.get("security")) is (operation["operationId"] not in public), operation["operationId"]


# --- what the documents say of what is made ---

# Nothing is entered by these, or each time is a disclosure or a session of its own.
TAKE_NO_KEY = {
    "/v1/sessions",
    "/v1/records",
    "/v1/searches/{search_id}/reopen",
    "/v1/probes/faces",
    "/v1/fsck",
    "/v1/sweep",
    "/v1/rebuild/{view}",
}
TABLES = {"/v1/statutes", "/v1/schemas"}  # of the law and of events: they grow by a version of comity


def documents(house: House) -> list[dict[str, Any]]:
    web = TestClient(http(house.exchange, ("testserver",)))
    return [web.get(f"/{service}/openapi.json").json() for service in ("intake", "search", "operations")]


def described(house: House, method: str) -> list[tuple[str, dict[str, Any]]]:
    return [(path, held[method]) for one in documents(house) for path, held in one["paths"].items() if method in held]


def names(operation: dict[str, Any]) -> set[str]:
    return {parameter["name"].lower() for parameter in operation.get("parameters", [])}


def test_whatever_enters_something_takes_a_key(house: House) -> None:
    assert {path for path, post in described(house, "post") if "idempotency-key" not in names(post)} == TAKE_NO_KEY


def test_what_is_made_is_201_with_its_location_and_200_where_it_stood(house: House) -> None:
    made = [(path, post["responses"]) for path, post in described(house, "post") if "201" in post["responses"]]
    assert {path for path, said in made if "Location" not in said["201"].get("headers", {})} == set()
    keyed = {path for path, post in described(house, "post") if "idempotency-key" in names(post)}
    keyed -= {"/v1/orders/preview", "/v1/orders/find"}  # looks, which make nothing
    assert keyed <= {path for path, said in made if "Location" in said.get("200", {}).get("headers", {})}


def test_every_list_has_pages(house: House) -> None:
    lists = [(path, get) for path, get in described(house, "get") if is_list(get)]
    assert len(lists) > 10
    assert {path for path, get in lists if "cursor" not in names(get)} == TABLES


def is_list(operation: dict[str, Any]) -> bool:
    content = operation["responses"].get("200", {}).get("content", {})
    return bool(content.get("application/json", {}).get("schema", {}).get("type") == "array")
