"""The addresses of the desk: what the applications bring, and the one door to them."""

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path
from django.views.generic import RedirectView

from billing.gateways.sandbox.checks import is_switched_on
from billing.views import home
from config.views import SignIn, SignInCode, own_two_factor

READ_METHODS = ["get", "head", "options"]
SIGN_IN_METHODS = [*READ_METHODS, "post"]
"""Django's own views would take a PUT for a form, and lead any other method on."""

urlpatterns = [
    path("login/", SignIn.as_view(http_method_names=SIGN_IN_METHODS), name="login"),
    path("login/code/", SignInCode.as_view(), name="login_code"),
    path("two-factor/", own_two_factor, name="two_factor"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path(
        "admin/login/",
        RedirectView.as_view(pattern_name="login", query_string=True, http_method_names=READ_METHODS),
    ),
    path("admin/", admin.site.urls),
    path("", home.home, name="home"),
    path("", include("contacts.urls")),
    path("", include("billing.urls")),
]
if is_switched_on():
    urlpatterns.append(path("sandbox/", include("billing.gateways.sandbox.urls")))
