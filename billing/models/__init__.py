"""The rows that a stranger's money depends on. Import them from here."""

from billing.models.attempt import Attempt
from billing.models.bulk import Bulk
from billing.models.card import Card
from billing.models.card_page import CardPage
from billing.models.coupons.code import CouponCode
from billing.models.coupons.coupon import Coupon
from billing.models.coupons.redemption import CouponRedemption
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
from billing.models.partners.commission import Commission
from billing.models.partners.partner import Partner, Referral
from billing.models.partners.payout import Payout
from billing.models.partners.program import PartnerProgram
from billing.models.partners.rates import ProgramRate, Threshold
from billing.models.partners.referring import record_referral
from billing.models.payment import Payment
from billing.models.product import Product, ProductPrice, TaxRate
from billing.models.recharging.schedule import RechargeSchedule
from billing.models.recharging.settings import RechargeSettings
from billing.models.saved_filter import SavedFilter
from billing.models.selling.form import OrderForm, OrderFormItem
from billing.models.selling.submission import Submission
from billing.models.series import Series
from billing.models.unmatched import UnmatchedMoney
from billing.models.wording import EmailTemplate, MailSettings

__all__ = [
    "Attempt",
    "Bulk",
    "Card",
    "CardPage",
    "Commission",
    "Coupon",
    "CouponCode",
    "CouponRedemption",
    "Customer",
    "Dispute",
    "EmailTemplate",
    "Event",
    "GatewayEvent",
    "Header",
    "Invoice",
    "InvoiceLine",
    "Job",
    "JobRun",
    "LineInput",
    "Mail",
    "MailSettings",
    "Order",
    "OrderForm",
    "OrderFormItem",
    "OrderLine",
    "Partner",
    "PartnerProgram",
    "Payment",
    "Payout",
    "Product",
    "ProductPrice",
    "ProgramRate",
    "RechargeSchedule",
    "RechargeSettings",
    "Referral",
    "SavedFilter",
    "Series",
    "Submission",
    "TaxRate",
    "Threshold",
    "UnmatchedMoney",
    "record_referral",
]
