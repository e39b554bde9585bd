"""One way to the exchange: HTTP, to the ``comity up`` of this home, or to one that this command serves while it runs."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx2

from comity.adapters.home import IN_USE, Home
from comity.cli.context import State
from comity.cli.output import errors
from comity.cli.problems import Answered
from comity.cli.sign_in import signed_in
from comity.client.connection import http_client
from comity.errors import NotFound, Unavailable
from comity.ports import Person
from comity.settings import Settings

if TYPE_CHECKING:
    from comity.bootstrap import Exchange

TIMEOUT_SECONDS = 60.0
REPAIR_SECONDS = 3600.0  # a replay of the whole journal
HEALTH_SECONDS = 2.0
START_SECONDS = 20.0  # another command may be opening or closing the home just now
SETTLE_SECONDS = 60.0
PAGES_MAX = 1_000  # of a hundred rows each
PROBLEM = "application/problem+json"


class Api:
    """The services of one exchange, asked as one person."""

    def __init__(self, url: str, token: str, person: Person) -> None:
        self.url, self.token, self.person = url, token, person
        self._http = http_client(url, timeout=TIMEOUT_SECONDS, headers={"authorization": f"Bearer {token}"})

    def get(self, path: str, **query: str | int) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Return what stands at a path."""
        return self.ask("GET", path, params=query)

    def every(self, path: str, **query: str | int) -> list[Any]:
        """Return a whole list, page by page. Raises Unavailable where it does not end."""
        found, answer = list[Any](), self._request("GET", path, params=query)
        for _ in range(PAGES_MAX):
            found += _json(answer)
            if "next" not in answer.links:
                return found
            answer = self._request("GET", answer.links["next"]["url"])
        raise Unavailable("The list is longer than a command shows.", advice="Ask over HTTP, a page at a time.")

    def post(self, path: str, body: Any = None, **more: Any) -> Any:  # noqa: ANN401
        """Send JSON (or, in ``more``, a form) and return the answer."""
        return self.ask("POST", path, **({"json": body} if body is not None else {}), **more)

    def put(self, path: str, body: Any) -> Any:  # noqa: ANN401
        """Put JSON in the place of what stands there, and return the answer."""
        return self.ask("PUT", path, json=body)

    def content(self, path: str) -> bytes:
        """Return the bytes that stand at a path. Raises as ``ask``."""
        return self._request("GET", path).content

    def delete(self, path: str) -> Any:  # noqa: ANN401
        """Take something back, and return the answer."""
        return self.ask("DELETE", path)

    def ask(self, method: str, path: str, **more: Any) -> Any:  # noqa: ANN401
        """Return an answer's JSON. Raises Answered for a problem, Unavailable where nobody answers."""
        answer = self._request(method, path, **more)
        return _json(answer) if answer.content else None

    def _request(self, method: str, path: str, **more: Any) -> httpx2.Response:  # noqa: ANN401
        try:
            answer = self._http.request(method, path, **more)
        except httpx2.TransportError as error:
            sentence = f"The exchange at {self.url} cannot be reached ({type(error).__name__})."
            raise Unavailable(sentence, advice="It may just have stopped: try again.") from None
        if answer.is_success:
            return answer
        if answer.headers.get("content-type", "").startswith(PROBLEM):
            raise Answered(_json(answer))
        raise Unavailable(f"The exchange answered {answer.status_code}.", advice="Ask whoever runs it.")

    def close(self) -> None:
        """Close the connection; idempotent."""
        self._http.close()


def _json(answer: httpx2.Response) -> Any:  # noqa: ANN401 - whatever JSON holds
    try:
        return answer.json()
    except ValueError:
        raise Unavailable("What answered is no exchange: it sent no JSON.", advice="See what serves this address.") from None


@contextmanager
def connect(state: State, *roles: str, party: str | None = None) -> Iterator[Api]:
    """Yield the services, signed in as the person named by ``--as``, or as the only one with one of these roles.

    Raises NotFound where there is no home yet.
    """
    settings = state.settings()
    # Who it is comes first: it takes milliseconds to refuse, and seconds to open a home.
    signing_in = signed_in(settings.home, roles, party, state.who)
    with signing_in as (token, person), served(settings) as url:
        api = Api(url, token, person)
        try:
            yield api
        finally:
            api.close()


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """Yield the address of this home's exchange: the one that runs, or one of this process's own."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        if is_free(settings) and (exchange := _opened(settings)) is not None:
            with _served(exchange) as url:
                yield url
            return
        if (found := running(settings)) is not None:
            yield found
            return
        if time.monotonic() > deadline:
            raise Unavailable(
                f"Another process has {settings.home} open, and does not answer.", advice="Stop it, or wait for it."
            )
        time.sleep(0.1)


def is_free(settings: Settings) -> bool:
    """Say whether no process has this home open: then an address found there is an old one."""
    home = Home(settings.home)
    try:
        home.open()
    except Unavailable:
        return False
    home.close()
    return True


def running(settings: Settings) -> str | None:
    """Return the address that the home's owner answers at; None where it does not (yet)."""
    try:
        url = Home(settings.home).url_file.read_text(encoding="utf-8").strip()
        with http_client(url, timeout=HEALTH_SECONDS) as asking:
            asking.get("/livez").raise_for_status()
    except (OSError, httpx2.HTTPError, httpx2.InvalidURL):
        return None
    return url


def _opened(settings: Settings) -> Exchange | None:
    """Open the home in this process; None where another command was faster. Raises as ``Exchange``."""
    from comity.bootstrap import Exchange  # noqa: PLC0415 - the engines take a second, and another process has them mostly
    from comity.telemetry import configure  # noqa: PLC0415

    console = errors()
    with console.status("Opening the home…") if console.is_terminal else _nothing():
        try:
            exchange = Exchange(settings)
        except Unavailable as error:
            if error.details.get("reason") != IN_USE:
                raise
            return None
        configure(level="ERROR")  # a command tells its own errors; the exchange's news are for whoever serves it
        return exchange.__enter__()


@contextmanager
def _served(exchange: Exchange) -> Iterator[str]:
    """Serve an open home on a free loopback port, and let its duties finish before closing it."""
    from comity.serving import Server  # noqa: PLC0415

    try:
        with Server(exchange, host="127.0.0.1", port=0) as server:
            yield server.url
            exchange.settle(SETTLE_SECONDS)
    finally:
        exchange.stop()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def paths(*, service: str) -> str:
    """Return where a service is mounted."""
    return f"/{service}/v1"


INTAKE, SEARCH, OPERATIONS = (paths(service=name) for name in ("intake", "search", "operations"))


def segment(name: str) -> str:
    """Return a name as one segment of a path, so that it reaches no other route. Raises NotFound for what can be no name."""
    if name in ("", ".", ".."):
        raise NotFound(f"Nothing is called {name!r} here.", advice="Give the whole name, as it was printed.")
    try:
        return quote(name, safe="")
    except UnicodeEncodeError:
        raise NotFound(f"Nothing is called {name!r} here.", advice="Give the whole name, as it was printed.") from None


def only(given: Collection[object]) -> bool:
    """Say whether exactly one of these was given."""
    return sum(value is not None for value in given) == 1
