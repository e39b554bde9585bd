"""What may be searched for, and what an order does: tables as data, with their sources (R13, R23, R24).

A table is changed here and adopted by an entry in the journal (``PolicyAdopted`` carries its digest), so an auditor knows which
was in force. These are modelled on the statutes named; an agency's counsel decides what applies to it.
"""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass
from enum import StrEnum

from comity.domain.entries import RecordClass

BOOKING_ONLY = frozenset({RecordClass.BOOKING})


class Ruling(StrEnum):
    """What the policy says of a search before it is made."""

    ALLOW = "allow"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Purpose:
    """A stated purpose: which thresholds carry it, which record classes it may reach; none of them means refused."""

    slug: str
    title: str
    thresholds: tuple[str, ...]
    classes: frozenset[RecordClass]
    why: str
    source: str


@dataclass(frozen=True, slots=True)
class Mode:
    """What a sealing order leaves: peers never see the record under any mode (R13)."""

    slug: str
    title: str
    owner_searches: bool
    destroys: bool


@dataclass(frozen=True, slots=True)
class Statute:
    """The law an order names, and the mode that follows; no mode means that it binds no police record.

    ``due``: when a law that destroys wants it done, in words.
    """

    slug: str
    title: str
    mode: str | None
    why: str = ""
    due: str = ""


THRESHOLDS: dict[str, str] = {
    "reasonable-suspicion": "Reasonable suspicion",
    "probable-cause": "Probable cause",
    "warrant": "A judge's warrant",
    "emergency": "Emergency: imminent danger of death or serious injury",
    "identify": "A person who is deceased, incapacitated or missing",
}

PURPOSES: dict[str, Purpose] = {
    p.slug: p
    for p in (
        Purpose(
            "serious-crime",
            "Investigation of a serious crime",
            ("probable-cause", "warrant", "emergency"),
            BOOKING_ONLY,
            "A face search needs probable cause that a serious crime was committed.",
            "Maine Revised Statutes, Title 25, section 6001",
        ),
        Purpose(
            "criminal-investigation",
            "Investigation of a listed crime",
            ("reasonable-suspicion", "probable-cause", "warrant"),
            BOOKING_ONLY,
            "The crime must be listed and its case number stated.",
            "Code of Maryland, Criminal Procedure, Title 2, Subtitle 5",
        ),
        Purpose(
            "missing-person",
            "Finding a missing or endangered person",
            ("identify", "emergency"),
            frozenset({RecordClass.BOOKING, RecordClass.MISSING}),
            "A missing person may be sought among missing persons and bookings.",
            "Utah Code, Title 77, Chapter 23e",
        ),
        Purpose(
            "missing-child",
            "Finding a missing child",
            ("identify", "emergency"),
            frozenset({RecordClass.MINOR, RecordClass.MISSING}),
            "Reaches an agency's own records of minors; no other agency's, whatever was granted.",
            "United States Code, Title 34, sections 41307 and 41308",
        ),
        Purpose(
            "identify-deceased-or-incapacitated",
            "Identifying a person who is deceased or cannot say who they are",
            ("identify",),
            frozenset({RecordClass.BOOKING, RecordClass.MISSING, RecordClass.UNKNOWN_DECEASED}),
            "",
            "Utah Code, Title 77, Chapter 23e",
        ),
        Purpose(
            "immigration-enforcement",
            "Civil immigration enforcement",
            (),
            frozenset(),
            "Civil immigration status is no crime: the exchange takes no such search.",
            "California Government Code, section 7284.6",
        ),
        Purpose(
            "first-amendment-activity",
            "Identifying people at a protest, a service or an assembly",
            (),
            frozenset(),
            "Lawful speech, worship and assembly are no ground for a face search.",
            "Code of Maryland, Criminal Procedure, Title 2, Subtitle 5",
        ),
    )
}

OFFENCES: dict[str, str] = {
    "homicide": "Homicide offences",
    "sex-offence": "Sex offences",
    "robbery": "Robbery",
    "assault": "Assault offences",
    "burglary": "Burglary, breaking and entering",
    "kidnapping": "Kidnapping, abduction",
    "motor-vehicle-theft": "Motor vehicle theft",
    "fraud": "Fraud offences",
    "trafficking": "Human trafficking",
    "none": "No offence: a person is missing, deceased or incapacitated",
}

