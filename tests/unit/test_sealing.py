"""Sealing, blind indexes, record ids and commitments."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.domain import ids
from comity.domain.entries import IndexKind
from comity.domain.ids import RecordId
from comity.wire import sealing
from comity.wire.sealing import Unsealable

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))
RECORD = RecordId("0123456789abcdef0123456789abcdef")
SALT = bytes(16)

NUMBERS = st.text(max_size=60)


@given(st.binary(max_size=500), st.binary(max_size=50))
def test_what_was_sealed_unseals_in_its_context_alone(plaintext: bytes, context: bytes) -> None:
    ciphertext = sealing.seal(KEY, plaintext, context=context)
    assert len(ciphertext) == len(plaintext) + sealing.NONCE_BYTES + sealing.TAG_BYTES
    assert sealing.unseal(KEY, ciphertext, context=context) == plaintext
    with pytest.raises(Unsealable):
        sealing.unseal(KEY, ciphertext, context=context + b"x")
    with pytest.raises(Unsealable):
        sealing.unseal(OTHER, ciphertext, context=context)


@given(st.binary(max_size=80))
def test_bytes_of_any_kind_raise_only_unsealable(ciphertext: bytes) -> None:
    with pytest.raises(Unsealable):
        sealing.unseal(KEY, ciphertext, context=b"")


def test_every_changed_bit_is_noticed() -> None:
    ciphertext = sealing.seal(KEY, b"face", context=b"record")
    for place in range(len(ciphertext) * 8):
        changed = bytearray(ciphertext)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(Unsealable):
            sealing.unseal(KEY, bytes(changed), context=b"record")


def test_the_same_plaintext_never_looks_the_same_twice() -> None:
    assert sealing.seal(KEY, b"face", context=b"") != sealing.seal(KEY, b"face", context=b"")


@pytest.mark.parametrize("length", [0, 16, 24, 31, 33])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    key = bytes(length)
    with pytest.raises(ValueError, match="32 bytes"):
        sealing.seal(key, b"", context=b"")
    with pytest.raises(ValueError, match="32 bytes"):
        sealing.unseal(key, bytes(40), context=b"")
    with pytest.raises(ValueError, match="32 bytes"):
        sealing.record_id(key, "1")


@pytest.mark.parametrize(
    "text",
    [
        "24-cf 0012",
        "24CF0012",
        " 24\u2013CF\u00a00012 ",
        "24\u2212cf\u200b0012",
        "\uff12\uff14cf0012",
        "24cf-0012\t",
        "24\u00adcf0012",
    ],
)
def test_one_number_has_one_spelling(text: str) -> None:
    assert sealing.normalise_number(text) == "24CF0012"


@pytest.mark.parametrize("text", ["", " - ", "\u200b", "x" * 129, "x" * 10_000, "\ufdfa" * 60, "a\0b", "a\x1bb", "a\ud800"])
def test_a_number_that_cannot_be_used_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a number"):
        sealing.normalise_number(text)


@given(NUMBERS)
def test_normalising_twice_changes_nothing(text: str) -> None:
    try:
        once = sealing.normalise_number(text)
    except ValueError:
        return
    assert sealing.normalise_number(once) == once


def test_an_index_is_an_hmac_apart_by_kind_and_key() -> None:
    index = sealing.blind_index(KEY, IndexKind.BOOKING, "24-cf 0012", 3)
    message = b"comity.v1/blind-index/booking\x0024CF0012"
    assert index.tag == hmac.new(KEY, message, hashlib.sha256).hexdigest()
    assert (index.kind, index.key_version) == (IndexKind.BOOKING, 3)
    tags = {sealing.blind_index(key, kind, "24CF0012", 3).tag for key in (KEY, OTHER) for kind in IndexKind}
    assert len(tags) == 2 * len(IndexKind)


@given(NUMBERS, NUMBERS)
def test_different_numbers_have_different_indexes(one: str, other: str) -> None:
    try:
        spelt = sealing.normalise_number(one), sealing.normalise_number(other)
    except ValueError:
        return
    indexes = [sealing.blind_index(KEY, IndexKind.ATN, text, 1) for text in (one, other)]
    assert (indexes[0] == indexes[1]) == (spelt[0] == spelt[1])
    assert (sealing.record_id(KEY, one) == sealing.record_id(KEY, other)) == (spelt[0] == spelt[1])


def test_a_record_id_has_its_form_and_is_no_index() -> None:
    found = sealing.record_id(KEY, "24-cf 0012")
    assert ids.record_id(found) == found == sealing.record_id(KEY, "24CF0012")
    assert not sealing.blind_index(KEY, IndexKind.BOOKING, "24CF0012", 1).tag.startswith(found)


def test_a_commitment_binds_salt_record_and_rank() -> None:
    made = {
        sealing.commitment(salt, record, rank)
        for salt in (SALT, bytes(17), bytes(range(16)))
        for record in (RECORD, RecordId("f" * 32))
        for rank in (None, 0, 1)
    }
    assert len(made) == 18
    assert {len(one) for one in made} == {32}
    assert sealing.commitment(SALT, RECORD) == sealing.commitment(SALT, RECORD)


def test_a_short_salt_is_refused() -> None:
    with pytest.raises(ValueError, match="salt"):
        sealing.commitment(bytes(15), RECORD)
