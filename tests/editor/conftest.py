import pytest
from django.contrib.auth.models import User
from django.test import Client

from contacts.models import Contact
from tests.factories import ContactFactory, UserFactory


@pytest.fixture
def agent(db: None) -> User:
    return UserFactory.create(role="Support", first_name="Grace", last_name="Hopper")


@pytest.fixture
def desk(client: Client, agent: User) -> Client:
    client.force_login(agent)
    return client


@pytest.fixture
def ada(db: None) -> Contact:
    return ContactFactory.create(name="Ada Lovelace", email="ada@example.com")
