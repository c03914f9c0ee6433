"""The addresses of the desk: what the applications bring, and the one door to them."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from django.views.generic import RedirectView

from config.forms import SignInForm

urlpatterns = [
    path(
        "login/",
        LoginView.as_view(template_name="login.html", authentication_form=SignInForm),
        name="login",
    ),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/login/", RedirectView.as_view(pattern_name="login", query_string=True)),
    path("admin/", admin.site.urls),
    path("", RedirectView.as_view(pattern_name="contacts:list"), name="home"),
    path("", include("contacts.urls")),
    path("", include("billing.urls")),
]
if settings.GATEWAY == "sandbox":
    urlpatterns.append(path("sandbox/", include("billing.gateways.sandbox.urls")))
