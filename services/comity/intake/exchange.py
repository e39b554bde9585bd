"""Which exchange this is: the id that every signature names, its keys, and what a signer puts where. For anybody."""

from __future__ import annotations

import base64

from comity.acts.journal import exchange_of
from comity.domain.entries import Role
from comity.domain.rows import Key
from comity.intake import models as m
from comity.intake.services import IntakeServices, Services
from comity.web.routing import Router
from comity.wire.envelope import CONTENT_TYPE, SPECVERSION, TYPE_PREFIX
from comity.wire.signing import ALGORITHMS

router = Router(tags=["exchange"])

OWN = (Role.ADMINISTRATOR, Role.EXCHANGE)
HEADER_SAYS = {
    "alg": "One of the algorithms; the key is an Ed25519 key.",
    "kid": "The id that your key was registered under: its JWK thumbprint (RFC 7638), or an id of your own.",
    "aud": "This exchange's id, or a list that holds it.",
}
FORM = (
    "The header `jws` is a compact JWS (RFC 7515) over the base64url of the exact value bytes, with what stands between "
    "its two dots taken out. Further members of its header are passed over; crit, b64 and a doubled member are refused."
)


@router.get("/exchange", summary="Which exchange this is, its keys, and what a signer puts where")
def read_exchange(services: Services) -> m.ExchangeOut:
    """Tell the exchange's id, which every signature names, and the public keys of the exchange and its administrator."""
    return m.ExchangeOut(
        exchange_id=exchange_of(services.ledger),
        keys=[_key(key) for key in _own_keys(services)],
        signing=m.SigningOut(form=FORM, algorithms=list(ALGORITHMS), header=HEADER_SAYS),
        headers={
            "ce-specversion": SPECVERSION,
            "ce-type": f"{TYPE_PREFIX}<Type>",
            "ce-id": "The event's own id; an order's is its order_id, a grant's its grant_id.",
            "ce-source": "A URI reference of yours, such as //WI0130000/records.",
            "ce-subject": "The record's id for enrolments; else the order's, grant's or your own.",
            "ce-time": "Any RFC 3339 time.",
            "content-type": CONTENT_TYPE,
        },
    )


def _own_keys(services: IntakeServices) -> list[Key]:
    """Return the keys in force of the exchange itself."""
    now = services.ledger.progress().next
    return [key for key in services.ledger.signing_keys() if key.role in OWN and key.holds(now)]


def _key(key: Key) -> m.KeyOut:
    return m.KeyOut(
        kid=key.key_id,
        party=key.party,
        role=key.role,
        public_key=base64.b64encode(key.public_key).decode(),
        in_force=True,
    )
