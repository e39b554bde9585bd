"""Signatures of entries: Ed25519 as a detached JWS over the exact value bytes (RFC 7515 appendix F, RFC 8037, RFC 9864).

The header is read here and by nothing else, so that no two readers can differ about it: what RFC 7515 lets anybody add is passed
over, what would change the meaning of the bytes is refused. ``cryptography`` verifies. A test keeps other libraries' tokens.
"""

from __future__ import annotations

import json
import os
import re
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc.jwk import OKPKey

from comity.domain.ids import KeyId
from comity.wire.curve import KEY_BYTES, KEYS_CACHED, SMALL_ORDER, is_public_key

ALGORITHM = "Ed25519"
ALGORITHMS = (ALGORITHM, "EdDSA")  # RFC 8037's older name for the same signature; with this kind of key it is unambiguous

# A header of ours takes 180 characters. Another's may hold its public key, or a certificate of some 600 bytes.
TOKEN_CHARS_MAX = 4_096
KID_CHARS_MAX = 128
OTHER_EXCHANGE = "other-exchange"  # the reason of what was signed for another exchange, or for none

_KID = re.compile(r"[!-~]([ -~]*[!-~])?")  # printable ASCII, no space around it
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")  # SHA-256, base64url without padding
_SIGNATURE = re.compile(r"[A-Za-z0-9_-]{85}[AQgw]")  # 64 bytes: another last character would be a second spelling
_HEADER = re.compile(r"[A-Za-z0-9_-]+")


class BadSignature(ValueError):
    """The signature is malformed, of another kind, or not by this key over these bytes; the message says what to change."""


class OtherExchange(BadSignature):
    """The signature is good, and for another exchange or for none."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a protected header says that is read: whose key it names, and for which exchanges. Proven by ``verify`` alone."""

    kid: KeyId
    audience: tuple[str, ...]


class SigningKey:
    """A private Ed25519 key. Its representation shows the key id alone."""

    __slots__ = ("_private", "kid", "public_bytes")

    def __init__(self, private: Ed25519PrivateKey, kid: str | None = None) -> None:
        self._private = private
        self.public_bytes = private.public_key().public_bytes_raw()
        self.kid = key_id(self.public_bytes) if kid is None else checked_kid(kid, self.public_bytes)

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.kid!r})"

    def __reduce__(self) -> str:
        raise TypeError("a signing key is not pickled: use save()")

    @classmethod
    def generate(cls) -> Self:
        """Return a new key from the system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_bytes(cls, seed: bytes) -> Self:
        """Return the key of this seed (32 bytes, RFC 8032); raises ValueError for another length."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    def to_bytes(self) -> bytes:
        """Return the seed (32 bytes): as secret as the key."""
        return self._private.private_bytes_raw()

    def named(self, kid: str) -> Self:
        """Return the same key under the id that it was registered under; raises ValueError for one that it cannot bear."""
        return type(self)(self._private, kid)

    def sign(self, value: bytes, audience: str) -> str:
        """Return the detached JWS ``header..signature`` over these bytes (RFC 7515 appendix F), good at one exchange alone."""
        members = {"alg": ALGORITHM, "kid": str(self.kid), "aud": audience}
        header = _b64(json.dumps(members, separators=(",", ":")).encode())
        return f"{header}..{_b64(self._private.sign(_signed(header, value)))}"

    def save(self, path: Path) -> None:
        """Write the key as PEM (PKCS #8, RFC 8410), readable by its owner alone; raises FileExistsError."""
        pem = self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a key that ``save`` wrote; raises ValueError where others may read it or it is another kind of key."""
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise ValueError(f"others may read {path}: chmod 600 it, and consider the key stolen")
            private = serialization.load_pem_private_key(file.read(), password=None)
        if not isinstance(private, Ed25519PrivateKey):
            raise ValueError(f"{path} holds no Ed25519 key")  # noqa: TRY004 - a wrong file, not a wrong type in a program
        return cls(private)


def key_id(public_key: bytes) -> KeyId:
    """Return a public key's id: its JWK thumbprint (RFC 7638, RFC 8037 §2; SHA-256, base64url).

    Raises ValueError unless the key has 32 bytes.
    """
    return KeyId(_thumbprint(public_key))


def checked_kid(kid: str, public_key: bytes) -> KeyId:
    """Return the id that a party gave its own key; raises ValueError for one out of form, or of the form of another's."""
    if len(kid) > KID_CHARS_MAX or not _KID.fullmatch(kid):
        raise ValueError(f"a key id has 1 to {KID_CHARS_MAX} printable ASCII characters, and no space around it")
    if _THUMBPRINT.fullmatch(kid) and kid != key_id(public_key):
        raise ValueError("a key id of the form of a thumbprint is the key's own thumbprint (RFC 7638)")
    return KeyId(kid)


