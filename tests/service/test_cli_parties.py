"""The commands that register agencies and courts: what is refused leaves nothing, and is told in words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from comity.adapters.onnx_faces import OnnxFaces
from comity.cli.problems import Answered
from commands import MILWAUKEE, Cli, served


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory, encoder: OnnxFaces) -> Iterator[Cli]:
    with served(tmp_path_factory.mktemp("cli") / "home", encoder) as one:
        yield one


REFUSED = [
    ("agency", "add", "wi0139999", "Typed small", "--class", "municipal"),
    ("agency", "add", "WI013", "Too short", "--class", "municipal"),
    ("agency", "add", "CA0010000", "Alameda", "--class", "galactic"),
    ("agency", "add", "CA0010000", " ", "--class", "county"),
    ("court", "add", "no court/at all", "Nowhere"),
    ("court", "add", "elsewhere", "\u202eNowhere"),
]


@pytest.mark.parametrize("words", REFUSED, ids=lambda words: " ".join(words[:3]))
def test_a_party_that_is_refused_leaves_no_key_and_reads_no_expression(cli: Cli, words: tuple[str, ...]) -> None:
    before = sorted((cli.home / "keys").iterdir())
    ran = cli.run(*words)
    assert ran.exit_code in (2, 4)
    assert sorted((cli.home / "keys").iterdir()) == before
    assert not set("^$[]{}") & set(ran.stderr)


def test_an_ori_and_a_courts_id_are_told_in_words_with_an_example(cli: Cli) -> None:
    assert "such as WI0130000" in cli.json("agency", "add", "WI013", "Too short", "--class", "municipal", code=2)["advice"]
    assert "such as circuit-court-14" in cli.json("court", "add", "no court/at all", "Nowhere", code=2)["advice"]


def test_a_party_that_was_refused_is_registered_by_a_retry_and_a_key_of_before_stays(cli: Cli) -> None:
    keys = cli.home / "keys"
    cli.json("agency", "add", "CA0010100", "Retried", "--class", "galactic", code=2)
    assert cli.json("agency", "add", "CA0010100", "Retried", "--class", "county")["key_held_here"] is True
    held = (keys / "CA0010100.pem").read_bytes()
    cli.json("agency", "add", "CA0010100", "Again", "--class", "county", code=5)
    assert (keys / "CA0010100.pem").read_bytes() == held


@pytest.mark.parametrize("status", [500, 503])
def test_a_key_stays_where_its_party_may_have_been_taken(cli: Cli, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    def broken(*_asked: object, **_more: object) -> None:
        raise Answered({"type": "urn:comity:problem:ledger-behind", "status": status, "detail": "", "advice": ""})

    with monkeypatch.context() as patched:
        patched.setattr("comity.cli.connect.Api.post", broken)
        cli.run("court", "add", f"perhaps-{status}", "Perhaps")
        cli.run("machine", "add", "Perhaps", "--party", MILWAUKEE, "--key", cli.home.parent / f"{status}.pem")
    assert (cli.home / "keys" / f"perhaps-{status}.pem").exists()
    assert (cli.home.parent / f"{status}.pem").exists()
