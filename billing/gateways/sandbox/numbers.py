"""The nine test numbers. No other number is taken, so that no real card can be typed in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from billing.gateways import CardRefused
from billing.statuses import AttemptState

if TYPE_CHECKING:
    from datetime import date

    from django_stubs_ext import StrOrPromise


class ExpiredCard(CardRefused):
    """The expiry, not the number, is at fault."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a charge of the card ends.

    ``state`` STARTED: the request never reaches the bank. ``loses_answer``: whoever asked is told nothing.
    """

    name: str
    does: StrOrPromise
    state: AttemptState = AttemptState.APPROVED
    code: str = ""
    message: StrOrPromise = ""
    hard: bool = False
    loses_answer: bool = False
    can_be_saved: bool = True


@dataclass(frozen=True, slots=True)
class CardNumber:
    """One line of the list of numbers that the hosted page shows."""

    number: str
    brand: str
    behaviour: Behaviour


@dataclass(frozen=True, slots=True)
class TypedCard:
    """What stays of a card once it has been typed: its number and CVC are already dropped."""

    behaviour: Behaviour
    brand: str
    last4: str
    exp_month: int
    exp_year: int


BEHAVIOURS: dict[str, Behaviour] = {
    behaviour.name: behaviour
    for behaviour in (
        Behaviour("approves", _("Approves every charge")),
        Behaviour(
            "declines",
            _("Can be saved; every charge declines, no reason given"),
            state=AttemptState.DECLINED,
            code="generic_decline",
            message=_("The bank declined this card and gave no reason."),
        ),
        Behaviour(
            "insufficient",
            _("Declines: insufficient funds"),
            state=AttemptState.DECLINED,
            code="insufficient_funds",
            message=_("The card has insufficient funds."),
        ),
        Behaviour(
            "expired",
            _("Declines: expired card (trying again is pointless)"),
            state=AttemptState.DECLINED,
            code="expired_card",
            message=_("The card has expired."),
            hard=True,
        ),
        Behaviour(
            "stolen",
            _("Declines: stolen card (trying again is pointless)"),
            state=AttemptState.DECLINED,
            code="stolen_card",
            message=_("The card was reported stolen."),
            hard=True,
        ),
        Behaviour(
            "authenticates",
            _("Needs the customer: the bank asks to confirm the payment"),
            state=AttemptState.NEEDS_ACTION,
            code="authentication_required",
            message=_("The bank asks the customer to confirm this payment."),
        ),
        Behaviour("charged-lost", _("Charges, and the answer is lost"), loses_answer=True),
        Behaviour(
            "uncharged-lost",
            _("Does not charge, and the answer is lost"),
            state=AttemptState.STARTED,
            loses_answer=True,
        ),
        Behaviour("refused", _("Is refused when the card is typed in"), can_be_saved=False),
    )
}

NUMBERS: dict[str, CardNumber] = {
    number: CardNumber(number, brand, BEHAVIOURS[behaviour])
    for number, brand, behaviour in (
        ("4242424242424242", "Visa", "approves"),
        ("5555555555554444", "Mastercard", "approves"),
        ("4000000000000341", "Visa", "declines"),
        ("4000000000009995", "Visa", "insufficient"),
        ("4000000000000069", "Visa", "expired"),
        ("4000000000009979", "Visa", "stolen"),
        ("4000002760003184", "Visa", "authenticates"),
        ("4000000000000119", "Visa", "charged-lost"),
        ("4000000000000127", "Visa", "uncharged-lost"),
        ("4000000000000002", "Visa", "refused"),
    )
}

_SEPARATORS = re.compile(r"[\s\u2010-\u2015-]")


@sensitive_variables("typed", "digits")
def read_number(typed: str) -> CardNumber:
    """The test number that was typed, spaces and dashes aside. Raises CardRefused, without the number."""
    digits = _SEPARATORS.sub("", typed)
    if not re.fullmatch("[0-9]+", digits):
        raise CardRefused(str(_("The card number may hold only the digits 0 to 9, spaces and dashes.")))
    if digits not in NUMBERS:
        raise CardRefused(
            str(_("This card number is not a test number, and only test numbers are taken here."))
        )
    return NUMBERS[digits]


def read_card(number: CardNumber, *, exp_month: int, exp_year: int, today: date) -> TypedCard:
    """The card as far as it may be kept. Raises ExpiredCard, or CardRefused for one that is never saved."""
    if (exp_year, exp_month) < (today.year, today.month):
        sentence = _("This card expired in %(month)02d/%(year)d: an expired card is not taken.")
        raise ExpiredCard(str(sentence) % {"month": exp_month, "year": exp_year})
    if not number.behaviour.can_be_saved:
        raise CardRefused(str(_("The bank refused this card: use another one.")))
    return TypedCard(number.behaviour, number.brand, number.number[-4:], exp_month, exp_year)
