"""Every error has one shape, whatever it was, and nothing of the request comes back in it."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
import structlog
from fastapi import Depends, FastAPI, HTTPException, UploadFile
from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from comity import telemetry
from comity.domain.ids import PartyId, UserId
from comity.domain.roles import INVESTIGATOR
from comity.errors import LedgerBehind, NotFound, NotSignedIn, PhotographRefused, TooMany
from comity.ports import Person
from comity.web.app import new_app
from comity.web.bodies import BODY_BYTES_MAX
from comity.web.session import role, signed_in

SHAPE = {"type", "title", "status", "detail", "advice", "trace_id", "details"}
SECRET = "Jane-Q-Public-1990"  # noqa: S105 - what a stranger sends, and must never read again
LIMIT = 64 * 1024
BEARER = {"authorization": "Bearer open-sesame"}


class OnePerson:
    """An identity that knows one session: ``open-sesame``."""

    def person(self, session: str) -> Person:
        """Return the only person."""
        if session != "open-sesame":
            raise NotSignedIn("This session has ended.")
        return Person(UserId("u-000000000000"), "A", PartyId("WI0130000"), frozenset({"clerk"}))


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: Annotated[int, Field(ge=1)]


@pytest.fixture
def app() -> FastAPI:
    app = new_app("Test", OnePerson(), body_bytes_max=LIMIT, hosts=("testserver",))  # type: ignore[arg-type]
    errors: dict[str, Exception] = {
        "not-found": NotFound("Nothing.", advice="Look elsewhere."),
        "refused": PhotographRefused("no-face", "No face.", faces=0),
        "behind": LedgerBehind("Behind."),
        "too-many": TooMany("Slowly.", retry_after_seconds=7),
        "http": HTTPException(418, "Short and stout"),
        "bug": ValueError(f"somebody worked on {SECRET}"),
    }

    @app.get("/error/{which}")
    def fail(which: str) -> None:
        raise errors[which]

    @app.post("/body")
    def take(body: Body) -> int:
        return body.number

    @app.post("/upload")
    def upload(photograph: UploadFile) -> int:
        return photograph.size or 0

    @app.get("/who")
    def who(person: Annotated[Person, Depends(signed_in)]) -> str:
        return person.user_id

    @app.post("/investigate")
    def investigate(person: Annotated[Person, Depends(role(INVESTIGATOR))]) -> str:
        return person.user_id

    return app


@pytest.fixture
def web(app: FastAPI) -> TestClient:
    return TestClient(app)


@pytest.fixture
def known(app: FastAPI) -> TestClient:
    return TestClient(app, headers=BEARER)


@pytest.mark.parametrize(
    ("which", "status", "kind"),
    [
        ("not-found", 404, "not-found"),
        ("refused", 422, "photograph-refused"),
        ("behind", 503, "ledger-behind"),
        ("too-many", 429, "too-many"),
        ("http", 418, "i'm-a-teapot"),
        ("bug", 500, "internal"),
    ],
)
def test_every_error_has_the_one_shape(web: TestClient, which: str, status: int, kind: str) -> None:
    answer = web.get(f"/error/{which}")
    body: dict[str, Any] = answer.json()
    assert answer.status_code == body["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(body) == SHAPE
    assert body["type"] == f"urn:comity:problem:{kind}"


def test_what_the_framework_refuses_has_the_same_shape(web: TestClient) -> None:
    for answer in (
        web.get("/nowhere"),
        web.post("/who", headers={"authorization": "Bearer x"}),
        web.post("/body", json={}, headers=BEARER),
    ):
        assert set(answer.json()) == SHAPE
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_method_that_is_not_allowed_is_told_which_are(web: TestClient) -> None:
    assert web.put("/who").headers["allow"] == "GET, HEAD"


def test_an_upload_is_never_written_to_a_temporary_file() -> None:
    app = new_app("Test", OnePerson())  # type: ignore[arg-type]

    @app.post("/memory")
    def memory(photograph: UploadFile) -> bool:
        return bool(photograph._in_memory)

    assert TestClient(app, headers=BEARER).post("/memory", files={"photograph": b"x" * (BODY_BYTES_MAX - LIMIT)}).json() is True


def test_our_details_go_out_as_facts_for_machines(web: TestClient) -> None:
    assert web.get("/error/refused").json()["details"] == {"reason": "no-face", "faces": 0}


def test_whoever_may_try_again_is_told_when(web: TestClient) -> None:
    assert web.get("/error/behind").headers["retry-after"] == "2"
    assert web.get("/error/too-many").headers["retry-after"] == "7"
    assert web.get("/who").headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "sent", [{"number": SECRET}, {"number": 1, SECRET: 1}, [SECRET], {"number": {f"{SECRET} {SECRET}": SECRET}}, SECRET]
)
def test_a_refused_form_names_the_field_and_never_what_stood_in_it(known: TestClient, sent: object) -> None:
    answer = known.post("/body", json=sent)
    assert answer.status_code == 422
    assert SECRET not in answer.text
    assert set(answer.json()["details"]["fields"][0]) == {"loc", "msg"}


def test_a_bug_shows_and_logs_its_place_but_not_what_was_worked_on(web: TestClient) -> None:
    with structlog.testing.capture_logs() as logged:
        answer = web.get("/error/bug")
    assert SECRET not in answer.text
    assert SECRET not in str(logged)
    assert logged[-1]["trace_id"] == answer.json()["trace_id"]
    assert "test_problem_shape.py" in str(logged[-1]["where"])


@pytest.mark.parametrize("streamed", [False, True])
def test_a_body_over_the_limit_is_413_announced_or_not(known: TestClient, streamed: bool) -> None:  # noqa: FBT001
    body = b"x" * (LIMIT + 1)
    content = iter([body[:100], body[100:]]) if streamed else body
    answer = known.post("/body", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert set(answer.json()) == SHAPE
    assert known.post("/upload", files={"photograph": body}).status_code == 413
    assert known.post("/upload", files={"photograph": b"x" * 100}).json() == 100


def test_every_answer_forbids_frames_sniffing_and_caches(web: TestClient) -> None:
    for path in ("/docs", "/error/bug", "/nowhere", "/openapi.json"):
        said = web.get(path).headers
        assert "frame-ancestors 'none'" in said["content-security-policy"]
        assert (said["x-content-type-options"], said["cache-control"]) == ("nosniff", "no-store")


def test_another_site_cannot_act_with_this_browsers_cookie(app: FastAPI) -> None:
    web = TestClient(app, cookies={"comity_session": "open-sesame"})
    assert web.post("/body", json={"number": 1}).status_code == 403
    assert web.post("/body", json={"number": 1}, headers={"origin": "http://evil.example"}).status_code == 403
    assert web.post("/body", json={"number": 1}, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert web.post("/body", json={"number": 1}, headers={"origin": "null"}).status_code == 403
    assert web.post("/body", json={"number": 1}, headers={"origin": "http://testserver"}).status_code == 200
    assert web.post("/body", json={"number": 1}, headers={"authorization": "Bearer open-sesame"}).status_code == 200


@pytest.mark.parametrize("before", ["a[b]=c", 'x="', "x=\\", "$Version=1", "\u00e4=1"])
def test_what_stands_before_a_cookie_hides_it_from_nobody(app: FastAPI, before: str) -> None:
    """Whoever reads the cookie to know the person, and to ask where a request comes from, reads the same one."""
    web = TestClient(app)
    sent = {b"cookie": f"{before}; comity_session=open-sesame".encode("latin-1")}
    signed_in = web.get("/who", headers=sent).status_code == 200
    assert web.post("/body", json={"number": 1}, headers=sent).status_code == (403 if signed_in else 401)


def test_an_unknown_host_name_is_refused(web: TestClient) -> None:
    assert web.get("/who", headers={"host": "evil.example"}).status_code == 400


def test_a_person_is_known_by_cookie_or_bearer_and_let_in_by_role(app: FastAPI) -> None:
    web = TestClient(app)
    assert web.get("/who").status_code == 401
    assert web.get("/who", headers={"authorization": "Bearer x"}).status_code == 401
    assert web.get("/who", headers=BEARER).json() == "u-000000000000"
    assert TestClient(app, cookies={"comity_session": "open-sesame"}).get("/who").status_code == 200
    assert web.post("/investigate", headers=BEARER).status_code == 403
    with pytest.raises(ValueError, match="no such role"):
        role("investigater")


def test_the_documentation_is_a_page_of_this_host_alone(web: TestClient) -> None:
    page = web.get("/docs").text
    assert "/error/{which}" in page
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page


def test_the_documentation_says_where_it_is_mounted(app: FastAPI) -> None:
    web = TestClient(Starlette(routes=[Mount("/intake", app)]))
    assert "/intake/error/{which}" in web.get("/intake/docs").text
    assert web.get("/intake/openapi.json").json()["servers"] == [{"url": "/intake"}]


def test_the_openapi_names_the_one_shape_for_every_error(web: TestClient) -> None:
    api = web.get("/openapi.json").json()
    for path in api["paths"].values():
        for operation in path.values():
            for status, answer in operation["responses"].items():
                if status >= "400":
                    assert set(answer["content"]) == {"application/problem+json"}
    assert set(api["components"]["schemas"]["Problem"]["required"]) == SHAPE


def test_the_log_has_the_place_of_a_bug_under_its_trace_id(web: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        telemetry.configure()
        trace = web.get("/error/bug").json()["trace_id"]
    finally:
        structlog.reset_defaults()
    logged = json.loads(capsys.readouterr().err)
    assert (logged["trace_id"], logged["error"]) == (trace, "ValueError")
    assert "test_problem_shape.py" in str(logged["where"])
    assert SECRET not in str(logged)
