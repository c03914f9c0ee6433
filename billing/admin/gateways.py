"""What gateways told, and what is to be found out about it."""

from __future__ import annotations

from collections import Counter

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from billing import clock
from billing.actions import NOTICE_ACTIONS
from billing.admin.reading import RecordAdmin
from billing.models import (
    Dispute,
    GatewayEvent,
    UnmatchedMoney,
)
from billing.models.guard import Refused


@admin.register(GatewayEvent)
class GatewayEventAdmin(RecordAdmin):
    """What gateways told the desk. *Replay* acts once more on what failed; for the rest it is harmless."""

    list_display = ("received_at", "gateway", "type", "event_id", "ref", "state", "tries", "due_at", "error")
    list_filter = ("state", "type", "gateway", "received_at")
    search_fields = ("event_id", "ref")
    actions = ("replay",)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(NOTICE_ACTIONS["replay"].codename))

    @admin.action(description=NOTICE_ACTIONS["replay"].label, permissions=["replay"])
    def replay(self, request: HttpRequest, events: QuerySet[GatewayEvent]) -> None:
        states: Counter[str] = Counter()
        for event in events:
            try:
                event.replay(request.user, at=clock.now())  # type: ignore[arg-type]  # nobody comes in unnamed
            except Refused as refusal:
                messages.error(request, str(refusal))
            else:
                states[event.state_label] += 1
        messages.info(request, ", ".join(f"{state}: {count}" for state, count in states.items()))


@admin.register(UnmatchedMoney)
class UnmatchedMoneyAdmin(RecordAdmin):
    list_display = ("happened_at", "gateway", "kind", "amount", "currency", "ref", "state", "reason")
    list_filter = ("state", "kind", "gateway", "currency")
    search_fields = ("ref", "charge_ref", "description")


@admin.register(Dispute)
class DisputeAdmin(RecordAdmin):
    list_display = ("opened_at", "gateway", "payment", "amount", "currency", "reason", "state", "respond_by")
    list_filter = ("state", "gateway", "currency")
    list_select_related = ("payment",)
    search_fields = ("ref", "charge_ref")
