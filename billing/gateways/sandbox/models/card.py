from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.gateways import CardDetails
from billing.gateways.sandbox.models.keys import new_ref
from billing.gateways.sandbox.numbers import BEHAVIOURS, Behaviour, TypedCard


class StoredCardQuerySet(models.QuerySet["StoredCard"]):
    def store(self, card: TypedCard, *, on_file: bool) -> StoredCard:
        return self.create(
            token=new_ref(f"{card.behaviour.name}_{card.last4}"),
            behaviour_name=card.behaviour.name,
            brand=card.brand,
            last4=card.last4,
            exp_month=card.exp_month,
            exp_year=card.exp_year,
            on_file=on_file,
        )


class StoredCard(models.Model):
    """``on_file``: may be charged without the customer. A card used once on a pay page never is."""

    token = models.CharField(_("token"), max_length=80, unique=True)
    behaviour_name = models.CharField(_("behaviour"), max_length=20)
    brand = models.CharField(_("brand"), max_length=20)
    last4 = models.CharField(_("last four digits"), max_length=4)
    exp_month = models.PositiveSmallIntegerField(_("expiry month"))
    exp_year = models.PositiveSmallIntegerField(_("expiry year"))
    on_file = models.BooleanField(_("on file"))

    objects = StoredCardQuerySet.as_manager()

    class Meta:
        verbose_name = _("stored card")
        verbose_name_plural = _("stored cards")

    def __str__(self) -> str:
        return f"{self.brand} •• {self.last4}"

    @property
    def behaviour(self) -> Behaviour:
        return BEHAVIOURS[self.behaviour_name]

    @property
    def details(self) -> CardDetails:
        return CardDetails(self.token, self.brand, self.last4, self.exp_month, self.exp_year)
