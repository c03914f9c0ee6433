from django.urls import path, register_converter

from billing.views import (
    act,
    attempts,
    bulk,
    cards,
    editor,
    exports,
    invoices,
    lists,
    orders,
    public,
    purchases,
)

register_converter(act.ActionConverter, "action")
register_converter(orders.OrderActionConverter, "order_action")

app_name = "billing"
urlpatterns = [
    path("contacts/<int:pk>/purchases/", purchases.purchases, name="purchases"),
    path("contacts/<int:pk>/timeline/", purchases.contact_timeline, name="contact_timeline"),
    path("contacts/<int:pk>/invoices/new/", editor.new, name="invoice_new"),
    path("contacts/<int:pk>/orders/new/", orders.begin, name="order_new"),
    path("contacts/<int:pk>/cards/new/", cards.add, name="card_add"),
    path("contacts/<int:pk>/cards/<uuid:key>/", cards.come_back, name="card_return"),
    path("cards/<int:pk>/default/", cards.make_default, name="card_default"),
    path("cards/<int:pk>/remove/", cards.remove, name="card_remove"),
    path("invoices/", lists.invoices, name="invoices"),
    path("invoices/export/", exports.invoices, name="invoices_export"),
    path("invoices/<action:action>/", bulk.act_many, name="act_many"),
    path("bulk/<uuid:pk>/", bulk.bulk, name="bulk"),
    path("invoices/<int:pk>/", invoices.invoice, name="invoice"),
    path("invoices/<int:pk>/export/", exports.invoice, name="invoice_export"),
    path("invoices/<int:pk>/edit/", editor.edit, name="invoice_edit"),
    path("invoices/<int:pk>/overdue/", invoices.ask_overdue, name="ask_overdue"),
    path("invoices/<int:pk>/why-not/", act.why_not, name="why_not"),
    path("invoices/<int:pk>/<action:action>/", act.act, name="act"),
    path("orders/", lists.orders, name="orders"),
    path("orders/<int:pk>/", orders.order, name="order"),
    path("orders/<int:pk>/why-not/", orders.why_not, name="order_why_not"),
    path("orders/<int:pk>/<order_action:action>/", orders.act, name="order_act"),
    path("totals/", editor.totals, name="totals"),
    path("products/", editor.product_search, name="product_search"),
    path("payments/", lists.payments, name="payments"),
    path("payments/export/", exports.payments, name="payments_export"),
    path("payments/<int:pk>/refund/", act.refund_payment, name="payment_refund"),
    path("attempts/<int:pk>/", attempts.attempt, name="attempt"),
    path("attempts/<int:pk>/ask/", attempts.ask, name="attempt_ask"),
    path("attempts/<int:pk>/cancel/", attempts.cancel, name="attempt_cancel"),
    path("mail/<int:pk>/", invoices.mail, name="mail"),
    path("mail/<int:pk>/again/", invoices.mail_again, name="mail_again"),
    path("i/<slug:token>/", public.public_invoice, name="public_invoice"),
    path("i/<slug:token>/pdf/", public.public_pdf, name="public_pdf"),
    path("pay/<slug:token>/", public.pay, name="pay"),
    path("pay/<slug:token>/return/", public.pay_return, name="pay_return"),
]
