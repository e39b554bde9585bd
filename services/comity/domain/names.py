"""Names that are registered, of parties and of people: shown as they are, so none may steer a page or speak for the exchange."""

from __future__ import annotations

import unicodedata

NAME_CHARS_MAX = 200
# What speaks for the exchange itself, in entries, on pages or in a message to a person.
RESERVED = frozenset(
    {
        "administrator",
        "admin",
        "anybody",
        "auditor",
        "clock",
        "comity",
        "encoder",
        "exchange",
        "nobody",
        "operator",
        "root",
        "system",
    }
)
# Control, format (bidi, zero width), surrogate, private use, unassigned; line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def fault(name: str) -> str | None:
    """Return what is wrong with a name, as the end of a sentence that begins with "A name"; None where nothing is."""
    if not name.strip() or len(name) > NAME_CHARS_MAX:
        return f"has 1 to {NAME_CHARS_MAX} characters"
    if any(unicodedata.category(char) in _UNSEEN for char in name):
        return "has no control characters, and none that change the direction of writing or cannot be seen"
    if name != name.strip() or "  " in name:
        return "has single blanks, and none around it"
    return None


def is_reserved(name: str) -> bool:
    """Say whether a name, or an id, speaks for the exchange itself: whatever its case, its width or its separators."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(char for char in folded if char.isalnum()) in RESERVED