def header_of(detached: str) -> Header:
    """Read a signature's form and its header, unverified; raises BadSignature, and nothing else, for a malformed one."""
    if len(detached) > TOKEN_CHARS_MAX:
        raise BadSignature(f"a signature has at most {TOKEN_CHARS_MAX} characters: leave certificates out of its header")
    segments = detached.split(".")
    if len(segments) != 3:  # noqa: PLR2004 - header, payload, signature
        raise BadSignature("a compact JWS has three segments, the second one empty: header..signature")
    header, payload, signature = segments
    if payload:
        raise BadSignature("the payload is attached: take out what stands between the two dots")
    if not _SIGNATURE.fullmatch(signature):
        raise BadSignature("an Ed25519 signature is 86 base64url characters without padding")
    return _header(header)


def verify(detached: str, value: bytes, public_key: bytes, audience: str) -> None:
    """Check a detached signature over these exact bytes by this public key (32 bytes), for this exchange.

    Raises OtherExchange where the signature is good elsewhere, else BadSignature. Which key it must be is the caller's to know,
    by the id that ``header_of`` read.
    """
    if len(public_key) != KEY_BYTES:
        raise ValueError(f"an Ed25519 public key has {KEY_BYTES} bytes")
    said = header_of(detached)
    header, _, signature = detached.split(".")
    octets = urlsafe_b64decode(signature + "==")
    # OpenSSL refuses a second spelling of S, and of R since it compares bytes; it takes weak keys and an R of small order.
    if not is_public_key(public_key) or octets[:KEY_BYTES] in SMALL_ORDER:
        raise BadSignature("a key or a signature that proves nothing: make another with your library's own generator")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(octets, _signed(header, value))
    except InvalidSignature:
        raise BadSignature("the signature is not by this key over these bytes") from None
    if not audience or audience not in said.audience:
        named = "for another exchange" if said.audience else "for no exchange"
        raise OtherExchange(f"this was signed {named}: put the id that GET /intake/v1/exchange tells as aud into the header")


def _signed(header: str, value: bytes) -> bytes:
    return f"{header}.{_b64(value)}".encode()


def members_of(header: str) -> dict[str, Any]:
    """Return a protected header's members, unverified; raises BadSignature for another algorithm, or what changes its meaning.

    Everything else that it holds is passed over, of whatever type: nobody else here may read it.
    """
    members = _members(header)
    for name in ("crit", "b64"):
        if name in members:
            raise BadSignature(f"the header holds {name}: sign the base64url payload (RFC 7515), then detach it")
    if members.get("alg") not in ALGORITHMS:
        raise BadSignature(f"the algorithm is not {ALGORITHM}, nor its older name EdDSA: sign with an Ed25519 key")
    return members


def _header(header: str) -> Header:
    members = members_of(header)
    kid = members.get("kid")
    if not isinstance(kid, str):
        raise BadSignature("the header names no key: put the id that the key was registered under as kid")
    if len(kid) > KID_CHARS_MAX or not _KID.fullmatch(kid):
        raise BadSignature(f"kid has 1 to {KID_CHARS_MAX} printable ASCII characters: put the key's registered id")
    return Header(KeyId(kid), _audience(members.get("aud", [])))


def _audience(said: object) -> tuple[str, ...]:
    """Return whom a signature is for: one string or several, as RFC 7519 §4.1.3 has it."""
    named = [said] if isinstance(said, str) else said
    if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
        raise BadSignature("aud is the exchange's id, or a list that holds it")
    return tuple(named)


def _members(header: str) -> dict[str, Any]:
    """Read a protected header's JSON as RFC 7515 §4 says: UTF-8, an object, no name twice."""
    if not _HEADER.fullmatch(header):
        raise BadSignature("the header is not base64url without padding")
    try:
        text = urlsafe_b64decode(header + "=" * (-len(header) % 4)).decode("utf-8")
        members = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except BadSignature:
        raise
    except (ValueError, RecursionError):
        raise BadSignature("the header is not JSON in UTF-8") from None
    if not isinstance(members, dict):
        raise BadSignature("the header is not a JSON object")
    return members


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise BadSignature("the header holds a member twice: leave one")
    return members


def _no_constant(name: str) -> NoReturn:
    raise BadSignature(f"{name} is not JSON")


@lru_cache(maxsize=KEYS_CACHED)
def _thumbprint(public_key: bytes) -> str:
    if len(public_key) != KEY_BYTES:
        raise ValueError(f"an Ed25519 public key has {KEY_BYTES} bytes")
    return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": _b64(public_key)}).thumbprint()


def _b64(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
