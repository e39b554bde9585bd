"""Entry to rows: what each entry changes, and that it changes nothing else (rules 1, 2, 8, 10)."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.domain import entries as e
from comity.domain import posting as p
from comity.domain.ids import END, GrantId, KeyId, Ori, PartyId, SearchId, UserId
from comity.domain.posting import End, Enter, MemoryLedger, Row, Signer, ended, post
from journals import BASE, COURT, A, B, admission, expungement, grant, lift, minutes, provisional, record, seal, tag, unseal

K = KeyId("k")
OWNER, JUDGE = Signer(PartyId(A), e.Role.AGENCY, K), Signer(COURT, e.Role.COURT, K)
EXCHANGE = Signer(PartyId("x"), e.Role.EXCHANGE, K)


def rows(entry: e.JournalEntry, signer: Signer = JUDGE) -> list[Row]:
    return [change.row for change in post(entry, 7, signer, BASE) if isinstance(change, Enter)]


@given(st.integers(-1, 9), st.integers(-1, 9), st.integers(0, 9))
def test_a_row_holds_after_it_was_entered_and_up_to_its_end(entered: int, end: int, place: int) -> None:
    """Rule 1: E < N <= L."""
    assert p.Tick(entered=entered, ended=end, at=BASE).holds(place) is (entered < place <= end)
    assert p.Tick(entered=entered, at=BASE).holds(place) is (entered < place)


def test_an_admission_enters_the_record_and_all_its_indexes_some_of_which_make_kin() -> None:
    """Promise 3: booking number and photograph file are known again."""
    named = [tag(kind, "x") for kind in e.IndexKind]
    entered = rows(admission(1, A, *named, version=4), EXCHANGE)
    (held,) = (row for row in entered if isinstance(row, p.Record))
    assert (held.record_id, held.owner, held.version, held.entered, held.ended) == (record(1), A, 4, 7, END)
    kin = {row.target.split(":")[0]: row.kin for row in entered if isinstance(row, p.Index)}
    assert kin == {"booking": True, "photograph": True, "agency-case": False, "court-case": False, "atn": False}


def test_a_target_tells_kind_key_version_and_tag_apart() -> None:
    """DESIGN §3: each tag names its key's version."""
    tags = [e.BlindIndex(kind, version, t) for kind in e.IndexKind for version in (1, 11) for t in ("aa", "1aa")]
    assert len({p.index_target(index) for index in tags} | {p.record_target(record(1))}) == len(tags) + 1


@pytest.mark.parametrize(
    ("order", "kind", "mode"),
    [
        (seal("o", 1, mode="ANNOTATE"), "seal", "ANNOTATE"),
        (provisional("o", 1, lapses_at=minutes(5)), "provisional", "COURT_ORDER_ONLY"),
        (expungement("o", 1), "expungement", "DESTROY"),
    ],
)
def test_an_order_enters_one_suppression_for_each_target(order: e.Cover, kind: str, mode: str) -> None:
    """R13: modes are data; the kind decides what may end it."""
    (row,) = rows(order)
    assert isinstance(row, p.Suppression)
    assert (row.kind, row.mode, row.target, row.owner_only, row.entered_by) == (kind, mode, f"record:{record(1)}", None, COURT)
    assert row.lapses_at == (minutes(5) if kind == "provisional" else None)


def test_an_order_that_names_a_target_twice_enters_it_once_and_an_owners_order_says_whose() -> None:
    """Rule 10; an owner's order is limited to its own records."""
    order = seal("o", 1, 1, 2, indexes=[tag(e.IndexKind.ATN, "a"), tag(e.IndexKind.ATN, "a")])
    entered = rows(order, OWNER)
    assert len(entered) == 3
    assert {row.owner_only for row in entered if isinstance(row, p.Suppression)} == {Ori(A)}


