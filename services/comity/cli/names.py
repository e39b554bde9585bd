"""Short names for candidates: their own are 64 hex digits, good for machines.

The last searches' candidate names are kept in the home, so that a rank or the first digits will do. They are salted digests,
which the journal shows to anybody; nothing else of a search is kept here.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from comity.errors import InvalidInput

SEARCHES_KEPT = 50
SHORT_CHARS = 12
FILE = "cli-candidates.json"
ADVICE = "Give the whole name: `comity search … --json` prints it."

_RANK = re.compile(r"[0-9]{1,2}")
_PREFIX = re.compile(r"[0-9a-f]{4,64}")
_WHOLE = 64


def remember(home: Path, search: str, candidates: Sequence[str]) -> None:
    """Keep the names of one search's candidates, by rank."""
    kept = _read(home)
    kept.pop(search, None)
    kept[search] = list(candidates)
    newest = dict(list(kept.items())[-SEARCHES_KEPT:])
    descriptor, name = tempfile.mkstemp(dir=home, prefix=f".{FILE}.")
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump(newest, file)
    Path(name).replace(home / FILE)


def whole(home: Path, search: str, said: str) -> str:
    """Return a candidate's whole name for its rank, its first digits or itself. Raises InvalidInput."""
    if _PREFIX.fullmatch(said) and len(said) == _WHOLE:
        return said
    names = _read(home).get(search, [])
    if _RANK.fullmatch(said):
        found = names[int(said) - 1 : int(said)] if int(said) else []
    else:
        found = [name for name in names if _PREFIX.fullmatch(said) and name.startswith(said)]
    if len(found) != 1:
        raise InvalidInput(f"No candidate of this search is known here as {said!r:.70}.", advice=ADVICE)
    return found[0]


def _read(home: Path) -> dict[str, list[str]]:
    try:
        kept = json.loads((home / FILE).read_text(encoding="ascii"))
        return {str(search): [str(name) for name in names] for search, names in kept.items()}
    except (OSError, ValueError, AttributeError, TypeError):  # absent, or not ours: the whole names work without it
        return {}
