"""Who may enter what: a verdict over the entry and the journal before it (rule 7). Permission only; policy is elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from comity.domain import entries as e
from comity.domain.posting import Key


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an entry has no effect: a stable code, and a sentence for its sender."""

    reason: str
    message: str


def refuse(entry: e.Event, position: int, key: Key | None, genesis: bool) -> Refusal | None:  # noqa: FBT001
    """Return why the holder of this key may not enter this, or None.

    ``key`` is the signer's row as of the position (None: unknown there, or revoked). ``genesis``: no key is known yet, so the
    administrator's own, self-signed at position 0, is taken as the root of trust.
    """
    if genesis and isinstance(entry, e.KeyRegistered) and entry.role is e.Role.ADMINISTRATOR and position == 0:
        return None
    if key is None:
        return Refusal("unknown-key", "The signing key is not registered here, or was revoked before this position.")
    if (roles := e.MAY_ENTER.get(type(entry))) is None:
        return Refusal("not-a-journal-type", f"{type(entry).__name__} has no place in the journal.")
    if key.role not in roles:
        return Refusal("not-entitled", f"A key of role {key.role} may not enter {type(entry).__name__}.")
    if isinstance(entry, e.ShareGranted) and str(entry.owner) != str(key.party):
        return Refusal("not-yours", "An agency grants its own records only; grants are not transitive.")
    return None


def event_id(entry: e.Event) -> str | None:
    """Return the entry's own id, which its envelope must repeat so that the signature covers it; None for duties.

    A revocation has none: the id that it names is the grant's, under which the same signer entered the grant itself. Entered
    twice it ends nothing more, so nothing needs to remember it.
    """
    if isinstance(entry, e.ShareRevoked):
        return None
    for name in ("order_id", "grant_id", "reveal_id", "review_id", "certificate_id"):
        if isinstance(own := getattr(entry, name, None), str) and not isinstance(entry, e.ErasureCertified):
            return own
    return None
