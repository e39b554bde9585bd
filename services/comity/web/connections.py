"""What a connection may cost before anybody is known: deadlines for each thing it can be waiting for, and a limit of how many.

uvicorn has a deadline for idle connections that have been answered once, and none for those that never ask, ask slowly, go on
sending after their answer, or do not take it. Here each has one, and where all places are taken the longest idle gives way.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS_MAX = 512  # half of a common limit of 1,024 open files; a hundred desks have six each
BUSY_ANSWER = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Waiting(Enum):
    """What a connection waits for from its client."""

    REQUEST = auto()  # nothing has come yet, or nothing since the last answer
    HEAD = auto()  # a request's head has begun
    REST = auto()  # what is left of a body after its answer: read and thrown away, so that the answer arrives
    TAKEN = auto()  # the client takes nothing of its answer
    GONE = auto()  # closed here, and not yet taken to the end there


SECONDS_MAX = {
    Waiting.REQUEST: 15.0,
    Waiting.HEAD: 10.0,  # it fits in a few packets
    Waiting.REST: 5.0,
    Waiting.TAKEN: 30.0,
    Waiting.GONE: 10.0,
}


class Patient(H11Protocol):
    """uvicorn's protocol with a deadline for each wait; a body's own deadline is the application's (``web/bodies.py``)."""

    waiting: Waiting | None = None
    since: float = 0.0
    _due: asyncio.TimerHandle | None = None
    _stuck: bool = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request; where all places are taken, the longest idle connection gives way."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS_MAX and not self._make_room():
            transport.write(BUSY_ANSWER)
            transport.close()
        self._look()

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        """Note that the client does not take its answer."""
        super().pause_writing()
        self._stuck = True
        self._look()

    def resume_writing(self) -> None:
        """Note that it does again."""
        super().resume_writing()
        self._stuck = False
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        super().connection_lost(exc)
        self._forget()

    def _look(self) -> None:
        """Set the deadline anew where the connection waits for something else than before."""
        now = self._waits_for()
        if now is self.waiting:
            return
        self._forget()
        self.waiting, self.since = now, self.loop.time()
        if now is not None:
            self._due = self.loop.call_later(SECONDS_MAX[now], self._late)

    def _waits_for(self) -> Waiting | None:
        if self.transport.is_closing():
            return Waiting.GONE
        if self._stuck:
            return Waiting.TAKEN
        if self.conn.their_state is h11.IDLE:
            return Waiting.HEAD if self.conn.trailing_data[0] else Waiting.REQUEST
        answered = self.cycle is not None and self.cycle.response_complete
        return Waiting.REST if answered and self.conn.their_state is h11.SEND_BODY else None

    def _late(self) -> None:
        if self.waiting in (Waiting.TAKEN, Waiting.GONE):
            self.transport.abort()  # to close waits for the client to take the rest
        else:
            self.transport.close()
            self._look()

    def _forget(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _make_room(self) -> bool:
        """Close the connection that has waited longest for its client, and say whether there was one.

        One whose request is in hand, or whose body is being read, does not give way: its sender is known, or it is one of the
        few that sign somebody in (``web/bodies.py``).
        """
        idle = [held for held in self.connections if isinstance(held, Patient) and held.waiting is not None]
        if not idle:
            return False
        min(idle, key=lambda held: held.since).transport.abort()
        return True
