"""Publishing from this machine: the agency's key signs here, the exchange takes the bytes, and what becomes of them is asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from comity.adapters.keyring import FolderKeyring
from comity.cli.connect import INTAKE, Api
from comity.client import Booking, Ori, Publisher, Receipt, SigningKey
from comity.domain.ids import RecordId
from comity.errors import InvalidInput, TooMany
from comity.wire.booking import sealed

WAITING = "waiting"
POLL_SECONDS = 0.1
ATTEMPTS_MAX = 20  # at a rate limit; each waits as long as it was told


def signer(home: Path, ori: str, key: Path | None = None) -> SigningKey:
    """Return the agency's signing key: the file named, or the one in the home. Raises NotFound or InvalidInput."""
    if key is None:
        return FolderKeyring(home / "keys").signer(ori)
    try:
        return SigningKey.load(key)
    except (OSError, ValueError) as error:
        raise InvalidInput(f"The key cannot be used: {error}.", advice="Give a PEM file that only you can read.") from None


def publisher(api: Api, key: SigningKey, ori: str) -> Publisher:
    """Return this agency's way into the exchange."""
    return Publisher(f"{api.url}/intake", api.token, key, Ori(ori))


def publish(to: Publisher, booking: Booking) -> tuple[RecordId, Receipt]:
    """Encrypt, sign and hand in one booking, at the pace that the exchange asks for. Raises as ``Publisher.publish``."""
    for _ in range(ATTEMPTS_MAX):
        try:
            issued = to.prepare(booking)
            event = sealed(booking, issued.record_id, issued.data_key, issued.indexes)
            return issued.record_id, to.send(event, key=issued.record_id)
        except TooMany as error:
            wait = error.details.get("retry_after_seconds")
            time.sleep(float(wait) if isinstance(wait, int | float) else 1.0)
    raise TooMany("The exchange asks for a slower pace.", advice="Run it again later; it goes on where it stopped.")


def outcome(ask: Callable[[], dict[str, Any]], seconds: float) -> dict[str, Any]:
    """Ask where a record stands until that is decided, or until the time is over."""
    deadline = time.monotonic() + seconds
    while (found := ask())["state"] == WAITING and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return found


def standing(api: Api, record: str, version: int) -> dict[str, Any]:
    """Return where a record's version stands; a rejection of an earlier version says nothing of this one."""
    found = dict(api.get(f"{INTAKE}/records/{record}"))
    if found["state"] == "rejected":
        of_record = [r for r in api.get(f"{INTAKE}/rejections") if r["record_id"] == record]
        ours = next((r for r in of_record if r["version"] >= version), None)
        if of_record and ours is None:
            return found | {"state": WAITING, "reason": None}
        if ours is not None:
            found["photograph"] = ours["photograph"]
    return found
