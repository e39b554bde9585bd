"""What stolen keys loosened never counted, once they are revoked from before it; nor what hangs on their rows (rule 13)."""

from __future__ import annotations

import pytest

from comity.domain import entries as e
from comity.domain import posting as p
from comity.domain.ids import GrantId, OrderId, OrderName, Ori, PartyId
from comity.domain.judge import Verdict
from comity.domain.standing import certificates
from journals import (
    ADMINISTRATOR,
    BASE,
    COURT,
    EXCHANGE,
    A,
    B,
    C,
    Core,
    admission,
    grant,
    key,
    minutes,
    record,
    seal,
    unseal,
)  # fmt: skip

STANDS, SUPPRESSED = Verdict.STANDS, Verdict.SUPPRESSED
THIEF, ACCOMPLICE = "thief", "accomplice"


@pytest.fixture
def core(founded: Core) -> Core:
    """Return a journal in which A lets B search record 1, and a second administrator's key was registered."""
    founded.say(admission(1))
    founded.say(grant("g1"), A)
    founded.say(of("second", ADMINISTRATOR, e.Role.ADMINISTRATOR), ADMINISTRATOR)
    return founded


def of(name: str, party: str, role: e.Role) -> e.KeyRegistered:
    """Return the registration of a key that is not its party's own."""
    return e.KeyRegistered(key(name).kid, PartyId(party), role, key(name).public_bytes)


def revoked(core: Core, name: str, void_from: int | None, by: str = "second") -> int:
    return core.say(e.KeyRevoked(key(name).kid, void_from), by)


def refusals(core: Core) -> list[str]:
    core.apply()
    return [x.refused.reason for x in reversed(core.ledger.refusals()) if x.refused]


@pytest.mark.parametrize("steps", [1, 2])
def test_a_key_that_a_stolen_administrators_key_registered_loosens_nothing(core: Core, steps: int) -> None:
    core.say(seal("o1", 1), COURT)
    core.apply()
    stolen, by = core.ledger.progress().next, ADMINISTRATOR
    if steps == 2:
        core.say(of(ACCOMPLICE, ADMINISTRATOR, e.Role.ADMINISTRATOR), ADMINISTRATOR)
        by = ACCOMPLICE
    core.say(of(THIEF, COURT, e.Role.COURT), by)
    core.say(unseal("u1", "o1"), THIEF)
    assert core.verdict(1) is STANDS
    place = revoked(core, ADMINISTRATOR, stolen)
    assert core.verdict(1) is SUPPRESSED
    assert core.verdict(1, as_of=place) is STANDS  # as of then it was not known
    core.say(seal("o2", 1), THIEF)
    assert refusals(core)[-1] == "unknown-key"  # and speaks for nobody from here on


def test_what_an_administrator_registered_before_goes_on(core: Core) -> None:
    core.say(of(THIEF, COURT, e.Role.COURT), ADMINISTRATOR)
    core.say(seal("o1", 1), COURT)
    core.say(unseal("u1", "o1"), THIEF)
    core.apply()
    revoked(core, ADMINISTRATOR, core.ledger.progress().next)
    assert core.verdict(1) is STANDS
    core.say(seal("o2", 1), THIEF)
    assert core.verdict(1) is SUPPRESSED


def test_a_ruling_on_the_clock_by_such_a_key_never_counted(core: Core) -> None:
    wrong = core.tick(minutes(5))
    core.apply()
    core.say(of(THIEF, ADMINISTRATOR, e.Role.ADMINISTRATOR), ADMINISTRATOR)
    core.say(e.TicksVoided(wrong, wrong, "wrong"), ADMINISTRATOR)
    core.say(e.TicksVoided(wrong - 9, wrong, "wrong"), THIEF)
    revoked(core, ADMINISTRATOR, wrong + 1)
    core.apply()
    now = core.ledger.facts(B, [], core.ledger.progress().next).clock(core.ledger.progress().next)
    assert now is not None
    assert now.latest == minutes(5)


@pytest.mark.parametrize(
    "forged",
    [
        admission(1, A, version=2, record_class=e.RecordClass.MISSING),
        admission(1, A, version=2, record_class=e.RecordClass.MINOR),
    ],
)
def test_a_version_by_a_stolen_key_of_the_exchange_does_not_count(core: Core, forged: e.RecordsAdmitted) -> None:
    place = core.say(forged)
    assert core.verdict(1) is Verdict.NOT_GRANTED
    core.say(of("new", EXCHANGE, e.Role.EXCHANGE), ADMINISTRATOR)
    revoked(core, EXCHANGE, place)
    assert core.verdict(1) is Verdict.NOT_ADMITTED  # until it is admitted again
    core.say(admission(1), "new")
    assert core.verdict(1) is STANDS
    assert [row.version for row in core.ledger.admitted([record(1)])] == [1]


