"""The purge's parts put together, as the rest of the exchange sees them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from comity.acts.journal import Journal
from comity.acts.probes import Probes
from comity.domain import entries as e
from comity.domain.ids import RecordId
from comity.duties.purge.certify import Certifier
from comity.duties.purge.destroy import Destroyer
from comity.duties.purge.follow import PurgeDuty
from comity.duties.purge.jobs import Jobs
from comity.duties.purge.needles import Haystack
from comity.duties.purge.notary import Notary
from comity.duties.purge.places import Places
from comity.duties.purge.sweep import Sweeper
from comity.duties.scan import Scanned, scan
from comity.ports import Candidates, ErasureMark, EventLog, KeyVault, LedgerView, PhotoStore, TemplateStore, Watch


@dataclass(frozen=True, kw_only=True)
class World:
    """What the purge needs of the exchange."""

    NAMED_ALIKE: ClassVar = ("journal", "log", "ledger", "watch", "vault", "photos", "store", "gallery", "probes", "now")
    journal: Journal
    log: EventLog
    ledger: LedgerView
    watch: Watch
    vault: KeyVault
    photos: PhotoStore
    kept: PhotoStore
    store: TemplateStore
    gallery: Candidates
    probes: Probes
    marks: Mapping[str, ErasureMark]
    home: Path
    elsewhere: tuple[str, ...]
    sweep_hour: int
    now: Callable[[], datetime]


class Purge:
    """Destroys what expungements cover, certifies it, and sweeps."""

    def __init__(self, world: World) -> None:
        self._home = world.home
        self.gate = threading.Lock()
        self.jobs = Jobs(world.kept, world.vault)
        self._haystack = Haystack(
            vault=world.vault,
            photos=world.photos,
            gallery=world.gallery,
            store=world.store,
            ledger=world.ledger,
            probes=world.probes,
        )
        notary = Notary(journal=world.journal, ledger=world.ledger, watch=world.watch, elsewhere=world.elsewhere)
        self.certifier = Certifier(
            jobs=self.jobs,
            haystack=self._haystack,
            destroyer=Destroyer(
                journal=world.journal,
                log=world.log,
                photos=world.photos,
                store=world.store,
                gallery=world.gallery,
                ledger=world.ledger,
                probes=world.probes,
            ),
            notary=notary,
            places=Places(world.home),
        )
        self.sweep = Sweeper(
            jobs=self.jobs, certifier=self.certifier, notary=notary, roots=[world.home], hour=world.sweep_hour, now=world.now
        )
        self.duty = PurgeDuty(
            log=world.log,
            ledger=world.ledger,
            watch=world.watch,
            vault=world.vault,
            gallery=world.gallery,
            haystack=self._haystack,
            jobs=self.jobs,
            certifier=self.certifier,
            marks=world.marks,
            gate=self.gate,
        )

    def again(self) -> int:
        """Carry out what the oldest store has not seen, and take up what waited; before anything can be asked."""
        self.certifier.remember()
        return self.duty.again()

    def overtaken(self, event: e.RecordEnrolled) -> bool:
        """Destroy an enrolment that came behind an order that names it; say whether there was one."""
        return self.duty.overtaken(event)

    def status(self) -> dict[str, Any]:
        """Return how many erasures stand where, and those that want looking at."""
        return self.certifier.status()

    def swept(self) -> dict[str, int]:
        """Sweep now; return what was looked through, for how many parts of orders, and of how many something was found."""
        return asdict(self.sweep())

    def fingerprints(self, records: Sequence[RecordId]) -> dict[str, frozenset[bytes]]:
        """Return the pieces by which these records' bytes are looked for, by kind. For memory alone."""
        kinds: dict[str, set[bytes]] = {}
        for found in (self._haystack.at_once(records).needles, self._haystack.ciphertexts(records)):
            for wanted in found.values():
                for kind, pieces in wanted.items():
                    kinds.setdefault(kind, set()).update(pieces)
        return {kind: frozenset(found) for kind, found in kinds.items()}

    def scan(self, fingerprints: Mapping[str, frozenset[bytes]]) -> Scanned:
        """Look for fingerprints in every file of the home."""
        return scan([self._home], fingerprints)
