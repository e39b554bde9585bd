"""What the options before the command said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from comity.errors import InvalidInput

if TYPE_CHECKING:
    import typer

    from comity.settings import Settings


@dataclass(frozen=True, slots=True)
class State:
    """The options that hold for every command."""

    home: str | None = None
    kafka: str | None = None
    who: str | None = None
    json: bool = False

    def settings(self, **more: str | int | None) -> Settings:
        """Return the installation's settings: options first, then ``COMITY_…`` variables. Raises InvalidInput."""
        from pydantic import ValidationError  # noqa: PLC0415 - help needs none of it, and it takes longer than help

        from comity.settings import Settings  # noqa: PLC0415

        said = {name: value for name, value in {"home": self.home, "kafka": self.kafka, **more}.items() if value is not None}
        try:
            return Settings(**said)  # type: ignore[arg-type]
        except ValidationError as error:
            faults = error.errors()
            names = ", ".join(dict.fromkeys(f"COMITY_{fault['loc'][0]}".upper() for fault in faults))
            ours = dict.fromkeys(str(fault["ctx"]["error"]) for fault in faults if fault["type"] == "value_error")
            why = "".join(f" There, {sentence}." for sentence in ours)
            advice = f"Correct the option or the variable.{why}"
            raise InvalidInput(f"A setting cannot be used: {names}.", advice=advice) from None


def state(ctx: typer.Context) -> State:
    """Return what the options before the command said."""
    return cast("State", ctx.obj)
