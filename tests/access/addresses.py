"""Every address of the project, filled with records that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from django.apps import apps
from django.contrib.auth.models import User
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from billing.actions import ACTIONS
from billing.gateways.sandbox import dashboard
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.models import (
    Attempt,
    Bulk,
    Card,
    CouponCode,
    Dispute,
    GatewayEvent,
    Invoice,
    Mail,
    Order,
    OrderForm,
    Partner,
    Payment,
    Payout,
    Submission,
    UnmatchedMoney,
)
from billing.models.bulk import Plan
from billing.statuses import DisputeState
from billing.tasks import act_on_notices
from contacts.models import Contact
from tests.factories import (
    CardFactory,
    CouponFactory,
    InvoiceFactory,
    OrderFactory,
    PaymentFactory,
    ProductFactory,
    SubmissionFactory,
)
from tests.partners.desk import two_commissions

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
LOST = "4000000000000127"
"""A card whose charge is not made and not answered: its attempt waits for *Ask the gateway*."""


@dataclass(frozen=True, slots=True)
class Address:
    """One line of the URL configuration: its name with the namespaces, and its pattern from the root."""

    name: str
    route: str

    def __str__(self) -> str:
        return self.name or self.route

    @property
    def is_of_the_back_office(self) -> bool:
        return self.route.startswith("admin/")


@cache
def addresses() -> tuple[Address, ...]:
    return tuple(_walk(get_resolver(), "", ""))


def _walk(resolver: URLResolver, prefix: str, namespace: str) -> Iterator[Address]:
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _walk(entry, route, f"{namespace}{entry.namespace}:" if entry.namespace else namespace)
        else:
            assert isinstance(entry, URLPattern)
            yield Address(f"{namespace}{entry.name}" if entry.name else "", route)


@dataclass(slots=True)
class World:
    """One record of each kind, so that every address leads to something."""

    contact: Contact
    invoice: Invoice
    card: Card
    payment: Payment
    attempt: Attempt
    mail: Mail
    bulk: Bulk
    order: Order
    form: OrderForm
    submission: Submission
    code: CouponCode
    partner: Partner
    payout: Payout
    page: str
    unmatched: UnmatchedMoney
    dispute: Dispute
    notice: GatewayEvent

    @classmethod
    def made(cls, by: User, **words: Any) -> World:
        """``by`` started the bulk run, which nobody else may see. ``words``: columns of the contact."""
        card = CardFactory.create(**{f"contact__{name}": value for name, value in words.items()})
        contact = card.contact
        waiting = InvoiceFactory.create(contact=contact)
        lost = CardFactory.create(contact=contact, number=LOST)
        attempt = waiting.pay(None, source=lost, amount=Decimal(100)).attempt
        assert attempt is not None
        payment = PaymentFactory.create(invoice__contact=contact, method="cheque")
        invoice = InvoiceFactory.create(contact=contact)
        invoice.request_payment(None, recipient="ada@example.com", message="")
        product = ProductFactory.create()
        page = SandboxGateway().card_page(key=uuid4(), return_url="/", cancel_url="/")
        plan = Plan.of(ACTIONS["void"], Invoice.objects.none(), by)
        bulk = Bulk.begin(by, plan, key=uuid4(), arguments={})
        mail, told = Mail.objects.get(), elsewhere(contact)
        order, sent = OrderFactory.create(contact=contact), SubmissionFactory.create()
        code = CouponFactory.create(contact=contact).codes.get()
        partner, payout = two_commissions(contact, product)
        made = (contact, invoice, card, payment, attempt, mail, bulk, order, sent.form, sent, code)
        return cls(*made, partner, payout, page.ref, *told)

    @property
    def customer(self) -> int:
        """A contact who came by the partner's link."""
        return self.partner.commissions.latest("pk").invoice.contact_id

    def fill(self, address: Address, **other: str) -> str:
        """The path of this address. ``other`` stands in for a parameter of that name."""
        values = {**self._values(address), **other}
        route = address.route.replace("(?P<app_label>", "<app_label>").replace("(?P<url>.*)", "<url>")
        route = re.sub(r"<app_label>[^)]*\)", "<app_label>", route)
        path = PARAMETER.sub(lambda found: values[found[1]], route)
        return "/" + path.replace("^", "").replace("$", "").replace(r"\Z", "")

    def _values(self, address: Address) -> dict[str, str]:
        records = {
            "contacts": self.contact,
            "invoices": self.invoice,
            "cards": self.card,
            "payments": self.payment,
            "attempts": self.attempt,
            "mail": self.mail,
            "bulk": self.bulk,
            "unmatched": self.unmatched,
            "disputes": self.dispute,
            "notices": self.notice,
            "orders": self.order,
            "codes": self.code,
            "coupons": self.code.coupon,
            "partners": self.partner,
            "programs": self.partner.program,
            "payouts": self.payout,
        }
        record = records.get(address.route.partition("/")[0])
        return {
            "pk": str(record.pk) if record else "1",
            "page": "invoices",
            "key": str(UUID(int=7)),
            "token": self.order.token if address.route.startswith("card/") else self.invoice.token,
            "slug": self.form.slug,
            "visit": str(self.submission.visit),
            "ref": self.page,
            "program": str(self.partner.program_id),
            "gateway": "sandbox",
            "action": "cancel" if address.name == "billing:order_act" else "void",
            "object_id": _key_of_a_record(address.route),
            "content_type_id": "1",
            "app_label": "billing",
            "url": "nowhere",
            "id": _key_of_a_record(address.route),
        }


def elsewhere(contact: Contact) -> tuple[UnmatchedMoney, Dispute, GatewayEvent]:
    """What the gateway told: money that is nobody's, and a dispute that was lost."""
    good = CardFactory.create(contact=contact)
    paid = PaymentFactory.create(invoice=InvoiceFactory.create(contact=contact), card=good)
    now = timezone.now()
    dashboard.pay_again(paid.gateway_ref, amount=Decimal(7), now=now)
    opened = dashboard.dispute(paid.gateway_ref, amount=Decimal(9), now=now)
    dashboard.close_dispute(opened.ref, DisputeState.LOST, now=now)
    act_on_notices(now)
    event = GatewayEvent.objects.latest("pk")
    return UnmatchedMoney.objects.get(), Dispute.objects.get(), event


def _key_of_a_record(route: str) -> str:
    """The key of one record of the model that a page of the back office is about; 1 when there is none."""
    _admin, app, model, *_rest = [*route.split("/"), "", "", ""]
    if not model or app not in ("auth", "axes", "billing", "contacts", "sandbox"):
        return "1"
    return str(apps.get_model(app, model)._default_manager.values_list("pk", flat=True).first() or 1)
