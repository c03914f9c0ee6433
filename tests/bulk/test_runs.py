"""A run is begun once, goes on by itself, can be left and taken up again, and says what it came to."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from billing.actions import ACTIONS
from billing.models import Bulk, Event, Invoice
from billing.models.bulk import Plan
from billing.statuses import InvoiceStatus
from tests.bulk.test_dialog import answers, ask, confirm, open_invoices
from tests.factories import ContactFactory, InvoiceFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager() -> User:
    return UserFactory.create(role="Billing manager")


@pytest.fixture
def desk(client: Client, manager: User) -> Client:
    client.force_login(manager)
    return client


def begin(user: User, action: str, *invoices: Invoice, **arguments: Any) -> Bulk:
    rows = Invoice.objects.filter(pk__in=[each.pk for each in invoices]).order_by("id")
    return Bulk.begin(user, Plan.of(ACTIONS[action], rows, user), key=uuid.uuid4(), arguments=arguments)


def test_a_short_run_ends_in_place_and_says_what_it_did(desk: Client) -> None:
    opened, draft = InvoiceFactory.create(), InvoiceFactory.create(status=InvoiceStatus.DRAFT)

    response = confirm(desk, "void", ask(desk, "void", opened, draft), reason="Sent twice")

    assert response.status_code == 204
    assert "Void: 1 done, 1 not." in response.headers["HX-Trigger"]
    opened.refresh_from_db()
    assert opened.status == InvoiceStatus.VOIDED
    event = Event.objects.get(action="void")
    assert "Reason: Sent twice" in event.text
    assert event.actor_name == "Grace Hopper"


def test_a_long_run_goes_to_its_page_and_on_from_there(desk: Client) -> None:
    contact = ContactFactory.create()
    open_invoices(60, contact)
    dialog = ask(desk, "write_off", all="1", filter=f"contact={contact.pk}", next="/invoices/?status=open")

    started = confirm(desk, "write_off", dialog, reason="")

    run = Bulk.objects.get()
    address = started.headers["HX-Redirect"]
    assert address == f"/bulk/{run.pk}/?next=%2Finvoices%2F%3Fstatus%3Dopen"
    assert (run.position, run.done) == (25, 25)
    page = desk.get(address).content.decode()
    assert "25 of 60 dealt with" in page
    assert 'hx-trigger="load' in page
    assert "Go on" in page
    part = desk.post(address, headers={"HX-Request": "true"}).content.decode()
    assert "50 of 60 dealt with" in part
    assert "<html" not in part
    assert desk.post(address).headers["Location"] == address  # a browser without scripts
    page = desk.get(address).content.decode()
    assert "60 of 60 dealt with" in page
    assert "Go on" not in page
    assert 'href="/invoices/?status=open"' in page
    assert Invoice.objects.filter(status="written_off").count() == 60


def test_a_run_that_was_left_is_offered_in_the_list(desk: Client, manager: User) -> None:
    run = begin(manager, "void", InvoiceFactory.create(), reason="")
    assert f"/bulk/{run.pk}/" in desk.get("/invoices/").content.decode()
    run.advance(manager, most=25)
    assert f"/bulk/{run.pk}/" not in desk.get("/invoices/").content.decode()


def test_a_double_click_runs_once(desk: Client) -> None:
    invoice = InvoiceFactory.create()
    dialog = ask(desk, "request_payment", invoice)

    first = confirm(desk, "request_payment", dialog, message="")
    second = confirm(desk, "request_payment", dialog, message="")

    assert first.headers["HX-Trigger"] == second.headers["HX-Trigger"]
    assert Bulk.objects.count() == 1
    assert Event.objects.filter(action="request_payment").count() == 1


def test_a_second_click_that_overtakes_the_start_of_the_first_is_the_same_run(
    desk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog = ask(desk, "void", InvoiceFactory.create())
    of = Plan.of

    def first_click(*args: Any) -> Plan:
        monkeypatch.setattr(Plan, "of", of)
        confirm(desk, "void", dialog, reason="")
        return of(*args)

    monkeypatch.setattr(Plan, "of", first_click)
    assert confirm(desk, "void", dialog, reason="").status_code == 204
    assert Bulk.objects.get().done == 1


def test_a_second_click_while_the_first_runs_starts_no_other(manager: User) -> None:
    plan = Plan.of(ACTIONS["void"], Invoice.objects.filter(pk=InvoiceFactory.create().pk), manager)
    key = uuid.uuid4()
    first = Bulk.begin(manager, plan, key=key, arguments={"reason": ""})
    assert Bulk.begin(manager, plan, key=key, arguments={"reason": ""}) == first
    assert Bulk.objects.count() == 1


def test_a_browser_without_scripts_goes_to_the_page_of_the_run(desk: Client) -> None:
    invoice = InvoiceFactory.create()
    dialog = desk.post("/invoices/void/", {"ids": invoice.pk})
    assert "<html" in dialog.content.decode()
    response = desk.post("/invoices/void/", {**answers(dialog), "reason": ""})
    page = desk.get(response.headers["Location"]).content.decode()
    assert "1 of 1 dealt with" in page


def test_the_summary_lists_those_left_out_with_their_reasons(desk: Client) -> None:
    draft = InvoiceFactory.create(status=InvoiceStatus.DRAFT)
    confirm(desk, "void", ask(desk, "void", InvoiceFactory.create(), draft), reason="")
    page = desk.get(f"/bulk/{Bulk.objects.get().pk}/").content.decode()
    assert f"Draft {draft.pk} is Draft: only" in page
    assert "2 of 2 dealt with" in page
    assert "1 done, 1 not." in page


def test_somebody_elses_run_is_not_found(client: Client, manager: User) -> None:
    run = begin(manager, "void", InvoiceFactory.create(), reason="")
    client.force_login(UserFactory.create(role="Administrator"))
    assert client.get(f"/bulk/{run.pk}/").status_code == 404
    assert client.post(f"/bulk/{run.pk}/").status_code == 404
    run.refresh_from_db()
    assert run.position == 0


def test_somebody_elses_key_starts_nothing(client: Client, manager: User) -> None:
    first, second = InvoiceFactory.create(), InvoiceFactory.create()
    run = begin(manager, "void", first, reason="")
    client.force_login(UserFactory.create(role="Billing manager"))
    dialog = ask(client, "void", second)
    assert confirm(client, "void", dialog, key=str(run.pk), reason="").status_code == 404
    second.refresh_from_db()
    assert second.status == InvoiceStatus.OPEN


def test_the_key_of_one_action_answers_for_no_other(desk: Client, manager: User) -> None:
    first, second = InvoiceFactory.create(), InvoiceFactory.create()
    run = begin(manager, "request_payment", first, message="")
    dialog = ask(desk, "void", second)
    assert confirm(desk, "void", dialog, key=str(run.pk), reason="").status_code == 404
    run.refresh_from_db()
    second.refresh_from_db()
    assert (run.position, second.status) == (0, InvoiceStatus.OPEN)


def test_the_role_is_asked_again_for_every_invoice(manager: User) -> None:
    run = begin(manager, "void", InvoiceFactory.create(), InvoiceFactory.create(), reason="")
    run.advance(manager, most=1)
    manager.groups.clear()
    run.advance(User.objects.get(pk=manager.pk), most=1)
    assert run.done == 1
    assert "Your role does not include “Void”" in run.refused[0][2]


def test_what_changed_since_the_run_began_is_left_out_with_its_reason(manager: User) -> None:
    invoice = InvoiceFactory.create()
    run = begin(manager, "write_off", invoice, reason="")
    invoice.void(None, reason="")
    run.advance(manager, most=25)
    why = f"{invoice.number} is Voided: only Open and Collections invoices can be written off."
    assert run.refused == [[invoice.pk, invoice.number, why]]
    assert (run.done, run.is_finished) == (0, True)


def test_a_contact_who_lost_the_address_meanwhile_gets_no_mail(manager: User) -> None:
    invoice = InvoiceFactory.create()
    run = begin(manager, "request_payment", invoice, message="")
    type(invoice.contact).objects.filter(pk=invoice.contact_id).update(email="")
    run.advance(manager, most=25)
    assert run.refused[0][2] == f"{invoice.contact.name} has no e-mail address."


def test_two_tabs_advancing_one_run_do_nothing_twice(manager: User) -> None:
    invoices = [InvoiceFactory.create() for _ in range(3)]
    run = begin(manager, "request_payment", *invoices, message="")
    other = Bulk.objects.get(pk=run.pk)
    run.advance(manager, most=2)
    other.advance(manager, most=2)
    assert (other.position, other.done, other.refused) == (2, 2, [])
    assert Event.objects.filter(action="request_payment").count() == 2


def test_drafts_deleted_before_an_interruption_count_as_done(manager: User) -> None:
    drafts = [InvoiceFactory.create(status=InvoiceStatus.DRAFT) for _ in range(3)]
    run = begin(manager, "delete", *drafts)
    stale = Bulk.objects.get(pk=run.pk)
    run.advance(manager, most=2)
    Bulk.objects.filter(pk=run.pk).update(position=0, done=0)  # the process died before it wrote that down
    stale.advance(manager, most=3)
    assert (stale.done, stale.refused, stale.is_finished) == (3, [], True)
    assert not Invoice.objects.exists()


def test_a_draft_that_somebody_else_deleted_is_said_to_be_gone(manager: User) -> None:
    draft = InvoiceFactory.create(status=InvoiceStatus.DRAFT)
    run = begin(manager, "delete", draft)
    draft.discard(None)
    run.advance(manager, most=25)
    assert run.refused[0][2] == "It does not exist any more."


def test_a_draft_deleted_while_it_waits_for_the_lock_is_done_or_gone(
    manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = InvoiceFactory.create(status=InvoiceStatus.DRAFT)
    run = begin(manager, "delete", draft)

    lock = Invoice.lock

    def too_late(self: Invoice) -> None:
        Invoice.objects.filter(pk=draft.pk).delete()
        lock(self)

    monkeypatch.setattr(Invoice, "lock", too_late)
    run.advance(manager, most=25)
    assert run.refused[0][2] == f"Draft {draft.pk} does not exist any more."


def test_a_run_over_mixed_statuses_does_the_eligible_ones(desk: Client) -> None:
    made = {status: InvoiceFactory.create(status=status) for status in InvoiceStatus}
    dialog = ask(desk, "void", *made.values())
    confirm(desk, "void", dialog, reason="")
    run = Bulk.objects.get()
    assert run.done == 6
    left_out = {made[status].pk for status in (InvoiceStatus.DRAFT, InvoiceStatus.VOIDED)}
    assert {row[0] for row in run.refused} == left_out
