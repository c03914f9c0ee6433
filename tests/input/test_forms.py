"""Each field of each form, spoilt: refused by a sentence that names it, with all that was typed kept."""

from __future__ import annotations

from html import escape, unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.actions import ACTIONS
from billing.forms.checkout import CheckoutForm
from billing.models import Event, Invoice
from billing.models.bulk import Plan
from contacts.models import Contact
from tests.access.addresses import World
from tests.access.rules import taking
from tests.access.test_addresses import everything
from tests.factories import UserFactory
from tests.input.forms import FORMS, LISTS, Form

pytestmark = pytest.mark.django_db

NOT_AMOUNTS = [
    *("10.005", "-1", "9" * 15, "9" * 40, "NaN", "Infinity", "1e5", "٣٤", "１２", "²", " ", "1,000", "1 000"),
    *("$5", "0x1F", "1.2.3", "--5", "+5", "five", "😀", "1\x002", "<b>5</b>", "=1+1"),
]
NOT_DAYS = [
    *("0000-00-00", "10000-01-01", "2026-02-31", "2026-13-01", "1899-12-31", "2200-01-01", "31 Feb 2026"),
    *("٢٠٢٦-٠٣-٠٣", "２０２６-03-03", "tomorrow", "-1", "1e5", "2026-03-03T00:00", "2026-03-03\x00", "<b>"),
    "9" * 400,
]
NOT_CHOICES = [
    *("nonsense", "<script>", "card:99999999999999999999", "card:", "٣", "\x00", "x" * 3000, "%s", "-1"),
]
NOT_TEXTS = {"\x00": "U+0000", "a\x00b": "", "a\x1bb": "", "x" * 20_000: "20000 characters"}
WORDS = [
    "😀 Émile 👩\u200d👩\u200d👧",
    "شركة النور \u202eabc",
    '=HYPERLINK("http://x","y")',
    "<script>alert(1)</script>",
    "O’Brien & Söhne; DROP TABLE",
    "{{ 7|add:7 }} {% now x %} %s %(x)s ${x}",
    "\ud7ff\ue000\ufffd\U0010ffff",
    "-1+2",
]
QUERY = [
    *("q", "page", "sort", "status", "type", "method", "gateway", "currency", "contact", "invoice"),
    *("amount_min", "amount_max", "date_from", "date_to", "invoices", "payments", "history", "cards"),
    *("lines", "events", "next", "ids", "all", "filter", "attempt", "refused", "source", "amount", "ref"),
]
ODD = [*NOT_AMOUNTS, *NOT_DAYS, *NOT_CHOICES, *WORDS, "", "0", "1"]
ANYTHING = st.text(st.characters(codec="utf-8"), max_size=60) | st.sampled_from(ODD)


@pytest.fixture
def somebody() -> User:
    return UserFactory.create(role="Administrator")


