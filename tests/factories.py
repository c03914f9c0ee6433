"""Records as the desk itself makes them: by its verbs where there is one, and with fixed values."""

# mypy: disable-error-code="no-untyped-call"
# factory-boy types its factories, not its declarations.

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils import timezone
from factory.declarations import LazyAttribute, LazyFunction, Sequence, SubFactory
from factory.django import DjangoModelFactory

from billing.gateways.sandbox.gateway import SandboxGateway
from billing.models import (
    Card,
    Coupon,
    CouponCode,
    Header,
    Invoice,
    LineInput,
    Order,
    OrderForm,
    Partner,
    PartnerProgram,
    Payment,
    Product,
    Series,
    Submission,
)
from billing.models.guard import Actor
from billing.models.selling.submission import Sent
from billing.models.terms import OrderTerms
from billing.statuses import (
    CouponAudience,
    CouponKind,
    InvoiceStatus,
    Missed,
    OrderKind,
    OrderStatus,
    PastDue,
    PaymentMethod,
    RefundRoute,
)
from contacts.models import Contact

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
APPROVES = "4242424242424242"
DECLINES = "4000000000000341"


class UserFactory(DjangoModelFactory[User]):
    """A member of staff; ``role`` names the group, none by default."""

    username = Sequence(lambda n: f"agent{n}")
    first_name = "Grace"
    last_name = "Hopper"

    role = ""

    class Meta:
        model = User

    @classmethod
    def _create(cls, model_class: type[User], *, role: str, **given: Any) -> User:
        user = model_class.objects.create_user(**given)
        if role:
            user.groups.add(Group.objects.get(name=role))
        return user


class ContactFactory(DjangoModelFactory[Contact]):
    name = Sequence(lambda n: f"Ada Lovelace {n}")
    email = Sequence(lambda n: f"ada{n}@example.com")

    class Meta:
        model = Contact


class ProductFactory(DjangoModelFactory[Product]):
    name = Sequence(lambda n: f"Lantern no. {n}")
    sku = Sequence(lambda n: f"LANTERN-{n}")
    price = Decimal("25.00")
    currency = "USD"

    class Meta:
        model = Product


class OrderFormFactory(DjangoModelFactory[OrderForm]):
    """A form in US dollars that sells ``products``, one of each to begin with and ``most`` at most."""

    slug = Sequence(lambda n: f"form-{n}")
    title = Sequence(lambda n: f"Garden shop {n}")
    currency = "USD"

    class Meta:
        model = OrderForm

    @classmethod
    def _create(
        cls,
        model_class: type[OrderForm],
        *,
        products: Iterable[Product] = (),
        least: int = 1,
        most: int = 1,
        **given: Any,
    ) -> OrderForm:
        form = model_class.objects.create(**given)
        for place, product in enumerate(list(products) or [ProductFactory.create()], start=1):
            form.items.create(product=product, position=place, least=least, most=most)
        return form


class SubmissionFactory(DjangoModelFactory[Submission]):
    """An order that a visitor has sent, and not paid."""

    form = SubFactory(OrderFormFactory)
    visit = LazyFunction(uuid4)
    email = Sequence(lambda n: f"visitor{n}@example.com")
    quantities: dict[int, int] = {}

    class Meta:
        model = Submission

    @classmethod
    def _create(
        cls,
        model_class: type[Submission],
        *,
        form: OrderForm,
        visit: UUID,
        email: str,
        quantities: dict[int, int],
        **given: Any,
    ) -> Submission:
        offers = form.offers()
        basket = form.basket(offers, {offer.item.pk: 1 for offer in offers} | quantities)
        sent = Sent({"name": "Ada Lovelace", "email": email}, basket, **{"at": timezone.now(), **given})
        return model_class.send(form, visit, sent)


class ProgramFactory(DjangoModelFactory[PartnerProgram]):
    """Pays the last referrer a tenth, and whoever referred that one a twentieth."""

    name = Sequence(lambda n: f"Friends {n}")
    percent_1 = Decimal(10)
    percent_2 = Decimal(5)

    class Meta:
        model = PartnerProgram


class PartnerFactory(DjangoModelFactory[Partner]):
    contact = SubFactory(ContactFactory)
    program = SubFactory(ProgramFactory)
    code = Sequence(lambda n: f"FRIEND-{n}")
    enrolled_at = NOON

    class Meta:
        model = Partner


