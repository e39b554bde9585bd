"""The house is tidy: sizes, docstrings, and words that do not belong here (DESIGN §2 and §7, R26)."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE_LINES_MAX, FUNCTION_LINES_MAX = 400, 60
SERVICES = sorted((ROOT / "services").rglob("*.py"))
PYTHON = [
    *SERVICES,
    *(path for folder in ("tests", "schemas", "infra") for path in sorted((ROOT / folder).rglob("*.py"))),
]
READ_BY_PEOPLE = [
    path for folder in ("services", "schemas") for suffix in ("html", "js", "css", "svg", "md", "avsc")
    for path in sorted((ROOT / folder).rglob(f"*.{suffix}"))
]  # fmt: skip
MIGRATIONS = ROOT / "services/comity/adapters/sql/migrations/versions"  # one function each, which lists every table
# Spelt so that this file does not hold what it looks for.
UNDONE = re.compile(r"\b([T]ODO|[F]IXME|[X]XX)\b")
MACHINE = re.compile(r"/(work|root|farm|home/[a-z]+|tmp/[a-z0-9]+)/")
# "candidate", never the other word: a search ends in a lead, and only a person may find that two faces are one (R26).
JUDGING = re.compile(r"(?<![a-z])match(?:es|ed|ing|er)?(?![a-z])", re.IGNORECASE)
TEMPLATE = re.compile("embedding", re.IGNORECASE)
REGEX_METHODS = {"match", "fullmatch"}


def lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield a file's lines, each with where it stands."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        yield f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}", line


def words(path: Path) -> Iterator[tuple[int, str]]:
    """Yield what a Python file says: identifiers, texts and comments; not the statement's keyword, nor the methods of ``re``."""
    text = path.read_text(encoding="utf-8")
    statements = {node.lineno for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Match)}
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        statement = token.type == tokenize.NAME and token.string == "match" and token.start[0] in statements
        if not statement and not (before == "." and token.string in REGEX_METHODS):
            yield token.start[0], token.string
        before = token.string


def test_every_file_is_short_and_says_what_it_is() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in PYTHON}
    bounded = {path: text for path, text in texts.items() if path.parent != MIGRATIONS}
    long = [f"{p.relative_to(ROOT)}: {t.count(chr(10))} lines" for p, t in bounded.items() if t.count("\n") > FILE_LINES_MAX]
    silent = [str(p.relative_to(ROOT)) for p, t in texts.items() if t and not ast.get_docstring(ast.parse(t))]
    assert not long
    assert not silent


def test_every_function_is_short() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for path in PYTHON
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and path.parent != MIGRATIONS
        if (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES_MAX
    ]
    assert not long


def test_every_file_is_finished_and_names_no_machine() -> None:
    assert not [where for path in (*PYTHON, *READ_BY_PEOPLE) for where, line in lines(path) if UNDONE.search(line)]
    assert not [where for path in (*PYTHON, *READ_BY_PEOPLE) for where, line in lines(path) if MACHINE.search(line)]


def test_the_code_keeps_to_the_words() -> None:
    assert not [
        f"{path.relative_to(ROOT)}:{number}: {word[:80]}"
        for path in SERVICES
        for number, word in words(path)
        if JUDGING.search(word) or TEMPLATE.search(word)
    ]


def test_pages_and_schemas_keep_to_the_words() -> None:
    # The glossary says which words are not used.
    pages = [
        path for path in READ_BY_PEOPLE if path.name not in ("GLOSSARY.md", "DESIGN.md", "REQUIREMENTS.md")
    ]  # they name them to ban them
    assert not [where for path in pages for where, line in lines(path) if JUDGING.search(line) or TEMPLATE.search(line)]


def test_only_commands_print() -> None:
    assert not [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SERVICES
        if "cli" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("match value:\n    case 1:\n        pass\n", False),
        ("import re\nre.match('a', 'a')\nre.fullmatch('a', 'a')\n", False),
        ("mismatch = 'no candidate'\n", False),
        ("best_match = 1\n", True),
        ("say('A match was found')\n", True),
        ("# what matches\n", True),
    ],
)
def test_the_rule_about_words_can_fail(code: str, wrong: bool, tmp_path: Path) -> None:  # noqa: FBT001 - the example's verdict
    file = tmp_path / "example.py"
    file.write_text(code)
    assert any(JUDGING.search(word) for _, word in words(file)) is wrong
