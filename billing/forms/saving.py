from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.forms.fields import PlainTextField
from billing.models.saved_filter import LONGEST_QUERY, SavedFilter


class SaveFilterForm(forms.Form):
    """A name for what a list is asked for now."""

    name = PlainTextField(
        label=_("Name"),
        max_length=SavedFilter._meta.get_field("name").max_length,
        error_messages={"required": _("Name is missing: the filter is found by it later.")},
    )
    query = forms.CharField(max_length=LONGEST_QUERY, required=False, widget=forms.HiddenInput)
