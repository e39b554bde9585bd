"""Probes: nothing is left of a search that was refused, and what is kept has its time (R25)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from builders import COURT, MILWAUKEE, House, photograph
from comity.acts import release
from comity.acts.probes import orphans
from comity.acts.search import SearchRequest
from comity.domain import entries as e
from comity.domain.ids import SearchId, UserId, probe_key, probe_name, search_key
from comity.domain.log import JOURNAL
from comity.errors import ComityError, KeyShredded, NotAppended, OutcomeUnknown, Unavailable
from comity.ports import LedgerView
from desk_world import together

ASKED = SearchRequest(
    MILWAUKEE, UserId("u-1"), photograph(1, 2), "serious-crime", "probable-cause", "burglary", "S-4711", "26-000123"
)


def left(house: House) -> tuple[int, list[str]]:
    """Return how many rows the vault holds, and what the photograph store holds of searches."""
    for kind in (e.IndexKind.AGENCY_CASE, e.IndexKind.PHOTOGRAPH):  # index keys are no search's
        house.exchange.indexer.index(kind, "1", MILWAUKEE)
    vault = sqlite3.connect(house.exchange.home.path("vault.db"))
    (rows,) = vault.execute("SELECT count(*) FROM keys WHERE NOT shredded").fetchone()
    vault.close()
    return rows, sorted(name for name in house.exchange.photos.names() if name.startswith("search/"))


@pytest.mark.parametrize(
    "changed",
    [
        {"purpose": "immigration-enforcement"},
        {"threshold": "reasonable-suspicion"},
        {"shown_max": 51},
        {"authority": " "},
        {"case_number": "---"},
        {"case_number": "9" * 300},
        {"probe": b"no picture"},
        {"probe": together("p01", "p03")},
        {"face": 3},
        {"after": 10**9},
    ],
)
def test_a_search_that_is_refused_leaves_nothing(house: House, changed: dict[str, Any]) -> None:
    before = left(house)
    with pytest.raises(ComityError):
        house.exchange.search(replace(ASKED, **changed))
    assert left(house) == before


@pytest.mark.parametrize("error", [NotAppended("disk full"), OutcomeUnknown("timed out")])
def test_a_search_that_has_no_place_leaves_no_probe(house: House, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, names = left(house)

    def enter(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(house.exchange.journal, "enter", enter)
    with pytest.raises(type(error)):
        house.exchange.search(ASKED)
    kept_for_an_entry_that_may_stand = isinstance(error, OutcomeUnknown)
    assert left(house) == (rows + kept_for_an_entry_that_may_stand, names)


def test_a_search_that_came_too_late_leaves_no_probe(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its entry stands, withheld; its key opens that entry for an auditor."""
    monkeypatch.setattr(release, "AGE_SECONDS_MAX", -1.0)
    rows, names = left(house)
    with pytest.raises(Unavailable, match="faster"):
        house.exchange.search(ASKED)
    assert left(house) == (rows + 1, names)


def settled_by(monkeypatch: pytest.MonkeyPatch, ledger: LedgerView, moment: datetime) -> None:
    """Let the newest tick say that time has passed up to a moment."""
    (tick,) = ledger.ticks_before(ledger.progress().next, 1)
    monkeypatch.setattr(ledger, "ticks_before", lambda *_: (replace(tick, settled=moment),))


def test_a_probe_is_destroyed_when_its_time_is_settled_and_not_before(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    x = house.exchange
    old, new = x.search(ASKED).search_id, SearchId("")
    duty = replace(x.probe_duty, keep=timedelta(days=30))
    duty.sweep()
    assert x.probes.open(old) == ASKED.probe
    later = x.now() + timedelta(days=31)
    monkeypatch.setattr(x, "now", lambda: later)
    monkeypatch.setattr(x.journal, "now", lambda: later)
    duty.sweep()  # the machine's clock alone says so
    assert x.probes.open(old) == ASKED.probe
    settled_by(monkeypatch, x.ledger, later)
    duty.sweep()
    assert x.probes.open(old) is None
    assert x.photos.get(probe_name(old)) is None
    with pytest.raises(KeyShredded):
        x.vault.open(probe_key(old))
    assert x.vault.open(search_key(old))  # an auditor still opens what was shown
    monkeypatch.undo()
    new = x.search(ASKED).search_id
    duty.sweep()  # it goes on from where it stood
    assert x.probes.open(new) == ASKED.probe


def test_a_probe_that_no_search_knows_is_found_and_destroyed(house: House) -> None:
    x, lost, known = house.exchange, SearchId("f" * 24), house.exchange.search(ASKED).search_id
    x.probes.keep(lost, b"a probe")
    assert [f.what for f in x.fsck()] == ["1 probes that no search knows"]
    assert x.probe_duty.sweep_orphans() == 1
    assert x.fsck() == ()
    assert x.probes.open(known) == ASKED.probe


def test_a_probe_that_came_back_with_an_older_vault_and_photo_store_goes_at_the_next_start(house: House) -> None:
    """The duty is past its search, and would never look at it again."""
    x, back = house.exchange, house.exchange.search(ASKED).search_id
    x.positions.save("probes", str(JOURNAL.topic), x.log.end(JOURNAL))
    new = x.search(ASKED).search_id
    assert x.probe_duty.sweep_orphans() >= 1
    assert (x.probes.open(back), x.probes.open(new)) == (None, ASKED.probe)


def test_a_probe_whose_search_is_not_applied_yet_is_no_orphan(house: House) -> None:
    """Its entry stands in the journal: the ledger is waited for."""
    x, search = house.exchange, SearchId("e" * 24)
    waited: list[bool] = []
    x.probes.keep(search, b"a probe")
    assert orphans(x.photos, x.ledger, lambda: waited.append(True)) == (search,)
    assert waited == [True]
    x.probes.destroy(search)


def test_an_order_of_writing_that_leaves_no_orphan(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash at any step leaves a search without a probe at most."""
    x, seen = house.exchange, list[str]()
    for what, owner, name in (("key", x.vault, "issue"), ("entry", x.journal, "enter"), ("probe", x.photos, "put")):
        monkeypatch.setattr(owner, name, noted(seen, what, getattr(owner, name)))
    x.search(ASKED)
    assert [step for step in dict.fromkeys(seen) if step != "key"] == ["entry", "probe"]
    assert seen.index("key") < seen.index("entry")


def noted(seen: list[str], what: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def noting(*args: Any, **named: Any) -> Any:  # noqa: ANN401
        entered = what != "entry" or isinstance(args[0], e.SearchPerformed)  # the clock enters too
        seen.extend([what] if entered and not str(args[0]).startswith("index/") else [])
        return real(*args, **named)

    return noting


def test_a_courts_clerk_has_no_probe_to_keep(house: House) -> None:
    """Searching is refused before a byte is read: nothing of it is on the disk."""
    before = left(house)
    web = house.search(COURT, "investigator")
    assert web.post("/v1/searches", files={"probe": photograph(1, 2)}, data=ASKED_FORM).status_code == 403
    assert left(house) == before


ASKED_FORM = {
    "purpose": "serious-crime", "threshold": "probable-cause", "offence": "burglary", "authority": "S", "case_number": "26-1",
}  # fmt: skip
