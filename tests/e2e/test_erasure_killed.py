"""The process is killed at each step of an erasure and started again: it looks for the same, and nothing is left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from comity.bootstrap import Exchange
from comity.domain.entries import ErasureCertified, IndexKind
from comity.domain.log import Topic
from comity.duties.purge import certify
from erased import certificates, kept_of, until
from exchange import RememberedFaces, enrol, order, running, settle
from journals import A


class Killed(Exception):
    """The process ended here."""


def killed(*_: object, **__: object) -> NoReturn:
    raise Killed


def tombstones(exchange: Exchange, patch: pytest.MonkeyPatch) -> None:
    append = exchange.journal.append

    def at_templates(topic: Topic, entry: object) -> object:
        return killed() if topic is Topic.TEMPLATES else append(topic, entry)  # type: ignore[arg-type]

    patch.setattr(exchange.journal, "append", at_templates)


def certificate(exchange: Exchange, patch: pytest.MonkeyPatch) -> None:
    enter = exchange.journal.enter

    def at_certificate(event: object, **how: object) -> object:
        return killed() if isinstance(event, ErasureCertified) else enter(event, **how)  # type: ignore[arg-type]

    patch.setattr(exchange.journal, "enter", at_certificate)


STEPS: dict[str, Callable[[Exchange, pytest.MonkeyPatch], None]] = {
    "job kept": lambda x, patch: patch.setattr(x.purge.jobs, "keep", killed),
    "keys shredded": lambda x, patch: patch.setattr(x.vault, "shred", killed),
    "templates out of memory": lambda x, patch: patch.setattr(x.gallery, "forget", killed),
    "handed on": lambda x, patch: patch.setattr(x.purge.certifier, "take", killed),
    "ciphertexts taken": lambda x, patch: patch.setattr(type(x.purge._haystack), "ciphertexts", killed),
    "templates out of the store": lambda x, patch: patch.setattr(x.store, "forget", killed),
    "photographs deleted": lambda x, patch: patch.setattr(x.photos, "delete", killed),
    "tombstones appended": tombstones,
    "files read": lambda _, patch: patch.setattr(certify, "scan", killed),
    "certificate entered": certificate,
}


@pytest.mark.parametrize("step", STEPS)
def test_an_erasure_that_was_killed_is_carried_out_and_looks_for_the_same(
    tmp_path: Path, faces: RememberedFaces, step: str
) -> None:
    with running(tmp_path / "home", faces) as exchange:
        record, _ = enrol(exchange, "A-1", 1, 1, owner=A)
        settle(exchange)
        fingerprints = exchange.purge.fingerprints([record])
        assert len(fingerprints) == 3
        with pytest.MonkeyPatch.context() as patch:
            STEPS[step](exchange, patch)
            order(exchange, "expunge", {IndexKind.BOOKING: "A-1"}, A)
            until(lambda: exchange.followers["purge"].failure or exchange.followers["erasure"].failure)
            assert certificates(exchange) == []
            for follower in exchange.followers.values():
                follower.stop()
    with running(tmp_path / "home", faces) as exchange:
        settle(exchange)
        assert kept_of(exchange, record) == {}
        assert exchange.purge.scan(fingerprints).clean
        (told,) = certificates(exchange)
        assert {s.kind: s.count for s in told.sought} == {kind: len(found) for kind, found in fingerprints.items()}
        assert (told.keys_shredded, told.templates_erased, told.found) == (1, 1, 0)
