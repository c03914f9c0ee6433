from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.test import Client

from billing.management.commands.benchmark import measure
from tests.factories import ContactFactory, InvoiceFactory

pytestmark = pytest.mark.django_db


def benchmark(runs: int = 2) -> list[str]:
    out = StringIO()
    call_command("benchmark", runs=runs, stdout=out)
    return out.getvalue().splitlines()


def test_the_heaviest_tab_and_one_of_three_invoices_are_measured() -> None:
    for count in (1, 3, 5):
        contact = ContactFactory.create()
        InvoiceFactory.create_batch(count, contact=contact)
    head, columns, heavy, light, _home, contacts, *_, peer = benchmark()
    assert head.endswith(", 9 invoices, 2 runs of each page")
    assert columns.split() == ["queries", "median", "ms", "p95", "ms", "KB"]
    assert heavy.startswith("Purchases of a contact with 5 invoices ")
    assert light.startswith("Purchases of a contact with 3 invoices ")
    assert contacts.startswith("Contacts ")
    assert peer.startswith("Django admin's list of those 5 invoices ")
    queries = [line.split()[-4] for line in (heavy, light)]
    assert queries[0] == queries[1]
    assert 0 < int(queries[0]) <= 15


def test_nobody_stays_signed_in() -> None:
    InvoiceFactory.create()
    benchmark()
    assert not User.objects.exists()
    assert not Session.objects.exists()


def test_without_data_there_is_nothing_to_measure() -> None:
    with pytest.raises(CommandError, match="make some data"):
        benchmark()


def test_one_run_says_nothing() -> None:
    with pytest.raises(CommandError, match="--runs is 1"):
        benchmark(runs=1)


def test_a_page_that_does_not_open_is_not_measured(client: Client) -> None:
    with pytest.raises(CommandError, match="/contacts/ answers 302"):
        measure(client, "/contacts/", runs=2)
