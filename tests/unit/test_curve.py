"""Public keys that prove nothing, and signatures that a lax verifier would take."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from comity.wire import curve, signing
from comity.wire.signing import BadSignature, SigningKey

HERE = "exchange-1"
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493


def spelt(y: int, sign: int = 0) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


BASE_POINT = spelt(4 * pow(5, -1, P) % P)  # RFC 8032 §5.1

# The second spellings of points of small order: y of p and p + 1, and the sign of an x that is nought.
SECOND = [spelt(P), spelt(P, 1), spelt(P + 1), spelt(P + 1, 1), spelt(1, 1), spelt(P - 1, 1)]


@given(st.binary(min_size=32, max_size=32))
def test_every_key_that_a_library_makes_is_one(seed: bytes) -> None:
    assert curve.is_public_key(SigningKey.from_bytes(seed).public_bytes)


@pytest.mark.parametrize("octets", sorted(curve.SMALL_ORDER), ids=bytes.hex)
def test_the_eight_points_of_small_order_are_no_keys(octets: bytes) -> None:
    assert not curve.is_public_key(octets)


def test_the_list_of_small_orders_is_what_the_curve_itself_says() -> None:
    """By arithmetic and not by the list: each of the eight, times eight, is the neutral point."""
    assert len(curve.SMALL_ORDER) == 8
    for octets in curve.SMALL_ORDER:
        point = curve._decoded(octets)
        assert point is not None
        assert curve._is_neutral(curve._times(8, point))


@pytest.mark.parametrize("octets", [*SECOND, *[spelt(y) for y in range(P, 2**255)]], ids=bytes.hex)
def test_a_second_spelling_of_a_point_is_no_key(octets: bytes) -> None:
    assert curve._decoded(octets) is None
    assert not curve.is_public_key(octets)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_another_length_is_no_key(length: int) -> None:
    assert not curve.is_public_key(b"\x07" * length)


def test_bytes_that_are_no_point_are_no_key() -> None:
    """Half of all y have no x."""
    points = [curve._decoded(spelt(y)) is not None for y in range(2, 200)]
    assert 60 < sum(points) < 140
    assert not any(curve.is_public_key(spelt(y)) for y, point in zip(range(2, 200), points, strict=True) if not point)


def test_a_key_with_a_part_of_small_order_is_no_key() -> None:
    """Verifiers differ about such a key's signatures."""
    good = curve._decoded(SigningKey.from_bytes(bytes(32)).public_bytes)
    assert good is not None
    for octets in curve.SMALL_ORDER - {spelt(1)}:
        part = curve._decoded(octets)
        assert part is not None
        x, y, z, _ = curve._added(good, part)
        x, y = x * pow(z, -1, P) % P, y * pow(z, -1, P) % P
        assert not curve.is_public_key(spelt(y, x % 2))


def _token(header: str, octets: bytes) -> str:
    return f"{header}..{urlsafe_b64encode(octets).rstrip(b'=').decode()}"


@given(st.binary(max_size=40), st.sampled_from([spelt(1) + bytes(32), BASE_POINT + (1).to_bytes(32, "little")]))
def test_one_constant_signature_under_a_weak_key_fits_nothing(value: bytes, constant: bytes) -> None:
    """OpenSSL says that it fits every value: R the neutral point and S nought, or any multiple of the base point."""
    weak = spelt(1)
    Ed25519PublicKey.from_public_bytes(weak).verify(constant, value)
    header = SigningKey.from_bytes(bytes(32)).sign(value, HERE).split(".")[0]
    with pytest.raises(BadSignature):
        signing.verify(_token(header, constant), value, weak, HERE)


@pytest.mark.parametrize("octets", sorted(curve.SMALL_ORDER), ids=bytes.hex)
def test_a_signature_with_an_r_of_small_order_is_refused(octets: bytes) -> None:
    """Whoever holds a good key can make one: S = h·a. It says nothing about randomness, and libraries differ about it."""
    key, value = SigningKey.from_bytes(bytes(range(32))), b"value"
    header = key.sign(value, HERE).split(".")[0]
    signed = f"{header}.{urlsafe_b64encode(value).rstrip(b'=').decode()}".encode()
    secret = bytearray(hashlib.sha512(key.to_bytes()).digest()[:32])
    secret[0] &= 248
    secret[31] = secret[31] & 127 | 64
    h = int.from_bytes(hashlib.sha512(octets + key.public_bytes + signed).digest(), "little")
    made = octets + (h * int.from_bytes(secret, "little") % L).to_bytes(32, "little")
    with pytest.raises(BadSignature):
        signing.verify(_token(header, made), value, key.public_bytes, HERE)


@given(st.binary(max_size=40), st.integers(1, 15))
def test_a_second_spelling_of_s_is_refused(value: bytes, times: int) -> None:
    key = SigningKey.from_bytes(bytes(range(32)))
    header, _, signature = key.sign(value, HERE).split(".")
    octets = urlsafe_b64decode(signature + "==")
    again = int.from_bytes(octets[32:], "little") + times * L
    if again < 2**256:
        with pytest.raises(BadSignature):
            signing.verify(_token(header, octets[:32] + again.to_bytes(32, "little")), value, key.public_bytes, HERE)
