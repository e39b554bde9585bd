"""The commands that let records systems in, on a home that is served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from comity.adapters.onnx_faces import OnnxFaces
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
