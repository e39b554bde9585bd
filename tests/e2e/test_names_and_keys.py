"""Who an order, a search and a signature are, on a running exchange: names count once, and a stolen key loosens nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import photograph
from comity.domain import entries as e
from comity.domain import posting as p
from comity.domain.log import JOURNAL, Topic
from comity.errors import NotPermitted, Unavailable
from exchange import (
    RememberedFaces,
    enrol,
    listed,
    read,
    running,
    sealing,
    search,
    settle,
    share,
    submitted,
)  # fmt: skip
from journals import COURT, A, unseal

PROBE = photograph(1, 2)


def test_after_the_exchanges_own_key_is_revoked_nothing_is_answered_until_another_is_registered(
    tmp_path: Path, faces: RememberedFaces
) -> None:
    """Rules 3 and 13: the release judges its own entry's signer, in the same snapshot as everything else."""
    home = tmp_path / "home"
    with running(home, faces) as exchange:
        record, _ = enrol(exchange, "A-1", 1, owner=A)
        settle(exchange)
        share(exchange, A)
        shown = listed(search(exchange, PROBE))
        assert shown
        told = len(exchange.exposures(record))
        submitted(exchange, e.KeyRevoked(exchange.journal.kid), "administrator")
        with pytest.raises(Unavailable, match="own key"):
            search(exchange, PROBE)
        assert len(exchange.exposures(record)) == told
    (home / "keys" / "exchange.pem").unlink()
    with running(home, faces) as exchange:
        assert listed(search(exchange, PROBE)) == shown
        assert len(exchange.exposures(record)) == told + 1


def test_a_search_that_somebody_replays_wipes_no_recall(tmp_path: Path, faces: RememberedFaces) -> None:
    """R18d, rule 10: the exchange's own signed words count once, whoever appends them again."""
    with running(tmp_path / "home", faces) as exchange:
        record, _ = enrol(exchange, "A-1", 1, owner=A)
        settle(exchange)
        share(exchange, A)
        shown = search(exchange, PROBE)
        sealing(exchange, "s1", record)
        (spoken,) = (placed for placed in read(exchange, JOURNAL) if placed.position == shown.place)
        again = exchange.log.append(Topic.JOURNAL, spoken.entry, timeout_seconds=5)
        assert exchange.watch.wait(again.position + 1, 5)
        assert [x.place for x in exchange.exposures(record)] == [shown.place]
        (told,) = exchange.ledger.refusals_between(again.position, again.position + 1)
        assert told.refused is not None
        assert told.refused.reason == "repeated"


def test_a_revoked_courts_key_no_longer_unseals_and_what_it_unsealed_is_sealed_again(
    tmp_path: Path, faces: RememberedFaces
) -> None:
    """Rule 13: from the position named, at once; and the same after a replay."""
    home = tmp_path / "home"
    with running(home, faces) as exchange:
        record, _ = enrol(exchange, "A-1", 1, owner=A)
        settle(exchange)
        share(exchange, A)
        sealing(exchange, "s1", record)
        stolen = submitted(exchange, unseal("u1", "s1"), COURT).position
        assert listed(search(exchange, PROBE))
        kid = exchange.keyring.signer(COURT).kid
        submitted(exchange, e.KeyRevoked(kid, stolen), "administrator")
        assert not listed(search(exchange, PROBE))
        with pytest.raises(NotPermitted):
            submitted(exchange, unseal("u2", "s1"), COURT)
        exchange.rebuild_ledger()
        assert not listed(search(exchange, PROBE))
        assert [row.lift_id for row in exchange.ledger.rows(p.Lift)] == ["u1"]
