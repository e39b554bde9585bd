"""What is looked for after an erasure: taken from wherever a record's bytes still lie, before they go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from comity.acts.probes import Probes
from comity.domain.ids import CIPHERTEXT_SLASHES, RecordId, probe_name, record_key
from comity.duties.purge.destroy import copies
from comity.duties.purge.jobs import CIPHERTEXT, TEMPLATE, WRAPPED_KEY, Job, Needles, pieces_of
from comity.duties.scan import pieces
from comity.ports import Candidates, KeyVault, LedgerView, PhotoStore, TemplateStore


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
    store: TemplateStore
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

    def apart(self, jobs: Sequence[Job]) -> list[Job]:
        """Return the jobs without the pieces of templates that records hold whose keys are whole.

        One photograph under two booking numbers gives one template, byte for byte: its bytes cannot tell whose they are. Walks
        the whole store, so it is for where such pieces were found.
        """
        wanted = {piece for job in jobs for piece in job.by_kind.get(TEMPLATE, ())}
        shared: set[bytes] = set()
        for batch in self.store.all():
            for template in batch:
                mine = wanted.intersection(pieces(template.vector.tobytes()))
                if mine and self.vault.wrapped(record_key(template.record_id)) is not None:
                    shared |= mine
        return [job.without(frozenset(shared)) for job in jobs]

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
