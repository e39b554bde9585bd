"""The commands for what became of orders, and for who may sign in: the same as the pages say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from comity.adapters.onnx_faces import OnnxFaces
from commands import COURT, MILWAUKEE, SEARCH, Cli, served


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory, encoder: OnnxFaces) -> Iterator[Cli]:
    with served(tmp_path_factory.mktemp("cli") / "home", encoder) as one:
        yield one


def test_an_order_is_listed_read_back_and_ended(cli: Cli, tmp_path: Path) -> None:
    paper, back = tmp_path / "order.pdf", tmp_path / "back.pdf"
    paper.write_bytes(b"%PDF-1.7 the court orders")
    court = ("--court", COURT, "--as", "Carla")
    words = ("seal", *court, "--statute", "ny-cpl-160.50", "--atn", "ATN-CLI", "--document", paper, "--yes")
    order = cli.json(*words)["receipt"]["event_id"]
    held = cli.json("receipt", order, *court)
    assert (held["state"], held["numbers"]) == ("stands", {"atn": "ATN-CLI"})
    assert cli.json("orders", *court)[0]["order_id"] == order
    assert cli.json("document", order, *court, "--to", back)["bytes"] == len(paper.read_bytes())
    assert back.read_bytes() == paper.read_bytes()
    assert cli.json("document", order, *court, "--to", back, code=2)["status"] == 400
    assert cli.json("certificate", order, *court) == []
    assert cli.json("lift", order, *court, "--yes")["position"] > held["position"]
    assert "lifted" in cli.run("receipt", order, *court).stdout
    assert cli.json("lift", order, *court, "--yes", code=5)["status"] == 409


def test_a_command_takes_plain_files_alone(cli: Cli, tmp_path: Path) -> None:
    """A device has no end, and a pipe may never begin."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    court = ("--court", COURT, "--as", "Carla", "--statute", "ny-cpl-160.50", "--atn", "ATN-PIPE", "--dry-run")
    given: list[tuple[str | Path, ...]] = [
        ("enrol", "/dev/zero", "--agency", MILWAUKEE, "--booking", "B-ZERO", "--age", "30"),
        ("search", pipe, "--as", "Iris", *SEARCH),
        ("seal", *court, "--document", pipe),
    ]
    for words in given:
        assert "no plain file" in cli.json(*words, code=2)["detail"]


def test_what_a_seal_says_is_so_for_what_it_covers(cli: Cli) -> None:
    court = ("--court", COURT, "--as", "Carla")
    end = cli.end()
    dry = cli.run("seal", *court, "--statute", "ny-cpl-160.50", "--atn", "ATN-SAYS", "--dry-run")
    assert "no order was entered. That you looked is in the journal." in dry.stdout
    assert cli.end() > end
    bare = cli.run("seal", *court, "--statute", "ny-cpl-160.50", "--atn", "ATN-SAYS", "--yes")
    assert "it covers no record here yet" in bare.stdout
    assert "are hidden" not in bare.stdout
    cli.enrol("p05", "B-SAYS")
    asked = (*court, "--booking", "B-SAYS", "--agency", MILWAUKEE, "--yes")
    assert "but from the agency that holds them" in cli.run("seal", *asked, "--statute", "mn-609a").stdout
    assert "records are hidden." in cli.run("seal", *asked, "--statute", "ny-cpl-160.50").stdout


def test_people_are_given_roles_signed_out_and_removed_by_command(cli: Cli) -> None:
    cli.json("user", "add", "Tess Term", "--party", MILWAUKEE, "--role", "investigator")
    assert cli.json("user", "roles", "Tess Term", "--role", "examiner")["roles"] == ["examiner"]
    cli.json("user", "link", "Tess Term")
    assert cli.json("user", "sign-out", "Tess Term")["ended"] == 1
    assert cli.json("user", "remove", "Tess Term", "--yes")["removed"]
    assert "Tess Term" not in {person["name"] for person in cli.json("user", "list")}
    assert cli.json("user", "roles", "Tess Term", "--role", "examiner", code=4)["status"] == 404


def test_a_key_is_revoked_by_command(cli: Cli) -> None:
    assert cli.json("key", "revoke", "none-such", "--yes", code=4)["status"] == 404
