"""What the desk is made from: the acts that its pages translate, and nothing else of the exchange."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from comity.acts.review import Examine
from comity.acts.seal import Seal
from comity.acts.search import Search
from comity.acts.searches import Searches
from comity.ports import FaceEncoder, Identity, Keyring, LedgerView, Refusals, Rejections, Watch
from comity.reads.orders import OrderBook


@dataclass(frozen=True, kw_only=True)
class DeskServices:
    """Everything that the pages may reach."""

    seal: Seal
    book: OrderBook
    search: Search
    examine: Examine
    searches: Searches
    ledger: LedgerView
    watch: Watch
    tick: Callable[[], int]
    keyring: Keyring
    encoder: FaceEncoder
    identity: Identity
    rejections: Rejections
    refusals: Refusals
    now: Callable[[], datetime]
