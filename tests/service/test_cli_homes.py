"""The command line and homes: one that nobody serves, one that is served, one that cannot be used."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from comity import bootstrap
from comity.adapters.home import Home
from comity.adapters.onnx_faces import OnnxFaces
from comity.adapters.sqlite_log import SqliteLog
from comity.cli import connect, up
from comity.cli.main import app
from comity.errors import Halted
from comity.settings import Settings
from commands import MILWAUKEE, Cli, served
from pages import ROOT

ADD = ["agency", "add", MILWAUKEE, "Milwaukee Police", "--class", "municipal"]
WITHOUT_A_HOME = [
    ADD,
    ["court", "add", "a-court", "A Court"],
    ["user", "add", "Ann", "--party", MILWAUKEE, "--role", "investigator"],
    ["fsck"],
    ["status"],
    ["sweep"],
    ["grants"],
    ["user", "list"],
    ["rebuild", "ledger"],
    ["clock", "show"],
    ["revoke", "g-1"],
    ["anchor", "accept", "--reason", "lost", "--yes"],
]


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory, encoder: OnnxFaces) -> Iterator[Cli]:
    with served(tmp_path_factory.mktemp("cli") / "home", encoder) as one:
        yield one


def test_a_command_serves_a_home_that_nobody_serves(tmp_path: Path) -> None:
    home = tmp_path / "alone"
    for words in (["init"], ADD, ["status"]):
        ran = CliRunner().invoke(app, ["--home", str(home), "--json", *words])
        assert ran.exit_code == 0, ran.stderr
        assert json.loads(ran.stdout)
    assert not (home / "url").exists()
    assert home.stat().st_mode & 0o077 == 0


def test_a_home_is_made_once_and_told_the_second_time(tmp_path: Path) -> None:
    for made in (True, False):
        ran = CliRunner().invoke(app, ["--home", str(tmp_path / "home"), "--json", "init"])
        assert ran.exit_code == 0, ran.stderr
        assert json.loads(ran.stdout) == {"home": str(tmp_path / "home"), "made": made}


def test_a_home_whose_log_is_a_file_takes_no_broker(tmp_path: Path) -> None:
    """And makes no second log: whoever named it may have meant another home."""
    words = ["--home", str(tmp_path / "home"), "--json"]
    assert CliRunner().invoke(app, [*words, "init"]).exit_code == 0
    ran = CliRunner().invoke(app, [*words, "--kafka", "127.0.0.1:9", "status"])
    assert ran.exit_code == 2, ran.stdout
    assert "--kafka" in json.loads(ran.stdout)["advice"]


def test_a_home_whose_log_could_not_be_opened_is_none_yet(tmp_path: Path) -> None:
    """Its lock alone made it one: the next `init` said that it was made, and the next command founded it on another log."""
    words = ["--home", str(tmp_path / "home"), "--json"]
    assert CliRunner().invoke(app, [*words, "--kafka", "127.0.0.1:9", "init"]).exit_code not in (0, 2)
    assert CliRunner().invoke(app, [*words, *ADD]).exit_code == 4, "there is no home"
    ran = CliRunner().invoke(app, [*words, "init"])
    assert json.loads(ran.stdout)["made"]


def test_brokers_that_were_named_by_mistake_are_not_remembered(
    tmp_path: Path, encoder: OnnxFaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They answer, and hold another journal; files play them."""
    monkeypatch.setattr(bootstrap, "opened_log", lambda _path, kafka, *_: SqliteLog(tmp_path / f"{kafka}.db"))

    def started(kafka: str | None) -> str | None:
        settings = Settings(home=tmp_path / "home", anchor=tmp_path / "anchor", kafka=kafka)
        with bootstrap.Exchange(settings, face_encoder=encoder) as exchange:
            return exchange.settings.kafka

    assert started("right") == "right"
    with pytest.raises(Halted):
        started("wrong")
    assert started(None) == "right"
    (tmp_path / "right.db").rename(tmp_path / "moved.db")
    assert started("moved") == started(None) == "moved"


@pytest.mark.parametrize("words", WITHOUT_A_HOME, ids=lambda words: " ".join(words[:2]))
@pytest.mark.parametrize("empty", [True, False])
def test_a_home_that_is_mistyped_is_not_made_and_not_called_well(tmp_path: Path, words: list[str], empty: bool) -> None:  # noqa: FBT001
    home = tmp_path / "mistyped"
    if empty:
        home.mkdir()
    ran = CliRunner().invoke(app, ["--home", str(home), "--json", *words])
    assert ran.exit_code == 4, ran.stdout
    assert "no home" in json.loads(ran.stdout)["detail"]
    assert not home.exists() or list(home.iterdir()) == []


