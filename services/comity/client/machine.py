"""A machine's sign-in: a session is fetched with its key when one is needed, and renewed before it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from comity.domain.ids import UserId
from comity.wire.assertion import make
from comity.wire.signing import SigningKey

RENEW_AT = 0.8  # of a session's time: what is sent last is still answered under it


@dataclass(frozen=True, slots=True)
class MachineKey:
    """What a machine signs in with: its id and its exchange's, as its registration was answered, and its own key.

    The exchange's id is kept here and not asked for: whoever answered with another's could sign in there with what it gets.
    """

    machine_id: str
    exchange_id: str
    key: SigningKey = field(repr=False)


class Session:
    """Whoever publishes: by a session's token that was given, or as a machine that fetches its own. Thread-safe."""

    def __init__(self, who: str | MachineKey, exchange: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        """``exchange`` sends an assertion to the exchange, and returns the session that it answers with."""
        self._who, self._exchange = who, exchange
        self._lock = threading.Lock()
        self._token, self._renew_at = (who, float("inf")) if isinstance(who, str) else ("", 0.0)

    def token(self) -> str:
        """Return a token that is good now. Raises as the exchange answers."""
        with self._lock:
            if isinstance(self._who, MachineKey) and time.monotonic() >= self._renew_at:
                asked = time.monotonic()
                said = make(UserId(self._who.machine_id), self._who.exchange_id, self._who.key, time.time())
                session = self._exchange({"assertion": said})
                self._token = str(session["token"])
                self._renew_at = asked + RENEW_AT * float(session["expires_in_seconds"])
            return self._token

    def ended(self, token: str) -> bool:
        """Note that the exchange does not know this token any more; say whether another one can be fetched."""
        with self._lock:
            if isinstance(self._who, str):
                return False
            if token == self._token:
                self._renew_at = 0.0
            return True
