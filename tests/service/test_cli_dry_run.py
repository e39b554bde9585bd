"""A dry run says what would be done, for whom and how many, and does nothing: every act that changes something has one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from comity.adapters.onnx_faces import OnnxFaces
from comity.cli.main import load
from commands import COURT, DANE, MILWAUKEE, Cli, served

ACTS = {
    "lift": (),
    "revoke": (),
    "rebuild": (),
    "key": ("revoke",),
    "machine": ("revoke",),
    "user": ("remove", "roles", "sign-out"),
    "clock": ("void", "confirm"),
    "anchor": ("accept",),
    "seal": (),
    "expunge": (),
}


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory, encoder: OnnxFaces) -> Iterator[Cli]:
    with served(tmp_path_factory.mktemp("cli") / "home", encoder) as one:
        yield one


def acts(cli: Cli) -> list[tuple[str, ...]]:
    """Return every act with something that it could be done to."""
    grant = ("grant", MILWAUKEE, DANE, "--purpose", "serious-crime", "--days", "9")
    given = cli.json(*grant, "--as", "Ada")["grant_id"]
    system = cli.json("machine", "add", "RMS", "--party", MILWAUKEE, "--key", str(cli.home.parent / "rms.pem"))
    kid = cli.exchange.keyring.signer(DANE).kid
    case = ("--court", COURT, "--as", "Carla", "--statute", "wi-165.84", "--atn", "A-1", "--yes")
    order = cli.json("seal", *case)["receipt"]["event_id"]
    tick = str(cli.json("clock", "show")["ticks"][0]["position"])
    return [
        ("lift", order, "--court", COURT, "--as", "Carla"),
        ("revoke", given, "--as", "Ada"),
        ("rebuild", "ledger"),
        ("rebuild", "gallery"),
        ("key", "revoke", kid),
        ("machine", "revoke", system["machine_id"]),
        ("user", "remove", "Iris"),
        ("user", "roles", "Iris", "--role", "examiner"),
        ("user", "sign-out", "Iris"),
        ("clock", "confirm", tick, "--reason", "looked"),
        ("clock", "void", tick, tick, "--reason", "looked"),
        ("anchor", "accept", "--reason", "lost"),
    ]


def test_a_dry_run_enters_nothing_and_says_what_for_whom_and_how_many(cli: Cli) -> None:
    for words in acts(cli):
        cli.exchange.settle()
        before = cli.end(), cli.json("user", "list"), cli.json("machine", "list"), cli.json("grants")
        said = cli.json(*words, "--dry-run")
        assert (set(said), said["dry_run"]) == ({"dry_run", "would", "whom", "count"}, True), words
        assert said["would"]
        assert isinstance(said["count"], int), words
        assert said["whom"]
        told = cli.run(*words, "--dry-run")
        assert told.exit_code == 0, (words, told.stderr)
        assert "nothing was entered" in told.stdout
        after = cli.end(), cli.json("user", "list"), cli.json("machine", "list"), cli.json("grants")
        assert after[1:] == before[1:], words
        assert entered(cli, before[0]) == [], words


def entered(cli: Cli, first: int) -> list[str]:
    """Return what the journal was given from there on, the clock's own ticks left out."""
    return [entry["type"] for entry in cli.json("journal", "--from", str(first)) if "ClockTicked" not in entry["type"]]


@pytest.mark.parametrize(
    "words", [("user", "remove", "Nobody"), ("revoke", "g-none", "--as", "Ada"), ("machine", "revoke", "m-0")]
)
def test_a_dry_run_of_what_is_not_there_is_told(cli: Cli, words: tuple[str, ...]) -> None:
    cli.json(*words, "--dry-run", code=4)


@pytest.mark.parametrize("name", ACTS)
def test_every_act_has_a_dry_run(name: str) -> None:
    command = load(name)
    for act in [command.commands[below] for below in ACTS[name]] or [command]:
        assert "--dry-run" in [option for parameter in act.params for option in parameter.opts]
