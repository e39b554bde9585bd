"""An administrator registers agencies, courts and their public keys; the first entry of all is the administrator's own key."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from comity.acts.journal import Journal, exchange_of
from comity.acts.pace import weight
from comity.domain import entries as e
from comity.domain import registration
from comity.domain.ids import END, ExchangeId, KeyId, Ori, PartyId
from comity.domain.policy import digest
from comity.domain.posting import Agency, Court
from comity.domain.rows import Exchange, Key, Revocation
from comity.errors import Conflict, Halted, InvalidInput, NotFound, NotPermitted, Unavailable
from comity.ports import LedgerView, Watch
from comity.wire.curve import KEY_BYTES
from comity.wire.keys import KEY_KNOWN, refuse_key
from comity.wire.signing import SigningKey, key_id

WAIT_SECONDS = 10.0
FOUND_SECONDS = 60.0  # a broker that has just been made may take a while for its first entry
ID_BYTES = 12  # of an exchange's id, and of an act's: no two are ever drawn alike
ADMINISTRATOR, EXCHANGE = PartyId("administrator"), PartyId("exchange")


def found(
    journal: Journal,
    ledger: LedgerView,
    watch: Watch,
    administrator: SigningKey,
    exchange: SigningKey,
    *,
    known: bool = False,
) -> None:
    """Enter what a journal begins with, where missing: its founding (the root of trust), the policy, the exchange's key.

    The first founding that stands names the exchange; the pen signs for it from here on. ``known``: this home went on with this
    journal before. Raises Halted where the administrator's key does not hold in it, or a stranger founded it first.
    """
    if not ledger.rows(Exchange):
        own = ExchangeId(f"x-{secrets.token_hex(ID_BYTES)}")
        founding = e.ExchangeFounded(own, administrator.kid, administrator.public_bytes)
        _applied(watch, journal.enter(founding, key=ADMINISTRATOR, signer=administrator).position, FOUND_SECONDS)
    _refuse_founder(ledger, administrator, known=known)
    journal.belongs_to(exchange_of(ledger))
    _refuse_revoked(ledger, exchange)
    if not ledger.rows(Key, key_id=exchange.kid):
        journal.enter(e.PolicyAdopted(digest()), key=ADMINISTRATOR, signer=administrator)
        own_key = _registered(exchange.kid, EXCHANGE, e.Role.EXCHANGE, exchange.public_bytes)
        position = journal.enter(own_key, key=ADMINISTRATOR, signer=administrator).position
        _applied(watch, position, FOUND_SECONDS)
        _entered(ledger, position)


def _applied(watch: Watch, position: int, seconds: float = WAIT_SECONDS) -> None:
    if not watch.wait(position + 1, seconds):
        raise Unavailable("It was entered, but the ledger has not confirmed it yet.", advice="See `comity status`.")


def _entered(ledger: LedgerView, position: int) -> None:
    """Raise Halted where what a journal begins with was refused at its place: nothing signed after it would count."""
    for posted in ledger.refusals_between(position, position + 1):
        if posted.refused is not None:
            raise Halted(
                f"The exchange's key was not registered: {posted.refused.message}",
                advice="Put the home's own keys back: keys/administrator.pem and keys/exchange.pem belong together.",
            )


def _refuse_founder(ledger: LedgerView, administrator: SigningKey, *, known: bool) -> None:
    """Raise Halted unless the administrator's key holds as such, and this journal is one that it founded or that is known."""
    rows = ledger.rows(Key, key_id=administrator.kid)
    now = ledger.progress().next
    if not any(row.role is e.Role.ADMINISTRATOR and row.holds(now) for row in rows):
        revoked = any(row.role is e.Role.ADMINISTRATOR for row in rows)
        raise Halted(
            "The administrator's key was revoked in this journal."
            if revoked
            else "This journal was founded with another administrator's key.",
            advice="Put the home's keys/administrator.pem back that holds in this journal, or name another journal.",
        )
    if not known and ledger.rows(Exchange)[0].kid != administrator.kid:
        raise Halted(
            "Somebody else's key founded this journal, and this home has not gone on with it before.",
            advice="Name a journal of your own. Was the administrator's key changed, and the anchor lost? comity anchor accept.",
        )


