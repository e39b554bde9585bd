"""Sealing: AES-256-GCM for contents, HMAC-SHA-256 for blind indexes and record ids, salted commitments. Pure, no I/O.

Every use of a key is separated from every other by a domain string, so that no output of one can serve as another.
"""

from __future__ import annotations

import hmac
import os
import unicodedata
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from comity.domain.entries import BlindIndex, IndexKind
from comity.domain.ids import RecordId

KEY_BYTES = 32
NONCE_BYTES = 12  # 96 bits, random: safe up to 2**32 seals under one key (NIST SP 800-38D §8.3); a record's key makes a dozen
TAG_BYTES = 16
SALT_BYTES_MIN = 16
NUMBER_CHARS_MAX = 128  # the longest case numbers have some 40 characters, a photograph's digest 64

_INDEX_DOMAIN = b"comity.v1/blind-index/"
_RECORD_DOMAIN = b"comity.v1/record-id\0"
_COMMITMENT_DOMAIN = b"comity.v1/commitment\0"
_CHECK_DOMAIN = b"comity.v1/key-check\0"
_RECORD_BYTES = 16
_MINUS = "\N{MINUS SIGN}"  # people type it for a hyphen, Unicode does not count it as one


class Unsealable(ValueError):
    """The key, the context or the bytes are not the ones that were sealed; which of them, nobody can tell."""


def new_key() -> bytes:
    """Return a new 32-byte key from the system's randomness."""
    return os.urandom(KEY_BYTES)


def seal(key: bytes, plaintext: bytes, *, context: bytes) -> bytes:
    """Encrypt and authenticate: ``nonce || ciphertext || tag`` (AES-256-GCM, NIST SP 800-38D), 28 bytes longer.

    ``context`` is authenticated, not stored: what is sealed for one place cannot be opened in another.
    Raises ValueError unless the key has 32 bytes.
    """
    nonce = os.urandom(NONCE_BYTES)
    return nonce + _aead(key).encrypt(nonce, plaintext, context)


def unseal(key: bytes, ciphertext: bytes, *, context: bytes) -> bytes:
    """Return what was sealed under this key for this context; raises Unsealable, and ValueError unless the key has 32 bytes."""
    aead = _aead(key)
    if len(ciphertext) < NONCE_BYTES + TAG_BYTES:
        raise Unsealable("too short to have been sealed")
    try:
        return aead.decrypt(ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:], context)
    except InvalidTag:
        # Not chained: nothing in it helps, and every cause must look alike.
        raise Unsealable("not sealed with this key for this context") from None


def normalise_number(text: str) -> str:
    """Return a number's one spelling: NFKC, upper case, without spaces, hyphens and invisible characters.

    A seal finds its record by this spelling, so ``24-cf 0012`` and ``24CF0012`` must be one.
    Raises ValueError where nothing is left, it is over 128 characters, or it holds a control character.
    """
    if len(text) > 2 * NUMBER_CHARS_MAX:  # before any work on it
        raise ValueError(f"a number has at most {NUMBER_CHARS_MAX} characters")
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).upper())
    kept = "".join(character for character in folded if not _is_spacing(character))
    kept = unicodedata.normalize("NFKC", kept)  # an accent may have met its letter only now
    if not kept:
        raise ValueError("a number holds at least one letter or digit")
    if len(kept) > NUMBER_CHARS_MAX:
        raise ValueError(f"a number has at most {NUMBER_CHARS_MAX} characters")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in kept):
        raise ValueError("a number holds no control characters")
    return kept


def blind_index(key: bytes, kind: IndexKind, text: str, key_version: int) -> BlindIndex:
    """Return the keyed tag of a number: HMAC-SHA-256 (RFC 2104), apart by kind.

    The text is normalised here too: a caller that forgets would make an order which finds nothing.
    Raises ValueError for a number or a key that cannot be used.
    """
    message = _INDEX_DOMAIN + kind.value.encode("ascii") + b"\0" + normalise_number(text).encode()
    return BlindIndex(kind=kind, key_version=key_version, tag=_mac(key, message).hex())


def record_id(index_key: bytes, booking_number: str) -> RecordId:
    """Return a booking's record id: 128 bits of HMAC under the agency's index key, in hex; the same number, the same id."""
    message = _RECORD_DOMAIN + normalise_number(booking_number).encode()
    return RecordId(_mac(index_key, message)[:_RECORD_BYTES].hex())


def key_check(key: bytes, name: str) -> bytes:
    """Return a value by which a key is known again and which tells nothing of it: HMAC-SHA-256, apart from every other use."""
    return _mac(key, _CHECK_DOMAIN + name.encode())


def commitment(salt: bytes, record: RecordId, rank: int | None = None) -> bytes:
    """Return the salted SHA-256 (32 bytes) that binds a candidate without naming it; ``rank`` binds its place as well.

    Raises ValueError unless the salt has at least 16 bytes: with fewer, all record ids could be tried.
    """
    if len(salt) < SALT_BYTES_MIN:
        raise ValueError(f"a salt has at least {SALT_BYTES_MIN} bytes")
    place = b"" if rank is None else rank.to_bytes(4, "big")
    parts = (salt, record.encode("ascii"), place)
    return sha256(_COMMITMENT_DOMAIN + b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


def _is_spacing(character: str) -> bool:
    return character.isspace() or character == _MINUS or unicodedata.category(character) in ("Pd", "Cf", "Zs", "Zl", "Zp")


def _aead(key: bytes) -> AESGCM:
    if len(key) != KEY_BYTES:  # AESGCM would take AES-128 as well
        raise ValueError(f"a key has {KEY_BYTES} bytes")
    return AESGCM(key)


def _mac(key: bytes, message: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes")
    return hmac.digest(key, message, "sha256")
