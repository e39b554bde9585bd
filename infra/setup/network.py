"""What pip was told about the network reaches uv as well: index, certificates, proxy.

uv reads none of pip's settings, and pip none of uv's: behind a proxy that inspects TLS, or with a mirror,
one of them works and the other does not. pip is asked what holds for it (its files and ``PIP_…`` variables,
merged by itself), and both are then told the same. A setting that uv was given by its own name stands.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping
from pathlib import Path

from told import Advised

# What says how a file is fetched. Where it is put, or which versions are taken, is not the network's: such settings are left out.
FETCHING = (
    "index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "cert", "client-cert", "proxy",
    "timeout", "default-timeout", "retries", "keyring-provider", "cache-dir", "no-cache-dir",
)  # fmt: skip
# What would have uv put the libraries elsewhere, or take others than the locks name.
MISPLACING = (
    "UV_SYSTEM_PYTHON", "UV_PYTHON", "UV_PROJECT_ENVIRONMENT", "UV_CONSTRAINT", "UV_OVERRIDE", "UV_EXCLUDE", "UV_EXCLUDE_NEWER",
    "UV_NO_VERIFY_HASHES", "UV_NO_EDITABLE", "UV_WORKING_DIR", "UV_PROJECT", "VIRTUAL_ENV",
)  # fmt: skip
# pip's word, uv's word for it, and the other words by which uv may have been told already.
SAME_IN_UV = (
    ("index-url", "UV_DEFAULT_INDEX", ("UV_INDEX_URL",)),
    ("extra-index-url", "UV_INDEX", ("UV_EXTRA_INDEX_URL",)),
    ("trusted-host", "UV_INSECURE_HOST", ()),
    ("client-cert", "SSL_CLIENT_CERT", ()),
    ("default-timeout", "UV_HTTP_TIMEOUT", ()),
    ("timeout", "UV_HTTP_TIMEOUT", ()),
    ("retries", "UV_HTTP_RETRIES", ()),
)
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
# By falling rank, as pip itself has it: its HTTP client believes the first two over pip's own setting.
OVER_PIPS_OWN = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
BELOW_PIPS_OWN = ("SSL_CERT_FILE",)
# Where systems keep the certificates that an administrator added to: Debian and Ubuntu, Fedora and Red Hat, SUSE, Alpine.
SYSTEM_CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def told_to_pip(listing: str) -> dict[str, str]:
    """Return what ``pip config list`` says holds for an install: its section over the global one, variables over both."""
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in sections and key in FETCHING:
            sections[section][key] = str(ast.literal_eval(value))
    merged = sections["global"] | sections["install"] | sections[":env:"]
    return {key: value for key, value in merged.items() if value.strip()}


def bundled(wheels: Path) -> dict[str, str]:
    """Return what fetches from a folder alone. An address, since pip and uv split paths at spaces and commas."""
    return {"no-index": "1", "find-links": wheels.as_uri()}


def certificates(told: Mapping[str, str], environ: Mapping[str, str]) -> Path | None:
    """Return the certificates that both are to trust: those named, else the system's; none where there are none.

    Raises Advised where those that are named are not there: pip and uv would each say something else.
    """
    named = [(name, environ.get(name)) for name in OVER_PIPS_OWN]
    named.append(("pip's setting cert", told.get("cert")))
    named += [(name, environ.get(name)) for name in BELOW_PIPS_OWN]
    for name, value in named:
        if value:
            if not Path(value).exists():
                raise Advised(f"{name} says {value}, and no such file is there: name the file that holds your certificates.")
            return Path(value)
    return next((path for place in SYSTEM_CERTIFICATES if (path := Path(place)).is_file() and path.stat().st_size), None)


def for_pip(told: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that pip is to run with: how to fetch, and nothing of where to put it."""
    kept = {name: value for name, value in environ.items() if not name.startswith("PIP_")}
    given = {f"PIP_{key.upper().replace('-', '_')}": value for key, value in told.items()}
    trusted = certificates(told, environ)
    if trusted:
        given["PIP_CERT"] = str(trusted)
    return kept | given | {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def for_uv(told: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that uv is to run with: its own, and pip's where it was told nothing itself."""
    kept = {name: value for name, value in environ.items() if name not in MISPLACING}
    for key, name, others in SAME_IN_UV:
        if key in told and not any(environ.get(known) for known in (name, *others)):
            kept[name] = " ".join(told[key].split())
    if told.get("proxy"):  # pip's own word counts more than the variables, for pip
        kept |= {name: told["proxy"] for proxy in PROXIES for name in (proxy, proxy.lower())}
    trusted = certificates(told, environ)
    if trusted:
        kept["SSL_CERT_DIR" if trusted.is_dir() else "SSL_CERT_FILE"] = str(trusted)
        if trusted.is_dir():
            kept.pop("SSL_CERT_FILE", None)
    if told.get("keyring-provider") == "subprocess":
        kept.setdefault("UV_KEYRING_PROVIDER", "subprocess")
    # Every file is checked by its hash: whichever index has it may give it, as with pip.
    kept.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return kept | _links(told, environ) | _cache(environ)


def options_of_uv(told: Mapping[str, str]) -> list[str]:
    """Return what uv takes by options alone."""
    return ["--no-index"] if told.get("no-index", "").lower() in {"1", "true", "yes", "on"} else []


def _links(told: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the folders and pages to look in. uv stops at one that is not there, where pip goes on."""
    if environ.get("UV_FIND_LINKS") and "no-index" not in told:
        return {}
    links = [link for link in told.get("find-links", "").split() if "://" in link or Path(link).exists()]
    return {"UV_FIND_LINKS": ",".join(links)} if links else {}


def _cache(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what makes uv do without a cache, for an account whose home cannot be written."""
    if environ.get("UV_CACHE_DIR") or environ.get("UV_NO_CACHE"):
        return {}
    place = Path(environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or Path.home()) / ".cache") / "uv"
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return {"UV_NO_CACHE": "1"}
    return {} if os.access(place, os.W_OK | os.X_OK) else {"UV_NO_CACHE": "1"}
