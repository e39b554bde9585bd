"""Photographs as they travel inside an answer: never by an address of their own."""

from __future__ import annotations

import base64

from comity.ports import Drawn


def data_uri(drawn: Drawn) -> str:
    """Return a picture as a ``data:`` address."""
    return f"data:image/jpeg;base64,{base64.b64encode(drawn.jpeg).decode()}"