class CardFactory(DjangoModelFactory[Card]):
    """A card on file at the sandbox; ``number`` decides how its charges end."""

    contact = SubFactory(ContactFactory)
    number = APPROVES
    exp_month = 12
    exp_year = 2040

    class Meta:
        model = Card

    @classmethod
    def _create(
        cls,
        model_class: type[Card],
        *,
        contact: Contact,
        number: str,
        exp_month: int,
        exp_year: int,
    ) -> Card:
        details = SandboxGateway().store_card(
            number, exp_month=exp_month, exp_year=exp_year, today=date(2020, 1, 1)
        )
        with transaction.atomic():
            return model_class.keep(contact, details, gateway="sandbox")


class InvoiceFactory(DjangoModelFactory[Invoice]):
    """One line of ``amount``, or ``lines``; ``status`` is reached by the verbs that lead there.

    ``paid`` comes in cash before; what becomes Closed or Refunded is paid in full by itself.
    """

    contact = SubFactory(ContactFactory)
    amount = Decimal(100)
    lines = LazyAttribute(lambda given: [LineInput("Lantern", Decimal(1), given.amount)])
    header = LazyAttribute(
        lambda given: Header(given.currency, given.invoice_date, given.due_on, coupon=given.coupon)
    )
    status = InvoiceStatus.OPEN
    paid = Decimal(0)
    by: Actor = None

    class Meta:
        model = Invoice

    class Params:
        currency = "USD"
        coupon = ""
        invoice_date = date(2026, 3, 2)
        due_on = date(2026, 3, 16)

    @classmethod
    def _create(
        cls,
        model_class: type[Invoice],
        *,
        contact: Contact,
        amount: Decimal,
        lines: list[LineInput],
        header: Header,
        status: str,
        paid: Decimal,
        by: Actor,
    ) -> Invoice:
        drafted = model_class.draft(by, contact=contact, header=header, lines=lines).invoice
        assert drafted is not None
        if status == InvoiceStatus.DECLINED:
            _decline(drafted)
        elif status != InvoiceStatus.DRAFT:
            drafted.issue(by, at=NOON)
            _reach(drafted, InvoiceStatus(status), paid, by)
        return drafted


def _reach(invoice: Invoice, status: InvoiceStatus, paid: Decimal, by: Actor) -> None:
    if status in (InvoiceStatus.CLOSED, InvoiceStatus.REFUNDED):
        paid = invoice.balance
    if paid:
        invoice.pay(by, source=PaymentMethod.CASH, amount=paid, received_on=date(2026, 3, 3))
    match status:
        case InvoiceStatus.COLLECTIONS:
            invoice.run_collections(by)
        case InvoiceStatus.REFUNDED:
            refund_all(invoice, by)
        case InvoiceStatus.VOIDED:
            invoice.void(by, reason="Ordered twice")
        case InvoiceStatus.WRITTEN_OFF:
            invoice.write_off(by, reason="Moved abroad")


def _decline(invoice: Invoice) -> None:
    """As an order form does whose card was refused."""
    with transaction.atomic():
        invoice.sequence, invoice.number = Series.take()[0]
        invoice.issued_at = NOON
        invoice.become(InvoiceStatus.DECLINED)
        invoice.store("sequence", "number", "issued_at", "status", *invoice.recompute())


def refund_all(invoice: Invoice, by: Actor = None) -> None:
    invoice.refund(
        by, amount=invoice.paid, route=RefundRoute.RECORDED, reason="Sent back", send_receipt=False
    )


class PaymentFactory(DjangoModelFactory[Payment]):
    """Money for an open invoice: by ``card`` if there is one, otherwise by ``method``.

    The default is all that the invoice owes. The number of ``card`` may make it a declined one.
    """

    invoice = SubFactory(InvoiceFactory)
    amount = LazyAttribute(lambda given: given.invoice.balance)
    method = PaymentMethod.CASH
    reference = ""
    received_on = date(2026, 3, 3)
    card = None
    by: Actor = None

    class Meta:
        model = Payment

    @classmethod
    def _create(
        cls,
        model_class: type[Payment],
        *,
        invoice: Invoice,
        amount: Decimal,
        method: PaymentMethod,
        card: Card | None,
        by: Actor,
        **given: Any,
    ) -> Payment:
        invoice.pay(by, source=card or method, amount=amount, **given)
        return invoice.payments.latest("id")


