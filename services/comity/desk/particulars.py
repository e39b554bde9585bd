"""A record's particulars as lines of text: whatever JSON the owner sent, without what is empty."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from comity.desk.pages import moment

NAMES = {"atn": "Arrest tracking number"}


def lines(particulars: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Return each particular's name and its lines."""
    told = [(_name(name), _lines(value)) for name, value in particulars.items()]
    return [(name, values) for name, values in told if values]


def _lines(value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [
            "; ".join(
                f"{_name(str(name)).lower()}: {', '.join(parts)}" for name, part in value.items() if (parts := _lines(part))
            )
        ]
    if isinstance(value, list):
        return [line for part in value for line in _lines(part)]
    text = "" if value is None else _moment(str(value))
    return [text] if text else []


def _name(name: str) -> str:
    return NAMES.get(name, name.replace("_", " ").capitalize())


def _moment(text: str) -> str:
    """Return a moment in words where the text is one, else the text."""
    try:
        at = datetime.fromisoformat(text)
        return moment(at) if at.tzinfo else text
    except (ValueError, OverflowError):  # no time, or one whose day in UTC no calendar has
        return text
