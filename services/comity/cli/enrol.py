"""Publishing one booking, from files on this machine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from comity.cli import files, publishing, rows
from comity.cli.connect import connect
from comity.cli.context import state
from comity.cli.output import emit, errors, fields, moment, say
from comity.client import Booking, Receipt
from comity.domain.ids import ori as read_ori
from comity.domain.roles import AGENCY_WRITER
from comity.errors import InvalidInput, SuppressedRecord
from comity.wire.booking import record_class
from comity.wire.limits import MIB, PHOTOGRAPHS_MAX, SMALL_INT_MAX

app = typer.Typer()
WAIT_SECONDS = 60.0
TAKEN = ("admitted", publishing.WAITING)


@app.command(
    epilog="Example: comity enrol front.jpg side.jpg --agency WI0130000 --booking B-2026-0417 --age 34 "
    "--charge 'Burglary:felony' --name 'R. Roe'"
)
def enrol(  # noqa: PLR0913 - typer declares options by arguments
    ctx: typer.Context,
    *,
    photographs: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, readable=True, help="1 to 8 pictures.", metavar="PHOTO…")
    ],
    agency: Annotated[str, typer.Option(help="The owner's ORI.", metavar="ORI")],
    booking: Annotated[str, typer.Option(help="The booking number.", metavar="NUMBER")],
    age: Annotated[int | None, typer.Option(min=0, max=rows.AGE_MAX, help="Age at capture; unknown counts as a minor.")] = None,
    said_class: Annotated[str, typer.Option("--class", help="booking, minor, missing or unknown-deceased.")] = "booking",
    captured_at: Annotated[
        str | None, typer.Option(help="When, with its zone: 2026-03-01T14:05:00-06:00. [now]", metavar="TIME")
    ] = None,
    legal_basis: Annotated[str, typer.Option(help="Why it may be kept.", metavar="TEXT")] = "Arrest",
    case: Annotated[str | None, typer.Option(help="The agency case number.", metavar="NUMBER")] = None,
    court_case: Annotated[str | None, typer.Option(help="The court case number.", metavar="NUMBER")] = None,
    atn: Annotated[str | None, typer.Option(help="The arrest tracking number.", metavar="NUMBER")] = None,
    name: Annotated[str | None, typer.Option(help="The person's name; encrypted before it leaves here.")] = None,
    charge: Annotated[list[str] | None, typer.Option(help="offence:severity or offence:severity:disposition.")] = None,
    version: Annotated[int, typer.Option(min=0, max=SMALL_INT_MAX, help="A correction has a higher one.")] = 1,
    key: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The signing key's PEM file, where the home has none.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is admitted or rejected.")] = True,
) -> None:
    """Publish one booking, encrypted and signed on this machine."""
    said = _booking(
        photographs,
        owner=agency,
        booking_number=booking,
        record_class=said_class,
        age_at_capture=age,
        legal_basis=legal_basis,
        captured_at=captured_at,
        version=version,
        agency_case=case,
        court_case=court_case,
        atn=atn,
        name=name,
        charges=charge or [],
    )
    home = state(ctx).settings().home
    with connect(state(ctx), AGENCY_WRITER, party=agency) as api:
        with publishing.publisher(api, publishing.signer(home, agency, key), agency) as to:
            receipt = publishing.publish(to, said)
        if not state(ctx).json:
            _show_receipt(receipt)
        seconds = WAIT_SECONDS if wait else 0.0
        with errors().status("Waiting for the encoder…"):
            found = publishing.outcome(
                lambda: publishing.standing(api, str(receipt.record_id), version, _receipt(receipt)), seconds
            )
    emit(
        state(ctx),
        {"record_id": receipt.record_id, "receipt": _receipt(receipt), "standing": found},
        lambda: _show_standing(found),
    )
    if found["state"] not in TAKEN:
        covered = found["state"] == publishing.SUPPRESSED
        raise typer.Exit(SuppressedRecord.exit_code if covered else InvalidInput.exit_code)


def _booking(photographs: list[Path], **said: Any) -> Booking:  # noqa: ANN401 - as typer read them
    try:
        owner, charges = read_ori(said.pop("owner")), tuple(map(rows.charge, said.pop("charges")))
    except (ValueError, rows.BadRow) as error:
        raise InvalidInput(f"{error}", advice="See `comity enrol --help`.") from None
    return Booking(
        owner=owner,
        charges=charges,
        record_class=record_class(said.pop("record_class")),
        captured_at=_time(said.pop("captured_at")),
        photographs=_read(photographs),
        **said,
    )


def _time(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InvalidInput("--captured-at is no time with its zone.", advice="Write it like 2026-03-01T14:05:00-06:00.")
    return at


def _read(photographs: list[Path]) -> tuple[bytes, ...]:
    limit = rows.PHOTOGRAPHS_BYTES_MAX
    read = tuple(files.read(path, limit) for path in photographs[: PHOTOGRAPHS_MAX + 1])
    if len(photographs) > PHOTOGRAPHS_MAX or sum(map(len, read)) > limit:
        advice = f"Give 1 to {PHOTOGRAPHS_MAX}, up to {limit // MIB} MiB together."
        raise InvalidInput("These are too many or too large photographs.", advice=advice)
    if not all(read):
        raise InvalidInput("A photograph is empty.", advice="Give pictures.")
    return read


def _receipt(receipt: Receipt) -> dict[str, Any]:
    at = receipt.appended_at.astimezone(UTC).isoformat().replace("+00:00", "Z") if receipt.appended_at else None
    return {name: getattr(receipt, name) for name in ("event_id", "topic", "partition", "position", "sha256", "repeated")} | {
        "appended_at": at
    }


def _show_receipt(receipt: Receipt) -> None:
    place = f"{receipt.topic}/{receipt.partition} at position {receipt.position}"
    fields(
        "Receipt",
        [("record", receipt.record_id), ("place", place), ("sha256", receipt.sha256), ("entered", moment(receipt.appended_at))],
    )


def _show_standing(found: dict[str, Any]) -> None:
    which = f" (photograph {found['photograph'] + 1})" if found.get("photograph") is not None else ""
    why = f": {found['reason']}{which}" if found["reason"] else ""
    say(f"{found['state'].capitalize()}{why}.", found["advice"])
