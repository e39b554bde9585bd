"""Enters what the exchange itself says: encoded, signed with the exchange's key, appended; nothing else writes to the log."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime

from comity.acts.pace import burden
from comity.domain import entries as e
from comity.domain.authority import event_id
from comity.domain.ids import ExchangeId, KeyId
from comity.domain.log import JOURNAL, Entry, Placed, Stream, Topic
from comity.domain.rows import Exchange, Revocation
from comity.errors import Halted, OutcomeUnknown
from comity.ports import EventLog, LedgerView
from comity.wire.envelope import Envelope, to_entry
from comity.wire.signing import BadSignature, SigningKey

SOURCE = "comity"
APPEND_SECONDS = 5.0


def exchange_of(ledger: LedgerView) -> ExchangeId:
    """Return the exchange that this ledger's journal founded. Raises Halted where there is none yet."""
    founded = ledger.rows(Exchange)
    if not founded:
        raise Halted("The exchange was not founded yet.", advice="Wait until it has started.")
    return founded[0].exchange_id


def verify_own(ledger: LedgerView, envelope: Envelope, placed: Placed) -> None:
    """Check that the exchange itself said this, outside the journal. Raises BadSignature.

    A key that was revoked counts for what it signed before, by the log's own time; and, since what was pushed out of a compacted
    topic is put back as it was signed (ADR 0022), for templates of a version that was admitted before the revocation. Where the
    revocation reaches back (rule 13), only for these, and only where the admission counts.
    """
    own = (key for key in ledger.signing_keys() if key.key_id == envelope.kid and key.role is e.Role.EXCHANGE)
    key = next(own, None)
    if key is None or not _spoke(ledger, envelope, placed):
        raise BadSignature("the exchange's own key did not sign this, or was revoked before")
    envelope.verify(key.public_key, exchange_of(ledger))


def _spoke(ledger: LedgerView, envelope: Envelope, placed: Placed) -> bool:
    revoked = ledger.rows(Revocation, key_id=envelope.kid)
    if all(placed.appended_at < row.entered_at and row.void_from is None for row in revoked):
        return True
    event = envelope.event
    if not isinstance(event, e.TemplatesExtracted):
        return False
    since = min(row.entered for row in revoked)
    admitted = ledger.admitted([event.record_id])
    return any(row.version == event.version and row.entered < since for row in admitted)


class Journal:
    """The exchange's own pen. Thread-safe."""

    def __init__(
        self, log: EventLog, signer: SigningKey, now: Callable[[], datetime], exchange_id: ExchangeId | None = None
    ) -> None:
        self._log, self._signer, self.now = log, signer, now
        self._exchange_id = exchange_id
        self.pace = burden()  # whoever appends for a party takes from it first

    @property
    def exchange_id(self) -> ExchangeId:
        """Return the exchange that everything here is signed for. Raises Halted before it is known."""
        if self._exchange_id is None:
            raise Halted("The exchange was not founded yet.", advice="Wait until it has started.")
        return self._exchange_id

    def belongs_to(self, exchange_id: ExchangeId) -> None:
        """Take the exchange's id from the journal's founding entry: a home remembers it nowhere else."""
        self._exchange_id = exchange_id

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

    def entry(
        self, event: e.Event, *, key: str, signer: SigningKey | None = None, source: str = SOURCE, own_id: str | None = None
    ) -> Entry:
        """Return an event encoded and signed for this exchange, not yet appended; a founding one for what it founds."""
        return to_entry(
            event,
            key=key.encode(),
            source=source,
            signer=signer or self._signer,
            audience=event.exchange_id if isinstance(event, e.ExchangeFounded) else self.exchange_id,
            event_id=event_id(event) or own_id or secrets.token_hex(16),
            at=self.now(),
        )

    def append(self, topic: Topic, entry: Entry) -> Placed:
        """Append bytes as they are: what a publisher signed is never written anew. A place is a position >= 0 (rule 11)."""
        return self._placed(self._log.append(topic, entry, timeout_seconds=APPEND_SECONDS))

    def take_out(self, stream: Stream, key: bytes) -> Placed:
        """Append a tombstone where a stranger's entry lies, which may be another stream than the key's own."""
        return self._placed(self._log.append(stream.topic, Entry(key, None), timeout_seconds=APPEND_SECONDS, stream=stream))

    def _placed(self, placed: Placed) -> Placed:
        if placed.position < 0:
            raise OutcomeUnknown("The log gave the entry no place.", advice="Ask again what was done, then try again.")
        return placed
