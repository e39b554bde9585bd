"""A small exchange behind a desk, for tests: two agencies, a court, four people who press buttons, six who do not exist."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response
from PIL import Image

from comity.acts.grant import Grants, Terms
from comity.adapters.sql.refusals import SqlRefusals
from comity.adapters.sql.rejections import SqlRejections
from comity.bootstrap import Exchange
from comity.desk.app import DeskServices, create
from comity.domain.entries import RecordClass
from comity.domain.ids import Ori, PartyId, RecordId
from comity.domain.policy import PURPOSES, RIGHTS
from comity.ports import Person
from comity.settings import Settings
from comity.wire import booking as b

MILWAUKEE, DANE, COURT = Ori("WI0130000"), Ori("WI0130100"), PartyId("milwaukee-circuit-court")
PEOPLE = Path(__file__).parents[1] / "infra" / "demo" / "people"
BASE = "http://desk.test"
HOSTILE = "<script>alert('x')</script>"

ASKED = {
    "case_number": "26-0042",
    "purpose": "serious-crime",
    "threshold": "probable-cause",
    "offence": "robbery",
    "authority": "Sgt. Moss",
    "classes": "booking",
    "shown_max": "20",
}


def photo(person: str, number: int = 1) -> bytes:
    """Return a photograph of somebody who does not exist."""
    return (PEOPLE / person / f"{number}.jpg").read_bytes()


def together(*people: str) -> bytes:
    """Return one picture with several people side by side."""
    pictures = [Image.open(io.BytesIO(photo(person))) for person in people]
    whole = Image.new("RGB", (sum(p.width for p in pictures), max(p.height for p in pictures)))
    left = 0
    for picture in pictures:
        whole.paste(picture, (left, 0))
        left += picture.width
    out = io.BytesIO()
    whole.save(out, "JPEG")
    return out.getvalue()


@dataclass
class World:
    """The exchange, its desk, and who may sign in."""

    exchange: Exchange
    app: FastAPI
    clerk: Person
    investigator: Person
    examiner: Person
    writer: Person

    def link(self, person: Person) -> str:
        """Return the path of a one-time link."""
        return f"/sign-in/{self.exchange.identity.link(person.user_id)}"

    def signed_in(self, person: Person | None) -> TestClient:
        """Return a browser in which this person is signed in."""
        client = TestClient(self.app, base_url=BASE, headers={"Origin": BASE})
        if person is not None:
            assert client.post(self.link(person)).status_code == 200
        return client

    def enrol(self, owner: Ori, number: str, person: str, **more: str) -> RecordId:
        """Enrol one booking and wait until it can be found."""
        booking = b.Booking(
            owner=owner,
            booking_number=number,
            record_class=RecordClass.BOOKING,
            age_at_capture=30,
            legal_basis="arrest",
            captured_at=self.exchange.now(),
            version=1,
            photographs=(photo(person),),
            charges=(b.Charge("Theft", "misdemeanour"),),
            **({"name": f"Person {person}"} | more),
        )
        exchange = self.exchange
        issued = exchange.enrol.prepare(owner, booking.numbers(), booking.digests())
        event = b.sealed(booking, issued.record_id, issued.data_key, issued.indexes)
        signer = exchange.keyring.signer(owner)
        exchange.enrol.submit(exchange.journal.entry(event, key=issued.record_id, signer=signer, source=owner))
        deadline = time.monotonic() + 20
        while not exchange.ledger.found([f"record:{issued.record_id}"]) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert exchange.settle()
        return issued.record_id


@contextmanager
def world(home: Path) -> Iterator[World]:
    """Start an exchange on this home, with parties, a grant, people and records."""
    with Exchange(Settings(home=home, tick_seconds=1)) as exchange:
        for ori, name in ((MILWAUKEE, "Milwaukee Police Department"), (DANE, "Dane County Sheriff")):
            exchange.register.agency(ori, name, "municipal", exchange.keyring.issue(ori).public_bytes)
        exchange.register.court(COURT, "Milwaukee County Circuit Court", exchange.keyring.issue(COURT).public_bytes)
        lawful = frozenset(slug for slug, purpose in PURPOSES.items() if purpose.thresholds)
        terms = Terms(MILWAUKEE, frozenset({RecordClass.BOOKING}), lawful, frozenset(RIGHTS), exchange.now() + timedelta(days=30))
        grants = Grants(ledger=exchange.ledger, orders=exchange.orders, now=exchange.now)
        grants.grant(DANE, terms, exchange.keyring.signer(DANE))
        add = exchange.identity.add
        made = World(
            exchange,
            create(services(exchange)),
            add("Carla Voss", COURT, {"clerk"}),
            add("Iris Okafor", MILWAUKEE, {"investigator"}),
            add("Edwin Hale", MILWAUKEE, {"examiner"}),
            add("Ada Lindqvist", MILWAUKEE, {"agency-administrator"}),
        )
        for number, person in enumerate(("p01", "p02", "p03", "p04", "p08", "p11"), 1):
            owner = MILWAUKEE if number % 2 else DANE
            made.enrol(owner, f"B-2026-{number:04}", person, court_case=f"2026CF{number:06}")
        yield made


def services(exchange: Exchange) -> DeskServices:
    """Return what the desk is made from."""
    return DeskServices(
        tick=exchange.clock.fresh,
        seal=exchange.seal,
        book=exchange.book,
        search=exchange.search,
        examine=exchange.examine,
        searches=exchange.searches,
        ledger=exchange.ledger,
        watch=exchange.watch,
        keyring=exchange.keyring,
        encoder=exchange.encoder,
        identity=exchange.identity,
        rejections=SqlRejections(exchange.engine),
        refusals=SqlRefusals(exchange.engine),
        now=exchange.now,
    )


def search(client: TestClient, probe: bytes | None = None, **changed: str) -> Response:
    """Search as the form does."""
    files = {"probe": ("probe.jpg", probe, "image/jpeg")} if probe else {"nothing": ("", b"", "text/plain")}
    return client.post("/desk/search", data=ASKED | changed, files=files)


def hidden(page: Response, name: str) -> str:
    """Return the value of a page's hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found, page.text
    return found.group(1)


def preview(client: TestClient, **fields: str) -> Response:
    """Preview an order as the form does."""
    return client.post("/desk/orders/preview", data={"what": "seal", "statute": "ca-pc-851.91", **fields})
