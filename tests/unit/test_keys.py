"""Which public keys may be registered."""

from __future__ import annotations

import pytest

from comity.wire import curve
from comity.wire.keys import refuse_key
from comity.wire.signing import SigningKey

KEY, OTHER = SigningKey.from_bytes(bytes(range(32))), SigningKey.from_bytes(bytes(range(1, 33)))
KNOWN = [("lakeside-2026", OTHER.public_bytes)]


def why(kid: str, public_key: bytes) -> str | None:
    refusal = refuse_key(kid, public_key, KNOWN)
    return None if refusal is None else refusal.reason


@pytest.mark.parametrize("kid", [KEY.kid, "lakeside-2027", "did:web:x#1"])
def test_a_new_key_is_taken_under_its_thumbprint_or_an_id_of_its_own(kid: str) -> None:
    assert why(kid, KEY.public_bytes) is None


@pytest.mark.parametrize("octets", sorted(curve.SMALL_ORDER), ids=bytes.hex)
def test_a_key_that_proves_nothing_is_refused(octets: bytes) -> None:
    assert why("k", octets) == "weak-key"


@pytest.mark.parametrize("kid", [OTHER.kid, "A" * 43, "", "x" * 129, "a\nb", "\u00e4"])
def test_a_key_cannot_bear_anothers_thumbprint_or_an_id_that_cannot_be_read(kid: str) -> None:
    assert why(kid, KEY.public_bytes) == "key-id"


def test_an_id_and_a_key_are_registered_once() -> None:
    assert why("lakeside-2026", KEY.public_bytes) == "key-known"
    assert why("lakeside-2027", OTHER.public_bytes) == "key-known"
    assert why(OTHER.kid, OTHER.public_bytes) == "key-known"
