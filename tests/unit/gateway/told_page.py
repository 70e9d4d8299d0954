"""A page that tells everything once: groups, each status of an incident and of a maintenance, with exact times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from oncall.v1 import incident_pb2 as incident
from oncall.v1 import maintenance_pb2 as maintenance
from oncall.v1 import partner_pb2 as partner
from oncall.v1 import shown_status_page_pb2 as shown
from oncall.v1 import status_page_pb2 as status_page
from oncall.v1.partner_service_pb2 import GetStatusPageResponse
from tests.unit.gateway.full_page import stamp
from tests.unit.gateway.pages import a_component, an_answer

AT = datetime(2026, 11, 24, 8, 0, 0, 250_000, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

OPERATIONAL = status_page.COMPONENT_STATUS_OPERATIONAL
PARTIAL = status_page.COMPONENT_STATUS_PARTIAL_OUTAGE

INCIDENTS = [value for value in incident.IncidentStatus.values() if value]
MAINTENANCES = [
    maintenance.MAINTENANCE_STATUS_SCHEDULED,
    maintenance.MAINTENANCE_STATUS_IN_PROGRESS,
    maintenance.MAINTENANCE_STATUS_VERIFYING,
    maintenance.MAINTENANCE_STATUS_COMPLETED,
]


def a_told_page() -> GetStatusPageResponse:
    """Answers a public page with one incident and one maintenance of each status."""
    answer = an_answer(
        a_component("Checkout", PARTIAL, group=True),
        a_component("Cards", PARTIAL, group_id="Checkout", description="By card"),
        a_component("Refunds", group_id="Checkout"),
        a_component("Sign-in"),
        visibility=status_page.STATUS_PAGE_VISIBILITY_PUBLIC,
        partner_name="",
    )
    answer.incidents.extend(a_told_incident(status) for status in INCIDENTS)
    answer.maintenances.extend(a_told_maintenance(status) for status in MAINTENANCES)
    answer.status_page.updated_at.FromDatetime(AT + timedelta(hours=1))
    answer.headline.CopyFrom(
        partner.Headline(indicator=partner.HEADLINE_INDICATOR_MINOR, description="Minor Service Outage")
    )
    return answer


def a_told_incident(status: incident.IncidentStatus, message: str = "It is **slow**.") -> shown.ShownIncident:
    """Answers an incident that partly hit Cards, and another component that the audience does not see."""
    over = status >= incident.INCIDENT_STATUS_RESOLVED
    one = shown.ShownIncident(
        id=f"incident-{status}", title=f"Declined <cards> & {status}", status=status, impact=shown.IMPACT_LEVEL_MAJOR
    )
    now = OPERATIONAL if over else PARTIAL
    one.components.add(component_id="Cards", status=now)
    one.components.add(component_id="hidden", status=now)
    last = one.updates.add(id=f"last-{status}", status=status, message=message, created_at=stamp(AT + 30 * MINUTE))
    if over:
        last.impact_changes.add(component_id="Cards", old_status=PARTIAL, new_status=OPERATIONAL)
    one.updates.add(
        id=f"first-{status}",
        status=incident.INCIDENT_STATUS_INVESTIGATING,
        message="We look.",
        created_at=stamp(AT + MINUTE),
    ).impact_changes.add(component_id="Cards", old_status=OPERATIONAL, new_status=PARTIAL)
    one.started_at.CopyFrom(stamp(AT))
    one.created_at.CopyFrom(stamp(AT + MINUTE))
    one.updated_at.CopyFrom(stamp(AT + 30 * MINUTE))
    if status >= incident.INCIDENT_STATUS_MONITORING:
        one.monitoring_at.CopyFrom(stamp(AT + 20 * MINUTE))
    if over:
        one.resolved_at.CopyFrom(stamp(AT + 25 * MINUTE))
    return one


def a_told_maintenance(status: maintenance.MaintenanceStatus, message: str = "Read-only.") -> shown.ShownMaintenance:
    """Answers a maintenance of Sign-in, and of another component that the audience does not see."""
    one = shown.ShownMaintenance(id=f"maintenance-{status}", title=f"Upgrade {status}", status=status)
    one.component_ids.extend(["Sign-in", "hidden"])
    one.updates.add(id=f"said-{status}", status=status, message=message, created_at=stamp(AT - 60 * MINUTE))
    one.scheduled_for.CopyFrom(stamp(AT + 60 * MINUTE))
    one.scheduled_until.CopyFrom(stamp(AT + 180 * MINUTE))
    one.created_at.CopyFrom(stamp(AT - 60 * MINUTE))
    one.updated_at.CopyFrom(stamp(AT - 30 * MINUTE))
    if status != maintenance.MAINTENANCE_STATUS_SCHEDULED:
        one.started_at.CopyFrom(stamp(AT + 61 * MINUTE))
    if status == maintenance.MAINTENANCE_STATUS_COMPLETED:
        one.ended_at.CopyFrom(stamp(AT + 120 * MINUTE))
    return one
