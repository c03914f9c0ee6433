from django.contrib import admin

from contacts.models import Contact


@admin.register(Contact)
class ContactAdmin(admin.ModelAdmin[Contact]):
    list_display = ("name", "email", "company", "phone", "city", "country", "created_at")
    list_filter = ("country", "created_at")
    list_per_page = 50
    search_fields = ("search_text",)
    search_help_text = "Name, e-mail, phone, company or external reference"
    readonly_fields = ("created_at", "updated_at")
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("name", "company", "email", "phone", "external_ref")}),
        ("Address", {"fields": ("street", "street_2", ("postal_code", "city"), ("region", "country"))}),
        (None, {"fields": ("notes", ("created_at", "updated_at"))}),
    )
