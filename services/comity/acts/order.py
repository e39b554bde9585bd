"""Takes signed orders and grants from their signers, appends the same bytes, and waits until they bind."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from comity.acts.enrol import receipt, signing_key, verified
from comity.acts.journal import Journal
from comity.acts.pace import weight
from comity.acts.register import known_parties, registered_at
from comity.domain import entries as e
from comity.domain.authority import REFUSED_BEFORE, REPEATED, VOID_NAME, counted_as, event_id, refuse, refuse_party, refuse_terms
from comity.domain.ids import OrderId, OrderName
from comity.domain.log import Entry, Placed, Topic
from comity.domain.rows import Key
from comity.domain.standing import never_counted, refuse_named
from comity.errors import Conflict, InvalidInput, LedgerBehind, NotFound, NotPermitted
from comity.ports import LedgerView, Watch
from comity.wire.codec import Unencodable
from comity.wire.envelope import Envelope
from comity.wire.signing import SigningKey

WAIT_SECONDS = 10.0
PUBLISHED_BY_PARTIES = (*e.Order.__args__, *e.Party.__args__)


@dataclass(frozen=True, slots=True)
class OrderReceipt:
    """The order's number and place, when the log took it, and that the ledger has applied it."""

    order_id: str
    position: int
    sha256: str
    appended_at_ms: int
    repeated: bool = False


class Orders:
    """The intake of orders, grants and registrations."""

    def __init__(
        self, journal: Journal, ledger: LedgerView, watch: Watch, acknowledge: Callable[[int], None] = lambda _position: None
    ) -> None:
        """``acknowledge(position)`` returns once the anchor stands behind a position: before it there is no receipt."""
        self._journal, self._ledger, self._watch, self._acknowledge = journal, ledger, watch, acknowledge

    def enter(self, event: e.Event, *, key: str, signer: SigningKey, source: str, own_id: str) -> OrderReceipt:
        """Sign an event as its party, whose key is held here, and submit it. Raises as ``submit``."""
        try:
            entry = self._journal.entry(event, key=key, signer=signer, source=source, own_id=own_id)
        except Unencodable as error:
            raise InvalidInput(f"This cannot be entered: {error}", advice="Shorten it, or choose another id.") from None
        return self.submit(entry)

    def submit(self, entry: Entry) -> OrderReceipt:
        """Verify, append the same bytes, wait until the ledger has applied them, and return the receipt.

        The same order again returns the first receipt. Raises InvalidInput, NotPermitted, NotFound (what it ends or takes back),
        Conflict (same id, other bytes; what has no end; or the ledger refused it at its place), TooMany, NotAppended,
        OutcomeUnknown, LedgerBehind (it stands, but was not confirmed in time).
        """
        envelope = verified(self._ledger, entry, self._journal.exchange_id)
        key = signing_key(self._ledger, envelope)
        if not isinstance(envelope.event, PUBLISHED_BY_PARTIES):
            raise InvalidInput("This is no order, grant or registration.", advice="An enrolment is handed in by itself.")
        if (refusal := refuse(envelope.event, key, founded=True)) is not None:
            raise NotPermitted(refusal.message, advice="Nothing was entered.", reason=refusal.reason)
        if (stands := registered_at(self._ledger, envelope.event)) is not None:
            digest = hashlib.sha256(envelope.value).hexdigest()
            return OrderReceipt(_name(envelope), stands, digest, 0, repeated=True)
        if (before := self._before(envelope, key)) is not None:
            return before
        self._check(envelope, key)
        self._journal.pace.take(key.party, weight(envelope.event))
        placed = self._journal.append(Topic.JOURNAL, entry)
        return self._confirmed(envelope, key, placed)

    def _check(self, envelope: Envelope, key: Key) -> None:
        """Raise NotPermitted, Conflict or NotFound for what would have no effect, were it entered now."""
        if (refusal := refuse_terms(envelope.event, key, self._journal.now())) is not None:
            raise NotPermitted(refusal.message, advice="Nothing was entered.", reason=refusal.reason)
        if (refusal := refuse_party(envelope.event, known_parties(self._ledger))) is not None:
            raise Conflict(refusal.message, advice="Nothing was entered.", reason=refusal.reason)
        refusal = refuse_named(envelope.event, key.party, key.key_id, self._ledger, self._ledger.progress().next)
        if refusal is not None:
            kind = NotFound if refusal.reason.startswith("no-such-") else Conflict
            raise kind(refusal.message, advice="Nothing was entered.", reason=refusal.reason)

    def _confirmed(self, envelope: Envelope, key: Key, placed: Placed) -> OrderReceipt:
        """Wait until the ledger has applied an entry, and return its receipt."""
        if not self._watch.wait(placed.position + 1, WAIT_SECONDS):
            raise LedgerBehind(
                f"The order stands at position {placed.position}; the ledger has not confirmed it yet.",
                advice="Send the same order again to get its receipt; every release after it waits for it.",
            )
        for posted in self._ledger.refusals_between(placed.position, placed.position + 1):
            reason = posted.refused.reason if posted.refused else ""
            if reason == REPEATED and (first := self._before(envelope, key)) is not None:
                return first  # another sender of it was faster
            message = posted.refused.message if posted.refused else ""
            raise Conflict(f"The order was entered without effect. {message}", advice="Mend it, and send it anew.", reason=reason)
        self._acknowledge(placed.position)
        return OrderReceipt(_name(envelope), placed.position, receipt(placed).sha256, placed.appended_at_ms)

    def _before(self, envelope: Envelope, key: Key) -> OrderReceipt | None:
        """Return the first receipt of what was entered before. Raises Conflict where the id stands for something else now."""
        digest = hashlib.sha256(envelope.value).digest()
        own = counted_as(envelope.event, key.key_id, digest)
        taken = self._ledger.seen(key.party, own) if own is not None else None
        if taken is None:
            return None
        if taken.refused:
            message = f"An event with this id was refused at position {taken.position}."
            raise Conflict(message, advice="Say it anew, under a new id: act_id, where it has no other.", reason=REFUSED_BEFORE)
        name = OrderName(key.party, OrderId(own or ""))
        if never_counted(envelope.event, name, (taken.kid, taken.position), self._ledger):
            raise Conflict(VOID_NAME.message, advice="Give it a new id.", reason=VOID_NAME.reason)
        if taken.value_sha256 != digest:
            message = "Another event of yours bears this id already."
            raise Conflict(message, advice="Give a new order a new id.", reason="same-id")
        self._acknowledge(taken.position)
        return OrderReceipt(_name(envelope), taken.position, digest.hex(), 0, repeated=True)


def _name(envelope: Envelope) -> str:
    """Return the id by which its sender knows an event."""
    return event_id(envelope.event) or envelope.event_id
