from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.models import Charge, Refund
from tests.gateways.contract import AMOUNT, OTHER_KEY, REFUND_KEY, charged


@pytest.fixture
def charge(db: None) -> Charge:
    gateway = SandboxGateway()
    card = gateway.store_card("4242424242424242", exp_month=12, exp_year=2031, today=date(2030, 6, 15))
    ref = charged(gateway, card.token)
    gateway.refund(ref, key=REFUND_KEY, amount=Decimal("9.00"), currency="USD")
    return Charge.objects.get(ref=ref)


def test_charges_and_refunds_are_listed_and_opened(admin_client: Client, charge: Charge) -> None:
    refund = Refund.objects.get()
    for url in (
        reverse("admin:sandbox_charge_changelist"),
        reverse("admin:sandbox_charge_change", args=[charge.pk]),
        reverse("admin:sandbox_refund_changelist"),
        reverse("admin:sandbox_refund_change", args=[refund.pk]),
    ):
        assert charge.ref in admin_client.get(url).content.decode()


def test_a_charge_can_be_told_to_refuse_refunds_and_nothing_else_can_be_written(
    admin_client: Client, charge: Charge
) -> None:
    url = reverse("admin:sandbox_charge_change", args=[charge.pk])
    sent = {"refuses_refunds": "on", "amount": "1.00", "state": "declined", "refunded": "0"}
    assert admin_client.post(url, sent).status_code == 302
    charge.refresh_from_db()
    assert (charge.refuses_refunds, charge.amount, charge.state, charge.refunded) == (
        True,
        AMOUNT,
        "approved",
        Decimal("9.00"),
    )


def test_saving_the_flag_leaves_a_refund_made_meanwhile(admin_client: Client, charge: Charge) -> None:
    stale = Charge.objects.get(pk=charge.pk)
    SandboxGateway().refund(charge.ref, key=OTHER_KEY, amount=Decimal("1.00"), currency="USD")
    stale.refuses_refunds = True
    admin.site.get_model_admin(Charge).save_model(None, stale, None, change=True)  # type: ignore[arg-type]
    charge.refresh_from_db()
    assert (charge.refuses_refunds, charge.refunded) == (True, Decimal("10.00"))


def test_nothing_is_added_or_deleted_and_refunds_are_never_written(
    admin_client: Client, charge: Charge
) -> None:
    refund = Refund.objects.get()
    urls = [
        reverse("admin:sandbox_charge_add"),
        reverse("admin:sandbox_refund_add"),
        reverse("admin:sandbox_charge_delete", args=[charge.pk]),
        reverse("admin:sandbox_refund_delete", args=[refund.pk]),
        reverse("admin:sandbox_refund_change", args=[refund.pk]),
    ]
    assert [admin_client.post(url, {"post": "yes", "amount": "1"}).status_code for url in urls] == [403] * 5
