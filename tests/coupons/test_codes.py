"""Personal codes: issued to one or to many, copied, withdrawn, and shown in section 8 of the tab."""

from __future__ import annotations

import csv
import re
import time
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.models import Coupon, CouponCode, Event
from billing.models.coupons.issuing import issue_codes
from billing.models.guard import AlreadyDone, Invalid, NotAllowed, NotOffered
from billing.models.spelling import GENERATED, SPEAKABLE, new_code, shown
from billing.roles import ROLES
from billing.statuses import CodeState, CouponAudience, CouponKind
from contacts.models import Contact
from tests.attempts.desk import assert_books_agree
from tests.factories import NOON, ContactFactory, CouponFactory, InvoiceFactory, UserFactory

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true", "HX-Target": "dialog"}
PREVIEW = {"HX-Request": "true", "HX-Target": "preview"}
KEY = UUID(int=8)


@pytest.fixture
def manager() -> User:
    return UserFactory.create(role="Billing manager")


@pytest.fixture
def desk(client: Client, manager: User) -> Client:
    client.force_login(manager)
    return client


@pytest.fixture
def ada() -> Contact:
    return ContactFactory.create(name="Ada Lovelace")


@pytest.fixture
def thanks() -> Coupon:
    """A personal coupon of which no code is issued yet."""
    return Coupon.objects.create(
        name="Thank you", kind=CouponKind.PERCENT, percent=10, audience=CouponAudience.PERSONAL
    )


def everybody() -> QuerySet[Contact]:
    return Contact.objects.all()


def issue(
    coupon: Coupon, contacts: QuerySet[Contact], *, again: bool = False, key: UUID | None = None
) -> Event:
    return issue_codes(None, coupon=coupon, contacts=contacts, again=again, at=NOON, key=key)


# -- issuing


def test_a_code_is_made_of_what_nobody_mistakes_on_the_phone() -> None:
    codes = {new_code() for _ in range(100)}
    assert len(codes) == 100
    assert not set("AEIOUY0128SZB") & (set(SPEAKABLE) - {"Y"})
    assert all(GENERATED.fullmatch(code) for code in codes)
    assert shown("K7PMWQ3XT4HD") == "K7PM-WQ3X-T4HD"
    assert shown("SUMMERSALE24") == "SUMMERSALE24"


def test_each_contact_gets_one_and_whoever_has_one_gets_none_unless_asked(
    thanks: Coupon, ada: Contact
) -> None:
    issue(thanks, Contact.objects.filter(pk=ada.pk))
    others = ContactFactory.create_batch(3)
    event = issue(thanks, everybody())
    assert event.text == "3 codes of “Thank you” issued."
    assert CouponCode.objects.filter(contact__in=others).count() == 3
    assert Event.objects.filter(contact=ada, action="issue_code").count() == 1
    with pytest.raises(Invalid, match="all of them have a code of this coupon already"):
        issue(thanks, everybody())
    issue(thanks, everybody(), again=True)
    assert ada.coupon_codes.count() == 2


def test_a_withdrawn_code_does_not_keep_anybody_from_another_one(thanks: Coupon, ada: Contact) -> None:
    issue(thanks, everybody())
    CouponCode.objects.get().withdraw(None, reason="Sent to the wrong address")
    issue(thanks, everybody())
    assert sorted(ada.coupon_codes.values_list("state", flat=True)) == ["issued", "withdrawn"]


def test_the_days_are_counted_from_the_issue(thanks: Coupon, ada: Contact) -> None:
    Coupon.objects.update(days=30)
    issue(thanks, everybody())
    code = CouponCode.objects.get()
    assert code.expires_on == date(2026, 4, 1)
    code.check_usable(ada, date(2026, 4, 1))
    with pytest.raises(Invalid, match="it expired on 1 Apr 2026"):
        code.check_usable(ada, date(2026, 4, 2))


def test_no_more_are_promised_than_there_are(thanks: Coupon) -> None:
    Coupon.objects.update(total_available=3)
    ContactFactory.create_batch(2)
    issue(thanks, everybody())
    ContactFactory.create_batch(2)
    with pytest.raises(Invalid, match="1 of 3 are left, and 2 are asked for"):
        issue(thanks, everybody())
    CouponCode.objects.first().withdraw(None, reason="")  # type: ignore[union-attr]
    issue(thanks, everybody().filter(coupon_codes=None))
    assert CouponCode.objects.filter(state=CodeState.ISSUED).count() == 3


