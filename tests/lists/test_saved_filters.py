"""What somebody asks a list for again and again, kept under a name."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from billing.models import SavedFilter
from billing.models.saved_filter import MOST_SAVED
from tests.factories import InvoiceFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent() -> User:
    return UserFactory.create(role="Viewer")


@pytest.fixture
def desk(client: Client, agent: User) -> Client:
    client.force_login(agent)
    return client


def save(desk: Client, name: str, query: str = "status=open", page: str = "invoices") -> str:
    """What the person is told."""
    answer = desk.post(f"/filters/{page}/", {"name": name, "query": query}, follow=True)
    return " ".join(str(each) for each in answer.context["messages"]) if answer.context else ""


@pytest.mark.parametrize("page", ["invoices", "payments", "orders"])
def test_a_filter_is_kept_under_a_name_and_leads_back_to_the_same_rows(
    desk: Client, agent: User, page: str
) -> None:
    query = "currency=EUR&q=Lantern"
    assert "Name of this filter" in desk.get(f"/{page}/?{query}").content.decode()

    assert save(desk, "Big euros", query, page) == "Saved as “Big euros”."

    kept = SavedFilter.objects.of(agent, page).get()
    html = desk.get(f"/{page}/").content.decode()
    assert kept.query == "q=Lantern&currency=EUR"
    assert f'<a href="/{page}/?q=Lantern&amp;currency=EUR"><bdi>Big euros</bdi></a>' in html
    assert "Name of this filter" not in desk.get(f"/{page}/?{kept.query}").content.decode()


def test_only_what_the_list_knows_is_kept(desk: Client, agent: User) -> None:
    save(desk, "Open", "status=open&page=7&evil=%3Cscript%3E")
    assert SavedFilter.objects.get().query == "status=open"


def test_the_same_name_in_any_case_is_replaced(desk: Client, agent: User) -> None:
    save(desk, "Mine", "status=open")
    save(desk, "MINE", "status=closed")
    assert [(each.name, each.query) for each in SavedFilter.objects.all()] == [("MINE", "status=closed")]


def test_the_database_keeps_one_filter_per_name(agent: User) -> None:
    SavedFilter.objects.create(user=agent, page="invoices", name="Mine", query="")
    with pytest.raises(IntegrityError):
        SavedFilter.objects.create(user=agent, page="invoices", name="mine", query="")


def test_each_person_has_their_own(desk: Client, agent: User, client: Client) -> None:
    save(desk, "Mine")
    kept = SavedFilter.objects.get()
    other = Client()
    other.force_login(UserFactory.create(role="Administrator"))

    assert "<bdi>Mine</bdi>" not in other.get("/invoices/").content.decode()
    assert other.post(f"/filters/{kept.pk}/forget/").status_code == 404
    assert SavedFilter.objects.exists()


def test_it_is_forgotten_by_its_cross(desk: Client, agent: User) -> None:
    save(desk, "Mine")
    answer = desk.post(f"/filters/{SavedFilter.objects.get().pk}/forget/")

    assert answer.headers["Location"] == "/invoices/?status=open"
    assert not SavedFilter.objects.exists()


@pytest.mark.parametrize("name", ["", "   ", "\x00", "x" * 61])
def test_a_name_that_is_none_is_refused_in_words(desk: Client, name: str) -> None:
    assert "Name" in save(desk, name)
    assert not SavedFilter.objects.exists()


def test_names_of_any_writing_are_kept_as_words(desk: Client) -> None:
    save(desk, "<b>حسابات 🧾</b>")
    assert "<bdi>&lt;b&gt;حسابات 🧾&lt;/b&gt;</bdi>" in desk.get("/invoices/").content.decode()


def test_there_is_an_end_to_them(desk: Client, agent: User) -> None:
    for number in range(MOST_SAVED):
        SavedFilter.objects.create(user=agent, page="invoices", name=f"No. {number}", query="")
    assert "which is the most" in save(desk, "One more")
    assert save(desk, "no. 3") == "Saved as “no. 3”."


def test_a_list_that_is_none_is_not_found(desk: Client) -> None:
    assert desk.post("/filters/secrets/", {"name": "Mine"}).status_code == 404


def test_twenty_of_them_take_as_many_queries_as_one(
    desk: Client, agent: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    InvoiceFactory.create()
    SavedFilter.objects.create(user=agent, page="invoices", name="One", query="")
    desk.get("/invoices/")
    with django_assert_num_queries(8):
        desk.get("/invoices/")
    for number in range(20):
        SavedFilter.objects.create(user=agent, page="invoices", name=f"No. {number}", query="")
    with django_assert_num_queries(8):
        desk.get("/invoices/")
