"""Probes: what searchers brought, each encrypted under a key of its own, until its time is up.

Kept for review and for opening a search again; a list that is opened again shows the first search's probe, and makes no copy.
The order of writing: the search's entry stands in the journal first, then the key, then the file. A crash between leaves a
search without a probe, never a probe without a search.
"""

from __future__ import annotations

from comity.domain.ids import SearchId, probe_key, probe_name
from comity.domain.posting import Search
from comity.errors import KeyShredded, NotFound
from comity.ports import KeyVault, LedgerView, PhotoStore
from comity.wire import sealing

FOLDER = "search/"  # what probes' names begin with, see ``probe_name``


class Probes:
    """Keeps probes, and destroys them. Thread-safe."""

    def __init__(self, vault: KeyVault, photos: PhotoStore) -> None:
        self._vault, self._photos = vault, photos

    def keep(self, search: SearchId, probe: bytes) -> None:
        """Keep a search's probe encrypted; the search has been entered."""
        name = probe_name(search)
        self._photos.put(name, sealing.seal(self._vault.issue(probe_key(search)), probe, context=name.encode()))

    def open(self, search: SearchId) -> bytes | None:
        """Return a search's probe, or None where it is no longer kept. Raises ValueError where its file is damaged."""
        name = probe_name(search)
        try:
            key, ciphertext = self._vault.open(probe_key(search)), self._photos.get(name)
        except (KeyShredded, NotFound):
            return None
        return None if ciphertext is None else sealing.unseal(key, ciphertext, context=name.encode())

    def destroy(self, search: SearchId) -> None:
        """Shred the probe's key and delete its file. Idempotent."""
        try:
            self._vault.open(probe_key(search))
        except NotFound:
            pass  # never kept, so there is no name to remember as shredded
        except KeyShredded:
            pass
        else:
            self._vault.shred([probe_key(search)])
        self._photos.delete(probe_name(search))

    def orphans(self, ledger: LedgerView) -> tuple[SearchId, ...]:
        """Return whose probes are kept though the ledger knows no such search: what no duty would ever destroy."""
        kept = {SearchId(name.split("/")[1]) for name in self._photos.names() if name.startswith(FOLDER)}
        return tuple(search for search in sorted(kept) if not ledger.rows(Search, search_id=search))
