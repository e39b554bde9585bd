"""Names that are registered: shown everywhere as they are, so none may steer a page or speak for the exchange."""

from __future__ import annotations

import pytest

from comity.domain import names


@pytest.mark.parametrize(
    "name", ["Milwaukee Police Department", "Núñez, José", "O\u2019Brien", "Ōta 太田", "St. Mary's Co. (Sheriff)"]
)
def test_names_of_people_and_parties_are_taken(name: str) -> None:
    assert names.fault(name) is None
    assert not names.is_reserved(name)


@pytest.mark.parametrize(
    "name",
    [
        "", " ", "x" * 201, "Ann\u202egnal", "Ann\u2066x\u2069", "Ann\u200bx", "Ann\x00", "Ann\x1b[31m", "Ann\nBob",
        "Ann\u2028Bob",         "Ann\ue000", "Ann\ufeff", " Ann", "Ann ", "Ann  Bob", "Ann\u00ad",
    ],
)  # fmt: skip
def test_what_cannot_be_seen_or_turns_the_writing_is_refused(name: str) -> None:
    assert names.fault(name)


@pytest.mark.parametrize(
    "name",
    [
        "administrator",
        "Exchange",
        "EXCHANGE",
        "ex-change",
        "\uff25\uff58\uff43\uff48\uff41\uff4e\uff47\uff45",
        "comity",
        "Operator",
        "ad min",
    ],
)
def test_what_speaks_for_the_exchange_is_reserved(name: str) -> None:
    assert names.is_reserved(name)
