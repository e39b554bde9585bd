"""The journal's Merkle head, grown leaf by leaf (RFC 9162, section 2.1): a view keeps it to know its own log again (rule 11)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

HASH_BYTES = 32


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf (RFC 9162: 0x00 before the data)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (RFC 9162: 0x01 before its children)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The roots of the full subtrees on the tree's right border, largest first: all that is needed to append."""

    size: int = 0
    roots: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> Frontier:
        """Return the frontier with one leaf more."""
        roots, size, node = list(self.roots), self.size, leaf_hash(leaf)
        while size & 1:
            node = node_hash(roots.pop(), node)
            size >>= 1
        return Frontier(self.size + 1, (*roots, node))

    @property
    def tail_size(self) -> int:
        """Return how many of the newest leaves the last root covers: enough to know a log's end again."""
        return self.size & -self.size

    def head(self) -> bytes:
        """Return the tree's root hash; of no leaves, the hash of nothing."""
        if not self.roots:
            return hashlib.sha256(b"").digest()
        node = self.roots[-1]
        for root in reversed(self.roots[:-1]):
            node = node_hash(root, node)
        return node

    def to_bytes(self) -> bytes:
        """Return the roots in a row; the size is kept beside them."""
        return b"".join(self.roots)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> Frontier:
        """Read what ``to_bytes`` wrote; raises ValueError unless there is one root per bit of the size."""
        if len(data) != HASH_BYTES * size.bit_count():
            raise ValueError("the Merkle frontier does not fit its size")
        return cls(size, tuple(data[i : i + HASH_BYTES] for i in range(0, len(data), HASH_BYTES)))
