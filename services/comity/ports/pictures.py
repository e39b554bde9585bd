"""Photographs as they leave: redrawn, never the stranger's bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

Box = tuple[float, float, float, float]  # x, y, width, height in pixels of the upright picture


@dataclass(frozen=True, slots=True)
class Drawn:
    """A JPEG of ours, upright and without metadata.

    ``placeholder``: it says that the photograph cannot be shown, and shows nothing of it.
    """

    jpeg: bytes = field(repr=False)
    width: int
    height: int
    placeholder: bool = False


class Drawing(Protocol):
    """Redraws photographs, by the decoder that the encoder looks through. Thread-safe."""

    def draw(self, photograph: bytes, *, side_max: int | None = None, box: Box | None = None) -> Drawn:
        """Return the picture, or the part of it around ``box``, no longer than ``side_max`` on its long side.

        Raises PhotographRefused where it cannot be drawn, whatever the bytes are.
        """
        ...

    def placeholder(self) -> Drawn:
        """Return the picture that stands for one that cannot be shown."""
        ...
