"""The command ``comity``. A group of commands is read only when one of them is called, so that help comes at once."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from comity.cli import variables
from comity.cli.context import State
from comity.cli.problems import tell

# By name: the module that has it, and what it does. A test keeps these lines equal to the commands' own.
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("up", "Serve the exchange until Ctrl-C."),
    "init": ("up", "Make a home: found an exchange in it, with its keys."),
    "demo": ("demo", "Show what comity does, in about a minute, on people who do not exist."),
    "status": ("operate", "Show every position and lag, and what stands still."),
    "fsck": ("operate", "Compare every view with the journal; nothing is changed."),
    "sweep": ("operate", "Look through every file for what erasures destroyed; by itself at night."),
    "rebuild": ("operate", "Make the ledger, the gallery or the photographs anew from the log."),
    "anchor": ("anchors", "Show how far journals were acknowledged, or accept that entries are lost."),
    "exposures": ("operate", "Show who was shown a record: what no order can take back."),
    "journal": ("operate", "List the journal's entries by position; what is encrypted stays so."),
    "clock": ("clock", "Show the exchange's clock; confirm a tick, or void wrong ones."),
    "agency": ("parties", "Register agencies, and list them."),
    "court": ("parties", "Register courts, and list them."),
    "key": ("parties", "End a signing key that was stolen or is done with."),
    "user": ("people", "Let people sign in, give them roles, and shut them out."),
    "machine": ("machines", "Let records systems sign in by keys of their own, and list them."),
    "enrol": ("enrol", "Publish one booking, encrypted and signed on this machine."),
    "import": ("imports", "Publish many bookings from a CSV file; run it again and it goes on."),
    "grant": ("grants", "Let another agency search, view or reveal your records."),
    "revoke": ("grants", "Take a grant back, from here on."),
    "grants": ("grants", "Show the public register of grants, ended ones too."),
    "search": ("searches", "Find candidates for a probe photograph."),
    "review": ("searches", "Record what an examiner found on comparing the probe with a candidate."),
    "reveal": ("searches", "Reveal one candidate's identity, for a reason."),
    "find": ("orders", "Show which records a number finds, and where each stands; that you looked is entered, and no order."),
    "seal": ("orders", "Enter a sealing order, after showing what it covers; with --provisional one that lapses by itself."),
    "expunge": ("orders", "Enter an expungement: hidden for ever, and destroyed."),
    "orders": ("receipts", "List a party's orders as they stand now, newest first."),
    "receipt": (
        "receipts",
        "Show an order as it stands now: what it covers, how it ended, how far its erasure is proven.",
    ),
    "certificate": ("receipts", "Show what was certified of an order's erasure: what was looked for, where, and what was found."),
    "document": ("receipts", "Read the document back that came with an order: the very bytes."),
    "lift": ("receipts", "End a provisional seal or a seal, from here on; an expungement has no end."),
    "policy": ("tables", "Show what may be searched for, and what each statute does."),
    "models": ("tables", "Fold the face models into the cache, once."),
}
ANYWHERE = ("--home", "--kafka", "--as")  # they may stand before the command or after it, as --json may
EPILOG = """--home, --kafka, --json and --as may stand anywhere on the line.

Exit codes: 0 done · 1 failed · 2 invalid, or rows were refused · 3 not permitted · 4 not found · 5 conflict · 6 too many ·
7 unavailable, nothing was done · 130 stopped by Ctrl-C

Example: comity up --links"""


def hoist(args: Sequence[str]) -> list[str]:
    """Return the arguments with those that hold for every command in front, wherever they stood before a ``--``."""
    first: list[str] = []
    rest: list[str] = []
    words = list(args)
    while words:
        word = words.pop(0)
        if word == "--":
            return [*first, *rest, word, *words]
        if word == "--json" or word.startswith(tuple(f"{name}=" for name in ANYWHERE)):
            first.append(word)
        elif word in ANYWHERE and words:
            first += [word, words.pop(0)]
        else:
            rest.append(word)
    return [*first, *rest]


class Commands(TyperGroup):
    """The commands by name, each module read on its first use; and the one place where their errors are told."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 - typer's context is of a private type
        """Return the names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002
        """Return a command's name and its line of help: all that a list needs."""
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name][1]) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:  # noqa: ANN401
        """Return the command itself."""
        self.commands = {name: self.get_command(ctx, name) for name in COMMANDS}  # for "did you mean"
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and load(str(name)), rest

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Parse the arguments, those that hold for every command first."""
        return super().parse_args(ctx, hoist(args))

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401
        """Run the command; whatever it raises is told to the person, and ends in a documented exit code."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, BrokenPipeError):  # typer ends both as it should: a reader may have enough
            raise
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the outermost of all
            raise typer.Exit(tell(error, as_json=bool(ctx.params.get("as_json")))) from None


def load(name: str) -> Any:  # noqa: ANN401
    """Return a command or a group of commands, from its module."""
    module = importlib.import_module(f"comity.cli.{COMMANDS[name][0]}")
    return _plain(typer.main.get_group(module.app).commands[name])


def _plain(command: Any) -> Any:  # noqa: ANN401
    """Return the command, its usage without braces: PROBE is one word to be replaced, and no set of choices."""
    for nested in getattr(command, "commands", {}).values():
        _plain(nested)
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            parameter.get_usage_pieces = partial(_pieces, parameter)
    return command


def _pieces(argument: Any, _ctx: Any) -> list[str]:  # noqa: ANN401
    name = str(argument.metavar or argument.name.upper())
    return [name if argument.required else f"[{name}]"]


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EPILOG,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(importlib.import_module("importlib.metadata").version("comity"))
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    home: Annotated[
        str | None, typer.Option(envvar="COMITY_HOME", help="The folder that everything lies in. [comity-home]", metavar="FOLDER")
    ] = None,
    kafka: Annotated[
        str | None, typer.Option(envvar="COMITY_KAFKA", help="HOST:PORT of a broker, or `local`; else SQLite.", metavar="WHERE")
    ] = None,
    who: Annotated[
        str | None, typer.Option("--as", envvar="COMITY_AS", help="Who does this: a name or a pseudonym.", metavar="PERSON")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout, errors too, and nothing else.")] = False,
    _show: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print comity's version.")] = False,
) -> None:
    """Exchange booking photographs, honour sealing orders at once, and prove it."""
    variables.warn()
    ctx.obj = State(home=home, kafka=kafka, who=who, json=as_json)


def main() -> NoReturn:
    """Run the command line. What a terminal's encoding lacks is printed as an escape, and stops no answer."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    app()
    raise SystemExit(0)
