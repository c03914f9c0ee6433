"""What the invented company sells, and the taxes on it."""

from __future__ import annotations

from decimal import Decimal

from billing.models import Product, TaxRate

TAX_RATES = {
    "No tax": Decimal(0),
    "Sales tax": Decimal("8.875"),
    "VAT reduced": Decimal(7),
    "VAT standard": Decimal(20),
}
PRODUCTS = (
    ("WHITE METAL LANTERN", "LAN-01", "24.90", "VAT standard"),
    ("Storm lantern, brass", "LAN-02", "89.00", "VAT standard"),
    ("Lantern glass, spare", "LAN-90", "6.50", "VAT standard"),
    ("Beeswax candles, box of 12", "CAN-12", "18.40", "VAT standard"),
    ("Hemp rope, per metre", "ROP-01", "3.20", "VAT standard"),
    ("Oak tool box", "BOX-07", "129.00", "VAT standard"),
    ("Garden bench “Ida”", "BEN-01", "349.00", "VAT standard"),
    ("Seed collection, spring", "SEE-SP", "21.75", "VAT reduced"),
    ("Field guide to mosses", "BOO-11", "32.00", "VAT reduced"),
    ("Greenhouse heater, 2 kW", "HEA-20", "219.00", "VAT standard"),
    ("Watering can, zinc, 9 l", "WAT-09", "44.50", "VAT standard"),
    ("Delivery inside the city", "SRV-DL", "12.00", "No tax"),
    ("Assembly, per hour", "SRV-AS", "65.00", "Sales tax"),
    ("Gift card", "GIF-50", "50.00", "No tax"),
    ("Workshop: beekeeping for beginners", "WRK-01", "180.00", "Sales tax"),
    ("Rain barrel, 200 l", "RAI-20", "98.00", "VAT standard"),
)
WORTH = {
    "USD": Decimal(1),
    "EUR": Decimal("0.92"),
    "GBP": Decimal("0.79"),
    "JPY": Decimal(150),
    "KWD": Decimal("0.307"),
}
"""What a dollar of the price list is in each currency that the company bills in."""


def put_catalogue() -> list[Product]:
    """The products in the order of the list, made if they are missing."""
    rates = {
        name: TaxRate.objects.get_or_create(name=name, defaults={"percent": percent})[0]
        for name, percent in TAX_RATES.items()
    }
    return [
        Product.objects.get_or_create(
            sku=sku,
            defaults={
                "name": name,
                "price": Decimal(price),
                "currency": "USD",
                "tax_rate": rates[rate],
            },
        )[0]
        for name, sku, price, rate in PRODUCTS
    ]
