"""The index keys, each made once and known again: the journal holds a value by which a key is checked (F03).

Under another key the same booking number gives another record id, and an order that names the old one finds nothing. So a key
that the journal knows is never made anew: where the vault lacks it, or holds another, this stops.

The order of writing: the key in the vault, then `IndexKeyIssued` in the journal, then its first use. A crash between leaves a
key that nothing was named by, and the next use enters it.
"""

from __future__ import annotations

import hmac
import threading

from comity.acts.journal import Journal
from comity.domain import entries as e
from comity.domain.log import JOURNAL
from comity.domain.posting import IndexKey
from comity.errors import Halted, KeyShredded, LedgerBehind, NotFound
from comity.ports import EventLog, KeyVault, LedgerView, Watch
from comity.wire import sealing

WAIT_SECONDS = 10.0
ADVICE = (
    "Stop, put the newest copy of vault.db back (with the master key that belongs to it), and start again. "
    "Under a new key every order of before would find nothing, so none is made."
)


class IndexKeys:
    """Issues index keys. Thread-safe."""

    def __init__(self, vault: KeyVault, journal: Journal, log: EventLog, ledger: LedgerView, watch: Watch) -> None:
        self._vault, self._journal, self._log, self._ledger, self._watch = vault, journal, log, ledger, watch
        self._turn = threading.Lock()
        self._checked: set[str] = set()  # one an agency

    def key(self, name: str, version: int) -> bytes:
        """Return this index key; made now, and entered, if the journal knows none of this name.

        Raises Halted where the vault does not hold the key that the journal knows, LedgerBehind, and as ``Journal.enter``.
        """
        own = _vault_name(name, version)
        if own not in self._checked:
            with self._turn:
                self._compare(self._row(name, version) or self._enter(name, version))
                self._checked.add(own)
        return self._vault.open(own)

    def check(self) -> None:
        """Compare every index key that the journal knows with the vault's, at start. Raises Halted."""
        for row in self._ledger.rows(IndexKey):
            self._compare(row)

    def _row(self, name: str, version: int) -> IndexKey | None:
        rows = self._ledger.rows(IndexKey, name=name)
        return next((row for row in rows if row.version == version), None)

    def _enter(self, name: str, version: int) -> IndexKey:
        """Make the key and enter it, unless the journal's end knows it already: the ledger may be behind."""
        self._reach(self._log.end(JOURNAL))
        if (row := self._row(name, version)) is not None:
            return row
        own = _vault_name(name, version)
        check = sealing.key_check(self._vault.issue(own), own)
        place = self._journal.enter(e.IndexKeyIssued(name, version, check), key=own).position
        self._reach(place + 1)
        entered = self._row(name, version)
        if entered is None:
            raise Halted("The journal did not take an index key.", advice="See the quarantine, and `comity status`.")
        return entered

    def _reach(self, position: int) -> None:
        if not self._watch.wait(position, WAIT_SECONDS):
            raise LedgerBehind("The ledger did not catch up in time; nothing was named.", advice="Try again in a few seconds.")

    def _compare(self, row: IndexKey) -> None:
        own = _vault_name(row.name, row.version)
        try:
            held = sealing.key_check(self._vault.open(own), own)
        except (NotFound, KeyShredded):
            raise Halted(f"The vault lacks the index key of {row.name}, which the journal knows.", advice=ADVICE) from None
        if not hmac.compare_digest(held, row.check):
            raise Halted(f"The vault's index key of {row.name} is not the one that the journal knows.", advice=ADVICE)


def _vault_name(name: str, version: int) -> str:
    return f"index/{name}/{version}"
