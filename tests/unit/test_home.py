"""A home is one process's, its owner's alone, and told of plainly where it cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from comity.adapters import home
from comity.errors import InvalidInput, Unavailable


def test_a_closed_home_leaves_the_process_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "_before", [])  # whatever else this process has open
    before = os.umask(0o022)
    try:
        first, second = home.Home(tmp_path / "a"), home.Home(tmp_path / "b")
        first.open()
        second.open()
        first.close()
        (tmp_path / "b" / "file").touch()
        second.close()
        second.close()
        assert (tmp_path / "b" / "file").stat().st_mode & 0o777 == 0o600
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_a_home_is_one_owners(tmp_path: Path) -> None:
    first = home.Home(tmp_path / "home")
    first.open()
    with pytest.raises(Unavailable):
        home.Home(tmp_path / "home").open()
    first.close()
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("place", ["/proc/nope", "file/home", "file"])
def test_a_home_that_cannot_be_used_is_told_with_advice(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput) as caught:
        home.Home(tmp_path / place).open()
    assert "--home" in caught.value.advice
