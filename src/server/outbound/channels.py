"""Sends a delivery by whatever way its channel goes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from server.domain.delivery import tone_of
from server.domain.delivery_attempt import Attempt, OpenChannel, OpenRequest
from server.domain.incident import OPEN, IncidentStatus
from server.domain.notification_channel import ChannelKind
from server.outbound.apprise_courier import AppriseCourier, Message
from server.outbound.webhook import OutgoingWebhook, WebhookSender
from server.storage.outbox import Claimed

_OVER = frozenset(IncidentStatus) - OPEN


class Channels:
    """The ways to the world outside."""

    def __init__(self, webhooks: WebhookSender, courier: AppriseCourier) -> None:
        self._webhooks = webhooks
        self._courier = courier

    async def send(self, claimed: Claimed, channel: OpenChannel, now: datetime) -> Attempt:
        if channel.kind is ChannelKind.WEBHOOK:
            webhook = OutgoingWebhook(
                claimed.id, channel.target, payload_of(claimed), signing_secrets=channel.signing_secrets
            )
            return await self._webhooks.send(webhook, now)
        return await self._courier.send(
            Message(
                kind=channel.kind,
                target=channel.target,
                subject=claimed.subject,
                body=claimed.body,
                thread=thread_of(claimed),
                tone=tone_of(claimed.event, over=claimed.data.get("status") in _OVER),
            )
        )

    async def request(self, claimed: Claimed, opened: OpenRequest, now: datetime) -> Attempt:
        """Sends the request that a workflow describes; `opened` has the secrets that it names."""
        wanted = claimed.webhook
        if wanted is None:
            raise ValueError("this delivery goes to a channel")
        webhook = OutgoingWebhook(
            claimed.id, wanted.url, wanted.json_body, wanted.method, opened.headers, opened.signing_secrets
        )
        return await self._webhooks.send(webhook, now)

    async def close(self) -> None:
        self._courier.close()
        await self._webhooks.close()


def payload_of(claimed: Claimed) -> dict[str, Any]:
    """Answers the body of a channel's webhook, in the form that Standard Webhooks recommends."""
    ids = {
        name: str(getattr(claimed, name))
        for name in ("team_id", "incident_id", "execution_id", "workflow_run_id")
        if getattr(claimed, name) is not None
    }
    said = {"subject": claimed.subject, "body": claimed.body}
    return {
        "type": claimed.event.lower().replace("_", ".", 1),
        "timestamp": claimed.created_at.isoformat(),
        "data": {**claimed.data, **said, **ids, **({"node": claimed.node} if claimed.node else {})},
    }


def thread_of(claimed: Claimed) -> str:
    """Answers what names the thing that a message is about, the same for all messages about it."""
    for what, one in (
        ("incident", claimed.incident_id),
        ("run", claimed.workflow_run_id),
        ("execution", claimed.execution_id),
    ):
        if one is not None:
            return f"oncall-{what}-{one}"
    return f"oncall-delivery-{claimed.id}"
