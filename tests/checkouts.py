"""Small checkouts that are set up for real: the house's own Makefile, real pip and uv, and libraries of a few bytes.

The wheels come from a folder, or from a mirror on this machine behind TLS of its own making: nothing is fetched from elsewhere.
"""

from __future__ import annotations

import base64
import datetime as dt
import functools
import hashlib
import http.server
import importlib.metadata
import ipaddress
import os
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ROOT = Path(__file__).parents[1]
MAKE_SECONDS_MAX = 120.0  # 8 s
MIRROR = "mirror.test"  # a name that no resolver knows: whoever reaches it went by the proxy
BYTES_MAX = 65_536  # of a piece that the proxy passes on
PROJECT = """\
[build-system]
requires = ["uv_build"]
build-backend = "uv_build"
[project]
name = "comity"
version = "0.1.0"
requires-python = ">=3.11"
[project.scripts]
comity = "comity:main"
[tool.uv.build-backend]
module-root = "services"
"""
PROGRAM = "def main() -> None:\n    import pebble\n    print('at work with', pebble.__name__)\n"
# What a person's own settings might say: none of it may reach a checkout that is tried.
STRANGE = ("PIP_", "UV_", "SSL_", "REQUESTS_", "CURL_", "VIRTUAL_ENV", "PYTHON", "MAKE", "COMITY_", "CI")


def wheel(folder: Path, name: str, files: Mapping[str, bytes], *, version: str = "1.0", tag: str = "py3-none-any") -> Path:
    """Write a wheel of these files, with what a wheel needs."""
    path = folder / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    told = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    with zipfile.ZipFile(path, "w") as archive:
        rows = []
        for inside, content in {**files, **told}.items():
            entry = zipfile.ZipInfo(inside)
            entry.external_attr = (stat.S_IFREG | 0o755) << 16  # programs are among them
            archive.writestr(entry, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            rows.append(f"{inside},sha256={digest},{len(content)}\n")
        archive.writestr(f"{info}/RECORD", "".join([*rows, f"{info}/RECORD,,\n"]))
    return path


def packed_again(folder: Path, name: str) -> Path:
    """Return a wheel made of a distribution that is installed here: uv and its build backend, which are programs."""
    distribution = importlib.metadata.distribution(name)
    files = {}
    for path in distribution.files or []:
        if path.parts[0] == "..":
            files[f"{name}-{distribution.version}.data/scripts/{path.name}"] = path.read_binary()
        elif not path.parts[0].endswith(".dist-info") and path.suffix != ".pyc":
            files[str(path)] = path.read_binary()
    return wheel(folder, name, files, version=distribution.version)


def wheels(folder: Path) -> Path:
    """Fill a folder with all that a small checkout is made of."""
    folder.mkdir()
    packed_again(folder, "uv")
    packed_again(folder, "uv_build")
    wheel(folder, "pebble", {"pebble.py": b""})
    wheel(folder, "flint", {"flint.py": b""})
    return folder


def locked(folder: Path, *names: str) -> str:
    """Return what a lock says of wheels in a folder."""
    lines = []
    for name in names:
        (path,) = folder.glob(f"{name}-*.whl")
        version = path.name.split("-")[1]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        lines.append(f"{name.replace('_', '-')}=={version} --hash=sha256:{digest}\n")
    return "".join(lines)


def tool(name: str) -> str:
    """Return where a program of the system's is."""
    return shutil.which(name) or name


@dataclass(frozen=True)
class Checkout:
    """A small checkout, and the settings of whoever runs make in it."""

    root: Path
    person: Path  # the person's home, with a Python of theirs first on the path
    settings: Mapping[str, str]

    @property
    def mark(self) -> Path:
        return self.root / ".venv" / ".comity"

    def environ(self) -> dict[str, str]:
        """Return this person's variables."""
        plain = {
            name: value for name, value in os.environ.items() if not name.startswith(STRANGE) and "proxy" not in name.lower()
        }
        path = f"{self.person / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return {**plain, "HOME": str(self.person), "PATH": path, **self.settings}

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start make, leader of a group of its own, so that it can be killed with its children."""
        return subprocess.Popen(
            [tool("make"), *words],
            cwd=self.root,
            env=self.environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def make(self, *words: str) -> tuple[int, str]:
        """Run make, and return its exit code and what it said."""
        made = self.start(*words)
        said, _ = made.communicate(timeout=MAKE_SECONDS_MAX)
        return made.returncode, said

    def works(self) -> bool:
        """Say whether the installed program runs."""
        program = self.root / ".venv" / "bin" / "comity"
        done = subprocess.run([program], env=self.environ(), capture_output=True, text=True, check=False)
        return done.stdout == "at work with pebble\n"


def checkout(root: Path, folder: Path, settings: Mapping[str, str]) -> Checkout:
    """Lay a small checkout, whose locks name the wheels of a folder."""
    person = root.parent / f"person-of-{root.name}"
    (person / "bin").mkdir(parents=True)
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    (person / "bin" / "python3").symlink_to(base)
    root.mkdir()
    shutil.copy(ROOT / "Makefile", root)
    shutil.copytree(ROOT / "infra" / "setup", root / "infra" / "setup", ignore=shutil.ignore_patterns("__pycache__"))
    locks = {"uv": ("uv",), "build": ("uv_build",), "runtime": ("pebble",), "dev": ("pebble",)}
    (root / "infra" / "locks").mkdir()
    for name, held in locks.items():
        (root / "infra" / "locks" / f"{name}.txt").write_text(locked(folder, *held))
    (root / "infra" / "kafka").mkdir()
    (root / "infra" / "kafka" / "jars.lock").write_text("")
    (root / "pyproject.toml").write_text(PROJECT)
    (root / "services" / "comity").mkdir(parents=True)
    (root / "services" / "comity" / "__init__.py").write_text(PROGRAM)
    return Checkout(root, person, settings)


def from_folder(folder: Path) -> dict[str, str]:
    """Return the settings of somebody who has the wheels in a folder."""
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a house's own authority, and the mirror's certificate with its key; return where they lie."""
    authority, above = signed("a house's own authority", None)
    server, key = signed(MIRROR, above)
    public, whole = folder / "authority.pem", folder / "mirror.pem"
    public.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    whole.write_bytes(server.public_bytes(serialization.Encoding.PEM) + private)
    return public, whole


def signed(name: str, by: ec.EllipticCurvePrivateKey | None) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Make a certificate and its key: an authority's by itself, the mirror's by that authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = "a house's own authority"
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(MIRROR), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    )
    return builder.sign(by or key, hashes.SHA256()), key


