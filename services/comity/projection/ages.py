"""Whether the files of a home are of one age: an older one, put back alone, lacks what is newest (looked at at each start).

The newest records and searches are looked at, so the cost does not grow with the journal. What is found is an alarm with the way
out; the exchange serves what it has, for nothing here can show what an order hides. ``fsck`` looks at everything.
"""

from __future__ import annotations

from dataclasses import dataclass

from comity.acts.alarms import Alarms
from comity.domain.ids import RecordId, SearchId, photo_name, record_key, search_key
from comity.domain.posting import Record, Revocation, Search
from comity.domain.standing import counted
from comity.ports import Candidates, KeyVault, LedgerView, PhotoStore

NEWEST = 1_000  # of each kind: a copy of last night lacks some of the newest, if it lacks any
VAULT, PHOTOGRAPHS, GALLERY = "vault", "photographs", "gallery"


@dataclass(frozen=True, kw_only=True)
class Ages:
    """Compares what the ledger knows last with what the other files hold."""

    ledger: LedgerView
    vault: KeyVault
    photos: PhotoStore
    gallery: Candidates
    alarms: Alarms

    def look(self, *, gallery_is_whole: bool) -> None:
        """Sound or clear the alarms. A gallery that is still reading is told to be so, and not looked at."""
        records = self._living()
        self._keys(records)
        bare = [r for r, version in records.items() if not self.photos.has(photo_name(r, version, 0))]
        self._tell(
            PHOTOGRAPHS,
            f"Photographs of {len(bare)} of the newest {len(records)} records are missing: photos/ is older than the journal.",
            "Run: comity rebuild photographs. What is missing then, its agency sends again in a higher version.",
            told=bool(bare),
        )
        self._gallery(records, whole=gallery_is_whole)

    def _living(self) -> dict[RecordId, int]:
        """Return the newest records that were not erased, each with its newest version."""
        newest: dict[RecordId, int] = {}
        rows = self.ledger.newest(Record, NEWEST)
        for row in counted(rows, self.ledger.rows(Revocation), self.ledger.progress().next):
            newest[row.record_id] = max(row.version, newest.get(row.record_id, 0))
        missing = set(self.vault.missing([record_key(record) for record in newest]))
        return {
            record: version
            for record, version in newest.items()
            if record_key(record) in missing or self.vault.wrapped(record_key(record)) is not None
        }

    def _keys(self, records: dict[RecordId, int]) -> None:
        names = [record_key(record) for record in records]
        names += [search_key(SearchId(row.search_id)) for row in self.ledger.newest(Search, NEWEST)]
        missing = self.vault.missing(names)
        self._tell(
            VAULT,
            f"{len(missing)} keys of the newest records and searches are missing: vault.db is older than the journal.",
            "Stop, put the newest copy of vault.db back, and start again. What no copy has is lost: its agencies send again.",
            told=bool(missing),
        )

    def _gallery(self, records: dict[RecordId, int], *, whole: bool) -> None:
        if not whole:
            what = "The gallery is still reading the log: answers may lack records until it is done."
            self._tell(GALLERY, what, "See `comity status` for how far it is.", told=True)
            return
        held = {record: self.gallery.edition(record) for record in records}
        lacking = [r for r, edition in held.items() if edition is None or edition.version < records[r]]
        self._tell(
            GALLERY,
            f"{len(lacking)} of the newest {len(records)} records are missing from the gallery, and cannot be found.",
            "Run: comity rebuild gallery.",
            told=bool(lacking),
        )

    def _tell(self, kind: str, what: str, advice: str, *, told: bool) -> None:
        if told:
            self.alarms.sound(kind, what, advice)
        else:
            self.alarms.clear(kind)
