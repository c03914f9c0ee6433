"""The rows that a stranger's money depends on. Import them from here."""

from billing.models.attempt import Attempt
from billing.models.bulk import Bulk
from billing.models.card import Card
from billing.models.card_page import CardPage
from billing.models.customer import Customer
from billing.models.dispute import Dispute
from billing.models.editing import Header
from billing.models.event import Event
from billing.models.gateway_event import GatewayEvent
from billing.models.invoice import Invoice
from billing.models.job import Job, JobRun
from billing.models.line import InvoiceLine, LineInput
from billing.models.mail import Mail
from billing.models.orders.line import OrderLine
from billing.models.orders.order import Order
from billing.models.payment import Payment
from billing.models.product import Product, TaxRate
from billing.models.series import Series
from billing.models.unmatched import UnmatchedMoney

__all__ = [
    "Attempt",
    "Bulk",
    "Card",
    "CardPage",
    "Customer",
    "Dispute",
    "Event",
    "GatewayEvent",
    "Header",
    "Invoice",
    "InvoiceLine",
    "Job",
    "JobRun",
    "LineInput",
    "Mail",
    "Order",
    "OrderLine",
    "Payment",
    "Product",
    "Series",
    "TaxRate",
    "UnmatchedMoney",
]
