"""What an agency's records system imports.

.. code-block:: python

    from comity.client import Booking, Charge, Publisher, SigningKey

    with Publisher("https://exchange.example", session_token, SigningKey.load(path), Ori("WI0130000")) as publisher:
        receipt = publisher.publish(booking)
"""

from comity.client.publisher import Issued, Publisher, Receipt
from comity.domain.entries import RecordClass
from comity.domain.ids import Ori
from comity.wire.booking import Booking, Charge
from comity.wire.signing import SigningKey

__all__ = ["Booking", "Charge", "Issued", "Ori", "Publisher", "Receipt", "RecordClass", "SigningKey"]
