"""The application that each of the three services starts from: the same problems, limits, headers and documentation."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, PlainTextResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.formparsers import MultiPartParser

from comity.ports import Identity
from comity.web import limits, problem
from comity.web.bodies import BODY_BYTES_MAX, Bodies
from comity.web.hosts import HostCheck
from comity.web.paths import Slashes

# Spans would hold URLs, logs exceptions, and its own data bodies (read in FastAPI's source).
TELEMETRY_OFF: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
API_VERSION = "1"
ALWAYS = {
    400: "The request cannot be used",
    408: "The request came too slowly",
    413: "The request is too large",
    429: "Too many requests; see Retry-After",
    500: "Something went wrong here",
    503: "Nothing was done or disclosed; see Retry-After",
}

# A part over this goes into a temporary file on disk, where no erasure would ever find a face: so none does.
MultiPartParser.spool_max_size = BODY_BYTES_MAX

_PAGES = Environment(loader=PackageLoader("comity.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True)

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def new_app(
    title: str,
    identity: Identity,
    *,
    description: str = "",
    hosts: Collection[str] = (),
    open_paths: Collection[str] = (),
    body_bytes_max: int = BODY_BYTES_MAX,
    render: problem.Render = problem.as_json,
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """Return an application with problems, limits, headers and offline documentation; routes are added to it.

    ``hosts``: the host names it answers to (none named: all). ``open_paths``: where a small body is read from somebody who is not
    signed in yet. ``render`` makes pages of problems, for people.
    """
    app = FastAPI(
        telemetry=TELEMETRY_OFF,
        title=title,
        description=description,
        version=API_VERSION,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        generate_unique_id_function=_operation_id,
        lifespan=lifespan,
    )
    app.state.identity = identity
    # The last added is the outermost: headers around problems around checks, and bodies last of all.
    app.add_middleware(Bodies, identity=identity, bytes_max=body_bytes_max, open_paths=open_paths)
    app.add_middleware(limits.OriginCheck)
    if hosts:
        app.add_middleware(HostCheck, names=hosts)
    app.add_middleware(limits.Heads)
    problem.install(app, render)
    app.add_middleware(Slashes)
    app.add_middleware(limits.SecurityHeaders)
    app.openapi = partial(_openapi, app)  # type: ignore[method-assign]
    app.add_api_route("/docs", _docs, include_in_schema=False)
    app.add_api_route("/docs.css", _stylesheet, include_in_schema=False)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        app.openapi_schema = problem.describe(schema, ALWAYS)
    return app.openapi_schema


def _docs(request: Request) -> Response:
    """Show the OpenAPI document as a page: no script, nothing from elsewhere."""
    base = request.scope.get("root_path", "").rstrip("/")  # where it is mounted, when one process serves all
    return HTMLResponse(_PAGES.get_template("docs.html").render(api=request.app.openapi(), base=base))


def _stylesheet() -> Response:
    return PlainTextResponse(_PAGES.get_template("docs.css").render(), media_type="text/css")
