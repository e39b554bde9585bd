"""Photographs as they travel inside a page: redrawn upright, without metadata, no larger than a screen needs."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field

from PIL import Image, ImageOps

SIDE_MAX = 960  # pixels, long side
QUALITY = 90


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture as a ``data:`` address, and its size in pixels."""

    uri: str = field(repr=False)
    width: int
    height: int


def draw(photograph: bytes | None, side_max: int = SIDE_MAX) -> Drawn | None:
    """Return a photograph for a page, or None where there is none or it cannot be read.

    Only what the encoder took (a probe) or admitted (a record's) comes here, so its size in pixels is bounded already. Redrawing
    keeps the stranger's bytes, and what a camera wrote into them, from the browser.
    """
    if not photograph:
        return None
    try:
        with Image.open(io.BytesIO(photograph)) as image:
            image.draft("RGB", (side_max, side_max))
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    upright.thumbnail((side_max, side_max))
    out = io.BytesIO()
    upright.save(out, "JPEG", quality=QUALITY)
    return Drawn(f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}", *upright.size)
