"""Maintenances between the contract and the domain."""

from __future__ import annotations

from datetime import datetime

from oncall.v1 import maintenance_pb2 as pb
from oncall.v1 import status_page_service_pb2
from server.domain.maintenance import Maintenance, MaintenanceUpdate
from server.operations.change_maintenance import MaintenanceUpdateDraft
from server.operations.schedule_maintenance import MaintenanceDraft
from server.rpc.conversion import enum_from_pb, enum_to_pb, id_to_pb, time_from_pb, time_to_pb

STATUS_PREFIX = "MAINTENANCE_STATUS_"


def maintenance_from_pb(request: status_page_service_pb2.ScheduleMaintenanceRequest) -> MaintenanceDraft:
    maintenance = request.maintenance
    return MaintenanceDraft(
        status_page_id=maintenance.status_page_id,
        title=maintenance.title,
        component_ids=list(maintenance.component_ids),
        scheduled_for=_begin(maintenance),
        scheduled_until=_end(maintenance),
        message=request.message,
    )


def maintenance_update_from_pb(
    request: status_page_service_pb2.UpdateMaintenanceRequest,
) -> MaintenanceUpdateDraft:
    maintenance = request.maintenance
    return MaintenanceUpdateDraft(
        maintenance_id=maintenance.id,
        title=maintenance.title,
        component_ids=list(maintenance.component_ids),
        scheduled_for=_begin(maintenance),
        scheduled_until=_end(maintenance),
        status=maintenance_status_from_pb(maintenance.status),
        etag=maintenance.etag,
        paths=list(request.update_mask.paths),
        message=request.message,
    )


def maintenance_to_pb(maintenance: Maintenance) -> pb.Maintenance:
    return pb.Maintenance(
        id=str(maintenance.id),
        status_page_id=str(maintenance.status_page_id),
        title=maintenance.title,
        component_ids=[str(component_id) for component_id in maintenance.component_ids],
        scheduled_for=time_to_pb(maintenance.scheduled_for),
        scheduled_until=time_to_pb(maintenance.scheduled_until),
        status=enum_to_pb(pb.MaintenanceStatus, STATUS_PREFIX, maintenance.status),
        updates=[maintenance_said_to_pb(update) for update in maintenance.updates],
        started_at=time_to_pb(maintenance.started_at),
        ended_at=time_to_pb(maintenance.ended_at),
        etag=maintenance.etag,
        created_by=id_to_pb(maintenance.created_by),
        created_at=time_to_pb(maintenance.created_at),
        updated_at=time_to_pb(maintenance.updated_at),
    )


def maintenance_said_to_pb(update: MaintenanceUpdate) -> pb.MaintenanceUpdate:
    return pb.MaintenanceUpdate(
        id=str(update.id),
        status=enum_to_pb(pb.MaintenanceStatus, STATUS_PREFIX, update.status),
        message=update.message,
        created_by=id_to_pb(update.created_by),
        created_at=time_to_pb(update.created_at),
    )


def maintenance_status_from_pb(number: int) -> str:
    return enum_from_pb(pb.MaintenanceStatus, STATUS_PREFIX, number)


def _begin(maintenance: pb.Maintenance) -> datetime | None:
    if not maintenance.HasField("scheduled_for"):
        return None
    return time_from_pb("maintenance.scheduled_for", maintenance.scheduled_for)


def _end(maintenance: pb.Maintenance) -> datetime | None:
    if not maintenance.HasField("scheduled_until"):
        return None
    return time_from_pb("maintenance.scheduled_until", maintenance.scheduled_until)
