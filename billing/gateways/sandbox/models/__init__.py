"""The sandbox's own books: what a card company would hold, kept apart from the invoices."""

from billing.gateways.sandbox.models.card import StoredCard
from billing.gateways.sandbox.models.charge import Charge, Refund
from billing.gateways.sandbox.models.clock import DeskClock
from billing.gateways.sandbox.models.dispute import Dispute
from billing.gateways.sandbox.models.message import Message
from billing.gateways.sandbox.models.page import HostedPage, Stage

__all__ = ["Charge", "DeskClock", "Dispute", "HostedPage", "Message", "Refund", "Stage", "StoredCard"]
