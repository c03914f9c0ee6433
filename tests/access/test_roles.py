"""The four roles are groups of Django's own, and ``migrate`` keeps them as the table says."""

from __future__ import annotations

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from pytest_django import DjangoAssertNumQueries

from billing.actions import (
    ACTIONS,
    CODE_ACTIONS,
    CODE_STEPS,
    COMMISSION_ACTIONS,
    ORDER_ACTIONS,
    ORDER_STEPS,
    PAYMENT_ACTIONS,
    PROGRAM_ACTIONS,
    STEPS,
)
from billing.roles import ADMINISTRATOR, BILLING_MANAGER, ROLES, SUPPORT, VIEWER
from config.backends import OneQueryBackend
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

TABLES = (
    *(ACTIONS, STEPS, PAYMENT_ACTIONS, ORDER_ACTIONS, ORDER_STEPS, CODE_ACTIONS, CODE_STEPS),
    *(COMMISSION_ACTIONS, PROGRAM_ACTIONS),
)
DEEDS = {action.codename for table in TABLES for action in table.values()}


def held(role: str) -> set[str]:
    permissions = Group.objects.get(name=role).permissions.select_related("content_type")
    return {f"{each.content_type.app_label}.{each.codename}" for each in permissions}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_exactly_the_permissions_of_the_table(role: str) -> None:
    assert held(role) == ROLES[role]


def test_migrating_again_gives_back_what_was_lost_and_takes_away_what_was_added() -> None:
    viewer, own = Group.objects.get(name=VIEWER), Group.objects.create(name="Interns")
    void = Permission.objects.get(codename="void_invoice")
    viewer.permissions.set([void])
    own.permissions.set([void])

    call_command("migrate", verbosity=0)

    assert held(VIEWER) == ROLES[VIEWER]
    assert list(own.permissions.all()) == [void]  # other groups are nobody's business
    assert Group.objects.count() == len(ROLES) + 1


def test_each_role_may_do_all_that_the_one_below_may() -> None:
    assert ROLES[VIEWER] < ROLES[SUPPORT] < ROLES[BILLING_MANAGER] < ROLES[ADMINISTRATOR]


def test_a_viewer_may_look_and_do_nothing() -> None:
    assert {name.partition(".")[2].partition("_")[0] for name in ROLES[VIEWER]} == {"view"}
    assert not DEEDS & ROLES[VIEWER]


def test_every_action_is_a_permission_that_somebody_holds() -> None:
    known = set(Permission.objects.values_list("codename", flat=True))
    assert {name.partition(".")[2] for name in DEEDS} <= known
    assert ROLES[BILLING_MANAGER] >= DEEDS


def test_support_takes_money_and_never_gives_any_back() -> None:
    may = {name for name in DEEDS if name in ROLES[SUPPORT]}
    assert may == {
        f"billing.{name}_invoice"
        for name in (
            *("pay", "edit", "request_payment", "send_receipt", "delete"),
            *("copy_invoice_link", "copy_pay_link"),
        )
    } | {f"billing.{name}_order" for name in ("add", *ORDER_ACTIONS)} | {"billing.copy_couponcode"}


def test_only_administrators_manage_users_and_products() -> None:
    beyond = ROLES[ADMINISTRATOR] - ROLES[BILLING_MANAGER]
    assert {
        "auth.change_user",
        "auth.change_group",
        "billing.change_product",
        "billing.change_series",
    } < beyond
    assert not any(name.startswith("auth.") for name in ROLES[BILLING_MANAGER])


def test_no_role_may_change_or_delete_a_record_of_money() -> None:
    held_by_any = set().union(*ROLES.values())
    records = ("payment", "attempt", "event", "mail", "invoiceline", "commission", "payout")
    assert not held_by_any & {
        f"billing.{verb}_{record}" for verb in ("add", "change", "delete") for record in records
    }


@pytest.mark.parametrize("role", ["", *ROLES])
def test_one_query_finds_what_django_finds_in_two(
    django_assert_num_queries: DjangoAssertNumQueries, role: str
) -> None:
    user = UserFactory.create(**({"role": role} if role else {}))
    user.user_permissions.add(Permission.objects.get(codename="view_session"))
    asked = User.objects.get(pk=user.pk)
    with django_assert_num_queries(1):
        granted = OneQueryBackend().get_all_permissions(asked)
    assert granted == ModelBackend().get_all_permissions(User.objects.get(pk=user.pk))
    assert "sessions.view_session" in granted


def test_who_has_left_may_do_nothing_and_a_superuser_everything() -> None:
    backend, left = OneQueryBackend(), UserFactory.create(role=BILLING_MANAGER, is_active=False)
    assert backend.get_all_permissions(left) == set()
    everything = backend.get_all_permissions(User(is_superuser=True))
    assert len(everything) == Permission.objects.count()
