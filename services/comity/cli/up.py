"""``comity up``: the exchange with its services and its desk, until Ctrl-C."""

from __future__ import annotations

import errno
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from comity.adapters.home import IN_USE, Home
from comity.cli.connect import START_SECONDS, is_free, running
from comity.cli.context import State, state
from comity.cli.output import emit, errors, fields, say
from comity.cli.sign_in import ensure_operator
from comity.errors import Conflict, InvalidInput, Unavailable
from comity.settings import Settings
from comity.web.hosts import is_loopback

if TYPE_CHECKING:
    from comity.bootstrap import Exchange
    from comity.serving import Server

STATUS_SECONDS = 2.0
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK_SECONDS = 0.1  # whether a home that another process has open is free by now
NOT_HERE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
OPEN_WARNING = (
    "Warning: {host} is reached from other machines, and what is sent there is not encrypted. Serve on 127.0.0.1 and put a proxy "
    "with TLS in front, named in COMITY_HOSTS and COMITY_PROXIES."
)
app = typer.Typer()


@app.command(epilog="Run again it changes nothing. Example: comity init --home /srv/comity")
def init(ctx: typer.Context) -> None:
    """Make a home: found an exchange in it, with its keys."""
    settings = state(ctx).settings()
    made = not Home(settings.home).is_made()
    if made:
        with _opened(settings):
            pass
    home = settings.home.resolve()
    said = f"{home} is an exchange's home now." if made else f"{home} is an exchange's home already."
    emit(state(ctx), {"home": str(home), "made": made}, lambda: say(said))


@app.command(epilog="Example: comity --home /srv/comity up --port 8765 --links")
def up(
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option(help="The address to serve on. [127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The port; 0 picks a free one. [8765]")] = None,
    links: Annotated[bool, typer.Option("--links", help="Print a one-time sign-in link for everybody.")] = False,
) -> None:
    """Serve the exchange until Ctrl-C."""
    settings = state(ctx).settings(host=host, port=port)
    _refuse_a_second(settings)
    check_port(settings.host, settings.port)
    with _started(settings) as (exchange, server), _stopping() as stop:
        _announce(state(ctx), exchange, server, _links(exchange, server) if links else [])
        _stand_by(exchange, stop, quiet=state(ctx).json)


def _refuse_a_second(settings: Settings) -> None:
    if settings.home.exists() and not is_free(settings) and (url := running(settings)) is not None:
        raise Conflict(f"This home is served already, at {url}.", advice="Use that one, or stop it first.")


def check_port(host: str, port: int) -> None:
    """Raise Unavailable where nothing can be served here: seconds before the home is open. InvalidInput for no address."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise _no_address(host, error) from None
    try:
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server will: a port just left is free
            tried.bind(address)
    except (OSError, OverflowError) as error:
        if getattr(error, "errno", None) in NOT_HERE:
            raise _no_address(host, error) from None
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise Unavailable(
            f"Port {port} of {host} cannot be served on: {reason}.", advice="Name a free one with --port, or --port 0."
        ) from None


def _no_address(host: str, error: Exception) -> InvalidInput:
    reason = getattr(error, "strerror", None) or type(error).__name__
    return InvalidInput(
        f"{host} is no address of this machine: {reason}.",
        advice="Name one with --host, such as 127.0.0.1, or 0.0.0.0 for all; a proxy's name goes into COMITY_HOSTS.",
    )


@contextmanager
def _started(settings: Settings) -> Iterator[tuple[Exchange, Server]]:
    from comity.serving import Server  # noqa: PLC0415 - the engines take seconds, and what is wrong is told before

    with _opened(settings) as exchange, Server(exchange, settings.host, settings.port) as server:
        yield exchange, server


@contextmanager
def _opened(settings: Settings) -> Iterator[Exchange]:
    console = errors()
    with console.status("Starting…") if console.is_terminal else nullcontext():
        exchange = _made(settings)
        exchange.__enter__()
    try:
        ensure_operator(exchange.identity)
        yield exchange
    finally:
        exchange.stop()


def _made(settings: Settings) -> Exchange:
    """Return the home's exchange, once a command that has the home open is done with it."""
    from comity.bootstrap import Exchange  # noqa: PLC0415 - as above

    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return Exchange(settings)
        except Unavailable as error:
            if error.details.get("reason") != IN_USE or time.monotonic() > deadline:
                raise
        _refuse_a_second(settings)
        time.sleep(LOOK_SECONDS)


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C, SIGTERM and a terminal that goes away set: to end serving is no failure, so the code is 0."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in ENDINGS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _links(exchange: Exchange, server: Server) -> list[dict[str, str]]:
    identity = exchange.identity
    return [
        {
            "name": p.name,
            "party": p.party,
            "roles": " ".join(sorted(p.roles)),
            "url": f"{server.url}/sign-in/{identity.link(p.user_id)}",
        }
        for p in identity.people()
    ]


def _announce(said: State, exchange: Exchange, server: Server, links: list[dict[str, str]]) -> None:
    docs = f"{server.url}/docs"
    warnings = [] if is_loopback(exchange.settings.host) else [OPEN_WARNING.format(host=exchange.settings.host)]
    data: dict[str, Any] = {
        "url": server.url,
        "docs": docs,
        "home": str(exchange.home.root),
        "log": _log(exchange),
        "links": links,
        "warnings": warnings,
    }

    def show() -> None:
        fields("", [("Desk", server.url), ("HTTP", docs), ("Home", exchange.home.root), ("Log", _log(exchange))])
        for link in links:
            say(f"{link['name']} ({link['party']}; {link['roles']}): {link['url']}")
        say("Each link signs in once, within ten minutes." if links else "Sign in: `comity user link NAME`, or --links here.")
        for warning in warnings:
            say(warning)
        say("Ctrl-C stops.")

    emit(said, data, show)


def _log(exchange: Exchange) -> str:
    if exchange.broker is not None:
        return f"Apache Kafka at {', '.join(exchange.broker.bootstrap)}, started here"
    return f"Apache Kafka at {exchange.settings.kafka}" if exchange.settings.kafka else "SQLite"


def _stand_by(exchange: Exchange, stop: threading.Event, *, quiet: bool) -> None:
    """Wait for the end, with a line that says how things are where somebody is looking."""
    console = Console()
    if quiet or not console.is_terminal:
        stop.wait()
        return
    with console.status(_line(exchange)) as spinner:
        while not stop.wait(STATUS_SECONDS):
            spinner.update(_line(exchange))


def _line(exchange: Exchange) -> str:
    now = exchange.status()
    behind = {name: f["lag"] for name, f in now["followers"].items() if f["lag"]}
    failed = [name for name, f in now["followers"].items() if f["failure"]]
    lag = ", ".join(f"{name} {lag} behind" for name, lag in behind.items()) or "nothing behind"
    lag = lag if now["journal"]["end"] is not None else "[bold red]the log does not answer[/]"
    stands = f" · [bold red]{', '.join(failed)} stopped[/]" if failed else ""
    return f"journal {now['journal']['applied']} · {now['templates']} templates · {lag}{stands}"
