"""The token of a preview: exactly what was shown, for exactly who was shown it, and for a quarter of an hour.

Whoever presses says nothing further: what is ordered, and so what must be confirmed, is read from the token alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from comity.domain import entries as e
from comity.domain.ids import OrderId, PartyId, RecordId, UserId
from comity.errors import InvalidInput, NotPermitted
from comity.ports import KeyVault
from comity.wire import sealing

TOKEN_KEY = "token/1"  # noqa: S105 - the vault's name for a key, no secret
LASTS = timedelta(minutes=15)
EXPUNGE, SEAL, PROVISIONAL = "expunge", "seal", "provisional"
FIND = "find"  # a look alone, which no token presses
CONTEXT = b"comity.v1/token"


@dataclass(frozen=True, slots=True)
class Clerk:
    """Who enters an order: the party that it is signed for, and the person, by pseudonym."""

    party: PartyId
    user: UserId


@dataclass(frozen=True, slots=True)
class Token:
    """An order that was previewed and may be entered."""

    what: str
    order_id: OrderId
    statute: str
    mode: str
    records: tuple[RecordId, ...]
    indexes: tuple[e.BlindIndex, ...] = field(repr=False)
    numbers: Mapping[str, str] = field(repr=False)  # as they were typed
    clerk: Clerk
    issued_at: datetime
    lapses_at: datetime | None = None  # of a provisional seal, as it was shown

    @property
    def destroys(self) -> bool:
        """Say whether pressing destroys for ever."""
        return self.what == EXPUNGE

    @property
    def name(self) -> e.OrderName:
        """Return the order's name: whose it is, and its number."""
        return e.OrderName(self.clerk.party, self.order_id)


def issue(vault: KeyVault, token: Token) -> str:
    """Return a token as text that nobody else can make or read."""
    body = {
        "what": token.what,
        "order": token.order_id,
        "statute": token.statute,
        "mode": token.mode,
        "records": token.records,
        "indexes": [(i.kind, i.key_version, i.tag) for i in token.indexes],
        "numbers": dict(token.numbers),
        "party": token.clerk.party,
        "user": token.clerk.user,
        "at": token.issued_at.isoformat(),
        "lapses_at": token.lapses_at.isoformat() if token.lapses_at else None,
    }
    return sealing.seal(vault.issue(TOKEN_KEY), json.dumps(body).encode(), context=CONTEXT).hex()


def read(vault: KeyVault, text: str, clerk: Clerk) -> Token:
    """Return what a token says. Raises InvalidInput for one that is not ours, NotPermitted for another person's."""
    try:
        body = json.loads(sealing.unseal(vault.issue(TOKEN_KEY), bytes.fromhex(text), context=CONTEXT))
    except ValueError:
        raise InvalidInput("This preview is not ours.", advice="Preview the order again, then press.") from None
    held = Clerk(PartyId(body["party"]), UserId(body["user"]))
    if held != clerk:
        raise NotPermitted(
            "This preview was made for somebody else; nothing was entered.", advice="Preview the order yourself, then press."
        )
    return Token(
        what=body["what"],
        order_id=OrderId(body["order"]),
        statute=body["statute"],
        mode=body["mode"],
        records=tuple(map(RecordId, body["records"])),
        indexes=tuple(e.BlindIndex(e.IndexKind(kind), version, tag) for kind, version, tag in body["indexes"]),
        numbers=body["numbers"],
        clerk=held,
        issued_at=datetime.fromisoformat(body["at"]),
        lapses_at=datetime.fromisoformat(body["lapses_at"]) if body["lapses_at"] else None,
    )


def check_age(token: Token, now: datetime) -> None:
    """Raise InvalidInput for a token that is too old to enter anything new."""
    if now - token.issued_at > LASTS:
        raise InvalidInput("This preview is too old.", advice="Preview the order again: what it covers may have changed.")
