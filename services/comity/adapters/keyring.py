"""Signing keys in a folder, one 0600 file per party: for the embedded exchange, and for parties whose desk is here."""

from __future__ import annotations

import re
from pathlib import Path

from comity.domain.ids import PARTY_FORM
from comity.errors import NotFound
from comity.wire.signing import SigningKey

PUBLIC = ".pub"  # beside each private key that was made here: no secret, and a memory that it was
_PARTY = re.compile(PARTY_FORM)


class FolderKeyring:
    """Private keys by party."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder

    def signer(self, party: str) -> SigningKey:
        """Return this party's signing key. Raises NotFound where it is not held here."""
        path = self._path(party)
        if not path.exists():
            raise NotFound(f"The signing key of {party:.40} is not held here.", advice="Its own system signs; send the event.")
        return SigningKey.load(path)

    def issue(self, party: str) -> SigningKey:
        """Return this party's signing key, made now if there is none."""
        path = self._path(party)
        if not path.exists():
            key = SigningKey.generate()
            try:
                key.save(path)
            except FileExistsError:  # another process was first
                key = SigningKey.load(path)
            path.with_suffix(PUBLIC).write_bytes(key.public_bytes)
            return key
        return SigningKey.load(path)

    def lost(self) -> tuple[str, ...]:
        """Return the parties whose keys were made here and are gone, or others now: their public halves say so."""
        parties = []
        for path in sorted(self._folder.glob(f"*{PUBLIC}")):
            private = path.with_suffix(".pem")
            if not private.exists() or SigningKey.load(private).public_bytes != path.read_bytes():
                parties.append(path.stem)
        return tuple(parties)

    def _path(self, party: str) -> Path:
        if not _PARTY.fullmatch(party):
            raise NotFound("There is no such party.")
        return self._folder / f"{party}.pem"
