"""An enrolment is judged by the keys that held at its own place, whenever it is read again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from builders import booking
from comity.bootstrap import Exchange
from comity.domain import entries as e
from comity.domain.ids import KeyId
from comity.domain.log import Entry, Topic
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


def test_what_was_put_back_after_a_rotation_is_judged_by_when_it_came_first(home: Path, faces: RememberedFaces) -> None:
    """A stranger pushed it out of the log, and the keeper appended it anew, when its key was revoked already."""
    with running(home, faces) as exchange:
        record, _ = enrol(exchange, "A-1", 1, owner=A)
        settle(exchange)
        rotated(exchange)
        exchange.journal.append(Topic.ENROLMENTS, Entry(record.encode(), None))
        settle(exchange)
        exchange.positions.clear(encoder.NAME)
    with running(home, faces) as exchange:
        settle(exchange)
        aside = held(exchange, Topic.QUARANTINE)
        assert {dict(x.entry.headers)["comity_reason"] for x in aside} == {b"tombstone"}
        assert exchange.ledger.admitted([record])


def test_a_correction_by_a_revoked_key_is_put_aside_though_its_record_stands(home: Path, faces: RememberedFaces) -> None:
    with running(home, faces) as exchange:
        record, _ = enrol(exchange, "A-1", 1, owner=A)
        settle(exchange)
        old, _ = rotated(exchange)
        _, entry = prepared(exchange, booking(1, "A-1", owner=A, version=2), old)
        exchange.journal.append(Topic.ENROLMENTS, entry)
        settle(exchange)
        aside = held(exchange, Topic.QUARANTINE)
        assert [dict(x.entry.headers)["comity_reason"] for x in aside] == [b"unknown-key"]
        assert [row.version for row in exchange.ledger.admitted([record])] == [1]
