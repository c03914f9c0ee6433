"""What the invented company gives away: a public code, one for members, and codes of the customers' own."""

from __future__ import annotations

from decimal import Decimal

from billing import clock
from billing.management.seeding.teller import Story, Teller
from billing.models import Coupon, CouponCode, Product
from billing.models.coupons.issuing import issue_codes
from billing.statuses import CouponAudience, CouponKind, CouponScope
from contacts.models import Contact

GARDEN, CLUB = "SPRING10", "CLUB25"
"""Public codes: off everything but services, and off every payment of the club."""
THANKS = "Thank you for your patience"


def put_coupons(products: dict[str, Product]) -> None:
    """The coupons with their public codes, made if they are missing."""
    goods = [
        product for sku, product in products.items() if sku[:3] not in ("SRV", "GIF", "CLU", "COU", "VIS")
    ]
    _put("Spring in the garden", GARDEN, goods, percent=Decimal(10), total_available=500)
    _put("Friends of the club", CLUB, [products["CLU-MO"]], percent=Decimal(25), scope=CouponScope.ALL)
    Coupon.objects.get_or_create(
        name=THANKS,
        defaults={
            "kind": CouponKind.FLAT,
            "amount": Decimal("15.00"),
            "currency": "USD",
            "audience": CouponAudience.PERSONAL,
            "days": 90,
        },
    )


def _put(name: str, code: str, products: list[Product], **terms: object) -> None:
    coupon, is_new = Coupon.objects.get_or_create(
        name=name, defaults={"kind": CouponKind.PERCENT, "audience": CouponAudience.GROUP, **terms}
    )
    if is_new:
        coupon.products.set(products)
        CouponCode.objects.create(coupon=coupon, code=code, issued_at=clock.now())


def issued(teller: Teller, contact: Contact) -> Story:
    """Codes of a customer's own: one that expired, one that was redeemed, one withdrawn, one to use."""
    yield 200
    _issue(teller, contact)
    yield 74
    code = _issue(teller, contact)
    yield 43
    invoice = teller.invoice(contact, [("WAT-09", 1), ("BOO-11", 1)], coupon=code.code)
    teller.pay(invoice, contact.cards.get(is_default=True), send_receipt=True)
    yield 31
    _issue(teller, contact).withdraw(teller.manager, reason="Read out with a slip of the tongue")
    yield 30
    _issue(teller, contact)


def in_spring(teller: Teller, contact: Contact) -> Story:
    """An open invoice with the public code, on which one line is not covered."""
    yield 6
    teller.invoice(contact, [("BEN-01", 1), ("CAN-12", 3), ("SRV-DL", 1)], coupon=GARDEN)


def _issue(teller: Teller, contact: Contact) -> CouponCode:
    issue_codes(
        teller.manager,
        coupon=Coupon.objects.get(name=THANKS),
        contacts=Contact.objects.filter(pk=contact.pk),
        again=True,
        at=clock.now(),
    )
    return contact.coupon_codes.latest("id")
