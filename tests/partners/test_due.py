"""The one rule of what is due, as arithmetic."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.commissions import Kept, Rate, Sold, due
from billing.statuses import RateKind

coins = st.decimals(min_value=0, max_value=10**11, places=2, allow_nan=False, allow_infinity=False)


def percent(value: str) -> Rate:
    return Rate(RateKind.PERCENT, Decimal(value))


def flat(value: str) -> Rate:
    return Rate(RateKind.FLAT, Decimal(value))


def all_of(total: str, currency: str = "USD") -> Kept:
    return Kept(Decimal(total), Decimal(total), currency)


@pytest.mark.parametrize(
    ("rate", "net", "quantity", "kept", "expected"),
    [
        (percent("10"), "100", "1", all_of("120"), "10.00"),
        (percent("12.5"), "0.20", "1", all_of("1"), "0.03"),  # 0.025, half up
        (percent("10"), "1005", "1", all_of("1005", "JPY"), "101"),  # 100.5
        (percent("10"), "1.005", "1", all_of("2", "KWD"), "0.101"),
        (percent("10"), "100", "1", Kept(Decimal(90), Decimal(120), "USD"), "7.50"),
        (flat("2.50"), "100", "3", all_of("100"), "7.50"),
        (flat("2.50"), "100", "1.5", all_of("100"), "3.75"),
        (flat("2.50"), "4", "3", all_of("100"), "4.00"),  # never more than the line brought
        (flat("2.50"), "100", "3", Kept(Decimal(50), Decimal(100), "USD"), "3.75"),
        (percent("10"), "100", "1", Kept(Decimal(0), Decimal(100), "USD"), "0"),
        (flat("5"), "0", "1", all_of("0"), "0"),
    ],
)
def test_the_rate_on_the_line_in_proportion_to_what_was_kept(
    rate: Rate, net: str, quantity: str, kept: Kept, expected: str
) -> None:
    assert due(rate, Sold(Decimal(net), Decimal(quantity)), kept) == Decimal(expected)


def test_a_quotient_without_end_is_rounded_once() -> None:
    """A third of 0.045 is 0.015: a quotient cut off before it is rounded would be a hair less."""
    kept = Kept(Decimal(1), Decimal(3), "USD")
    assert due(percent("4.5"), Sold(Decimal(1), Decimal(1)), kept) == Decimal("0.02")


@given(coins, st.decimals(0, 100, places=4), coins, coins)
def test_it_lies_between_nothing_and_the_line_and_grows_with_what_is_kept(
    net: Decimal, value: Decimal, one: Decimal, other: Decimal
) -> None:
    total = max(one, other)
    less, more = (
        due(Rate(RateKind.PERCENT, value), Sold(net, Decimal(1)), Kept(kept, total, "USD"))
        for kept in sorted((one, other))
    )
    assert 0 <= less <= more <= net