class OrderFactory(DjangoModelFactory[Order]):
    """A monthly subscription of 30 dollars from ``first_charge_on``, charged to a card that approves.

    ``number`` is the card's, empty for none; ``payments`` makes it a plan; ``status`` is reached by the verbs
    that lead there.
    """

    contact = SubFactory(ContactFactory)
    price = Decimal(30)
    lines = LazyAttribute(lambda given: [LineInput("Garden club", Decimal(1), given.price)])
    currency = "USD"
    every = 1
    unit = "month"
    payments = None
    trial_payments = 0
    trial_price = Decimal(0)
    setup_fee = Decimal(0)
    first_charge_on = date(2026, 3, 31)
    zone = "UTC"
    number = APPROVES
    exp_year = 2040
    send_invoices = True
    missed = Missed.EVERY
    status = OrderStatus.ACTIVE
    at = NOON
    by: Actor = None

    class Meta:
        model = Order

    @classmethod
    def _create(
        cls,
        model_class: type[Order],
        *,
        number: str,
        exp_year: int,
        price: Decimal,
        status: str,
        payments: int | None,
        **given: Any,
    ) -> Order:
        terms = OrderTerms(
            kind=OrderKind.PLAN if payments else OrderKind.SUBSCRIPTION,
            payments=payments,
            **{name: given.pop(name) for name in TERMS},
        )
        contact = given["contact"]
        card = CardFactory.create(contact=contact, number=number, exp_year=exp_year) if number else None
        event = model_class.begin(given.pop("by"), terms=terms, card=card, **given)
        assert event.order is not None
        return _steer(event.order, OrderStatus(status))


class CouponFactory(DjangoModelFactory[Coupon]):
    """10 % off the first payment under the public code ``code``; ``amount`` makes it a flat one in dollars.

    ``contact`` makes it a personal one, whose only code is theirs and is ``code`` as well.
    """

    name = Sequence(lambda n: f"Spring {n}")
    code = Sequence(lambda n: f"SPRING{n}")
    percent = Decimal(10)
    amount = None
    currency = "USD"
    contact = None
    products: tuple[Product, ...] = ()

    class Meta:
        model = Coupon

    @classmethod
    def _create(
        cls,
        model_class: type[Coupon],
        *,
        code: str,
        percent: Decimal,
        amount: Decimal | None,
        currency: str,
        contact: Contact | None,
        products: tuple[Product, ...],
        **given: Any,
    ) -> Coupon:
        flat = {"kind": CouponKind.FLAT, "amount": amount, "currency": currency}
        audience = CouponAudience.PERSONAL if contact else CouponAudience.GROUP
        terms = flat if amount else {"kind": CouponKind.PERCENT, "percent": percent}
        coupon = model_class(**terms, audience=audience, **given)
        coupon.full_clean()
        coupon.save()
        coupon.products.set(products)
        CouponCode.objects.create(coupon=coupon, code=code, contact=contact, issued_at=NOON)
        return coupon


TERMS = ("every", "unit", "trial_payments", "trial_price", "setup_fee")


def _steer(order: Order, status: OrderStatus) -> Order:
    match status:
        case OrderStatus.PAUSED:
            order.pause(None)
        case OrderStatus.CANCELLED:
            order.cancel(None, past_due=PastDue.LEAVE, reason="Moved abroad")
        case OrderStatus.PAST_DUE | OrderStatus.COMPLETED:
            _bill_all(order, in_cash=status == OrderStatus.COMPLETED)
    return order


def _bill_all(order: Order, *, in_cash: bool) -> None:
    """Ask for the payment that is next, or of a plan for all of them, and pay them or let nobody."""
    last = order.payments_total or order.next_period
    at = NOON + timedelta(days=366 * last)
    while order.next_period <= last and Order.bill_next(at):
        order.refresh_from_db()
    for invoice in order.invoices.order_by("period"):
        if in_cash:
            invoice.pay(None, source=PaymentMethod.CASH, amount=invoice.balance, received_on=NOON.date())
        else:
            invoice.mark_unpaid(None)
    order.refresh_from_db()
