"""Writing a contact down, and two agents doing so at once."""

import re
from threading import Barrier, Thread
from typing import Any
from unittest import mock

import pytest
from django.db import IntegrityError, connection, transaction
from django.http import HttpResponse
from django.test import Client

from contacts.forms import ContactForm
from contacts.models import Contact, ContactChanged
from tests.factories import ContactFactory, UserFactory

pytestmark = pytest.mark.django_db
HIDDEN = re.compile(r'<input type="hidden" name="(initial-\w+)"(?: value="([^"]*)")?')


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Support"))
    return client


def opened(contact: Contact) -> dict[str, str]:
    """What a browser sends back from the form as it was opened."""
    form = ContactForm(instance=contact)
    shown = {name: str(getattr(contact, name)) for name in form.fields}
    return shown | {form[name].html_initial_name: value for name, value in shown.items()}


def create(desk: Client, **fields: str) -> Any:
    return desk.post("/contacts/new/", {"name": "Ada Lovelace", **fields})


def edit(desk: Client, contact: Contact, **fields: str) -> Any:
    return desk.post(f"/contacts/{contact.pk}/edit/", opened(contact) | fields)


def assert_refused(response: HttpResponse, sentence: str, status: int = 422) -> None:
    assert response.status_code == status
    assert sentence in response.text


def test_a_contact_needs_a_name_and_nothing_else(desk: Client) -> None:
    response = create(desk)
    contact = Contact.objects.get()
    assert response.headers["Location"] == f"/contacts/{contact.pk}/"
    assert_refused(create(desk, name="  "), "Name is missing: a contact needs one.")


def test_keeps_everything_that_was_typed_without_the_blanks_around_it(desk: Client) -> None:
    create(desk, email=" ada@example.com ", phone=" 1 ", country="GB", notes="one\r\ntwo ", city="Zürich")
    contact = Contact.objects.get()
    assert (contact.email, contact.phone, contact.country.code) == ("ada@example.com", "1", "GB")
    assert (contact.notes, contact.city) == ("one\ntwo", "Zürich")


NAMES = [
    "😀 Émile",
    "شركة النور",
    "<script>alert(1)</script>",
    '=HYPERLINK("http://x","y")',
    "O'Brien & Söhne",
    "{{ x }}",
]


@pytest.mark.parametrize("name", NAMES)
def test_shows_a_name_exactly_as_it_was_typed(desk: Client, name: str) -> None:
    create(desk, name=name)
    contact = Contact.objects.get()
    assert contact.name == name
    shown = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = shown.replace('"', "&quot;").replace("'", "&#x27;")
    for address in ("/contacts/", f"/contacts/{contact.pk}/", f"/contacts/{contact.pk}/edit/"):
        body = desk.get(address).text
        assert f"<bdi>{shown}</bdi>" in body
        assert "<script>alert" not in body


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", "x" * 201, "Name has 201 characters; at most 200 fit."),
        ("notes", "x" * 10_001, "Notes has 10001 characters; at most 10000 fit."),
        ("name", "a\0b", "Name holds a null character, which cannot be stored; take it out."),
        ("email", "a\0b@example.com", "E-mail holds a null character"),
        ("name", "a\x07b", "Name has a character at place 2 (U+0007) that cannot be shown; take it out."),
        ("notes", "a\x1bb", "Notes has a character at place 2 (U+001B) that cannot be shown; take it out."),
        ("city", "a\nb", "City has a line break or a tab at place 2; it must be one line."),
        ("email", "ada", "E-mail “ada” is not an address such as name@example.com."),
        ("email", f"{'x' * 260}@example.com", "E-mail has 272 characters; at most 254 fit."),
        ("country", "XX", "Country “XX” is not one of the list."),
        ("country", "\0", "Country “"),
    ],
)
def test_refuses_bad_input_with_a_sentence_beside_what_was_typed(
    desk: Client, field: str, value: str, sentence: str
) -> None:
    response = create(desk, phone="12345", **{field: value})
    assert_refused(response, sentence)
    assert 'value="12345"' in response.text
    assert f'aria-describedby="id_{field}_error"' in response.text
    assert not Contact.objects.exists()


@pytest.mark.parametrize("email", ["ada@example.com", "ADA@Example.com", " Ada@EXAMPLE.com "])
def test_an_email_belongs_to_one_contact_whatever_its_case(desk: Client, email: str) -> None:
    ContactFactory.create(name="First Ada", email="Ada@example.com")
    assert_refused(create(desk, email=email), "belongs to First Ada already; a contact needs one of its own.")


