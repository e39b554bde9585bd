"""The byte scan finds what lies in files, in whichever pieces, and survives whatever happens to a file meanwhile."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from comity.duties import scan as scan_module
from comity.duties.scan import PIECE_BYTES, pieces, scan
from comity.duties.scan_child import CHUNK_BYTES


@pytest.fixture
def needle() -> bytes:
    return os.urandom(600)


def test_a_piece_is_found_wherever_in_a_file_it_lies(tmp_path: Path, needle: bytes) -> None:
    """The chunks that are read overlap: none of them cuts what is looked for."""
    for name, before in (("start", 0), ("cut", CHUNK_BYTES - PIECE_BYTES // 2), ("later", CHUNK_BYTES + 77)):
        (tmp_path / name).write_bytes(os.urandom(before) + needle[:PIECE_BYTES] + os.urandom(50))
    scanned = scan([tmp_path], {"template": [needle]})
    assert sorted(Path(path).name for path in scanned.found["template"]) == ["cut", "later", "start"]
    assert scanned.files == 3


def test_each_needle_is_told_with_its_own_files(tmp_path: Path) -> None:
    one, other, none = os.urandom(100), os.urandom(60), os.urandom(100)
    (tmp_path / "one").write_bytes(b"\0" * 9 + one)
    (tmp_path / "both").write_bytes(other + one)
    found = scan([tmp_path], {"a": [one], "b": [other], "c": [none]}).found
    assert {name: [Path(p).name for p in paths] for name, paths in found.items()} == {"a": ["both", "one"], "b": ["both"]}


def test_what_a_pattern_would_take_for_a_sign_is_taken_as_it_is(tmp_path: Path) -> None:
    signs = bytes(range(256))
    (tmp_path / "f").write_bytes(b"x" + signs + b"y")
    (tmp_path / "g").write_bytes(bytes(range(255, -1, -1)))
    scanned = scan([tmp_path], {"all": [signs]})
    assert [Path(path).name for path in scanned.found["all"]] == ["f"]
    assert not scan([tmp_path], {"none": [b"", b"....*"]}).found


def test_files_and_folders_are_both_places_and_a_missing_one_holds_nothing(tmp_path: Path, needle: bytes) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "f").write_bytes(needle)
    (tmp_path / "out").write_bytes(needle)
    (tmp_path / "link").symlink_to(tmp_path / "in" / "f")
    scanned = scan([tmp_path / "in", tmp_path / "in" / "f", tmp_path / "gone"], {"n": [needle]})
    assert scanned.files == 1
    assert scanned.found == {"n": (str(tmp_path / "in" / "f"),)}


def test_more_pieces_than_one_pass_takes_take_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_module, "PIECES_PER_PASS", 10)
    needles = {str(number): [os.urandom(200)] for number in range(8)}
    (tmp_path / "f").write_bytes(b"".join(needle for (needle,) in needles.values()))
    scanned = scan([tmp_path], needles)
    assert set(scanned.found) == set(needles)
    assert scanned.files == 1


def test_a_file_that_is_truncated_while_it_is_read_kills_nothing(tmp_path: Path) -> None:
    """F28: a mapped page that is gone is a SIGBUS; the vault's journal is truncated at every key that is issued."""
    file, done = tmp_path / "vault.db-journal", threading.Event()

    def churn() -> None:
        while not done.is_set():
            file.write_bytes(b"\x01" * (24 << 20))
            os.truncate(file, 0)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(8):
            scan([tmp_path], {"k": [os.urandom(2_000)]})
    finally:
        done.set()
        thread.join()


def test_a_scan_stops_when_it_is_told_to(tmp_path: Path, needle: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_bytes(os.urandom(1 << 20))
    stop = threading.Event()
    stop.set()
    monkeypatch.setattr(scan_module, "LOOK_SECONDS", 0.0)
    with pytest.raises(OSError, match="stopped"):
        scan([tmp_path], {"n": [needle]}, stop)


def test_a_scan_that_hangs_is_given_up(tmp_path: Path, needle: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_module, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(scan_module, "START_SECONDS_MAX", 0.0)
    with pytest.raises(OSError, match="too long"):
        scan([tmp_path], {"n": [needle]})


def test_a_child_that_dies_is_no_clean_scan(tmp_path: Path, needle: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(OSError, match="ended with 1"):
        scan([tmp_path], {"n": [needle]})


def test_what_cannot_be_read_is_told(tmp_path: Path, needle: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    from comity.duties import scan_child  # noqa: PLC0415

    (tmp_path / "f").write_bytes(needle)

    def refused(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "open", refused)
    told = scan_child.look([tmp_path], {"n": [needle[:24]]})
    assert told["unreadable"] == [str(tmp_path / "f")]


def test_pieces_cover_both_ends() -> None:
    data = bytes(range(200))
    found = pieces(data)
    assert len(found) == 4
    assert (found[0], found[-1]) == (data[:PIECE_BYTES], data[-PIECE_BYTES:])
    assert pieces(b"short") == (b"short",)
    assert pieces(b"") == ()


def test_a_scan_that_takes_longer_than_a_look_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_module, "LOOK_SECONDS", 0.001)
    needles = {str(number): [os.urandom(100)] for number in range(2_000)}
    (tmp_path / "f").write_bytes(needles["7"][0])
    assert set(scan([tmp_path], needles).found) == {"7"}
