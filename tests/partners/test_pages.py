"""What staff see of partners and do there: the list, the pages, the dialogs."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from billing.actions import ACTIONS
from billing.models import Bulk, Commission, Invoice, Partner, Payout, Threshold, bulk
from billing.models.bulk import Plan
from billing.models.partners.settling import Difference, combined
from tests.attempts.desk import fresh
from tests.factories import ContactFactory, PartnerFactory, UserFactory
from tests.partners.desk import (
    approve_all,
    close,
    give_back,
    line,
    pay_all,
    refer,
    rows,
    sale,
    two_levels,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Billing manager"))
    return client


@pytest.fixture
def ada() -> Partner:
    return PartnerFactory.create(contact__name="Ada Lovelace", code="ADA")


def read(desk: Client, path: str) -> str:
    response = desk.get(path)
    assert response.status_code == 200, response.content.decode()
    return words(response)


def words(response: Any) -> str:
    """As a person reads it."""
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", response.content.decode()))


# -- the list


def test_filters_find_by_partner_state_day_and_size(desk: Client, ada: Partner) -> None:
    bob = PartnerFactory.create(contact__name="Bob Noyce", program=ada.program)
    invoice = close(sale(ada))
    close(sale(bob, line(70), currency="EUR"))
    pay_all(ada)
    give_back(invoice, 40)
    found = {
        "q=lovelace": 2,
        f"q={invoice.number}": 2,
        "status=paid": 1,
        "status=paid&status=approved": 3,
        "kind=clawback": 1,
        "currency=eur": 1,
        f"contact={bob.contact_id}": 1,
        "amount_min=5": 2,
        "amount_max=5": 1,
        "date_to=2020-01-01": 0,
        f"program={ada.program}": 3,
        f"payout={Payout.objects.get().pk}": 1,
    }
    for query, count in found.items():
        page = desk.get(f"/commissions/?{query}").content.decode()
        assert page.count('name="ids"') == count, query
    assert "Kind is “x”" in read(desk, "/commissions/?kind=x")


def test_the_list_asks_no_more_often_for_many(
    desk: Client, ada: Partner, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    close(sale(ada))
    desk.get("/commissions/")
    with django_assert_num_queries(8) as one:  # as the other lists, and the programs that can be paid out
        desk.get("/commissions/")
    close(sale(ada, *(line(5) for _ in range(12))))
    with django_assert_num_queries(len(one)):
        desk.get("/commissions/")


def test_all_that_match_are_approved_at_once_and_the_second_click_does_nothing(
    desk: Client, ada: Partner
) -> None:
    for _ in range(3):
        close(sale(ada))
    asked = {"filter": "status=pending", "all": "1"}
    shown = desk.post("/commissions/approve/", asked)
    assert "Approve 3 commissions." in words(shown)
    assert "$30.00 $0.00" in words(shown)
    state = re.search(r'name="state" value="(\w+)"', shown.content.decode())
    assert state
    confirmed = {**asked, "key": str(uuid4()), "state": state[1]}
    close(sale(ada))
    stale = desk.post("/commissions/approve/", confirmed)
    assert stale.status_code == 409
    assert "have changed since" in words(stale)
    confirmed["state"] = ""
    for _ in range(2):
        assert desk.post("/commissions/approve/", confirmed).status_code == 302
    assert rows(ada) == [("approved", "10")] * 4
    assert "None of these commissions is pending" in words(desk.post("/commissions/approve/", asked))


def test_the_row_offers_approval_to_whom_it_is_allowed(desk: Client, client: Client, ada: Partner) -> None:
    close(sale(ada))
    row = Commission.objects.get()
    link = f"/commissions/approve/?ids={row.pk}"
    assert link in desk.get("/commissions/").content.decode()
    assert "Approve 1 commission." in read(desk, link)
    client.force_login(UserFactory.create(role="Support"))
    assert link not in client.get("/commissions/").content.decode()
    assert client.get(link).status_code == 403


def test_each_button_for_the_selected_rows_leads_to_what_it_says(desk: Client, ada: Partner) -> None:
    close(sale(ada))
    page = desk.get("/commissions/").content.decode()
    buttons = re.findall(r'id="bulk-(\w+)" formaction="([^"]*)" hx-post="([^"]*)"', page)
    assert {name: {form, in_place} for name, form, in_place in buttons} == {
        name: {f"/commissions/{name}/"} for name in ("approve", "export")
    }


def test_the_export_has_the_columns_of_the_list(desk: Client, ada: Partner) -> None:
    invoice = close(sale(ada, line(100)))
    sold = Commission.objects.get()
    asked = {"filter": "", "all": "1", "per": "commissions", "columns": "shown"}
    response = desk.post("/commissions/export/", asked)
    made = b"".join(response).decode("utf-8-sig").split("\r\n")
    assert made[0] == "date,partner,code,level,invoice,product,kind,amount,currency,status"
    assert made[1] == (
        f"{sold.earned_on},Ada Lovelace,ADA,1,{invoice.number},{sold.line.description},"
        "commission,10.00,USD,pending"
    )


# -- dialogs


def test_the_dialogs_say_which_commissions_change(desk: Client) -> None:
    below, above = two_levels()
    invoice = sale(below)
    pay = read(desk, f"/invoices/{invoice.pk}/pay/")
    assert f"{below} $0.00 $10.00 $10.00" in pay
    assert f"{above} $0.00 $5.00 $5.00" in pay
    close(invoice)
    assert f"{below} $10.00 $0.00 -$10.00" in read(desk, f"/invoices/{invoice.pk}/refund/")
    assert f"{below} $10.00 $0.00 -$10.00" in read(desk, f"/invoices/{invoice.pk}/void/")
    part = desk.get(
        f"/invoices/{invoice.pk}/refund/?amount=25&route=recorded",
        headers={"HX-Request": "true", "HX-Target": "preview"},
    )
    assert f"{below} $10.00 $7.50 -$2.50" in words(part)


def test_a_rerun_shows_each_commission_before_and_after_and_stores_just_that(
    desk: Client, ada: Partner
) -> None:
    bob = PartnerFactory.create(program=ada.program, code="BOB")
    invoice = close(sale(ada))
    url = f"/invoices/{invoice.pk}/rerun_commissions/"
    assert "Nothing would change" in read(desk, url)
    refer(invoice.contact, bob)
    page = desk.get(url)
    product = Commission.objects.get().line.description
    assert f"{ada}, level 1: {product} $10.00 $0.00 -$10.00" in words(page)
    assert f"{bob}, level 1: {product} $0.00 $10.00 $10.00" in words(page)
    shown = re.search(r'name="shown" value="(\w+)"', page.content.decode())
    assert shown
    refer(invoice.contact, ada)
    answer = desk.post(url, {"shown": shown[1], "key": str(uuid4())})
    assert answer.status_code == 409
    assert "come to something else by now" in words(answer)
    refer(invoice.contact, bob)
    again = desk.post(url, {"shown": "0" * 64, "key": str(uuid4())})
    assert f'name="shown" value="{shown[1]}"' in again.content.decode()  # the dialog is up to date again
    assert desk.post(url, {"shown": shown[1], "key": str(uuid4())}).status_code == 302
    assert (rows(ada), rows(bob)) == ([("cancelled", "10")], [("pending", "10")])
    assert f"{ada} $10.00 → $0.00" in read(desk, f"/invoices/{invoice.pk}/")


def test_many_are_run_again_with_a_preview_per_partner(desk: Client, ada: Partner) -> None:
    bob = PartnerFactory.create(program=ada.program, code="BOB")
    sold = [close(sale(ada)) for _ in range(2)]
    still_open = sale(ada)
    for each in sold:
        refer(each.contact, bob)
    asked = {"ids": ",".join(str(each.pk) for each in (*sold, still_open))}
    page = desk.post("/invoices/rerun_commissions/", asked)
    assert f"{ada} $20.00 $0.00 -$20.00 {bob} $0.00 $20.00 $20.00" in words(page)
    assert "only Closed invoices can be given their commissions anew" in words(page)
    state = re.search(r'name="state" value="(\w+)"', page.content.decode())
    assert state
    confirmed = {**asked, "key": str(uuid4()), "state": state[1]}
    refer(sold[0].contact, ada)
    assert desk.post("/invoices/rerun_commissions/", confirmed).status_code == 409
    refer(sold[0].contact, bob)
    assert desk.post("/invoices/rerun_commissions/", confirmed).status_code == 302
    assert (rows(ada), rows(bob)) == ([("cancelled", "10")] * 2, [("pending", "10")] * 2)
    assert Bulk.objects.get().done == 2


def test_partners_of_many_invoices_are_put_in_order_once_for_all(
    ada: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = [close(sale(ada)).pk for _ in range(3)]
    ordered: list[int] = []

    def counted(*given: Any) -> list[Difference]:
        found = combined(*given)
        ordered.append(len(found))
        return found

    monkeypatch.setattr(bulk, "combined", counted)
    user = UserFactory.create(role="Billing manager")
    plan = Plan.of(ACTIONS["rerun_commissions"], Invoice.objects.filter(pk__in=sold), user)
    assert [(each.partner, each.after) for each in plan.differences] == [(ada, Decimal(30))]
    assert ordered == [1]  # with a thousand partners, each time takes a millisecond


def test_a_payout_is_shown_made_once_and_leads_to_its_file(desk: Client, ada: Partner) -> None:
    bob = PartnerFactory.create(program=ada.program, code="BOB")
    Threshold.objects.create(program=ada.program, currency="USD", amount=Decimal(8))
    close(sale(ada))
    close(sale(bob, line(70)))
    approve_all()
    url = f"/programs/{ada.program.pk}/pay-out/"
    page = desk.get(url)
    assert f"{ada} $10.00 $0.00 {bob} $7.00 $7.00" in words(page)
    assert "1 partner is carried over" in words(page)
    seen = re.search(r'name="seen" value="([^"]+)"', page.content.decode())
    assert seen
    asked = {"currency": "USD", "seen": seen[1], "key": str(uuid4())}
    for _ in range(2):
        made = desk.post(url, asked)
        payout = Payout.objects.get()
        assert made.headers["Location"] == f"/payouts/{payout.pk}/"
    assert "Ada Lovelace" in read(desk, f"/payouts/{payout.pk}/")
    assert f"Payout {payout.pk}" in read(desk, "/payouts/")
    wrong = desk.post(url, {**asked, "currency": "XXX", "key": str(uuid4())})
    assert "Currency is “XXX”: nothing approved is in it." in words(wrong)


# -- pages


def test_the_page_of_a_partner_says_what_is_owed_and_what_was_paid(desk: Client, ada: Partner) -> None:
    invoice = close(sale(ada))
    pay_all(ada)
    give_back(invoice, 50)
    close(sale(ada, line(30)))
    page = read(desk, f"/partners/{ada.pk}/")
    assert "Pending $3.00 Approved $0.00 To claw back -$5.00 Paid $10.00" in page
    assert "?ref=ADA" in page
    assert f"Payout {Payout.objects.get().pk}" in page
    assert invoice.contact.name in page


def test_the_tab_shows_who_referred_a_contact_and_enrols_them(desk: Client, ada: Partner) -> None:
    contact = ContactFactory.create(name="Grace Hopper")
    refer(contact, ada)
    tab = f"/contacts/{contact.pk}/referrals/"
    assert f'href="{tab}"' in desk.get(f"/contacts/{contact.pk}/").content.decode()
    assert "Not a partner" in read(desk, tab)
    assert f"First referrer {ada}" in read(desk, tab)
    enrol = f"/contacts/{contact.pk}/programs/{ada.program.pk}/enrol/"
    assert 'value="GRACE-HOPPER"' in desk.get(enrol).content.decode()
    assert "another partner has it" in words(desk.post(enrol, {"code": "ada"}))
    assert desk.post(enrol, {"code": "GRACE"}).status_code == 302
    assert "?ref=GRACE" in read(desk, tab)
    assert "Enrolled in" in read(desk, f"/contacts/{contact.pk}/timeline/")


def test_referrers_are_named_by_code_and_what_is_wrong_is_said(desk: Client, ada: Partner) -> None:
    contact = ContactFactory.create()
    url = f"/contacts/{contact.pk}/programs/{ada.program.pk}/referrers/"
    refused = desk.post(url, {"first": "NOBODY", "last": "ada", "seen": "0.0"})
    assert refused.status_code == 422
    assert "First referrer is “NOBODY”: no partner has this code." in words(refused)
    assert desk.post(url, {"first": "ada", "last": "", "seen": "0.0"}).status_code == 302
    stale = desk.post(url, {"first": "", "last": "ada", "reason": "Her letter", "seen": "0.0"})
    assert stale.status_code == 409
    assert 'value="Her letter"' in stale.content.decode()
    assert f'name="seen" value="{ada.pk}.0"' in stale.content.decode()
    found = contact.referrals.get()
    assert (found.first, found.last) == (ada, None)


def test_a_contacts_page_of_referrals_asks_no_more_often_for_many(
    desk: Client, ada: Partner, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    close(sale(ada))
    desk.get(f"/partners/{ada.pk}/")
    for path, count in ((f"/partners/{ada.pk}/", 10), (f"/contacts/{ada.contact_id}/referrals/", 12)):
        with django_assert_num_queries(count):
            desk.get(path)
    for _ in range(3):
        close(fresh(sale(ada)))
    for path, count in ((f"/partners/{ada.pk}/", 10), (f"/contacts/{ada.contact_id}/referrals/", 12)):
        with django_assert_num_queries(count):
            desk.get(path)
