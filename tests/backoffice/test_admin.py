"""The back office reads financial records and changes none; what it sells from, it may change."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from billing.admin.reading import RecordAdmin
from billing.models import Invoice, Payment, Product, Series
from billing.roles import BILLING_MANAGER
from billing.statuses import InvoiceStatus
from tests.factories import InvoiceFactory, PaymentFactory, ProductFactory, UserFactory

pytestmark = pytest.mark.django_db

RECORDS = [model for model, site in admin.site._registry.items() if isinstance(site, RecordAdmin)]


TERMS = {
    **dict.fromkeys(("prices-TOTAL_FORMS", "prices-INITIAL_FORMS"), "0"),
    "sold_as": "once",
    "every": "1",
    "unit": "month",
    **dict.fromkeys(("trial_days", "trial_payments", "trial_price", "setup_fee", "delay_days"), "0"),
}


@pytest.fixture
def office(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Administrator", is_staff=True))
    return client


@pytest.mark.parametrize("model", RECORDS, ids=lambda model: model.__name__)
def test_a_financial_record_has_a_list_and_no_way_to_add(office: Client, model: type[Invoice]) -> None:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"

    assert office.get(reverse(f"{name}_changelist")).status_code == 200
    assert office.get(reverse(f"{name}_changelist"), {"q": "x"}).status_code == 200
    assert office.get(reverse(f"{name}_add")).status_code == 403


def test_a_superuser_can_neither_change_nor_delete_a_payment(client: Client) -> None:
    client.force_login(UserFactory.create(is_staff=True, is_superuser=True))
    payment = PaymentFactory.create()
    page = reverse("admin:billing_payment_change", args=[payment.pk])

    assert client.get(page).status_code == 200
    assert client.post(page, {"amount": "1"}).status_code == 403
    assert client.post(reverse("admin:billing_payment_delete", args=[payment.pk])).status_code == 403
    assert Payment.objects.get().amount == 100


def test_the_page_of_an_invoice_leads_to_its_guarded_actions_only(office: Client) -> None:
    invoice = InvoiceFactory.create(status=InvoiceStatus.CLOSED)

    page = office.get(reverse("admin:billing_invoice_change", args=[invoice.pk])).content.decode()

    assert f'href="/invoices/{invoice.pk}/refund/' in page
    assert f'href="/invoices/{invoice.pk}/pay/' not in page


def test_a_secret_link_is_not_shown(office: Client) -> None:
    invoice = InvoiceFactory.create()

    page = office.get(reverse("admin:billing_invoice_change", args=[invoice.pk])).content.decode()

    assert page.count(invoice.token) == page.count(f'data-copy="{invoice.token}') == 0


def test_a_product_may_be_changed_but_not_to_a_price_finer_than_its_currency(office: Client) -> None:
    product = ProductFactory.create()
    page = reverse("admin:billing_product_change", args=[product.pk])
    given = {**TERMS, "name": "Lantern", "sku": "L-1", "price": "1.5", "currency": "JPY", "is_active": "on"}

    refused = office.post(page, given)
    taken = office.post(page, {**given, "currency": "USD"})

    assert "JPY has 0 decimals" in refused.content.decode()
    assert taken.status_code == 302
    assert Product.objects.get().sku == "L-1"


@pytest.mark.parametrize("bad", ["INV", "INV-{0}", "{number.real.__class__}", "{number", "{number:Z}"])
def test_a_number_format_that_cannot_count_is_refused(office: Client, bad: str) -> None:
    InvoiceFactory.create()
    series = Series.objects.get()
    page = reverse("admin:billing_series_change", args=[series.pk])

    response = office.post(page, {"format": bad})

    assert response.status_code == 200
    series.refresh_from_db()
    assert series.format == "INV-{number:06d}"


def test_support_has_no_back_office(client: Client) -> None:
    client.force_login(UserFactory.create(role="Support"))

    assert client.get("/admin/").status_code == 302


STAFF = {"username": "grace", "date_joined_0": "2026-03-02", "date_joined_1": "09:00:00", "is_active": "on"}


def test_an_administrator_gives_a_role_and_never_everything(office: Client) -> None:
    grace, role = UserFactory.create(username="grace"), Group.objects.get(name=BILLING_MANAGER)
    smuggled = {"is_superuser": "on", "user_permissions": [str(Permission.objects.first().pk)]}  # type: ignore[union-attr]
    page = reverse("admin:auth_user_change", args=[grace.pk])

    assert office.post(page, {**STAFF, "groups": [str(role.pk)], **smuggled}).status_code == 302
    grace.refresh_from_db()
    assert list(grace.groups.all()) == [role]
    assert not grace.is_superuser
    assert not grace.user_permissions.exists()


def test_an_administrator_neither_changes_nor_deletes_a_superuser(office: Client) -> None:
    root = UserFactory.create(username="root", is_superuser=True)
    for name in ("auth_user_change", "auth_user_delete", "auth_user_password_change"):
        page = reverse(f"admin:{name}", args=[root.pk])
        assert office.post(page, {**STAFF, "password1": "x", "post": "yes"}).status_code == 403, name
    picked = {"action": "delete_selected", "_selected_action": [str(root.pk)], "post": "yes"}
    office.post(reverse("admin:auth_user_changelist"), picked)
    root.refresh_from_db()
    assert root.is_superuser


def test_a_superuser_may_make_another(client: Client) -> None:
    client.force_login(UserFactory.create(is_staff=True, is_superuser=True))
    grace = UserFactory.create(username="grace")
    client.post(reverse("admin:auth_user_change", args=[grace.pk]), {**STAFF, "is_superuser": "on"})
    grace.refresh_from_db()
    assert grace.is_superuser


@pytest.mark.parametrize(
    ("terms", "sentence"),
    [
        ({"sold_as": "plan"}, "Number of payments is missing: a payment plan has one."),
        (
            {"sold_as": "subscription", "payments": "3"},
            "Number of payments is 3: only a payment plan has one.",
        ),
        ({"sold_as": "subscription", "every": "0"}, "Every is 0: it must be between 1 and 400."),
        ({"trial_days": "14"}, "Days of the trial is 14: what is sold once has none."),
        (
            {"sold_as": "subscription", "trial_days": "14", "trial_payments": "2"},
            "Payments of the trial is 2: the trial has 14 days already.",
        ),
        (
            {"sold_as": "subscription", "trial_price": "1"},
            "Price of the trial is 1: there is no trial, so give it days or payments.",
        ),
        ({"sold_as": "subscription", "setup_fee": "1.005"}, "Set-up fee is 1.005: USD has 2 decimals."),
    ],
)
def test_terms_that_make_no_sense_are_refused_with_the_rule(
    office: Client, terms: dict[str, str], sentence: str
) -> None:
    page = reverse("admin:billing_product_add")
    given = {**TERMS, "name": "Club", "price": "30", "currency": "USD", **terms}
    assert sentence in office.post(page, given).content.decode()
    assert not Product.objects.exists()


def test_a_product_may_be_sold_on_a_plan(office: Client) -> None:
    terms = {"sold_as": "plan", "payments": "12", "trial_payments": "2", "trial_price": "1"}
    given = {**TERMS, "name": "Club", "price": "30", "currency": "USD", **terms}
    assert office.post(reverse("admin:billing_product_add"), given).status_code == 302
    words = "$30.00 every month, 12 payments; trial of 2 payments at $1.00"
    assert Product.objects.get().terms == words
    assert words in office.get(reverse("admin:billing_product_changelist")).content.decode()
