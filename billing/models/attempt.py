"""One call to a card gateway, written down before it is made.

The web request, the resolver, a return from a hosted page and a webhook all end in :meth:`Attempt.settle`,
which acts once.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import clock
from billing.gateways import Gateway, NotOurGateway, Outcome, reason_of
from billing.models.attempts.asking import Asking
from billing.models.attempts.base import GRACE, UNANSWERED, UNMADE_REFUND, WAITING, AttemptQuerySet
from billing.models.guard import Actor, NotOffered, outside_transaction
from billing.statuses import IN_FLIGHT, AttemptKind, AttemptState

if TYPE_CHECKING:
    from billing.models.invoice import Invoice

log = logging.getLogger(__name__)


class Attempt(Asking):
    """Columns and questions: ``attempts.base``. What becomes of it: ``settling hosting asking`` beside that.

    The call itself is made here.
    """

    objects = AttemptQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("attempt")
        indexes: ClassVar = [
            models.Index(fields=["started_at", "id"], name="attempt_unanswered", condition=UNANSWERED),
            models.Index(fields=["started_at", "id"], name="attempt_unmade_refund", condition=UNMADE_REFUND),
            models.Index(fields=["page_ref"], name="attempt_by_page", condition=~Q(page_ref="")),
            models.Index(
                fields=["due_at"],
                name="attempt_due",
                condition=Q(state__in=WAITING),
            ),
            models.Index(
                fields=["opened_from", "settled_at"],
                name="attempt_by_opener",
                condition=~Q(opened_from=""),
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["invoice"],
                condition=Q(state__in=sorted(IN_FLIGHT)),
                name="attempt_one_in_flight_per_invoice",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="attempt_amount_positive"),
            models.CheckConstraint(condition=Q(state__in=AttemptState.values), name="attempt_state_known"),
            models.CheckConstraint(
                condition=Q(kind=AttemptKind.CHARGE, refund_of__isnull=True)
                | Q(kind=AttemptKind.REFUND, refund_of__isnull=False),
                name="attempt_refund_names_its_payment",
            ),
        ]

    @classmethod
    def start(cls, invoice: Invoice, by: Actor, *, kind: AttemptKind, gateway: str, **given: Any) -> Attempt:
        """Write the attempt down, in the caller's transaction, before the gateway hears of it.

        Raises NotOffered when a customer could pay on an open page at the same time.
        """
        if kind == AttemptKind.CHARGE:
            cls.refuse_open_page(invoice)
        now = clock.now()
        return cls.objects.create(
            invoice=invoice,
            kind=kind,
            gateway=gateway,
            currency=invoice.currency,
            started_by=by,
            started_at=now,
            due_at=now + GRACE,
            **given,
        )

    @classmethod
    def refuse_open_page(cls, invoice: Invoice) -> None:
        """Raises NotOffered when a customer could pay on an open page at the same time."""
        if cls.objects.open_pages().filter(invoice=invoice).exists():
            words = _now(
                "A payment page of %(invoice)s is open and has not been closed yet. Nothing was charged;"
                " please try again in a minute."
            )
            raise NotOffered(words % {"invoice": invoice})

    def run(self) -> None:
        """Make the call that this row announces, and settle what comes back. No transaction may be open.

        Whatever goes wrong after the confirmation was sent is *unknown*, never *declined*.
        """
        outside_transaction()
        try:
            gateway = self._gateway()
        except KeyError:
            log.exception("Attempt %s: its gateway is not installed", self.key)
            words = _now("The gateway “%(name)s” is not installed: nothing was sent, and no money moved.")
            outcome = Outcome(AttemptState.NOT_CHARGED, message=words % {"name": self.gateway})
            self.settle(outcome, expected_ref="")
            return
        if self.kind == AttemptKind.REFUND:
            self.settle(self._asked_safely(self._send_first_refund))
        else:
            self._charge(gateway)

    def _charge(self, gateway: Gateway) -> None:
        try:
            ref = gateway.prepare(
                key=self.key, amount=self.amount, currency=self.currency, token=self.card_token
            )
        except Exception as error:
            log.exception("Attempt %s: the gateway did not take the charge down", self.key)
            never = _now("The gateway did not answer. The card was not charged; it is safe to try again.")
            reason = reason_of(error)
            refused = Outcome(
                AttemptState.NOT_CHARGED, message=reason or never, hard=isinstance(error, ValueError)
            )
            self.settle(refused, expected_ref="")
            return
        if not self._write_down(ref):
            self.refresh_from_db(fields=["state", "message", "settled_at"])
            return
        outside_transaction()
        self.settle(self._asked_safely(lambda gateway: gateway.confirm(ref, key=self.key)))

    def _write_down(self, ref: str) -> bool:
        """Put the gateway's reference on disk before any money can move; False when the resolver closed the
        attempt.
        """
        waiting = type(self).objects.filter(pk=self.pk, state=AttemptState.STARTED, gateway_ref="")
        if not waiting.update(gateway_ref=ref):
            return False
        self.gateway_ref = ref
        return True

    def _send_first_refund(self, gateway: Gateway) -> Outcome:
        """Nobody can have sent it before: when the gateway does not know us, nothing went back."""
        try:
            return self._send_refund(gateway)
        except NotOurGateway as stranger:
            log.exception("Attempt %s: the gateway does not know us", self.key)
            return Outcome(AttemptState.NOT_CHARGED, message=str(stranger))
