"""Drawn journals: what parties may say, some of it harmed, some of it twice, on a machine whose clock steps as clocks do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import strategies as st

from comity.domain import entries as e
from comity.domain.authority import event_id
from comity.domain.entries import IndexKind, RecordClass
from comity.domain.ids import GrantId
from comity.domain.log import Entry
from journals import (
    ADMINISTRATOR,
    AGENCIES,
    BASE,
    COURT,
    COURTS,
    EXCHANGE,
    EXCHANGE_ID,
    OTHER_COURT,
    A,
    B,
    C,
    admission,
    expungement,
    founding,
    grant,
    key,
    lift,
    minutes,
    performed,
    provisional,
    registered,
    seal,
    signed,
    tag,
    unseal,
)  # fmt: skip

NUMBERS, ORDERS, GRANTS = (1, 2, 3, 4), ("o1", "o2", "o3"), ("g1", "g2")
OWNERS = {1: A, 2: A, 3: B, 4: C}
# Few words, so that records share them: what makes kin, and what orders name before anything bears it.
INDEXES = [tag(kind, word) for kind in (IndexKind.BOOKING, IndexKind.PHOTOGRAPH, IndexKind.COURT_CASE) for word in "xy"]
CLASSES = (RecordClass.BOOKING, RecordClass.BOOKING, RecordClass.MISSING, RecordClass.MINOR)
SHARED = tuple(kind for kind in RecordClass if kind is not RecordClass.MINOR)
MODES = ("DESTROY", "COURT_ORDER_ONLY", "CRIMINAL_JUSTICE_ONLY", "ANNOTATE")
PURPOSES = ("serious-crime", "missing-person")
ROLES = {ADMINISTRATOR: e.Role.ADMINISTRATOR, EXCHANGE: e.Role.EXCHANGE}
ROLES |= dict.fromkeys(map(str, AGENCIES), e.Role.AGENCY) | dict.fromkeys(map(str, COURTS), e.Role.COURT)


@dataclass(frozen=True)
class Said:
    """One entry of a history: what, by whom, and what was done to it on the way."""

    event: e.JournalEntry
    party: str
    harm: str = ""
    appended_at: datetime = BASE

    def entry(self) -> Entry:
        """Return the bytes of it."""
        entry = signed(self.event, self.party)
        headers = dict(entry.headers)
        if self.harm == "garbage":
            return Entry(b"k", b"\x00garbage", entry.headers)
        if self.harm == "no headers":
            return replace(entry, headers=())
        if self.harm == "tombstone":
            return Entry(b"k", None)
        if self.harm == "forged":
            headers["jws"] = key(self.party).sign(b"other bytes", EXCHANGE_ID).encode()
        if self.harm == "elsewhere":
            headers["jws"] = key(self.party).sign(entry.value or b"", "x-2").encode()
        if self.harm == "renamed" and event_id(self.event):
            headers["ce_id"] = b"another-id"
        return replace(entry, headers=tuple(headers.items()))


HARMS = st.sampled_from([*[""] * 14, "garbage", "no headers", "tombstone", "forged", "elsewhere", "renamed"])
numbers = st.lists(st.sampled_from(NUMBERS), max_size=2)
indexes = st.lists(st.sampled_from(INDEXES), max_size=2)
orders, times = st.sampled_from(ORDERS), st.integers(0, 9).map(lambda count: minutes(5 * count))
# How much later than the entry before an entry is appended; and how far ahead of that a tick is.
STEPS = st.sampled_from(
    [timedelta(0), *[timedelta(minutes=5)] * 6, timedelta(minutes=20), timedelta(hours=3), timedelta(hours=-3)]
)
AHEAD = st.sampled_from([*[timedelta(0)] * 5, timedelta(seconds=-30), timedelta(seconds=6)])
signers = st.sampled_from([COURT, COURT, OTHER_COURT, *AGENCIES, EXCHANGE])


@st.composite
def admissions(draw: st.DrawFn) -> Said:
    number = draw(st.sampled_from(NUMBERS))
    kind, version = draw(st.sampled_from(CLASSES)), draw(st.integers(1, 3))
    named = draw(st.lists(st.sampled_from(INDEXES), min_size=1, max_size=3, unique=True))
    return Said(admission(number, OWNERS[number], *named, version=version, record_class=kind), EXCHANGE)


@st.composite
def ordered(draw: st.DrawFn) -> Said:
    name, named = draw(orders), draw(numbers)
    ends = draw(st.lists(orders, min_size=1, max_size=2))
    of, signer, authority = draw(signers), draw(signers), draw(st.sampled_from(["", "Order of 4 March"]))
    choices: list[e.JournalEntry] = [
        seal(name, *named, indexes=draw(indexes), mode=draw(st.sampled_from(MODES))),
        seal(name, *named),
        provisional(name, *named, lapses_at=draw(times)),
        expungement(name, *named, indexes=draw(indexes)),
        unseal("u" + name, *ends, of=of, authority=authority),
        unseal("v" + name, *ends, of=of, authority=authority),
        lift("l" + name, *ends, of=of, authority=authority),
    ]
    event = draw(st.sampled_from(choices))
    return Said(event, draw(st.sampled_from([of, signer])) if isinstance(event, e.Lift) else signer)


@st.composite
def shared(draw: st.DrawFn) -> Said:
    owner, grantee, name = draw(st.sampled_from(AGENCIES)), draw(st.sampled_from(AGENCIES)), draw(st.sampled_from(GRANTS))
    classes = tuple(draw(st.lists(st.sampled_from(list(RecordClass)), min_size=1, max_size=3)))
    purposes = tuple(draw(st.lists(st.sampled_from(PURPOSES), min_size=1)))
    given_ = grant(name, owner, grantee, expires_at=draw(times), classes=classes, purposes=purposes)
    choices: list[e.JournalEntry] = [given_, given_, e.ShareRevoked(GrantId(name))]
    event = draw(st.sampled_from(choices))
    return Said(event, draw(st.sampled_from([owner, owner, grantee])))


others = st.one_of(
    st.builds(
        lambda first, last: Said(e.TicksVoided(first, last, "wrong"), ADMINISTRATOR), st.integers(12, 30), st.integers(12, 40)
    ),
    st.integers(12, 40).map(lambda position: Said(e.ClockConfirmed(position, "right"), ADMINISTRATOR)),
    st.builds(
        lambda party, void_from: Said(e.KeyRevoked(key(party).kid, void_from), ADMINISTRATOR),
        st.sampled_from([*AGENCIES, *COURTS]),
        st.none() | st.integers(0, 60),
    ),
    st.just(Said(registered(COURT, e.Role.COURT), ADMINISTRATOR)),
    st.just(Said(performed("s1"), EXCHANGE)),
)


def beginning() -> list[Said]:
    """Return the founding entries, a tick, and a grant of everything by each agency to each other: so that orders matter."""
    said = [Said(event, party) for event, party in founding()] + [Said(e.ClockTicked(BASE), EXCHANGE)]
    for owner in AGENCIES:
        for grantee in AGENCIES:
            terms = grant(f"{owner}-{grantee}", owner, grantee, classes=SHARED, purposes=PURPOSES)
            said += [Said(terms, owner)] if owner != grantee else []
    return said


BEGINNING = beginning()


@st.composite
def histories(draw: st.DrawFn) -> list[Said]:
    """Return a journal: what lets everybody see everything, then anything, some of it harmed, some of it twice."""
    said, now = list(BEGINNING), BASE
    clock: list[st.SearchStrategy[Said] | str | None] = ["tick", "tick", "tick"]
    kinds = [admissions(), admissions(), ordered(), ordered(), ordered(), shared(), others, None, *clock]
    for _ in range(draw(st.integers(6, 24))):
        kind, now = draw(st.sampled_from(kinds)), now + draw(STEPS)
        if isinstance(kind, str):
            one = Said(e.ClockTicked(now + draw(AHEAD)), EXCHANGE)
        else:
            one = draw(st.sampled_from(said)) if kind is None else draw(kind)
        said.append(replace(one, harm=draw(HARMS), appended_at=now))
    return said
