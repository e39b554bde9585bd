"""One shape for every error: application/problem+json (RFC 9457), with advice for the person who meets it.

Nothing of a request comes back in it, and nothing of our insides: a 422 names the field and says in our own words what is wrong
with it, never what stood in it; a 500 says no more than the trace id under which the log has the place in the code. Tracebacks
are logged without messages and locals, since both hold whatever was being worked on, and here that is faces.
"""

from __future__ import annotations

import re
import secrets
import traceback
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from comity.errors import ComityError
from comity.web.wording import sentence

logger = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:comity:problem:"
FIELDS_SHOWN_MAX = 20  # of a 422: more of them help nobody
FRAMES_LOGGED_MAX = 30
RETRY_AFTER_SECONDS = {HTTPStatus.SERVICE_UNAVAILABLE: 2, HTTPStatus.TOO_MANY_REQUESTS: 60}

_ADVICE = {
    HTTPStatus.NOT_FOUND: "The pages and routes are listed at /docs.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Which methods are, the header Allow says.",
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")  # a field's name; anything else in a location came from the sender


class Problem(BaseModel):
    """What went wrong: always these seven members, whatever it was."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:comity:problem:not-found",
                "title": "Nothing here for you",
                "status": 404,
                "detail": "There is no such search of yours.",
                "advice": "Search again.",
                "trace_id": "5f0c3a1e9d7b4c2f8a6e0d1b3c5a7f92",
                "details": {},
            }
        }
    )

    type: str = Field(description="`urn:comity:problem:` and a stable slug, for machines.")
    title: str = Field(description="The kind of problem; the same for every problem of this type.")
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="What went wrong this time: a sentence for a person.")
    advice: str = Field(description="What to do about it; may be empty.")
    trace_id: str = Field(pattern="^[0-9a-f]{32}$", description="Name this when you ask for help: the log has it too.")
    details: dict[str, Any] = Field(description="Further facts for machines, such as `reason`; may be empty.")


MADE = ("201", "200")  # what was made, or stood already
LOCATION = {"description": "Where what was made is.", "schema": {"type": "string"}}
Render = Callable[[Request, Problem], Response]


def as_json(request: Request, problem: Problem) -> Response:
    """Return a problem as its JSON answer, with the headers that its status asks for."""
    del request
    return JSONResponse(problem.model_dump(), problem.status, headers(problem), MEDIA_TYPE)


def headers(problem: Problem) -> dict[str, str]:
    """Return the headers that go with a problem's status: when to try again, how to sign in."""
    if problem.status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": "Bearer"}
    if problem.status in RETRY_AFTER_SECONDS:
        wait = problem.details.get("retry_after_seconds", RETRY_AFTER_SECONDS[HTTPStatus(problem.status)])
        return {"Retry-After": str(wait)}
    return {}


def trace_id(request: Request) -> str:
    """Return this request's trace id, made here: a caller's own would let strangers write in our log."""
    state = request.scope.setdefault("state", {})
    return str(state.setdefault("trace_id", secrets.token_hex(16)))


def of_error(request: Request, error: ComityError) -> Problem:
    """Return the problem that an error of ours is."""
    return Problem(
        type=TYPE_PREFIX + error.kind,
        title=error.title,
        status=error.status,
        detail=error.message,
        advice=error.advice,
        trace_id=trace_id(request),
        details={name: value for name, value in error.details.items() if value is not None},
    )


def install(app: FastAPI, render: Render = as_json) -> None:
    """Make every error of this application a problem; ``render`` may make a page of it for a person."""

    async def ours(request: Request, error: Exception) -> Response:
        response = render(request, _known(request, error))
        for name, value in (getattr(error, "headers", None) or {}).items():  # the framework's own: Allow, on a 405
            response.headers.setdefault(name, value)
        return response

    for kind in (ComityError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, ours)
    app.add_middleware(Problems, render=render)


class Problems:
    """The outer net: what no handler took, and what the middleware inside it raises.

    Starlette's own last handler answers too, but then raises again, and the server prints messages and all.
    """

    def __init__(self, app: ASGIApp, render: Render = as_json) -> None:
        self._app, self._render = app, render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, and answer for whatever is raised before the answer began."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with structlog.contextvars.bound_contextvars(trace_id=trace_id(Request(scope))):
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = False

        async def watched(message: Message) -> None:
            nonlocal began
            began = began or message["type"] == "http.response.start"
            await send(message)

        request = Request(scope)
        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - the outermost of all
            problem = _known(request, error)
            if not began:
                await self._render(request, problem)(scope, receive, send)


def _known(request: Request, error: Exception) -> Problem:
    if isinstance(error, ComityError):
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.warning("refused", trace_id=trace_id(request), kind=error.kind)
        return of_error(request, error)
    if isinstance(error, RequestValidationError):
        return _invalid(request, error)
    if isinstance(error, HTTPException):
        return _http(request, error)
    return _unexpected(request, error)


def _invalid(request: Request, error: RequestValidationError) -> Problem:
    fields = [{"loc": _place(e), "msg": sentence(e)} for e in error.errors()[:FIELDS_SHOWN_MAX]]
    named = ", ".join(".".join(map(str, field["loc"])) for field in fields[:3])
    return Problem(
        type=TYPE_PREFIX + "invalid-input",
        title="The request cannot be used",
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        detail=f"What was sent does not have the form described: {named}.",
        advice=_form(request),
        trace_id=trace_id(request),
        details={"fields": fields},
    )


def _form(request: Request) -> str:
    """Return where the form is described: a service describes itself, and a page of the desk's is a form already."""
    if request.app.openapi().get("paths"):
        return f"Compare it with {request.scope.get('root_path', '').rstrip('/')}/docs."
    return "Go back, correct it, and send it again."


def _place(error: Mapping[str, Any]) -> list[str | int]:
    """Return where it is wrong, in our own words: a name that we did not ask for is the sender's."""
    place: list[str | int] = [p if isinstance(p, int) or _NAME.fullmatch(str(p)) else "?" for p in error["loc"]]
    return [*place[:-1], "?"] if error["type"] == "extra_forbidden" else place


def _http(request: Request, error: HTTPException) -> Problem:
    status = HTTPStatus(error.status_code)
    return Problem(
        type=TYPE_PREFIX + status.phrase.lower().replace(" ", "-"),
        title=status.phrase,
        status=status,
        detail=str(error.detail),
        advice=_ADVICE.get(status, ""),
        trace_id=trace_id(request),
        details={},
    )


def _unexpected(request: Request, error: Exception) -> Problem:
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_LOGGED_MAX:]
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    logger.error("unexpected error", trace_id=trace_id(request), error=type(error).__name__, where=where)
    return Problem(
        type=TYPE_PREFIX + "internal",
        title="Something went wrong here",
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        detail="The exchange failed in a way that nobody foresaw; nothing was disclosed.",
        advice="Tell the operator this trace id: the log has the place under it.",
        trace_id=trace_id(request),
        details={},
    )


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of a route that may end in these problems; the shape is filled in by ``new_app``."""
    return {status: {"description": HTTPStatus(status).phrase} for status in statuses}


def _by_who(method: str, operation: Mapping[str, Any]) -> dict[int, str]:
    """Return what an operation answers to whoever may not: derived, so that no route can forget to say so."""
    secured = bool(operation.get("security"))
    refused = {401: "Nobody is signed in, or the session has ended"} if secured else {}
    if secured or method != "get":
        refused[403] = "Not permitted, or sent by another site's page"
    return refused


def describe(schema: dict[str, Any], always: Mapping[int, str]) -> dict[str, Any]:
    """Write the one shape into an OpenAPI document: for every documented error, and for those that any route may meet."""
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema()
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in schema.get("paths", {}).values():
        for method, operation in path.items():
            responses = operation["responses"]
            for status, why in {**always, **_by_who(method, operation)}.items():
                responses.setdefault(str(status), {"description": why})
            for status, response in responses.items():
                if "201" in responses and status in MADE:
                    response.setdefault("headers", {})["Location"] = LOCATION
                if status >= "400":
                    response["content"] = content
                    if status == str(HTTPStatus.UNPROCESSABLE_ENTITY):
                        response["description"] = "What was sent does not have the form described"
    return schema
