"""Mails go to a real mail server, which takes them, refuses them or dies with them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from billing.mail import Message
from billing.models import Mail
from billing.models.mail import LEASE, MOST_TRIES
from billing.statuses import MailKind, MailState
from billing.tasks import send_due_mail
from tests.factories import NOON, InvoiceFactory
from tests.gateways.races import at_once
from tests.mail.server import SPAM, WORDS, Post, mail_server

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
WORDS_OF_A_MAIL = Message(
    "Lantern \N{PILE OF POO}", "Hello \N{HEBREW LETTER ALEF}\n" + "long " * 400, "<p>Hello</p>"
)


@pytest.fixture
def post(settings: Any) -> Iterator[Post]:
    with mail_server(settings) as post:
        yield post


def queued(to: str = "ada@example.com") -> Mail:
    invoice = InvoiceFactory.create()
    kind = MailKind.RECEIPT
    return Mail.objects.queue(invoice, WORDS_OF_A_MAIL, kind=kind, to=to, by=None, at=NOON)


def fresh(mail: Mail) -> Mail:
    return Mail.objects.get(pk=mail.pk)


def test_a_mail_that_the_server_took_is_sent(post: Post) -> None:
    mail = queued()
    assert send_due_mail(NOON) == {"sent": 1}
    now = fresh(mail)
    assert (now.state, now.sent_at, now.tries, now.error) == (MailState.SENT, NOON, 1, "")


def test_a_mail_arrives_as_it_was_written(post: Post) -> None:
    queued()
    send_due_mail(NOON)
    (mail,) = post.mails
    assert mail["Subject"] == WORDS_OF_A_MAIL.subject
    assert mail["To"] == "ada@example.com"
    assert mail["From"].startswith("Counterfoil <billing@")
    text, html = mail.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert text.get_content().splitlines() == WORDS_OF_A_MAIL.text.splitlines()
    assert html.get_content_type() == "text/html"
    assert html.get_content().strip() == WORDS_OF_A_MAIL.html


def test_several_mails_share_one_connection(post: Post) -> None:
    for _ in range(3):
        queued()
    assert send_due_mail(NOON) == {"sent": 3}
    assert (len(post.mails), len(post.callers)) == (3, 1)


def test_a_run_sends_no_more_than_it_was_asked_to(post: Post) -> None:
    for _ in range(3):
        queued()
    assert send_due_mail(NOON, 2) == {"sent": 2}


def test_a_worker_that_is_told_to_stop_finishes_the_mail_in_hand_only(post: Post) -> None:
    queued()
    queued()
    assert send_due_mail(NOON, proceed=lambda: not post.mails) == {"sent": 1}


def test_a_mail_that_is_not_due_waits(post: Post) -> None:
    queued()
    assert send_due_mail(NOON - MINUTE) == {}


@pytest.mark.parametrize(("who", "words"), [("unknown", WORDS["unknown"]), ("spam", SPAM)])
def test_what_the_server_refuses_for_good_fails_at_once_with_its_words(
    post: Post, who: str, words: str
) -> None:
    refused, other = queued(f"{who}@example.com"), queued()
    assert send_due_mail(NOON) == {"failed": 1, "sent": 1}
    assert (fresh(refused).state, fresh(refused).error) == (MailState.FAILED, words)
    assert fresh(other).state == MailState.SENT
    assert send_due_mail(NOON + timedelta(days=1)) == {}


def test_what_the_server_refuses_for_now_is_tried_again_at_growing_distance(post: Post) -> None:
    mail, at = queued("greylisted@example.com"), NOON
    for minutes in (1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360):
        assert send_due_mail(at) == {"queued": 1}
        assert fresh(mail).error == WORDS["greylisted"]
        assert send_due_mail(at + (minutes - 1) * MINUTE) == {}
        at += minutes * MINUTE
        assert fresh(mail).next_try_at == at
    assert send_due_mail(at) == {"failed": 1}
    assert fresh(mail).tries == MOST_TRIES


def test_a_refused_sender_is_the_installations_fault_and_fails_no_mail(post: Post) -> None:
    mail = queued()
    queued()
    post.sender_refused = True
    assert send_due_mail(NOON) == {"queued": 1}
    assert fresh(mail).error == "550 5.7.1 This sender is not yours"
    post.sender_refused = False
    assert send_due_mail(NOON + MINUTE) == {"sent": 2}


def test_a_server_that_dies_with_the_mail_is_asked_again_under_the_same_message_id(post: Post) -> None:
    mail = queued()
    post.dies = True
    assert send_due_mail(NOON) == {"queued": 1}
    assert "Connection unexpectedly closed" in fresh(mail).error
    post.dies = False
    assert send_due_mail(NOON + MINUTE) == {"sent": 1}
    first, second = post.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert str(mail.pk) in first["Message-ID"]


def test_without_an_answering_server_the_run_ends_and_the_words_are_kept(post: Post, settings: Any) -> None:
    first, second = queued(), queued()
    up, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    assert send_due_mail(NOON) == {"queued": 1}
    assert "refused" in fresh(first).error
    assert fresh(second).tries == 0
    settings.EMAIL_PORT = up
    assert send_due_mail(NOON + MINUTE) == {"sent": 2}


def test_without_a_server_in_the_settings_mails_stay_queued_and_untouched(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    mail = queued()
    assert send_due_mail(NOON) == {}
    assert (fresh(mail).state, fresh(mail).tries, fresh(mail).next_try_at) == (MailState.QUEUED, 0, NOON)


def test_a_sender_that_died_leaves_its_mail_to_the_next_one(post: Post) -> None:
    mail = queued()
    assert Mail.objects.claim_next(NOON) == mail
    assert send_due_mail(NOON + LEASE - MINUTE) == {}
    assert send_due_mail(NOON + LEASE) == {"sent": 1}


def test_a_mail_that_kills_every_sender_is_given_up(post: Post) -> None:
    mail, at = queued(), NOON
    for _ in range(MOST_TRIES):
        assert Mail.objects.claim_next(at) == mail
        at += LEASE
    assert send_due_mail(at) == {"failed": 1}
    assert "stopped while" in fresh(mail).error


def test_a_sender_that_lost_its_claim_undoes_nothing() -> None:
    queued()
    slow = Mail.objects.claim_next(NOON)
    quick = Mail.objects.claim_next(NOON + LEASE)
    assert slow
    assert quick
    slow.mark_failed("421 Too slow", NOON + LEASE)
    assert fresh(slow).next_try_at == NOON + 2 * LEASE
    quick.mark_sent(NOON + LEASE)
    slow.mark_failed("421 Too slow", NOON + LEASE)
    slow.mark_refused("550 Too late")
    assert fresh(quick).state == MailState.SENT


def test_a_mail_that_was_taken_is_sent_even_if_the_claim_is_lost() -> None:
    queued()
    slow = Mail.objects.claim_next(NOON)
    assert slow
    assert Mail.objects.claim_next(NOON + LEASE)
    slow.mark_sent(NOON + LEASE)
    assert fresh(slow).state == MailState.SENT


def test_the_servers_words_are_kept_on_one_line_that_every_database_stores() -> None:
    queued()
    mail = Mail.objects.claim_next(NOON)
    assert mail
    mail.mark_refused("550 no\0\r\nSuch \N{PILE OF POO} " + "person " * 200)
    assert fresh(mail).error.startswith("550 no Such \N{PILE OF POO} person person")
    assert len(fresh(mail).error) == 500


def test_a_failed_mail_goes_back_into_the_queue(post: Post) -> None:
    mail = queued("unknown@example.com")
    send_due_mail(NOON)
    assert fresh(mail).send_again(NOON + MINUTE) == mail
    assert send_due_mail(NOON + MINUTE) == {"failed": 1}


def test_a_sent_mail_stays_sent_and_goes_out_again_as_a_copy(post: Post) -> None:
    mail = queued()
    send_due_mail(NOON)
    copy = fresh(mail).send_again(NOON + MINUTE)
    assert copy != mail
    assert fresh(mail).send_again(NOON + MINUTE) == copy
    assert send_due_mail(NOON + MINUTE) == {"sent": 1}
    assert fresh(mail).sent_at == NOON
    assert [each["Subject"] for each in post.mails] == [mail.subject, mail.subject]
    assert post.mails[0]["Message-ID"] != post.mails[1]["Message-ID"]


@pytest.mark.django_db(transaction=True)
def test_eight_workers_at_once_send_each_mail_once(post: Post) -> None:
    for number in range(12):
        queued(f"ada{number}@example.com")
    results = at_once(lambda: send_due_mail(NOON))
    assert sum(result["sent"] for result in results) == 12
    assert sorted(mail["To"] for mail in post.mails) == sorted(
        f"ada{number}@example.com" for number in range(12)
    )
