"""What partners earn on an invoice, as its money comes and goes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _now

from billing import clock, money
from billing.commissions import Kept
from billing.models.base import InvoiceBase
from billing.models.guard import Actor, Deed, Stale, guarded, tell
from billing.models.partners.settling import Claim, Difference, anew, as_kept, changed, differences, settle
from billing.money import ZERO
from billing.statuses import InvoiceStatus

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from billing.models.partners.commission import Commission

NAMED = 10
"""Partners whom a sentence names; of the others it says how many."""


class Earning(InvoiceBase):
    if TYPE_CHECKING:
        commissions: RelatedManager[Commission]

    class Meta:
        abstract = True

    @guarded("rerun_commissions")
    def rerun_commissions(self, by: Actor, *, shown: str = "") -> Deed:
        """Work out who is due what now, and put the rows right; paid ones only by clawbacks.

        Raises Stale when the outcome is not the one whose :func:`digest` was ``shown``.
        """
        claims = self.commissions_anew(lock=True)
        if shown and shown != digest(claims):
            raise Stale(
                _now("The commissions of %(invoice)s come to something else by now. Please look again.")
                % {"invoice": self}
            )
        deed = self._settle(claims)
        if deed is None:
            return Deed(_now("Commissions worked out again: nothing changed."), {"difference": "0"})
        self.store()
        return deed

    def follow_commissions(self) -> None:
        """Let commissions follow what has become of the invoice, in the caller's transaction with this row
        locked.
        """
        if self.has_just_closed:
            self.has_just_closed = False
            claims = self.commissions_anew(lock=True)
        elif not self.is_unsettled:
            claims = as_kept(self.row, self.money_kept(), lock=True)
        else:
            return
        deed = self._settle(claims)
        if deed:
            tell(self.row, None, "commissions", deed)

    def _settle(self, claims: list[Claim]) -> Deed | None:
        """Store what is due; the deed, if anything changes."""
        if not any(claim.difference for claim in claims):
            return None
        found = list(changed(differences(claims)))
        settle(claims, on=clock.today())
        words = [
            _now("%(partner)s %(before)s → %(after)s")
            % {
                "partner": each.partner,
                "before": self.show(each.before),
                "after": self.show(each.after),
            }
            for each in islice(found, NAMED)
        ]
        if len(found) > NAMED:
            words.append(_now("%(count)s more") % {"count": len(found) - NAMED})
        total = sum((each.amount for each in found), ZERO)
        return Deed(
            _now("Commissions: %(changes)s.") % {"changes": "; ".join(words) or _now("moved between lines")},
            {"difference": money.plain(total, self.currency), "currency": self.currency},
        )

    # -- what is, and what would be

    def money_kept(self, *, status: str | None = None, paid: Decimal | None = None) -> Kept:
        """What counts as kept of the sale, now or with other figures: nothing unless the invoice is Closed,
        and never what came when it was not owed.
        """
        amount = min(self.paid - self.overpaid if paid is None else paid, self.total)
        is_closed = (status or self.status) == InvoiceStatus.CLOSED
        return Kept(max(amount, ZERO) if is_closed else ZERO, self.total, self.currency)

    def commissions_anew(self, kept: Kept | None = None, *, lock: bool = False) -> list[Claim]:
        """Everybody's claims as the referrers are now."""
        return anew({self.row: kept or self.money_kept()}, lock=lock)[self.pk]

    def commissions_if_closed(self) -> list[Difference]:
        """What partners would earn if all that is owed came."""
        claims = self.commissions_anew(self.money_kept(status=InvoiceStatus.CLOSED, paid=self.total))
        return differences(claims)

    def commissions_if(self, status: str, *, returned: Decimal = ZERO) -> list[Difference]:
        """What partners would be left with after a refund of ``returned``, or as ``status``."""
        paid = min(self.paid - self.overpaid, self.paid - returned)
        return differences(as_kept(self.row, self.money_kept(status=status, paid=paid)))


def digest(claims: Iterable[Claim]) -> str:
    """Stands for exactly this outcome."""
    found = hashlib.sha256()
    for claim in claims:
        place = f"{claim.line.pk}.{claim.partner.pk}.{claim.level}"
        found.update(f"{place} {claim.now} {claim.due}\n".encode())
    return found.hexdigest()
