"""Who may speak with a broker that was started here: whoever can read the secret in its folder, which its owner alone can.

Clients prove the password without sending it, and the broker proves in return that it knows it (SCRAM): whoever takes a
stopped broker's port learns nothing. Controllers, for which Kafka has no SCRAM, send each other another one (PLAIN).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from comity.adapters import private_files
from comity.errors import Unavailable

USER = "comity"
MECHANISM = "SCRAM-SHA-256"
SECRET_BYTES = 32
_LOGIN = "org.apache.kafka.common.security"
_BROKER = """\
listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
listener.name.client.sasl.enabled.mechanisms={mechanism}
listener.name.client.scram-sha-256.sasl.jaas.config={client}
sasl.mechanism.inter.broker.protocol={mechanism}
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config={controller}
sasl.mechanism.controller.protocol=PLAIN
"""


class KafkaAccess:
    """The passwords of the brokers in one folder, which it closes to every other account.

    Raises Unavailable where a broker was ``formatted`` with a secret that is not there, or the folder cannot be closed.
    """

    def __init__(self, folder: Path, *, formatted: bool) -> None:
        self._folder = folder
        self._secret = _secret(folder / "secret", formatted=formatted)
        # It warns at every connection that credentials are exchanged in the clear: with SCRAM none are.
        logging.getLogger("kafka.net.sasl.scram").setLevel(logging.ERROR)

    @property
    def client(self) -> Mapping[str, Any]:
        """Return kafka-python's settings for a client."""
        return {
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": MECHANISM,
            "sasl_plain_username": USER,
            "sasl_plain_password": self._password("client"),
        }

    @property
    def tools(self) -> Path:
        """Return the file that Kafka's own tools take by ``--command-config``."""
        return self._folder / "client.properties"

    @property
    def arguments(self) -> Path:
        """Return the file of arguments that ``format`` takes: on the command line every account could read them."""
        return self._folder / "format.arguments"

    def broker(self) -> str:
        """Return a broker's settings."""
        client = self._client_login()
        other = self._password("controller")
        controller = f'{_LOGIN}.plain.PlainLoginModule required username="{USER}" password="{other}" user_{USER}="{other}";'
        return _BROKER.format(mechanism=MECHANISM, client=client, controller=controller)

    def write(self) -> None:
        """Write what Kafka's tools read."""
        said = f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism={MECHANISM}\nsasl.jaas.config={self._client_login()}\n"
        private_files.write(self.tools, said)
        private_files.write(self.arguments, f"--add-scram\n{MECHANISM}=[name={USER},password={self._password('client')}]\n")

    def _client_login(self) -> str:
        password = self._password("client")
        return f'{_LOGIN}.scram.ScramLoginModule required username="{USER}" password="{password}";'

    def _password(self, whose: str) -> str:
        return hmac.new(self._secret, whose.encode(), hashlib.sha256).hexdigest()


def _secret(path: Path, *, formatted: bool) -> bytes:
    if not path.exists():
        if formatted:
            raise Unavailable(
                f"The broker's folder {path.parent} holds no `{path.name}`, by which its clients are known.",
                advice="Put that file back from a copy. A folder of before brokers asked for one needs the comity that made it.",
            )
        private_files.write(path, secrets.token_hex(SECRET_BYTES))
    return path.read_bytes()
