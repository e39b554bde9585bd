"""The map of the house: every module is named with what it is, and no module that is not there."""

from __future__ import annotations

import re

import pytest

import pages

README = pages.SERVICES / "README.md"


def named() -> set[str]:
    """Return the modules that the map names, relative to the package."""
    found, folder = set(), ""
    for line in README.read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"### `comity/(.*?)/?`", line):
            folder = heading[1] and f"{heading[1]}/"
        elif item := re.match(r"- `([\w/]+\.py)`: \S", line):
            found.add(folder + item[1])
    return found


def test_every_module_is_named_and_no_other() -> None:
    assert named() == {path.as_posix() for path in pages.modules()}, "run .venv/bin/python tests/pages.py"


@pytest.mark.parametrize("page", sorted(pages.PARTS))
def test_what_is_made_from_the_code_is_current(page: str) -> None:
    assert (pages.ROOT / page).read_text(encoding="utf-8") == pages.current(page), "run .venv/bin/python tests/pages.py"


def test_every_file_that_the_journeys_name_is_there() -> None:
    journeys = README.read_text(encoding="utf-8").partition("<!-- modules:")[0]
    files = set(re.findall(r"`([a-z_]+/[a-z_/]+\.py)`", journeys))
    assert files
    assert {name for name in files if not (pages.PACKAGE / name).exists()} == set()


def test_every_place_that_the_glossary_names_is_there() -> None:
    glossary = (pages.SERVICES / "GLOSSARY.md").read_text(encoding="utf-8")
    places = re.findall(r"`([a-z_/]+\.py)(?:: (\w+))?`", glossary)
    assert places
    for path, name in places:
        code = (pages.PACKAGE / path).read_text(encoding="utf-8")
        assert re.search(rf"\b{name}\b", code), f"{path} has no {name}"


def test_every_decision_has_its_parts_and_is_short() -> None:
    lines_max = 40
    decisions = sorted((pages.SERVICES / "decisions").glob("*.md"))
    assert len({int(path.name[:4]) for path in decisions}) == len(decisions)
    for path in decisions:
        text = path.read_text(encoding="utf-8")
        assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"], path.name
        assert text.count("\n") <= lines_max, path.name
