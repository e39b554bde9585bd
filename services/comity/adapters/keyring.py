"""Signing keys in a folder, one 0600 file per party: for the embedded exchange, and for parties whose desk is here."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm

from comity.domain.ids import PARTY_FORM
from comity.errors import Halted, NotFound
from comity.wire.signing import SigningKey

PUBLIC = ".pub"  # beside each private key that was made here: no secret, and a memory that it was
_PARTY = re.compile(PARTY_FORM)


class FolderKeyring:
    """Private keys by party."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder

    def signer(self, party: str) -> SigningKey:
        """Return this party's signing key. Raises NotFound where it is not held here, Halted where its file is no use."""
        path = self._path(party)
        if not path.exists():
            raise NotFound(f"The signing key of {party:.40} is not held here.", advice="Its own system signs; send the event.")
        return _load(path)

    def issue(self, party: str) -> SigningKey:
        """Return this party's signing key, made now if there is none. Raises Halted where its file is no use."""
        path = self._path(party)
        if not path.exists():
            key = SigningKey.generate()
            try:
                key.save(path)
            except FileExistsError:  # another process was first
                key = _load(path)
            path.with_suffix(PUBLIC).write_bytes(key.public_bytes)
            return key
        return _load(path)

    def has(self, party: str) -> bool:
        """Say whether a key of this party is held here, or was and is lost. Raises NotFound for no party's id."""
        path = self._path(party)
        return path.exists() or path.with_suffix(PUBLIC).exists()

    def forget(self, party: str) -> None:
        """Remove a key that was made just now and admitted nowhere; its memory first, so that nothing calls it lost."""
        path = self._path(party)
        path.with_suffix(PUBLIC).unlink(missing_ok=True)
        path.unlink(missing_ok=True)

    def lost(self) -> tuple[str, ...]:
        """Return the parties whose keys were made here and are gone, no use, or others now: their public halves say so."""
        parties = []
        for path in sorted(self._folder.glob(f"*{PUBLIC}")):
            with suppress(Halted):
                private = path.with_suffix(".pem")
                if private.exists() and _load(private).public_bytes == path.read_bytes():
                    continue
            parties.append(path.stem)
        return tuple(parties)

    def _path(self, party: str) -> Path:
        if not _PARTY.fullmatch(party):
            raise NotFound("There is no such party.")
        return self._folder / f"{party}.pem"


def _load(path: Path) -> SigningKey:
    """Read a key. Raises Halted where it cannot be used: whoever signs with it is told, and the path is not."""
    try:
        return SigningKey.load(path)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        raise Halted(
            f"The signing key keys/{path.name} is no key, or others than its owner may read it.",
            advice="Put it back from its copy, with chmod 600. If others could read it, consider it stolen: comity key revoke.",
        ) from None