def test_the_same_key_issues_once(thanks: Coupon) -> None:
    ContactFactory.create_batch(2)
    issue(thanks, everybody(), again=True, key=KEY)
    with pytest.raises(AlreadyDone, match="2 codes"):
        issue(thanks, everybody(), again=True, key=KEY)
    assert CouponCode.objects.count() == 2


def test_two_thousand_take_a_moment_and_few_queries(thanks: Coupon) -> None:
    Contact.objects.bulk_create(
        [Contact(name=f"Contact {n}", search_text=f"CONTACT {n}") for n in range(2000)], batch_size=1000
    )
    began = time.monotonic()
    with CaptureQueriesContext(connection) as asked:
        issue(thanks, everybody())
    assert CouponCode.objects.count() == 2000
    assert len(asked) < 60  # SQLite takes 999 values at once
    assert time.monotonic() - began < 10


def test_only_the_billing_manager_issues_and_withdraws(thanks: Coupon, ada: Contact) -> None:
    support = UserFactory.create(role="Support")
    with pytest.raises(NotAllowed, match="it takes Billing manager or Administrator"):
        issue_codes(support, coupon=thanks, contacts=everybody(), again=False, at=NOON)
    issue(thanks, everybody())
    with pytest.raises(NotAllowed, match="Withdraw"):
        CouponCode.objects.get().withdraw(support, reason="")


def test_a_code_that_is_redeemed_is_not_withdrawn(thanks: Coupon, ada: Contact) -> None:
    issue(thanks, everybody())
    code = CouponCode.objects.get()
    InvoiceFactory.create(contact=ada, coupon=code.shown.lower())
    with pytest.raises(NotOffered, match="“Redeemed”: it cannot be withdrawn any more"):
        code.withdraw(None, reason="")
    assert_books_agree()


# -- the tab


def part(page: str) -> str:
    return page.split('id="coupons"')[1].split("</section>", maxsplit=1)[0]


def test_section_8_is_empty_counts_and_shows_each_code(desk: Client, thanks: Coupon, ada: Contact) -> None:
    address = f"/contacts/{ada.pk}/purchases/"
    assert "Issue one, tell it to them" in part(desk.get(address).content.decode())
    Coupon.objects.update(days=20_000)
    for _ in range(3):
        issue(thanks, everybody(), again=True)
    used, withdrawn, left = CouponCode.objects.order_by("pk")
    invoice = InvoiceFactory.create(contact=ada, coupon=used.code)
    withdrawn.withdraw(None, reason="")
    section = part(desk.get(address).content.decode())
    assert 'class="count">3<' in section
    for words in (*map(str, (used, withdrawn, left, invoice)), "Thank you", "10 % off", "2 Mar 2026", "2080"):
        assert words in section, words
    assert re.findall(r'badge-(\w+)">', section) == ["issued", "withdrawn", "redeemed"]
    assert section.count(f'data-copy="{left}"') == section.count(f"/codes/{left.pk}/withdraw/?next=") == 1
    assert f"/codes/{used.pk}/" not in section


def test_three_codes_and_thirty_take_as_many_queries(desk: Client, thanks: Coupon, ada: Contact) -> None:
    desk.get("/contacts/")
    asked = []
    for more in (1, 2, 27):
        for _ in range(more):
            issue(thanks, everybody(), again=True)
        newest = CouponCode.objects.latest("pk")
        InvoiceFactory.create(contact=ada, coupon=newest.code)
        with CaptureQueriesContext(connection) as queries:
            page = desk.get(f"/contacts/{ada.pk}/purchases/").content.decode()
        asked.append(len(queries))
    assert len(set(asked)) == 1, asked
    assert "1–25 of 30" in " ".join(part(page).split())
    second = desk.get(f"/contacts/{ada.pk}/purchases/?coupons=2").content.decode()
    assert part(second).count("<tr>") == 1 + 5