def _refuse_revoked(ledger: LedgerView, exchange: SigningKey) -> None:
    """Raise Halted where the exchange's key was revoked: whatever it signed would be refused at its place."""
    own = ledger.rows(Key, key_id=exchange.kid)
    now = ledger.progress().next
    if own and not any(key.role is e.Role.EXCHANGE and key.holds(now) for key in own):
        raise Halted(
            "The exchange's signing key was revoked, or is registered as another's: keys/exchange.pem is that key.",
            advice="Put the newer keys/exchange.pem back; if there is none, delete this one: the next start makes a new key.",
        )


def replaces(ledger: LedgerView, exchange: SigningKey) -> bool:
    """Say whether the exchange had another key before, and this one is not registered yet."""
    held = ledger.signing_keys()
    return any(key.party == EXCHANGE for key in held) and all(key.key_id != exchange.kid for key in held)


def check_name(name: str) -> None:
    """Raise InvalidInput for a name that cannot be shown as a party's."""
    _check(registration.improper_name(name))


def _registered(kid: KeyId, party: PartyId, role: e.Role, public_key: bytes) -> e.KeyRegistered:
    """Return a registration in words of its own: the same were refused before, perhaps, and never count (rule 10)."""
    return e.KeyRegistered(kid, party, role, public_key, secrets.token_hex(ID_BYTES))


def _check(fault: registration.Fault | None) -> None:
    if fault is not None:
        raise InvalidInput(fault.message, advice=fault.advice)


