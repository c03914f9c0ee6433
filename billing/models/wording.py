"""The words of the e-mails, and whom the desk writes to itself."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing import clock
from billing.mail import Letter, Message, Wording, checking
from billing.roles import BILLING_MANAGER
from billing.statuses import MailKind

log = logging.getLogger(__name__)


class MailSettings(models.Model):
    """One row at most; without one, the defaults hold."""

    staff_address = models.EmailField(
        _("address for notices to staff"),
        blank=True,
        help_text=_(
            "When it is empty, everybody of the role Billing manager who has an e-mail address is told."
        ),
    )
    expiry_notice_days = models.PositiveSmallIntegerField(
        _("days before a card expires"),
        default=30,
        help_text=_("So many days before the month in which it expires, the customer of an order is told."),
    )

    class Meta:
        default_permissions = ("view", "add", "change")
        verbose_name = _("e-mail settings")
        verbose_name_plural = _("e-mail settings")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(pk=1), name="mail_settings_one_row"),
            models.CheckConstraint(
                condition=Q(expiry_notice_days__lte=365), name="mail_settings_notice_within_a_year"
            ),
        ]

    def __str__(self) -> str:
        return str(self._meta.verbose_name)

    @classmethod
    def current(cls) -> MailSettings:
        return cls.objects.filter(pk=1).first() or cls(pk=1)

    def staff(self) -> list[str]:
        """Whom notices to staff go to: each address once, whatever its case."""
        if self.staff_address:
            return [self.staff_address]
        managers = User.objects.filter(is_active=True, groups__name=BILLING_MANAGER).exclude(email="")
        found = managers.order_by("pk").values_list("email", flat=True)
        return list({email.casefold(): email for email in found}.values())


class EmailTemplate(models.Model):
    """The words of one kind of mail, where the back office has changed them. Without a row the default holds.

    ``error`` is why they could not be used when they last should have been: the default took their place.
    """

    kind = models.CharField(_("e-mail"), max_length=20, choices=MailKind, unique=True)
    subject = models.CharField(_("subject"), max_length=500)
    text = models.TextField(_("text"))
    html = models.TextField(_("HTML"))
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    changed_at = models.DateTimeField(_("changed"), default=clock.now, editable=False)
    error = models.CharField(_("error"), max_length=500, blank=True, editable=False)
    failed_at = models.DateTimeField(_("failed"), null=True, editable=False)

    class Meta:
        verbose_name = _("e-mail template")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(kind__in=MailKind.values), name="email_template_kind_known"),
        ]

    def __str__(self) -> str:
        return str(MailKind(self.kind).label)

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.changed_at = clock.now()
        super().save(*args, **kwargs)

    @property
    def wording(self) -> Wording:
        return Wording(self.subject, self.text, self.html)

    def clean(self) -> None:
        """Raise ValidationError, for each part, with what keeps it from being used."""
        if self.kind not in MailKind.values:
            return  # the field says so
        found = checking.problems(MailKind(self.kind), self.wording)
        if found:
            raise ValidationError(found)
        self.error, self.failed_at = "", None

    def note_failure(self, words: str) -> None:
        """Put it before a person, once, in the caller's transaction."""
        mine = type(self).objects.filter(pk=self.pk).exclude(error=words[:500])
        mine.update(error=words[:500], failed_at=clock.now())


def on_paper(letter: Letter) -> Message:
    """The letter in the words that hold now: those of the back office, unless they cannot be used."""
    template = EmailTemplate.objects.filter(kind=letter.kind).first()
    if template is None:
        return letter.write()
    try:
        found = checking.problems(letter.kind, template.wording)
        if not found:
            return letter.write(template.wording)
        words = " ".join(sentence for sentences in found.values() for sentence in sentences)
    except Exception as error:
        log.exception("The e-mail template “%s” failed", template)
        words = f"{type(error).__name__}: {error}"
    log.error("The default took the place of the e-mail template “%s”: %s", template, words)
    template.note_failure(words)
    return letter.write()
