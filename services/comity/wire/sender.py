"""Whose key signed an entry, told from its bytes alone, whatever else is wrong with them: so that a refusal reaches its sender.

Nothing is decided by this but whom to tell. So the header is read as leniently as can be, an attached or unencoded payload is
tried too, and a revoked key counts; but nobody is told of what another signed.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Protocol, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from comity.domain.log import Entry
from comity.wire.curve import KEY_BYTES
from comity.wire.limits import ID_CHARS_MAX
from comity.wire.signing import TOKEN_CHARS_MAX

SIGNATURE_BYTES = 64
TOKENS_TRIED_MAX = 2  # of doubled signatures
KEYS_TRIED_MAX = 16  # where the one that is named is not registered: 0.1 ms each
GUESSED_BYTES_MAX = 64 * 1024  # of a value whose key is guessed at; orders and grants are smaller


class PublicKey(Protocol):
    """A registered key, as far as it matters here."""

    @property
    def party(self) -> str:
        """Whom it speaks for."""

    @property
    def public_key(self) -> bytes:
        """Its 32 bytes."""


KeyT = TypeVar("KeyT", bound=PublicKey)


def signer_of(entry: Entry, keys: Mapping[str, KeyT]) -> KeyT | None:
    """Return the key, of all ever registered (by their ids), whose signature stands over this value; None where none is told."""
    if entry.value is None:
        return None
    for token in islice(_tokens(entry), TOKENS_TRIED_MAX):
        header, signature = _segments(token)
        if len(signature) != SIGNATURE_BYTES:
            continue
        tried = _candidates(header, entry, keys)
        found = next((key for key in tried if _fits(header, signature, entry.value, key.public_key)), None)
        if found is not None:
            return found
    return None


def said_id(entry: Entry) -> str | None:
    """Return the id that the sender gave the event, as far as it can be read; it is not proven by the signature."""
    octets = next((octets or b"" for name, octets in entry.headers if name.lower() == "ce_id"), b"")
    own = octets.decode("utf-8", "replace")[:ID_CHARS_MAX]
    return own if own and own.isprintable() else None


def _tokens(entry: Entry) -> Iterator[str]:
    for name, octets in entry.headers:
        if name.lower() == "jws" and octets is not None and len(octets) <= TOKEN_CHARS_MAX:
            yield octets.decode("ascii", "replace")


def _segments(token: str) -> tuple[str, bytes]:
    """Return the protected header as it stands, and the signature's bytes (none where there are none)."""
    header, _, rest = token.partition(".")
    return header, _decoded(rest.rpartition(".")[2])


def _decoded(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
    except ValueError:
        return b""


def _candidates(header: str, entry: Entry, keys: Mapping[str, KeyT]) -> Iterator[KeyT]:
    """Return the key that the header names, else a few: those of parties that the entry's source names come first."""
    named = keys.get(_kid(header))
    if named is not None:
        yield named
    if len(entry.value or b"") > GUESSED_BYTES_MAX:
        return
    source = next((octets or b"" for name, octets in entry.headers if name.lower() == "ce_source"), b"")
    hinted = [key for key in keys.values() if key.party.encode() in source]
    yield from islice((*hinted, *(key for key in keys.values() if key not in hinted)), KEYS_TRIED_MAX)


def _kid(header: str) -> str:
    try:
        members = json.loads(_decoded(header))
    except (ValueError, RecursionError):
        return ""
    kid = members.get("kid") if isinstance(members, dict) else None
    return kid if isinstance(kid, str) else ""


def _fits(header: str, signature: bytes, value: bytes, public_key: bytes) -> bool:
    if len(public_key) != KEY_BYTES:
        return False
    key, before = Ed25519PublicKey.from_public_bytes(public_key), f"{header}.".encode()
    for payload in (urlsafe_b64encode(value).rstrip(b"="), value):  # as RFC 7515 has it, and RFC 7797
        try:
            key.verify(signature, before + payload)
        except InvalidSignature:
            continue
        return True
    return False
