"""A machine's assertion: what it must say, and what nobody believes."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt

from comity.domain.ids import UserId
from comity.wire import assertion
from comity.wire.signing import SigningKey

NOW = 1_700_000_000.0
ME, EXCHANGE = UserId("m-0123456789ab"), "x-1"
KEY = SigningKey.generate()
CLAIMS: dict[str, Any] = {"iss": ME, "sub": ME, "aud": EXCHANGE, "exp": int(NOW) + 60, "jti": "an-id-of-its-own"}


def signed(claims: dict[str, Any], key: SigningKey = KEY, algorithm: str = "EdDSA") -> str:
    private = assertion._key(key.public_bytes, key.to_bytes())
    return jwt.encode({"alg": algorithm}, claims, private, algorithms=[algorithm])


def read(text: str, **changed: Any) -> assertion.Assertion:  # noqa: ANN401
    said: dict[str, Any] = {"machine": ME, "public_key": KEY.public_bytes, "audience": EXCHANGE, "now": NOW, **changed}
    return assertion.verified(text, **said)


def test_our_own_is_read_and_so_is_another_librarys() -> None:
    own = assertion.make(ME, EXCHANGE, KEY, NOW)
    assert assertion.machine_of(own) == ME
    assert read(own).until == NOW + assertion.LASTS_SECONDS + assertion.LEEWAY_SECONDS
    assert read(own).jti != read(assertion.make(ME, EXCHANGE, KEY, NOW)).jti
    for algorithm in ("EdDSA", "Ed25519"):
        assert read(signed(CLAIMS, algorithm=algorithm)).jti == CLAIMS["jti"]
    assert read(signed(CLAIMS | {"aud": ["y", EXCHANGE]})).jti


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"aud": "x-2"}, "aud"),
        ({"aud": None}, "aud"),
        ({"exp": int(NOW) - 60}, "exp"),
        ({"exp": int(NOW) + 3_600}, "exp"),
        ({"exp": None}, "exp"),
        ({"exp": "soon"}, "exp"),
        ({"nbf": int(NOW) + 3_600}, "nbf"),
        ({"sub": "m-ffffffffffff"}, "sub"),
        ({"iss": "m-ffffffffffff"}, "iss"),
        ({"jti": ""}, "jti"),
        ({"jti": 12345678}, "jti"),
        ({"jti": None}, "jti"),
    ],
)
def test_what_it_must_say_is_checked(changed: dict[str, Any], why: str) -> None:
    claims = {name: value for name, value in (CLAIMS | changed).items() if value is not None}
    with pytest.raises(assertion.BadAssertion, match=why):
        read(signed(claims))


def test_another_keys_and_no_signature_are_refused() -> None:
    with pytest.raises(assertion.BadAssertion, match="signature"):
        read(signed(CLAIMS, SigningKey.generate()))
    head, body, _ = signed(CLAIMS).split(".")
    unsigned = "eyJhbGciOiJub25lIn0." + body + "."
    for text in (f"{head}.{body}.AAAA", unsigned):
        with pytest.raises(assertion.BadAssertion):
            read(text)


HEADS = [
    *("[]", "null", "1", '"x"', "{}", "[" * 1_500, '{"alg":' + "[" * 1_500, "not JSON", "\xff"),
    *(f'{{"alg":{alg}}}' for alg in ("1", "[]", "{}", "null", "true", '"none"', '"HS256"', '["EdDSA"]')),
    *(f'{{"alg":"EdDSA","crit":{crit}}}' for crit in ("1", "[]", "[1]", "{}", "null", '"exp"', '["exp"]', '["b64"]', "[[]]")),
    *(f'{{"alg":"EdDSA","b64":{b64}}}' for b64 in ("false", "true", "1", "[]")),
    *('{"alg":"EdDSA","alg":"EdDSA"}', '{"alg":"EdDSA","crit":["b64"],"b64":false}', '{"alg":"EdDSA","exp":NaN}'),
]
OTHERS = [f'"{name}":{value}' for name in ("kid", "typ", "cty", "jwk", "jku", "x5c", "x5u", "zip", "enc", "p2c", "epk")
          for value in ("1", "null", "{}", "[]", "[1]", '[{"kty":1}]', '{"kty":"x"}', '"x"', "1e999")]  # fmt: skip


def by_hand(head: str) -> str:
    """Return a well-signed assertion under this header, whatever is in it."""
    signed_part = f"{assertion._b64(head.encode('latin-1'))}.{assertion._b64(json.dumps(CLAIMS).encode())}"
    private = Ed25519PrivateKey.from_private_bytes(KEY.to_bytes())
    return f"{signed_part}.{assertion._b64(private.sign(signed_part.encode()))}"


def test_a_well_signed_assertion_by_hand_is_read() -> None:
    assert read(by_hand('{"alg":"EdDSA"}')).jti == CLAIMS["jti"]


@pytest.mark.parametrize("head", HEADS)
def test_a_header_that_is_none_or_changes_the_meaning_is_refused(head: str) -> None:
    with pytest.raises(assertion.BadAssertion):
        read(by_hand(head))


@pytest.mark.parametrize("member", OTHERS)
def test_no_member_of_a_header_is_an_unforeseen_error(member: str) -> None:
    """Whether the library takes it or not: whoever signs in learns that it was not taken, and meets no 500."""
    with contextlib.suppress(assertion.BadAssertion):
        read(by_hand(f'{{"alg":"EdDSA",{member}}}'))


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "x" * 5_000, "e30.e30.e30", "e30.W10.e30", "e30.MQ.e30"])
def test_what_is_no_assertion_names_nobody(text: str) -> None:
    with pytest.raises(assertion.BadAssertion):
        assertion.machine_of(text)
