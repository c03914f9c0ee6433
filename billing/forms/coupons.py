"""The dialogs about coupons' codes: issue one, issue many, withdraw one."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.utils.formats import date_format
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from billing import clock
from billing.forms.dialog import INCOMPLETE
from billing.forms.fields import PlainTextField
from billing.forms.preview import Preview
from billing.forms.records import RecordForm
from billing.models import Coupon, CouponCode, Event
from billing.models.coupons.code import last_day
from billing.models.coupons.issuing import IssuePlan, issue_codes
from contacts.models import Contact


class CouponField(forms.ModelChoiceField[Coupon]):
    """One of the coupons of which personal codes are issued."""

    def __init__(self) -> None:
        super().__init__(
            queryset=Coupon.objects.for_issuing(),
            label=_("Coupon"),
            empty_label=_("Choose a coupon"),
            error_messages={
                "required": _("Coupon is missing: choose one."),
                "invalid_choice": _("Coupon is “%(value)s”: it is not one that is issued now."),
            },
        )

    def to_python(self, value: Any) -> Coupon | None:
        """Null characters name no coupon: Django would refuse them without a name for the field."""
        return super().to_python(value.replace("\0", "") if isinstance(value, str) else value)

    def label_from_instance(self, obj: Coupon) -> str:
        return f"{obj.name} · {obj.off}"


class IssueCodeForm(RecordForm):
    """Issue a code to one contact; ``record`` is the code that is still to be made."""

    verb = "issue_code"
    record: CouponCode
    coupon = CouponField()

    @property
    def title(self) -> str:
        contact = self.record.contact
        return contact.name if contact else ""

    def do(self) -> Event:
        given = self.cleaned_data
        return issue_codes(
            self.user,
            coupon=given["coupon"],
            contacts=Contact.objects.filter(pk__in=[self.record.contact_id]),
            again=True,
            at=clock.now(),
            key=given["key"],
        )

    def preview(self) -> Preview:
        coupon = self._chosen()
        sentence = _now("%(name)s gets a code of their own, which can be redeemed once.")
        words = {"name": self.title}
        if coupon:
            sentence = _now("%(name)s gets a code for %(off)s, which can be redeemed once. %(last)s")
            words |= {"off": coupon.off, "last": last_words(coupon)}
        held = self._held(coupon)
        return Preview(
            sentence=sentence % words,
            deed=_now("Issue a code"),
            money=_now("No money moves."),
            undo=_now("A code that is not redeemed can be withdrawn."),
            warnings=[held] if held else [],
        )

    def _chosen(self) -> Coupon | None:
        field = self.fields["coupon"]
        value = self["coupon"].data if self.is_bound else self.get_initial_for_field(field, "coupon")
        try:
            coupon: Coupon | None = field.clean(value)
        except forms.ValidationError:
            return None
        return coupon

    def _held(self, coupon: Coupon | None) -> str:
        if coupon is None or not coupon.codes.filter(contact=self.record.contact_id, state="issued").exists():
            return ""
        words = {"name": self.title, "coupon": coupon}
        return _now("%(name)s has a code of “%(coupon)s” to redeem already; this is another one.") % words


class WithdrawForm(RecordForm):
    verb = "withdraw"
    record: CouponCode
    reason = PlainTextField(label=_("Reason"), max_length=255, required=False)

    def preview(self) -> Preview:
        words = {"code": self.record, "coupon": self.record.coupon}
        return Preview(
            sentence=_now("Nobody can redeem %(code)s of “%(coupon)s” any more.") % words,
            deed=_now("Withdraw %(code)s") % words,
            money=_now("No money moves, and no invoice changes."),
            undo=_now("It cannot be undone; another code can be issued."),
        )


CODE_FORMS: dict[str, type[RecordForm]] = {"withdraw": WithdrawForm}


class ManyForm(forms.Form):
    """Issue a code to each of many contacts.

    ``key`` makes a second click harmless; ``state`` notices that the contacts changed after they were shown.
    """

    coupon = CouponField()
    again = forms.BooleanField(label=_("Those who have a code of it already get another one"), required=False)
    key = forms.UUIDField(widget=forms.HiddenInput, required=False, error_messages={"invalid": INCOMPLETE})
    state = PlainTextField(widget=forms.HiddenInput, max_length=40, required=False)

    def confirmed(self, plan: IssuePlan) -> bool:
        """Whether what was shown is what would be done now."""
        return bool(self.cleaned_data["key"] and self.cleaned_data["state"] == plan.state)

    def asked_again(self, plan: IssuePlan) -> dict[str, Any]:
        """What the confirmation sends along."""
        given = self.cleaned_data
        again = "on" if given["again"] else ""
        return {"coupon": given["coupon"].pk, "again": again, "key": uuid.uuid4(), "state": plan.state}


def many_preview(coupon: Coupon, plan: IssuePlan) -> Preview:
    count = len(plan.contacts)
    words = {"count": f"{count:,}", "off": coupon.off, "last": last_words(coupon)}
    sentence = ngettext(
        "%(count)s contact gets a code of their own for %(off)s. %(last)s",
        "%(count)s contacts get a code of their own for %(off)s each. %(last)s",
        count,
    )
    held = ngettext(
        "%(held)s of the chosen has a code of it already and gets none.",
        "%(held)s of the chosen have a code of it already and get none.",
        plan.held,
    )
    return Preview(
        sentence=sentence % words,
        deed=ngettext("Issue %(count)s code", "Issue %(count)s codes", count) % words,
        money=_now("No money moves."),
        undo=_now("A code that is not redeemed can be withdrawn; the coupon can be switched off."),
        warnings=[held % {"held": f"{plan.held:,}"}] if plan.held else [],
    )


def last_words(coupon: Coupon) -> str:
    """``It expires on 31 Dec 2026.``"""
    last = last_day(coupon, clock.today()) or coupon.ends_on
    return _now("It expires on %(on)s.") % {"on": date_format(last)} if last else _now("It does not expire.")
