"""A machine's assertion: a short-lived JWT (RFC 7523) that its own Ed25519 key signs, to be exchanged for a session.

It names who asks (``iss`` and ``sub``: the machine's id), which exchange it is for (``aud``: the exchange's id), until when it is
good (``exp``: five minutes at most) and itself (``jti``: it is taken once). Nothing of it is believed before its signature is.
"""

from __future__ import annotations

import json
import re
import secrets
import warnings
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import OKPKey

from comity.domain.ids import UserId
from comity.wire.signing import ALGORITHMS, SigningKey, members_of

LASTS_SECONDS_MAX = 300  # from now to exp: what is caught on its way is soon good for nothing
LASTS_SECONDS = 60  # of our own
LEEWAY_SECONDS = 30  # between two machines' clocks
CHARS_MAX = 4_096
FORGED = "the signature is not by this machine's key"  # unknown and revoked ones are answered the same

# With an Ed25519 key the older name means the same signature, and most senders' libraries know no other.
warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)

_MACHINE = re.compile(r"m-[0-9a-f]{12}")
_JTI = re.compile(r"[!-~]{8,128}")
_COMPACT = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}")


class BadAssertion(ValueError):
    """The assertion is malformed, of another kind, late, for another exchange, or not by this key; the message says which."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a verified assertion says: its own id, and until when it must be remembered as used."""

    jti: str
    until: float


def make(machine: UserId, audience: str, key: SigningKey, now: float) -> str:
    """Return a new assertion of this machine's for the exchange of this id."""
    claims = {
        "iss": machine,
        "sub": machine,
        "aud": audience,
        "iat": int(now),
        "exp": int(now) + LASTS_SECONDS,
        "jti": secrets.token_urlsafe(16),
    }
    private = _key(key.public_bytes, key.to_bytes())
    return jwt.encode({"alg": ALGORITHMS[0], "kid": key.kid}, claims, private, algorithms=list(ALGORITHMS))


def machine_of(text: str) -> UserId:
    """Return whose assertion this says it is, so that its key can be looked up. Raises BadAssertion."""
    if len(text) > CHARS_MAX or not _COMPACT.fullmatch(text):
        raise BadAssertion("it is no compact JWT")
    try:
        body = text.split(".")[1]
        claims = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, RecursionError):
        raise BadAssertion("its claims are no JSON") from None
    said = claims.get("iss") if isinstance(claims, Mapping) else None
    if not isinstance(said, str) or not _MACHINE.fullmatch(said):
        raise BadAssertion("iss is no machine's id")
    return UserId(said)


def verified(text: str, machine: UserId, public_key: bytes, audience: str, now: float) -> Assertion:
    """Return what an assertion says, once its signature, and all that it must say, was checked. Raises BadAssertion."""
    claims = _claims(text, public_key)
    until = _until(claims, now)
    if claims.get("iss") != machine or claims.get("sub") != machine:
        raise BadAssertion("iss and sub are not both this machine's id")
    named = claims.get("aud")
    if audience not in (named if isinstance(named, list) else [named]):
        raise BadAssertion("aud is another exchange than this: GET /intake/v1/exchange tells its id")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not _JTI.fullmatch(jti):
        raise BadAssertion("jti is missing, or has not 8 to 128 characters")
    return Assertion(jti, until)


def _claims(text: str, public_key: bytes) -> dict[str, Any]:
    """Return the claims, once the signature over them was checked. Raises BadAssertion.

    The header is read as that of an entry's signature is, before the library sees it; which trips over members of other types.
    """
    try:
        members_of(text.partition(".")[0])
        return dict(jwt.decode(text, _key(public_key), algorithms=list(ALGORITHMS)).claims)
    except (JoseError, ValueError):
        raise BadAssertion(FORGED) from None


def _until(claims: Mapping[str, Any], now: float) -> float:
    ends, begins = claims.get("exp"), claims.get("nbf", 0)
    if not isinstance(ends, int | float) or not isinstance(begins, int | float):
        raise BadAssertion("exp is missing, or a time is no number")
    if not now - LEEWAY_SECONDS < ends <= now + LASTS_SECONDS_MAX + LEEWAY_SECONDS:
        raise BadAssertion(f"exp is not within the next {LASTS_SECONDS_MAX} seconds")
    if begins > now + LEEWAY_SECONDS:
        raise BadAssertion("nbf is still to come")
    return float(ends) + LEEWAY_SECONDS


def _key(public_key: bytes, private: bytes | None = None) -> OKPKey:
    held: dict[str, str | list[str]] = {"kty": "OKP", "crv": "Ed25519", "x": _b64(public_key)}
    return OKPKey.import_key(held if private is None else {**held, "d": _b64(private)})


def _b64(octets: bytes) -> str:
    return urlsafe_b64encode(octets).decode().rstrip("=")
