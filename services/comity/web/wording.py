"""What is wrong with a field, in our own words: the library's speak of schemas, and repeat what was sent.

A sentence is chosen by the kind of the error, and filled with our own limits and forms alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comity.domain.ids import ORI_FORM, ORI_WORDS, PARTY_FORM, PARTY_WORDS

OTHER = "It has not the form described."
NO_TIME = "It is no time with its zone, such as 2026-03-01T14:05:00-06:00."
WHOLE, NUMBER, TEXT, LIST, OBJECT = "a whole number", "a number", "a text", "a list", "an object"

_FORMS = {  # by pattern: people read words and an example, never the expression; a test holds every one that routes ask for
    rf"^{ORI_FORM}$": ORI_WORDS,
    rf"^{PARTY_FORM}$": PARTY_WORDS,
    r"^[A-Za-z0-9+/]{43}=$": "32 bytes in base64: 43 letters, digits, + or /, and = at the end.",
    r"^[0-9a-f]{24}$": "24 digits or letters from a to f, as it was printed.",
    r"^[0-9a-f]{32}$": "32 digits or letters from a to f, as it was issued, such as 5f0c3a1e9d7b4c2f8a6e0d1b3c5a7f92.",
    r"^[0-9a-f]{64}$": "64 digits or letters from a to f, without a space.",
    r"^m-[0-9a-f]{12}$": "m- and 12 digits or letters from a to f, such as m-0123456789ab.",
    r"^[!-~]{1,64}$": "1 to 64 plain characters (ASCII) without a space, as it was printed.",
    r"^[!-~]{1,128}$": "1 to 128 plain characters (ASCII) without a space, as it was printed.",
    r"^[!-~]{8,128}$": "8 to 128 plain characters (ASCII) without a space, such as 7d3c1f0e-import-0417.",
    r"^[!-~]([ -~]{0,126}[!-~])?$": "1 to 128 plain characters (ASCII), without a space at either end, as it was told.",
}
_LIMITS = {
    "string_too_short": "It has fewer than {min_length} characters.",
    "string_too_long": "It has more than {max_length} characters.",
    "bytes_too_short": "It has fewer than {min_length} bytes.",
    "bytes_too_long": "It has more than {max_length} bytes.",
    "too_short": "It has fewer than {min_length} parts.",
    "too_long": "It has more than {max_length} parts.",
    "enum": "It is none of: {expected}.",
    "literal_error": "It is none of: {expected}.",
    "greater_than": "It is not greater than {gt}.",
    "greater_than_equal": "It is less than {ge}.",
    "less_than": "It is not less than {lt}.",
    "less_than_equal": "It is greater than {le}.",
}
_KINDS = {
    "missing": "It is missing.",
    "extra_forbidden": "Nothing of this name is asked for.",
    "json_invalid": "It is no JSON.",
    "json_type": "It is no JSON.",
    "timezone_aware": NO_TIME,
}
_FAMILIES = {  # by the first word of the error's kind, as in `int_parsing`
    "int": f"It is not {WHOLE}.",
    "float": f"It is not {NUMBER}.",
    "finite": f"It is not {NUMBER}.",
    "bool": "It is neither true nor false.",
    "string": f"It is not {TEXT}.",
    "list": f"It is not {LIST}.",
    "tuple": f"It is not {LIST}.",
    "dict": f"It is not {OBJECT}.",
    "mapping": f"It is not {OBJECT}.",
    "model": f"It is not {OBJECT}.",
    "datetime": NO_TIME,
    "date": NO_TIME,
}


def sentence(error: Mapping[str, Any]) -> str:
    """Return what is wrong, for an error of pydantic's; of what was sent nothing comes back."""
    kind = str(error["type"])
    if kind == "string_pattern_mismatch":
        words = _FORMS.get(str(error.get("ctx", {}).get("pattern")))
        return f"It has not the form: {words}" if words else OTHER
    if kind in _LIMITS:
        try:
            return _LIMITS[kind].format(**error.get("ctx", {}))
        except KeyError:
            return OTHER
    return _KINDS.get(kind) or _FAMILIES.get(kind.partition("_")[0], OTHER)