@pytest.mark.parametrize("variable", ["COMITY_HOME", "COMITY_ANCHOR", "COMITY_CACHE", None])
def test_a_folder_without_a_name_is_not_the_folder_one_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    if variable is not None:
        monkeypatch.setenv(variable, "")
    ran = CliRunner().invoke(app, [*([] if variable else ["--home="]), "--json", *ADD])
    assert ran.exit_code == 2, ran.stdout
    assert (variable or "COMITY_HOME") in json.loads(ran.stdout)["detail"]
    assert list(tmp_path.iterdir()) == []


def test_a_command_waits_for_another_that_was_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four commands at once: each finds the home free, one opens it, and the others failed at once."""
    faster, free = Home(tmp_path / "home"), connect.is_free
    assert CliRunner().invoke(app, ["--home", str(faster.root), "init"]).exit_code == 0
    looks: list[bool] = []

    def look(settings: Settings) -> bool:
        looks.append(free(settings))
        if len(looks) == 1:  # between this look and the opening
            faster.open()
            threading.Timer(0.5, faster.close).start()
        return looks[-1]

    monkeypatch.setattr(connect, "is_free", look)
    ran = CliRunner().invoke(app, ["--home", str(faster.root), "agency", "list"])
    assert ran.exit_code == 0, ran.stderr
    assert len(looks) > 1, "the first look was at a home that was taken then"


def test_up_waits_for_a_command_that_has_its_home_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Started together, one of them ended the other."""
    home, looks = Home(tmp_path / "home"), list[Settings]()

    def look(settings: Settings) -> None:
        looks.append(settings)
        if len(looks) == 3:
            home.close()

    monkeypatch.setattr(up, "_refuse_a_second", look)
    home.open()
    up._made(Settings(home=home.root)).stop()
    assert len(looks) == 3


def test_a_port_that_is_taken_is_told_before_the_home_is_opened(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ran = CliRunner().invoke(app, ["--home", str(tmp_path / "home"), "up", "--port", port])
    assert ran.exit_code == 7
    assert f"Port {port} of 127.0.0.1" in ran.stderr
    assert "--port" in ran.stderr
    assert "ERROR" not in ran.stderr
    assert not (tmp_path / "home").exists()


def mode(path: Path) -> int:
    """Return a file's mode; nothing for one that its store has just replaced."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return 0


@pytest.mark.parametrize("page", ["README.md", "services/README.md"])
def test_every_file_of_a_home_is_listed(cli: Cli, page: str) -> None:
    cli.enrol("p09", f"LISTED-{len(page)}")
    cli.run("machine", "add", f"Listed {len(page)}", "--party", MILWAUKEE, "--key", cli.home.parent / f"{len(page)}.pem")
    files = {re.sub(r"(?<=\.db)(-.*|\.lock)$", "", path.name) for path in cli.home.iterdir()}  # SQLite's own beside each
    listed = (ROOT / page).read_text()
    assert "requests.db" in files
    assert [name for name in sorted(files) if f"`{name}" not in listed] == []


def test_nobody_else_can_read_a_file_of_a_home(cli: Cli) -> None:
    cli.enrol("p09", "M-1")
    files = list(cli.home.rglob("*"))
    assert {"ledger.db", "log.db", "vault.db", "vault.db.lock", "identity.db", "url", "photos"} <= {path.name for path in files}
    assert [str(path) for path in (cli.home, *files) if mode(path) & 0o077] == []


def test_a_home_that_is_served_is_not_served_twice(cli: Cli) -> None:
    problem = cli.json("up", code=5)
    assert "served already" in problem["detail"]


def test_a_folder_that_cannot_be_used_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = CliRunner().invoke(app, ["--home", str(tmp_path / "file" / "home"), "init"])
    assert ran.exit_code == 2
    assert "Not a directory" in ran.stderr
    assert "--home" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("host", "warned", "ending"),
    [("127.0.0.1", False, signal.SIGINT), ("0.0.0.0", True, signal.SIGTERM), ("127.0.0.1", False, signal.SIGHUP)],  # noqa: S104
)
def test_up_serves_until_it_is_stopped_and_leaves_no_address(
    tmp_path: Path,
    host: str,
    warned: bool,  # noqa: FBT001
    ending: signal.Signals,
) -> None:
    home = tmp_path / "home"
    comity = [sys.executable, "-c", "from comity.cli.main import main; main()", "--home", str(home), "--json"]
    with subprocess.Popen(
        [*comity, "up", "--host", host, "--port", "0", "--links"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as serving:
        assert serving.stdout is not None
        said = json.loads(b"".join(iter(serving.stdout.readline, b"}\n")) + b"}")
        try:
            assert said["url"] == (home / "url").read_text(encoding="utf-8")
            assert bool(said["warnings"]) is warned
            assert [link["name"] for link in said["links"]] == ["operator"]
            ran = CliRunner().invoke(app, ["--home", str(home), "--json", "status"])
            assert json.loads(ran.stdout)["journal"]["failure"] is None
        finally:
            serving.send_signal(ending)
        assert serving.wait(timeout=60) == 0
    assert not (home / "url").exists()