def test_nothing_older_opens_where_a_correction_falls_with_its_key(core: Core) -> None:
    """The honest exchange had admitted it, by the key that was stolen: somebody is a minor."""
    assert core.verdict(1) is STANDS
    place = core.say(admission(1, version=2, record_class=e.RecordClass.MINOR))
    assert core.verdict(1) is Verdict.NOT_GRANTED
    core.say(of("new", EXCHANGE, e.Role.EXCHANGE), ADMINISTRATOR)
    revoked(core, EXCHANGE, place)
    assert core.verdict(1) is Verdict.NOT_ADMITTED
    core.say(admission(1, version=2, record_class=e.RecordClass.MINOR), "new")
    assert core.verdict(1) is Verdict.NOT_GRANTED


def test_a_key_does_not_end_with_the_revocation_that_it_signs(core: Core) -> None:
    """Else no administrator would be left."""
    core.apply()
    place = core.ledger.progress().next
    core.say(of(ACCOMPLICE, ADMINISTRATOR, e.Role.ADMINISTRATOR), ADMINISTRATOR)
    revoked(core, ADMINISTRATOR, place, by=ACCOMPLICE)
    assert refusals(core) == ["ends-its-signer"]
    revoked(core, ADMINISTRATOR, place + 1, by=ACCOMPLICE)
    assert refusals(core) == ["ends-its-signer"]


def test_a_minor_does_not_open_by_a_version_of_another_class(core: Core) -> None:
    core.say(admission(2, record_class=e.RecordClass.MINOR))
    place = core.say(admission(2, version=2))
    assert core.verdict(2) is STANDS
    core.say(of("new", EXCHANGE, e.Role.EXCHANGE), ADMINISTRATOR)
    revoked(core, EXCHANGE, place)
    assert core.verdict(2) is Verdict.NOT_ADMITTED
    core.say(admission(2, record_class=e.RecordClass.MINOR), "new")
    assert core.verdict(2) is Verdict.NOT_GRANTED


def test_what_was_admitted_by_a_stolen_key_alone_is_withheld_until_it_is_admitted_again(core: Core) -> None:
    place = core.say(admission(2))
    assert core.verdict(2) is STANDS
    core.say(of("new", EXCHANGE, e.Role.EXCHANGE), ADMINISTRATOR)
    revoked(core, EXCHANGE, place)
    assert core.verdict(2) is Verdict.NOT_ADMITTED
    core.say(admission(2), "new")
    assert core.verdict(2) is STANDS


def test_a_record_keeps_its_owner_in_every_version(core: Core) -> None:
    core.say(seal("o1", 1), A)
    core.say(grant("g2", B, C), B)
    core.say(admission(1, B, version=2))
    core.say(admission(1, B))
    assert core.verdict(1, C) is SUPPRESSED
    assert refusals(core) == ["another-owner", "another-owner"]
    assert [row.owner for row in core.ledger.rows(p.Record, record_id=record(1))] == [A]


def test_a_record_keeps_its_owner_within_one_batch_and_one_entry(core: Core) -> None:
    core.say(admission(2, A))
    core.say(admission(2, B, version=2))
    one, other = admission(3, A).records[0], admission(3, B, version=2).records[0]
    core.say(e.RecordsAdmitted((one, other)))
    assert refusals(core) == ["another-owner", "another-owner"]


def test_an_owner_that_only_a_stolen_key_named_is_nobodys(core: Core) -> None:
    place = core.say(admission(2, B))
    core.say(of("new", EXCHANGE, e.Role.EXCHANGE), ADMINISTRATOR)
    revoked(core, EXCHANGE, place)
    core.say(admission(2, A), "new")
    assert core.verdict(2) is STANDS
    assert refusals(core) == []