def test_an_external_reference_belongs_to_one_contact(desk: Client) -> None:
    ContactFactory.create(name="First Ada", external_ref="17")
    sentence = "External reference “17” belongs to First Ada already"
    assert_refused(create(desk, external_ref="17"), sentence)


def test_many_contacts_may_have_no_email_and_no_reference(desk: Client) -> None:
    create(desk)
    create(desk)
    assert Contact.objects.count() == 2


@pytest.mark.parametrize(
    "broken",
    [{"email": "ADA@example.com"}, {"email": " b@example.com"}, {"name": ""}, {"external_ref": "17"}],
)
def test_the_database_refuses_what_the_form_refuses(broken: dict[str, str]) -> None:
    ContactFactory.create(email="ada@example.com", external_ref="17")
    with pytest.raises(IntegrityError), transaction.atomic():
        ContactFactory.create(**broken)


def test_an_email_taken_between_the_question_and_the_answer_is_refused_too(desk: Client) -> None:
    ContactFactory.create(email="ada@example.com")
    with mock.patch.object(ContactForm, "refuse_taken"), mock.patch.object(Contact, "validate_constraints"):
        response = create(desk, email="ada@example.com")
    assert_refused(response, "was stored with this e-mail or external reference a moment ago")


def test_an_edit_changes_what_was_changed(desk: Client) -> None:
    contact = ContactFactory.create(city="Lund", notes=" from\r\nan import ")
    assert edit(desk, contact, city="Malmö").headers["Location"] == f"/contacts/{contact.pk}/"
    before = contact.updated_at
    contact.refresh_from_db()
    assert contact.city == "Malmö"
    assert contact.updated_at > before


def test_the_form_carries_what_the_agent_saw(desk: Client) -> None:
    contact = ContactFactory.create(city="Lund")
    hidden = dict(HIDDEN.findall(desk.get(f"/contacts/{contact.pk}/edit/").text))
    assert hidden["initial-city"] == "Lund"
    assert hidden["initial-name"] == contact.name


def test_a_refused_edit_leaves_the_heading_as_it_is_stored(desk: Client) -> None:
    contact = ContactFactory.create(name="Ada")
    assert_refused(edit(desk, contact, name="Grace", email="x"), "Edit <bdi>Ada</bdi>")


def test_the_second_of_two_edits_is_refused_and_shows_what_changed(desk: Client) -> None:
    contact = ContactFactory.create(city="Lund", phone="1")
    Contact.objects.filter(pk=contact.pk).update(city="Malmö")
    response = edit(desk, contact, phone="2")
    assert_refused(response, "Someone else changed this contact", status=409)
    assert (
        '<th scope="row">City</th><td dir="auto">Lund</td><td class="after" dir="auto">Malmö</td>'
        in response.text
    )
    contact.refresh_from_db()
    assert (contact.city, contact.phone) == ("Malmö", "1")


def test_after_a_refusal_the_form_holds_both_agents_work_and_saves(desk: Client) -> None:
    contact = ContactFactory.create(city="Lund", phone="1")
    Contact.objects.filter(pk=contact.pk).update(city="Malmö")
    form = edit(desk, contact, phone="2").context["form"]
    again = {name: form[name].value() for name in form.fields}
    again |= {form[name].html_initial_name: form.data[form[name].html_initial_name] for name in form.fields}
    assert desk.post(f"/contacts/{contact.pk}/edit/", again).status_code == 302
    contact.refresh_from_db()
    assert (contact.city, contact.phone) == ("Malmö", "2")


def test_a_stale_copy_cannot_overwrite() -> None:
    contact = ContactFactory.create(city="Lund")
    stale = Contact.objects.get(pk=contact.pk)
    contact.amend(seen={"city": "Lund"}, values={"city": "Malmö"})
    with pytest.raises(ContactChanged) as changed:
        stale.amend(seen={"city": "Lund"}, values={"city": "Ystad"})
    assert changed.value.theirs == {"city": "Malmö"}
    stale.refresh_from_db()
    assert stale.city == "Malmö"


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_eight_edits_at_once_one_wins() -> None:
    contact = ContactFactory.create(city="Lund")
    start, won = Barrier(8), []

    def amend(city: str) -> None:
        mine = Contact.objects.get(pk=contact.pk)
        start.wait()
        try:
            mine.amend(seen={"city": "Lund"}, values={"city": city})
            won.append(city)
        except ContactChanged:
            pass
        finally:
            connection.close()

    threads = [Thread(target=amend, args=(f"City {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    contact.refresh_from_db()
    assert won == [contact.city]
