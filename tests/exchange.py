"""A whole exchange in this process, driven by its acts: parties, enrolments, searches, orders; no services, no network."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from builders import booking, photograph
from comity.acts.enrol import Receipt
from comity.acts.order import OrderReceipt
from comity.acts.search import SearchAnswer, SearchRequest
from comity.adapters.onnx_faces import OnnxFaces
from comity.bootstrap import Exchange
from comity.domain import entries as e
from comity.domain.ids import OrderId, Ori, RecordId, UserId
from comity.domain.log import Entry, Placed, Stream, Topic
from comity.domain.posting import Court
from comity.ports import Extracted, Face, Picture
from comity.settings import Settings
from comity.wire.booking import Booking, sealed
from comity.wire.signing import SigningKey
from journals import AGENCIES, COURT, B, grant

SETTLE_SECONDS = 60.0
PASSES = 3  # one follower may feed another that was asked before it


class RememberedPicture:
    """A picture whose templates are extracted once."""

    def __init__(self, picture: Picture) -> None:
        self._picture, self._extracted = picture, dict[int, Extracted]()

    @property
    def faces(self) -> tuple[Face, ...]:
        return self._picture.faces

    @property
    def size(self) -> tuple[int, int]:
        return self._picture.size

    def extract(self, face: int = 0) -> Extracted:
        if face not in self._extracted:
            self._extracted[face] = self._picture.extract(face)
        return self._extracted[face]


class RememberedFaces:
    """The real encoder, which looks at each photograph once in a session."""

    def __init__(self) -> None:
        self._faces, self._pictures = OnnxFaces(), dict[bytes, RememberedPicture]()

    @property
    def model(self) -> str:
        return self._faces.model

    def open(self, photograph: bytes) -> Picture:
        name = hashlib.sha256(photograph).digest()
        if name not in self._pictures:
            self._pictures[name] = RememberedPicture(self._faces.open(photograph))
        return self._pictures[name]


@contextmanager
def running(home: Path, faces: RememberedFaces) -> Iterator[Exchange]:
    """Run an exchange on this home; the parties are registered where they are not yet."""
    with Exchange(Settings(home=home), face_encoder=faces) as exchange:
        if not exchange.ledger.rows(Court, court_id=COURT):
            for ori in AGENCIES:
                exchange.register.agency(ori, f"Agency {ori}", "county", exchange.keyring.issue(ori).public_bytes)
            exchange.register.court(COURT, "Circuit Court", exchange.keyring.issue(COURT).public_bytes)
        yield exchange


def settle(exchange: Exchange) -> None:
    """Wait until everything that was appended has been followed."""
    for _ in range(PASSES):
        assert exchange.settle(SETTLE_SECONDS), {f.name: f.failure for f in exchange.followers.values()}


def prepared(exchange: Exchange, one: Booking, signer: SigningKey | None = None) -> tuple[RecordId, Entry]:
    """Return a booking's record id and its signed enrolment, not yet submitted."""
    issued = exchange.enrol.prepare(one.owner, one.numbers(), one.digests())
    event = sealed(one, issued.record_id, issued.data_key, issued.indexes)
    by = signer or exchange.keyring.signer(one.owner)
    return issued.record_id, exchange.journal.entry(event, key=issued.record_id, signer=by, source=one.owner)


def enrol(exchange: Exchange, number: str, person: int, *photos: int, **changed: Any) -> tuple[RecordId, Receipt]:  # noqa: ANN401
    """Enrol a booking with these photographs of one of the people (the first by default)."""
    shots = tuple(photograph(person, photo) for photo in photos or (1,))
    record, entry = prepared(exchange, booking(person, number, **{"photographs": shots} | changed))
    return record, exchange.enrol.submit(entry)


def share(exchange: Exchange, owner: Ori, grantee: Ori = B, name: str = "g1") -> OrderReceipt:
    """Let a grantee search, view and reveal this owner's bookings."""
    event = grant(name, owner, grantee, expires_at=exchange.now() + timedelta(days=30))
    return submitted(exchange, event, owner)


def submitted(exchange: Exchange, event: e.JournalEntry, party: str) -> OrderReceipt:
    """Submit an order as this party, signed with its key."""
    return exchange.orders.submit(exchange.journal.entry(event, key="k", signer=exchange.keyring.signer(party)))


def search(exchange: Exchange, probe: bytes, requester: Ori = B, shown_max: int = 20) -> SearchAnswer:
    """Search for a serious crime."""
    request = SearchRequest(
        requester, UserId("u-1"), probe, "serious-crime", "probable-cause", "robbery", "Sgt 12", "24-100", shown_max=shown_max
    )
    return exchange.search(request)


def listed(answer: SearchAnswer) -> list[tuple[int, float, str]]:
    """Return what a caller can compare: ranks, scores and owners."""
    return [(c.rank, c.score, c.owner) for c in answer.candidates]


def order(
    exchange: Exchange,
    what: str,
    numbers: Mapping[e.IndexKind, str],
    agency: Ori | None = None,
    statute: str = "",
) -> OrderReceipt:
    """Preview and press, as the court."""
    law = statute or {"seal": "ny-cpl-160.50", "expunge": "wi-165.84"}[what]
    token = exchange.seal.preview(what, law, numbers, agency, party=COURT, user=UserId("u-clerk")).token
    return exchange.seal.press(token, exchange.keyring.signer(COURT), party=COURT, user=UserId("u-clerk"))


def sealing(exchange: Exchange, name: str, *records: RecordId) -> OrderReceipt:
    """Seal records by their ids, as the court."""
    event = e.RecordsSealed(OrderId(name), "COURT_ORDER_ONLY", "ny-cpl-160.50", records, (), exchange.now(), b"")
    return submitted(exchange, event, COURT)


def held(exchange: Exchange, topic: Topic) -> list[Placed]:
    """Return everything that stands in a topic."""
    found: list[Placed] = []
    for stream in exchange.log.streams(topic):
        found += read(exchange, stream)
    return found


def read(exchange: Exchange, stream: Stream) -> list[Placed]:
    """Return everything that stands in a stream."""
    found: list[Placed] = []
    at, end = 0, exchange.log.end(stream)
    deadline = time.monotonic() + SETTLE_SECONDS
    with exchange.log.open({stream: 0}) as reader:
        while at < end:
            assert time.monotonic() < deadline, f"stuck at {at} of {stream}, before {end}"
            for batch in reader.poll(timeout_seconds=0.5, entries_max=500).values():
                found += batch.entries
                at = batch.next
    return found


def holding(home: Path, *needles: bytes) -> dict[str, list[str]]:
    """Return which files of a home hold which of these bytes."""
    found: dict[str, list[str]] = {}
    for path in sorted(p for p in home.rglob("*") if p.is_file()):
        data = path.read_bytes()
        for needle in needles:
            if needle in data:
                found.setdefault(str(path.relative_to(home)), []).append(needle.hex())
    return found
