"""An enrolment is judged by the keys that held at its own place, whenever it is read again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from builders import booking
from comity.bootstrap import Exchange
from comity.domain import entries as e
from comity.domain.ids import KeyId
from comity.domain.log import Topic
from comity.domain.posting import Record
from comity.duties import encoder
from comity.wire.signing import SigningKey
from exchange import RememberedFaces, enrol, held, prepared, running, settle, submitted
from journals import A


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def rotated(exchange: Exchange) -> tuple[SigningKey, SigningKey]:
    """Let A's key be revoked, and another registered; return both."""
    old, new = exchange.keyring.signer(A), SigningKey.generate()
    time.sleep(0.005)
    submitted(exchange, e.KeyRegistered(KeyId(new.kid), A, e.Role.AGENCY, new.public_bytes), "administrator")  # type: ignore[arg-type]
    submitted(exchange, e.KeyRevoked(KeyId(old.kid), None), "administrator")
    time.sleep(0.005)
    return old, new


def test_a_re_extraction_after_a_rotation_puts_nothing_good_aside(home: Path, faces: RememberedFaces) -> None:
    with running(home, faces) as exchange:
        record, _ = enrol(exchange, "A-1", 1, owner=A)
        settle(exchange)
        old, new = rotated(exchange)
        (row,) = exchange.ledger.rows(Record, record_id=record)
        late, entry = prepared(exchange, booking(2, "A-2", owner=A), old)
        exchange.journal.append(Topic.ENROLMENTS, entry)
        _, entry = prepared(exchange, booking(3, "A-3", owner=A), new)
        exchange.journal.append(Topic.ENROLMENTS, entry)
        settle(exchange)
        aside = held(exchange, Topic.QUARANTINE)
        assert [dict(x.entry.headers)["comity_reason"] for x in aside] == [b"unknown-key"]
        assert not exchange.ledger.rows(Record, record_id=late)
        exchange.positions.clear(encoder.NAME)
    with running(home, faces) as exchange:
        settle(exchange)
        again = held(exchange, Topic.QUARANTINE)[len(aside) :]
        assert [dict(x.entry.headers)["comity_reason"] for x in again] == [b"unknown-key"]  # the late one, as before
        assert exchange.ledger.rows(Record, record_id=record) == (row,)
