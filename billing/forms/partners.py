"""The dialogs of partner programs: enrolment, referrers, approval, payout."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from billing import clock, money
from billing.forms.dialog import INCOMPLETE
from billing.forms.fields import PlainTextField
from billing.forms.preview import MOST_COMMISSIONS, Change, Preview
from billing.forms.records import RecordForm
from billing.models import Commission, Event, Partner, PartnerProgram, Referral
from billing.models.guard import Stale
from billing.models.partners.commission import sums_of
from billing.models.partners.partner import LONGEST_CODE, check_code
from billing.models.partners.program import Statement, digest
from billing.money import ZERO
from contacts.models import Contact


class OfContactForm(RecordForm):
    """A dialog about a contact within a program."""

    record: PartnerProgram

    def __init__(self, *args: Any, contact: Contact, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.contact = contact

    def do(self) -> Event:
        verb = getattr(self.record, self.verb)
        event: Event = verb(self.user, contact=self.contact, at=clock.now(), **self.cleaned_data)
        return event


class EnrolForm(OfContactForm):
    verb = "enrol"
    code = PlainTextField(
        label=_("Code"),
        max_length=LONGEST_CODE,
        help_text=_("Stands in the partner's links; letters, digits, hyphens and underscores."),
        error_messages={"required": _("Code is missing: write what the partner's links are known by.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound:
            self.fields["code"].initial = Partner.free_code(self.contact)

    def clean_code(self) -> str:
        code = str(self.cleaned_data["code"]).strip()
        check_code(code)
        return code

    def preview(self) -> Preview:
        words = {"name": self.contact.name, "program": self.record}
        return Preview(
            sentence=_now("Make %(name)s a partner of %(program)s.") % words,
            deed=_now("Enrol"),
            money=_now("No money moves; commissions come with the purchases of those whom they refer."),
            undo=_now("A partner can be made inactive in the back office, not removed."),
        )


class PartnerField(PlainTextField):
    """A partner by code; left empty, nobody."""

    def clean(self, value: Any) -> Any:
        code = super().clean(value.code if isinstance(value, Partner) else value)
        if not code:
            return None
        found = Partner.objects.with_names().filter(code__iexact=code.strip()).first()
        if found is None:
            words = {"label": self.label, "value": code[:40]}
            raise ValidationError(
                _now("%(label)s is “%(value)s”: no partner has this code.") % words, code="invalid"
            )
        return found


def _partner_field(label: Any, **more: Any) -> PartnerField:
    return PartnerField(
        label=label,
        max_length=LONGEST_CODE,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        **more,
    )


class ReferrersForm(OfContactForm):
    verb = "set_referrers"
    seen = forms.CharField(widget=forms.HiddenInput, required=False, max_length=50)
    first = _partner_field(_("First referrer"), help_text=_("A partner's code, or nothing."))
    last = _partner_field(_("Last referrer"), help_text=_("A partner's code, or nothing."))
    reason = PlainTextField(label=_("Reason"), max_length=255, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        now = self.now
        self.fields["seen"].initial = now.seen
        self.fields["first"].initial = now.first.code if now.first else ""
        self.fields["last"].initial = now.last.code if now.last else ""

    @cached_property
    def now(self) -> Referral:
        found = self.contact.referrals.filter(program=self.record)
        row = found.select_related("first__contact", "last__contact").first()
        return row or Referral(contact=self.contact, program=self.record)

    def preview(self) -> Preview:
        after = [self._typed("first"), self._typed("last")]
        before = [str(each or _now("nobody")) for each in (self.now.first, self.now.last)]
        labels = (_now("First referrer"), _now("Last referrer"))
        return Preview(
            sentence=_now("Say who led %(name)s here, in %(program)s.")
            % {"name": self.contact.name, "program": self.record},
            deed=_now("Set referrers"),
            changes=[Change(*each) for each in zip(labels, before, after, strict=True)],
            money=_now(
                "No commission changes yet: invoices that are Closed already follow when theirs are re-run."
            ),
            undo=_now("It can be set again; each change stands in the timeline."),
        )

    def _typed(self, name: str) -> str:
        field = self.fields[name]
        value = self[name].data if self.is_bound else self.get_initial_for_field(field, name)
        try:
            return str(field.clean(value) or _now("nobody"))
        except ValidationError:
            return "?"


class PayOutForm(RecordForm):
    """``seen`` stands for the commissions in the preview, by currency, so that no others are paid."""

    verb = "pay_out"
    seen = forms.CharField(widget=forms.HiddenInput, required=False, max_length=20_000)
    currency = forms.ChoiceField(
        label=_("Currency"),
        error_messages={
            "required": _("Currency is missing: choose one of the list."),
            "invalid_choice": _("Currency is “%(value)s”: nothing approved is in it."),
        },
    )
    record: PartnerProgram

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currencies = self.record.currencies_to_pay_out()
        field = self.fields["currency"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(code, code) for code in self.currencies]
        field.initial = self.currencies[0] if self.currencies else ""
        self.fields["seen"].initial = self._digests

    @cached_property
    def chosen(self) -> str:
        typed = str(self["currency"].data or "") if self.is_bound else ""
        return typed if typed in self.currencies else str(self.fields["currency"].initial)

    @cached_property
    def statements(self) -> list[Statement]:
        return self.record.statements(self.chosen)

    def _digests(self) -> str:
        return " ".join(f"{code}:{digest(self.record.statements(code))}" for code in self.currencies)

    def do(self) -> Event:
        given = dict(self.cleaned_data)
        seen = dict(word.partition(":")[::2] for word in given.pop("seen").split())
        wanted = seen.get(given["currency"], "")
        return self.record.pay_out(self.user, at=clock.now(), seen=wanted, **given)

    def preview(self) -> Preview:
        paid = [each for each in self.statements if each.is_paid]
        total = money.show(sum((each.net for each in paid), ZERO), self.chosen) if paid else ""
        carried = len(self.statements) - len(paid)
        return Preview(
            sentence=self._sentence(total, len(paid)),
            deed=_now("Pay out %(total)s") % {"total": total} if paid else _now("Pay out"),
            changes=self._changes(),
            money=_now("The desk moves no money: a file says whom to pay what."),
            undo=_now("A payout is final. What is refunded later is taken off the next one."),
            warnings=[self._carried_over(carried)] if carried else [],
        )

    def _sentence(self, total: str, count: int) -> str:
        if not count:
            return _now("Nobody can be paid: no partner has reached the sum that is paid out.")
        words = ngettext(
            "Mark what is approved in %(program)s as paid: %(total)s to %(count)s partner.",
            "Mark what is approved in %(program)s as paid: %(total)s to %(count)s partners.",
            count,
        )
        return words % {"program": self.record, "total": total, "count": count}

    def _carried_over(self, count: int) -> str:
        words = ngettext(
            "%(count)s partner is carried over to the next payout.",
            "%(count)s partners are carried over to the next payout.",
            count,
        )
        return words % {"count": count}

    def _changes(self) -> list[Change]:
        """What each partner has coming, and what of it stays."""
        shown = self.statements[:MOST_COMMISSIONS]
        names = Partner.objects.with_names().in_bulk([each.partner_id for each in shown])
        return [
            Change(
                str(names[each.partner_id]),
                money.show(each.net, self.chosen),
                money.show(ZERO if each.is_paid else each.net, self.chosen),
            )
            for each in shown
        ]


PROGRAM_FORMS: dict[str, type[RecordForm]] = {
    "enrol": EnrolForm,
    "set_referrers": ReferrersForm,
    "pay_out": PayOutForm,
}


class ApproveForm(forms.Form):
    """Approval of one commission or many: ``rows`` are those of the selection that are pending."""

    key = forms.UUIDField(
        widget=forms.HiddenInput, error_messages={"required": INCOMPLETE, "invalid": INCOMPLETE}
    )
    state = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: QueryDict | None = None, *, rows: Iterable[Commission], chosen: int) -> None:
        super().__init__(data)
        self.rows, self.chosen = list(rows), chosen
        self.fields["key"].initial = uuid.uuid4
        self.fields["state"].initial = self._state

    def _state(self) -> str:
        """Stands for exactly these commissions."""
        said = " ".join(f"{row.pk}:{row.amount}" for row in self.rows)
        return hashlib.sha256(said.encode()).hexdigest()

    def do(self, by: User) -> Event:
        """Raises what the verb raises, and Stale when the commissions are not those that were shown."""
        given = self.cleaned_data
        ids = [row.pk for row in self.rows]
        if ids and given["state"] not in ("", self._state()):
            raise Stale(_now("The commissions have changed since you opened this. Please look again."))
        return Commission.approve(by, ids=ids, at=clock.now(), key=given["key"])

    def preview(self) -> Preview:
        count = len(self.rows)
        deed = ngettext("Approve %(count)s commission", "Approve %(count)s commissions", count)
        chosen = _now("%(deed)s, of %(total)s chosen.") if count < self.chosen else _now("%(deed)s.")
        deed %= {"count": count}
        return Preview(
            sentence=chosen % {"deed": deed, "total": self.chosen},
            deed=deed,
            money=_now("No money moves: approved ones are paid with the next payout."),
            undo=_now("It cannot be undone; a refund or a re-run still cancels what is not paid."),
            changes=[
                Change(
                    _now("Pending %(currency)s") % {"currency": currency},
                    money.show(amount, currency),
                    money.show(ZERO, currency),
                )
                for currency, amount in sums_of(self.rows).items()
            ],
        )
