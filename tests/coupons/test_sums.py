"""What a coupon takes off: parts that sum to the whole, and never a line or a total below 0."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing import money
from billing.models import LineInput
from billing.models.coupons.discount import Discount
from billing.models.editing import totals_of
from billing.statuses import CouponKind

CURRENCIES = st.sampled_from(["JPY", "USD", "KWD"])
"""0, 2 and 3 decimals."""
OTHER, COVERED = 1, 2


def discount(percent: str = "0", flat: str = "0", currency: str = "USD", *products: int) -> Discount:
    kind = CouponKind.FLAT if Decimal(flat) else CouponKind.PERCENT
    return Discount("X", kind, Decimal(percent), Decimal(flat), currency, frozenset(products), for_all=False)


def lines(*prices: str, tax: str = "0", product: int | None = None) -> list[LineInput]:
    return [
        LineInput("Lantern", Decimal(1), Decimal(price), tax_percent=Decimal(tax), product_id=product)
        for price in prices
    ]


@st.composite
def invoices(draw: st.DrawFn) -> tuple[str, list[LineInput]]:
    """Lines as the editor lets them through: a discount is never above its line."""
    currency = draw(CURRENCIES)
    places = money.exponent(currency)
    prices = st.decimals(0, 10_000, places=places)
    made = []
    for _ in range(draw(st.integers(1, 6))):
        quantity, price = draw(st.decimals("0.001", 50, places=3)), draw(prices)
        most = money.round_half_up(quantity * price, currency)
        off = min(most, draw(st.one_of(st.just(Decimal(0)), prices)))
        tax = draw(st.sampled_from([Decimal(0), Decimal("8.875"), Decimal(20), Decimal(25)]))
        product = draw(st.sampled_from([None, OTHER, COVERED]))
        line = LineInput("Lantern", quantity, price, off, product_id=product, tax_percent=tax)
        if line.amounts(currency).net >= 0:
            made.append(line)
    return currency, made


COUPONS = st.one_of(
    st.builds(lambda percent: (percent, Decimal(0)), st.decimals("0.0001", 100, places=4)),
    st.builds(lambda flat: (Decimal(0), flat), st.integers(1, 100_000).map(Decimal)),
)


@settings(max_examples=300)
@given(invoices(), COUPONS, st.booleans())
def test_no_line_and_no_total_goes_below_0_and_the_parts_sum_to_the_whole(
    invoice: tuple[str, list[LineInput]], coupon: tuple[Decimal, Decimal], only_covered: bool
) -> None:
    (currency, asked), (percent, flat) = invoice, coupon
    products = (COVERED,) if only_covered else ()
    takes = discount(str(percent), str(flat), currency, *products)
    shares = takes.shares(asked, currency)
    before = [line.amounts(currency) for line in asked]
    after = [line.amounts(currency, coupon=share) for line, share in zip(asked, shares, strict=True)]

    for line, share, was, now in zip(asked, shares, before, after, strict=True):
        assert share == 0 or takes.covers(line.product_id)
        assert not money.is_too_fine(share, currency)
        assert now.net == was.net - share
        assert min(share, now.net, now.tax, now.total) >= 0
        assert now.total == now.net + now.tax <= was.total
        assert now.net or not share or not now.total
    qualifying = sum(
        (was.net for line, was in zip(asked, before, strict=True) if takes.covers(line.product_id)),
        Decimal(0),
    )
    if flat:
        assert sum(shares) == min(flat, qualifying)
    elif percent == 100:
        assert sum(shares) == qualifying
    sums = totals_of(asked, shipping=Decimal(0), currency=currency, discount=takes)
    assert sums["total"] == sum(now.total for now in after)
    assert sums["coupon"] == sum(shares)


@given(CURRENCIES, st.lists(st.integers(0, 10_000), min_size=1, max_size=8), st.integers(0, 20_000))
def test_an_amount_is_spread_in_proportion_to_less_than_its_smallest_coin(
    currency: str, weights: list[int], amount: int
) -> None:
    unit = money.quantum(currency)
    over = [weight * unit for weight in weights]
    if not sum(weights):
        with pytest.raises(ValueError, match="spread"):
            money.spread(amount * unit, over, currency)
        return
    parts = money.spread(amount * unit, over, currency)
    assert sum(parts) == amount * unit
    for part, weight in zip(parts, over, strict=True):
        assert abs(part - amount * unit * weight / sum(over)) < unit
        assert part <= weight or amount > sum(weights)


def test_what_rounding_leaves_over_goes_to_those_who_lose_most_the_first_of_equals_first() -> None:
    over = [Decimal(price) for price in ("10.00", "10.00", "10.00")]
    assert money.spread(Decimal("10.00"), over, "USD") == [Decimal("3.34"), Decimal("3.33"), Decimal("3.33")]
    assert money.spread(Decimal(2), [Decimal(1), Decimal(5)], "JPY") == [Decimal(0), Decimal(2)]


def test_a_percentage_is_rounded_once_for_each_line() -> None:
    assert discount("15").shares(lines("0.10", "0.10"), "USD") == [Decimal("0.02"), Decimal("0.02")]


def test_the_tax_is_on_what_remains() -> None:
    line = lines("100.00", tax="20")[0]
    amounts = line.amounts("USD", coupon=Decimal("10.00"))
    assert (amounts.net, amounts.tax, amounts.total) == (Decimal(90), Decimal(18), Decimal(108))


def test_a_line_that_rounds_up_to_its_coupon_comes_to_nothing() -> None:
    half_a_cent = LineInput("Thread", Decimal("0.5"), Decimal("0.01"), tax_percent=Decimal(20))
    (share,) = discount("100").shares([half_a_cent], "USD")
    assert share == Decimal("0.01")
    amounts = half_a_cent.amounts("USD", coupon=share)
    assert not any((amounts.net, amounts.tax, amounts.total))


@pytest.mark.parametrize("coupon", [("100", "0"), ("0", "50")])
def test_no_tax_is_left_of_a_line_that_a_coupon_takes_whole(coupon: tuple[str, str]) -> None:
    hours = LineInput("Repair", Decimal("1.1"), Decimal("3.04"), tax_percent=Decimal(25))
    (share,) = discount(*coupon).shares([hours], "USD")
    assert share == Decimal("3.34")  # of 3.344: with the tax, the rest would round up to a cent
    amounts = hours.amounts("USD", coupon=share)
    assert not any((amounts.net, amounts.tax, amounts.total))


def test_a_flat_coupon_takes_no_more_than_its_products_come_to() -> None:
    asked = [*lines("5.00", product=COVERED), *lines("50.00", product=OTHER)]
    assert discount("0", "20", "USD", COVERED).shares(asked, "USD") == [Decimal(5), Decimal(0)]


def test_a_manual_discount_comes_off_first() -> None:
    asked = [LineInput("Lantern", Decimal(2), Decimal(50), Decimal(20))]
    assert discount("50").shares(asked, "USD") == [Decimal(40)]
