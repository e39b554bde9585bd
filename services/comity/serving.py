"""Serves an exchange over HTTP: three services and the desk, in one process when embedded."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from comity.acts.people import People
from comity.acts.watermark import Watermarks
from comity.bootstrap import Exchange
from comity.desk import app as desk_app
from comity.errors import Unavailable
from comity.intake import app as intake_app
from comity.intake.services import IntakeServices
from comity.operations import app as operations_app
from comity.operations import health
from comity.search import app as search_app
from comity.search.services import SearchServices
from comity.web.connections import SECONDS_MAX, Patient, Waiting
from comity.web.hosts import HostCheck, address
from comity.web.limits import SecurityHeaders
from comity.web.once import Once
from comity.web.problem import Problems

START_SECONDS = 20.0
STOP_SECONDS = 10.0  # five times what requests in hand are given: a thread that hangs keeps nobody from closing the home
DOCS = """<!doctype html><html lang="en"><title>comity: HTTP</title><h1>comity over HTTP</h1>
<ul><li><a href="/intake/docs">intake</a>: enrolments, orders, grants, registrations</li>
<li><a href="/search/docs">search</a>: searches, reviews, reveals</li>
<li><a href="/operations/docs">operations</a>: state, recall, repair, people</li></ul></html>"""


def http(exchange: Exchange, hosts: Collection[str] = ()) -> ASGIApp:
    """Return the application: ``/intake``, ``/search``, ``/operations``, and the desk's pages at the root.

    It answers to loopback's names, to these ``hosts``, and to the address that a request came in by; to no other name.
    """
    x, once = exchange, Once(exchange.requests)
    intake_services = IntakeServices(
        enrol=x.enrol,
        orders=x.orders,
        seal=x.seal,
        book=x.book,
        register=x.register,
        ledger=x.ledger,
        rejections=x.rejections,
        refusals=x.refusals,
        keyring=x.keyring,
        indexer=x.indexer,
        identity=x.identity,
        now=x.now,
        encoded=x.encoded,
        once=once,
    )
    search_services = SearchServices(
        search=x.search,
        examine=x.examine,
        encoder=x.encoder,
        identity=x.identity,
        watermarks=Watermarks(x.vault),
        once=once,
    )
    app = Starlette(
        routes=[
            Route("/docs", _docs),
            *health.routes(lambda: x.overview.parts(x.time_keeping.show().alarms)),
            Mount("/intake", intake_app.create(intake_services)),
            Mount("/search", search_app.create(search_services)),
            Mount("/operations", operations_app.create(operation_services(x, once))),
            Mount("/", desk_app.create(_desk(x))),
        ]
    )
    return SecurityHeaders(Problems(HostCheck(app, hosts)))


def operation_services(x: Exchange, once: Once) -> operations_app.OperationServices:
    """Return what operations need of an exchange."""
    return operations_app.OperationServices(
        identity=x.identity,
        ledger=x.ledger,
        log=x.log,
        clock=x.time_keeping,
        people=People(x.identity, x.journal),
        status=x.status,
        exposures=x.exposures,
        fsck=x.fsck,
        rebuild=x.rebuild,
        sweep=x.purge.swept,
        once=once,
    )


def _desk(x: Exchange) -> desk_app.DeskServices:
    return desk_app.DeskServices(
        tick=x.clock.fresh,
        seal=x.seal,
        book=x.book,
        search=x.search,
        examine=x.examine,
        searches=x.searches,
        ledger=x.ledger,
        watch=x.watch,
        keyring=x.keyring,
        encoder=x.encoder,
        identity=x.identity,
        rejections=x.rejections,
        refusals=x.refusals,
        now=x.now,
    )


class Server:
    """Runs the application in a thread of this process; ``url`` is where. The home's ``url`` file says so to commands."""

    def __init__(self, exchange: Exchange, host: str = "127.0.0.1", port: int = 0) -> None:
        self._exchange = exchange
        config = uvicorn.Config(
            http(exchange, (host, *exchange.settings.hosts)),
            http=Patient,
            ws="none",
            forwarded_allow_ips=list(exchange.settings.proxies),
            host=host,
            port=port,
            log_config=None,  # its lines are for its own users: what fails here is told by us
            log_level="critical",
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_keep_alive=int(SECONDS_MAX[Waiting.REQUEST]),
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="comity-http", daemon=True)
        self._host = host
        self.url = ""

    def __enter__(self) -> Self:
        """Serve; returns once requests are answered. Raises Unavailable where the port is taken."""
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise Unavailable("The port cannot be served on.", advice="Name a free one with --port, or --port 0.")
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = address(self._host, port)
        self._exchange.home.url_file.write_text(self.url)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop serving."""
        self._exchange.home.url_file.unlink(missing_ok=True)
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        try:
            self._server.run()
        except SystemExit:  # uvicorn's way to say that it could not bind; the caller is told by the missing start
            return


def _docs(_request: Request) -> Response:
    return HTMLResponse(DOCS)
