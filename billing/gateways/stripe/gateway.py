"""Stripe, by its own library: cards are typed on its Checkout, charges are payment intents."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import stripe
from django.conf import settings

from billing.gateways import DisputeFacts, Movement, Notice, Outcome, Page, PageResult
from billing.gateways.stripe import notices, pages
from billing.gateways.stripe.amounts import units
from billing.gateways.stripe.declines import card_removed, declined
from billing.gateways.stripe.line import answered, line, words
from billing.gateways.stripe.reading import (
    ATTEMPT,
    bare_charge_movement,
    charge_movement,
    charge_outcome,
    dispute_facts,
    id_of,
    key_of,
    page_result,
    refund_movement,
    refund_outcome,
)
from billing.statuses import AttemptState

if TYPE_CHECKING:
    from stripe.params import CustomerCreateParams, PaymentIntentCreateParams

CARD = "card"
REMOVED = "removed"
LONGEST_NAME = 256


class StripeGateway:
    """The reference of a charge is its payment intent, the token of a card ``cus_…/pm_…``.

    Every call may raise NoAnswer and NotOurGateway, and ValueError for what Stripe refuses to be asked.
    """

    name = "stripe"

    def __init__(self, key: str, *, webhook_secret: str = "", api_base: str = "") -> None:
        self._stripe = line(key, api_base).v1
        self._secret = webhook_secret

    def check(self) -> None:
        with answered():
            self._stripe.balance.retrieve()

    def customer(self, *, key: UUID, name: str, email: str) -> str:
        file: CustomerCreateParams = {"name": name[:LONGEST_NAME]}
        if email:
            file["email"] = email
        with answered(key):
            return self._stripe.customers.create(file, {"idempotency_key": f"{key}:customer"}).id

    # -- hosted pages

    def card_page(self, *, key: UUID, return_url: str, cancel_url: str, customer: str = "") -> Page:
        order = pages.card_order(key, return_url=return_url, cancel_url=cancel_url, customer=customer)
        with answered(key):
            session = self._stripe.checkout.sessions.create(order, {"idempotency_key": f"{key}:page"})
        return Page(session.id, session.url or "")

    def pay_page(
        self,
        *,
        key: UUID,
        amount: Decimal,
        currency: str,
        description: str,
        remember: bool,
        return_url: str,
        cancel_url: str,
        customer: str = "",
    ) -> Page:
        order = pages.pay_order(
            key,
            amount=amount,
            currency=currency,
            description=description,
            remember=remember,
            return_url=return_url,
            cancel_url=cancel_url,
            customer=customer,
        )
        with answered(key):
            session = self._stripe.checkout.sessions.create(order, {"idempotency_key": f"{key}:page"})
        return Page(session.id, session.url or "")

    def page_result(self, ref: str) -> PageResult:
        with answered():
            return page_result(self._stripe.checkout.sessions.retrieve(ref, {"expand": pages.EXPAND}))

    def expire_page(self, ref: str) -> PageResult:
        with answered():
            try:
                self._stripe.checkout.sessions.expire(ref)
            except stripe.InvalidRequestError:  # it is no longer open
                return self.page_result(ref)
        return self.page_result(ref)

    # -- charges

    def prepare(self, *, key: UUID, amount: Decimal, currency: str, token: str) -> str:
        customer, _slash, method = token.partition("/")
        intent: PaymentIntentCreateParams = {
            "amount": units(amount, currency),
            "currency": currency.lower(),
            "allowed_payment_method_types": ["card"],
            "metadata": {ATTEMPT: str(key)},
        }
        card: PaymentIntentCreateParams = {**intent, "payment_method": method}
        if customer:
            card["customer"] = customer
        with answered(key):
            try:
                return self._create(card, f"{key}:create")
            except stripe.InvalidRequestError:
                if not self._is_removed(method):
                    raise
            # Written down without its card, it is answered as every charge is: here, declined for good.
            intent["metadata"] = {ATTEMPT: str(key), CARD: REMOVED}
            return self._create(intent, f"{key}:create-without-card")

    def _create(self, intent: PaymentIntentCreateParams, key: str) -> str:
        return self._stripe.payment_intents.create(intent, {"idempotency_key": key}).id

    def confirm(self, ref: str, *, key: UUID) -> Outcome:
        with answered(key):
            try:
                intent = self._stripe.payment_intents.confirm(
                    ref, {"off_session": True}, {"idempotency_key": f"{key}:confirm"}
                )
            except stripe.CardError as error:
                return _declined_by(error, ref)
            except stripe.InvalidRequestError as error:
                return self._not_confirmed(ref, error)
        return charge_outcome(intent)

    def _not_confirmed(self, ref: str, error: stripe.InvalidRequestError) -> Outcome:
        """What stands when Stripe did not take a confirmation: what was before, or nothing for ever."""
        intent = self._stripe.payment_intents.retrieve(ref)
        outcome = charge_outcome(intent)
        if outcome.state != AttemptState.STARTED:
            return outcome
        outcome = self.cancel(ref)
        if outcome.state != AttemptState.NOT_CHARGED:
            return outcome
        if getattr(intent.metadata, CARD, "") == REMOVED or self._is_removed(id_of(intent.payment_method)):
            return card_removed(ref)
        return Outcome(AttemptState.NOT_CHARGED, ref, error.code or "", words(error))

    def retrieve(self, ref: str) -> Outcome:
        with answered():
            return charge_outcome(self._stripe.payment_intents.retrieve(ref))

    def cancel(self, ref: str) -> Outcome:
        with answered():
            try:
                return charge_outcome(self._stripe.payment_intents.cancel(ref))
            except stripe.InvalidRequestError:  # it has ended, this way or that
                return self.retrieve(ref)

    # -- refunds

    def refund(self, ref: str, *, key: UUID, amount: Decimal, currency: str) -> Outcome:
        """An amount that Stripe cannot return is declined, as by Stripe: no money went back."""
        try:
            counted = units(amount, currency)
        except ValueError as impossible:
            return Outcome(AttemptState.DECLINED, code="amount_not_possible", message=str(impossible))
        with answered(key):
            try:
                refund = self._stripe.refunds.create(
                    {"payment_intent": ref, "amount": counted, "metadata": {ATTEMPT: str(key)}},
                    {"idempotency_key": f"{key}:refund"},
                )
            except (stripe.InvalidRequestError, stripe.CardError) as error:
                return Outcome(AttemptState.DECLINED, code=error.code or "", message=words(error))
        return refund_outcome(refund)

    def find_refund(self, ref: str, *, key: UUID) -> Outcome | None:
        with answered():
            for refund in self._stripe.refunds.list({"payment_intent": ref, "limit": 100}).auto_paging_iter():
                if key_of(refund.metadata) == key:
                    return refund_outcome(refund)
        return None

    # -- cards

    def detach_card(self, token: str) -> None:
        method = token.rpartition("/")[2]
        with answered():
            try:
                self._stripe.payment_methods.detach(method)
            except stripe.InvalidRequestError:
                if not self._is_removed(method):
                    raise

    def _is_removed(self, method: str) -> bool:
        """Whether Stripe has forgotten a card, or keeps it for nobody."""
        if not method:
            return False
        try:
            return self._stripe.payment_methods.retrieve(method).customer is None
        except stripe.InvalidRequestError as error:
            if error.code != "resource_missing" and error.http_status != 404:
                raise
            return True

    # -- what the gateway tells

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> Notice:
        return notices.notice(body, headers, self._secret)

    def charge_made(self, ref: str) -> Movement:
        with answered():
            if not ref.startswith("pi_"):
                charge = self._stripe.charges.retrieve(ref)
                if charge.payment_intent is None:
                    return bare_charge_movement(charge)
                ref = id_of(charge.payment_intent)
            return charge_movement(self._stripe.payment_intents.retrieve(ref, {"expand": ["payment_method"]}))

    def refund_made(self, ref: str) -> Movement:
        """Asked about a charge, it is the charge's newest refund: a message may name no more than that."""
        with answered():
            if ref.startswith(("re_", "pyr_")):
                return refund_movement(self._stripe.refunds.retrieve(ref))
            newest = self._stripe.refunds.list({"charge": ref, "limit": 1}).data
        if not newest:
            raise ValueError(f"Stripe knows no refund {ref}.")
        return refund_movement(newest[0])

    def dispute(self, ref: str) -> DisputeFacts:
        with answered():
            return dispute_facts(self._stripe.disputes.retrieve(ref))


def _declined_by(error: stripe.CardError, ref: str) -> Outcome:
    return declined(
        ref,
        code=error.code or "",
        decline_code=(error.error and error.error.decline_code) or "",
        message=words(error),
    )


def make() -> StripeGateway:
    return StripeGateway(
        settings.STRIPE_API_KEY,
        webhook_secret=settings.STRIPE_WEBHOOK_SECRET,
        api_base=settings.STRIPE_API_BASE,
    )
