"""What is kept encrypted, and the keys."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol

from comity.wire.signing import SigningKey


class KeyVault(Protocol):
    """A key per name, wrapped by the master key; one owning process. A shredded name is never issued again."""

    def issue(self, name: str) -> bytes:
        """Return the 32-byte key of this name, made now if it is new. Raises KeyShredded."""
        ...

    def reserve(self, name: str, holder: str) -> bytes:
        """Return the key of this name, or one that waits under it to be claimed: for a while, and so many for each holder."""
        ...

    def waiting(self, name: str) -> bytes | None:
        """Return the key that waits under this name, or None."""
        ...

    def claim(self, name: str) -> bytes:
        """Return the key of this name; what waits under it stays from now on. Raises KeyShredded or NotFound."""
        ...

    def open(self, name: str) -> bytes:
        """Return the key of this name. Raises KeyShredded or NotFound."""
        ...

    def wrapped(self, name: str) -> bytes | None:
        """Return the wrapped key as it stands in the vault's file, for byte scans; None where there is none."""
        ...

    def shredded(self, prefix: str) -> Collection[str]:
        """Return the names under a prefix whose keys were destroyed."""
        ...

    def missing(self, names: Collection[str]) -> Collection[str]:
        """Return which of these names were never issued here, nor shredded: their keys are not in this file."""
        ...

    def shred(self, names: Collection[str]) -> int:
        """Overwrite and delete these keys so that the file no longer holds them; return how many went. Idempotent."""
        ...

    def close(self) -> None:
        """Close the file; idempotent."""
        ...


class PhotoStore(Protocol):
    """Ciphertexts by name (photographs, particulars, court documents)."""

    def put(self, name: str, ciphertext: bytes) -> None:
        """Store durably and atomically; the same name again replaces."""
        ...

    def get(self, name: str) -> bytes | None:
        """Return the ciphertext, or None."""
        ...

    def has(self, name: str) -> bool:
        """Say whether there is a ciphertext of this name, without reading it."""
        ...

    def delete(self, prefix: str) -> int:
        """Delete all names under a prefix; return how many."""
        ...

    def under(self, prefix: str) -> Iterator[str]:
        """Yield the names under a prefix of at least two segments, at the cost of these alone."""
        ...

    def names(self) -> Iterator[str]:
        """Yield every name, for fsck."""
        ...


class ErasureMark(Protocol):
    """How far the journal was carried out on a store. It lies with the store: an older copy of it brings its own back."""

    def load(self) -> int:
        """Return the next position to carry out; 0 where nobody knows."""
        ...

    def save(self, position: int) -> None:
        """Remember the next position, durably."""
        ...


class Keyring(Protocol):
    """Signing keys that the exchange holds for parties who press buttons at the desk; their own systems hold their own."""

    def signer(self, party: str) -> SigningKey:
        """Return this party's signing key. Raises NotFound where the exchange does not hold it."""
        ...