def test_the_purchase_history_has_the_coupon_code(desk: Client, ada: Contact) -> None:
    CouponFactory.create(code="SPRING")
    InvoiceFactory.create(contact=ada, coupon="SPRING")
    page = desk.get(f"/contacts/{ada.pk}/purchases/").content.decode()
    history = page.split('id="history"')[1].split("</section>")[0]
    assert '<th scope="col">Coupon code</th>' in history
    assert ">SPRING<" in history
    assert "$10.00" in history


@pytest.mark.parametrize("role", ROLES)
def test_the_actions_are_those_of_the_role(client: Client, thanks: Coupon, ada: Contact, role: str) -> None:
    client.force_login(UserFactory.create(role=role))
    issue(thanks, everybody())
    section = part(client.get(f"/contacts/{ada.pk}/purchases/").content.decode())
    held = ROLES[role]
    assert (f"/contacts/{ada.pk}/codes/new/" in section) == ("billing.issue_couponcode" in held)
    assert ("data-copy=" in section) == ("billing.copy_couponcode" in held)
    assert ("/withdraw/" in section) == ("billing.withdraw_couponcode" in held)


# -- the dialogs


def test_the_dialog_issues_one_code_once(desk: Client, thanks: Coupon, ada: Contact) -> None:
    address = f"/contacts/{ada.pk}/codes/new/"
    asked = desk.get(address, {"coupon": thanks.pk}, headers=PREVIEW).content.decode()
    assert "Ada Lovelace gets a code for 10 % off" in asked
    data = {"coupon": str(thanks.pk), "key": str(KEY)}
    for _ in range(2):
        assert desk.post(address, data, headers=HTMX).status_code == 204
    code = CouponCode.objects.get()
    assert code.contact == ada
    assert str(code) in Event.objects.get(contact=ada).text
    assert (
        "has a code of “Thank you” to redeem already"
        in desk.get(address, {"coupon": thanks.pk}, headers=PREVIEW).content.decode()
    )


def test_the_dialog_refuses_in_sentences(desk: Client, thanks: Coupon, ada: Contact) -> None:
    address = f"/contacts/{ada.pk}/codes/new/"
    assert "Coupon is missing: choose one." in desk.post(address, {"key": str(KEY)}).content.decode()
    Coupon.objects.update(ends_on=timezone.localdate() - timedelta(days=1))
    answer = desk.post(address, {"coupon": str(thanks.pk), "key": str(KEY)})
    assert (answer.status_code, "it is not offered any more" in answer.content.decode()) == (422, True)
    Coupon.objects.update(is_active=False)
    assert "There is no personal coupon to issue a code of" in desk.get(address).content.decode()


def test_withdrawing_asks_and_does_it_once(desk: Client, thanks: Coupon, ada: Contact) -> None:
    issue(thanks, everybody())
    code = CouponCode.objects.get()
    address = f"/codes/{code.pk}/withdraw/"
    assert f"Nobody can redeem {code} of “Thank you” any more." in desk.get(address).content.decode()
    for _ in range(2):
        assert desk.post(address, {"key": str(KEY), "reason": "Lost"}, headers=HTMX).status_code == 204
    code.refresh_from_db()
    assert code.state == CodeState.WITHDRAWN
    assert desk.get(address).status_code == 409


def test_without_scripts_the_code_is_shown_to_be_copied(desk: Client, thanks: Coupon, ada: Contact) -> None:
    issue(thanks, everybody())
    code = CouponCode.objects.get()
    assert f'value="{code}"' in desk.get(f"/codes/{code.pk}/copy/").content.decode()
    code.withdraw(None, reason="")
    assert desk.get(f"/codes/{code.pk}/copy/").status_code == 409


# -- many


def post(desk: Client, coupon: Coupon, /, **more: str) -> tuple[int, str]:
    answer = desk.post("/coupons/issue/", {"coupon": str(coupon.pk), "q": "", **more}, follow=True)
    return answer.status_code, answer.content.decode()


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))


