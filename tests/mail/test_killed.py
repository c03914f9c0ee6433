"""A sender is killed at every step: no mail is lost, and one comes twice only if nobody could know better."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.conf import settings as django_settings

from billing.models import Mail
from billing.models.mail import LEASE
from billing.statuses import MailState
from billing.tasks import send_due_mail, tell_of_expiring_cards
from tests.factories import NOON
from tests.killed import run_to_death
from tests.mail.server import Post, mail_server
from tests.mail.test_expiring import NOTICE, order_on_a_card
from tests.mail.test_sending import queued

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def post(settings: Any) -> Iterator[Post]:
    with mail_server(settings) as post:
        yield post


def killed(environment: dict[str, str], deed: str, step: str, at: datetime) -> None:
    server = f"smtp://{django_settings.EMAIL_HOST}:{django_settings.EMAIL_PORT}"
    environment = {**environment, "EMAIL_URL": server, "BASE_URL": "http://testserver"}
    run_to_death(environment, "tests.mail.dying", deed, step, at.isoformat())


@pytest.mark.parametrize(
    ("step", "arrivals"),
    [
        ("before the server has taken it", 1),
        ("after the server has taken it", 2),
    ],
)
def test_a_mail_whose_sender_was_killed_arrives(
    environment: dict[str, str], post: Post, step: str, arrivals: int
) -> None:
    mail = queued()
    killed(environment, "send", step, NOON)
    assert send_due_mail(NOON) == {}  # the dead sender is believed to be alive for a while
    send_due_mail(NOON + LEASE)
    assert send_due_mail(NOON + 10 * LEASE) == {}
    assert len(post.mails) == arrivals
    assert len({each["Message-ID"] for each in post.mails}) == 1
    mail.refresh_from_db()
    assert mail.state == MailState.SENT


def test_who_was_killed_before_the_mail_was_written_down_leaves_its_cause_untold(
    environment: dict[str, str], post: Post
) -> None:
    order_on_a_card()
    killed(environment, "tell", "inside the transaction that tells", NOTICE)
    assert not Mail.objects.exists()
    assert tell_of_expiring_cards(NOTICE) == {"told": 1}
    assert tell_of_expiring_cards(NOTICE) == {}
    assert Mail.objects.count() == 1
