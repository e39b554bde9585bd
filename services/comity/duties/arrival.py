"""Looks at a start whether keys and people are those of before: a file put back or lost alone is told, with the way out."""

from __future__ import annotations

from typing import Protocol

from comity.acts.alarms import Alarms
from comity.acts.register import EXCHANGE, replaces
from comity.duties.people import shut_out_again
from comity.ports import EventLog, Identity, LedgerView
from comity.wire.signing import SigningKey


class KeysHeld(Protocol):
    """The signing keys that were made here."""

    def issue(self, party: str) -> SigningKey:
        """Return this party's signing key."""
        ...

    def lost(self) -> tuple[str, ...]:
        """Return the parties whose keys were made here and are gone, or others now."""
        ...


def look_at_keys(keyring: KeysHeld, ledger: LedgerView, alarms: Alarms) -> None:
    """Sound an alarm for each signing key that is gone, and for a new one of the exchange itself."""
    for party in keyring.lost():
        what = f"keys/{party}.pem is gone, older, no key or open to others: nothing is signed with the key made here for {party}."
        advice = "Put it back from its copy, with chmod 600; else register another key and revoke this one."
        alarms.sound(f"key of {party}", what, advice)
    if replaces(ledger, keyring.issue(EXCHANGE)):
        what = "keys/exchange.pem was gone or another's, so the exchange signs with a new key."
        alarms.sound("key of exchange", what, "If the old file may be in other hands, revoke its key.")


def look_at_people(log: EventLog, ledger: LedgerView, identity: Identity, starts: int, alarms: Alarms) -> None:
    """Shut out again whom the journal shut out; sound an alarm where the file of people is older, and end all its sessions.

    It is older where it was behind the journal, or has seen fewer starts than the anchor (0: there was none).
    """
    behind = shut_out_again(log, ledger, identity, from_start=starts == 0)
    if behind or identity.starts() < starts:
        identity.end_all_sessions()  # some may have been ended in a file that is gone
        what = "identity.db is gone or older than the journal: who was removed since was removed again, who was added is missing."
        alarms.sound("people", what, "Put the newest copy back, or go through `comity user list`. Everybody signs in again.")
    identity.started(starts + 1)
