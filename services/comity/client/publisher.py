"""How an agency's records system publishes: it encrypts and signs at home, and the exchange takes the bytes as they are.

For one booking, in this order: the numbers and digests go up, id, key and indexes come back; photographs and particulars are
encrypted with the key; the event is encoded and signed; the bytes go up, and a receipt for exactly these bytes comes back. A
crash after any step leaves nothing to repair: the same booking and version again change nothing further on (R2).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import httpx2
import stamina

from comity.client.connection import http_client
from comity.client.machine import MachineKey, Session
from comity.client.problems import error_of, object_of
from comity.domain.entries import BlindIndex, Event, IndexKind, RecordClass, ShareGranted, ShareRevoked
from comity.domain.ids import GrantId, Ori, RecordId
from comity.errors import ComityError, InvalidInput, NotSignedIn, Unavailable
from comity.wire.booking import Booking, sealed
from comity.wire.codec import Unencodable
from comity.wire.envelope import to_entry
from comity.wire.signing import SigningKey

ATTEMPTS = 5  # over about ten seconds: an exchange that restarts is back by then
WAIT_SECONDS_MAX = 5.0
TIMEOUT_SECONDS = 30.0
INTAKE = "/intake/v1"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Issued:
    """A record's id, key and indexes, as the exchange issued them. Forget the key after use."""

    record_id: RecordId
    data_key: bytes = field(repr=False)
    indexes: tuple[BlindIndex, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """The proof that an event stands in the log: its place, and the digest of the very bytes. Keep it."""

    event_id: str
    topic: str
    partition: int
    position: int
    sha256: str
    appended_at: datetime | None
    repeated: bool
    record_id: RecordId | None = None  # of an enrolment


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000


class Publisher:
    """One agency's way into the exchange. Thread-safe; use it in a ``with`` block, or close it.

    ``base_url`` is the exchange's own address, as `comity up` prints it, or as a proxy serves it under a path.
    ``session`` is a machine's key, by which it signs in and stays so, or a token of a session that somebody else opened. Either
    has the role agency-writer (for grants: agency-administrator). ``exchange_id`` is the exchange that signatures are good at;
    without one the machine's is, or the exchange is asked, once. ``client`` replaces the HTTP client, ``clock_ms`` the clock,
    for tests.
    """

    def __init__(
        self,
        base_url: str,
        session: str | MachineKey,
        signer: SigningKey,
        ori: Ori,
        *,
        exchange_id: str | None = None,
        clock_ms: Callable[[], int] = _clock_ms,
        client: httpx2.Client | None = None,
    ) -> None:
        self._signer, self._ori, self._clock_ms = signer, ori, clock_ms
        self._exchange_id = exchange_id or (session.exchange_id if isinstance(session, MachineKey) else None)
        self._http = client or http_client(_exchange(base_url), timeout=TIMEOUT_SECONDS)
        self._session = Session(session, self._sign_in)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close the connections; idempotent."""
        self._http.close()

    def publish(self, booking: Booking) -> Receipt:
        """Publish a booking, or a correction of it with a higher version; the receipt names the record.

        Raises SuppressedRecord where an order of this agency's own covers it (what another's covers, ``standing`` tells),
        NotPermitted, InvalidInput, TooMany (its detail ``retry_after_seconds`` says how long to wait), or Unavailable after
        some attempts.
        """
        issued = self.prepare(booking)
        receipt = self.send(sealed(booking, issued.record_id, issued.data_key, issued.indexes), key=issued.record_id)
        return replace(receipt, record_id=issued.record_id)

    def prepare(self, booking: Booking) -> Issued:
        """Ask for the record's id, key and indexes; the same booking gets the same ones."""
        names = {
            IndexKind.BOOKING: "booking_number",
            IndexKind.AGENCY_CASE: "agency_case",
            IndexKind.COURT_CASE: "court_case",
            IndexKind.ATN: "atn",
        }
        numbers = {names[kind]: number for kind, number in booking.numbers().items()}
        answer = self._ask(
            "POST", f"{INTAKE}/records", json={"owner": booking.owner, **numbers, "photograph_sha256": booking.digests()}
        )
        indexes = tuple(BlindIndex(IndexKind(i["kind"]), int(i["key_version"]), str(i["tag"])) for i in answer["indexes"])
        return Issued(RecordId(answer["record_id"]), base64.b64decode(answer["data_key"]), indexes)

    def grant(
        self,
        grantee: Ori,
        *,
        classes: Collection[RecordClass],
        purposes: Collection[str],
        rights: Collection[str],
        expires_at: datetime,
        in_return: str = "",
    ) -> Receipt:
        """Let another agency do what is named with this agency's records; the receipt's ``event_id`` is the grant's number."""
        grant_id = GrantId(f"g-{secrets.token_hex(12)}")
        event = ShareGranted(
            grant_id,
            self._ori,
            grantee,
            tuple(sorted(classes)),
            tuple(sorted(purposes)),
            tuple(sorted(rights)),
            expires_at,
            in_return,
        )
        return self.send(event, key=self._ori, event_id=grant_id)

    def revoke(self, grant: str) -> Receipt:
        """Take a grant back: it binds every answer from its place in the journal on."""
        return self.send(ShareRevoked(GrantId(grant)), key=self._ori)

    def standing(self, record: RecordId, receipt: Receipt | None = None) -> Mapping[str, Any]:
        """Return where a record stands: its ``state``, a ``reason`` where there is one, ``advice``, the ``version`` admitted.

        With a receipt it is ``waiting`` until that very enrolment was decided, whatever stood before it.
        """
        place = {} if receipt is None else {"partition": receipt.partition, "position": receipt.position}
        said: Mapping[str, Any] = self._ask("GET", f"{INTAKE}/records/{record}", params=place)
        return said

    def send(self, event: Event, *, key: str, event_id: str | None = None) -> Receipt:
        """Encode, sign and hand in one event; what is tried again is the same bytes under the same id."""
        at = EPOCH + timedelta(milliseconds=self._clock_ms())
        own = event_id or secrets.token_hex(16)
        source, audience = f"//{self._ori}/records", self._audience()
        try:
            entry = to_entry(event, key=key.encode(), source=source, signer=self._signer, audience=audience, event_id=own, at=at)
        except Unencodable as error:
            raise InvalidInput(
                f"The event breaks a limit: {error}.", advice="Compare it with the schemas at /intake/v1/schemas."
            ) from None
        headers = {name.replace("_", "-"): text.decode() for name, text in entry.headers}
        answer = self._ask("POST", f"{INTAKE}/events", content=entry.value, headers=headers)
        return _checked(answer, entry.value or b"")

    def _audience(self) -> str:
        """Return the id of the exchange that this publisher signs for."""
        if self._exchange_id is None:
            self._exchange_id = str(self._ask("GET", f"{INTAKE}/exchange")["exchange_id"])
        return self._exchange_id

    def _ask(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **body: Any) -> Any:  # noqa: ANN401
        """Return an answer's JSON; try again on 503 and on broken connections: everything asked here may be asked twice."""
        # A context, not the decorator: that one's default hook logs the arguments.
        for attempt in stamina.retry_context(on=Unavailable, attempts=ATTEMPTS, wait_max=WAIT_SECONDS_MAX):
            with attempt:
                return self._known(method, path, headers or {}, body)
        raise AssertionError("stamina returns or raises")

    def _known(self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """Ask as whoever is signed in; where that has ended, sign in once more."""
        token = self._session.token()
        try:
            return self._once(method, path, {"authorization": f"Bearer {token}", **headers}, body)
        except NotSignedIn:
            if not self._session.ended(token):
                raise
        return self._once(method, path, {"authorization": f"Bearer {self._session.token()}", **headers}, body)

    def _sign_in(self, said: Mapping[str, Any]) -> Any:  # noqa: ANN401
        return self._once("POST", f"{INTAKE}/sessions", {}, {"json": said})

    def _once(self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> Any:  # noqa: ANN401
        try:
            answer = self._http.request(method, path, headers=dict(headers), **body)
        except httpx2.TransportError as error:
            raise Unavailable(
                f"The exchange cannot be reached: {type(error).__name__}.", advice="Check the address and the network."
            ) from None
        if answer.is_success:
            return object_of(answer)
        raise error_of(answer)


def _exchange(url: str) -> str:
    """Return the exchange's own address, where that of its intake was given."""
    return url.rstrip("/").removesuffix("/intake")


def _checked(answer: Mapping[str, Any], value: bytes) -> Receipt:
    """Return the receipt. Raises ComityError for one that is not for these very bytes."""
    if answer["sha256"] != hashlib.sha256(value).hexdigest():
        raise ComityError("The receipt is for other bytes than were sent.", advice="Keep both, and call the exchange.")
    appended_at = answer["appended_at"]
    return Receipt(
        event_id=str(answer["event_id"]),
        topic=str(answer["topic"]),
        partition=int(answer["partition"]),
        position=int(answer["position"]),
        sha256=str(answer["sha256"]),
        appended_at=None if appended_at is None else datetime.fromisoformat(appended_at),
        repeated=bool(answer["repeated"]),
    )
