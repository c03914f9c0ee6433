from django.urls import path

from contacts import views

app_name = "contacts"
urlpatterns = [
    path("contacts/", views.contact_list, name="list"),
    path("contacts/new/", views.new, name="new"),
    path("contacts/<int:pk>/", views.detail, name="detail"),
    path("contacts/<int:pk>/edit/", views.edit, name="edit"),
]
