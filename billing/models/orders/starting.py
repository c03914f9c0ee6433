"""An order comes into being: with an invoice that sells it, or by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _now

from billing import money, periods
from billing.actions import ORDER_STEPS
from billing.models.card import Card
from billing.models.event import Event
from billing.models.guard import Actor, Deed, Invalid, NotAllowed, OneTimeKey, may, once, tell
from billing.models.invoice import Invoice
from billing.models.line import InvoiceLine, LineInput
from billing.models.offering import role_sentence
from billing.models.orders.billing import Billing
from billing.models.orders.line import OrderLine
from billing.models.product import Product
from billing.models.terms import OrderTerms
from billing.money import ZERO
from billing.statuses import Missed, OrderKind
from contacts.models import Contact


class Starting(Billing):
    class Meta:
        abstract = True

    @classmethod
    def start(
        cls, invoice: Invoice, line: InvoiceLine, product: Product, by: Actor, *, at: datetime
    ) -> Event:
        """The order that a line sells, by the rule of ``models.terms``, in the transaction that issues.

        ``product``: on the terms that count (``what_it_begins``). Charged to the contact's default card until
        another one pays the invoice; what a customer ordered on an order form never is, since whoever typed
        the e-mail address there need not be the contact. Raises Invalid.
        """
        on_file = Card.objects.on_file(invoice.contact).filter(is_default=True)
        default = None if invoice.order_form_id else on_file.first()
        days = product.trial_days + product.delay_days
        zone = timezone.get_default_timezone_name()
        order = cls(
            **_columns(terms_of(product)),
            contact=invoice.contact,
            currency=invoice.currency,
            zone=zone,
            anchor_on=periods.day_at(at, ZoneInfo(zone)) + timedelta(days=days),
            first_period=2 if product.starts_now else 1,
            next_step=1 if product.starts_now else 0,
            card=check_card(default, invoice.contact),
            origin=invoice,
            created_at=at,
        )
        return order._begin(by, [_regular(line, product)], key=None)

    @classmethod
    def begin(
        cls,
        by: Actor,
        *,
        contact: Contact,
        currency: str,
        terms: OrderTerms,
        lines: Sequence[LineInput],
        first_charge_on: date,
        zone: str,
        at: datetime,
        card: Card | None = None,
        send_invoices: bool = True,
        missed: str = Missed.EVERY,
        key: UUID | None = None,
    ) -> Event:
        """Begin an order without an invoice: the billing run makes its first one on ``first_charge_on``.

        The event's ``order`` is it. Raises NotAllowed, Invalid, AlreadyDone.
        """
        action = ORDER_STEPS["begin"]
        if not may(by, action.codename):
            raise NotAllowed(role_sentence(action))
        used_once = OneTimeKey(key, by, action.name, Q(contact=contact))

        def work() -> Event:
            used_once.refuse_used()
            check_zone(zone)
            check_currency(currency)
            order = cls(
                **_columns(terms),
                contact=contact,
                currency=currency,
                zone=zone,
                anchor_on=first_charge_on,
                card=check_card(card, contact),
                send_invoices=send_invoices,
                missed=missed,
                created_at=at,
            )
            order.check_first(first_charge_on, at)
            return order._begin(by, lines, key=key)

        return once(used_once, work)

    def _begin(self, by: Actor, lines: Sequence[LineInput], *, key: UUID | None) -> Event:
        self.next_period = self.first_period
        self.schedule()
        self.save()
        self.put_lines(lines)
        names = self.summarize()
        self.become(self.standing(self.billed()))
        self.payments_made, self.payments_forgiven, *_rest = self.billed()
        self.save(update_fields=[*names, "status", "payments_made", "payments_forgiven"])
        text = _now("%(order)s begun: %(product)s, %(amount)s %(rhythm)s, next charge %(next)s.")
        words = {
            "order": self,
            "product": self.summary,
            "amount": self.show(self.amount),
            "rhythm": self.rhythm,
            "next": self.next_words,
        }
        figures = {"amount": str(self.amount), "currency": self.currency, "next_charge_on": self.next_words}
        return tell(self, by, "begin", Deed(text % words, {**figures}), key=key)

    def put_lines(self, lines: Sequence[LineInput]) -> None:
        """Raises Invalid for no lines, an amount too fine for the currency, or one too large to be kept."""
        if not lines:
            raise Invalid(_now("An order needs something to ask for."), field="description")
        for line in lines:
            if money.is_too_fine(line.unit_price, self.currency):
                rule = _now("Price is %(price)s: %(currency)s has %(places)s decimals.")
                words = {"price": line.unit_price, "currency": self.currency}
                raise Invalid(rule % {**words, "places": money.exponent(self.currency)}, field="unit_price")
            if line.amounts(self.currency).total > money.LARGEST:
                rule = _now("Price is %(price)s: the payment comes to more than can be kept.")
                raise Invalid(rule % {"price": line.unit_price}, field="unit_price")
        OrderLine.objects.bulk_create(
            OrderLine.made_from(line, order_id=self.pk, position=position)
            for position, line in enumerate(lines, start=1)
        )

    def check_first(self, on: date, at: datetime) -> None:
        """Raise Invalid for a first charge on a day that has passed where the order is."""
        today = periods.day_at(at, self.here)
        if on < today:
            rule = _now("Next charge is %(on)s: it must be today, %(today)s, or later.")
            raise Invalid(rule % {"on": on, "today": today}, field="next_charge_on")


def terms_of(product: Product) -> OrderTerms:
    return OrderTerms(
        kind=OrderKind(product.sold_as),
        every=product.every,
        unit=product.unit,
        payments=product.payments,
        trial_payments=product.trial_payments,
        trial_price=product.trial_price,
        setup_fee=product.setup_fee,
    )


def _columns(terms: OrderTerms) -> dict[str, Any]:
    names = ("kind", "every", "unit", "trial_payments", "trial_price", "setup_fee", "payments_total")
    return {name: getattr(terms, name) for name in names}


def _regular(line: InvoiceLine, product: Product) -> LineInput:
    """What the order asks for in a regular payment."""
    price = product.price if product.asks_another_price_first else line.unit_price
    return replace(line.given, unit_price=price, discount=ZERO)


def check_zone(zone: str) -> None:
    """Raise Invalid for a name that is no IANA time zone."""
    if zone not in available_timezones():
        rule = _now("Time zone is “%(zone)s”: write an IANA name such as Europe/London.")
        raise Invalid(rule % {"zone": zone[:40]}, field="zone")


def check_currency(currency: str) -> None:
    """Raise Invalid for a code that is no currency."""
    if currency not in money.EXPONENTS:
        rule = _now("Currency is “%(currency)s”: it is not in ISO 4217.")
        raise Invalid(rule % {"currency": currency}, field="currency")


def check_card(card: Card | None, contact: Contact) -> Card | None:
    """The card, locked so that it stays on file until the caller's transaction ends. Raises Invalid."""
    return Card.objects.locked_on_file(card, contact) if card else None
