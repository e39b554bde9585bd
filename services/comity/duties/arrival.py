"""Looks at a start whether keys and people are those of before: a file put back or lost alone is told, with the way out."""

from __future__ import annotations

from typing import Protocol

from comity.acts.alarms import Alarms
from comity.acts.register import EXCHANGE, replaces
from comity.ports import LedgerView
from comity.wire.signing import SigningKey


class KeysHeld(Protocol):
    """The signing keys that were made here."""

    def issue(self, party: str) -> SigningKey:
        """Return this party's signing key."""
        ...

    def lost(self) -> tuple[str, ...]:
        """Return the parties whose keys were made here and are gone, or others now."""
        ...


class PeopleHeld(Protocol):
    """The people who may sign in, and how many starts their file has seen."""

    def starts(self) -> int:
        """Return how many starts of the exchange this file has seen."""
        ...

    def started(self, starts: int) -> None:
        """Remember a start by its number."""
        ...

    def end_all_sessions(self) -> None:
        """End every session and link."""
        ...


def look_at_keys(keyring: KeysHeld, ledger: LedgerView, alarms: Alarms) -> None:
    """Sound an alarm for each signing key that is gone, and for a new one of the exchange itself."""
    for party in keyring.lost():
        what = f"keys/{party}.pem is gone or older: the key that was made here for {party} is not held here any more."
        alarms.sound(f"key of {party}", what, "Put it back from its copy; else register another key and revoke this one.")
    if replaces(ledger, keyring.issue(EXCHANGE)):
        what = "keys/exchange.pem was gone or another's, so the exchange signs with a new key."
        alarms.sound("key of exchange", what, "If the old file may be in other hands, revoke its key.")


def look_at_people(identity: PeopleHeld, starts: int, alarms: Alarms) -> None:
    """Sound an alarm where the file of people has seen fewer starts than the anchor, and let everybody sign in again."""
    if identity.starts() < starts:
        identity.end_all_sessions()  # some may have been ended in a file that is gone
        what = "identity.db is gone or older than the last start: who was added, removed or changed since is not in it."
        alarms.sound("people", what, "Put the newest copy back, or go through `comity user list`. Everybody signs in again.")
    identity.started(starts + 1)
