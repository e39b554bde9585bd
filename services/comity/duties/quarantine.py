"""What could not be read, verified or applied: kept with its reason and its original bytes, and its sender told (rule 7).

A stranger's bytes may be anything, so ``kept`` makes of any entry one that every log takes: what is too large is cut, and the
digest and length of the whole stand in the headers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from comity.acts.journal import Journal
from comity.domain import entries as e
from comity.domain.log import Batch, Entry, Placed, Stream, Topic
from comity.errors import InvalidInput
from comity.ports import LedgerView, Positions, Refusals, RefusedEntry, Watch
from comity.wire.codec import Undecodable
from comity.wire.envelope import from_entry
from comity.wire.limits import VALUE_BYTES_MAX
from comity.wire.sender import said_id, signer_of

logger = structlog.get_logger(__name__)

NAME = "quarantine"
HEADERS_KEPT, HEADERS_BYTES_KEPT, TEXT_MAX = 20, 16 * 1024, 500
KEY_BYTES_KEPT = 1024  # what every log takes; ids are 32 characters
# A topic that others made may take less than ours: then less is kept, and at last the digest alone.
VALUE_BYTES_KEPT = (VALUE_BYTES_MAX, 512 * 1024, 16 * 1024, 0)
WAIT_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Quarantine:
    """Where followers put what they cannot use. Nothing that stands in an entry makes it raise; a log that is away does."""

    journal: Journal
    ledger: LedgerView
    refusals: Refusals

    def put_aside(self, placed: Placed, reason: str, message: str, *, value_bytes_max: int = VALUE_BYTES_MAX) -> None:
        """Append the original bytes, with where they stood and why; tell whoever signed them, where that can be told.

        Of a value no more than ``value_bytes_max`` is kept: what an erasure must reach does not lie here.
        """
        for most in (size for size in VALUE_BYTES_KEPT if size <= value_bytes_max):
            try:
                self.journal.append(Topic.QUARANTINE, kept(placed, reason, message, most))
                break
            except InvalidInput as error:  # nothing was appended, and never will be
                logger.warning("quarantine takes less", place=_where(placed), why=error.kind)
        stream, signer = placed.stream, self._signer(placed.entry)
        if signer and stream.topic is not Topic.JOURNAL:  # the ledger itself tells of the journal's
            event_id, digest = said_id(placed.entry), hashlib.sha256(placed.entry.value or b"").digest()
            where = (str(stream.topic), stream.partition, placed.position)
            self.refusals.add(RefusedEntry(*where, signer, event_id, reason, message[:TEXT_MAX], digest))

    def _signer(self, entry: Entry) -> str:
        """Return the party whose key, in force or not, signed these very bytes; empty where that cannot be told."""
        key = signer_of(entry, {key.key_id: key for key in self.ledger.signing_keys()})
        return "" if key is None else str(key.party)


def kept(placed: Placed, reason: str, message: str, value_bytes_max: int = VALUE_BYTES_MAX) -> Entry:
    """Return what is kept of an entry: all of it where it has an ordinary size."""
    entry = placed.entry
    told = {"comity_reason": reason, "comity_message": message[:TEXT_MAX], "comity_place": _where(placed)}
    value = entry.value or b""
    if entry.value is None:
        told["comity_value"] = "null"  # else it would pass for an empty one
    headers = tuple(_encoded(entry))
    few = tuple(_few(headers))
    whole = b"".join(len(part).to_bytes(4, "big") + part for header in headers for part in header)
    for what, all_of_it, cut in (
        ("key", entry.key or b"", len(entry.key or b"") > KEY_BYTES_KEPT),
        ("value", value, len(value) > value_bytes_max),
        ("headers", whole, len(few) < len(entry.headers)),
    ):
        if cut:
            told[f"comity_{what}_bytes"] = str(len(all_of_it))
            told[f"comity_{what}_sha256"] = hashlib.sha256(all_of_it).hexdigest()
    key = None if entry.key is None else entry.key[:KEY_BYTES_KEPT]
    ours = tuple((name, text.encode("utf-8", "backslashreplace")) for name, text in told.items())
    theirs = tuple((name.decode("utf-8", "surrogateescape"), octets) for name, octets in few)
    return Entry(key, value[:value_bytes_max], ours + theirs)


def _where(placed: Placed) -> str:
    return f"{placed.stream.topic}/{placed.stream.partition}/{placed.position}"


def _encoded(entry: Entry) -> Iterator[tuple[bytes, bytes]]:
    for name, octets in entry.headers:
        try:
            yield name.encode("utf-8", "surrogateescape"), octets or b""
        except UnicodeEncodeError:  # no log gave this name, so it is nobody's
            yield name.encode("utf-8", "backslashreplace"), octets or b""


def _few(headers: tuple[tuple[bytes, bytes], ...]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the first headers that leave room for ours: a stranger's may fill what an entry takes."""
    left = HEADERS_BYTES_KEPT
    for name, octets in headers[:HEADERS_KEPT]:
        left -= len(name) + len(octets)
        if left < 0:
            return
        yield name, octets


class QuarantineDuty:
    """Follows the journal behind the ledger: every entry that the ledger refused is put aside, and ``OrderRefused`` entered."""

    def __init__(self, quarantine: Quarantine, watch: Watch, positions: Positions) -> None:
        self._quarantine, self._watch, self._positions = quarantine, watch, positions

    def apply(self, stream: Stream, batch: Batch) -> None:
        """Report the refused entries of a batch. A crash before the position is saved reports them twice, which harms nobody."""
        if not self._watch.wait(batch.next, WAIT_SECONDS):
            raise TimeoutError("the ledger did not reach the batch")
        # The first entry's own place: positions between may be a stranger's transaction's, which hold no entry.
        first = batch.entries[0].position if batch.entries else batch.next
        refused = {x.position: x.refused for x in self._quarantine.ledger.refusals_between(first, batch.next)}
        for placed in batch.entries:
            refusal = refused.get(placed.position)
            if refusal is None or _is_report(placed):
                continue
            self._quarantine.put_aside(placed, refusal.reason, refusal.message)
            event = e.OrderRefused(placed.position, refusal.reason, refusal.message)
            self._quarantine.journal.enter(event, key=f"refused-{placed.position}")
        self._positions.save(NAME, str(stream.topic), batch.next, acted=bool(refused))


def _is_report(placed: Placed) -> bool:
    """Say whether this is itself a report: reporting its refusal would go on for ever."""
    try:
        return isinstance(from_entry(placed.entry).event, e.OrderRefused)
    except Undecodable:
        return False
