from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from billing import mail
from billing.mail import InvoiceFacts, LineFacts, Message
from billing.statuses import InvoiceStatus
from tests.mail.facts import back_in_cash, back_to_card, facts, paid_by_card

HOSTILE = '<script>alert(1)</script> & =HYPERLINK("x") \N{PILE OF POO} \N{HEBREW LETTER ALEF}{{ invoice }}'


def receipt(given: InvoiceFacts) -> Message:
    return mail.receipt(given, payments=[], personal="").write()


TRUTHS: dict[str, tuple[dict[str, Any], str, str]] = {
    "open and partly paid": (
        {"status": "open", "paid": 40},
        "INV-000017 is not paid in full: $60.00 to pay",
        "$60.00 of $100.00 is still to pay. We have received $40.00.",
    ),
    "collections": (
        {"status": "collections"},
        "INV-000017 is not paid: $100.00 to pay",
        "$100.00 of $100.00 is still to pay. No payment has been received.",
    ),
    "collections after a partial payment that was refunded": (
        {"status": "collections", "refunded": 40},
        "INV-000017 is not paid in full: $100.00 to pay",
        "$100.00 of $100.00 is still to pay. We had received $40.00; all of it has been refunded.",
    ),
    "closed": (
        {"status": "closed", "paid": 100},
        "Receipt for INV-000017 over $100.00",
        "This invoice is paid in full: we received $100.00. Thank you.",
    ),
    "closed and partly refunded": (
        {"status": "closed", "paid": 70, "refunded": 30},
        "Receipt for INV-000017 over $100.00",
        "$100.00 was paid and $30.00 of it has been refunded since. Nothing is owed.",
    ),
    "closed and overpaid": (
        {"status": "closed", "paid": 150, "overpaid": Decimal(50)},
        "Receipt for INV-000017 over $100.00",
        "we received $150.00. Thank you. $50.00 more came than was owed.",
    ),
    "closed because it asks for nothing": (
        {"status": "closed", "total": Decimal(0)},
        "INV-000017: nothing to pay",
        "There is nothing to pay on this invoice.",
    ),
    "declined": (
        {"status": "declined"},
        "INV-000017: the order was not paid",
        "The order was not paid and nothing is owed. No payment has been received.",
    ),
    "refunded": (
        {"status": "refunded", "refunded": 100},
        "INV-000017: $100.00 refunded",
        "All the money that was paid, $100.00, has been refunded.",
    ),
    "voided before any money came": (
        {"status": "voided"},
        "INV-000017 was cancelled",
        "This invoice was cancelled and nothing is owed. No payment has been received.",
    ),
    "voided with the money kept": (
        {"status": "voided", "paid": 100},
        "INV-000017 was cancelled",
        "This invoice was cancelled and nothing is owed. We have received $100.00.",
    ),
    "voided and partly refunded": (
        {"status": "voided", "paid": 70, "refunded": 30},
        "INV-000017 was cancelled",
        "We have received $100.00; $30.00 of it has been refunded.",
    ),
    "paid after it was voided": (
        {"status": "voided", "paid": 100, "overpaid": Decimal(100)},
        "INV-000017 was cancelled",
        "We have received $100.00. $100.00 more came than was owed.",
    ),
    "written off": (
        {"status": "written_off", "written_off": Decimal(100)},
        "INV-000017 was not paid in full and is no longer asked for",
        "$100.00 was not paid and is no longer asked for. No payment has been received.",
    ),
    "written off after a partial payment": (
        {"status": "written_off", "paid": 40, "written_off": Decimal(60)},
        "INV-000017 was not paid in full and is no longer asked for",
        "$60.00 was not paid and is no longer asked for. We have received $40.00.",
    ),
}


@pytest.mark.parametrize("case", TRUTHS)
def test_a_receipt_states_the_true_status_and_amounts(case: str) -> None:
    given, subject, sentence = TRUTHS[case]
    message = receipt(facts(**given))
    assert message.subject == subject
    assert sentence in message.text
    assert sentence in message.html


@pytest.mark.parametrize("status", InvoiceStatus)
def test_no_receipt_claims_money_that_never_came(status: str) -> None:
    message = receipt(facts(status))
    for words in (message.text, message.html):
        assert "Received" not in words
        assert "Refunded:" not in words
        assert "paid in full: we received" not in words
        assert "Thank you" not in words


