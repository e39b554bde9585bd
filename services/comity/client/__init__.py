"""What an agency's records system imports.

.. code-block:: python

    from comity.client import Booking, Charge, MachineKey, Ori, Publisher, SigningKey

    machine = MachineKey("m-0123456789ab", "x-0123456789ab0123456789ab", SigningKey.load(machine_path))
    with Publisher("https://exchange.example", machine, SigningKey.load(path), Ori("WI0130000")) as publisher:
        receipt = publisher.publish(booking)

``machine`` is what `comity machine add` answered, and the key that it registered; a session's token may stand there instead.
"""

from comity.client.machine import MachineKey
from comity.client.publisher import Issued, Publisher, Receipt
from comity.domain.entries import RecordClass
from comity.domain.ids import Ori
from comity.wire.booking import Booking, Charge
from comity.wire.signing import SigningKey

__all__ = ["Booking", "Charge", "Issued", "MachineKey", "Ori", "Publisher", "Receipt", "RecordClass", "SigningKey"]
