"""What the pages say is so: their commands exist, their tables are the code's, their links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

import pages
from comity.cli import main as cli

README = pages.ROOT / "README.md"
LEFT_OUT = {".venv", ".hypothesis", ".pytest_cache", "node_modules"}
PAGES = sorted(path for path in pages.ROOT.rglob("*.md") if not LEFT_OUT & set(path.parts) and "comity-home" not in path.parts)
INSTALLED = {"export", ".venv/bin/python", ".venv/bin/pytest"}


def commands(page: Path) -> list[list[str]]:
    """Return the commands of a page's fenced ``sh`` blocks, continued lines joined, without comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


ALL = [(page.relative_to(pages.ROOT).as_posix(), words) for page in PAGES for words in commands(page)]


def targets() -> set[str]:
    """Return the Makefile's targets."""
    text = (pages.ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z]+):(?!=)", text, re.MULTILINE))


def resolve(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command that these words call, and the words left for it."""
    name, *rest = words
    command = cli.load(name)
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]
    return command, rest


@pytest.mark.parametrize(("page", "words"), ALL, ids=[f"{page}: {' '.join(words)[:60]}" for page, words in ALL])
def test_a_quoted_command_exists(page: str, words: list[str]) -> None:
    program, *rest = words
    if program == "make":
        assert {word for word in rest if "=" not in word} <= targets(), page
    elif Path(program).name == "comity":
        check_comity(cli.hoist(rest))
    else:
        assert program in INSTALLED, f"{page}: {program}"
        assert all((pages.ROOT / word).exists() for word in rest if re.fullmatch(r"(tests/)?[\w./-]+\.py|tests/\w+", word)), page


def check_comity(words: list[str]) -> None:
    """Check that a call of comity names a command that is there, with options that it has."""
    anywhere = {name for parameter in typer.main.get_command(cli.app).params for name in parameter.opts}
    while words and words[0].startswith("-"):
        option = words.pop(0)
        assert option.partition("=")[0] in anywhere | {"--help"}
        if option in cli.ANYWHERE:
            words.pop(0)
    if not words:
        return
    assert words[0] in cli.COMMANDS
    command, rest = resolve(words)
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    assert {word.partition("=")[0] for word in rest if re.match(r"--\w", word)} <= known, f"comity {' '.join(words)}"


def test_the_readme_names_the_two_commands() -> None:
    assert [words for page, words in ALL if page == "README.md"][:2] == [["make", "demo"], ["make", "test"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(pages.ROOT).as_posix())
def test_every_link_inside_the_house_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in anchors(target), f"{link}: no such heading"


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_tells_the_exit_codes_that_the_help_tells() -> None:
    told = {int(code) for code in re.findall(r"(?:^|· |: )(\d+) ", cli.EPILOG.partition("Exit codes")[2], re.MULTILINE)}
    table = {int(code) for code in re.findall(r"^\| (\d+) \|", pages.exit_codes_table(), re.MULTILINE)}
    assert told == table


@pytest.mark.parametrize("page", [README, pages.ROOT / "SECURITY.md", pages.ROOT / "CONTRIBUTING.md"], ids=lambda path: path.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    named = set(re.findall(r"`((?:tests|services|schemas|infra)/[\w./-]*)`", page.read_text(encoding="utf-8")))
    assert {name for name in named if not (pages.ROOT / name).exists()} == set()
