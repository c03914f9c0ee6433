"""The words of an e-mail, as the back office changes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing.mail import Wording, checking, examples, letter
from billing.models import EmailTemplate
from billing.statuses import MailKind

CODE = {"class": "vLargeTextField wording", "spellcheck": "false", "rows": 16}


class EmailTemplateForm(forms.ModelForm[EmailTemplate]):
    """Begins with the words that hold now. What cannot be used is refused by the model, at its part."""

    class Meta:
        model = EmailTemplate
        fields = ("kind", "subject", "text", "html")
        widgets: ClassVar = {
            "kind": forms.HiddenInput,
            "subject": forms.TextInput(attrs={"class": "vTextField wording", "spellcheck": "false"}),
            "text": forms.Textarea(attrs=CODE),
            "html": forms.Textarea(attrs=CODE),
        }
        help_texts: ClassVar = {
            "html": _("The body of the HTML part; the page around it is the same for every e-mail."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for part in checking.PARTS:
            self.fields[part].strip = False  # type: ignore[attr-defined]  # all three hold text
        if self.instance.pk:
            self.fields["kind"].disabled = True

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        return {name: _lines(value) if name in checking.PARTS else value for name, value in given.items()}


def _lines(typed: str) -> str:
    """As templates have them; browsers end a line with two characters."""
    return typed.replace("\r\n", "\n")


def words_of(kind: MailKind) -> dict[str, str]:
    """What the form of a kind begins with: the wording that the product brings along."""
    wording = letter.default(kind)
    return {
        "kind": str(kind),
        "subject": wording.subject.strip(),
        "text": wording.text,
        "html": wording.html,
    }


def explained(kind: MailKind) -> dict[str, Any]:
    """For the page: each name that this e-mail knows, what it holds, and an example of a value."""
    example = examples.full(kind)
    rows = [(name, examples.NAMES[name], example.values.get(name, "")) for name in examples.names_of(kind)]
    title = _now("The words of the e-mail “%(kind)s”") % {"kind": kind.label}
    return {"kind": kind, "names": rows, "title": title}


def tried_out(kind: MailKind, typed: Mapping[str, str]) -> dict[str, Any]:
    """For the preview: what was typed, filled in with an example, or what keeps it from being used."""
    wording = Wording(*(_lines(typed.get(part, "")) for part in checking.PARTS))
    found = checking.problems(kind, wording)
    if found:
        return {"problems": [sentence for sentences in found.values() for sentence in sentences]}
    example = examples.full(kind)
    content = mark_safe(example.content(wording))  # noqa: S308  # values are escaped
    return {"message": example.write(wording), "content": content}
