"""Stripe's messages: proved to be Stripe's, and read as far as the desk needs them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import stripe
from django.utils.translation import gettext as _

from billing.gateways import Notice, NoticeKind, NotSigned, fit
from billing.gateways.stripe.reading import key_of

TOLERANCE = 300
"""Seconds for which a signature holds: whoever overheard a message cannot send it again later."""
KINDS = (
    ("payment_intent.", NoticeKind.CHARGE),
    ("charge.dispute.", NoticeKind.DISPUTE),
    ("charge.refund", NoticeKind.REFUND),
    ("refund.", NoticeKind.REFUND),
)
KIND_OF_PAGE = {"payment": NoticeKind.CHARGE, "setup": NoticeKind.CARD}
LONGEST = 255


def notice(body: bytes, headers: Mapping[str, str], secret: str) -> Notice:
    """What the message is about. Raises NotSigned, and nothing else, whatever came."""
    signature = next((value for name, value in headers.items() if name.lower() == "stripe-signature"), "")
    try:
        stripe.WebhookSignature.verify_header(body, signature, secret, TOLERANCE)
        event = json.loads(body)
    except stripe.SignatureVerificationError:
        raise NotSigned(_("The message does not carry Stripe's signature.")) from None
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise NotSigned(_("The message cannot be read.")) from None
    about = _object_of(event)
    if about is None or not _text(event, "id"):
        raise NotSigned(_("The message is no event of Stripe."))
    return _notice(event, about)


def _object_of(event: Any) -> dict[str, Any] | None:
    data = event.get("data") if isinstance(event, dict) else None
    about = data.get("object") if isinstance(data, dict) else None
    return about if isinstance(about, dict) else None


def _notice(event: dict[str, Any], about: dict[str, Any]) -> Notice:
    type_ = _text(event, "type")
    ref, page_ref = _text(about, "id"), ""
    if type_.startswith("checkout.session."):
        kind = KIND_OF_PAGE.get(_text(about, "mode"), NoticeKind.OTHER)
        ref, page_ref = _text(about, "payment_intent"), ref
    else:
        kind = next((kind for start, kind in KINDS if type_.startswith(start)), NoticeKind.OTHER)
    return Notice(
        id=_text(event, "id"),
        type=type_,
        kind=kind,
        ref=_newest_refund(about) if type_ == "charge.refunded" else ref,
        key=key_of(about.get("metadata")) if kind in (NoticeKind.CHARGE, NoticeKind.REFUND) else None,
        page_ref=page_ref,
    )


def _newest_refund(charge: dict[str, Any]) -> str:
    """The refund that a charge tells of, or the charge where it does not name its refunds."""
    refunds = charge.get("refunds")
    listed = refunds.get("data") if isinstance(refunds, dict) else None
    newest = listed[0] if isinstance(listed, list) and listed else None
    return (_text(newest, "id") if isinstance(newest, dict) else "") or _text(charge, "id")


def _text(of: dict[str, Any], name: str) -> str:
    """The field, when it is a text or an object that has an ``id``."""
    value = of.get(name)
    if isinstance(value, dict):
        value = value.get("id")
    return fit(value, LONGEST) if isinstance(value, str) else ""
