"""Names with a slash in an address: a court numbers its orders 2026/CF/12, and a key's own id may be base64.

A server decodes %2F before a route is chosen, so such a name would be two parts of the address, and nothing would be there. Here
it stays one part, its slash told apart from those between the parts until the name is read.
"""

from __future__ import annotations

from urllib.parse import unquote

from pydantic import BeforeValidator
from starlette.types import ASGIApp, Receive, Scope, Send

SLASH = "\x1f"  # stands for it meanwhile: in no name, and in no route


class Slashes:
    """Keeps the slashes within a part of an address apart from those between the parts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        raw: bytes = scope.get("raw_path") or b""
        if scope["type"] == "http" and b"%2f" in raw.lower():
            parts = raw.decode("ascii", "replace").split("/")
            scope = {**scope, "path": "/".join(unquote(part).replace("/", SLASH) for part in parts)}
        await self._app(scope, receive, send)


def _restored(part: object) -> object:
    return part.replace(SLASH, "/") if isinstance(part, str) else part


Whole = BeforeValidator(_restored)  # of a name in an address, which may hold slashes
