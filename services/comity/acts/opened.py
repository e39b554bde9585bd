"""Opens what is encrypted, for a released answer alone: there is no way to a photograph but through a ``Disclosure`` (R33)."""

from __future__ import annotations

import json
from typing import Any

from comity.acts.release import Disclosure
from comity.domain.ids import RecordId, SearchId, particulars_name, photo_name, probe_name, record_key, search_key
from comity.errors import KeyShredded, NotFound
from comity.ports import KeyVault, PhotoStore
from comity.wire import sealing


class Opened:
    """Unwraps a released record's photographs and particulars, and a searcher's own probe."""

    def __init__(self, vault: KeyVault, photos: PhotoStore) -> None:
        self._vault, self._photos = vault, photos

    def photograph(self, disclosure: Disclosure, record: RecordId, photo: int) -> bytes | None:
        """Return a released record's photograph where the requester may view it; None where it may not, or it is gone."""
        if not disclosure.allows(record, "view"):
            return None
        return self._open(record_key(record), photo_name(record, disclosure.version(record), photo))

    def particulars(self, disclosure: Disclosure, record: RecordId) -> dict[str, Any] | None:
        """Return a revealed record's particulars; None where the requester may not, or they are gone."""
        if not disclosure.allows(record, "reveal"):
            return None
        plain = self._open(record_key(record), particulars_name(record, disclosure.version(record)))
        return None if plain is None else dict(json.loads(plain))

    def probe(self, search: SearchId) -> bytes | None:
        """Return a search's probe: what the searcher brought, not a disclosure."""
        return self._open(search_key(search), probe_name(search))

    def _open(self, key: str, name: str) -> bytes | None:
        ciphertext = self._photos.get(name)
        if ciphertext is None:
            return None
        try:
            return sealing.unseal(self._vault.open(key), ciphertext, context=name.encode())
        except (KeyShredded, NotFound):
            return None
