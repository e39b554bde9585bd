"""Bodies: nobody signed out makes the exchange read one, and nobody makes it hold more, or wait longer, than is named here.

In this order, before the first byte is read: whose body it is, whether it is small enough, whether there is room for it, and
whether they may send it at all (``web/routing.py``).
A body that signs somebody in is read from a stranger: few of them at once, each for seconds, and the oldest gives way to a newer.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from anyio import CancelScope, move_on_after, to_thread
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from comity.errors import ComityError, InvalidInput, TooLarge, TooSlow, Unavailable
from comity.ports import Identity
from comity.web.session import required_token

BODY_BYTES_MAX = 16 * 1024 * 1024  # eight photographs of 2 MB: more than a booking station makes
OPEN_BYTES_MAX = 16 * 1024  # of a body that signs somebody in: a link's token or an assertion, and nothing else
ROOM_BYTES = 256 * 1024 * 1024  # bodies in memory at once, over all services: a tenth of the smallest machine
SHARE_BYTES = ROOM_BYTES // 4  # of these, one person's: whoever floods leaves room for the others
STRANGERS_MAX = 32  # bodies that are waited for at once and sign somebody in: one comes whole with its head, in milliseconds
STRANGER_SECONDS = 5.0  # for the whole of such a body: it fits in a few packets
PIECE_SECONDS = 10.0  # a client that sends nothing for so long has gone
BODY_SECONDS = 30.0  # for a whole body, and a second more for each of these bytes:
BYTES_PER_SECOND_MIN = 32 * 1024  # a quarter megabit: the slowest line that a station may have


class Room:
    """The memory that bodies may take at once, all together and for one person. Thread-safe."""

    def __init__(self, bytes_max: int = ROOM_BYTES, share: int = SHARE_BYTES) -> None:
        self._max, self._share = bytes_max, share
        self._lock, self._taken = threading.Lock(), Counter[str]()

    @contextmanager
    def place(self, who: str, size: int) -> Iterator[None]:
        """Keep room for one body of this person. Raises Unavailable where there is none."""
        with self._lock:
            if self._taken[who] + size > self._share or self._taken.total() + size > self._max:
                self._taken += Counter()
                raise Unavailable("Too much is being sent at once.", advice="Send fewer at a time, and this one again.")
            self._taken[who] += size
        try:
            yield
        finally:
            with self._lock:
                self._taken[who] -= size
                self._taken += Counter()  # drops the zeros


class Strangers:
    """The bodies of strangers that are being waited for: where there are too many, the one that began first gives way.

    So whoever sends slowly keeps nobody else from signing in: a newer body is always waited for. Of one event loop.
    """

    def __init__(self) -> None:
        self._waiting: dict[CancelScope, float] = {}

    @contextmanager
    def waiting(self, scope: CancelScope, since: float) -> Iterator[None]:
        """Wait within this scope for more of a body that began then."""
        self._waiting[scope] = since
        if len(self._waiting) > STRANGERS_MAX:
            oldest = min(self._waiting, key=self._waiting.__getitem__)
            del self._waiting[oldest]
            oldest.cancel()
        try:
            yield
        finally:
            self._waiting.pop(scope, None)


STRANGERS = Strangers()
ROOM = Room()  # one for all the services of a process: they share its memory


class Bodies:
    """Reads bodies for the application behind it. Raises NotSignedIn, InvalidInput, TooLarge, TooSlow or Unavailable."""

    def __init__(
        self,
        app: ASGIApp,
        identity: Identity,
        bytes_max: int = BODY_BYTES_MAX,
        open_paths: Collection[str] = (),
        room: Room = ROOM,
    ) -> None:
        self._app, self._identity, self._bytes_max, self._room = app, identity, bytes_max, room
        self._open = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve; a body is read only for somebody signed in, or where signing in is what it is for."""
        if scope["type"] != "http" or not brings_body(said := Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        _check_charset(said)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path in self._open:
            who, body = "", _Body(receive, send, min(OPEN_BYTES_MAX, self._bytes_max), stranger=True)
        else:
            person = await to_thread.run_sync(self._identity.person, required_token(said))
            who, body = str(person.user_id), _Body(receive, send, self._bytes_max)
        with self._room.place(who, body.announced(said)):
            await self._app(scope, body.receive, body.send)
        if body.failure is not None:
            raise body.failure


class _Body:
    """One body as it comes in. What is wrong with it is kept: the framework calls it a broken form, and answers 400."""

    def __init__(self, receive: Receive, send: Send, bytes_max: int, *, stranger: bool = False) -> None:
        self.failure: ComityError | None = None
        self._receive, self._send, self._bytes_max, self._stranger = receive, send, bytes_max, stranger
        self._got, self._since, self._whole = 0, time.monotonic(), False

    def announced(self, said: Headers) -> int:
        """Return how many bytes come, or how many may where that is not said. Raises TooLarge or InvalidInput."""
        length = said.get("content-length")
        if length is None:
            return self._bytes_max
        if not length.isascii() or not length.isdigit():
            raise InvalidInput("The length of what is sent cannot be read.", advice="Send Content-Length in digits.")
        if len(length) > len(str(self._bytes_max)) or int(length) > self._bytes_max:
            raise self._too_large()
        return int(length)

    async def receive(self) -> Message:
        if self._whole:  # what comes then is the client's leaving, for which a stream waits as long as it likes
            return await self._receive()
        with move_on_after(self._patience()) as scope, self._place(scope):
            message = await self._receive()
        if scope.cancelled_caught:
            self.failure = TooSlow("The rest of the request did not come in time.", advice="Send it again, on a better line.")
            raise self.failure
        self._got += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._got > self._bytes_max:
            self.failure = self._too_large()
            raise self.failure
        return message

    def _patience(self) -> float:
        """Return for how many seconds the next piece is waited for."""
        whole = STRANGER_SECONDS if self._stranger else BODY_SECONDS + self._got / BYTES_PER_SECOND_MIN
        left = whole - (time.monotonic() - self._since)
        return min(PIECE_SECONDS, max(left, 0.0))

    def _place(self, scope: CancelScope) -> AbstractContextManager[None]:
        return STRANGERS.waiting(scope, self._since) if self._stranger else nullcontext()

    async def send(self, message: Message) -> None:
        if self.failure is None:
            await self._send(message)

    def _too_large(self) -> TooLarge:
        size = f"{self._bytes_max / 1024 / 1024:g} MiB" if self._bytes_max >= 1024 * 1024 else f"{self._bytes_max // 1024} KiB"
        return TooLarge(f"The request is over {size}.", advice="Send fewer or smaller photographs at a time.")


def _check_charset(said: Headers) -> None:
    """Raise InvalidInput for a form in other letters than UTF-8: the framework would look up whatever codec it names."""
    kind, options = parse_options_header(said.get("content-type", "").encode("latin-1", "replace"))
    if kind.startswith(b"multipart/") and options.get(b"charset", b"utf-8").lower() not in (b"utf-8", b"utf8", b"us-ascii"):
        raise InvalidInput("A form is read as UTF-8 alone.", advice="Send it without a charset, or with charset=utf-8.")


def brings_body(said: Headers) -> bool:
    """Say whether a request announces a body, of whatever method: an empty one is none."""
    return "transfer-encoding" in said or said.get("content-length", "0").strip("0") != ""
