"""How contacts become partners, and how it is known who led a contact here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from billing.models import Partner, PartnerProgram, Referral, record_referral
from billing.models.guard import Invalid, NotAllowed, NotOffered, Stale
from tests.factories import NOON, ContactFactory, PartnerFactory, ProgramFactory, UserFactory

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(days=3)


@pytest.fixture
def ada() -> Partner:
    return PartnerFactory.create(code="ADA")


def test_a_link_sets_the_last_referrer_always_and_the_first_once(ada: Partner) -> None:
    bob, contact = PartnerFactory.create(program=ada.program, code="bob"), ContactFactory.create()
    record_referral(contact, " ada ", NOON)
    record_referral(contact, "BOB", LATER)
    found = Referral.objects.get()
    assert (found.first, found.last) == (ada, bob)
    assert (found.first_at, found.last_at) == (NOON, LATER)
    told = contact.events.order_by("pk").values_list("text", flat=True)
    assert [text.partition(" in ")[0] for text in told] == [f"Referred by {ada}", f"Referred by {bob}"]
    record_referral(contact, "bob", LATER + timedelta(days=1))
    assert contact.events.count() == 2  # the same visitor once more is no news


@pytest.mark.parametrize("code", ["", "x", "nobody", "ADA'--", "\x00", "ADA\n", "Ａ" * 50, "ended", "left"])
def test_a_link_that_is_nobodys_changes_nothing(ada: Partner, code: str) -> None:
    PartnerFactory.create(code="ended", program__is_active=False)
    PartnerFactory.create(code="left", is_active=False)
    found = record_referral(ContactFactory.create(), code, NOON)
    assert found is None or code == "ADA\n"  # blanks around a code do not count


def test_nobody_refers_themselves(ada: Partner) -> None:
    assert record_referral(ada.contact, "ADA", NOON) is None
    with pytest.raises(Invalid, match="nobody earns on their own purchases"):
        ada.program.set_referrers(None, contact=ada.contact, first=ada, last=None, reason="", at=NOON)


def test_staff_set_the_referrers_with_a_reason_that_is_kept(ada: Partner) -> None:
    contact, user = ContactFactory.create(), UserFactory.create(role="Billing manager")
    asked: dict[str, Any] = {
        "contact": contact,
        "first": ada,
        "last": None,
        "reason": "She said so",
        "at": NOON,
    }
    event = ada.program.set_referrers(user, seen="0.0", **asked)
    assert event.text == (
        f"Referrers in {ada.program}: first nobody, last nobody → first {ada}, last nobody."
        " Reason: She said so"
    )
    assert (event.contact, event.actor) == (contact, user)
    with pytest.raises(Stale):
        ada.program.set_referrers(user, seen="0.0", **asked)
    with pytest.raises(NotAllowed):
        ada.program.set_referrers(UserFactory.create(role="Support"), **asked)
    with pytest.raises(Invalid, match="is no partner of"):
        ProgramFactory.create().set_referrers(user, **asked)


def test_a_contact_is_enrolled_once_under_a_code_that_nobody_has(ada: Partner) -> None:
    contact = ContactFactory.create()
    for code, words in (("ada", "another partner has it"), ("a b", "write 2 to 40"), ("é" * 3, "write 2")):
        with pytest.raises(Invalid, match=words):
            ada.program.enrol(None, contact=contact, code=code, at=NOON)
    ada.program.enrol(None, contact=contact, code="GRACE", at=NOON)
    with pytest.raises(Invalid, match="already, as GRACE"):
        ada.program.enrol(None, contact=contact, code="GRACE-2", at=NOON)
    PartnerProgram.objects.update(is_active=False)
    with pytest.raises(NotOffered):
        ada.program.enrol(None, contact=ContactFactory.create(), code="HOPPER", at=NOON)


@pytest.mark.parametrize(
    ("name", "code"),
    [("Ada", "ADA-3"), ("Renée D'Été", "RENEE-D-ETE"), ("山田 花子", "PARTNER-"), ("X", "PARTNER-")],
)
def test_the_code_that_is_offered_is_free(ada: Partner, name: str, code: str) -> None:
    PartnerFactory.create(code="ada-2")
    assert Partner.free_code(ContactFactory.create(name=name)).startswith(code)


def test_codes_differ_by_more_than_their_case(ada: Partner) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        PartnerFactory.create(code="Ada")
    with pytest.raises(ValidationError, match="Another partner has this code"):
        Partner(
            contact=ContactFactory.create(), program=ada.program, code="aDA", enrolled_at=NOON
        ).full_clean()
