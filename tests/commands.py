"""The command line on a home that is served in this process, with parties and people made by commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from builders import PEOPLE
from comity.bootstrap import Exchange
from comity.cli.main import app
from comity.ports import FaceEncoder
from comity.serving import Server
from comity.settings import Settings

MILWAUKEE, DANE, COURT = "WI0130000", "WI0130100", "milwaukee-circuit-court"
WHO = {
    "Ada": (MILWAUKEE, "agency-writer", "agency-administrator"),
    "Dora": (DANE, "agency-writer", "agency-administrator"),
    "Iris": (MILWAUKEE, "investigator"),
    "Edwin": (MILWAUKEE, "examiner"),
    "Carla": (COURT, "clerk"),
}
SEARCH = ["--case", "26-1", "--purpose", "serious-crime", "--threshold", "warrant", "--offence", "burglary", "--authority", "S-1"]


@dataclass
class Cli:
    """The command line on one home."""

    home: Path
    exchange: Exchange

    def run(self, *words: str | Path, answer: str | None = None) -> Result:
        """Run a command as a person would."""
        return CliRunner().invoke(app, ["--home", str(self.home), *map(str, words)], input=answer)

    def json(self, *words: str | Path, code: int = 0) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Run a command as a machine would: JSON on stdout, and nothing else there."""
        ran = self.run(*words, "--json")
        assert ran.exit_code == code, (ran.stdout, ran.stderr)
        return json.loads(ran.stdout)

    def enrol(self, person: str, number: str, *more: str) -> dict[str, Any]:
        """Enrol one booking by Milwaukee."""
        photo = PEOPLE / person / "1.jpg"
        said = self.json("enrol", photo, "--agency", MILWAUKEE, "--booking", number, "--age", "30", *more)
        assert said["standing"]["state"] == "admitted", said
        return dict(said)

    def end(self) -> int:
        """Return the journal's end: what was entered shows there."""
        return int(self.json("status")["journal"]["end"])


@contextmanager
def served(home: Path, encoder: FaceEncoder) -> Iterator[Cli]:
    """Serve a home with two agencies, a court and five people."""
    with Exchange(Settings(home=home, tick_seconds=30), face_encoder=encoder) as exchange, Server(exchange):
        one = Cli(home, exchange)
        one.json("agency", "add", MILWAUKEE, "Milwaukee Police", "--class", "municipal")
        one.json("agency", "add", DANE, "Dane County Sheriff", "--class", "county")
        one.json("court", "add", COURT, "Milwaukee County Circuit Court")
        for name, (party, *roles) in WHO.items():
            one.json("user", "add", name, "--party", party, *(word for role in roles for word in ("--role", role)))
        yield one
