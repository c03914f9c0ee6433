"""Customers. Everything else in the desk points at them, and they point at nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Cast, Concat, Lower, Replace, Trim, Upper
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django_countries.fields import CountryField

MOST_WORDS = 8
PHONE_PUNCTUATION = " -.()/+"
PHONE_WORD = re.compile(r"[\d().+/-]*\d[\d().+/-]*", re.ASCII)


def printable(value: str) -> None:
    """Refuse control characters (Unicode category Cc) other than tab and line breaks."""
    for place, character in enumerate(value, start=1):
        if unicodedata.category(character) == "Cc" and character not in "\t\r\n":
            raise ValidationError(
                _("The character at place %(place)s (%(character)s) cannot be shown; take it out."),
                code="unprintable",
                params={"place": place, "character": f"U+{ord(character):04X}"},
            )


def one_line(value: str) -> None:
    """As :func:`printable`, and no tabs or line breaks either."""
    printable(value)
    if place := next(
        (at for at, character in enumerate(value, start=1) if character in "\t\r\n\u2028\u2029"), 0
    ):
        raise ValidationError(
            _("There is a line break or a tab at place %(place)s; this must be one line."),
            code="several_lines",
            params={"place": place},
        )


def tidy(text: str) -> str:
    """Text as it is stored: composed Unicode (NFC), line breaks as ``\\n``, no blanks around it."""
    return unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").strip()


class ContactChanged(Exception):
    """Somebody stored other values meanwhile; ``theirs`` maps each such column to what it holds now."""

    def __init__(self, theirs: Mapping[str, str]) -> None:
        super().__init__(", ".join(theirs))
        self.theirs = theirs


class ContactQuerySet(models.QuerySet["Contact"]):
    def search(self, text: str) -> ContactQuerySet:
        """Contacts that hold every word of ``text``, in whatever case; phone numbers however punctuated."""
        found = self
        for word in unicodedata.normalize("NFC", text).replace("\0", " ").split()[:MOST_WORDS]:
            found = found.filter(reduce(or_, (Q(search_text__contains=each) for each in spellings(word))))
        return found

    def by_email(self, email: str) -> ContactQuerySet:
        """The contact with this address in whatever case, or nobody; nobody for an empty one.

        Asked in the words of ``contact_email_once``, whose index answers: ``iexact`` reads every row.
        """
        return self.exclude(email="").alias(mailbox=Lower("email")).filter(mailbox=Lower(Value(email)))

    def for_list(self, order: str = "name") -> ContactQuerySet:
        """In one of the orders of ``ORDERS``, each with a unique tail so that pages never overlap."""
        return self.order_by(*ORDERS[order]).defer("notes", "search_text")


ORDERS: dict[str, tuple[Any, ...]] = {
    "name": (Lower("name"), "pk"),
    "-name": (Lower("name").desc(), "-pk"),
    "created": ("created_at", "pk"),
    "-created": ("-created_at", "-pk"),
}


def spellings(word: str) -> set[str]:
    """What to look for when somebody types ``word``.

    The text that is searched is in capitals, which SQLite makes of ASCII letters only. A phone number is
    stored with its country code and typed without it.
    """
    words = {word.upper()}
    if PHONE_WORD.fullmatch(word):
        digits = re.sub(r"\D", "", word)
        words.add(digits.lstrip("0") or digits)
    if not word.isascii():
        words |= {ascii_capitals(each) for each in (word, word.lower(), word.capitalize())}
    return words


def ascii_capitals(word: str) -> str:
    return "".join(character.upper() if character.isascii() else character for character in word)


def phone_digits() -> Replace | F:
    digits: Replace | F = F("phone")
    for character in PHONE_PUNCTUATION:
        digits = Replace(digits, Value(character), Value(""))
    return digits


class Contact(models.Model):
    name = models.CharField(_("name"), max_length=200, validators=[one_line])
    email = models.EmailField(_("e-mail"), blank=True, validators=[one_line])
    phone = models.CharField(_("phone"), max_length=50, blank=True, validators=[one_line])
    company = models.CharField(_("company"), max_length=200, blank=True, validators=[one_line])
    street = models.CharField(_("street"), max_length=200, blank=True, validators=[one_line])
    street_2 = models.CharField(_("street, second line"), max_length=200, blank=True, validators=[one_line])
    postal_code = models.CharField(_("postal code"), max_length=20, blank=True, validators=[one_line])
    city = models.CharField(_("city"), max_length=100, blank=True, validators=[one_line])
    region = models.CharField(_("region"), max_length=100, blank=True, validators=[one_line])
    country = CountryField(_("country"), blank=True)
    notes = models.TextField(_("notes"), max_length=10_000, blank=True, validators=[printable])
    external_ref = models.CharField(
        _("external reference"),
        max_length=100,
        blank=True,
        validators=[one_line],
        help_text=_("The contact's number in the system that it came from."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)
    search_text = models.GeneratedField(
        expression=Upper(
            Concat(
                "name", Value("\n"), Cast("email", models.CharField()), Value("\n"), "company", Value("\n"),
                "external_ref", Value("\n"), "phone", Value("\n"), phone_digits(),
            )
        ),
        output_field=models.TextField(),
        db_persist=True,
    )  # fmt: skip

    objects = ContactQuerySet.as_manager()

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = [Lower("name"), "pk"]
        indexes = [
            models.Index(Lower("name"), "id", name="contact_by_name"),
            models.Index("created_at", "id", name="contact_by_created"),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="contact_has_name"),
            models.CheckConstraint(condition=Q(email=Trim("email")), name="contact_email_trimmed"),
            models.UniqueConstraint(
                Lower("email"),
                condition=~Q(email=""),
                name="contact_email_once",
                violation_error_message=_("Another contact has this e-mail."),
            ),
            models.UniqueConstraint(
                "external_ref",
                condition=~Q(external_ref=""),
                name="contact_external_ref_once",
                violation_error_message=_("Another contact has this external reference."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("contacts:detail", args=[self.pk])

    @property
    def address_lines(self) -> list[str]:
        """The lines of a letter's address that are filled in."""
        town = f"{self.postal_code} {self.city}".strip()
        lines = (self.street, self.street_2, town, self.region, str(self.country.name))
        return [line for line in lines if line]

    @transaction.atomic
    def amend(self, *, seen: Mapping[str, str], values: Mapping[str, str]) -> None:
        """Store ``values`` if every column of ``seen`` still holds what it held then (both sides made tidy).

        Raises ContactChanged otherwise, and IntegrityError when the e-mail or the external reference was
        taken meanwhile.
        """
        self.refresh_from_db(from_queryset=Contact.objects.select_for_update())
        now = {name: tidy(str(getattr(self, name))) for name in seen}
        if theirs := {name: value for name, value in now.items() if value != seen[name]}:
            raise ContactChanged(theirs)
        for name, value in values.items():
            setattr(self, name, value)
        self.save(update_fields=[*values, "updated_at"])
