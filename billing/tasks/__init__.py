"""What is done without anybody asking: billing orders and charging them, sending mails, asking gateways, and
acting on what they tell.

Every row that waits carries its due time, and is claimed before it is worked on: any number of workers may
run these at once, and one that dies leaves nothing that the next run does not find.
"""

from billing.tasks.attempts import Asked, ends, resolve_attempts
from billing.tasks.batches import Proceed, always
from billing.tasks.customers import look_after_forms, take_cards, tell_of_expiring_cards
from billing.tasks.mails import check_mail_server, send_due_mail
from billing.tasks.notices import act_on_notices, check_gateways
from billing.tasks.orders import bill_due_orders, charge_due_invoices, end_collections
from billing.tasks.rounds import JOBS, is_at_work, tick

__all__ = [
    "JOBS",
    "Asked",
    "Proceed",
    "act_on_notices",
    "always",
    "bill_due_orders",
    "charge_due_invoices",
    "check_gateways",
    "check_mail_server",
    "end_collections",
    "ends",
    "is_at_work",
    "look_after_forms",
    "resolve_attempts",
    "send_due_mail",
    "take_cards",
    "tell_of_expiring_cards",
    "tick",
]
