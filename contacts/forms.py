"""What the desk asks about a contact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from contacts.models import Contact, ContactChanged, tidy


class TextField(forms.CharField):
    def to_python(self, value: Any) -> str:
        return tidy(super().to_python(value) or "")


class ContactForm(forms.ModelForm[Contact]):
    """Remembers in hidden fields what the contact was when it was opened, to notice another agent's edit."""

    class Meta:
        model = Contact
        fields = (
            "name", "company", "email", "phone",
            "street", "street_2", "postal_code", "city", "region", "country",
            "external_ref", "notes",
        )  # fmt: skip
        field_classes = {name: TextField for name in fields if name not in ("email", "country")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.show_hidden_initial = bool(self.instance.pk)
            field.error_messages |= sentences(field.label)
            field.widget.attrs.pop("maxlength", None)  # a browser would cut pasted text off without a word
            if name not in ("email", "phone", "country", "postal_code", "external_ref"):
                field.widget.attrs["dir"] = "auto"
        self.fields["name"].widget.attrs["autocomplete"] = "off"
        self.fields["phone"].widget.input_type = "tel"

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        self.refuse_taken("email", email, Contact.objects.by_email(email))
        return email

    def clean_external_ref(self) -> str:
        reference: str = self.cleaned_data["external_ref"]
        self.refuse_taken("external_ref", reference, Contact.objects.filter(external_ref=reference))
        return reference

    def refuse_taken(self, name: str, value: str, owners: QuerySet[Contact]) -> None:
        if value and (owner := owners.exclude(pk=self.instance.pk).first()):
            raise forms.ValidationError(
                _("%(field)s “%(value)s” belongs to %(owner)s already; a contact needs one of its own."),
                code="taken",
                params={
                    "field": capfirst(str(self.fields[name].label)),
                    "value": value,
                    "owner": owner.name,
                },
            )

    def seen(self) -> dict[str, str]:
        """The values that the agent had before them, as the hidden fields bring them back."""
        return {name: tidy(self.data.get(self[name].html_initial_name) or "") for name in self.fields}

    def store(self) -> Contact | None:
        """The stored contact; None, and an error here, when its e-mail or reference was taken a moment ago.

        Raises ContactChanged when another agent changed the contact since it was opened.
        """
        try:
            with transaction.atomic():
                if not self.instance.pk:
                    return self.save()
                self.instance.amend(seen=self.seen(), values=self.cleaned_data)
        except IntegrityError:
            self.add_error(
                None, _("Another contact was stored with this e-mail or external reference a moment ago.")
            )
            return None
        return self.instance

    def merged(self, changed: ContactChanged) -> ContactForm:
        """The form on the contact as it is now: what the agent changed stays, all else is the newer value."""
        data = cast(QueryDict, self.data).copy()
        for name in self.fields:
            now = tidy(str(getattr(self.instance, name)))
            data[self[name].html_initial_name] = now
            if name in changed.theirs and name not in self.changed_data:
                data[self.add_prefix(name)] = now
        return ContactForm(data, instance=self.instance)

    def differences(self, changed: ContactChanged) -> list[dict[str, str]]:
        """For each field that another agent changed: what it was when the form was opened, and is now."""
        seen = self.seen()
        return [
            {"label": capfirst(str(self.fields[name].label)), "before": seen[name], "now": now}
            for name, now in changed.theirs.items()
        ]


def sentences(label: Any) -> Mapping[str, Any]:
    """The refusals of a field in words that name it."""
    words = {
        "required": _("{field} is missing: a contact needs one."),
        "invalid": _("{field} “%(value)s” is not an address such as name@example.com."),
        "invalid_choice": _("{field} “%(value)s” is not one of the list."),
        "max_length": _("{field} has %(show_value)s characters; at most %(limit_value)s fit."),
        "null_characters_not_allowed": _(
            "{field} holds a null character, which cannot be stored; take it out."
        ),
        "unprintable": _(
            "{field} has a character at place %(place)s (%(character)s) that cannot be shown; take it out."
        ),
        "several_lines": _("{field} has a line break or a tab at place %(place)s; it must be one line."),
    }
    return {code: text.format(field=capfirst(str(label))) for code, text in words.items()}