@pytest.fixture
def desk(somebody: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(somebody)
    return client


@pytest.fixture
def world(somebody: User) -> World:
    return World.made(somebody)


def filled(form: Form, world: World, **spoilt: Any) -> dict[str, Any]:
    """As the form of this world: what names a record names one that exists."""
    data = form.filled(**spoilt)
    if "ids" in data:
        plan = Plan.of(ACTIONS["void"], Invoice.objects.filter(pk=world.invoice.pk), User.objects.get())
        data |= {"ids": str(world.invoice.pk), "state": plan.state}
    if "charge-amount" in data:
        data.setdefault("charge-card", str(world.card.pk))
    if "visit" in data:
        data |= {"seen": CheckoutForm(world.form, world.form.offers()).to_be_seen, **spoilt}
    return data


def words_of(page: str) -> str:
    """As a person reads it: isolated names are words like others."""
    return unescape(page.replace("<bdi>", "").replace("</bdi>", ""))


def with_fields(kind: str, forms: list[Form]) -> list[Any]:
    return [
        pytest.param(form, field, label, id=f"{form}-{field}")
        for form in forms
        for field, label in getattr(form, kind).items()
    ]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_form_as_it_should_be_is_taken(desk: Client, world: World, form: Form) -> None:
    events = Event.objects.count()
    response = desk.post(form.path(world), filled(form, world))
    assert response.status_code == 302, response.content.decode()
    assert Event.objects.count() > events or Contact.objects.filter(name="Grace Hopper").exists()


@pytest.mark.parametrize(("form", "field", "label"), with_fields("amounts", FORMS))
def test_an_amount_that_is_none_is_refused_in_words(
    desk: Client, world: World, form: Form, field: str, label: str
) -> None:
    before = everything()
    for typed in NOT_AMOUNTS:
        response = desk.post(form.path(world), filled(form, world, **{field: typed}))
        page = response.content.decode()
        assert response.status_code == 422, f"{typed!r}: {page}"
        shown = words_of(page)
        assert f"{label} is " in shown, typed
        assert typed.strip()[:40] in shown.replace(",", "") or typed in shown, typed
        assert f'value="{escape(typed)}"' in page, typed
        assert_kept(form, page, field)
    assert everything() == before


@pytest.mark.parametrize(("form", "field", "label"), with_fields("days", FORMS))
def test_a_day_that_is_none_is_refused_in_words(
    desk: Client, world: World, form: Form, field: str, label: str
) -> None:
    before = everything()
    for typed in NOT_DAYS:
        response = desk.post(form.path(world), filled(form, world, **{field: typed}))
        page = response.content.decode()
        assert response.status_code == 422, f"{typed!r}: {page}"
        assert f"{label} is " in words_of(page), typed
        assert typed[:40] in words_of(page), typed
        assert_kept(form, page, field)
    assert everything() == before


@pytest.mark.parametrize(("form", "field", "label"), with_fields("choices", FORMS))
def test_a_choice_that_was_not_offered_is_refused_in_words(
    desk: Client, world: World, form: Form, field: str, label: str
) -> None:
    before = everything()
    for typed in NOT_CHOICES:
        response = desk.post(form.path(world), filled(form, world, **{field: typed}))
        page = response.content.decode()
        assert response.status_code == 422, f"{typed!r}: {page}"
        assert label in words_of(page), typed
        assert typed[:30] in words_of(page), typed
        assert_kept(form, page, field)
    assert everything() == before


@pytest.mark.parametrize(("form", "field", "label"), with_fields("texts", FORMS))
def test_a_text_that_cannot_be_kept_is_refused_in_words(
    desk: Client, world: World, form: Form, field: str, label: str
) -> None:
    before = everything()
    for typed, rule in NOT_TEXTS.items():
        response = desk.post(form.path(world), filled(form, world, **{field: typed}))
        page = response.content.decode()
        assert response.status_code == 422, f"{typed[:40]!r}: {page}"
        assert label in words_of(page), typed[:40]
        assert rule in words_of(page) or "null character" in words_of(page), typed[:40]
        assert_kept(form, page, field)
    assert everything() == before


def assert_kept(form: Form, page: str, spoilt: str) -> None:
    """Everything else that a person typed is still in its field."""
    for field in (*form.amounts, *form.days, *form.texts):
        value = form.data.get(field)
        for each in [value] if isinstance(value, str) else value or []:
            if field != spoilt:
                assert f'value="{escape(each)}"' in page or f">\n{escape(each)}</textarea>" in page, field


@pytest.mark.parametrize("words", WORDS, ids=range(len(WORDS)))
@pytest.mark.parametrize("form", [form for form in FORMS if form.texts], ids=str)
def test_a_text_of_any_writing_is_taken_and_kept_as_it_was_typed(
    desk: Client, world: World, form: Form, words: str
) -> None:
    typed = {field: f"{words} {field}" for field in form.texts}
    response = desk.post(form.path(world), filled(form, world, **typed), follow=True)
    page = response.content.decode()
    assert response.status_code == 200, page
    assert "<script>alert" not in page
    kept = [str(value) for rows in everything().values() for row in rows for value in row.values()]
    for field, text in typed.items():
        assert any(text in value for value in kept), field


AMOUNTS_AND_DAYS = [*with_fields("amounts", LISTS), *with_fields("days", LISTS)]


@pytest.mark.parametrize(("form", "field", "label"), AMOUNTS_AND_DAYS)
def test_a_filter_that_cannot_be_read_says_so_and_finds_nothing(
    desk: Client, world: World, form: Form, field: str, label: str
) -> None:
    for typed in NOT_DAYS if field in form.days else NOT_AMOUNTS:
        response = desk.get(form.path(world), {field: typed})
        assert response.status_code == 200, typed
        if field in form.days or typed not in (
            "10.005",
            "-1",
        ):  # amounts of no currency; nothing is that small
            page = response.content.decode()
            shown = words_of(page)
            assert f"{label} is " in shown, typed
            assert typed.strip()[:40] in shown, typed
            assert str(world.invoice.number) not in page, typed


@pytest.mark.parametrize("field", ["key", "seen"])
def test_what_nobody_types_is_refused_with_the_way_on(desk: Client, world: World, field: str) -> None:
    for typed in ("nonsense", "\x00", "9" * 5000, "<script>"):
        asked = {"source": "cash", "amount": "10", field: typed}
        response = desk.post(f"/invoices/{world.invoice.pk}/pay/", asked)
        assert response.status_code in (409, 422), typed[:20]
        assert "load it again" in response.content.decode() or "look again" in response.content.decode()
    assert not world.invoice.payments.exists()


@pytest.mark.parametrize(
    ("typed", "rule"),
    [
        ("", "To is missing: write the e-mail address that it goes to."),
        ("ada", "To is “ada”: write an address such as name@example.com."),
        ("ada@", "To is “ada@”: write an address"),
        ("a\x00b@example.com", "To holds a null character: remove it."),
        ("a@example.com\nBcc: b@example.com", "write an address such as name@example.com"),
        (f"{'x' * 300}@example.com", "To has 312 characters: at most 254 are possible."),
    ],
)
@pytest.mark.parametrize("action", ["request_payment", "send_receipt"])
def test_a_mail_goes_to_nobody_whose_address_is_none(
    desk: Client, world: World, action: str, typed: str, rule: str
) -> None:
    invoice = world.payment.invoice if action == "send_receipt" else world.invoice
    response = desk.post(f"/invoices/{invoice.pk}/{action}/", {"recipient": typed, "message": "Kept words"})
    assert response.status_code == 422
    assert rule in words_of(response.content.decode())
    assert "Kept words" in response.content.decode()


def test_a_help_text_is_words_and_not_markup(desk: Client) -> None:
    world = World.made(User.objects.get(), name="<i>Ada</i>", email="")
    page = desk.get(f"/invoices/{world.invoice.pk}/pay/").content.decode()
    assert "&lt;i&gt;Ada&lt;/i&gt; has no e-mail address." in page
    assert "<i>Ada" not in page


@pytest.mark.parametrize("form", FORMS, ids=str)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_no_form_breaks_whatever_is_typed(
    desk: Client, world: World, form: Form, data: st.DataObject
) -> None:
    fields = sorted(set(form.fields()) - {"ids"})
    typed = data.draw(st.dictionaries(st.sampled_from(fields), ANYTHING, min_size=1))

    response = desk.post(form.path(world), filled(form, world, **typed))

    assert response.status_code in (200, 302, 409, 422), typed


ASKED = [*NOT_CHOICES, *NOT_DAYS[:4], *NOT_AMOUNTS[:10], "1,2,\x00", "%", "'", "[]"]


@pytest.mark.parametrize("typed", ASKED, ids=lambda typed: repr(typed[:20]))
def test_no_page_breaks_whatever_its_address_asks(desk: Client, world: World, typed: str) -> None:
    for address in taking("GET"):
        response = desk.get(world.fill(address), dict.fromkeys(QUERY, typed))
        assert response.status_code in (200, 302, 409, 422), address
