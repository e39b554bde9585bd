"""What comes with an order and is kept beside it: the court's document, and the numbers as the clerk typed them.

Both are encrypted under the order's own key. A document is kept under its keyed digest, which the order in the journal bears:
so another document never takes its place, and what is read back is what was pressed. It is kept before the order is entered.
*Crash* between the two: a file that no order names, which the clerk's next press of the same token keeps again or leaves.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from comity.domain.entries import OrderName
from comity.domain.ids import order_key
from comity.errors import KeyShredded, NotFound, TooLarge
from comity.ports import KeyVault, PhotoStore
from comity.wire import sealing

DOCUMENT_BYTES_MAX = 10 * 1024 * 1024  # a scanned order of some twenty pages


class Papers:
    """Keeps and reads what belongs to an order. Thread-safe."""

    def __init__(self, vault: KeyVault, photos: PhotoStore) -> None:
        self._vault, self._photos = vault, photos

    def digest(self, order: OrderName, document: bytes) -> bytes:
        """Return the keyed digest that binds an order to its document; empty where there is none. Raises TooLarge."""
        if len(document) > DOCUMENT_BYTES_MAX:
            raise TooLarge("The order's document is over 10 MB.", advice="Send a smaller scan.")
        return hmac.digest(self._vault.issue(order_key(order)), document, "sha256") if document else b""

    def keep(self, order: OrderName, document: bytes) -> None:
        """Keep a document encrypted, under its digest; nothing where it is empty."""
        if document:
            name = _name(order, self.digest(order, document))
            self._photos.put(name, sealing.seal(self._vault.issue(order_key(order)), document, context=name.encode()))

    def drop(self, order: OrderName, document: bytes) -> None:
        """Delete a document whose order was not entered; idempotent."""
        if document:
            self._photos.delete(_name(order, self.digest(order, document)))

    def document(self, order: OrderName, digest: bytes) -> bytes:
        """Return the document that an order names. Raises NotFound where it has none, or none is kept."""
        if digest:
            name = _name(order, digest)
            kept = self._photos.get(name)
            try:
                key = self._vault.open(order_key(order))
                paper = sealing.unseal(key, kept, context=name.encode()) if kept is not None else b""
            except (KeyShredded, NotFound, sealing.Unsealable):
                paper = b""
            if paper and hmac.compare_digest(hmac.digest(key, paper, "sha256"), digest):
                return paper
        raise NotFound("No document is kept with this order.", advice="See the court's own files.")

    def sealed(self, order: OrderName, numbers: Mapping[str, str]) -> bytes:
        """Return the typed numbers encrypted; the same for the same, so that pressing twice enters the same bytes."""
        text = json.dumps(dict(sorted(numbers.items())), ensure_ascii=False).encode()
        return AESSIV(self._vault.issue(order_key(order))).encrypt(text, [b"comity.v1/numbers"]) if numbers else b""

    def numbers(self, order: OrderName, sealed: bytes) -> dict[str, str]:
        """Return the numbers as they were typed; empty where an order came without them, or from another system."""
        if not sealed:
            return {}
        try:
            key = self._vault.open(order_key(order))
            return dict(json.loads(AESSIV(key).decrypt(sealed, [b"comity.v1/numbers"])))
        except (KeyShredded, NotFound, InvalidTag, ValueError):
            return {}


def _name(order: OrderName, digest: bytes) -> str:
    """Return the store's name of a document: its order's, and its own digest."""
    whose = sha256(f"{order.party}/{order.order_id}".encode()).hexdigest()
    return f"order/{whose}/{digest.hex()}"
