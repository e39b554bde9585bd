"""What intake is made from: the acts that its routes translate, and nothing else of the exchange."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from comity.acts.enrol import Enrol
from comity.acts.grant import Grants
from comity.acts.indexes import Indexer
from comity.acts.lift import Lifting
from comity.acts.machines import MachineAccess
from comity.acts.order import Orders
from comity.acts.pace import Pace
from comity.acts.register import Register
from comity.acts.seal import Seal
from comity.ports import Identity, Keyring, LedgerView, Refusals, Rejections
from comity.reads.orders import OrderBook
from comity.web.once import Once

BASE = "/intake/v1"  # where its routes are, for the addresses in its answers


@dataclass(frozen=True, kw_only=True)
class IntakeServices:
    """Everything that intake's routes may reach."""

    enrol: Enrol
    orders: Orders
    seal: Seal
    book: OrderBook
    register: Register
    ledger: LedgerView
    rejections: Rejections
    refusals: Refusals
    keyring: Keyring
    indexer: Indexer
    identity: Identity
    now: Callable[[], datetime]
    encoded: Callable[[int], int]  # how far the encoder has decided a partition of the enrolments
    once: Once = field(default_factory=Once)
    pace: Pace = field(default_factory=Pace)

    @property
    def looks(self) -> Pace:
        """Return the pace of look-ups: a party has one bucket, whichever door it looks through."""
        return self.seal.previews.looks

    @property
    def grants(self) -> Grants:
        """Return the act that grants and revokes."""
        return Grants(ledger=self.ledger, orders=self.orders, now=self.now)

    @property
    def lifting(self) -> Lifting:
        """Return the act that ends orders."""
        return Lifting(journal=self.seal.previews.journal, ledger=self.ledger, orders=self.orders)

    @property
    def machines(self) -> MachineAccess:
        """Return the act that lets machines in, and shuts them out."""
        return MachineAccess(
            machines=self.identity.machines,
            ledger=self.ledger,
            journal=self.seal.previews.journal,
            now=self.now,
        )


def _services(request: Request) -> IntakeServices:
    services: IntakeServices = request.app.state.intake
    return services


Services = Annotated[IntakeServices, Depends(_services)]
