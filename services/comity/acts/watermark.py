"""Places in the journal as callers get them: opaque, so that nobody counts other people's acts by them (rule 5, R36)."""

from __future__ import annotations

import base64
import binascii

from comity.errors import InvalidInput
from comity.ports import KeyVault
from comity.wire import sealing

KEY, CONTEXT, PLACE_BYTES = "watermark/1", b"watermark", 8


class Watermarks:
    """Makes watermarks of places, and places of watermarks."""

    def __init__(self, vault: KeyVault) -> None:
        self._vault = vault

    def of(self, place: int) -> str:
        """Return the watermark of a place; another one each time."""
        sealed = sealing.seal(self._vault.issue(KEY), place.to_bytes(PLACE_BYTES, "big"), context=CONTEXT)
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def place(self, watermark: str) -> int:
        """Return the place that a watermark of ours stands for. Raises InvalidInput."""
        try:
            sealed = base64.b64decode(watermark + "=" * (-len(watermark) % 4), altchars=b"-_", validate=True)
            return int.from_bytes(sealing.unseal(self._vault.issue(KEY), sealed, context=CONTEXT), "big")
        except (binascii.Error, ValueError):
            raise InvalidInput("This watermark is not ours.", advice="Send `as_of` of an earlier answer as it was.") from None
