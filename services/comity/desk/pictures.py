"""Photographs as they stand on a page: inside it, never by an address of their own. The release drew them already."""

from __future__ import annotations

from dataclasses import dataclass, field

from comity.ports import Drawn
from comity.web.pictures import data_uri


@dataclass(frozen=True, slots=True)
class OnPage:
    """A picture as a ``data:`` address, its size in pixels, and whether it only stands for one that cannot be shown."""

    uri: str = field(repr=False)
    width: int
    height: int
    placeholder: bool


def on_page(drawn: Drawn | None) -> OnPage | None:
    """Return a picture for a page, or None where there is none."""
    return None if drawn is None else OnPage(data_uri(drawn), drawn.width, drawn.height, drawn.placeholder)
