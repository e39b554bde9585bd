"""Every error that comity raises on purpose, each with advice for the person who meets it.

The tree::

    ComityError
    ├── InvalidInput            400  what was sent cannot be read or breaks a limit
    │   └── PhotographRefused   422  a photograph that cannot be enrolled or searched with
    ├── NotSignedIn             401
    ├── NotPermitted            403  the role, the policy or the ledger says no
    ├── NotFound                404  absent, sealed and not granted look alike
    ├── Conflict                409  already done, differently
    │   ├── SuppressedRecord    409  an order covers what was sent
    │   └── KeyShredded         409  the key was destroyed, for ever
    ├── TooLarge                413
    ├── TooSlow                 408
    ├── TooMany                 429
    ├── FaceModelsUnusable      500  not installed, not the pinned ones, or they cannot be kept
    └── Unavailable             503  fail closed: nothing was disclosed, try again
        ├── NotAppended              the log did not take the entry
        ├── OutcomeUnknown           the log may or may not have taken the entry
        ├── LedgerBehind             the ledger did not reach the place in time
        └── Halted                   a view and its log disagree; a person must look
"""

from __future__ import annotations

from typing import ClassVar


class ComityError(Exception):
    """Base of all errors raised on purpose: a sentence, and advice on what to do next.

    ``kind`` is the stable slug of RFC 9457's ``type``; ``status`` the HTTP status; ``exit_code`` the CLI's.
    """

    kind: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, advice: str = "", **details: str | float | bool | None) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.details = details


class InvalidInput(ComityError):
    """What was sent cannot be read, or breaks a limit."""

    kind, title, status, exit_code = "invalid-input", "The request cannot be used", 400, 2


class PhotographRefused(InvalidInput):
    """A photograph that cannot be enrolled or searched with; ``reason`` is a stable code for machines."""

    kind, title, status = "photograph-refused", "The photograph cannot be used", 422

    def __init__(self, reason: str, message: str, *, advice: str = "", **details: str | float | bool | None) -> None:
        super().__init__(message, advice=advice, reason=reason, **details)
        self.reason = reason


class NotSignedIn(ComityError):
    """Nobody is signed in, or the session has ended."""

    kind, title, status, exit_code = "not-signed-in", "Sign in first", 401, 3


class NotPermitted(ComityError):
    """The role, the policy or the ledger says no."""

    kind, title, status, exit_code = "not-permitted", "Not permitted", 403, 3


class NotFound(ComityError):
    """Nothing here for this caller: absent, sealed and not granted look alike (R32)."""

    kind, title, status, exit_code = "not-found", "Nothing here for you", 404, 4


class Conflict(ComityError):
    """It was done already, differently."""

    kind, title, status, exit_code = "conflict", "This conflicts with what stands", 409, 5


class SuppressedRecord(Conflict):
    """An order covers what was sent, so it is not taken in (R18 b)."""

    kind, title = "suppressed", "An order covers this record"


class KeyShredded(Conflict):
    """The key was destroyed by an expungement; what it encrypted cannot be read again."""

    kind, title = "key-shredded", "The key was destroyed"


class TooLarge(InvalidInput):
    """The body is over its limit."""

    kind, title, status = "too-large", "The request is too large", 413


class TooSlow(ComityError):
    """The body did not come in time."""

    kind, title, status, exit_code = "too-slow", "The request came too slowly", 408, 7


class TooMany(ComityError):
    """Over a budget or a rate."""

    kind, title, status, exit_code = "too-many", "Too many requests", 429, 6


class FaceModelsUnusable(ComityError):
    """The face models are not installed, not the pinned ones, or cannot be kept."""

    kind, title = "face-models", "The face models cannot be used"


class Unavailable(ComityError):
    """Nothing was disclosed; try again (promise 4, fail closed)."""

    kind, title, status, exit_code = "unavailable", "Try again shortly", 503, 7


class NotAppended(Unavailable):
    """The log did not take the entry, so the act did not happen."""

    kind = "not-appended"


class OutcomeUnknown(Unavailable):
    """The log may or may not have taken the entry; it has no known place, so nothing was disclosed."""

    kind = "outcome-unknown"


class LedgerBehind(Unavailable):
    """The ledger did not reach the act's place before the deadline."""

    kind = "ledger-behind"


class Halted(Unavailable):
    """A view and its log disagree, or storage failed; serving stops until a person has looked (rule 11)."""

    kind, title = "halted", "Stopped, on purpose"
