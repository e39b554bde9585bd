"""Templates by a key of the exchange that was revoked, or that no store takes: passed over, and the gallery goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from builders import photograph
from comity.bootstrap import Exchange
from comity.domain import entries as e
from comity.domain.ids import RecordId, record_key, template_context
from comity.domain.log import Topic
from comity.wire import sealing
from exchange import RememberedFaces, enrol, listed, running, search, settle, share, submitted
from journals import A

PROBE = photograph(1, 2)


@pytest.fixture
def exchange(tmp_path: Path, faces: RememberedFaces) -> Iterator[Exchange]:
    with running(tmp_path / "home", faces) as one:
        yield one


def forge(exchange: Exchange, record: RecordId, version: int, vector: bytes) -> None:
    """Say in the exchange's name that this is a record's template."""
    context = template_context(record, version, 0)
    ciphertext = sealing.seal(exchange.vault.open(record_key(record)), vector, context=context)
    template = e.SealedTemplate(0, ciphertext, 50.0)
    event = e.TemplatesExtracted(record, A, e.RecordClass.BOOKING, version, exchange.encoder.model, (template,))
    exchange.journal.enter(event, key=record, topic=Topic.TEMPLATES)


def test_a_revoked_key_of_the_exchange_signs_no_template_that_counts(exchange: Exchange) -> None:
    """Rule 13; what was admitted before goes on, through a rebuild too."""
    record, _ = enrol(exchange, "A-1", 1, owner=A)
    settle(exchange)
    share(exchange, A)
    shown = listed(search(exchange, PROBE))
    held = len(exchange.gallery)
    submitted(exchange, e.KeyRevoked(exchange.journal.kid), "administrator")
    unit = np.zeros(128, dtype=np.float32)
    unit[0] = 1.0
    forge(exchange, record, 2, unit.tobytes())
    settle(exchange)
    edition = exchange.gallery.edition(record)
    assert edition is not None
    assert (edition.version, len(exchange.gallery)) == (1, held)
    exchange.rebuild_gallery()
    settle(exchange)
    edition = exchange.gallery.edition(record)
    assert edition is not None
    assert edition.version == 1
    assert shown


@pytest.mark.parametrize(
    "vector",
    [b"", b"\x01", bytes(512), np.full(128, np.nan, dtype=np.float32).tobytes(), np.ones(64, dtype=np.float32).tobytes()],
)
def test_what_no_store_takes_stops_nothing(exchange: Exchange, vector: bytes) -> None:
    """Rule 7: also in the exchange's own hand."""
    record, _ = enrol(exchange, "A-1", 1, owner=A)
    settle(exchange)
    forge(exchange, record, 2, vector)
    enrol(exchange, "A-2", 2, owner=A)
    settle(exchange)
    assert exchange.followers["gallery"].failure is None
    assert exchange.gallery.edition(exchange.indexer.record_id(A, "A-2")) is not None
