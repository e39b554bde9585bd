"""What pip was told about the network, as uv is told it."""

from __future__ import annotations

from pathlib import Path

import pytest

import network
from told import Advised

LISTING = """\
:env:.cert='/house.pem'
:env:.find-links='/wheels /nowhere'
global.cert='/old.pem'
global.index-url='https://mirror.example/simple'
global.target='/opt/elsewhere'
install.index-url='https://install.example/simple'
install.trusted-host='one.example\\ntwo.example'
download.index-url='https://download.example/simple'
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Return a file of certificates."""
    path = tmp_path / "house.pem"
    path.touch()
    return path


def test_variables_count_more_than_the_install_section_and_that_more_than_the_global_one() -> None:
    assert network.told_to_pip(LISTING) == {
        "cert": "/house.pem",
        "find-links": "/wheels /nowhere",
        "index-url": "https://install.example/simple",
        "trusted-host": "one.example\ntwo.example",
    }


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"index-url": "https://m.example/simple"}, {"UV_DEFAULT_INDEX": "https://m.example/simple"}),
        ({"extra-index-url": "https://a.example\nhttps://b.example"}, {"UV_INDEX": "https://a.example https://b.example"}),
        ({"trusted-host": "one.example\ntwo.example"}, {"UV_INSECURE_HOST": "one.example two.example"}),
        ({"client-cert": "/me.pem"}, {"SSL_CLIENT_CERT": "/me.pem"}),
        ({"default-timeout": "180"}, {"UV_HTTP_TIMEOUT": "180"}),
        ({"timeout": "60"}, {"UV_HTTP_TIMEOUT": "60"}),
        ({"retries": "9"}, {"UV_HTTP_RETRIES": "9"}),
        ({"find-links": "https://m.example/links /nowhere"}, {"UV_FIND_LINKS": "https://m.example/links"}),
        ({"proxy": "http://p.example:3128"}, {"HTTPS_PROXY": "http://p.example:3128", "https_proxy": "http://p.example:3128"}),
        ({"keyring-provider": "subprocess"}, {"UV_KEYRING_PROVIDER": "subprocess"}),
    ],
    ids=lambda told: next(iter(told)),
)
def test_what_pip_was_told_is_told_to_uv(told: dict[str, str], expected: dict[str, str]) -> None:
    assert expected.items() <= network.for_uv(told, {}).items()


@pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_what_uv_was_told_itself_stands(name: str) -> None:
    environ = network.for_uv({"index-url": "https://pips.example/simple"}, {name: "https://uvs.example/simple"})
    assert {environ.get("UV_DEFAULT_INDEX"), environ.get("UV_INDEX_URL")} == {"https://uvs.example/simple", None}


@pytest.mark.parametrize("name", ["cert", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_certificates_that_are_named_in_any_way_are_trusted_by_both(name: str, house: Path) -> None:
    told = {"cert": str(house)} if name == "cert" else {}
    environ = {} if told else {name: str(house)}
    assert network.for_pip(told, environ)["PIP_CERT"] == str(house)
    assert network.for_uv(told, environ)["SSL_CERT_FILE"] == str(house)


def test_a_folder_of_certificates_is_trusted_by_both(tmp_path: Path) -> None:
    told = {"cert": str(tmp_path)}
    assert network.for_pip(told, {})["PIP_CERT"] == str(tmp_path)
    assert network.for_uv(told, {})["SSL_CERT_DIR"] == str(tmp_path)


@pytest.mark.parametrize(
    ("names", "believed"),
    [
        (("SSL_CERT_FILE", "cert"), "cert"),
        (("cert", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), "CURL_CA_BUNDLE"),
        (("cert", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"), "REQUESTS_CA_BUNDLE"),
    ],
)
def test_certificates_are_believed_in_the_order_in_which_pip_does(names: tuple[str, ...], believed: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).touch()
    named = {name: str(tmp_path / name) for name in names}
    told = {"cert": named.pop("cert")}
    assert network.certificates(told, named) == tmp_path / believed


def test_the_systems_certificates_reach_both(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house.write_text("a certificate")
    monkeypatch.setattr(network, "SYSTEM_CERTIFICATES", ("/nowhere.pem", str(house)))
    assert network.for_pip({}, {})["PIP_CERT"] == str(house)
    assert network.for_uv({}, {})["SSL_CERT_FILE"] == str(house)


def test_without_any_certificates_each_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "SYSTEM_CERTIFICATES", ())
    assert "PIP_CERT" not in network.for_pip({}, {})
    assert "SSL_CERT_FILE" not in network.for_uv({}, {})


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_certificates_that_are_not_there_are_named(name: str) -> None:
    with pytest.raises(Advised, match=rf"^{name} says /nowhere\.pem, and no such file is there"):
        network.for_pip({}, {name: "/nowhere.pem"})


def test_where_the_libraries_go_is_no_setting(tmp_path: Path) -> None:
    strange = {"PIP_TARGET": "/opt", "PIP_USER": "1", "UV_SYSTEM_PYTHON": "1", "UV_PYTHON": "3.9", "HOME": str(tmp_path)}
    assert "PIP_TARGET" not in network.for_pip({}, strange)
    assert "PIP_USER" not in network.for_pip({}, strange)
    assert not {"UV_SYSTEM_PYTHON", "UV_PYTHON"} & set(network.for_uv({}, strange))


def test_a_bundle_is_asked_and_nobody_else(tmp_path: Path) -> None:
    told = network.bundled(tmp_path / "wheels, and more")
    assert network.options_of_uv(told) == ["--no-index"]
    assert network.for_pip(told, {"PIP_INDEX_URL": "https://m.example"})["PIP_NO_INDEX"] == "1"
    links = network.for_uv(told, {"UV_FIND_LINKS": "https://m.example"})["UV_FIND_LINKS"]
    assert links.startswith("file:///")
    assert "," not in links


def test_an_account_whose_home_cannot_be_written_does_without_a_cache(house: Path) -> None:
    assert network.for_uv({}, {"HOME": str(house)})["UV_NO_CACHE"] == "1"
