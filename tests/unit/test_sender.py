"""Whose key signed an entry, told from its bytes."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.domain.log import Entry
from comity.wire import sender
from comity.wire.sender import signer_of
from comity.wire.signing import SigningKey


@dataclass(frozen=True)
class Held:
    """A registered key."""

    party: str
    public_key: bytes


def seed(number: int) -> SigningKey:
    return SigningKey.from_bytes(number.to_bytes(32, "big"))


COURT, AGENCY, STRANGER = seed(1), seed(2), seed(3)
KEYS = {"court-2026": Held("court-1", COURT.public_bytes), str(AGENCY.kid): Held("WI0130000", AGENCY.public_bytes)}
VALUE = b"no Avro at all"


def b64(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def token(key: SigningKey, header: bytes, *, value: bytes = VALUE, payload: str = "", raw: bool = False) -> bytes:
    """Return a signature with any header over this value, and whatever stands between the dots."""
    said = b64(header)
    signed = f"{said}.".encode() + (value if raw else b64(value).encode())
    return f"{said}.{payload}.{b64(key._private.sign(signed))}".encode()


def entry(jws: bytes, source: bytes = b"s", value: bytes | None = VALUE) -> Entry:
    return Entry(None, value, (("ce_source", source), ("jws", jws)))


NAMED = b'{"alg":"Ed25519","kid":"court-2026"}'


@pytest.mark.parametrize(
    "jws",
    [
        token(COURT, NAMED),
        token(COURT, b'{"alg":"none","kid":"court-2026"}'),
        token(COURT, b'{"alg":"EdDSA","kid":"court-2026","crit":["x"]}'),
        token(COURT, b'{"alg":"EdDSA","kid":"court-2026","b64":false,"crit":["b64"]}', raw=True),
        token(COURT, b'{"kid":"x","kid":"court-2026"}'),
        token(COURT, b'{"alg":"EdDSA","kid":"an id that is not registered"}'),
        token(COURT, b'{"alg":"EdDSA"}'),
        token(COURT, b'{"alg":"EdDSA","kid":"%b"}' % str(AGENCY.kid).encode()),
        token(COURT, b"not JSON"),
        token(COURT, NAMED, payload=b64(VALUE)),
        token(COURT, NAMED) + b"==",
    ],
)
def test_whoever_signed_the_value_is_told_whatever_the_header_says(jws: bytes) -> None:
    assert signer_of(entry(jws), KEYS) == KEYS["court-2026"]


@pytest.mark.parametrize(
    "wrong",
    [
        entry(token(STRANGER, NAMED)),
        entry(token(COURT, NAMED), value=VALUE + b"x"),
        entry(token(COURT, NAMED), value=b""),
        entry(token(COURT, NAMED), value=None),
        entry(b""),
        entry(b".." + b"A" * 86),
        entry(b"\xff\xfe.."),
        entry(b"A" * 5_000),
        entry(token(COURT, b"[" * 2_000)[:-3]),
        Entry(b"k", VALUE, ()),
    ],
)
def test_nobody_is_told_of_what_another_signed(wrong: Entry) -> None:
    assert signer_of(wrong, KEYS) is None


def test_of_many_keys_the_ones_that_the_source_names_are_tried_first() -> None:
    many = {f"k{n}": Held(f"p{n}", seed(n + 10).public_bytes) for n in range(100)}
    unnamed = token(seed(99 + 10), b'{"alg":"EdDSA"}')
    assert signer_of(entry(unnamed), many) is None
    assert signer_of(entry(unnamed, b"//p99/orders"), many) == many["k99"]


def test_of_a_large_value_no_key_is_guessed() -> None:
    large = bytes(sender.GUESSED_BYTES_MAX + 1)
    assert signer_of(entry(token(COURT, b"{}", value=large), value=large), KEYS) is None
    assert signer_of(entry(token(COURT, NAMED, value=large), value=large), KEYS) == KEYS["court-2026"]


def test_a_doubled_signature_is_tried_twice_and_no_more() -> None:
    bad, good = ("jws", b"x"), ("JWS", token(COURT, NAMED))
    assert signer_of(Entry(None, VALUE, (bad, good)), KEYS) == KEYS["court-2026"]
    assert signer_of(Entry(None, VALUE, (bad, bad, good)), KEYS) is None


@given(
    st.lists(st.tuples(st.sampled_from(["jws", "JWS", "ce_source", "\udcff"]), st.binary(max_size=120)), max_size=4),
    st.none() | st.binary(max_size=20),
)
def test_no_bytes_make_it_raise(headers: list[tuple[str, bytes]], value: bytes | None) -> None:
    assert signer_of(Entry(None, value, tuple(headers)), KEYS) is None


@given(
    st.dictionaries(
        st.text(max_size=4), st.none() | st.text(max_size=3) | st.integers() | st.lists(st.text(max_size=2)), max_size=4
    )
)
def test_any_header_under_a_registered_keys_signature_tells_its_party(members: dict[str, object]) -> None:
    jws = token(AGENCY, json.dumps(members).encode())
    assert signer_of(entry(jws), KEYS) == KEYS[str(AGENCY.kid)]