def test_all_that_the_search_finds_get_a_code_after_the_page_has_said_so(
    desk: Client, thanks: Coupon
) -> None:
    for name in ("Grace Hopper", "Grace Kelly", "Mary Shelley"):
        ContactFactory.create(name=name)
    issue(thanks, Contact.objects.filter(name="Grace Kelly"))
    assert "Issue to all 2 that were found" in desk.get("/coupons/issue/?q=grace").content.decode()
    status, page = post(desk, thanks, q="grace", who="all")
    assert "1 contact gets a code of their own for 10 % off" in page
    assert "1 of the chosen has a code of it already and gets none" in page
    assert CouponCode.objects.count() == 1
    confirmed = {**hidden(page), "q": "grace", "who": "all"}
    for _ in range(2):
        status, _page = post(desk, thanks, **confirmed)
        assert status == 200
    assert CouponCode.objects.count() == 2
    assert not CouponCode.objects.filter(contact__name="Mary Shelley").exists()


def test_the_ticked_ones_alone_get_a_code(desk: Client, thanks: Coupon) -> None:
    one, _other = ContactFactory.create_batch(2)
    _status, page = post(desk, thanks, who="ticked", ids=str(one.pk))
    post(desk, thanks, **{**hidden(page), "who": "ticked", "ids": str(one.pk)})
    assert list(CouponCode.objects.values_list("contact", flat=True)) == [one.pk]
    assert post(desk, thanks, who="ticked")[0] == 422
    assert post(desk, thanks, who="ticked", ids="x")[0] == 422


def test_contacts_that_came_since_are_shown_before_they_get_anything(desk: Client, thanks: Coupon) -> None:
    ContactFactory.create()
    _status, page = post(desk, thanks, who="all")
    ContactFactory.create()
    status, again = post(desk, thanks, **{**hidden(page), "who": "all"})
    assert (status, "The contacts have changed since you looked" in again) == (409, True)
    assert not CouponCode.objects.exists()


def test_after_issuing_the_codes_are_had_as_a_file(desk: Client, thanks: Coupon) -> None:
    """Or nobody could tell twenty thousand contacts theirs."""
    ContactFactory.create(name="=Grace()", email="grace@example.com")
    ContactFactory.create(name="Mary Shelley", email="")
    _status, page = post(desk, thanks, who="all")
    _status, page = post(desk, thanks, **{**hidden(page), "who": "all"})
    url = f"/coupons/{thanks.pk}/codes/export/"
    assert f'href="{url}"' in page
    answer = desk.get(url)
    assert answer["Content-Disposition"] == f'attachment; filename="codes-{thanks.pk}.csv"'
    rows = list(csv.DictReader(answer.getvalue().decode("utf-8-sig").splitlines()))
    assert [(row["contact"], row["email"]) for row in rows] == [
        ("'=Grace()", "grace@example.com"),
        ("Mary Shelley", ""),
    ]
    codes = CouponCode.objects.order_by("contact__name")
    assert [row["code"] for row in rows] == [code.shown for code in codes]
    assert Event.objects.latest("id").text == "Exported: 2 rows of coupon codes."


def test_the_codes_of_another_coupon_are_in_another_file(desk: Client, thanks: Coupon, ada: Contact) -> None:
    issue(thanks, everybody())
    other = CouponFactory.create(code="PUBLIC")
    for coupon, count in ((thanks, 2), (other, 1)):  # with its headings
        answer = desk.get(f"/coupons/{coupon.pk}/codes/export/")
        assert len(answer.getvalue().splitlines()) == count
    assert desk.get("/coupons/999/codes/export/").status_code == 404


def test_support_is_told_whose_it_is(client: Client) -> None:
    client.force_login(UserFactory.create(role="Support"))
    assert client.get("/coupons/issue/").status_code == 403
    assert client.post("/coupons/issue/", {"key": str(uuid4())}).status_code == 403
    assert client.get("/coupons/1/codes/export/").status_code == 403


def test_the_list_of_contacts_leads_there_with_its_search(desk: Client, ada: Contact) -> None:
    assert 'href="/coupons/issue/?q=ada"' in desk.get("/contacts/?q=ada&sort=-name").content.decode()


@pytest.mark.parametrize("typed", ["", "0", "x", "\x00", "9" * 30, "<b>"])
def test_what_is_no_coupon_is_refused_in_words(
    desk: Client, thanks: Coupon, ada: Contact, typed: str
) -> None:
    for address in (f"/contacts/{ada.pk}/codes/new/", "/coupons/issue/"):
        answer = desk.post(address, {"coupon": typed, "who": "all", "key": str(KEY)})
        assert answer.status_code == 422
        assert "Coupon is " in answer.content.decode()
