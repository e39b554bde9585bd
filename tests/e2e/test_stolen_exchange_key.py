"""A stolen key of the exchange, revoked from before its use: what it admitted is admitted again, by the key that holds now."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np

from builders import photograph
from comity.bootstrap import Exchange
from comity.domain import entries as e
from comity.domain.ids import RecordId, record_key, template_context
from comity.domain.log import Topic
from comity.domain.posting import Record
from comity.wire import sealing
from exchange import RememberedFaces, enrol, held, listed, running, search, settle, share, submitted
from journals import A


def pretend(exchange: Exchange, record: RecordId) -> None:
    """Say in the exchange's name that a record has a second version, of another class, and looks like nobody."""
    unit = np.zeros(128, dtype=np.float32)
    unit[0] = 1.0
    context = template_context(record, 2, 0)
    ciphertext = sealing.seal(exchange.vault.open(record_key(record)), unit.tobytes(), context=context)
    template = e.SealedTemplate(0, ciphertext, 50.0)
    said = e.TemplatesExtracted(record, A, e.RecordClass.MISSING, 2, exchange.encoder.model, (template,))
    exchange.journal.enter(said, key=record, topic=Topic.TEMPLATES)
    admitted = e.AdmittedRecord(record, A, e.RecordClass.MISSING, 2, (), hashlib.sha256(b"none").digest())
    exchange.journal.enter(e.RecordsAdmitted((admitted,)), key=record)


def test_records_admitted_by_a_stolen_key_are_admitted_again(tmp_path: Path, faces: RememberedFaces) -> None:
    """Rule 13: the thief's version goes, and nothing honest is lost with it."""
    home = tmp_path / "home"
    with running(home, faces) as exchange:
        before, _ = enrol(exchange, "A-1", 1, owner=A)
        settle(exchange)
        share(exchange, A)
        place = exchange.ledger.progress().next
        within, _ = enrol(exchange, "A-2", 2, owner=A)
        settle(exchange)
        shown = [listed(search(exchange, photograph(person, 2), A)) for person in (1, 2)]
        pretend(exchange, before)
        settle(exchange)
        assert listed(search(exchange, photograph(1, 2), A)) != shown[0]
        submitted(exchange, e.KeyRevoked(exchange.journal.kid, place), "administrator")
        assert exchange.ledger.admitted([within]) == ()
        kid = exchange.journal.kid
    (home / "keys" / "exchange.pem").unlink()
    with running(home, faces) as exchange:
        settle(exchange)
        assert [listed(search(exchange, photograph(person, 2), A)) for person in (1, 2)] == shown
        rows = exchange.ledger.rows(Record, record_id=before)
        assert [(row.version, row.kid == kid) for row in rows] == [(1, True), (2, True), (1, False)]
        newest = [x.entry for x in held(exchange, Topic.TEMPLATES) if x.entry.key == before.encode()]
    with running(home, faces) as exchange:  # and not at every start
        settle(exchange)
        assert exchange.ledger.rows(Record, record_id=before) == rows
        assert [x.entry for x in held(exchange, Topic.TEMPLATES) if x.entry.key == before.encode()] == newest


def test_what_a_revoked_key_could_not_admit_is_admitted_by_the_next(tmp_path: Path, faces: RememberedFaces) -> None:
    """The encoder does not pass over an enrolment whose admission was refused."""
    home = tmp_path / "home"
    with running(home, faces) as exchange:
        enrol(exchange, "A-0", 2, owner=A)  # its agency has its index key
        settle(exchange)
        submitted(exchange, e.KeyRevoked(exchange.journal.kid), "administrator")
        record, _ = enrol(exchange, "A-1", 1, owner=A)
        deadline = time.monotonic() + 30
        while not (failure := exchange.followers["encoder"].failure):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert failure == "encoder: Unavailable"
    (home / "keys" / "exchange.pem").unlink()
    with running(home, faces) as exchange:
        settle(exchange)
        assert [row.version for row in exchange.ledger.admitted([record])] == [1]