@pytest.mark.parametrize(
    ("entry", "ended"),
    [(unseal("u", "o1", "o2", "o1"), {"seal", "provisional"}), (lift("u", "o1", "o2"), {"provisional"})],
)
def test_a_lift_is_a_row_for_each_order_that_it_names_and_ends_no_expungement(entry: e.Lift, ended: set[str]) -> None:
    """Rules 2, 9 and 13, R18a: by whose the order is and its id; nothing of the order itself is overwritten."""
    lifts = [row for row in rows(entry) if isinstance(row, p.Lift)]
    assert len(lifts) == len(post(entry, 7, JUDGE, BASE)) == 2
    for kind, order in (("seal", seal), ("provisional", provisional_of), ("expungement", expungement)):
        (covering,) = (row for change in post(order("o1", 1), 3, JUDGE, BASE) if isinstance(row := change.row, p.Suppression))  # type: ignore[union-attr]
        assert lifts[0].ends(covering, 8) is (kind in ended)
        assert not lifts[1].ends(covering, 8)
        assert not lifts[0].ends(covering, 7), "not before it was entered"
        assert not lifts[0].ends(replace(covering, entered=7), 9), "only what stood before it"
        assert not lifts[0].ends(replace(covering, entered_by=PartyId("court-2")), 8), "another's order of that id"


def provisional_of(name: str, number: int) -> e.RecordsProvisionallySealed:
    return provisional(name, number, lapses_at=minutes(5))


def test_every_row_says_by_which_key_and_when_it_was_entered() -> None:
    """Rule 13: a key's revocation finds what it loosened; a receipt tells the log's own time."""
    for entry in (
        seal("o", 1),
        unseal("u", "o"),
        grant("g", A, B),
        e.KeyRevoked(K, 3),
        admission(1, A, tag(e.IndexKind.ATN, "a")),
    ):
        assert {(row.kid, row.entered_at) for row in rows(entry)} == {(K, BASE)}


def test_only_the_owner_of_a_grant_revokes_it() -> None:
    """R22."""
    assert post(e.ShareRevoked(GrantId("g")), 7, OWNER, BASE) == (End(p.Grant, {"grant_id": ("g",), "owner": (A,)}),)
    (row,) = rows(grant("g", A, B), OWNER)
    assert isinstance(row, p.Grant)
    assert (row.owner, row.grantee) == (A, B)


def test_what_is_only_said_changes_nothing() -> None:
    """Rule 3: a refusal and a policy are no basis of a judgement."""
    assert post(e.OrderRefused(3, "forged", ""), 7, EXCHANGE, BASE) == ()
    assert post(e.PolicyAdopted(bytes(32)), 7, JUDGE, BASE) == ()


def test_a_fact_entered_again_changes_nothing() -> None:
    """R2, rule 10: insert or nothing, by what makes it the same fact."""
    ledger = MemoryLedger()
    ledger.execute(post(admission(1, A), 1, EXCHANGE, BASE), 1)
    ledger.execute(post(admission(1, B), 2, EXCHANGE, BASE), 2)
    (row,) = ledger.rows[p.Record].values()
    assert (row.entered, getattr(row, "owner", None)) == (1, A)


def test_a_fact_ends_once_and_only_if_it_was_entered_before() -> None:
    """Rule 1: nothing is updated but the end, once."""
    ledger = MemoryLedger()
    ledger.execute(post(grant("g", A, B), 3, OWNER, BASE), 3)
    for at in (3, 5, 6):
        ledger.execute(post(e.ShareRevoked(GrantId("g")), at, OWNER, BASE), at)
    assert [row.ended for row in ledger.rows[p.Grant].values()] == [5]


def test_every_row_has_an_identity_made_of_its_own_fields() -> None:
    """Rule 10: the tables' unique constraints are these."""
    assert {kind.__name__ for kind in p.IDENTITY} == {kind.__name__ for kind in Row.__subclasses__()}
    for kind, names in p.IDENTITY.items():
        assert set(names) <= {field.name for field in fields(kind)}


def test_an_ended_row_differs_in_its_end_alone() -> None:
    """Rule 1."""
    row = p.Search(entered=3, search_id=SearchId("s"), attempt=0, requester=A, user=UserId("u"), purpose="p", shown_max=1,
                   reopens=None)  # fmt: skip
    again = ended(row, 9)
    assert again.ended == 9
    assert ended(again, END) == row
