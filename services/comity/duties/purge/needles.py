"""What is looked for after an erasure: taken from wherever a record's bytes still lie, before they go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from comity.acts.probes import Probes
from comity.domain.ids import CIPHERTEXT_SLASHES, RecordId, probe_name, record_key
from comity.duties.purge.destroy import copies
from comity.duties.purge.jobs import CIPHERTEXT, TEMPLATE, WRAPPED_KEY, Needles, pieces_of
from comity.ports import Candidates, KeyVault, LedgerView, PhotoStore


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken, and how many keys and templates it came from."""

    needles: Needles
    keys: int
    templates: int


@dataclass(frozen=True, kw_only=True)
class Haystack:
    """Where a record's bytes lie."""

    vault: KeyVault
    photos: PhotoStore
    gallery: Candidates
    ledger: LedgerView
    probes: Probes

    def at_once(self, records: Sequence[RecordId]) -> Taken:
        """Take what goes first, at the cost of nothing: wrapped keys, and templates in memory."""
        needles: dict[RecordId, dict[str, frozenset[bytes]]] = {}
        keys = templates = 0
        for record in records:
            wrapped = self.vault.wrapped(record_key(record))
            vectors = [vector.tobytes() for vector in self.gallery.held([record])]
            keys += wrapped is not None
            templates += len(vectors)
            found = {
                WRAPPED_KEY: pieces_of(WRAPPED_KEY, () if wrapped is None else (wrapped,)),
                TEMPLATE: pieces_of(TEMPLATE, vectors),
            }
            needles[record] = {kind: wanted for kind, wanted in found.items() if wanted}
        return Taken(needles, keys, templates)

    def came_back(self) -> list[RecordId]:
        """Return the records whose keys are shredded and of which the photo store holds something: each is looked for."""
        prefix = record_key(RecordId(""))
        shredded = (RecordId(name.removeprefix(prefix)) for name in self.vault.shredded(prefix))
        return [record for record in shredded if next(iter(self.photos.under(f"record/{record}")), None) is not None]

    def ciphertexts(self, records: Sequence[RecordId]) -> Needles:
        """Take pieces of all that is kept of the photographs and particulars: ciphertexts, which the log holds too."""
        needles: dict[RecordId, dict[str, frozenset[bytes]]] = {}
        for record in records:
            # What the keeper keeps beside them is an envelope, much of which every record's has.
            names = [name for name in sorted(self.photos.under(f"record/{record}")) if name.count("/") == CIPHERTEXT_SLASHES]
            names += [probe_name(search) for search in copies(self.ledger, self.photos, self.probes, record)]
            found = [held for name in names if (held := self.photos.get(name)) is not None]
            if wanted := pieces_of(CIPHERTEXT, found):
                needles[record] = {CIPHERTEXT: wanted}
        return needles
