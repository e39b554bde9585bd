"""Which 32 bytes are an Ed25519 public key that proves something (RFC 8032 §5.1; ``cryptography`` looks at none of this).

Under a point of small order one constant signature fits every message, and OpenSSL says so too. Under a point outside the main
subgroup some signatures fit by one verifier's rules and not by another's. A y of p or above is a second spelling of a point.
Integers are enough: it is asked once a key, of public bytes alone, so neither speed nor timing matters.
"""

from __future__ import annotations

from functools import lru_cache

KEY_BYTES = 32
KEYS_CACHED = 1_024  # parties' public keys: some agencies hold two during a rotation

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493  # the order of the main subgroup
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)  # a square root of -1
_SIGN = 1 << 255

_Point = tuple[int, int, int, int]  # extended coordinates: X, Y, Z, T (RFC 8032 §5.1.4)
_NEUTRAL: _Point = (0, 1, 1, 0)

# The eight points of small order, each as its one canonical encoding: orders 1, 2, 4, 4, 8, 8, 8, 8. Published in
# Chalkias, Garillot, Nikolaenko: "Taming the many EdDSAs" (2020), table 1, and in libsodium's ed25519_ref10.c.
SMALL_ORDER = frozenset(
    bytes.fromhex(text)
    for text in (
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    )
)


@lru_cache(maxsize=KEYS_CACHED)
def is_public_key(octets: bytes) -> bool:
    """Say whether these bytes can be somebody's public key: the one spelling of a point of the main subgroup."""
    point = _decoded(octets)
    return point is not None and not _is_neutral(point) and _is_neutral(_times(_L, point))


def _decoded(octets: bytes) -> _Point | None:
    """Return the point, or None: another length, a second spelling, or no point at all (RFC 8032 §5.1.3)."""
    if len(octets) != KEY_BYTES:
        return None
    number = int.from_bytes(octets, "little")
    y = number % _SIGN
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if x * x % _P != square:
        x = x * _ROOT % _P
    if x * x % _P != square or (x == 0 and number >= _SIGN):
        return None
    if x % 2 != number // _SIGN:
        x = _P - x
    return x, y, 1, x * y % _P


def _added(one: _Point, other: _Point) -> _Point:
    """Return the sum of two points (RFC 8032 §5.1.4)."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(count: int, point: _Point) -> _Point:
    total = _NEUTRAL
    while count:
        if count & 1:
            total = _added(total, point)
        point = _added(point, point)
        count >>= 1
    return total


def _is_neutral(point: _Point) -> bool:
    return point[0] % _P == 0 and (point[1] - point[2]) % _P == 0
