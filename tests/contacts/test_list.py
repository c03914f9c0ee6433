"""The list of contacts."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.factories import ContactFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Support"))
    return client


def page(desk: Client, address: str, **headers: str) -> str:
    response = desk.get(address, headers=headers)
    assert response.status_code == 200
    return response.text


def test_a_stranger_is_sent_to_the_sign_in(client: Client) -> None:
    assert client.get("/contacts/").headers["Location"] == "/login/?next=/contacts/"


@pytest.mark.parametrize(
    "address", ["/contacts/", "/contacts/new/", "/contacts/{pk}/", "/contacts/{pk}/edit/"]
)
def test_staff_without_a_role_are_refused(client: Client, address: str) -> None:
    client.force_login(UserFactory.create())
    assert client.get(address.format(pk=ContactFactory.create().pk)).status_code == 403


def test_a_viewer_reads_but_does_not_write(client: Client) -> None:
    contact = ContactFactory.create()
    client.force_login(UserFactory.create(role="Viewer"))
    assert "New contact" not in page(client, "/contacts/")
    assert "Edit contact" not in page(client, f"/contacts/{contact.pk}/")
    assert client.post("/contacts/new/", {"name": "X"}).status_code == 403
    assert client.post(f"/contacts/{contact.pk}/edit/", {"name": "X"}).status_code == 403


def test_shows_25_to_a_page(desk: Client) -> None:
    for number in range(26):
        ContactFactory.create(name=f"Contact {number:02}")
    assert "1–25 of 26" in page(desk, "/contacts/")
    second = page(desk, "/contacts/?page=2")
    assert "Contact 25" in second
    assert "Contact 24" not in second


@pytest.mark.parametrize("number", ["0", "-1", "99", "x", "1e9", "9" * 40, "\0"])
def test_a_page_that_is_not_there_is_the_nearest_one(desk: Client, number: str) -> None:
    ContactFactory.create(name="Only one")
    assert "Only one" in page(desk, f"/contacts/?page={number}")


def test_sorts_by_name_and_by_age_and_by_name_when_asked_for_nonsense(desk: Client) -> None:
    ContactFactory.create(name="beta")
    ContactFactory.create(name="Alpha")
    for sort, first in (
        ("name", "Alpha"),
        ("-name", "beta"),
        ("created", "beta"),
        ("-created", "Alpha"),
        ("x", "Alpha"),
    ):
        body = page(desk, f"/contacts/?sort={sort}")
        assert (body.index("Alpha") < body.index("beta")) == (first == "Alpha"), sort


def test_links_to_other_pages_keep_the_search(desk: Client) -> None:
    for _ in range(30):
        ContactFactory.create(name="Ada")
    assert 'href="/contacts/?q=ada&amp;page=2"' in page(desk, "/contacts/?q=ada")


def test_answers_htmx_with_the_table_alone(desk: Client) -> None:
    ContactFactory.create(name="Ada")
    body = page(desk, "/contacts/?q=ada", HX_Request="true", HX_Target="contacts")
    assert "<table" in body
    assert "<html" not in body


def test_answers_the_search_box_with_a_few_names_and_an_empty_one_with_none(desk: Client) -> None:
    for _ in range(10):
        ContactFactory.create(name="Ada")
    assert page(desk, "/contacts/?q=ada", HX_Request="true", HX_Target="found").count("<a ") == 8
    assert page(desk, "/contacts/?q=", HX_Request="true", HX_Target="found").strip() == ""
    assert "No contact found." in page(desk, "/contacts/?q=zzz", HX_Request="true", HX_Target="found")


def test_says_what_to_do_when_there_is_nobody(desk: Client) -> None:
    assert "Create the first contact" in page(desk, "/contacts/")
    assert "No contact has all of" in page(desk, "/contacts/?q=zzz")


@pytest.mark.parametrize("text", ["%00", "%00a", "a" * 5000, "%F0%9F%98%80", "%ff", "%25", "'", "<script>"])
def test_whatever_is_typed_is_answered(desk: Client, text: str) -> None:
    assert "<script>alert" not in page(desk, f"/contacts/?q={text}")


def test_costs_as_many_queries_for_20_contacts_as_for_one(
    desk: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ContactFactory.create()
    page(desk, "/contacts/")
    for expected in (1, 20):
        for _ in range(expected - 1):
            ContactFactory.create()
        with django_assert_num_queries(5):
            page(desk, "/contacts/")


@pytest.mark.parametrize("pk", ["0", "99999999", "9" * 30])
def test_a_contact_that_is_not_there_is_not_found(desk: Client, pk: str) -> None:
    assert desk.get(f"/contacts/{pk}/").status_code == 404
    assert desk.get(f"/contacts/{pk}/edit/").status_code == 404


def test_the_back_office_finds_contacts(client: Client) -> None:
    boss: User = UserFactory.create(is_staff=True, is_superuser=True)
    client.force_login(boss)
    contact = ContactFactory.create(name="Ada", country="GB")
    ContactFactory.create(name="Charles", email="")
    body = page(client, "/admin/contacts/contact/?q=ada")
    assert f"/admin/contacts/contact/{contact.pk}/change/" in body
    assert ">Charles<" not in body
