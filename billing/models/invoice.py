from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.actions import INVOICE_PERMISSIONS, OWING
from billing.models.base import InvoiceQuerySet, lifecycle_constraints
from billing.models.earning import Earning
from billing.models.matching import Matching
from billing.models.ordered import Ordered
from billing.models.sending import Sending
from billing.models.visiting import Visiting
from billing.statuses import InvoiceStatus


class Invoice(Matching, Ordered, Earning, Sending, Visiting):
    """A request for payment.

    Columns and questions: ``base``; what can be done: ``charging refunding matching editing discounting
    ending collecting retrying earning sending visiting``, by itself for an order: ``recurring``, and by
    customers on order forms: ``ordered``.
    """

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        default_permissions = ("view", "add")
        permissions = INVOICE_PERMISSIONS
        verbose_name = _("invoice")
        indexes: ClassVar = [
            models.Index(  # carries all that a contact's figures are made of: no row need be read
                fields=["contact", "-invoice_date", "-id"],
                include=[
                    "currency",
                    "status",
                    "line_count",
                    "balance",
                    "paid",
                    "refunded",
                    "awaiting_gateway",
                ],
                name="invoice_by_contact",
            ),
            models.Index(fields=["-invoice_date", "-id"], name="invoice_by_date"),
            models.Index(fields=["status", "-invoice_date", "-id"], name="invoice_by_status"),
            models.Index(  # carries what the sums by age are made of
                fields=["due_on"],
                include=["currency", "balance"],
                name="invoice_owing_by_due",
                condition=models.Q(status__in=sorted(OWING)),
            ),
            models.Index(
                fields=["created_at", "id"],
                name="invoice_draft_by_age",
                condition=models.Q(status=InvoiceStatus.DRAFT),
            ),
            models.Index(
                fields=["invoice_date", "id"], name="invoice_overpaid", condition=models.Q(overpaid__gt=0)
            ),
            models.Index(fields=["external_ref"], name="invoice_by_external_ref"),
            models.Index(fields=["total", "id"], name="invoice_by_total"),
            models.Index(
                fields=["coupon_code", "id"],
                name="invoice_by_coupon_code",
                condition=models.Q(coupon_code__isnull=False),
            ),
            models.Index(
                fields=["charge_due_at", "id"],
                name="invoice_charge_due",
                condition=models.Q(charge_due_at__isnull=False),
            ),
            models.Index(
                fields=["order_form", "-id"],
                name="invoice_by_order_form",
                condition=models.Q(order_form__isnull=False),
            ),
        ]
        constraints: ClassVar = lifecycle_constraints()
