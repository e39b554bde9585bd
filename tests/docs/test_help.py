"""Pages that are made from the code are current: the commands' help and the diagram of a record's states (DESIGN §7)."""

from __future__ import annotations

import pytest

import pages
from comity.cli import main as cli

ADVICE = "run .venv/bin/python tests/pages.py, and look at what it changes"


@pytest.mark.parametrize("page", sorted(pages.WHOLE))
def test_a_page_made_from_the_code_is_current(page: str) -> None:
    assert (pages.ROOT / page).read_text(encoding="utf-8") == pages.current(page), f"{page} is old: {ADVICE}"


def test_every_command_says_what_it_does() -> None:
    for name in cli.COMMANDS:
        assert cli.load(name).help, f"comity {name} has no help"


def test_the_list_of_commands_says_what_the_commands_say() -> None:
    for name, (_, line) in cli.COMMANDS.items():
        assert str(cli.load(name).help).strip().splitlines()[0] == line, f"comity --help and comity {name} --help differ"


def test_every_option_says_what_it_does() -> None:
    silent = [
        f"{path} {parameter.opts[0]}"
        for name in cli.COMMANDS
        for path, command in pages.commands(f"comity {name}", cli.load(name))
        for parameter in command.params
        if parameter.param_type_name == "option" and not parameter.help
    ]
    assert not silent
