"""The child that test_kill kills: enrols, seals and expunges in a loop on one home, and prints each receipt once it holds it."""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path

from builders import photograph
from comity.domain.entries import IndexKind
from comity.domain.posting import Grant
from exchange import RememberedFaces, enrol, order, running, search, share
from journals import A, B


def said(what: str, **details: object) -> None:
    print(json.dumps({"what": what, **details}), flush=True)


def main(home: Path) -> None:
    with running(home, RememberedFaces()) as exchange:
        if not exchange.ledger.rows(Grant):
            share(exchange, A)
        said("started", end=exchange.watch.position)
        began = time.time_ns()
        for turn in itertools.count():
            number = f"K-{began}-{turn}"
            shot = photograph(turn % 28 + 1) + number.encode()  # another file each time: a sealed one would be refused
            record, receipt = enrol(exchange, number, 1, photographs=(shot,))
            said("enrolled", record=record, partition=receipt.partition, position=receipt.position, sha256=receipt.sha256)
            if turn % 3 == 1:
                placed = order(exchange, "seal", {IndexKind.BOOKING: number}, A)
                said("sealed", record=record, position=placed.position, sha256=placed.sha256)
            if turn % 7 == 5:
                said("expunging", record=record)  # a kill may come between the order and its receipt
                placed = order(exchange, "expunge", {IndexKind.BOOKING: number}, A)
                said("expunged", record=record, position=placed.position, sha256=placed.sha256)
            if turn % 5 == 4:
                said("searched", place=search(exchange, photograph(turn % 28 + 1), B).place)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
