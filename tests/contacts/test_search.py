"""Finding a contact while the customer is on the phone."""

import pytest
from django.db import connection
from django.db.models import QuerySet

from contacts.models import Contact
from tests.factories import ContactFactory

pytestmark = pytest.mark.django_db


def found(text: str) -> list[str]:
    return [contact.name for contact in Contact.objects.search(text).for_list()]


@pytest.fixture
def marta() -> Contact:
    ContactFactory.create(
        name="Ada Lovelace", email="ada@example.org", phone="+44 20 7946 0001", company="Engines"
    )
    marta: Contact = ContactFactory.create(
        name="Marta Lindqvist",
        email="marta@example.com",
        phone="+46 (70) 123-45.67",
        company="Åkeri & Söner",
        external_ref="RET-4711",
    )
    return marta


@pytest.mark.parametrize(
    "text",
    [
        "marta",
        "LINDQ",
        "example.com",
        "söner",
        "ÅKERI",
        "åkeri",
        "ret-4711",
        "4711",
        "marta söner",
        "söner  marta",
    ],
)
def test_finds_by_every_word_in_any_field_whatever_the_case(marta: Contact, text: str) -> None:
    assert found(text) == ["Marta Lindqvist"]


@pytest.mark.parametrize(
    "text", ["+46701234567", "0701234567", "070 123 45 67", "123-4567", "70/123", "(70) 123-45.67"]
)
def test_finds_a_phone_number_however_it_is_punctuated(marta: Contact, text: str) -> None:
    assert found(text) == ["Marta Lindqvist"]


@pytest.mark.parametrize("text", ["marta engines", "%", "_", "mar%ta", "zzz", "070 999"])
def test_finds_nothing_when_a_word_is_nowhere(marta: Contact, text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize("text", ["", "  ", "\0", "\0 \0"])
def test_an_empty_search_is_the_whole_list(marta: Contact, text: str) -> None:
    assert found(text) == ["Ada Lovelace", "Marta Lindqvist"]


def test_a_search_follows_every_change_even_one_that_walks_past_save(marta: Contact) -> None:
    Contact.objects.filter(pk=marta.pk).update(phone="08-555 00 11")
    assert found("0855500") == ["Marta Lindqvist"]


def test_letters_composed_in_another_way_are_the_same_letters(marta: Contact) -> None:
    assert found("so\u0308ner") == ["Marta Lindqvist"]


def test_names_that_are_equal_keep_one_order() -> None:
    contacts = [ContactFactory.create(name="Twin") for _ in range(3)]
    assert list(Contact.objects.for_list("name")) == contacts
    assert list(Contact.objects.for_list("-name")) == contacts[::-1]


def plan(question: QuerySet[Contact]) -> str:
    """How the database finds the answer in a table of any size."""
    if connection.vendor == "postgresql":  # which reads the whole of a small table, index or not
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
    return question.explain()


def test_the_list_of_names_is_read_from_an_index() -> None:
    assert "contact_by_name" in plan(Contact.objects.for_list("name")[:25])


def test_an_address_finds_its_contact_in_whatever_case(marta: Contact) -> None:
    assert Contact.objects.by_email("MARTA@Example.com").get() == marta
    assert not Contact.objects.by_email("mart_@example.com").exists()


def test_no_address_finds_nobody(marta: Contact) -> None:
    ContactFactory.create(email="")
    assert not Contact.objects.by_email("").exists()


def test_an_address_is_found_in_an_index() -> None:
    assert "contact_email_once" in plan(Contact.objects.by_email("marta@example.com").order_by())