@pytest.mark.parametrize("status", InvoiceStatus)
def test_only_what_can_be_paid_leads_to_the_pay_page(status: str) -> None:
    message = receipt(facts(status))
    can_be_paid = status in ("open", "collections")
    assert ("/pay/" in message.text) is can_be_paid
    assert ("/pay/" in message.html) is can_be_paid


def test_a_receipt_lists_what_came_and_what_went_back() -> None:
    given = facts("closed", paid=60, refunded=40)
    payments = [paid_by_card(100), back_to_card(30), back_in_cash(10)]
    message = mail.receipt(given, payments=payments, personal="").write()
    assert "3 Mar 2026, Visa •• 4242: $100.00\n" in message.text
    assert "5 Mar 2026, Refund to Visa •• 4242: -$30.00\n" in message.text
    assert "5 Mar 2026, Refund (Cash): -$10.00\n" in message.text
    assert "Total: $100.00\nReceived: $100.00\nRefunded: -$40.00\n" in message.text


def test_a_request_names_amount_day_and_both_links() -> None:
    message = mail.unpaid_invoice(facts(), personal="As agreed on the phone.").write()
    assert message.subject == "Invoice INV-000017: $100.00 to pay by 16 Mar 2026"
    for part in (message.text, message.html):
        assert "Please pay $100.00 by 16 Mar 2026." in part
        assert "As agreed on the phone." in part
        assert "https://desk.example.com/i/abc/" in part
        assert "https://desk.example.com/pay/abc/" in part


def test_a_request_for_the_rest_says_what_has_come() -> None:
    message = mail.unpaid_invoice(facts(paid=40), personal="").write()
    assert "We have received $40.00. Please pay $60.00 by 16 Mar 2026." in message.text


def test_a_refund_receipt_names_what_went_back_just_now() -> None:
    given = facts("closed", paid=50, refunded=50)
    message = mail.refund_receipt(given, refunds=[back_to_card(20), back_in_cash(10)]).write()
    assert message.subject == "Refund of $30.00 for INV-000017"
    assert "$30.00 has been returned to you. It can take some days" in message.text


def test_a_refund_that_no_bank_sees_promises_nothing_about_a_bank() -> None:
    message = mail.refund_receipt(facts("closed", paid=90, refunded=10), refunds=[back_in_cash(10)]).write()
    assert "bank" not in message.text


def test_a_long_invoice_says_how_many_lines_its_page_has_besides() -> None:
    message = receipt(facts("closed", paid=100, more_lines=1094))
    assert "and 1094 more on the invoice page" in message.text
    assert "and 1094 more on" in message.html


def test_quantities_lose_the_zeros_of_their_column() -> None:
    assert LineFacts("Lantern", Decimal("2.500"), Decimal(1)).count == "2.5"
    assert LineFacts("Lantern", Decimal("1000.000"), Decimal(1)).count == "1000"


def test_a_name_with_line_breaks_starts_no_header() -> None:
    given = facts("closed", paid=100, name="INV\r\nBcc: everybody@example.com\n\nHello")
    message = receipt(given)
    assert message.subject == "Receipt for INV Bcc: everybody@example.com Hello over $100.00"


def test_html_shows_what_people_typed_and_runs_none_of_it() -> None:
    lines = [LineFacts(HOSTILE, Decimal(1), Decimal(100))]
    given = replace(facts(), contact_name=HOSTILE, note=HOSTILE, lines=lines)
    message = mail.unpaid_invoice(given, personal=HOSTILE).write()
    assert "<script" not in message.html
    assert message.html.count("&lt;script&gt;alert(1)&lt;/script&gt; &amp; ") == 4
    assert message.html.count('dir="auto"') == 4


def test_plain_text_is_as_it_was_typed() -> None:
    message = mail.unpaid_invoice(
        replace(facts(), contact_name=HOSTILE, note=HOSTILE), personal=HOSTILE
    ).write()
    assert message.text.count(HOSTILE) == 3
    assert "&amp;" not in message.text


def test_amounts_keep_the_decimals_of_their_currency() -> None:
    assert "¥100 by" in mail.unpaid_invoice(facts(currency="JPY"), personal="").write().text
    assert "100.000 by" in mail.unpaid_invoice(facts(currency="KWD"), personal="").write().text


def test_percent_signs_in_a_name_are_only_signs() -> None:
    assert "100% wool %(total)s" in receipt(facts(name="100% wool %(total)s")).subject
