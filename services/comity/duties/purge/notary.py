"""Enters certificates: what was looked for, where, and what was found; nothing to look for, no certificate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from comity.acts.journal import Journal
from comity.domain import entries as e
from comity.domain.ids import OrderName
from comity.domain.posting import Certificate, said_of
from comity.domain.standing import certificates
from comity.duties.purge.jobs import TEMPLATE, Job
from comity.duties.scan import Scanned
from comity.ports import LedgerView, Watch

DIRECTED, SWEEP = "directed", "sweep"
WAIT_SECONDS = 60.0
NOT_YET = "files in which nothing of it was known to lie: the sweep reads them"


@dataclass(frozen=True, kw_only=True)
class Notary:
    """The exchange's pen for certificates."""

    journal: Journal
    ledger: LedgerView
    watch: Watch
    elsewhere: tuple[str, ...]

    def rows(self, job: Job, scope: str | None = None, part: int | None = None) -> tuple[Certificate, ...]:
        """Return the certificates that count for an order, of one scope and part or of any; oldest first."""
        rows = certificates(self.ledger, job.order)
        return tuple(row for row in rows if scope in (None, row.scope) and part in (None, row.part))

    def unswept(self) -> tuple[Job, ...]:
        """Return what stands certified by a directed check alone, or with bytes found, as jobs without anything to look for."""
        first: dict[tuple[OrderName, int], int] = {}
        swept: set[tuple[OrderName, int]] = set()
        for row in self.ledger.every(Certificate):
            part = OrderName(row.party, row.order_id), row.part
            first.setdefault(part, row.entered)
            if row.scope == SWEEP and not row.found:
                swept.add(part)
        return tuple(
            Job(f"lost-{at}-{part}", order, at, part, (), ()) for (order, part), at in first.items() if (order, part) not in swept
        )

    def enter(self, job: Job, scope: str, scanned: Scanned, unsettled: Sequence[str] = ()) -> int:
        """Enter a certificate, unless the last one says the same; return in how many files something was found."""
        found = sum(map(len, scanned.found.values()))
        before = self.rows(job, scope, job.part)
        event = e.ErasureCertified(
            # By the order's place and the part; another try, another certificate.
            certificate_id=f"certificate-{job.ordered}-{job.part}-{scope}-{len(before)}",
            order=job.order,
            part=job.part,
            scope=scope,
            records=job.records,
            keys_shredded=job.keys,
            templates_erased=job.templates,
            sought=tuple(e.Sought(kind, len(wanted)) for kind, wanted in job.by_kind.items()),
            files_scanned=scanned.files,
            bytes_scanned=scanned.bytes,
            found=found,
            not_scanned=self._not_scanned(job, scope, scanned, unsettled),
            checked_at=self.journal.now(),
        )
        if before and before[-1].said == said_of(event):
            return found
        placed = self.journal.enter(event, key=job.order.order_id)
        if not self.watch.wait(placed.position + 1, WAIT_SECONDS):
            raise TimeoutError("the ledger did not reach the certificate")
        return found

    def _not_scanned(self, job: Job, scope: str, scanned: Scanned, unsettled: Sequence[str]) -> tuple[str, ...]:
        bare = sum(record not in job.needles for record in job.records)
        return (
            *self.elsewhere,
            *((NOT_YET,) if scope == DIRECTED else ()),
            *dict.fromkeys(unsettled),
            *((f"unreadable: {len(scanned.unreadable)} files",) if scanned.unreadable else ()),
            *((f"{job.shared} pieces of templates that other records hold as well, byte for byte",) if job.shared else ()),
            *((f"nothing was held of {bare} of these records",) if bare else ()),
        )


def share(job: Job, scanned: Scanned) -> Scanned:
    """Return one job's share of a scan that looked for the needles of several, each named by its job and kind."""
    prefix = f"{job.name}/"
    mine = {name.removeprefix(prefix): paths for name, paths in scanned.found.items() if name.startswith(prefix)}
    return Scanned(scanned.files, scanned.bytes, mine, scanned.unreadable)


def bears_templates(scanned: Scanned) -> bool:
    """Say whether templates are among what a scan found."""
    return any(name.rsplit("/", 1)[1] == TEMPLATE for name in scanned.found)


def sought(jobs: Sequence[Job]) -> dict[str, frozenset[bytes]]:
    """Return what is looked for, for several jobs at once."""
    return {f"{job.name}/{kind}": wanted for job in jobs for kind, wanted in job.by_kind.items()}
