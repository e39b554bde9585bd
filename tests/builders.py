"""Builders that tests share: an exchange with parties and people, its services, and bookings of people who do not exist."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from comity.acts.watermark import Watermarks
from comity.bootstrap import Exchange
from comity.client.publisher import Publisher
from comity.domain.entries import RecordClass
from comity.domain.ids import Ori, PartyId
from comity.intake.app import create as create_intake
from comity.intake.services import IntakeServices
from comity.ports import FaceEncoder, Person
from comity.search.app import create as create_search
from comity.search.services import SearchServices
from comity.settings import Settings
from comity.wire.booking import Booking, Charge

PEOPLE = Path(__file__).parent.parent / "infra" / "demo" / "people"
MILWAUKEE, MADISON, ALAMEDA = Ori("WI0130000"), Ori("WI0520100"), Ori("CA0010000")
COURT = PartyId("WI-MILWAUKEE-CC")
AGENCIES = {
    MILWAUKEE: ("Milwaukee Police", "municipal"),
    MADISON: ("Madison Police", "municipal"),
    ALAMEDA: ("Alameda", "county"),
}
ORIGIN = "http://testserver"
CAPTURED_AT = datetime(2025, 3, 14, 15, 9, 26, tzinfo=UTC)
SETTLE_SECONDS = 60.0


def photograph(person: int, number: int = 1) -> bytes:
    """Return a photograph (1-4) of one of the 31 people."""
    return (PEOPLE / f"p{person:02d}" / f"{number}.jpg").read_bytes()


def booking(person: int, number: str, **changed: Any) -> Booking:  # noqa: ANN401 - any field
    """Return a booking of one of the people by Milwaukee, with what a test wants different."""
    fields: dict[str, Any] = {
        "owner": MILWAUKEE,
        "booking_number": number,
        "record_class": RecordClass.BOOKING,
        "age_at_capture": 30,
        "legal_basis": "Arrest on probable cause",
        "captured_at": CAPTURED_AT,
        "version": 1,
        "photographs": (photograph(person),),
        "charges": (Charge("Burglary", "felony"),),
        "name": f"Person {person:02d}",
    }
    return Booking(**fields | changed)


@dataclass
class House:
    """An exchange with three agencies, a court, and whoever a test signs in."""

    exchange: Exchange
    sessions: dict[tuple[str, tuple[str, ...], str], tuple[Person, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Register the parties, and bring both services up."""
        for ori, (name, kind) in AGENCIES.items():
            self.exchange.register.agency(ori, name, kind, self.exchange.keyring.issue(ori).public_bytes)
        self.exchange.register.court(COURT, "Milwaukee County Circuit Court", self.exchange.keyring.issue(COURT).public_bytes)
        self.intake_app = create_intake(intake_services(self.exchange))
        self.search_app = create_search(search_services(self.exchange))

    def person(self, party: str, *roles: str, name: str = "One") -> tuple[Person, str]:
        """Return somebody of this party with these roles, and their session; the same one again for the same name."""
        known = (party, roles, name)
        if known not in self.sessions:
            identity = self.exchange.identity
            person = identity.add(f"{name} {len(self.sessions)}", party, roles)
            self.sessions[known] = (person, identity.sign_in(identity.link(person.user_id)))
        return self.sessions[known]

    def intake(self, party: str, *roles: str, name: str = "One") -> TestClient:
        """Return a client of intake, signed in."""
        return self._client(self.intake_app, party, roles, name)

    def search(self, party: str, *roles: str, name: str = "One") -> TestClient:
        """Return a client of the search service, signed in."""
        return self._client(self.search_app, party, roles, name)

    def publisher(self, ori: Ori = MILWAUKEE, clock_ms: Callable[[], int] | None = None) -> Publisher:
        """Return an agency's publisher, talking to intake in this process."""
        _, token = self.person(ori, "agency-writer", "agency-administrator", name="Publisher")
        clock: dict[str, Any] = {} if clock_ms is None else {"clock_ms": clock_ms}
        client = TestClient(Starlette(routes=[Mount("/intake", self.intake_app)]))
        return Publisher(ORIGIN, token, self.exchange.keyring.signer(ori), ori, client=client, **clock)

    def settle(self) -> None:
        """Wait until everything that was appended has been followed."""
        assert self.exchange.settle(SETTLE_SECONDS), {f.name: f.failure for f in self.exchange.followers.values()}

    def admit(self, *bookings: Booking) -> list[str]:
        """Publish bookings, wait for their admission, and return their record ids."""
        publisher = {b.owner: self.publisher(b.owner) for b in bookings}
        records = [publisher[b.owner].prepare(b).record_id for b in bookings]
        for one in bookings:
            publisher[one.owner].publish(one)
        self.settle()
        return [str(record) for record in records]

    def grant(self, owner: Ori, grantee: Ori, *rights: str, purposes: tuple[str, ...] = ("serious-crime",)) -> str:
        """Grant for a year, and return the grant's number."""
        receipt = self.publisher(owner).grant(
            grantee,
            classes=[RecordClass.BOOKING],
            purposes=purposes,
            rights=rights,
            expires_at=self.exchange.now() + timedelta(days=365),
        )
        return receipt.event_id

    def _client(self, app: Any, party: str, roles: tuple[str, ...], name: str) -> TestClient:  # noqa: ANN401
        _, token = self.person(party, *roles, name=name)
        return TestClient(app, headers={"authorization": f"Bearer {token}"})


def intake_services(exchange: Exchange) -> IntakeServices:
    """Return what intake needs of an exchange."""
    return IntakeServices(
        enrol=exchange.enrol,
        orders=exchange.orders,
        seal=exchange.seal,
        book=exchange.book,
        register=exchange.register,
        ledger=exchange.ledger,
        rejections=exchange.rejections,
        refusals=exchange.refusals,
        keyring=exchange.keyring,
        indexer=exchange.indexer,
        identity=exchange.identity,
        now=exchange.now,
        encoded=exchange.encoded,
    )


def search_services(exchange: Exchange) -> SearchServices:
    """Return what the search service needs of an exchange."""
    return SearchServices(
        search=exchange.search,
        examine=exchange.examine,
        encoder=exchange.encoder,
        identity=exchange.identity,
        watermarks=Watermarks(exchange.vault),
    )


@contextmanager
def house(home: Path, encoder: FaceEncoder | None = None) -> Iterator[House]:
    """Run an exchange on this home, with parties registered."""
    with Exchange(Settings(home=home), face_encoder=encoder) as exchange:
        yield House(exchange)
