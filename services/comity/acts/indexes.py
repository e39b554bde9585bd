"""Record ids and blind indexes: keyed tags that find equal numbers without showing them (DESIGN.md §3)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from comity.acts.index_keys import IndexKeys
from comity.domain.entries import BlindIndex, IndexKind
from comity.domain.ids import Ori, RecordId
from comity.wire import sealing

KEY_VERSION = 1
EXCHANGE = "exchange"  # whose key the shared numbers are under
BY_AGENCY = frozenset({IndexKind.BOOKING, IndexKind.AGENCY_CASE})  # the others are shared: one arrest, two agencies


class Indexer:
    """Computes tags with the index keys, which never leave the exchange."""

    def __init__(self, keys: IndexKeys) -> None:
        self._keys = keys

    def record_id(self, owner: Ori, booking_number: str) -> RecordId:
        """Return the id that this agency's booking has, for ever: a re-send cannot choose a fresh one."""
        return sealing.record_id(self._key(IndexKind.BOOKING, owner), booking_number)

    def is_of(self, owner: Ori, record: RecordId, booking_number: str) -> bool:
        """Say whether this id is this agency's for this booking; nobody else can name a booking that gives it."""
        try:
            return self.record_id(owner, booking_number) == record
        except ValueError:  # no number at all
            return False

    def index(self, kind: IndexKind, number: str, owner: Ori) -> BlindIndex:
        """Return the blind index of one number; ``owner`` matters for booking and agency case numbers only."""
        return sealing.blind_index(self._key(kind, owner), kind, number, KEY_VERSION)

    def indexes(self, owner: Ori, numbers: Mapping[IndexKind, str], digests: Sequence[str]) -> tuple[BlindIndex, ...]:
        """Return the indexes of a record's numbers and of its photographs' SHA-256 digests (hex), in a fixed order."""
        named = [self.index(kind, numbers[kind], owner) for kind in IndexKind if numbers.get(kind)]
        photographs = [self.index(IndexKind.PHOTOGRAPH, digest, owner) for digest in digests]
        return tuple(dict.fromkeys([*named, *photographs]))

    def _key(self, kind: IndexKind, owner: Ori) -> bytes:
        return self._keys.key(owner if kind in BY_AGENCY else EXCHANGE, KEY_VERSION)


def digest(photograph: bytes) -> str:
    """Return a photograph's SHA-256 in hex, as the index of its file is made from; it is kept nowhere in clear."""
    return hashlib.sha256(photograph).hexdigest()
