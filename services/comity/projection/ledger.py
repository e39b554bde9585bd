"""The ledger's projection: the journal alone, entry by entry; what cannot be read or applied keeps its place, without effect.

Every failure to decode, verify or authorise is a verdict over the bytes and the journal before them (rule 7), so a replay from
position 0 comes to the same rows. Signing keys are kept in memory beside the ledger's own, and read anew after any failure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from comity.domain import entries as e
from comity.domain.authority import Refusal, event_id, refuse
from comity.domain.ids import PartyId
from comity.domain.log import JOURNAL, Batch, Placed, Stream, leaf
from comity.domain.merkle import Frontier
from comity.domain.posting import End, Enter, Key, Signer, ended, post
from comity.errors import Halted
from comity.ports import EventLog, Ledger, Posted, Progress
from comity.projection.watch import PositionWatch
from comity.wire.codec import Undecodable
from comity.wire.envelope import Envelope, from_entry
from comity.wire.signing import BadSignature

TAIL_MAX, TAIL_SECONDS = 65_536, 10.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DEDUPLICATED = e.Order.__args__


def appended_at(placed: Placed) -> datetime:
    """Return the log's own time of an entry."""
    return EPOCH + timedelta(milliseconds=placed.appended_at_ms)


class LedgerProjection:
    """Applies the journal to the ledger and publishes how far it is. One thread."""

    def __init__(self, log: EventLog, ledger: Ledger, watch: PositionWatch) -> None:
        self._log, self._ledger, self._watch = log, ledger, watch
        self._progress: Progress | None = None
        self._keys: dict[str, Key] = {}

    def starts(self) -> Mapping[Stream, int]:
        """Claim the ledger and say where to go on; raises Halted when it is ahead of its journal (rule 11)."""
        self._progress = self._ledger.claim(self._log.identity(JOURNAL.topic))
        if self._progress.next > self._log.end(JOURNAL):
            raise Halted(
                "The ledger is ahead of its journal: the log was restored or truncated.",
                advice="Restore the whole journal; if entries are truly gone, tell every agency, then `comity rebuild`.",
            )
        self._check_tail(self._progress.frontier)
        self._keys = {key.kid: key for key in self._ledger.signing_keys()}
        self._watch.publish(self._progress.next)
        return {JOURNAL: self._progress.next}

    def _check_tail(self, frontier: Frontier) -> None:
        """Read the newest applied entries again and compare: another log of the same length is not this ledger's (rule 11).

        What the last root of the frontier covers is read, a handful on average; ``fsck`` compares the whole.
        """
        count = frontier.tail_size
        if not 0 < count <= TAIL_MAX:
            return
        again, position = Frontier(), frontier.size - count
        with self._log.open({JOURNAL: position}) as reader:
            while again.size < count:
                batch = reader.poll(timeout_seconds=TAIL_SECONDS, entries_max=count - again.size).get(JOURNAL)
                if batch is None or not batch.entries:
                    break
                for placed in batch.entries[: count - again.size]:
                    again = again.append(leaf(placed.entry))
        if again.head() != frontier.roots[-1]:
            raise Halted(
                "The journal's newest entries are not those that the ledger applied.",
                advice="This is another journal, or it was changed. Restore the one that belongs to the ledger.",
            )

    def apply(self, stream: Stream, batch: Batch) -> None:
        """Apply a batch in one transaction, then publish the position."""
        del stream
        seen = self._progress
        if seen is None:
            raise Halted("The ledger was not claimed.")
        posted, frontier, taken = [], seen.frontier, dict[tuple[str, str], bytes]()
        for placed in batch.entries:
            if placed.position != frontier.size:
                raise Halted(f"The journal has a gap before {placed.position}.", advice="Restore the journal's missing entries.")
            posted.append(self._read(placed, taken))
            frontier = frontier.append(leaf(placed.entry))
        after = Progress(frontier.size, seen.epoch, seen.topic_id, frontier)
        self._ledger.apply(seen, after, posted)
        self._progress = after
        self._watch.publish(after.next)

    def _read(self, placed: Placed, taken: dict[tuple[str, str], bytes]) -> Posted:
        position = placed.position
        try:
            envelope = from_entry(placed.entry)
        except Undecodable as error:
            return Posted(position, "", refused=Refusal("undecodable", str(error)[:500]))
        key = self._keys.get(envelope.kid)
        key = key if key is not None and key.holds(position) else None
        refusal = self._refuse(envelope, position, key)
        if refusal is not None:
            return Posted(position, key.party if key else "", refused=refusal)
        signer = Signer(key.party, key.role) if key else Signer(PartyId("administrator"), e.Role.ADMINISTRATOR)
        return self._post(placed, envelope, signer, taken)

    def _refuse(self, envelope: Envelope, position: int, key: Key | None) -> Refusal | None:
        event, genesis = envelope.event, not self._keys
        refusal = refuse(event, position, key, genesis=genesis)
        if refusal is not None:
            return refusal
        public = key.public_key if key else event.public_key if isinstance(event, e.KeyRegistered) else b""
        try:
            envelope.verify(public)
        except BadSignature:
            return Refusal("forged", "The signature does not fit the bytes and the key that it names.")
        own = event_id(event)
        if own is not None and own != envelope.event_id:
            return Refusal("id-differs", "The envelope's id is not the one that was signed.")
        return None

    def _post(self, placed: Placed, envelope: Envelope, signer: Signer, taken: dict[tuple[str, str], bytes]) -> Posted:
        event, own, digest = envelope.event, event_id(envelope.event), hashlib.sha256(envelope.value).digest()
        if isinstance(event, DEDUPLICATED) and own is not None:
            before = taken.get((signer.party, own)) or next(iter(self._ledger.seen(signer.party, own) or ()), None)
            if before is not None:
                differs = Refusal("same-id", "Another event of this signer bears this id.") if before != digest else None
                return Posted(placed.position, signer.party, refused=differs)
            taken[(signer.party, own)] = digest
        else:
            own = None
        changes = post(event, placed.position, signer, appended_at(placed))  # type: ignore[arg-type]
        for change in changes:
            self._learn(change, placed.position)
        return Posted(placed.position, signer.party, changes, event_id=own, value_sha256=digest)

    def _learn(self, change: Enter | End, position: int) -> None:
        if isinstance(change, Enter) and isinstance(change.row, Key):
            self._keys.setdefault(change.row.kid, change.row)
        elif isinstance(change, End) and change.kind is Key:
            for kid in change.where["kid"]:
                if kid in self._keys and self._keys[kid].holds(position + 1):
                    self._keys[kid] = ended(self._keys[kid], position)  # type: ignore[assignment]
