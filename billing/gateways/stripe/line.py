"""The line to Stripe: how long it is waited for, and what each way of not answering means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from uuid import UUID

import stripe
from django.utils.translation import gettext as _

from billing.gateways import NoAnswer, NotOurGateway

TIMEOUT = 20
"""Seconds. The library itself would wait for 80, and repeat a call twice without saying so."""
_IDENTIFIERS = re.compile(r"\b(pm|cus|card|src|[sr]k_live|[sr]k_test)_\w+")


@lru_cache(maxsize=8)
def line(key: str, base: str) -> stripe.StripeClient:
    """One client for the whole process: it keeps a connection for each thread."""
    return stripe.StripeClient(
        key,
        base_addresses={"api": base} if base else {},
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=TIMEOUT),
    )


def words(error: stripe.StripeError) -> str:
    """Stripe's own words, without the tokens of cards and customers that they may name."""
    return _IDENTIFIERS.sub(r"\1_…", error.user_message or "")


@contextmanager
def answered(key: UUID | None = None) -> Iterator[None]:
    """Tell what a failed call means: NoAnswer, NotOurGateway, or ValueError for what Stripe refused.

    What came of the call is unknown after NoAnswer only. Stripe's own exceptions end here: their chain would
    carry tokens into the log.
    """
    try:
        yield
    except stripe.AuthenticationError:
        raise NotOurGateway(
            _("Stripe does not know the key that is set in STRIPE_API_KEY, so nothing was done.")
        ) from None
    except stripe.PermissionError as error:
        sentence = _("Stripe does not let the key in STRIPE_API_KEY do this, so nothing was done: %(words)s")
        raise NotOurGateway(sentence % {"words": words(error)}) from None
    except stripe.IdempotencyError as error:
        if error.http_status == 409:
            raise NoAnswer(f"Stripe is still at work on key {key}.") from None
        raise ValueError(f"Key {key} was first used for something else at Stripe.") from None
    except (stripe.InvalidRequestError, stripe.CardError) as error:
        raise ValueError(_("Stripe refused this: %(words)s") % {"words": words(error)}) from None
    except stripe.StripeError as error:
        raise NoAnswer(f"Stripe did not answer: {type(error).__name__} {error.http_status or ''}") from None
