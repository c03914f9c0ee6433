"""The demo's own staff: one sign-in for each role, with passwords that everybody knows."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import Group, User
from django.core.management.base import CommandError
from django.db import transaction

from billing.roles import ADMINISTRATOR, BILLING_MANAGER, SUPPORT, VIEWER

PASSWORD = "counterfoil-demo"  # noqa: S105
DOMAIN = "@demo.invalid"
"""Marks the demo's users: nobody can have an address there (RFC 2606)."""


@dataclass(frozen=True, slots=True)
class SignIn:
    username: str
    first_name: str
    last_name: str
    role: str
    may: str


SIGN_INS = (
    SignIn("viewer", "Vera", "Lind", VIEWER, "look"),
    SignIn("support", "Sam", "Okoro", SUPPORT, "create, edit, take payments, send"),
    SignIn("manager", "Mia", "Tanaka", BILLING_MANAGER, "also refund, void, write off, export"),
    SignIn("admin", "Alex", "Novak", ADMINISTRATOR, "also products, users and the back office"),
)


def check_own_database() -> None:
    """Raise CommandError where somebody else has users: known passwords would open their desk."""
    strangers = User.objects.exclude(email__endswith=DOMAIN).count()
    if strangers:
        raise CommandError(
            f"This database has {strangers} users who are not the demo's, and the demo's passwords are known "
            "to everybody: give the demo a database of its own, such as DATABASE_URL=sqlite:////tmp/demo.sqlite3."
        )


@transaction.atomic
def put_staff() -> dict[str, User]:
    """The four users by name, made if they are missing."""
    found = {user.username: user for user in User.objects.filter(email__endswith=DOMAIN)}
    for each in SIGN_INS:
        if each.username not in found:
            found[each.username] = _hire(each)
    return found


def _hire(each: SignIn) -> User:
    user = User.objects.create_user(
        each.username,
        f"{each.username}{DOMAIN}",
        PASSWORD,
        first_name=each.first_name,
        last_name=each.last_name,
        is_staff=each.role == ADMINISTRATOR,
    )
    user.groups.add(Group.objects.get(name=each.role))
    return user
