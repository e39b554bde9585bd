"""The files in which a record's bytes were known to lie: where the directed check looks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from comity.domain.log import Topic

GALLERY, VAULT, LOG, KAFKA, PHOTOS = "gallery.db", "vault.db*", "log.db*", "kafka", "photos"
INCOMING = f"{PHOTOS}/.incoming"  # a photograph that a crash left half kept
TOPICS = (Topic.ENROLMENTS, Topic.TEMPLATES, Topic.QUARANTINE)


@dataclass(frozen=True, slots=True)
class Places:
    """The home's files, by what lies in them."""

    home: Path

    def of(self, owners: Iterable[str], records: Iterable[str]) -> Sequence[Path]:
        """Return the files and folders that held these owners' templates, these records' photographs, the keys and the log."""
        found = [*self.home.glob(VAULT), *self.home.glob(LOG), self.home / INCOMING]
        for owner in sorted(set(owners)):
            found += self.home.glob(f"{GALLERY}/collections/*_{owner}_*")
        for topic in TOPICS:
            found += self.home.glob(f"{KAFKA}/**/*{topic}-[0-9]*")
        for record in sorted(set(records)):
            found += self.home.glob(f"{PHOTOS}/{_shard(record)}/record/{record}")
        return found


def _shard(record: str) -> str:
    from hashlib import sha256  # noqa: PLC0415

    digest = sha256(f"record/{record}".encode()).hexdigest()
    return f"{digest[:2]}/{digest[2:4]}"