class Register:
    """Registrations, signed by the administrator."""

    def __init__(self, journal: Journal, ledger: LedgerView, watch: Watch, administrator: SigningKey) -> None:
        self._journal, self._ledger, self._watch, self._administrator = journal, ledger, watch, administrator

    def agency(
        self, ori: Ori, name: str, requester_class: str, public_key: bytes, kid: str | None = None, *, again: bool = False
    ) -> int:
        """Register an agency with its public key; return the position. Raises InvalidInput or Conflict.

        What a crash left half done, the same call again completes; ``again``: it may stand whole already.
        """
        event = e.AgencyRegistered(ori, name, requester_class)
        _check(registration.improper(event))
        rows = self._ledger.rows(Agency, ori=ori)
        same = bool(rows) and (rows[0].name, rows[0].requester_class) == (name, requester_class)
        if again and same and (held := self._held(ori, public_key, kid)) is not None:
            return held
        if rows and not self._half_done(ori, same=same):
            raise Conflict(f"{ori} is registered already.", advice="To add a key, register the key alone.")
        self._check_key(public_key, kid)
        if not rows:
            self._enter(event, ori)
        return self.key(PartyId(ori), e.Role.AGENCY, public_key, kid)

    def court(self, court_id: PartyId, name: str, public_key: bytes, kid: str | None = None, *, again: bool = False) -> int:
        """Register a court with its public key; return the position. Raises InvalidInput or Conflict."""
        event = e.CourtRegistered(court_id, name)
        _check(registration.improper(event))
        rows = [court for court in self._ledger.rows(Court) if court.court_id.casefold() == court_id.casefold()]
        same = bool(rows) and (rows[0].court_id, rows[0].name) == (court_id, name)
        if again and same and (held := self._held(court_id, public_key, kid)) is not None:
            return held
        if rows and not self._half_done(court_id, same=same):
            raise Conflict(f"{rows[0].court_id} is registered already.", advice="To add a key, register the key alone.")
        self._check_key(public_key, kid)
        if not rows:
            self._enter(event, court_id)
        return self.key(court_id, e.Role.COURT, public_key, kid)

    def key(self, party: PartyId, role: e.Role, public_key: bytes, kid: str | None = None, *, again: bool = False) -> int:
        """Register a party's public key (Ed25519, 32 bytes), under its thumbprint or an id of the party's own."""
        if again and (held := self._held(party, public_key, kid)) is not None:
            return held
        own = self._check_key(public_key, kid)
        return self._enter(_registered(own, party, role, public_key), party)

    def revoke(self, kid: KeyId, void_from: int | None = None, *, again: bool = False) -> int:
        """End a key; with ``void_from`` its unseals, lifts and grants from that position on never counted (rule 13).

        Raises NotFound, NotPermitted (the administrator's and the exchange's own keys), InvalidInput (a place to come).
        """
        now = self._ledger.progress().next
        held = next((key for key in self._ledger.signing_keys() if key.key_id == kid), None)
        if held is None:
            raise NotFound("There is no key of this id.", advice="A key's id is told where it is registered.")
        if held.role not in (e.Role.AGENCY, e.Role.COURT):
            raise NotPermitted("The exchange cannot go on without its own keys.", advice="Name an agency's or a court's key.")
        if void_from is not None and not held.entered < void_from <= now:
            raise InvalidInput(
                "The place lies before the key's registration, or has not come yet.",
                advice=f"Name a position from {held.entered + 1} to {now}: `comity journal` lists them.",
            )
        stands = (row.entered for row in self._ledger.rows(Revocation, key_id=kid) if row.void_from == void_from)
        if again and (before := next(stands, None)) is not None:
            return before
        return self._enter(e.KeyRevoked(kid, void_from, secrets.token_hex(ID_BYTES)), held.party)

    def _held(self, party: str, public_key: bytes, kid: str | None) -> int | None:
        """Return where this very key was registered for this party, or None."""
        own = kid if kid is not None else key_id(public_key)
        held = (key for key in self._ledger.signing_keys() if (key.key_id, key.party) == (own, party))
        return next((key.entered for key in held if key.public_key == public_key), None)

    def _half_done(self, party: str, *, same: bool) -> bool:
        """Say whether a party was entered in the same words, and its first key was not."""
        return same and not any(key.party == party for key in self._ledger.signing_keys())

    def _check_key(self, public_key: bytes, kid: str | None) -> KeyId:
        """Return the key's id, before anything is entered. Raises InvalidInput or Conflict."""
        if len(public_key) != KEY_BYTES:
            raise InvalidInput("An Ed25519 public key has 32 bytes.", advice="Send the raw key in base64.")
        own = KeyId(kid) if kid is not None else key_id(public_key)
        refusal = refuse_key(own, public_key, known_keys(self._ledger))
        if refusal is None:
            return own
        kind = Conflict if refusal.reason == KEY_KNOWN else InvalidInput
        raise kind(refusal.message, advice="Nothing was entered.", reason=refusal.reason)

    def _enter(self, event: e.Party, key: str) -> int:
        self._journal.pace.take(ADMINISTRATOR, weight(event))
        position = self._journal.enter(event, key=key, signer=self._administrator).position
        _applied(self._watch, position)
        for posted in self._ledger.refusals_between(position, position + 1):
            if posted.refused is not None:  # another registration of the same key was faster
                raise Conflict(posted.refused.message, advice="See who takes part.", reason=posted.refused.reason)
        return position


def known_keys(ledger: LedgerView) -> list[tuple[str, bytes]]:
    """Return every key ever registered, with its id."""
    return [(held.key_id, held.public_key) for held in ledger.signing_keys()]


def known_parties(ledger: LedgerView) -> set[str]:
    """Return the ids of all agencies and courts that were ever registered."""
    return {row.ori for row in ledger.rows(Agency)} | {row.court_id for row in ledger.rows(Court)}


def registered_at(ledger: LedgerView, event: e.Event) -> int | None:
    """Return where this very registration stands, in the same words, or None."""
    rows: Sequence[Agency | Court | Key] = ()
    match event:
        case e.AgencyRegistered(ori, name, requester_class):
            rows = ledger.rows(Agency, ori=ori, name=name, requester_class=requester_class)
        case e.CourtRegistered(court_id, name):
            rows = ledger.rows(Court, court_id=court_id, name=name)
        case e.KeyRegistered(kid, party, role, public_key):
            said = (kid, party, role, public_key, END)
            held = ledger.signing_keys()
            rows = [key for key in held if (key.key_id, key.party, key.role, key.public_key, key.ended) == said]
        case _:
            return None
    return rows[0].entered if rows else None
