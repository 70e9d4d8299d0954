"""Begins what a node of a run sends: deliveries in the transaction in which it begins, which `jobs` sends afterwards.

The node ends when all of them have: well, where all were delivered. They are given up with the node's time.
"""

from __future__ import annotations

from server.domain.delivery import HeaderValue, NewDelivery, NotificationEvent, WebhookRequest
from server.domain.workflow.record import Awaits, NodeRun
from server.domain.workflow.starting import AskApproval, Begun, CallWebhook, SendMessage, refused
from server.operations.ground import Ground
from server.operations.notify_team import notify_team
from server.operations.tell_run import approval_waits
from server.storage import deliveries, notification_channels


async def send_message(ground: Ground, name: str, begun: Begun, wanted: SendMessage) -> NodeRun:
    """Tells channels; those that are disabled or gone are found out when it is sent."""
    run = ground.run
    channels = wanted.channel_ids or await notification_channels.enabled_of(ground.tx.session, run.team_id)
    if not channels:
        return NodeRun(name, refused(begun, "the team has no channel that is enabled", ground.now))
    messages = [
        NewDelivery(
            dedupe_key=f"run:{run.id}:{name}:{channel_id}",
            team_id=run.team_id,
            event=NotificationEvent.WORKFLOW_MESSAGE,
            subject=wanted.subject,
            body=wanted.body,
            channel_id=channel_id,
            data={"workflow": run.definition.name},
            workflow_run_id=run.id,
            node=name,
            incident_id=run.incident_id,
            give_up_at=begun.state.deadline,
        )
        for channel_id in channels
    ]
    await deliveries.add_deliveries(ground.tx.session, messages, ground.now)
    return NodeRun(name, begun.state, Awaits.DELIVERY)


async def call_webhook(ground: Ground, name: str, begun: Begun, wanted: CallWebhook) -> NodeRun:
    run = ground.run
    headers = {
        header.name: HeaderValue(header.prefix, header.secret_name) if header.secret_name else HeaderValue(header.value)
        for header in wanted.headers
    }
    request = WebhookRequest(wanted.url, wanted.body, wanted.method, headers, wanted.signing_secret_name or None)
    call = NewDelivery(
        dedupe_key=f"run:{run.id}:{name}",
        team_id=run.team_id,
        event=NotificationEvent.WORKFLOW_WEBHOOK,
        subject=f"{run.definition.name}: {name}",
        body="",
        webhook=request,
        workflow_run_id=run.id,
        node=name,
        incident_id=run.incident_id,
        give_up_at=begun.state.deadline,
    )
    await deliveries.add_deliveries(ground.tx.session, [call], ground.now)
    return NodeRun(name, begun.state, Awaits.DELIVERY)


async def ask_approval(ground: Ground, name: str, begun: Begun, wanted: AskApproval) -> NodeRun:
    """Lets the team know that somebody is waited for."""
    asked = NodeRun(name, begun.state, Awaits.DECISION, question=wanted.question, role=wanted.role)
    await notify_team(ground.tx.session, approval_waits(ground.run, asked), ground.now)
    return asked