MODES: dict[str, Mode] = {
    m.slug: m
    for m in (
        Mode("DESTROY", "Hidden from everyone; an expungement destroys", owner_searches=False, destroys=True),
        Mode("COURT_ORDER_ONLY", "Hidden from everyone; a court may open it", owner_searches=False, destroys=False),
        Mode("CRIMINAL_JUSTICE_ONLY", "Hidden from every peer; the owner keeps it", owner_searches=True, destroys=False),
        Mode("ANNOTATE", "Hidden from every peer; the owner sees it with its disposition", owner_searches=True, destroys=False),
    )
}

STATUTES: dict[str, Statute] = {
    s.slug: s
    for s in (
        Statute(
            "ca-pc-851.8",
            "California Penal Code 851.8: factual innocence, seal and destroy",
            "DESTROY",
            due="The law seals the record for three years from the arrest, and has it destroyed then.",
        ),
        Statute("ca-pc-851.91", "California Penal Code 851.91: arrest without conviction", "CRIMINAL_JUSTICE_ONLY"),
        Statute("ny-cpl-160.50", "New York CPL 160.50: terminated in favour of the accused", "COURT_ORDER_ONLY"),
        Statute(
            "il-20-ilcs-2630-5.2",
            "20 ILCS 2630/5.2: expungement",
            "DESTROY",
            due="The law has the record destroyed within 60 days of the order's service.",
        ),
        Statute("mn-609a", "Minnesota Statutes, chapter 609A", "CRIMINAL_JUSTICE_ONLY"),
        Statute(
            "wi-165.84",
            "Wisconsin Statutes 165.84(1): released without charge, or cleared",
            "DESTROY",
            due="The law gives the record back at the person's request, so nothing is to be kept once that is there.",
        ),
        Statute(
            "wi-973.015",
            "Wisconsin Statutes 973.015: expungement of the court's record",
            None,
            "This statute expunges the court's own record; it does not reach a police record. Name an order that does.",
        ),
    )
}

NOT_DESTROYED = "A seal destroys nothing, now or later by itself: the expungement under the same law does, when it is entered."

RIGHTS = ("search", "view", "reveal")
REQUESTER_CLASSES = ("municipal", "county", "state", "federal", "tribal", "foreign")


def rule(purpose: str, threshold: str, offence: str, classes: frozenset[RecordClass]) -> tuple[Ruling, str]:
    """Return what the policy says of a search, and the sentence that tells why; unknown words are refused."""
    known = PURPOSES.get(purpose)
    if known is None:
        return Ruling.REFUSE, f"There is no purpose called {purpose!r:.60}."
    why = ""
    if not known.thresholds:
        why = known.why
    elif threshold not in known.thresholds:
        why = f"{known.title} needs one of: {', '.join(known.thresholds)}."
    elif offence not in OFFENCES or (offence == "none" and threshold != "identify"):
        why = f"An investigation names its offence, one of: {', '.join(OFFENCES)}."
    elif not classes or not classes <= known.classes:
        why = f"{known.title} reaches only: {', '.join(sorted(known.classes))}."
    return (Ruling.REFUSE, f"{why} ({known.source})") if why else (Ruling.ALLOW, known.title)


def digest() -> bytes:
    """Return the SHA-256 of the tables above, as ``PolicyAdopted`` names it."""
    purposes = [(*astuple(p)[:3], sorted(p.classes), p.why, p.source) for p in PURPOSES.values()]
    tables = (purposes, THRESHOLDS, OFFENCES, [astuple(m) for m in MODES.values()], [astuple(s) for s in STATUTES.values()])
    return hashlib.sha256(repr(tables).encode()).digest()


def destruction(statute: str) -> str:
    """Return what becomes of the bytes under a seal by a statute that destroys, and when; empty for any other."""
    law = STATUTES.get(statute)
    if law is None or law.mode is None or not MODES[law.mode].destroys:
        return ""
    return f"{NOT_DESTROYED} {law.due}".strip()
