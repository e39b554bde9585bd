"""What any request may weigh, where it may come from, and what every answer says about itself."""

from __future__ import annotations

from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from comity.errors import InvalidInput, NotPermitted, TooLarge

BODY_BYTES_MAX = 16 * 1024 * 1024  # eight photographs of 2 MB: more than a booking station makes
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
COOKIE = "comity_session"

HEADERS = {
    # Everything from this host alone, no inline script or style; data: for photographs that travel inside an answer.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",  # a page kept in a browser's cache could not be blanked by a recall
    "Referrer-Policy": "same-origin",  # not no-referrer: forms would then be sent with `Origin: null`
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class SecurityHeaders:
    """Says the same on every answer, errors and static files included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, with the headers added where the answer has none of its own."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    said.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, dressed)


class BodyLimit:
    """Raises TooLarge for a body over the limit, announced or streamed; nothing further of it is read."""

    def __init__(self, app: ASGIApp, bytes_max: int = BODY_BYTES_MAX) -> None:
        self._app, self._bytes_max = app, bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, counting what comes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isascii() or not announced.isdigit() or int(announced) > self._bytes_max:
            raise self._too_large()
        got = 0

        async def counted() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > self._bytes_max:
                raise self._too_large()
            return message

        async def answered(message: Message) -> None:
            if got <= self._bytes_max:  # else the framework took our error for a broken body: its 400 is not sent
                await send(message)

        await self._app(scope, counted, answered)
        if got > self._bytes_max:
            raise self._too_large()

    def _too_large(self) -> TooLarge:
        mib = self._bytes_max / 1024 / 1024
        return TooLarge(f"The request is over {mib:g} MiB.", advice="Send fewer or smaller photographs at a time.")


class OriginCheck:
    """Refuses changes that another site makes a signed-in browser send (CSRF), and unknown host names.

    A request with a Bearer token is no browser's own doing. Otherwise whatever changes something must come from this very host:
    by ``Origin`` where it is sent, and a request that bears the session's cookie must say where it comes from.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self._app, self._hosts = app, frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or raise NotPermitted or InvalidInput."""
        if scope["type"] == "http":
            said = Headers(scope=scope)
            self._check_host(said)
            if scope["method"] not in SAFE_METHODS and not is_bearer(said):
                _check_origin(said)
        await self._app(scope, receive, send)

    def _check_host(self, said: Headers) -> None:
        name = urlsplit(f"//{said.get('host', '')}").hostname if "host" in said else None
        if self._hosts and name not in self._hosts:
            raise InvalidInput("This host name is not served here.", advice="Use the address that `comity status` shows.")


def is_bearer(said: Headers) -> bool:
    """Say whether a request brings its own token."""
    return said.get("authorization", "").lower().startswith("bearer ")


def cookie(said: Headers) -> str | None:
    """Return the session's cookie, or None."""
    try:
        held = SimpleCookie(said.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return held.value if held else None


def _check_origin(said: Headers) -> None:
    origin, site = said.get("origin"), said.get("sec-fetch-site")
    if origin is not None:
        ours = origin.partition("://")[2] == said.get("host", "")
    else:
        ours = cookie(said) is None or site == "same-origin"
    if not ours or site in ("cross-site", "same-site"):
        raise NotPermitted(
            "This request did not come from this site's own pages.",
            advice="Use the form on the page itself, or send `Authorization: Bearer`.",
        )
