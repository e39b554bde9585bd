"""The demo's world: five agencies, a court, their people, and thirty-one persons who do not exist."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypedDict

from PIL import Image

from comity.bootstrap import Exchange
from comity.client import Booking, Charge, Publisher
from comity.domain.entries import RecordClass
from comity.domain.ids import Ori, PartyId, RecordId, UserId
from comity.errors import Unavailable
from comity.ports import Person
from comity.serving import Server

FACES = Path(__file__).resolve().parents[3] / "infra" / "demo" / "people"
COURT = PartyId("circuit-court-14")
LAKESIDE, PINE, STATE, RIVERTON, TRANSIT = map(Ori, ("WI0990100", "WI0990200", "IL0990300", "IL0990400", "MN0990500"))
AGENCIES = {
    LAKESIDE: ("Lakeside Police Department", "municipal"),
    PINE: ("Pine County Sheriff's Office", "county"),
    STATE: ("Prairie State Police", "state"),
    RIVERTON: ("Riverton Police Department", "municipal"),
    TRANSIT: ("North Transit Police", "municipal"),
}
GRANTS = ((LAKESIDE, PINE), (LAKESIDE, RIVERTON), (PINE, LAKESIDE), (STATE, PINE), (STATE, LAKESIDE))
PEOPLE = 31
SECOND_BOOKINGS = {1: PINE, 4: LAKESIDE, 7: STATE}  # persons with a booking at another agency too
PHOTOGRAPHS = ("1.jpg", "2.jpg", "3.jpg")
CAPTURED_AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
OFFENCES = ("burglary", "robbery", "fraud", "assault")


class Clerk(TypedDict):
    """Who enters an order."""

    party: PartyId
    user: UserId


@dataclass
class World:
    """What the story knows: who may do what, and which record is whose. An agency's system keeps its own bookings."""

    exchange: Exchange = field(init=False)
    server: Server = field(init=False)
    people: dict[str, Person] = field(default_factory=dict)
    bookings: dict[RecordId, Booking] = field(default_factory=dict)

    @property
    def clerk(self) -> Clerk:
        """Return who enters the demo's orders, as the acts take it."""
        return {"party": COURT, "user": self.people["clerk"].user_id}

    def session(self, who: str) -> str:
        """Sign somebody in and return their session's token."""
        identity = self.exchange.identity
        return identity.sign_in(identity.link(self.people[who].user_id))

    def publisher(self, agency: Ori) -> Publisher:
        """Return an agency's own publisher, with its own key."""
        signer = self.exchange.keyring.signer(agency)
        return Publisher(self.server.url, self.session(f"records@{agency}"), signer, agency)

    def record_of(self, booking_number: str) -> RecordId:
        """Return the record of a booking, as its agency's own system remembers it."""
        return next(record for record, b in self.bookings.items() if b.booking_number == booking_number)


def check_faces() -> None:
    """Raise Unavailable where the demo's people are not at hand."""
    if not (FACES / "p01" / "1.jpg").exists():
        raise Unavailable(
            "The demo's people are not here.", advice="Run `make demo` in a checkout: they are in infra/demo/people."
        )


def register(world: World) -> None:
    """Register the agencies, the court and the people who sign in."""
    exchange = world.exchange
    for ori, (name, kind) in AGENCIES.items():
        exchange.register.agency(ori, name, kind, exchange.keyring.issue(ori).public_bytes)
        _person(world, f"records@{ori}", ori, "agency-writer", "agency-administrator")
    exchange.register.court(COURT, "Fourteenth Circuit Court", exchange.keyring.issue(COURT).public_bytes)
    _person(world, "clerk", COURT, "clerk")
    for ori, place in ((PINE, "pine"), (TRANSIT, "transit")):
        _person(world, f"investigator@{place}", ori, "investigator")
        _person(world, f"examiner@{place}", ori, "examiner")
    _person(world, "operator", "exchange", "operator", "administrator", "auditor")


def _person(world: World, name: str, party: str, *roles: str) -> None:
    world.people[name] = world.exchange.identity.add(name, party, roles)


def bookings() -> Iterator[Booking]:
    """Yield the demo's bookings: everyone once, three of them at a second agency too."""
    agencies = list(AGENCIES)
    for number in range(1, PEOPLE + 1):
        owner = agencies[(number - 1) % len(agencies)] if number > 1 else LAKESIDE
        yield booking(owner, number, PHOTOGRAPHS, suffix="A")
        if number in SECOND_BOOKINGS:
            yield booking(SECOND_BOOKINGS[number], number, ("4.jpg",), suffix="B")


def booking(owner: Ori, person: int, photographs: tuple[str, ...], *, suffix: str, age: int | None = 34) -> Booking:
    """Return one booking of a person who does not exist."""
    return Booking(
        owner=owner,
        booking_number=f"{owner[2:]}-26-{person:03d}{suffix}",
        record_class=RecordClass.BOOKING,
        age_at_capture=age,
        legal_basis="arrest",
        captured_at=CAPTURED_AT + timedelta(hours=person),
        version=1,
        photographs=tuple((FACES / f"p{person:02d}" / name).read_bytes() for name in photographs),
        charges=(Charge(OFFENCES[person % len(OFFENCES)], "felony"),),
        agency_case=f"{owner}-{person:04d}{suffix}",
        court_case=f"26CF{person:06d}{suffix}",
        atn=f"ATN-{person:08d}{suffix}",
        name=f"Person {person:02d} (does not exist)",
    )


def probe(name: str = "p01-1.jpg") -> bytes:
    """Return a picture that looks like a CCTV still."""
    return (FACES / "probes" / name).read_bytes()


def wall() -> bytes:
    """Return a photograph of nobody."""
    return _jpeg(Image.linear_gradient("L").resize((480, 600)).convert("RGB"))


def two_faces() -> bytes:
    """Return a photograph of two people."""
    pair = Image.new("RGB", (960, 600))
    for place, person in enumerate(("p02", "p03")):
        with Image.open(FACES / person / "1.jpg") as face:
            pair.paste(face, (480 * place, 0))
    return _jpeg(pair)


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()
