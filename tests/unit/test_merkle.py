"""The Merkle frontier against RFC 9162's own definition and the known vectors of its reference implementations."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.domain.log import JOURNAL, Entry, Placed, leaf
from comity.domain.merkle import Frontier

# The eight leaves and the roots of the first n of them, as certificate-transparency's merkle tree tests have them.
LEAVES = [bytes.fromhex(x) for x in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def grown(leaves: list[bytes]) -> Frontier:
    frontier = Frontier()
    for data in leaves:
        frontier = frontier.append(data)
    return frontier


def mth(leaves: list[bytes]) -> bytes:
    """Return the tree hash by RFC 9162's section 2.1.1, word for word."""
    if len(leaves) <= 1:
        return hashlib.sha256(b"\x00" + leaves[0] if leaves else b"").digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


@pytest.mark.parametrize("count", range(1, 9))
def test_the_known_roots_come_out(count: int) -> None:
    """R34."""
    assert grown(LEAVES[:count]).head().hex() == ROOTS[count - 1]


@given(st.lists(st.binary(max_size=4), max_size=70))
def test_the_head_is_what_the_definition_says(leaves: list[bytes]) -> None:
    """R34: grown leaf by leaf, or computed from all at once."""
    assert grown(leaves).head() == mth(leaves)


@given(st.lists(st.binary(max_size=4), max_size=40), st.binary(max_size=4))
def test_a_stored_frontier_goes_on_where_it_was(leaves: list[bytes], further: bytes) -> None:
    """Rule 11: a view keeps it beside its position."""
    kept = grown(leaves)
    read = Frontier.from_bytes(kept.size, kept.to_bytes())
    assert read == kept
    assert read.append(further).head() == mth([*leaves, further])


@pytest.mark.parametrize(("size", "data"), [(1, b""), (0, bytes(32)), (3, bytes(32)), (2, bytes(31))])
def test_bytes_that_do_not_fit_their_size_are_refused(size: int, data: bytes) -> None:
    """Rule 11: a damaged row is no frontier."""
    with pytest.raises(ValueError, match="does not fit"):
        Frontier.from_bytes(size, data)


def placed(entry: Entry, at_ms: int = 0) -> Placed:
    return Placed(entry, JOURNAL, 0, at_ms)


@given(st.lists(st.tuples(st.none() | st.binary(max_size=3), st.none() | st.binary(max_size=3)), min_size=2, max_size=2,
                unique=True))  # fmt: skip
def test_two_entries_never_share_their_leaf(pair: list[tuple[bytes | None, bytes | None]]) -> None:
    """R34: no part can pass for another; a key of no bytes is not none."""
    first, second = (leaf(placed(Entry(key, value))) for key, value in pair)
    assert first != second


def test_the_logs_own_time_is_in_the_leaf() -> None:
    """Rule 11: a verdict rests on it, so a changed one is told."""
    entry = Entry(b"k", b"v")
    assert leaf(placed(entry, 1)) != leaf(placed(entry, 2))


def test_headers_cannot_pass_for_other_headers() -> None:
    """R34."""
    headers = [(("ab", b"c"),), (("a", b"bc"),), (("a", b"b"), ("c", b"")), ()]
    assert len({leaf(placed(Entry(b"k", b"v", h))) for h in headers}) == len(headers)
