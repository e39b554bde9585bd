"""Enters what the exchange itself says: encoded, signed with the exchange's key, appended; nothing else writes to the log."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime

from comity.acts.pace import burden
from comity.domain import entries as e
from comity.domain.authority import event_id
from comity.domain.ids import KeyId
from comity.domain.log import JOURNAL, Entry, Placed, Topic
from comity.errors import OutcomeUnknown
from comity.ports import EventLog
from comity.wire.envelope import to_entry
from comity.wire.signing import SigningKey

SOURCE = "comity"
APPEND_SECONDS = 5.0


class Journal:
    """The exchange's own pen. Thread-safe."""

    def __init__(self, log: EventLog, signer: SigningKey, now: Callable[[], datetime]) -> None:
        self._log, self._signer, self.now = log, signer, now
        self.pace = burden()  # whoever appends for a party takes from it first

    @property
    def kid(self) -> KeyId:
        """Return the id of the exchange's own key."""
        return self._signer.kid

    def end(self) -> int:
        """Return the journal's next position: to wait for, never to judge by."""
        return self._log.end(JOURNAL)

    def enter(self, event: e.Event, *, key: str, topic: Topic = Topic.JOURNAL, signer: SigningKey | None = None) -> Placed:
        """Append an event durably and return it at its place. Raises NotAppended or OutcomeUnknown."""
        return self.append(topic, self.entry(event, key=key, signer=signer))

    def entry(self, event: e.Event, *, key: str, signer: SigningKey | None = None, source: str = SOURCE) -> Entry:
        """Return an event encoded and signed, not yet appended."""
        own = event_id(event) or secrets.token_hex(16)
        return to_entry(event, key=key.encode(), source=source, signer=signer or self._signer, event_id=own, at=self.now())

    def append(self, topic: Topic, entry: Entry) -> Placed:
        """Append bytes as they are: what a publisher signed is never written anew. A place is a position >= 0 (rule 11)."""
        placed = self._log.append(topic, entry, timeout_seconds=APPEND_SECONDS)
        if placed.position < 0:
            raise OutcomeUnknown("The log gave the entry no place.", advice="Ask again what was done, then try again.")
        return placed
