"""What the acts and duties need of the world; each port has one contract suite that all its adapters pass."""

from __future__ import annotations

from comity.ports.anchor import Anchor, Anchored
from comity.ports.gallery import (
    Block,
    Candidates,
    Edition,
    Extracted,
    Face,
    FaceEncoder,
    Hit,
    Marks,
    Near,
    Picture,
    StoredTemplate,
    TemplateStore,
    Vector,
)
from comity.ports.ledger import (
    REJECTIONS_MAX,
    Ledger,
    LedgerView,
    Posted,
    Progress,
    Refusals,
    RefusedEntry,
    Rejection,
    Rejections,
    Taken,
)
from comity.ports.log import EventLog, Positions, Reader, Watch
from comity.ports.people import Identity, Machine, Machines, Person
from comity.ports.pictures import Box, Drawing, Drawn
from comity.ports.requests import Claimed, Requests
from comity.ports.stores import ErasureMark, Keyring, KeyVault, PhotoStore

__all__ = [
    "REJECTIONS_MAX",
    "Anchor",
    "Anchored",
    "Block",
    "Box",
    "Candidates",
    "Claimed",
    "Drawing",
    "Drawn",
    "Edition",
    "ErasureMark",
    "EventLog",
    "Extracted",
    "Face",
    "FaceEncoder",
    "Hit",
    "Identity",
    "KeyVault",
    "Keyring",
    "Ledger",
    "LedgerView",
    "Machine",
    "Machines",
    "Marks",
    "Near",
    "Person",
    "PhotoStore",
    "Picture",
    "Positions",
    "Posted",
    "Progress",
    "Reader",
    "Refusals",
    "RefusedEntry",
    "Rejection",
    "Rejections",
    "Requests",
    "StoredTemplate",
    "Taken",
    "TemplateStore",
    "Vector",
    "Watch",
]
