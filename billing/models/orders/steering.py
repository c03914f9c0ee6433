"""What staff do to an order that goes on: edit, change its card, pause, resume, cancel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

from django.utils.translation import gettext as _now
from django.utils.translation import ngettext

from billing import clock, mail, periods
from billing.actions import ACTIONS, ORDER_ACTIONS
from billing.models.base import role_sentence
from billing.models.card import Card
from billing.models.event import Event
from billing.models.guard import Actor, Deed, NotAllowed, Stale, guarded, may
from billing.models.invoice import Invoice
from billing.models.line import LineInput
from billing.models.orders.starting import Starting, check_card
from billing.models.posting import post
from billing.models.product import Product
from billing.statuses import MailKind, OrderStatus, PastDue

if TYPE_CHECKING:
    from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Taxation:
    """A rate and its percentage, as a line keeps them."""

    rate_id: int | None
    percent: Decimal


class Steering(Starting):
    class Meta:
        abstract = True

    @guarded("edit", ORDER_ACTIONS)
    def edit(
        self,
        by: Actor,
        *,
        product: Product | None,
        description: str,
        quantity: Decimal,
        unit_price: Decimal,
        tax: Taxation,
        next_charge_on: date | None,
        missed: str,
        send_invoices: bool,
    ) -> Deed:
        """Change what is asked for from the next payment on; what was asked for already stays.

        Moving the next charge moves all that follow: they are counted from it. Raises Invalid.
        """
        before, was_next = self.amount, self.next_words
        others = self.regular_lines()[1:]
        line = LineInput(
            description=description,
            quantity=quantity,
            unit_price=unit_price,
            sku=product.sku if product else "",
            product_id=product.pk if product else None,
            tax_rate_id=tax.rate_id,
            tax_percent=tax.percent,
        )
        self.lines.all().delete()
        self.put_lines([line, *others])
        if self.next_charge_on and next_charge_on and next_charge_on != self.next_charge_on:
            self.check_first(next_charge_on, clock.now())
            self.anchor_on, self.next_step = next_charge_on, 0
        self.missed, self.send_invoices = missed, send_invoices
        self.store("missed", "send_invoices", *self.schedule(), *self.summarize())
        text = _now("Edited: %(before)s → %(after)s %(rhythm)s, next charge %(was)s → %(next)s.")
        words = {
            "before": self.show(before),
            "after": self.show(self.amount),
            "rhythm": self.rhythm,
            "was": was_next,
            "next": self.next_words,
        }
        return Deed(
            text % words,
            {"amount_before": str(before), "amount": str(self.amount), "next_charge_on": self.next_words},
        )

    @guarded("change_card", ORDER_ACTIONS, lock="lock_with_invoices")
    def change_card(self, by: Actor, *, card: Card | None, charge_now: bool) -> Deed:
        """Charge another card, or none, from now on. Raises Invalid.

        ``charge_now``: what is past due is charged to it with the next run too.
        """
        before = self.card or _now("no card")
        self.card = check_card(card, self.contact)
        self.store("card")
        retried = self._collect_from(card, charge_now=charge_now)
        self.lock()
        words = {"before": before, "after": self.card or _now("no card")}
        text = _now("Card changed: %(before)s → %(after)s.") % words
        if retried:
            numbers = ", ".join(map(str, retried))
            text += " " + _now("Charged again: %(numbers)s.") % {"numbers": numbers}
        return Deed(text, {"card": str(words["after"])})

    def _collect_from(self, card: Card | None, *, charge_now: bool) -> list[Invoice]:
        """Let what is in Collections be retried with the new card, and the next run charge what is owed and
        waits for nothing when it is to ``charge_now``; which that is. The invoices are locked already.
        """
        now, charged = clock.now(), []
        for invoice in self.owed():
            if card or invoice.order_id:  # the one that started the order keeps the card that it was tried on
                invoice.collect_from(card, at=now)
            if charge_now and card and invoice.can_be_collected and not invoice.awaiting_gateway:
                invoice.charge_due_at = now
                charged.append(invoice)
            if invoice.is_in_collections or invoice in charged:
                invoice.store("charge_due_at")
        return charged

    @guarded("pause", ORDER_ACTIONS)
    def pause(self, by: Actor) -> Deed:
        """Ask for no more payments until it is resumed. What was asked for already stays owed."""
        self.become(OrderStatus.PAUSED)
        self.store("status")
        return Deed(_now("Paused: nothing more is asked for until it is resumed."), {"status": self.status})

    @guarded("resume", ORDER_ACTIONS)
    def resume(self, by: Actor) -> Deed:
        """Go on with the first date that has not passed: dates that fell into the pause are left out."""
        step, _on = self.resumes_on(periods.day_at(clock.now(), self.here))
        left_out, self.next_step = step - self.next_step, step
        self.become(OrderStatus.ACTIVE)
        self.become(self.standing(self.billed()))
        self.store("status", *self.schedule())
        text = _now("Resumed: next charge %(next)s.") % {"next": self.next_words}
        if left_out:
            text += " " + left_out_words(left_out)
        return Deed(text, {"status": self.status, "left_out": left_out})

    def cancel(
        self, by: Actor, *, past_due: str, reason: str, key: UUID | None = None, seen: int | None = None
    ) -> Event:
        """Ask for nothing more, for good; what is owed stays so, or is written off.

        Forgiving takes the permission to write invoices off, and no charge in the air. Raises NotAllowed,
        NotOffered, Stale, AlreadyDone.
        """
        if past_due == PastDue.LEAVE:
            return self._cancel(by, reason=reason, key=key, seen=seen)
        if not may(by, ACTIONS["write_off"].codename):
            raise NotAllowed(role_sentence(ACTIONS["write_off"]))
        if self.is_unended:
            for invoice in self.owed():
                invoice.close_pages()
        return self._cancel_and_forgive(by, reason=reason, key=key, seen=seen)

    @guarded("cancel", ORDER_ACTIONS)
    def _cancel(self, by: Actor, *, reason: str) -> Deed:
        self._end()
        self.queue_cancelled()
        text = _now("Cancelled: nothing more is asked for.")
        return Deed(_with_reason(text, reason), {"status": self.status, "reason": reason})

    @guarded("cancel", ORDER_ACTIONS, lock="lock_with_invoices")
    def _cancel_and_forgive(self, by: Actor, *, reason: str) -> Deed:
        self._end()
        owed = list(self.owed())
        for invoice in owed:
            invoice.forgive(by, reason=reason or _now("%(order)s was cancelled") % {"order": self})
        self.lock()
        self.queue_cancelled()
        text = _now("Cancelled: nothing more is asked for.")
        if owed:
            numbers = ", ".join(map(str, owed))
            text += " " + _now("What was past due is forgiven: %(numbers)s.") % {"numbers": numbers}
        return Deed(_with_reason(text, reason), {"status": self.status, "forgiven": len(owed)})

    def _end(self) -> None:
        self.become(OrderStatus.CANCELLED)
        self.ended_at = clock.now()
        self.next_charge_on = self.next_charge_at = None
        self.store("status", "ended_at", "next_charge_on", "next_charge_at")

    def queue_cancelled(self) -> None:
        """Tell the contact, once, in the caller's transaction with this row locked. One without e-mail is not
        told.
        """
        post(
            self,
            self.row,
            None,
            MailKind.ORDER_CANCELLED,
            lambda: mail.order_cancelled(
                self.facts(), contact_name=self.contact.name, owed=[each.facts() for each in self.owed()]
            ),
            to=self.contact.email,
            cause=f"order_cancelled:order:{self.pk}",
        )

    # -- what is owed

    def owed(self) -> list[Invoice]:
        """Its invoices that are owed, the oldest first. One query."""
        return list(self.asked().filter(status__in=ACTIONS["pay"].on).order_by("pk"))

    def lock_with_invoices(self) -> None:
        """Lock what is owed and then the order, in the order in which everybody does.

        Raises Stale when one came in between: it would have to be locked after the order.
        """
        owed = [each.pk for each in self.owed()]
        list(Invoice.objects.filter(pk__in=owed).order_by("pk").locked())
        self.lock()
        if {each.pk for each in self.owed()} - set(owed):
            words = {"order": self}
            raise Stale(_now("%(order)s changed at this very moment. Nothing was done; look again.") % words)


def left_out_words(count: int) -> str:
    return ngettext(
        "%(count)s payment that fell into the pause is not asked for.",
        "%(count)s payments that fell into the pause are not asked for.",
        count,
    ) % {"count": count}


def _with_reason(text: str, reason: str) -> str:
    return f"{text} {_now('Reason: %(reason)s') % {'reason': reason}}" if reason else text
