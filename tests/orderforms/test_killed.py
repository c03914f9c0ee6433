"""Whoever takes an order is stopped at every step; the desk finds out how it ended, and nobody pays twice."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from billing import books
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.models import HostedPage
from billing.models import Invoice, Order, Payment, Submission
from billing.models.attempts.base import GRACE
from billing.tasks import look_after_forms, resolve_attempts
from tests.crash.points import COMING_BACK, OPENING, struck_at
from tests.factories import OrderFormFactory, ProductFactory, SubmissionFactory
from tests.killed import run_to_death
from tests.orderforms.test_races import sent
from tests.orderforms.visitor import THANKS, Visitor

BACK = "https://desk.example.com/"


class Killed(BaseException):
    """No handler of errors catches it, and the database forgets what was not committed."""


def stop() -> None:
    raise Killed


def assert_agreed() -> None:
    assert [str(problem) for problem in [*books.problems(), *books.gateway_problems()]] == []


@pytest.mark.django_db
@pytest.mark.parametrize("step", OPENING)
def test_an_order_that_was_stopped_on_its_way_to_the_gateway_can_be_sent_again(step: str) -> None:
    form, visit = OrderFormFactory.create(), uuid4()
    typed = sent()(form)
    with struck_at(OPENING[step], SandboxGateway, stop), pytest.raises(Killed):
        Submission.send(form, visit, typed).lead_on(back=BACK, at=timezone.now())
    again = Submission.send(form, visit, typed)
    visitor = Visitor(form)
    visitor.types_card(again.lead_on(back=BACK, at=timezone.now()))
    assert THANKS in visitor.goes_to(f"/order/{form.slug}/{visit}/")
    assert (Invoice.objects.count(), Payment.objects.count(), HostedPage.objects.count()) == (1, 1, 1)
    assert_agreed()


def paid_at_the_gateway() -> Submission:
    club = ProductFactory.create(sold_as="subscription")
    order = SubmissionFactory.create(form__products=[club])
    Visitor(order.form).types_card(order.lead_on(back=BACK, at=timezone.now()))
    return order


def assert_settled_by_the_desk() -> None:
    now = timezone.now() + GRACE + timedelta(seconds=1)
    resolve_attempts(now)
    look_after_forms(now)
    invoice, order = Invoice.objects.get(), Order.objects.get()
    assert (invoice.status, invoice.mails.count(), Payment.objects.count()) == ("closed", 1, 1)
    assert order.card is not None
    assert_agreed()


@pytest.mark.django_db
@pytest.mark.parametrize("step", COMING_BACK)
def test_an_order_whose_visitor_was_stopped_coming_back_is_settled_once(step: str) -> None:
    order = paid_at_the_gateway()
    with struck_at(COMING_BACK[step], SandboxGateway, stop), pytest.raises(Killed):
        order.look(at=timezone.now())
    assert_settled_by_the_desk()


@pytest.mark.django_db(transaction=True)
def test_an_order_whose_process_was_killed_inside_its_last_transaction_is_settled_once(
    environment: dict[str, str],
) -> None:
    order = paid_at_the_gateway()
    run_to_death(environment, "tests.orderforms.dying", "inside the last transaction", order.pk)
    assert Invoice.objects.get().status == "draft"
    assert_settled_by_the_desk()
