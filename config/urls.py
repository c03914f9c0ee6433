"""The addresses of the desk."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

urlpatterns = [
    path("login/", LoginView.as_view(template_name="login.html"), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    *(
        path("", include(f"{app}.urls"))
        for app in ("contacts", "billing")
        if (settings.BASE_DIR / app / "urls.py").exists()
    ),
]
