"""The form at the desk's door."""

from django import forms
from django.contrib.auth.forms import AuthenticationForm, UsernameField


class SignInForm(AuthenticationForm):
    """Django's own checks no length, and PostgreSQL would break on noting a failure under a longer name."""

    username = UsernameField(max_length=150, widget=forms.TextInput(attrs={"autofocus": True}))
