"""Several at once on one card page: clicks, returns and messages. Each lock fails its test when it is gone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import models
from django.utils import timezone

from billing.gateways.sandbox.models import HostedPage
from billing.models import Card, CardPage, Event, Invoice, Order
from billing.models.card_page import ASKED_EVERY
from billing.models.guard import Stale
from billing.statuses import PastDue
from billing.tasks import take_cards
from tests.attempts.locks import stale_twin
from tests.factories import OrderFactory
from tests.gateways.races import at_once
from tests.replacing.customer import Customer, failed_order, fresh, page_of

pytestmark = pytest.mark.django_db(transaction=True)
