"""The jars of Apache Kafka: fetched once from Maven Central or a mirror of it, each checked against ``jars.lock``.

``jars.lock`` beside this file is a copy of ``infra/kafka/jars.lock``, so that an installed wheel works alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import ssl
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

from comity.errors import Halted, Unavailable

Progress = Callable[[int, int, str], None]  # done, of how many, which

NAMED_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # what its HTTP client believes by itself
FETCH_SECONDS_MAX = 60  # for one jar; the largest has 8 MB


def cache_folder() -> Path:
    """Return where downloads are kept: ``COMITY_CACHE``, else ``~/.cache/comity``; ours is the folder ``kafka`` in it."""
    return Path(os.environ.get("COMITY_CACHE") or Path.home() / ".cache" / "comity") / "kafka"


def classpath(cache: Path, progress: Progress = lambda _done, _total, _name: None) -> str:
    """Return the class path of a broker, fetching what is missing (44 MB, about 4 s).

    Raises Unavailable where a jar cannot be fetched or the extra is not installed, Halted where one is not what the lock names.
    """
    lines = files("comity.adapters").joinpath("jars.lock").read_text(encoding="utf-8").splitlines()
    paths = []
    with _alone(cache):
        for number, line in enumerate(lines, 1):
            coordinate, digest = line.split()
            paths.append(str(_jar(cache / "m2", coordinate, digest)))
            progress(number, len(lines), coordinate)
    return os.pathsep.join(paths)


def _jar(repository: Path, coordinate: str, digest: str) -> Path:
    """Return the checked jar. Each coordinate alone: resolving them together mixes versions."""
    group, artifact, version = coordinate.split(":")
    path = repository / Path(*group.split(".")) / artifact / version / f"{artifact}-{version}.jar"
    if _is(path, digest):
        return path
    path.unlink(missing_ok=True)  # what an interrupted fetch left
    _fetch(repository, group, artifact, version)
    if not _is(path, digest):
        path.unlink(missing_ok=True)
        raise Halted(f"{coordinate} is not the jar that jars.lock names", advice="It was deleted. Look at where it came from.")
    return path


def _is(path: Path, digest: str) -> bool:
    return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == digest


def _fetch(repository: Path, group: str, artifact: str, version: str) -> None:
    try:
        from jgo.maven import MavenContext  # noqa: PLC0415  # an extra: only who starts a broker has it
    except ImportError as error:
        raise Unavailable("no local Kafka is installed", advice="pip install 'comity[local-kafka]'") from error
    mirror = os.environ.get("COMITY_MAVEN")
    context = MavenContext(
        repo_cache=repository,
        remote_repos={"mirror": mirror} if mirror else None,  # nobody else is asked then
        timeout=FETCH_SECONDS_MAX,
    )
    try:
        with _trusting_the_system():
            context.project(group, artifact).at_version(version).artifact().resolve()
    except Exception as error:  # whatever its HTTP client raises
        advice = (
            "Look at the network or proxy, name a mirror (COMITY_MAVEN), or copy the cache of another machine (COMITY_CACHE)."
        )
        raise Unavailable(f"{artifact}-{version}.jar could not be fetched", advice=advice) from error


@contextlib.contextmanager
def _trusting_the_system() -> Iterator[None]:
    """Have the fetching trust what the machine trusts: jgo's HTTP client reads variables alone, and knows no house's own CA."""
    paths = ssl.get_default_verify_paths()
    system = paths.cafile or paths.capath
    named = any(os.environ.get(name) for name in NAMED_CERTIFICATES)
    if named or not system or (Path(system).is_dir() and not any(Path(system).iterdir())):
        yield
        return
    os.environ["REQUESTS_CA_BUNDLE"] = system
    try:
        yield
    finally:
        os.environ.pop("REQUESTS_CA_BUNDLE", None)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time fill the cache."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
