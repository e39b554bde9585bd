"""The jars that make a broker."""

import hashlib
import os
from pathlib import Path

import pytest

import checkouts
from comity.adapters import kafka_jars
from comity.adapters.local_kafka import LocalKafka
from comity.errors import Halted, Unavailable

ROOT = Path(__file__).parents[2]


def test_the_wheel_carries_the_same_lock() -> None:
    """To change it: edit infra/kafka/jars.lock and copy it beside kafka_jars.py."""
    assert Path(kafka_jars.__file__).with_name("jars.lock").read_bytes() == (ROOT / "infra/kafka/jars.lock").read_bytes()


def test_a_jar_that_is_not_the_locks_is_deleted_and_stops_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = tmp_path / "org/example/thing/1.0/thing-1.0.jar"
    jar.parent.mkdir(parents=True)
    jar.write_bytes(b"not it")
    monkeypatch.setattr(kafka_jars, "_fetch", lambda *_: jar.write_bytes(b"not it either"))
    with pytest.raises(Halted, match=r"org\.example:thing:1\.0"):
        kafka_jars._jar(tmp_path, "org.example:thing:1.0", "00" * 32)
    assert not jar.exists()


def test_a_mirror_is_asked_and_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = tmp_path / "mirror/org/example/thing/1.0/thing-1.0.jar"
    jar.parent.mkdir(parents=True)
    jar.write_bytes(b"a jar")
    with checkouts.served(tmp_path / "mirror") as port:
        monkeypatch.setenv("COMITY_MAVEN", f"http://127.0.0.1:{port}")
        digest = hashlib.sha256(b"a jar").hexdigest()
        assert kafka_jars._jar(tmp_path / "m2", "org.example:thing:1.0", digest).read_bytes() == b"a jar"
        with pytest.raises(Unavailable, match=r"other-1\.0\.jar could not be fetched"):
            kafka_jars._jar(tmp_path / "m2", "org.example:other:1.0", digest)


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_mirror_that_the_machine_trusts_is_trusted(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = tmp_path / "mirror/org/example/thing/1.0/thing-1.0.jar"
    jar.parent.mkdir(parents=True)
    jar.write_bytes(b"a jar")
    authority, whole = checkouts.certificate(tmp_path)
    for other in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, str(authority))
    before = dict(os.environ)
    with checkouts.mirror(tmp_path / "mirror", whole) as port:
        monkeypatch.setenv("COMITY_MAVEN", f"https://127.0.0.1:{port}")
        digest = hashlib.sha256(b"a jar").hexdigest()
        assert kafka_jars._jar(tmp_path / "m2", "org.example:thing:1.0", digest).read_bytes() == b"a jar"
    assert {**before, "COMITY_MAVEN": f"https://127.0.0.1:{port}"} == os.environ, "nothing stays set"


def test_the_cache_can_be_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMITY_CACHE", "/elsewhere")
    assert kafka_jars.cache_folder() == Path("/elsewhere/kafka")


def test_a_folder_of_another_size_is_refused(tmp_path: Path) -> None:
    assert len(LocalKafka(tmp_path).bootstrap) == 1
    assert LocalKafka(tmp_path).bootstrap == LocalKafka(tmp_path).bootstrap
    with pytest.raises(Unavailable, match="holds 1 brokers, not 3"):
        LocalKafka(tmp_path, brokers=3)
