"""Where mails are found again, with their delivery and the way to send them again."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from billing.models import Mail
from billing.statuses import MailKind, MailState, PastDue
from tests.factories import NOON, InvoiceFactory, OrderFactory, UserFactory
from tests.mail.test_expiring import order_on_a_card, told

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Support"))
    return client


def read(desk: Client, path: str) -> str:
    return desk.get(path).content.decode()


def test_a_mail_about_an_order_stands_on_its_page_and_on_the_contacts_timeline(desk: Client) -> None:
    order = OrderFactory.create()
    order.cancel(None, past_due=PastDue.LEAVE, reason="")
    mail = Mail.objects.get()
    for path in (f"/orders/{order.pk}/", f"/contacts/{order.contact_id}/timeline/"):
        page = read(desk, path)
        assert f'href="/mail/{mail.pk}/"' in page
        assert "Subscription cancelled" in page
        assert "badge-queued" in page
    page = read(desk, f"/mail/{mail.pk}/")
    assert f'href="/orders/{order.pk}/#mails">← {order}' in page
    assert "Garden club is cancelled" in page


def test_a_mail_about_a_card_stands_on_the_pages_of_its_orders(desk: Client) -> None:
    order = order_on_a_card()
    other = OrderFactory.create(contact=order.contact)
    told()
    mail = Mail.objects.get()
    assert f'href="/mail/{mail.pk}/"' in read(desk, f"/orders/{order.pk}/")
    assert f'href="/mail/{mail.pk}/"' not in read(desk, f"/orders/{other.pk}/")
    assert f'href="/contacts/{order.contact_id}/purchases/#cards">← {order.card}' in read(
        desk, f"/mail/{mail.pk}/"
    )


def test_a_mail_about_an_order_is_sent_again_as_a_copy(desk: Client) -> None:
    order = OrderFactory.create()
    order.cancel(None, past_due=PastDue.LEAVE, reason="")
    Mail.objects.update(state=MailState.SENT, sent_at=NOON)
    desk.post(f"/mail/{Mail.objects.get().pk}/again/")
    first, copy = Mail.objects.order_by("pk")
    assert (copy.order, copy.kind, copy.state, copy.cause) == (
        order,
        MailKind.ORDER_CANCELLED,
        MailState.QUEUED,
        None,
    )
    assert first.cause == f"order_cancelled:order:{order.pk}"


def test_the_dialog_says_who_is_told_of_a_cancellation(desk: Client) -> None:
    told_of, untold = OrderFactory.create(), OrderFactory.create(contact__email="")
    assert f"Notice of the cancellation to {told_of.contact.email}" in read(
        desk, f"/orders/{told_of.pk}/cancel/"
    )
    assert "Nobody gets an e-mail." in read(desk, f"/orders/{untold.pk}/cancel/")


def test_a_timeline_asks_the_same_however_many_mails_there_are(
    desk: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    order = OrderFactory.create()
    path = f"/contacts/{order.contact_id}/timeline/"

    def write(times: int) -> None:
        for _ in range(times):
            invoice = InvoiceFactory.create(contact=order.contact)
            invoice.request_payment(None, recipient="ada@example.com", message="")

    read(desk, path)  # the first request of a session asks for more
    for more in (1, 9):
        write(more)
        with django_assert_num_queries(7):
            read(desk, path)
