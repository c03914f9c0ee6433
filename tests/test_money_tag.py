from decimal import Decimal

from django.template import Context, Template
from pytest_django import Settings


def written(source: str, amount: str, currency: str) -> str:
    page = Template("{% load money %}" + source)
    return page.render(Context({"amount": Decimal(amount), "currency": currency}))


def test_the_tag_writes_an_amount_with_the_decimals_of_its_currency() -> None:
    tag = "{% money amount currency %}"
    assert written(tag, "1234.500", "USD") == "$1,234.50"
    assert written(tag, "1234.000", "JPY") == "¥1,234"
    assert written(tag, "1234.500", "KWD").endswith("1,234.500")


def test_the_filter_writes_the_same_as_the_tag() -> None:
    assert written("{{ amount|money:currency }}", "1234.500", "USD") == "$1,234.50"


def test_amounts_follow_the_language_of_the_installation(settings: Settings) -> None:
    settings.LANGUAGE_CODE = "de"
    assert written("{% money amount currency %}", "1234.500", "EUR") == "1.234,50\N{NO-BREAK SPACE}€"
