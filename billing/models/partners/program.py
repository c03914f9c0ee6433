"""A partner program: whom it pays, at which rates, from which sum on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from billing.actions import PROGRAM_ACTIONS
from billing.models.event import Event
from billing.models.guard import Actor, Invalid, Stale, name_of, once
from billing.models.partners.commission import Commission, parts
from billing.models.partners.payout import Payout
from billing.models.partners.rates import percent_field
from billing.models.partners.referring import Referring
from billing.money import ZERO
from billing.statuses import CommissionStatus, Pays, ProgramState

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from billing.models.partners.partner import Partner
    from billing.models.partners.rates import ProgramRate, Threshold


@dataclass(slots=True)
class Statement:
    """What one partner's approved commissions come to, clawbacks taken off."""

    partner_id: int
    currency: str
    ids: list[int]
    net: Decimal
    threshold: Decimal

    @property
    def is_paid(self) -> bool:
        """Whether a payout pays it now; otherwise it is carried over, as is what a partner owes."""
        return self.net > 0 and self.net >= self.threshold


class PartnerProgram(Referring):
    """``percent_1`` is what the referrer gets of any commissionable product, ``percent_2`` whoever referred
    the referrer; a product can have rates of its own. Rates apply to what is worked out from now on.
    """

    TABLE = PROGRAM_ACTIONS

    name = models.CharField(_("name"), max_length=100, unique=True)
    pays = models.CharField(_("pays"), max_length=5, choices=Pays, default=Pays.LAST)
    percent_1 = percent_field(_("level 1, percent"))
    percent_2 = percent_field(_("level 2, percent"))
    is_active = models.BooleanField(
        _("active"),
        default=True,
        help_text=_("An ended program earns nobody anything new; what was earned stays and is paid out."),
    )

    if TYPE_CHECKING:
        rates: RelatedManager[ProgramRate]
        thresholds: RelatedManager[Threshold]
        partners: RelatedManager[Partner]
        payouts: RelatedManager[Payout]

    class Meta:
        verbose_name = _("partner program")
        permissions: ClassVar = [("pay_out_partnerprogram", "Can pay out partner programs")]
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(pays__in=Pays.values), name="program_pays_known"),
            models.CheckConstraint(
                condition=Q(percent_1__gte=0, percent_1__lte=100, percent_2__gte=0, percent_2__lte=100),
                name="program_percents_0_to_100",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> str:  # type: ignore[override]  # as the guard of records calls it
        return ProgramState.ACTIVE if self.is_active else ProgramState.ENDED

    @property
    def state_label(self) -> str:
        return str(ProgramState(self.state).label)

    # -- paying out

    @property
    def nothing_to_pay_out(self) -> str:
        """The reason why nobody can be paid, or nothing. One query."""
        if self.approved().exists():
            return ""
        return _now("%(program)s has no approved commissions: approve some first.") % {"program": self}

    def approved(self) -> models.QuerySet[Commission]:
        return Commission.objects.approved().filter(partner__program=self)

    def currencies_to_pay_out(self) -> list[str]:
        return sorted(self.approved().values_list("currency", flat=True).distinct().order_by())

    def statements(self, currency: str, rows: Iterable[Commission] | None = None) -> list[Statement]:
        """What each partner has approved, the largest first. Two queries; ``rows``: when they are in hand."""
        least = self.thresholds.filter(currency=currency).values_list("amount", flat=True).first() or ZERO
        by_partner: dict[int, Statement] = {}
        for row in self.approved().filter(currency=currency) if rows is None else rows:
            made = Statement(row.partner_id, currency, [], ZERO, least)
            found = by_partner.setdefault(row.partner_id, made)
            found.ids.append(row.pk)
            found.net += row.amount
        return sorted(by_partner.values(), key=lambda each: (-each.net, each.partner_id))

    def pay_out(
        self, by: Actor, *, currency: str, at: datetime, seen: str = "", key: UUID | None = None
    ) -> Event:
        """Mark what is approved in ``currency`` as paid, for each partner who has reached the threshold.

        The event's figures name the payout. Raises NotAllowed, NotOffered, AlreadyDone, Invalid when nobody
        can be paid, and Stale when the commissions are not those whose :func:`digest` was ``seen``.
        """
        action = PROGRAM_ACTIONS["pay_out"]
        used_once = self.one_time_key(key, by, action.name)
        used_once.refuse_used()

        def work() -> Event:
            self.lock_for(action, by)
            used_once.refuse_used()
            rows = Commission.objects.approved().filter(partner__program=self, currency=currency).locked()
            statements = self.statements(currency, list(rows))
            if seen and seen != digest(statements):
                raise Stale(
                    _now("The approved commissions have changed since you opened this. Nothing was done.")
                )
            payout = self._mark([each for each in statements if each.is_paid], currency, by, at=at)
            return self._note(payout, by, key)

        return once(used_once, work)

    def lock(self) -> None:
        """One payout at a time. New commissions may refer to the partners meanwhile."""
        rows = type(self)._default_manager.select_for_update(of=("self",), no_key=True)
        self.refresh_from_db(from_queryset=rows)

    def _mark(self, paid: list[Statement], currency: str, by: Actor, *, at: datetime) -> Payout:
        if not paid:
            raise Invalid(
                _now("Currency is %(currency)s: no partner has reached the sum that is paid out.")
                % {"currency": currency},
                field="currency",
            )
        payout = Payout.objects.create(
            program=self,
            currency=currency,
            total=sum((each.net for each in paid), ZERO),
            partner_count=len(paid),
            made_by=by,
            made_at=at,
        )
        for part in parts([pk for each in paid for pk in each.ids]):
            Commission.objects.filter(pk__in=part).update(status=CommissionStatus.PAID, payout=payout)
        return payout

    def _note(self, payout: Payout, by: Actor, key: UUID | None) -> Event:
        text = ngettext(
            "%(payout)s: %(total)s to %(count)s partner.",
            "%(payout)s: %(total)s to %(count)s partners.",
            payout.partner_count,
        )
        words = {"payout": payout, "total": payout.total_label, "count": payout.partner_count}
        return Event.objects.create(
            subject=str(self)[:120],
            actor=by,
            actor_name=name_of(by),
            action="pay_out",
            text=text % words,
            figures={"partnerprogram": self.pk, "payout": payout.pk, "total": str(payout.total)},
            key=key,
            at=payout.made_at,
        )


def digest(statements: Iterable[Statement]) -> str:
    """Stands for exactly these commissions with these sums."""
    found = hashlib.sha256()
    for each in statements:
        found.update(f"{each.partner_id} {each.net} {each.threshold} {sorted(each.ids)}\n".encode())
    return found.hexdigest()
