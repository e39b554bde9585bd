"""Signatures of entries: Ed25519 as a detached JWS over the exact value bytes (RFC 7515 appendix F, RFC 8037, RFC 9864).

Not ``b64=false`` (RFC 7797): joserfc decodes such a payload as text and fails on Avro bytes.
"""

from __future__ import annotations

import json
import os
import re
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from comity.domain.ids import KeyId

ALGORITHM = "Ed25519"
KEY_BYTES = 32  # seed and public key alike (RFC 8032 §5.1.5)

# Two members, a thumbprint and a signature take about 190 characters; the rest is room for another writer's spaces.
TOKEN_CHARS_MAX = 320
KEYS_CACHED = 1_024  # parties' public keys: some agencies hold two during a rotation

_KID = re.compile(r"[A-Za-z0-9_-]{43}")  # SHA-256, base64url without padding
_SIGNATURE = re.compile(r"[A-Za-z0-9_-]{85}[AQgw]")  # 64 bytes: another last character would be a second spelling
_HEADER = re.compile(r"[A-Za-z0-9_-]+")


class BadSignature(ValueError):
    """The signature is malformed, of another kind, or not by this key over these bytes."""


class SigningKey:
    """A private Ed25519 key. Its representation shows the key id alone."""

    __slots__ = ("_key", "_private", "kid", "public_bytes")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public_bytes = private.public_key().public_bytes_raw()
        self.kid = key_id(self.public_bytes)
        self._key = OKPKey.import_key(
            {"kty": "OKP", "crv": "Ed25519", "x": _b64(self.public_bytes), "d": _b64(private.private_bytes_raw())}
        )

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

    def sign(self, value: bytes) -> str:
        """Return the detached JWS ``header..signature`` over these bytes (RFC 7515 appendix F)."""
        header = {"alg": ALGORITHM, "kid": str(self.kid)}
        return jws.detach_content(jws.serialize_compact(header, value, self._key, algorithms=[ALGORITHM]))

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
    return KeyId(_public(public_key).thumbprint())


def kid_of(detached: str) -> KeyId:
    """Return the key id that a signature names, unverified; raises BadSignature for a malformed one."""
    if len(detached) > TOKEN_CHARS_MAX:
        raise BadSignature(f"a signature has at most {TOKEN_CHARS_MAX} characters")
    segments = detached.split(".")
    if len(segments) != 3:  # noqa: PLR2004 - header, payload, signature
        raise BadSignature("a compact JWS has three segments")
    header, payload, signature = segments
    if payload:
        # joserfc would verify the attached bytes and ignore ours.
        raise BadSignature("the payload is attached: detach it")
    if not _SIGNATURE.fullmatch(signature):
        raise BadSignature("an Ed25519 signature is 86 base64url characters")
    return _kid(header)


def verify(detached: str, value: bytes, public_key: bytes) -> None:
    """Check a detached signature over these exact bytes by this public key (32 bytes).

    Raises BadSignature: another algorithm, an unknown header member, an attached payload, another key's id, other bytes.
    """
    kid = kid_of(detached)
    try:
        key = _public(public_key)
        if kid != key.thumbprint():
            raise BadSignature("the signature names another key")
        jws.deserialize_compact(detached, key, algorithms=[ALGORITHM], payload=value)
    except JoseError as error:
        raise BadSignature("the signature is not by this key over these bytes") from error


def _kid(header: str) -> KeyId:
    """Read a protected header of exactly ``alg`` and ``kid``: what nobody reads must not be signed either."""
    if not _HEADER.fullmatch(header):
        raise BadSignature("the header is not base64url")
    try:
        members = json.loads(urlsafe_b64decode(header + "=" * (-len(header) % 4)), object_pairs_hook=list)
    except (ValueError, RecursionError) as error:
        raise BadSignature("the header is not JSON") from error
    # A list of pairs, not a dict: a doubled member would hide there.
    if not isinstance(members, list) or not all(isinstance(pair, tuple) for pair in members):
        raise BadSignature("the header is not a JSON object")
    if sorted(name for name, _ in members) != ["alg", "kid"]:
        raise BadSignature("the header holds exactly alg and kid")
    found = dict(members)
    if found["alg"] != ALGORITHM:
        raise BadSignature(f"the algorithm is not {ALGORITHM}")
    kid = found["kid"]
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise BadSignature("kid is no JWK thumbprint")
    return KeyId(kid)


@lru_cache(maxsize=KEYS_CACHED)
def _public(public_key: bytes) -> OKPKey:
    if len(public_key) != KEY_BYTES:
        raise ValueError(f"an Ed25519 public key has {KEY_BYTES} bytes")
    return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": _b64(public_key)})


def _b64(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
