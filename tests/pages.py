"""Pages and tables that are made from the code, and tested to be current: ``.venv/bin/python tests/pages.py`` writes them."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic_core import PydanticUndefined

from comity import errors
from comity.cli import main as cli
from comity.cli.rows import COLUMNS, NEEDED
from comity.domain.record import TRANSITIONS, State
from comity.settings import Settings

ROOT = Path(__file__).parent.parent
SERVICES = ROOT / "services"
PACKAGE = SERVICES / "comity"
MADE = "<!-- made by tests/pages.py; do not edit -->"
STATES_TEXT = """\
From the table `TRANSITIONS` in `comity/domain/record.py`, for people to read. What may be shown to whom is decided by
`comity/domain/judge.py` alone, from the orders that stand. Two orders may cover one record: the end of one leaves the other.
What the table does not name changes nothing."""


def modules() -> list[Path]:
    """Return every module of the package, relative to it, packages' own files left out."""
    found = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    return sorted(found, key=lambda path: (path.parent.as_posix(), path.name))


def summary(path: Path) -> str:
    """Return the first line of a module's docstring, as Markdown."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].replace("``", "`")


def module_tree() -> str:
    """Return every module with one line of what it is, package by package."""
    lines: list[str] = []
    folder = None
    for path in modules():
        if path.parent != folder:
            folder = path.parent
            lines += ["", *_package_heading(folder), ""]
        lines.append(f"- `{path.name}`: {summary(PACKAGE / path)}")
    return "\n".join(lines).strip()


def _package_heading(folder: Path) -> list[str]:
    if folder == Path():
        return ["### `comity/`"]
    own = PACKAGE / folder / "__init__.py"
    said = summary(own) if own.exists() else ""
    return [f"### `comity/{folder.as_posix()}/`", *(("", said) if said else ())]


def settings_table() -> str:
    """Return what an installation may set, as a table."""
    rows = ["| variable | default | what it does |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, PydanticUndefined, "") else f"`{field.default}`"
        rows.append(f"| `COMITY_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows)


def exit_codes_table() -> str:
    """Return the commands' exit codes, from the tree of errors."""
    kinds: dict[int, list[str]] = {0: ["done"]}
    for kind in _kinds(errors.ComityError):
        titles = kinds.setdefault(kind.exit_code, [])
        if kind.title not in titles:
            titles.append(kind.title)
    kinds[130] = ["stopped by Ctrl-C"]
    rows = [f"| {code} | {'; '.join(title[0].lower() + title[1:] for title in kinds[code])} |" for code in sorted(kinds)]
    return "\n".join(["| code | what happened |", "| --- | --- |", *rows])


def _kinds(root: type[errors.ComityError]) -> Iterator[type[errors.ComityError]]:
    yield root
    for kind in root.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield from _kinds(kind)


def record_states() -> str:
    """Return the page with the diagram of a record's states."""
    arrows = []
    for state, after in TRANSITIONS.items():
        for target in State:
            names = sorted(event.__name__ for event, reached in after.items() if reached is target)
            if names:
                arrows.append(f"  {state.name} --> {target.name}: {', '.join(names)}")
    named = [f'  state "{state.value}" as {state.name}' for state in State]
    diagram = ["```mermaid", "stateDiagram-v2", *named, "  [*] --> ABSENT", *arrows, "```"]
    return "\n".join(["# The states of a record", "", MADE, "", STATES_TEXT, "", *diagram, ""])


def cli_help() -> str:
    """Return the page with every command's help."""
    lines = ["# The command `comity`", "", MADE, "", "The same text as `comity COMMAND --help`.", ""]
    for name in cli.COMMANDS:
        for path, command in commands(f"comity {name}", cli.load(name)):
            lines += [f"## `{path}`", "", *_help(path, command)]
        lines += csv_columns() if name == "import" else []
    return "\n".join([*lines, "## Everywhere", "", *_options(typer.main.get_command(cli.app)), ""])


def csv_columns() -> list[str]:
    """Return the columns of an import's file, as a table."""
    rows = [f"| `{name}` | {'required' if name in NEEDED else ''} | {_cell(text)} |" for name, text in COLUMNS.items()]
    return ["The file's first line names its columns, in any order:", "", "| | | |", "| --- | --- | --- |", *rows, ""]


def commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - typer's commands are of private types
    """Yield every command below this one, with the words that call it."""
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
        return
    for name, nested in below.items():
        yield from commands(f"{path} {name}", nested)


def _help(path: str, command: Any) -> list[str]:  # noqa: ANN401
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    words = [path, *(_argument(a) for a in arguments), *(["[OPTIONS]"] if len(arguments) < len(command.params) else [])]
    text = textwrap.dedent(command.help or "").strip()
    epilog = f"\n{textwrap.dedent(command.epilog).strip()}\n" if command.epilog else ""
    return [*text.splitlines(), "", f"    {' '.join(words)}", "", *_options(command), *epilog.splitlines(), ""]


def _argument(parameter: Any) -> str:  # noqa: ANN401
    name = str(parameter.metavar or parameter.name.upper())
    return name if parameter.required else f"[{name}]"


def _options(command: Any) -> list[str]:  # noqa: ANN401
    rows = [_option(p) for p in command.params if not p.hidden and (p.help or p.param_type_name == "option")]
    return ["| | | |", "| --- | --- | --- |", *rows] if rows else []


def _option(parameter: Any) -> str:  # noqa: ANN401
    if parameter.param_type_name == "argument":
        return f"| {_argument(parameter)} | | {_cell(parameter.help)} |"
    kind = "" if parameter.is_flag else str(parameter.metavar or parameter.opts[0].lstrip("-")).upper()
    notes = [note for note, holds in (("required", parameter.required), ("may be repeated", parameter.multiple)) if holds]
    if parameter.default not in (None, False, "", 0):
        notes.append(f"else {parameter.default}")
    told = " ".join([_cell(parameter.help), *(f"({note})" for note in notes)]).strip()
    return f"| {' '.join(f'`{name}`' for name in (*parameter.opts, *parameter.secondary_opts))} | {_cell(kind)} | {told} |"


def _cell(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "").replace("|", r"\|").strip()


def fill(text: str, name: str, body: str) -> str:
    """Return a page with the part between ``<!-- name -->`` and ``<!-- end of name -->`` made anew."""
    first, last = f"<!-- {name}: made by tests/pages.py -->", f"<!-- end of {name} -->"
    before, found, rest = text.partition(first)
    _, ended, after = rest.partition(last)
    if not found or not ended:
        raise ValueError(f"no part called {name}")
    return f"{before}{first}\n\n{body}\n\n{last}{after}"


Part = Callable[[], str]
WHOLE: dict[str, Part] = {"services/record-states.md": record_states, "services/cli-help.md": cli_help}
PARTS: dict[str, dict[str, Part]] = {
    "README.md": {"settings": settings_table, "exit codes": exit_codes_table},
    "services/README.md": {"modules": module_tree},
}


def current(page: str) -> str:
    """Return a page as it would be, made now."""
    if page in WHOLE:
        return WHOLE[page]()
    text = (ROOT / page).read_text(encoding="utf-8")
    for name, part in PARTS[page].items():
        text = fill(text, name, part())
    return text


def main() -> None:
    """Write every page that is not current."""
    for page in (*WHOLE, *PARTS):
        path, text = ROOT / page, current(page)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"written: {page}")


if __name__ == "__main__":
    main()
