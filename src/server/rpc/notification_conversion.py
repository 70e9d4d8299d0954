"""Notification channels and deliveries between the contract and the domain. A target goes in, and never out."""

from __future__ import annotations

from datetime import timedelta

from kernel.errors import FieldViolation, InvalidArgument
from oncall.v1 import incident_pb2, notification_service_pb2
from oncall.v1 import notification_pb2 as pb
from server.domain.delivery import Delivery
from server.domain.notification_channel import NotificationChannel
from server.operations.change_channel import ChannelUpdate
from server.operations.create_channel import ChannelDraft
from server.operations.read_channels import DeliveryQuery
from server.operations.try_channel import DEFAULT_WAIT
from server.rpc.conversion import enum_from_pb, enum_to_pb, id_to_pb, time_to_pb

KIND, EVENT, STATUS = "CHANNEL_KIND_", "NOTIFICATION_EVENT_", "DELIVERY_STATUS_"
SEVERITY = "INCIDENT_SEVERITY_"


def channel_from_pb(channel: pb.NotificationChannel) -> ChannelDraft:
    return ChannelDraft(
        team_id=channel.team_id,
        name=channel.name,
        kind=enum_from_pb(pb.ChannelKind, KIND, channel.kind),
        target=channel.target,
        events=[enum_from_pb(pb.NotificationEvent, EVENT, event) for event in channel.events],
        min_severity=enum_from_pb(incident_pb2.IncidentSeverity, SEVERITY, channel.min_severity),
        enabled=channel.enabled,
    )


def update_from_pb(request: notification_service_pb2.UpdateNotificationChannelRequest) -> ChannelUpdate:
    channel = request.channel
    return ChannelUpdate(channel.id, channel_from_pb(channel), channel.etag, list(request.update_mask.paths))


def channel_to_pb(channel: NotificationChannel) -> pb.NotificationChannel:
    content = channel.content
    return pb.NotificationChannel(
        id=str(channel.id),
        team_id=str(channel.team_id),
        name=content.name,
        kind=enum_to_pb(pb.ChannelKind, KIND, channel.kind),
        target_hint=channel.target_hint,
        events=[enum_to_pb(pb.NotificationEvent, EVENT, event) for event in content.events],
        min_severity=enum_to_pb(incident_pb2.IncidentSeverity, SEVERITY, content.min_severity or "UNSPECIFIED"),
        enabled=content.enabled,
        disabled_reason=channel.disabled_reason,
        etag=channel.etag,
        created_by=str(channel.created_by),
        created_at=time_to_pb(channel.created_at),
        updated_at=time_to_pb(channel.updated_at),
    )


def delivery_to_pb(delivery: Delivery) -> pb.Delivery:
    return pb.Delivery(
        id=str(delivery.id),
        team_id=str(delivery.team_id),
        channel_id=id_to_pb(delivery.channel_id),
        event=enum_to_pb(pb.NotificationEvent, EVENT, delivery.event),
        subject=delivery.subject,
        status=enum_to_pb(pb.DeliveryStatus, STATUS, delivery.status),
        attempts=delivery.attempts,
        next_attempt_at=time_to_pb(delivery.next_attempt_at) if delivery.ended_at is None else None,
        last_error=delivery.last_error,
        response_status=delivery.response_status or 0,
        workflow_run_id=id_to_pb(delivery.workflow_run_id),
        node=delivery.node or "",
        incident_id=id_to_pb(delivery.incident_id),
        execution_id=id_to_pb(delivery.execution_id),
        created_at=time_to_pb(delivery.created_at),
        ended_at=time_to_pb(delivery.ended_at),
    )


def query_from_pb(request: notification_service_pb2.ListDeliveriesRequest) -> DeliveryQuery:
    return DeliveryQuery(
        team_id=request.team_id,
        channel_id=request.channel_id,
        status=enum_from_pb(pb.DeliveryStatus, STATUS, request.status),
        workflow_run_id=request.workflow_run_id,
        incident_id=request.incident_id,
    )


def wait_from_pb(request: notification_service_pb2.TestNotificationChannelRequest) -> timedelta:
    if not request.HasField("wait"):
        return DEFAULT_WAIT
    try:
        return request.wait.ToTimedelta()
    except (ValueError, OverflowError):
        raise InvalidArgument([FieldViolation("wait", "must be a duration")]) from None
