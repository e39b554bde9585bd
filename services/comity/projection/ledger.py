"""The ledger's projection: the journal alone, entry by entry; what cannot be read or applied keeps its place, without effect.

Every failure to decode, verify or authorise is a verdict over the bytes and the journal before them (rule 7), so a replay from
position 0 comes to the same rows. Signing keys are kept in memory beside the ledger's own, and read anew after any failure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from comity.acts.register import known_parties
from comity.domain import entries as e
from comity.domain.authority import (
    REFUSED_BEFORE,
    REPEATED,
    UNKNOWN_KEY,
    VOID_NAME,
    Refusal,
    counted_as,
    event_id,
    refuse,
    refuse_party,
    refuse_terms,
)
from comity.domain.clock import Clock, NoRuling
from comity.domain.ids import ExchangeId, OrderId, OrderName, PartyId, RecordId
from comity.domain.log import JOURNAL, Batch, Placed, Stream, leaf
from comity.domain.merkle import leaf_hash
from comity.domain.posting import End, Enter, Signer, ended, post
from comity.domain.rows import Agency, Court, Exchange, Key, Revocation, Row
from comity.domain.standing import never_counted, refuse_named
from comity.errors import Halted, Unavailable
from comity.ports import EventLog, Ledger, Posted, Progress, Taken
from comity.projection.pending import Keys, Pending
from comity.projection.watch import PositionWatch
from comity.wire.codec import Undecodable
from comity.wire.envelope import Envelope, from_entry
from comity.wire.keys import refuse_key
from comity.wire.sender import said_id, signer_of
from comity.wire.signing import OTHER_EXCHANGE, BadSignature, OtherExchange

NEWEST_MAX = 32  # of the newest leaves, kept to know the journal's end again; ``fsck`` compares the whole
READ_SECONDS = 10.0
AHEAD_MAX = 64  # entries that are decoded at once: one of a thousand admissions takes a megabyte
ROWS_MAX = 5_000  # in one transaction, one entry above it: some 0.2 s that a release may wait for


class LedgerProjection:
    """Applies the journal to the ledger and publishes how far it is. One thread."""

    def __init__(self, log: EventLog, ledger: Ledger, watch: PositionWatch) -> None:
        self._log, self._ledger, self._watch = log, ledger, watch
        self._progress: Progress | None = None
        self._keys = Keys()
        self._parties: set[str] = set()
        self._exchange_id: ExchangeId | None = None
        self._clock = Clock(ledger, 0, None)

    def starts(self) -> Mapping[Stream, int]:
        """Claim the ledger and say where to go on; raises Halted when it is ahead of its journal (rule 11)."""
        self._progress = self._ledger.claim(self._log.identity(JOURNAL.topic))
        if self._progress.next > self._log.end(JOURNAL):
            raise Halted(
                "The ledger is ahead of its journal: the log was restored or truncated.",
                advice="Restore the whole journal; if it is lost for good, tell every party, then: comity anchor accept.",
            )
        self._check_end(self._progress)
        self._keys = Keys({key.key_id: key for key in self._ledger.signing_keys()})
        for row in self._ledger.rows(Revocation):
            self._keys.learn(row)
        self._parties = known_parties(self._ledger)
        self._exchange_id = next((row.exchange_id for row in self._ledger.rows(Exchange)), None)
        self._clock = Clock(self._ledger, self._progress.next, self._progress.stretch)
        self._watch.publish(self._progress.next)
        return {JOURNAL: self._progress.next}

    def _check_end(self, progress: Progress) -> None:
        """Read the newest applied entries again and compare: another log of the same length is not this ledger's (rule 11)."""
        if not progress.newest:
            return
        again: list[tuple[int, bytes]] = []
        with self._log.open({JOURNAL: progress.newest[0][0]}) as reader:
            while len(again) < len(progress.newest):
                batch = reader.poll(timeout_seconds=READ_SECONDS, entries_max=NEWEST_MAX).get(JOURNAL)
                if batch is None:  # slow is not different: the follower tries again
                    raise Unavailable("The journal's end could not be read.", advice="Look at the log; it is tried again.")
                again += [(placed.position, leaf_hash(leaf(placed))) for placed in batch.entries]
                if batch.next >= progress.next:
                    break
        if tuple(again[: len(progress.newest)]) != progress.newest:
            raise Halted(
                "The journal's newest entries are not those that the ledger applied.",
                advice="This is another journal, or it was changed. Restore the one of before; else: comity anchor accept.",
            )

    def apply(self, stream: Stream, batch: Batch) -> None:
        """Apply a batch, in one transaction or some, and publish the position after each.

        A gap that holds no entry (a transaction's marker takes a position too) is passed over: leaves are numbered apart.
        Large orders end a transaction early, so that a release before them does not wait for them.
        """
        del stream
        pending = Pending(self._ledger, self._keys)
        for start in range(0, len(batch.entries), AHEAD_MAX):
            ahead = [(placed, _envelope(placed)) for placed in batch.entries[start : start + AHEAD_MAX]]
            pending.expect(_admitted(envelope for _, envelope in ahead))
            for placed, envelope in ahead:
                if pending.changes >= ROWS_MAX:
                    self._commit(pending.done, placed.position)
                    pending = Pending(self._ledger, self._keys)
                pending.add(placed, self._read(placed, envelope, pending))
                self._clock.passed(placed.appended_at)
        self._commit(pending.done, batch.next)

    def _commit(self, done: Sequence[tuple[Placed, Posted]], next_: int) -> None:
        """Write what entries come to, and with it how far the ledger is; then say so."""
        seen = self._progress
        if seen is None:
            raise Halted("The ledger was not claimed.")
        frontier, newest = seen.frontier, list(seen.newest)
        for placed, _ in done:
            if placed.position < seen.next:
                raise Halted(f"The journal went back to {placed.position}.", advice="Restart; call for help should it stay.")
            added = leaf(placed)
            frontier = frontier.append(added)
            newest.append((placed.position, leaf_hash(added)))
        posted = [one for _, one in done]
        after = Progress(next_, seen.epoch, seen.topic_id, frontier, tuple(newest[-NEWEST_MAX:]), self._clock.stretch)
        self._ledger.apply(seen, after, posted)
        self._clock.committed()
        self._progress = after
        self._watch.publish(after.next)

    def _read(self, placed: Placed, envelope: Envelope | Undecodable, pending: Pending) -> Posted:
        if isinstance(envelope, Undecodable):
            return self._without_effect(placed, Refusal("undecodable", str(envelope)[:500]))
        key = self._keys.of.get(envelope.kid)
        key = key if key is not None and key.holds(placed.position) else None
        refusal = self._refuse(envelope, key)
        if refusal is not None:
            return self._without_effect(placed, refusal)
        role = key.role if key else e.Role.ADMINISTRATOR
        signer = Signer(key.party if key else PartyId(role), role, envelope.kid)
        return self._post(placed, envelope, signer, key, pending)

    def _without_effect(self, placed: Placed, refusal: Refusal) -> Posted:
        """Keep a refusal for whoever's registered key, in force or not, signed the bytes; for nobody where that is not told."""
        signer, own = signer_of(placed.entry, self._keys.of), said_id(placed.entry)
        digest = hashlib.sha256(placed.entry.value or b"").digest()
        if signer is None:
            return Posted(placed.position, "", refused=refusal, event_id=own, value_sha256=digest)
        if refusal.reason == UNKNOWN_KEY and signer.holds(placed.position):
            refusal = Refusal(UNKNOWN_KEY, f"The key that signed this is registered as {signer.key_id}: name it so, as kid.")
        return Posted(placed.position, signer.party, refused=refusal, event_id=own, value_sha256=digest)

    def _refuse(self, envelope: Envelope, key: Key | None) -> Refusal | None:
        event = envelope.event
        refusal = refuse(event, key, founded=self._exchange_id is not None) or self._verify(envelope, key)
        if refusal is not None:
            return refusal
        own = event_id(event)
        if own is not None and own != envelope.event_id:
            return Refusal("id-differs", f"ce_id is not the id that was signed: send {own} as ce_id.")
        return None

    def _refuse_terms(self, event: e.Event, key: Key | None, placed: Placed, pending: Pending) -> Refusal | None:
        """Return why what was proven to be its signer's own words has no effect."""
        if key is not None:
            refusal = (
                refuse_terms(event, key, placed.appended_at)
                or refuse_party(event, self._parties)
                or refuse_named(event, key.party, key.key_id, pending, placed.position)
            )
            if refusal is not None:
                return refusal
        if isinstance(event, e.KeyRegistered | e.ExchangeFounded):
            held = [(key.key_id, key.public_key) for key in self._keys.of.values()]
            return refuse_key(event.kid, event.public_key, held)
        return None

    def _verify(self, envelope: Envelope, key: Key | None) -> Refusal | None:
        """Return why a signature is not good here; what founds the exchange is its own proof, and names what it founds."""
        public, exchange, event = key.public_key if key else b"", self._exchange_id, envelope.event
        if isinstance(event, e.ExchangeFounded):
            public, exchange = event.public_key, event.exchange_id
            if event.kid != envelope.kid:
                return Refusal("forged", "A founding entry is signed under the id of the key that it names.")
        try:
            envelope.verify(public, exchange or "")
        except OtherExchange as error:
            return Refusal(OTHER_EXCHANGE, f"The signature is not good here: {error}.")
        except BadSignature as error:
            return Refusal("forged", f"The signature does not fit the bytes and the key that it names: {error}.")
        return None

    def _post(self, placed: Placed, envelope: Envelope, signer: Signer, key: Key | None, pending: Pending) -> Posted:
        event, at = envelope.event, placed.appended_at
        digest = hashlib.sha256(envelope.value).digest()
        own = counted_as(event, signer.kid, digest)
        before = pending.taken(signer.party, own) if own is not None else None
        if before is not None:
            repeat = self._again(event, OrderName(signer.party, OrderId(own or "")), before, digest, pending)
            return Posted(placed.position, signer.party, refused=repeat, event_id=event_id(event), value_sha256=digest)
        taken = Posted(placed.position, signer.party, taken=own, value_sha256=digest, kid=signer.kid)
        refusal = self._refuse_terms(event, key, placed, pending)
        if refusal is not None:
            again = refusal.reason == REPEATED  # of what is known by its row, and was not refused
            return replace(taken, taken=None if again else own, refused=refusal, event_id=event_id(event))
        changes = post(event, placed.position, signer, at, self._keys.of.values())  # type: ignore[arg-type]
        try:
            changes += self._clock.post(event, changes, placed.position, signer.kid, at)  # type: ignore[arg-type]
        except NoRuling as error:
            return replace(taken, refused=Refusal(error.reason, error.message))
        for change in changes:
            self._learn(change, placed.position)
        counts = isinstance(event, e.ClockTicked) and changes  # known by its row; one that is void is remembered as said
        return replace(taken, changes=changes, taken=None if counts else own)

    def _again(self, event: e.Event, name: OrderName, before: Taken, digest: bytes, pending: Pending) -> Refusal:
        """Say why what was entered before counts nothing the second time (rule 10)."""
        if before.refused:
            advice = "Say it anew, under a new id or in other words."
            return Refusal(REFUSED_BEFORE, f"This was refused at position {before.position}. {advice}")
        if never_counted(event, name, (before.kid, before.position), pending):
            return VOID_NAME
        if before.value_sha256 == digest:
            return Refusal(REPEATED, f"This stands already, at position {before.position}; the repeat has no effect.")
        return Refusal("same-id", "Another event of this signer bears this id.")

    def _learn(self, change: Enter | End, position: int) -> None:
        if isinstance(change, Enter):
            self._learn_row(change.row)
        elif change.kind is Key:
            for key_id in change.where["key_id"]:
                held = self._keys.of.get(key_id)
                if held is not None and held.holds(position + 1):
                    self._keys.of[key_id] = ended(held, position)

    def _learn_row(self, row: Row) -> None:
        if isinstance(row, Exchange):
            self._exchange_id = row.exchange_id
        elif isinstance(row, Key):
            self._keys.of.setdefault(row.key_id, row)
        elif isinstance(row, Revocation):
            self._keys.learn(row)
        elif isinstance(row, Agency):
            self._parties.add(row.ori)
        elif isinstance(row, Court):
            self._parties.add(row.court_id)


def _envelope(placed: Placed) -> Envelope | Undecodable:
    try:
        return from_entry(placed.entry)
    except Undecodable as error:
        return error


def _admitted(envelopes: Iterable[Envelope | Undecodable]) -> set[RecordId]:
    """Return the records that these admit, to be looked up at once."""
    said = (envelope.event for envelope in envelopes if isinstance(envelope, Envelope))
    return {record.record_id for event in said if isinstance(event, e.RecordsAdmitted) for record in event.records}
