"""What each state of an attempt means for the money: a sentence for staff."""

from django.utils.translation import gettext_lazy as _

from billing.statuses import AttemptKind, AttemptState

_CHARGE, _REFUND = AttemptKind.CHARGE, AttemptKind.REFUND
MEANINGS = {
    (_CHARGE, AttemptState.PAGE_OPEN): _("The customer has a payment page over %(amount)s open."),
    (_CHARGE, AttemptState.STARTED): _("%(amount)s is being sent to the card company."),
    (_CHARGE, AttemptState.PENDING): _(
        "The card company has taken the charge of %(amount)s and will say how it ends."
    ),
    (_CHARGE, AttemptState.UNKNOWN): _(
        "The answer of the card company was lost: %(amount)s may or may not have been charged. Nothing more"
        " can be charged until it is known."
    ),
    (_CHARGE, AttemptState.NEEDS_ACTION): _(
        "The bank wants the customer to confirm the %(amount)s. Send the pay link, or cancel this charge."
    ),
    (_CHARGE, AttemptState.APPROVED): _("%(amount)s was charged."),
    (_CHARGE, AttemptState.DECLINED): _("The card was declined. No money was taken."),
    (_CHARGE, AttemptState.NOT_CHARGED): _("The card was not charged; it is safe to try again."),
    (_REFUND, AttemptState.STARTED): _("The refund of %(amount)s is being sent to the card company."),
    (_REFUND, AttemptState.PENDING): _(
        "The card company has taken the refund of %(amount)s and will say how it ends."
    ),
    (_REFUND, AttemptState.UNKNOWN): _(
        "The answer of the card company was lost: %(amount)s may or may not have gone back. Nothing more"
        " can be refunded until it is known."
    ),
    (_REFUND, AttemptState.NEEDS_ACTION): _("The card company waits before it returns %(amount)s."),
    (_REFUND, AttemptState.APPROVED): _("%(amount)s went back."),
    (_REFUND, AttemptState.DECLINED): _(
        "The gateway refused the refund. No money went back; try again, or record a refund made another way."
    ),
    (_REFUND, AttemptState.NOT_CHARGED): _("No money went back; it is safe to try again."),
}
"""A refund never waits on a hosted page, so it has no such line."""
