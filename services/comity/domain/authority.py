"""Who may enter what: a verdict over the entry and the journal before it (rule 7). Permission only; policy is elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from comity.domain import entries as e
from comity.domain import registration
from comity.domain.ids import KeyId
from comity.domain.rows import Key
from comity.domain.sharing import unlawful

UNKNOWN_KEY = "unknown-key"
REPEATED = "repeated"  # the reason of what was entered before, byte for byte


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an entry has no effect: a stable code, and a sentence for its sender."""

    reason: str
    message: str


REFUSED_BEFORE = "refused-before"
VOID_NAME = Refusal(
    "void-name", "What bears this id never counted: its key was revoked from before it. Enter it anew, under a new id."
)


def refuse(entry: e.Event, key: Key | None, *, founded: bool) -> Refusal | None:
    """Return why the holder of this key may not enter this, or None.

    ``key`` is the signer's row as of the position (None: unknown there, or revoked). ``founded``: the journal has its founding
    entry; the first valid one, self-signed by the administrator's key, is the root of trust.
    """
    if isinstance(entry, e.ExchangeFounded):
        return Refusal("founded", "This exchange was founded already.") if founded else None
    if key is None:
        return Refusal(UNKNOWN_KEY, "The signing key is not registered here, or was revoked before this position.")
    if (roles := e.MAY_ENTER.get(type(entry))) is None:
        return Refusal("not-a-journal-type", f"{type(entry).__name__} has no place in the journal.")
    if key.role not in roles:
        return Refusal("not-entitled", f"A key of role {key.role} may not enter {type(entry).__name__}.")
    return None


def refuse_terms(entry: e.Event, key: Key, at: datetime) -> Refusal | None:
    """Return why what an entitled signer says may not be said so, or None. ``at``: the log's own time of it."""
    match entry:
        case e.ShareGranted():
            return _refuse_grant(entry, key, at)
        case e.ProvisionalSealLifted() | e.RecordsUnsealed():
            return _refuse_lift(entry, key)
        case e.AgencyRegistered() | e.CourtRegistered() | e.KeyRegistered():
            return _refusal("improper-party", registration.improper(entry))
        case e.RecordsSealed() | e.RecordsProvisionallySealed() | e.RecordsExpunged():
            named = entry.records or entry.indexes
            return None if named else Refusal("no-target", "An order names at least one record or one index.")
        case _:
            return None


def refuse_party(entry: e.Event, parties: Iterable[str]) -> Refusal | None:
    """Return why this registration does not fit the parties that were registered before it, or None."""
    if not isinstance(entry, registration.Registered):
        return None
    return _refusal(
        "party-known" if not isinstance(entry, e.KeyRegistered) else "party-unknown", registration.taken(entry, parties)
    )


def _refusal(reason: str, fault: registration.Fault | None) -> Refusal | None:
    return None if fault is None else Refusal(reason, f"{fault.message} {fault.advice}")


def _refuse_grant(grant: e.ShareGranted, key: Key, at: datetime) -> Refusal | None:
    if str(grant.owner) != str(key.party):
        return Refusal("not-yours", "An agency grants its own records only; grants are not transitive.")
    why = unlawful(grant, at)
    return Refusal("unlawful-grant", why) if why else None


def _refuse_lift(lift: e.Lift, key: Key) -> Refusal | None:
    """Refuse to end another party's order, unless a court names what entitles it to."""
    if all(name.party == key.party for name in lift.ends):
        return None
    if key.role is not e.Role.COURT:
        return Refusal("not-yours", "An agency ends its own orders only; another party's is ended by a court.")
    if not lift.authority.strip():
        return Refusal("no-authority", "A court that ends another party's order names its authority for that.")
    return None


def event_id(entry: e.Event) -> str | None:
    """Return the entry's own id, which its envelope must repeat so that the signature covers it; None for duties.

    An attempt's is its act's and its number. A revocation has none: the id that it names is the grant's or the key's.
    """
    match entry:
        case e.SearchPerformed(own, attempt) | e.RecordRevealed(own, attempt) | e.ReviewRecorded(own, attempt):
            return f"{own}.{attempt}"
        case e.OrderPreviewed(own, attempt):
            return f"{own}.{attempt}"
        case e.ShareGranted(own) | e.PersonAdministered(own):
            return own
        case e.RecordsSealed(own) | e.RecordsProvisionallySealed(own) | e.RecordsExpunged(own):
            return own
        case e.ProvisionalSealLifted(own) | e.RecordsUnsealed(own):
            return own
        case _:
            return None


def counted_as(entry: e.Event, kid: KeyId, value_sha256: bytes) -> str | None:
    """Return the id under which this counts once for ever (rule 10), or None where its rows say so by themselves.

    Its own id, or else the key and the digest: the same words by the same key again are a repeat. A blank keeps the two apart.
    Of ticks only those that are void are remembered so: the others are known by their rows.
    """
    own = event_id(entry)
    if own is None and isinstance(entry, COUNTED_BY_DIGEST):
        return f"{type(entry).__name__} {kid} {value_sha256.hex()}"
    return own


COUNTED_BY_DIGEST = (
    e.ShareRevoked,
    *(e.AgencyRegistered, e.CourtRegistered, e.KeyRegistered, e.KeyRevoked),
    *(e.ClockTicked, e.TicksVoided, e.ClockConfirmed),
)