@pytest.mark.parametrize("what", ["grant", "unseal"])
def test_what_is_void_is_entered_again_under_a_new_id(core: Core, what: str) -> None:
    party = PartyId(A) if what == "grant" else COURT
    core.say(seal("o1", 2), COURT)
    said: e.JournalEntry = grant("g2", A, C) if what == "grant" else unseal("u1", "o1")
    anew: e.JournalEntry = grant("g3", A, C) if what == "grant" else unseal("u2", "o1")
    place = core.say(said, party)
    core.say(of("next", party, e.Role.AGENCY if what == "grant" else e.Role.COURT), ADMINISTRATOR)
    revoked(core, party, place)
    core.say(said, "next")
    core.say(anew, "next")
    assert refusals(core) == ["void-name"]


@pytest.mark.parametrize("what", ["grant", "unseal"])
def test_an_id_that_a_counting_seal_bears_is_not_called_void(core: Core, what: str) -> None:
    """What hides goes on counting, whatever became of its key: "never counted" would not be true of it."""
    party = PartyId(A) if what == "grant" else COURT
    core.say(seal("o1", 1), COURT)
    place = core.say(seal("x1", 2), party)
    core.say(of("next", party, e.Role.AGENCY if what == "grant" else e.Role.COURT), ADMINISTRATOR)
    revoked(core, party, place)
    core.say(grant("x1", A, C) if what == "grant" else unseal("x1", "o1"), "next")
    assert refusals(core) == ["same-id"]


@pytest.mark.parametrize(
    ("said", "party", "reason"),
    [
        (e.ShareRevoked(GrantId("none")), A, "no-such-grant"),
        (e.ShareRevoked(GrantId("g1")), B, "no-such-grant"),
        (e.KeyRevoked(key("nobody").kid, 0), ADMINISTRATOR, "no-such-key"),
        (unseal("u1", "none"), COURT, "no-such-order"),
        (unseal("u1", "o1", "none"), COURT, "no-such-order"),
        (unseal("u1", "x1"), COURT, "has-no-end"),
        (seal("o9"), COURT, "no-target"),
        (e.RecordsExpunged(unseal("o9").order_id, "", (), (), BASE), COURT, "no-target"),
    ],
)
def test_what_would_do_nothing_is_refused(core: Core, said: e.JournalEntry, party: Ori | str, reason: str) -> None:
    core.say(seal("o1", 2), COURT)
    core.say(e.RecordsExpunged(unseal("x1").order_id, "wi-165.84", (record(3),), (), BASE), COURT)
    core.say(said, party)
    assert refusals(core) == [reason]


def test_a_certificate_by_a_stolen_key_attests_nothing_and_the_next_key_attests_anew(core: Core) -> None:
    order = OrderName(COURT, OrderId("x1"))
    said = e.ErasureCertified("certificate-1", order, 1, "sweep", (record(1),), 1, 1, (), 1, 1, 0, (), BASE)
    core.say(e.RecordsExpunged(order.order_id, "wi-165.84", (record(1),), (), BASE), COURT)
    place = core.say(said)
    core.apply()
    assert [row.certificate_id for row in certificates(core.ledger, order)] == ["certificate-1"]
    core.say(of("new", EXCHANGE, e.Role.EXCHANGE), ADMINISTRATOR)
    revoked(core, EXCHANGE, place)
    core.apply()
    assert certificates(core.ledger, order) == []
    core.say(said, "new")
    core.apply()
    assert [row.kid for row in certificates(core.ledger, order)] == [key("new").kid]


def test_an_order_that_a_key_ended_before_is_not_ended_by_it_again(core: Core) -> None:
    """Else a court's key could make each judgement of a record read a thousand lifts."""
    core.say(seal("o1", 1), COURT)
    core.say(seal("o2", 1), COURT)
    core.say(unseal("u1", "o1"), COURT)
    core.say(unseal("u2", "o1"), COURT)
    assert refusals(core) == ["ended-before"]
    core.say(unseal("u3", "o1", "o2"), COURT)  # it ends one more
    core.apply()
    core.say(unseal("u4", "o1", "o2"), COURT)
    assert refusals(core) == ["ended-before", "ended-before"]
    assert len(core.ledger.rows(p.Lift)) == 2
    assert core.verdict(1) is STANDS


def test_what_a_void_lift_had_ended_another_key_ends(core: Core) -> None:
    core.say(seal("o1", 1), COURT)
    place = core.say(unseal("u1", "o1"), COURT)
    core.say(of("next", COURT, e.Role.COURT), ADMINISTRATOR)
    revoked(core, COURT, place)
    assert core.verdict(1) is SUPPRESSED
    core.say(unseal("u2", "o1"), "next")
    assert core.verdict(1) is STANDS