class Server(http.server.ThreadingHTTPServer):
    """A server whose callers may hang up: some do, on a certificate that they do not trust."""

    def handle_error(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """Serve a folder's files; yields the port."""
    with Server(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@contextmanager
def mirror(folder: Path, whole: Path) -> Iterator[int]:
    """Serve a folder of wheels as an index, behind TLS; yields the port."""
    for path in folder.glob("*.whl"):
        page = folder / "simple" / path.name.split("-")[0].replace("_", "-") / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f'<a href="/{path.name}">{path.name}</a>')
    handler = functools.partial(Quiet, directory=str(folder))
    with Server(("127.0.0.1", 0), handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(whole)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, and says nothing of it."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def proxy(port: int) -> Iterator[tuple[int, list[str]]]:
    """Serve as a house's proxy, which knows the mirror alone; yields its port, and whom it was asked for."""
    asked: list[str] = []

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            asked.append(self.path)
            if self.path != f"{MIRROR}:443":
                self.send_error(403)
                return
            self.send_response(200)
            self.end_headers()
            with socket.create_connection(("127.0.0.1", port)) as far:
                back = threading.Thread(target=pass_on, args=(far, self.connection), daemon=True)
                back.start()
                pass_on(self.connection, far)
                back.join()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with Server(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], asked
        server.shutdown()


def pass_on(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes until it ends."""
    with suppress(OSError):
        while piece := source.recv(BYTES_MAX):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
