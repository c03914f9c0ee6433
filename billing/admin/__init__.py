"""The back office: Django admin, where every financial record is read-only except through guarded actions."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from billing.admin import catalogue, coupons, gateways, mails, partners, records, rules, staff

__all__ = ["catalogue", "coupons", "gateways", "mails", "partners", "records", "rules", "staff"]

admin.site.site_header = _("Counterfoil · back office")
admin.site.site_title = _("Counterfoil")
admin.site.index_title = _("Back office")
