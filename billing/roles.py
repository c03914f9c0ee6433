"""Who may do what: the four roles, as data. Each is a group of Django's own, kept in step by ``migrate``."""

from __future__ import annotations

VIEWER = "Viewer"
SUPPORT = "Support"
BILLING_MANAGER = "Billing manager"
ADMINISTRATOR = "Administrator"

_LOOK = frozenset(
    {
        "contacts.view_contact",
        *(
            f"billing.view_{model}"
            for model in (
                [
                    "product",
                    "productprice",
                    "taxrate",
                    "orderform",
                    "orderformitem",
                    "submission",
                    "invoice",
                    "invoiceline",
                    "payment",
                    "attempt",
                    "order",
                    "orderline",
                    "card",
                    "event",
                    "mail",
                    "series",
                    "rechargesettings",
                    "rechargeschedule",
                    "job",
                    "unmatchedmoney",
                    "dispute",
                    "gatewayevent",
                    "coupon",
                    "couponcode",
                    "couponredemption",
                    "partnerprogram",
                    "partner",
                    "referral",
                    "commission",
                    "payout",
                ]
            )
        ),
    }
)
_SUPPORT = _LOOK | {
    "contacts.add_contact",
    "contacts.change_contact",
    "billing.add_invoice",
    "billing.edit_invoice",
    "billing.pay_invoice",
    "billing.request_payment_invoice",
    "billing.send_receipt_invoice",
    "billing.delete_invoice",
    "billing.copy_invoice_link_invoice",
    "billing.copy_pay_link_invoice",
    "billing.add_order",
    "billing.edit_order",
    "billing.change_card_order",
    "billing.pause_order",
    "billing.resume_order",
    "billing.cancel_order",
    "billing.add_card",
    "billing.change_card",
    "billing.copy_couponcode",
}
_MANAGER = _SUPPORT | {
    "billing.refund_invoice",
    "billing.void_invoice",
    "billing.write_off_invoice",
    "billing.rerun_commissions_invoice",
    "billing.export_invoice",
    "billing.refund_payment",
    "billing.export_payment",
    "billing.match_unmatchedmoney",
    "billing.set_aside_unmatchedmoney",
    "billing.record_dispute",
    "billing.add_coupon",
    "billing.change_coupon",
    "billing.issue_couponcode",
    "billing.withdraw_couponcode",
    "billing.export_couponcode",
    "billing.approve_commission",
    "billing.export_commission",
    "billing.pay_out_partnerprogram",
    "billing.add_partner",
    "billing.change_partner",
    "billing.change_referral",
}
_ADMINISTRATOR = _MANAGER | {
    "contacts.delete_contact",
    *(
        f"billing.{verb}_{model}"
        for verb in ("add", "change", "delete")
        for model in ("product", "productprice", "taxrate", "orderform", "orderformitem")
    ),
    "billing.delete_coupon",
    *(f"billing.{verb}_partnerprogram" for verb in ("add", "change", "delete")),
    *(
        f"billing.{verb}_{model}"
        for verb in ("view", "add", "change", "delete")
        for model in ("programrate", "threshold")
    ),
    "billing.change_series",
    "billing.add_rechargesettings",
    "billing.change_rechargesettings",
    *(f"billing.{verb}_emailtemplate" for verb in ("view", "add", "change", "delete")),
    *(f"billing.{verb}_mailsettings" for verb in ("view", "add", "change")),
    "billing.replay_gatewayevent",
    *(f"sandbox.{verb}" for verb in ("view_charge", "change_charge", "view_refund", "view_message")),
    *("sandbox.view_dispute", "sandbox.change_dispute", "sandbox.change_deskclock"),
    *(f"auth.{verb}_{model}" for verb in ("view", "add", "change", "delete") for model in ("user", "group")),
}

ROLES: dict[str, frozenset[str]] = {
    VIEWER: _LOOK,
    SUPPORT: _SUPPORT,
    BILLING_MANAGER: _MANAGER,
    ADMINISTRATOR: _ADMINISTRATOR,
}
"""Role → permissions as ``app.codename``. A user may hold several; a superuser holds all."""
