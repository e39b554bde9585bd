"""Which public keys may be registered: one key speaks for one party, under one id, and proves something."""

from __future__ import annotations

from collections.abc import Iterable

from comity.domain.authority import Refusal
from comity.wire.curve import is_public_key
from comity.wire.signing import checked_kid

KEY_KNOWN = "key-known"


def refuse_key(kid: str, public_key: bytes, known: Iterable[tuple[str, bytes]]) -> Refusal | None:
    """Return why this key may not be registered under this id, or None. ``known``: every key ever registered, revoked ones too.

    A revoked key stays known: whoever stole it may still sign.
    """
    if not is_public_key(public_key):
        return Refusal("weak-key", "This is no Ed25519 public key that proves anything: make one with your library's generator.")
    try:
        checked_kid(kid, public_key)
    except ValueError as error:
        return Refusal("key-id", f"The key cannot bear this id: {error}.")
    for held_kid, held_key in known:
        if held_key == public_key:
            return Refusal(KEY_KNOWN, "This key is registered already: a key speaks for one party, under one id. Make a new key.")
        if held_kid == kid:
            return Refusal(KEY_KNOWN, "Another key bears this id: give the key another one, or none.")
    return None
