"""Where a request may come from, what it brings to say who sent it, and what every answer says about itself."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from comity.errors import NotPermitted

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


class Heads:
    """Answers HEAD as GET without the body, wherever GET is answered; a stream ends with its head."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = scope["method"] == "HEAD"
        begun = False

        async def bare(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                _allow_head(MutableHeaders(scope=message))
                await send(message)
                if asked:
                    await send({"type": "http.response.body", "body": b""})
            elif not asked:
                await send(message)

        async def until_begun() -> Message:
            return {"type": "http.disconnect"} if begun else await receive()

        if asked:
            await self._app({**scope, "method": "GET"}, until_begun, bare)
        else:
            await self._app(scope, receive, bare)


def _allow_head(said: MutableHeaders) -> None:
    methods = [name.strip() for name in said.get("allow", "").split(",")]
    if "GET" in methods and "HEAD" not in methods:
        said["allow"] = ", ".join([*methods, "HEAD"])


class OriginCheck:
    """Refuses changes that another site makes a signed-in browser send (CSRF).

    A request with a Bearer token is no browser's own doing. Otherwise whatever changes something must come from this very host:
    by ``Origin`` where it is sent, and a request that bears the session's cookie must say where it comes from.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or raise NotPermitted."""
        if scope["type"] == "http":
            said = Headers(scope=scope)
            if scope["method"] not in SAFE_METHODS and bearer(said) is None:
                _check_origin(said)
        await self._app(scope, receive, send)


def bearer(said: Headers) -> str | None:
    """Return the token of ``Authorization: Bearer``, empty where none follows the word; None for any other request."""
    scheme, _, token = said.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def cookie(said: Headers) -> str | None:
    """Return the session's cookie, or None. Whoever asks for it asks here: two parsers would see two different people."""
    return cookie_parser("; ".join(said.getlist("cookie"))).get(COOKIE)


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
