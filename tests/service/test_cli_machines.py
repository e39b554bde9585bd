"""The commands that let records systems in, on a home that is served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from comity.adapters.onnx_faces import OnnxFaces
from comity.errors import Unavailable
from commands import MILWAUKEE, Cli, served


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory, encoder: OnnxFaces) -> Iterator[Cli]:
    with served(tmp_path_factory.mktemp("cli") / "home", encoder) as one:
        yield one


def test_a_machine_is_let_in_by_its_key_and_shut_out(cli: Cli, tmp_path: Path) -> None:
    key = tmp_path / "rms.pem"
    made = cli.json("machine", "add", "Records management", "--party", MILWAUKEE, "--key", key)
    assert key.stat().st_mode & 0o077 == 0
    assert (made["party"], made["roles"]) == (MILWAUKEE, ["agency-writer"])
    assert [m["machine_id"] for m in cli.json("machine", "list")] == [made["machine_id"]]
    assert cli.json("machine", "revoke", made["machine_id"])["revoked"] is True
    assert cli.run("machine", "add", "Again", "--party", MILWAUKEE, "--key", key).exit_code == 2
    assert cli.run("machine", "add", "No key", "--party", MILWAUKEE).exit_code == 2


def test_a_key_whose_machine_was_refused_is_not_in_the_way(cli: Cli, tmp_path: Path) -> None:
    first, key = tmp_path / "first.pem", tmp_path / "own.pem"
    assert cli.run("machine", "add", "Jail", "--party", MILWAUKEE, "--key", first).exit_code == 0
    assert cli.run("machine", "add", "Jail", "--party", MILWAUKEE, "--key", key).exit_code == 5
    assert cli.run("machine", "add", "Court", "--party", "WI0999999", "--key", key).exit_code == 2
    assert not key.exists()
    assert cli.run("machine", "add", "Jail 2", "--party", MILWAUKEE, "--key", key).exit_code == 0
    assert cli.run("machine", "add", "Jail 3", "--party", MILWAUKEE, "--key", first).exit_code == 2
    assert first.exists()
    assert key.exists()


def test_a_key_stays_where_its_machine_may_have_been_taken(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_asked: object, **_more: object) -> None:
        raise Unavailable("nobody answered")

    key = tmp_path / "own.pem"
    monkeypatch.setattr("comity.cli.connect.Api.post", broken)
    assert cli.run("machine", "add", "Jail 4", "--party", MILWAUKEE, "--key", key).exit_code == 7
    assert key.exists()
