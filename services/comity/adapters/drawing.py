"""Redraws photographs for whoever may see them: decoded as the encoder decodes them, and written anew.

What leaves is a JPEG that was made here from pixels alone. So no byte of the stranger's file comes to a browser, and nothing
that a camera or a records system wrote into it: names, dates of birth, places, numbers.
"""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from comity.adapters import images
from comity.errors import PhotographRefused
from comity.ports import Box, Drawn

QUALITY = 92
MARGIN = 0.5  # of the face's box, on each side: hair, ears and chin are compared too
_PLACEHOLDER_SIZE = (480, 600)
_PLACEHOLDER_LINES = ("This photograph", "cannot be shown.", "The operator has been told.")
_GROUND, _INK = (226, 226, 222), (70, 70, 70)
_TEXT_PIXELS, _SPACING_PIXELS = 28, 16


class PillowDrawing:
    """Draws with Pillow. Thread-safe, and Pillow lets other threads run meanwhile."""

    def draw(self, photograph: bytes, *, side_max: int | None = None, box: Box | None = None) -> Drawn:
        """Return the picture, or the part of it around ``box``, no longer than ``side_max`` on its long side.

        Raises PhotographRefused where it cannot be drawn, whatever the bytes are.
        """
        try:
            decoded = images.decode(photograph, long_side_min=side_max if box is None else None)
            image = decoded.image if box is None else _around(decoded, box)
            if side_max is not None:
                image.thumbnail((side_max, side_max))
            return _written(image)
        except PhotographRefused:
            raise
        except Exception:  # noqa: BLE001 - one odd photograph must never become an answer's failure
            raise PhotographRefused("cannot-be-drawn", "The picture cannot be drawn.") from None

    def placeholder(self) -> Drawn:
        """Return the picture that stands for one that cannot be shown."""
        return _placeholder()


def _around(decoded: images.Decoded, box: Box) -> Image.Image:
    """Return the part of a picture around a face, as far as the picture goes."""
    x, y, width, height = (side / decoded.reduction for side in box)
    more_x, more_y = width * MARGIN, height * MARGIN
    left, top = max(0, round(x - more_x)), max(0, round(y - more_y))
    right = min(decoded.image.width, round(x + width + more_x))
    bottom = min(decoded.image.height, round(y + height + more_y))
    return decoded.image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def _written(image: Image.Image) -> Drawn:
    """Write pixels as a JPEG; a picture made of nothing but them has no comment or profile that could come along."""
    pixels, out = Image.fromarray(np.asarray(image)), io.BytesIO()
    pixels.save(out, "JPEG", quality=QUALITY)
    return Drawn(out.getvalue(), *pixels.size)


@cache
def _placeholder() -> Drawn:
    image = Image.new("RGB", _PLACEHOLDER_SIZE, _GROUND)
    pen = ImageDraw.Draw(image)
    middle = (_PLACEHOLDER_SIZE[0] / 2, _PLACEHOLDER_SIZE[1] / 2)
    lines = "\n".join(_PLACEHOLDER_LINES)
    pen.text(middle, lines, fill=_INK, anchor="mm", align="center", font_size=_TEXT_PIXELS, spacing=_SPACING_PIXELS)
    drawn = _written(image)
    return Drawn(drawn.jpeg, drawn.width, drawn.height, placeholder=True)
