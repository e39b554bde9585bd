"""A receipt and a certificate as documents: one shape for the download, the API and the commands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from comity.domain import entries as e
from comity.reads.orders import Ended, Order, Receipt, law


def of_order(order: Order, numbers: Mapping[str, str]) -> dict[str, Any]:
    """Return an order as it stands now; ``numbers``: as they were typed."""
    return {
        "party": order.name.party,
        "order_id": order.name.order_id,
        "kind": order.kind,
        "statute": order.statute,
        "law": law(order.statute),
        "mode": order.mode,
        "numbers": dict(numbers),
        "clerk": order.clerk,
        "position": order.position,
        "entered_at": _time(order.entered_at),
        "key": order.kid,
        "document": order.document.hex() or None,
        "state": order.state,
        "now": order.now(),
        "lapses_at": _time(order.lapses_at) if order.lapses_at else None,
        "due": order.due,
        "ended": _ended(order.ended) if order.ended else None,
        "notes": list(order.notes()),
    }


def of_receipt(receipt: Receipt, numbers: Mapping[str, str]) -> dict[str, Any]:
    """Return a whole receipt: the order, what it covers by itself, and its certificates."""
    return {
        **of_order(receipt.order, numbers),
        "sha256": receipt.sha256.hex(),
        "covers": dict(receipt.covers.named),
        "covers_kin": dict(receipt.covers.kin),
        "covered": receipt.covered(numbers),
        "hidden_with_it": receipt.hidden_with_it(),
        "erasure": receipt.erasure or None,
        "certificates": [of_certificate(one) for one in receipt.certificates],
    }


def of_certificate(certificate: e.ErasureCertified) -> dict[str, Any]:
    """Return a certificate of erasure, whole."""
    return {
        "certificate_id": certificate.certificate_id,
        "party": certificate.order.party,
        "order_id": certificate.order.order_id,
        "part": certificate.part,
        "scope": certificate.scope,
        "records": list(certificate.records),
        "keys_shredded": certificate.keys_shredded,
        "templates_erased": certificate.templates_erased,
        "sought": {one.kind: one.count for one in certificate.sought},
        "files_scanned": certificate.files_scanned,
        "bytes_scanned": certificate.bytes_scanned,
        "found": certificate.found,
        "not_scanned": list(certificate.not_scanned),
        "checked_at": _time(certificate.checked_at),
    }


def _ended(ended: Ended) -> dict[str, Any]:
    return {
        "how": ended.how,
        "at": _time(ended.at),
        "by": ended.by.party if ended.by else None,
        "lift_id": ended.by.order_id if ended.by else None,
        "authority": ended.authority,
        "clerk": ended.clerk,
        "position": ended.position,
    }


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
