"""Probes: what searchers brought, each encrypted under a key of its own, until its time is up.

Kept for review and for opening a search again; a list that is opened again shows the first search's probe, and makes no copy.
By the blind index of its file a probe is found again: where it is a record's own photograph, it goes with the record's erasure.
The order of writing: the search's entry stands in the journal first, then the index, the key, and the file. A crash between
leaves a search without a probe, never a probe without a search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from comity.acts.indexes import Indexer, digest
from comity.domain.entries import BlindIndex, IndexKind
from comity.domain.ids import Ori, SearchId, probe_key, probe_name
from comity.domain.posting import Search, index_target
from comity.errors import KeyShredded, NotFound
from comity.ports import KeyVault, LedgerView, PhotoStore
from comity.wire import sealing

COPIES = "probe-of"
NEVER = "probe-never"  # photographs of rejected enrolments that were destroyed: the ledger has no row of them
MARK = b"."
FOLDER = "search/"  # what probes' names begin with, see ``probe_name``


def copy_name(tag: str, search: SearchId) -> str:
    """Return the name under which a probe is found by its photograph's tag."""
    return f"{COPIES}/{tag}/{search}"


def copy_of_name(search: SearchId) -> str:
    """Return the name under which a probe's own tag is kept."""
    return f"search/{search}/copy-of"


class Probes:
    """Keeps probes, and destroys them. Thread-safe."""

    def __init__(self, vault: KeyVault, photos: PhotoStore, indexer: Indexer, ledger: LedgerView) -> None:
        self._vault, self._photos, self._indexer, self._ledger = vault, photos, indexer, ledger

    def keep(self, search: SearchId, probe: bytes) -> None:
        """Keep a search's probe encrypted; the search has been entered.

        Not where it is the very file of a record that an expungement covers: that is no copy to keep.
        """
        name = probe_name(search)
        index = self._indexer.index(IndexKind.PHOTOGRAPH, digest(probe), Ori(""))
        self._photos.put(copy_name(index.tag, search), MARK)
        self._photos.put(copy_of_name(search), index.tag.encode())
        self._photos.put(name, sealing.seal(self._vault.issue(probe_key(search)), probe, context=name.encode()))
        if self._is_destroyed(index):
            self.destroy(search)  # looked at last: an order from here on finds the copy

    def keep_no_more(self, tags: Iterable[str]) -> None:
        """Keep no probe from here on that is one of these files, by the tags of photographs' blind indexes."""
        for tag in tags:
            self._photos.put(f"{NEVER}/{tag}", MARK)

    def _is_destroyed(self, index: BlindIndex) -> bool:
        """Say whether an expungement covers a record that this photograph came with, admitted or rejected."""
        if self._photos.has(f"{NEVER}/{index.tag}"):
            return True
        facts = self._ledger.prospect({index_target(index)})
        return any(row.kind == "expungement" and row.holds(facts.applied) for row in facts.suppressions)

    def copies(self, tags: Iterable[str]) -> tuple[SearchId, ...]:
        """Return the searches whose probe is one of these files, by the tags of photographs' blind indexes."""
        names = (name for tag in sorted(set(tags)) for name in self._photos.under(f"{COPIES}/{tag}"))
        return tuple(SearchId(name.rsplit("/", 1)[1]) for name in names)

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
        tag = self._photos.get(copy_of_name(search))
        if tag is not None:
            self._photos.delete(copy_name(tag.decode(), search))
            self._photos.delete(copy_of_name(search))


def orphans(photos: PhotoStore, ledger: LedgerView, catch_up: Callable[[], object], done: int = 0) -> tuple[SearchId, ...]:
    """Return whose probes are kept though no duty would ever destroy them: no search of the ledger's, or none from ``done`` on.

    ``done``: the place before which all were destroyed; an older vault and photo store, put back together, bring them back.
    ``catch_up`` waits for the ledger: a probe that was kept a moment ago has its entry in the journal, not yet there.
    """
    kept = {SearchId(name.split("/")[1]) for name in photos.names() if name.startswith(FOLDER)}
    if kept:
        catch_up()
    return tuple(search for search in sorted(kept) if all(row.entered < done for row in ledger.rows(Search, search_id=search)))
