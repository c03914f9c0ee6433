from django.apps import AppConfig

from billing import gateways


class StripeConfig(AppConfig):
    name = "billing.gateways.stripe"
    label = "stripe"
    verbose_name = "Stripe"

    def ready(self) -> None:
        from billing.gateways.stripe.gateway import make

        gateways.register("stripe", make)
