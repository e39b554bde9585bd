"""Which host names are answered: those that this exchange is known by. A page elsewhere cannot borrow a name (DNS rebinding)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from comity.errors import InvalidInput

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognised, not bound: no name of anybody

_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[A-Za-z0-9._-]{1,253}))(?::[0-9]{1,5})?")


class HostCheck:
    """Raises InvalidInput for a request to a name that is not ours.

    Loopback's names, and the address that a request came in by, always are.
    """

    def __init__(self, app: ASGIApp, names: Collection[str] = ()) -> None:
        self._app = app
        self._names = LOOPBACK | {plain(name) for name in names} - EVERYWHERE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, where the name is ours."""
        if scope["type"] == "http" and not self._is_ours(scope):
            raise InvalidInput(
                "This host name is not served here.",
                advice="Use the address that `comity up` printed; whoever runs the exchange names others in COMITY_HOSTS.",
            )
        await self._app(scope, receive, send)

    def _is_ours(self, scope: Scope) -> bool:
        found = _HOST.fullmatch(Headers(scope=scope).get("host", ""))
        if found is None:
            return False
        name = plain(found["v6"] or found["name"])
        return name in self._names or name == plain(str((scope.get("server") or ("", 0))[0]))


def plain(name: str) -> str:
    """Return a host name or address as it is compared: lower case, without the final dot, an address in its shortest form."""
    name = name.strip().strip("[]").rstrip(".").lower()
    try:
        return str(ipaddress.ip_address(name.partition("%")[0]))
    except ValueError:
        return name


def address(host: str, port: int) -> str:
    """Return the URL at which this machine itself reaches a server: an address for everybody is reached by loopback."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - recognised, not bound
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches a server on this address."""
    name = plain(host)
    if name in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
