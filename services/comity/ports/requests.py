"""Which requests were taken under a key of their sender's own, so that one sent again is not done again."""

from __future__ import annotations

from typing import Protocol


class Requests(Protocol):
    """Requests by name, each with the digest of what it asked; durable, so that a restart in between changes nothing."""

    def claim(self, name: bytes, digest: bytes) -> tuple[bytes, str | None]:
        """Remember a request before it is done; return the digest first claimed under this name, and its answer if it has one."""
        ...

    def answer(self, name: bytes, answer: str) -> None:
        """Keep what a request was answered with: receipts and numbers alone, never what was disclosed."""
        ...
