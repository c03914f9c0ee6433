from django.apps import AppConfig
from django.core import checks
from django.utils.translation import gettext_lazy as _

from billing import clock, gateways


class SandboxConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "billing.gateways.sandbox"
    label = "sandbox"
    verbose_name = _("Sandbox gateway (TEST – no real cards)")

    def ready(self) -> None:
        from billing.gateways.sandbox.checks import sandbox_is_meant
        from billing.gateways.sandbox.clock import ahead
        from billing.gateways.sandbox.gateway import make

        checks.register(sandbox_is_meant, checks.Tags.security)
        gateways.register("sandbox", make)
        clock.runs_ahead_by(ahead)
