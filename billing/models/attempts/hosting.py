"""The pages of a gateway on which customers pay."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from django.utils.translation import gettext as _now

from billing.gateways import Gateway, Outcome, Page, PageResult, reason_of
from billing.models.attempts.settling import Settling
from billing.models.customer import Customer
from billing.models.guard import Deed, NotOffered, outside_transaction, tell
from billing.statuses import AttemptState

log = logging.getLogger(__name__)


class Hosting(Settling):
    class Meta:
        abstract = True

    def open_page(self, *, description: str, return_url: str, cancel_url: str) -> Page:
        """The hosted page of this attempt: a key has one page, however often it is opened.

        Raises NotOffered when there is none after all; no customer has learnt the address of one then.
        """
        outside_transaction()
        try:
            page = self._gateway().pay_page(
                key=self.key,
                amount=self.amount,
                currency=self.currency,
                description=description,
                remember=self.remember_card,
                customer=self._customer(),
                return_url=return_url,
                cancel_url=cancel_url,
            )
        except Exception as error:
            log.exception("Attempt %s: the gateway opened no page", self.key)
            raise self._without_page(reason_of(error)) from error
        if not self._write_page_down(page):
            self._expire_unseen(page)
            raise NotOffered(_now("The invoice changed at this very moment. Please look again."))
        return page

    def _without_page(self, reason: str) -> NotOffered:
        """Close the attempt if the gateway will never open its page, unless it did before: that one stays
        where the customer has it. After no answer it stays open too: the gateway may be at work on the first
        of two clicks, and under the same key a later one is led to the same page.

        What the gateway refused, and why, is for staff; the customer cannot mend it.
        """
        if reason:
            words = _now(
                "The card company does not take this payment, so no payment page could be opened. Please get"
                " in touch with us."
            )
        else:
            words = _now(
                "The card company did not answer, so no payment page could be opened. Please try again in a"
                " few minutes."
            )
        if reason and not self.page_ref:
            self.settle(Outcome(AttemptState.NOT_CHARGED, message=reason), expected_ref="")
        if reason:
            text = _now("No payment page could be opened: %(reason)s") % {"reason": reason}
            tell(self.invoice, None, "no_page", Deed(text, related={"attempt": self}))
        return NotOffered(words)

    def _customer(self) -> str:
        """The gateway's file to which a card is stored. None on an order form: the page would show the
        contact's, and whoever typed the e-mail address need not be the contact.
        """
        if not self.remember_card or self.invoice.order_form_id:
            return ""
        return Customer.ref_of(self.invoice.contact, gateway=self.gateway)

    def _write_page_down(self, page: Page) -> bool:
        """Put the page's reference on disk before the customer learns its address; False when the attempt
        was closed meanwhile, so that money paid on the page would find nobody.
        """
        waiting = type(self.row).objects.open_pages().filter(pk=self.pk, page_ref__in=["", page.ref])
        if not waiting.update(page_ref=page.ref):
            return False
        self.page_ref = page.ref
        return True

    def _expire_unseen(self, page: Page) -> None:
        try:
            self._gateway().expire_page(page.ref)
        except Exception:
            log.exception("Attempt %s: the page that nobody was sent to stays open", self.key)

    def close_page(self, *, at: datetime) -> None:
        """Close the hosted page; if the customer was quicker, settle what they did. No transaction may be
        open.
        """
        outside_transaction()
        if not self.page_ref:  # it was never opened, unless it is being opened at this moment
            self.settle(Outcome(AttemptState.NOT_CHARGED), expected_ref="", at=at)
        if self.page_ref and self.state == AttemptState.PAGE_OPEN:
            self._ask_page(at, lambda gateway: gateway.expire_page(self.page_ref))

    def _ask_page(self, at: datetime, ask: Callable[[Gateway], PageResult]) -> None:
        try:
            result = ask(self._gateway())
        except Exception:
            log.exception("Attempt %s: the gateway did not say how its page stands", self.key)
            return
        self.settle_page(result, at)

    def settle_page(self, result: PageResult, at: datetime) -> None:
        """Take what a hosted page came to: money, an expiry, or nothing yet."""
        if result.outcome:
            self.settle(result.outcome, card=result.card, at=at)
        elif result.expired:
            self.settle(
                Outcome(AttemptState.NOT_CHARGED, message=_now("The payment page was closed.")), at=at
            )
