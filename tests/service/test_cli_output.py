"""What commands print where it cannot be printed, or should not be: full disks, closed pipes, odd terminals, hostile text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from comity.adapters.onnx_faces import OnnxFaces
from comity.cli import output
from commands import MILWAUKEE, Cli, served

COMITY = "from comity.cli.main import main; main()"


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory, encoder: OnnxFaces) -> Iterator[Cli]:
    with served(tmp_path_factory.mktemp("cli") / "home", encoder) as one:
        yield one


def ran(cli: Cli, *words: str | bytes, by: tuple[str, ...] = (), **more: object) -> subprocess.CompletedProcess[str]:
    command = [*by, sys.executable, "-c", COMITY, "--home", str(cli.home), *words]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, check=False, **more)  # type: ignore[call-overload, no-any-return]


def test_an_answer_that_finds_no_room_is_told_on_stderr(cli: Cli) -> None:
    with Path("/dev/full").open("wb") as full:
        told = ran(cli, "--json", "agency", "list", stdout=full)
    assert told.returncode == 1
    assert json.loads(told.stderr)["detail"] == "No space left on device."
    closed = ran(cli, "--json", "agency", "list", by=("sh", "-c", 'exec "$@" >&-', "sh"))
    assert closed.returncode == 1
    assert "Traceback" not in closed.stderr


def test_json_is_ascii_and_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = {"name": "\x9b31m\N{RIGHT-TO-LEFT OVERRIDE}é\udcff"}
    output.as_json(hostile)
    said = capsys.readouterr().out
    assert said.isascii()
    assert "\\u202e" in said
    assert json.loads(said) == hostile


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_terminal_of_another_encoding_shows_escapes(cli: Cli, more: tuple[str, ...]) -> None:
    if "Ünal" not in cli.run("user", "list").stdout:
        cli.json("user", "add", "Ünal", "--party", MILWAUKEE, "--role", "examiner")
    told = ran(cli, "user", "list", *more, stdout=subprocess.PIPE, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert told.returncode == 0, told.stderr
    assert "nal" in told.stdout


def test_a_word_that_is_no_utf_8_is_told_as_one(cli: Cli) -> None:
    told = ran(cli, "find", "--court", "milwaukee-circuit-court", "--court-case", b"a\xff", stdout=subprocess.PIPE)
    assert told.returncode == 2
    assert "not UTF-8" in told.stderr


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [("COMITY_HOMES", "COMITY_HOME"), ("COMITY_MASTERKEY", "COMITY_MASTER_KEY"), ("COMITY_TICK", "COMITY_TICK_SECONDS")],
)
def test_a_misspelt_variable_is_told_with_the_nearest_and_never_its_value(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, misspelt: str, meant: str
) -> None:
    monkeypatch.setenv(misspelt, "s3cret")
    told = cli.run("agency", "list", "--json")
    assert told.exit_code == 0
    json.loads(told.stdout)
    (line,) = [line for line in told.stderr.splitlines() if misspelt in line]
    assert f"Is {meant} meant?" in line
    assert "s3cret" not in told.stderr


def test_real_variables_are_not_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COMITY_TEST_FACES", "COMITY_AS", "COMITY_DEBUG", "comity_port"):
        monkeypatch.setenv(name, "operator" if name == "COMITY_AS" else "1")
    assert "Warning" not in cli.run("agency", "list").stderr
