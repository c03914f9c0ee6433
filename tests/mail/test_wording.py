"""Every e-mail can be put into other words; words that cannot be used stop nothing."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from billing.mail import Wording, checking, examples
from billing.mail.letter import default
from billing.models import EmailTemplate, Event, Mail
from billing.models.wording import on_paper
from billing.statuses import InvoiceStatus, MailKind
from tests.factories import CardFactory, InvoiceFactory

ALL = pytest.mark.parametrize("kind", MailKind)
GOOD = Wording(
    "Dear {{ contact_name }}", "{{ sentence }} {{ pay_link }}", "<p>{{ sentence }} {{ pay_link }}</p>"
)


@ALL
def test_the_words_that_the_product_brings_along_pass_the_check(kind: MailKind) -> None:
    assert checking.problems(kind, default(kind)) == {}


@ALL
def test_every_value_of_an_example_is_explained_and_plain(kind: MailKind) -> None:
    for letter in (examples.full(kind), examples.bare(kind)):
        known = letter.values.keys() | letter.blocks.keys()
        assert known == set(examples.names_of(kind))
        assert known <= examples.NAMES.keys()
        assert {type(value) for value in letter.values.values()} == {str}


@ALL
def test_html_is_whole_and_keeps_a_name_from_being_markup(kind: MailKind) -> None:
    html = examples.full(kind).write().html
    assert html.startswith("<!doctype html>")
    assert html.rstrip().endswith("</html>")
    assert "<Lovelace>" not in html
    assert "{{" not in html
    assert "{%" not in html


def test_no_explained_name_is_unused() -> None:
    assert set(examples.NAMES) == {name for kind in MailKind for name in examples.names_of(kind)}


@pytest.mark.parametrize(
    ("part", "words", "sentence"),
    [
        ("subject", "One\nTwo", "Line 1 ends in a line break: a subject is one line."),
        ("subject", " {% if personal %}x{% endif %}", "Nothing is left of it when it is filled in."),
        ("text", "{{ sentence }}", "It has no {{ pay_link }}: without it the mail leads nowhere."),
        ("html", "<p>{{ sentence }}</p>", "It has no {{ pay_link }}: without it the mail leads nowhere."),
        (
            "text",
            "{% if personal %}{{ pay_link }}{% endif %} x",
            "It has no {{ pay_link }}: without it the mail leads nowhere.",
        ),
        (
            "html",
            "{{ card }} {{ pay_link }}",
            "Line 1: “card” is no value of this e-mail; see the list below.",
        ),
        ("text", "x" * 50_001, "It has 50001 characters: at most 50000 are possible."),
    ],
)
def test_what_is_wrong_is_said_at_its_part(part: str, words: str, sentence: str) -> None:
    wording = replace(GOOD, **{part: words})
    assert checking.problems(MailKind.UNPAID_INVOICE, GOOD) == {}
    assert checking.problems(MailKind.UNPAID_INVOICE, wording) == {part: [sentence]}


def changed(kind: MailKind = MailKind.RECEIPT, **parts: str) -> EmailTemplate:
    words = {"subject": GOOD.subject, "text": GOOD.text, "html": GOOD.html, **parts}
    return EmailTemplate.objects.create(kind=kind, **words)


@pytest.mark.django_db
def test_changed_words_are_used_for_their_kind_and_no_other() -> None:
    changed(subject="Merci, {{ contact_name }}")
    invoice = InvoiceFactory.create(status=InvoiceStatus.CLOSED)
    assert invoice.receipt().subject == f"Merci, {invoice.contact.name}"
    assert invoice.receipt().text == "This invoice is paid in full: we received $100.00. Thank you.\n"
    assert invoice.payment_request().subject.startswith("Invoice ")


@pytest.mark.django_db
def test_words_from_before_an_upgrade_give_way_to_the_default_and_are_put_before_a_person(
    caplog: pytest.LogCaptureFixture,
) -> None:
    template = changed(text="{{ a_name_that_is_gone }}")
    card = CardFactory.create()
    invoice = InvoiceFactory.create(contact=card.contact)
    with caplog.at_level(logging.ERROR):
        invoice.pay(None, source=card, amount=invoice.balance, send_receipt=True)
    mail = Mail.objects.get()
    assert invoice.payments.get().status == "applied"
    assert mail.subject == f"Receipt for {invoice} over $100.00"
    template.refresh_from_db()
    assert template.error.startswith("Line 1: “a_name_that_is_gone” is no value of this e-mail")
    assert template.failed_at
    assert "The default took the place of the e-mail template “Receipt”" in caplog.text
    assert not Event.objects.filter(action="mail_not_written").exists()


@pytest.mark.django_db
def test_an_error_that_nobody_foresaw_gives_way_to_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    template = changed()

    def failing(kind: MailKind, wording: Wording) -> Any:
        raise RecursionError("too deep")

    monkeypatch.setattr(checking, "problems", failing)
    letter = examples.full(MailKind.RECEIPT)
    assert on_paper(letter) == letter.write()
    template.refresh_from_db()
    assert template.error == "RecursionError: too deep"


@pytest.mark.django_db
def test_a_failure_is_written_down_once() -> None:
    template = changed(text="{{ gone }}")
    on_paper(examples.full(MailKind.RECEIPT))
    template.refresh_from_db()
    first = template.failed_at
    on_paper(examples.full(MailKind.RECEIPT))
    template.refresh_from_db()
    assert template.failed_at == first


@pytest.mark.django_db
def test_saving_words_that_can_be_used_takes_the_failure_back() -> None:
    template = changed(text="{{ gone }}")
    on_paper(examples.full(MailKind.RECEIPT))
    template.refresh_from_db()
    with pytest.raises(ValidationError):
        template.full_clean()
    template.text = "{{ sentence }}"
    template.full_clean()
    template.save()
    template.refresh_from_db()
    assert (template.error, template.failed_at) == ("", None)
