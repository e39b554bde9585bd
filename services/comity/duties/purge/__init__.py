"""Destroys what an expungement covers, and certifies it (rule 9): ``RecordsExpunged`` alone leads here.

- ``follow.py`` follows the journal: it shreds the keys of everything that an order names, and of what is admitted after it.
- ``certify.py``, a thread of its own, destroys the rest, looks where the bytes lay, and enters a certificate.
- ``sweep.py`` looks through every file, once a day for all orders since the last time, and enters a second one.
- ``jobs.py`` keeps what is looked for, encrypted, from before the first byte goes until the second certificate stands.

**The order of writing**, for each part (at most 1,000 records) of each order, and what a crash leaves after each step:

1. A *job* is kept: which records, and pieces of their wrapped keys and templates. *Crash:* done again, and added to.
2. The keys of all orders that wait are shredded, under the gate that the encoder passes when it keeps something; then the
   templates in memory go. *Crash:* done again; the pieces are those that were kept.
3. The marks: how far the journal was carried out. *Crash:* done again.
4. Pieces of the ciphertexts are added to the job, durably, before any ciphertext goes. *Crash:* done again, and added to.
5. Templates leave the store's files, photographs the photo store, tombstones are appended and compaction pushed along.
6. The directed check, then ``ErasureCertified``. *Crash:* checked again for the same pieces, certified once more.
7. The sweep, its certificate; then the job's key is shredded and the job goes.

Each store keeps its own mark (vault, gallery, photographs, jobs): put an older copy back, and the journal is carried out again
from where that copy was.
"""

from __future__ import annotations

from comity.duties.purge.follow import NAME
from comity.duties.purge.parts import Purge, World

__all__ = ["NAME", "Purge", "World"]
