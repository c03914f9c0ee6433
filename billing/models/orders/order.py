from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.actions import ORDER_PERMISSIONS, RUNNING, UNENDED
from billing.models.orders.base import OrderQuerySet
from billing.models.orders.billing import Billing
from billing.models.orders.replacing import Replacing
from billing.models.terms import constraints_of
from billing.statuses import Missed, OrderKind, OrderStatus


class Order(Billing, Replacing):
    """A subscription or a payment plan.

    Columns and questions: ``base``; its calendar: ``planning``; how it comes into being: ``starting``; its
    invoices: ``billing following``; what staff do to it: ``steering``; how its customer replaces the card:
    ``replacing``.
    """

    objects = OrderQuerySet.as_manager()

    class Meta:
        default_permissions = ("view", "add")
        permissions = ORDER_PERMISSIONS
        verbose_name = _("order")
        indexes: ClassVar = [
            models.Index(
                fields=["next_charge_at", "id"],
                name="order_due",
                condition=Q(status__in=sorted(RUNNING), next_charge_at__isnull=False),
            ),
            models.Index(fields=["contact", "-id"], name="order_by_contact"),
            models.Index(fields=["next_charge_on", "id"], name="order_by_next_charge"),
            models.Index(fields=["status", "next_charge_on", "id"], name="order_by_status"),
            models.Index(fields=["amount", "id"], name="order_by_amount"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(status__in=OrderStatus.values), name="order_status_known"),
            models.CheckConstraint(condition=Q(missed__in=Missed.values), name="order_missed_known"),
            models.CheckConstraint(
                condition=Q(kind=OrderKind.PLAN, payments_total__isnull=False, payments_total__gte=1)
                | Q(kind=OrderKind.SUBSCRIPTION, payments_total__isnull=True),
                name="order_plan_has_its_payments",
            ),
            models.CheckConstraint(
                condition=Q(next_charge_on__isnull=True, next_charge_at__isnull=True)
                | Q(next_charge_on__isnull=False, next_charge_at__isnull=False, status__in=sorted(UNENDED)),
                name="order_charges_only_while_it_goes_on",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, status__in=sorted(UNENDED))
                | (Q(ended_at__isnull=False) & ~Q(status__in=sorted(UNENDED))),
                name="order_ended_when_it_ended",
            ),
            models.CheckConstraint(
                condition=Q(next_period__gte=F("first_period"), first_period__gte=1),
                name="order_periods_count_from_the_first",
            ),
            models.CheckConstraint(
                condition=Q(payments_total__isnull=True) | Q(next_period__lte=F("payments_total") + 1),
                name="order_plan_asks_no_more_than_its_payments",
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="order_amount_not_negative"),
            *constraints_of("order"),
        ]
