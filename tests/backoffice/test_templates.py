"""The back office puts e-mails into other words: checked, shown beforehand, and taken back."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from billing.mail import examples
from billing.mail.letter import default
from billing.models import EmailTemplate, MailSettings
from billing.models.wording import on_paper
from billing.statuses import MailKind
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
LIST = reverse("admin:billing_emailtemplate_changelist")
ADD = reverse("admin:billing_emailtemplate_add")
PREVIEW = reverse("admin:billing_emailtemplate_preview")
GIVEN = {
    "kind": "receipt",
    "subject": "Merci, {{ contact_name }}",
    "text": "{{ sentence }}\r\n{{ figures }}",
    "html": "<p>{{ sentence }}</p>{{ figures }}",
}


@pytest.fixture
def office(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Administrator", is_staff=True))
    return client


def read(office: Client, path: str) -> str:
    return office.get(path).content.decode()


def test_every_email_can_be_chosen_and_begins_with_the_words_that_hold(office: Client) -> None:
    page = read(office, ADD)
    for kind in MailKind:
        assert f'href="?kind={kind}"' in page
        response = office.get(ADD, {"kind": kind})
        form = response.context["adminform"].form
        assert form.initial["text"] == default(kind).text
        for name in examples.names_of(kind):
            assert f"<code>{name}</code>" in response.content.decode()


def test_words_are_changed_and_taken_back(office: Client) -> None:
    assert office.post(f"{ADD}?kind=receipt", GIVEN).status_code == 302
    template = EmailTemplate.objects.get()
    assert template.text == "{{ sentence }}\n{{ figures }}"
    assert template.changed_by
    letter = examples.full(MailKind.RECEIPT)
    assert on_paper(letter).subject == "Merci, Ada <Lovelace> & Sons"
    page = read(office, reverse("admin:billing_emailtemplate_change", args=[template.pk]))
    assert "Back to the default" in page
    delete = reverse("admin:billing_emailtemplate_delete", args=[template.pk])
    assert delete in page
    office.post(delete, {"post": "yes"})
    assert on_paper(letter) == letter.write()


def test_an_email_that_was_changed_is_opened_and_not_changed_twice(office: Client) -> None:
    office.post(f"{ADD}?kind=receipt", GIVEN)
    assert 'href="?kind=receipt"' not in read(office, ADD)
    office.post(f"{ADD}?kind=receipt", {**GIVEN, "subject": "Again"})
    assert EmailTemplate.objects.get().subject == GIVEN["subject"]
    page = reverse("admin:billing_emailtemplate_change", args=[EmailTemplate.objects.get().pk])
    office.post(page, {**GIVEN, "kind": "unpaid_invoice", "subject": "Once more"})
    assert [(each.kind, each.subject) for each in EmailTemplate.objects.all()] == [("receipt", "Once more")]


@pytest.mark.parametrize(
    ("part", "words", "sentence"),
    [
        ("text", "a\r\n{% load money %}", "Invalid block tag on line 2: &#x27;load&#x27;. Only if,"),
        ("html", "{{ total }}\n{{ sum }}", "Line 2: “sum” is no value of this e-mail;"),
        ("html", "{{ total|urlencode:3 }}", "It cannot be filled in (TypeError:"),
        ("text", "{{ total|truncatechars:1e400 }}", "It cannot be filled in (OverflowError:"),
        ("text", "{% if " + "not " * 4000 + "total %}x{% endif %}", "too many conditions"),
        ("html", "{{" * 24_000, "“{{” has no “}}” in its line."),
        ("subject", "One\nTwo", "a subject is one line."),
        ("subject", "", "This field is required."),
    ],
)
def test_a_refusal_stands_at_its_part_and_keeps_what_was_typed(
    office: Client, part: str, words: str, sentence: str
) -> None:
    response = office.post(f"{ADD}?kind=receipt", {**GIVEN, part: words})
    assert response.status_code == 200
    page = response.content.decode()
    assert sentence in page
    assert list(response.context["adminform"].form.errors) == [part]
    assert "{{ figures }}" in page
    assert not EmailTemplate.objects.exists()


def test_the_preview_fills_in_an_example_and_stores_nothing(office: Client) -> None:
    response = office.post(f"{PREVIEW}?kind=receipt", GIVEN)
    page = response.content.decode()
    assert "Merci, Ada &lt;Lovelace&gt; &amp; Sons" in page
    assert "<p>This invoice is paid in full: we received $100.00. Thank you.</p>" in page
    assert not EmailTemplate.objects.exists()
    policy = response.headers["Content-Security-Policy"]
    for rule in ("default-src 'none'", "frame-ancestors 'self'", "sandbox"):
        assert rule in policy
    assert "script" not in policy
    assert response.headers["X-Frame-Options"] == "SAMEORIGIN"


def test_the_preview_says_what_is_wrong(office: Client) -> None:
    page = office.post(f"{PREVIEW}?kind=receipt", {**GIVEN, "text": "{{ sum }}"}).content.decode()
    assert "Line 1: “sum” is no value of this e-mail" in page
    assert "Merci" not in page


@pytest.mark.parametrize("query", ["", "?kind=", "?kind=newsletter"])
def test_a_preview_of_no_email_is_not_found(office: Client, query: str) -> None:
    assert office.post(PREVIEW + query, GIVEN).status_code == 404


def test_whoever_may_not_change_words_sees_no_preview(client: Client) -> None:
    client.force_login(UserFactory.create(role="Billing manager", is_staff=True))
    for path in (ADD, LIST, PREVIEW):
        assert client.get(path).status_code == 403
        assert client.post(path, GIVEN).status_code == 403


def test_words_that_failed_are_shown_with_the_reason_here_and_on_the_health_page(office: Client) -> None:
    template = EmailTemplate.objects.create(**{**GIVEN, "text": "{{ gone }}"})
    on_paper(examples.full(MailKind.RECEIPT))
    for path in (LIST, reverse("admin:billing_emailtemplate_change", args=[template.pk]), "/health/"):
        assert "“gone” is no value of this e-mail" in read(office, path), path
    EmailTemplate.objects.all().delete()
    assert "no value" not in read(office, "/health/")


def test_the_settings_are_one_row(office: Client) -> None:
    add = reverse("admin:billing_mailsettings_add")
    given = {"staff_address": "books@example.com", "expiry_notice_days": "14"}
    assert office.post(add, {**given, "expiry_notice_days": "366"}).status_code == 200
    assert office.post(add, given).status_code == 302
    settings = MailSettings.current()
    assert (settings.pk, settings.staff_address, settings.expiry_notice_days) == (1, "books@example.com", 14)
    assert office.post(add, given).status_code == 403
    assert (
        office.post(reverse("admin:billing_mailsettings_delete", args=[1]), {"post": "yes"}).status_code
        == 403
    )
