from django.urls import path

from billing.gateways.sandbox import views

app_name = "sandbox"
urlpatterns = [
    path("pages/<slug:ref>/", views.page, name="page"),
    path("pages/<slug:ref>/approve/", views.bank_approve, name="bank_approve"),
    path("pages/<slug:ref>/refuse/", views.bank_refuse, name="bank_refuse"),
]
