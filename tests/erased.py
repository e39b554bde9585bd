"""What is left of a record anywhere, and what its erasure's certificates say; for tests of erasure."""

from __future__ import annotations

import time
from collections.abc import Callable

from builders import booking
from comity.bootstrap import Exchange
from comity.domain import entries as e
from comity.domain.ids import RecordId, record_key
from comity.domain.log import JOURNAL, Topic
from comity.wire.envelope import from_entry
from exchange import held, prepared, read
from journals import A

WAIT_SECONDS = 20.0


def until(said: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not said():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def certificates(exchange: Exchange) -> list[e.ErasureCertified]:
    events = [from_entry(placed.entry).event for placed in read(exchange, JOURNAL)]
    return [event for event in events if isinstance(event, e.ErasureCertified)]


def values(exchange: Exchange, topic: Topic, record: RecordId) -> list[bytes]:
    key = record.encode()
    return [x.entry.value for x in held(exchange, topic) if x.entry.key == key and x.entry.value]


def kept_of(exchange: Exchange, record: RecordId) -> dict[str, object]:
    """Return whatever is left of a record, anywhere."""
    found = {
        "key": exchange.vault.wrapped(record_key(record)),
        "photographs": list(exchange.photos.under(f"record/{record}")),
        "memory": list(exchange.gallery.held([record])),
        "store": [t for batch in exchange.store.all() for t in batch if t.record_id == record],
        "enrolments": values(exchange, Topic.ENROLMENTS, record),
        "templates": values(exchange, Topic.TEMPLATES, record),
        "quarantine": values(exchange, Topic.QUARANTINE, record),
    }
    return {name: what for name, what in found.items() if what}


def pieces_of(event: e.RecordEnrolled) -> list[bytes]:
    """Return bytes by which an enrolment's ciphertexts are known in any file."""
    return [data[at : at + 24] for data in (*event.photographs, event.particulars) for at in (0, len(data) // 2)]


def enrolled(exchange: Exchange, number: str, **changed: object) -> tuple[RecordId, e.RecordEnrolled, Callable[[], None]]:
    """Return an enrolment that intake has issued for, and what appends it past intake."""
    record, entry = prepared(exchange, booking(1, number, owner=A, **changed))
    event = from_entry(entry).event
    assert isinstance(event, e.RecordEnrolled)
    return record, event, lambda: (exchange.journal.append(Topic.ENROLMENTS, entry), None)[1]
