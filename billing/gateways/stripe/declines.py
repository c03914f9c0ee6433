"""What a decline means: whether the same card may do later, and when the bank only wants the customer."""

from __future__ import annotations

from django.utils.translation import gettext as _

from billing.gateways import Outcome
from billing.statuses import AttemptState

ASKS_CUSTOMER = "authentication_required"
CARD_REMOVED = "card_removed"
HARD = frozenset(
    {
        *("card_not_supported", "currency_not_supported", "not_permitted", "service_not_allowed"),
        *("expired_card", "invalid_expiry_month", "invalid_expiry_year", "new_account_information_available"),
        *("incorrect_number", "invalid_number", "invalid_account"),
        *("lost_card", "stolen_card", "pickup_card", "restricted_card", "security_violation", "fraudulent"),
        *("merchant_blacklist", "stop_payment_order", "transaction_not_allowed"),
        *("revocation_of_authorization", "revocation_of_all_authorizations", "testmode_decline"),
        CARD_REMOVED,
    }
)
"""Codes after which Stripe advises another card (https://docs.stripe.com/declines/codes). After any other the
same card may do later.
"""


def declined(ref: str, *, code: str, decline_code: str, message: str) -> Outcome:
    """``decline_code`` is the bank's reason and, where there is one, says more than Stripe's ``code``."""
    if ASKS_CUSTOMER in (code, decline_code):
        asks = _("The bank asks the customer to confirm this payment.")
        return Outcome(AttemptState.NEEDS_ACTION, ref, ASKS_CUSTOMER, message or asks)
    reason = decline_code or code
    return Outcome(
        AttemptState.DECLINED, ref, reason, message or _("The card was declined."), hard=reason in HARD
    )


def card_removed(ref: str) -> Outcome:
    return declined(
        ref, code=CARD_REMOVED, decline_code="", message=_("This card is no longer on file at Stripe.")
    )
