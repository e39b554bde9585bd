"""Publishing from this machine: the agency's key signs here, the exchange takes the bytes, and what becomes of them is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from comity.adapters.keyring import FolderKeyring
from comity.cli.connect import INTAKE, Api
from comity.client import Booking, Ori, Publisher, Receipt, SigningKey
from comity.errors import InvalidInput, TooMany

WAITING, ADMITTED, REJECTED, SUPPRESSED = "waiting", "admitted", "rejected", "suppressed"
SAME_VERSION = "same-version"
NEWER = "A newer version stands: give a correction a higher one."
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
    return Publisher(api.url, api.token, key, Ori(ori))


def publish(to: Publisher, booking: Booking) -> Receipt:
    """Encrypt, sign and hand in one booking, at the pace that the exchange asks for. Raises as ``Publisher.publish``."""
    for _ in range(ATTEMPTS_MAX):
        try:
            return to.publish(booking)
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


def standing(api: Api, record: str, version: int, receipt: Mapping[str, Any]) -> dict[str, Any]:
    """Return what became of one enrolment, by its receipt: what stood of the record before it says nothing of it."""
    place = {"partition": receipt["partition"], "position": receipt["position"]}
    found = dict(api.get(f"{INTAKE}/records/{record}", **place))
    admitted = found["state"] == ADMITTED
    if admitted and found["version"] > version:
        return found | {"state": REJECTED, "reason": "older-version", "advice": NEWER}
    if found["state"] not in (ADMITTED, REJECTED) or found["enrolment_sha256"] == receipt["sha256"]:
        return found
    rejections = api.every(f"{INTAKE}/rejections", record_id=record)
    ours = next((r for r in rejections if r["version"] == version), None)
    if admitted and found["version"] == version:  # from other bytes: of the same content, unless the encoder said otherwise
        ours = ours if ours is not None and ours["reason"] == SAME_VERSION else None
        return found if ours is None else _rejected(found, ours)
    if ours is not None:
        return _rejected(found, ours)
    earlier = admitted or (bool(rejections) and all(r["version"] < version for r in rejections))
    return found | {"state": WAITING, "reason": None} if earlier else found  # this one's rejection is on its way


def _rejected(found: Mapping[str, Any], why: Mapping[str, Any]) -> dict[str, Any]:
    return {**found, "state": REJECTED, **{name: why[name] for name in ("reason", "advice", "photograph")}}
