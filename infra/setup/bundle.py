"""One folder for a machine without a network: the checkout, every wheel that the locks name, and Kafka's jars.

The order of a making: everything is gathered in a folder beside its place, which is renamed into it at the end.
A crash leaves that folder, and the next ``make bundle`` goes on with it: what the locks do not name goes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import network
from environment import NETWORK_ADVICE, Environment, remove, run
from told import Advised, say

# What a checkout without git is not to carry along: what tools make, and what nobody gives away.
LEFT_OUT = (
    ".venv", "build", "bundle", ".git", "comity-home", "__pycache__", ".*_cache", ".hypothesis",
    ".env", "*.key", "*.db*",
)  # fmt: skip
JARS = Path("infra/kafka/jars.lock")
FETCH_JARS = "from comity.adapters.kafka_jars import cache_folder, classpath; classpath(cache_folder())"


def make(environment: Environment, folder: Path) -> None:
    """Make the bundle for the Python and the machine that this runs on, or add them to one that is there."""
    part = folder.with_name(f"{folder.name}.part")
    if folder.exists() and not part.exists():
        folder.rename(part)
    (part / "bundle" / "wheels").mkdir(parents=True, exist_ok=True)
    gather_wheels(environment, part / "bundle" / "wheels")
    gather_jars(environment, part / "bundle")
    copy_checkout(environment.root, part)
    note_python(environment.speak()[0], part / "bundle" / "made.json")
    if folder.exists():
        remove(folder)
    part.rename(folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    say(f"{folder} holds {size / 1e6:.0f} MB: carry it to the other machine, and run make setup in it")


def gather_wheels(environment: Environment, wheels: Path) -> None:
    """Fetch what the locks name; what they no longer name goes."""
    say("gathering wheels (a minute or two)")
    locks = sorted((environment.root / "infra" / "locks").glob("*.txt"))
    known = "\n".join(lock.read_text(encoding="utf-8") for lock in locks)
    for path in wheels.iterdir():
        if f"sha256:{digest(path)}" not in known:
            path.unlink()
    told = environment.told()
    words = ["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--dest", str(wheels)]
    files = [f"--requirement={lock}" for lock in locks]
    try:
        run([environment.python, "-I", "-m", "pip", *words, *files], network.for_pip(told, os.environ))
    except subprocess.CalledProcessError as error:
        raise Advised(f"The wheels could not be fetched: {NETWORK_ADVICE}") from error


def gather_jars(environment: Environment, bundle: Path) -> None:
    """Take Kafka's jars out of the cache, and have comity fetch what is missing there; comity checks each."""
    say("gathering Kafka's jars")
    copy_jars(environment.root / JARS, cache() / "kafka", bundle / "kafka")
    if list(missing(environment.root / JARS, bundle / "kafka")):
        try:
            run([environment.python, "-I", "-c", FETCH_JARS], {**os.environ, "COMITY_CACHE": str(bundle)})
        except subprocess.CalledProcessError as error:
            raise Advised(f"Kafka's jars could not be fetched: {NETWORK_ADVICE}") from error


def unpack_jars(environment: Environment) -> None:
    """Put a bundle's jars where comity looks for them; nothing to do without a bundle."""
    if (environment.bundle / "kafka").is_dir():
        copy_jars(environment.root / JARS, environment.bundle / "kafka", cache() / "kafka")


def copy_jars(lock: Path, source: Path, target: Path) -> None:
    """Copy the jars that the target lacks and the source has whole."""
    for path, wanted in missing(lock, target):
        if (source / path).is_file() and digest(source / path) == wanted:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            beside = target / path.parent / f"{path.name}.part"
            shutil.copyfile(source / path, beside)
            beside.replace(target / path)


def missing(lock: Path, folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the jars that a folder lacks, each with its digest."""
    for line in lock.read_text(encoding="utf-8").splitlines():
        coordinate, wanted = line.split()
        group, artifact, version = coordinate.split(":")
        path = Path("m2", *group.split("."), artifact, version, f"{artifact}-{version}.jar")
        if not (folder / path).is_file():
            yield path, wanted


def cache() -> Path:
    """Return comity's cache, as comity itself finds it."""
    return Path(os.environ.get("COMITY_CACHE") or Path.home() / ".cache" / "comity")


def copy_checkout(root: Path, folder: Path) -> None:
    """Copy what git knows of the checkout as it stands, or what is not left out where there is no git."""
    for path in folder.iterdir():
        if path.name != "bundle":
            remove(path)
    names = known_to_git(root)
    if not names:
        ignored = shutil.ignore_patterns(*LEFT_OUT, folder.name)
        shutil.copytree(root, folder, ignore=ignored, dirs_exist_ok=True)
    for name in names:
        if (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)


def known_to_git(root: Path) -> list[str]:
    """Return the files that git keeps of this folder; none where it keeps nothing of it, or is not there."""
    try:
        listed = run(["git", "-C", root, "ls-files", "-z"], os.environ, listen=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [name for name in listed.split("\0") if name]


def note_python(tag: str, made: Path) -> None:
    """Note for which Pythons the bundle's wheels are: setting up with another one says so."""
    before = json.loads(made.read_text(encoding="utf-8"))["pythons"] if made.exists() else []
    made.write_text(json.dumps({"pythons": sorted({*before, tag})}), encoding="utf-8")


def digest(path: Path) -> str:
    """Return a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
