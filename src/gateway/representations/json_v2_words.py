"""The words of the public v2 status API, and how it writes times."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from oncall.v1 import incident_pb2 as incident
from oncall.v1 import maintenance_pb2 as maintenance
from oncall.v1 import partner_pb2 as partner
from oncall.v1 import shown_status_page_pb2 as shown
from oncall.v1 import status_page_pb2 as status_page

INDICATORS = {
    partner.HEADLINE_INDICATOR_NONE: "none",
    partner.HEADLINE_INDICATOR_MINOR: "minor",
    partner.HEADLINE_INDICATOR_MAJOR: "major",
    partner.HEADLINE_INDICATOR_CRITICAL: "critical",
    partner.HEADLINE_INDICATOR_MAINTENANCE: "maintenance",
}

STATUSES = {
    status_page.COMPONENT_STATUS_OPERATIONAL: "operational",
    status_page.COMPONENT_STATUS_DEGRADED_PERFORMANCE: "degraded_performance",
    status_page.COMPONENT_STATUS_PARTIAL_OUTAGE: "partial_outage",
    status_page.COMPONENT_STATUS_MAJOR_OUTAGE: "major_outage",
    status_page.COMPONENT_STATUS_UNDER_MAINTENANCE: "under_maintenance",
}

IMPACTS = {
    shown.IMPACT_LEVEL_NONE: "none",
    shown.IMPACT_LEVEL_MINOR: "minor",
    shown.IMPACT_LEVEL_MAJOR: "major",
    shown.IMPACT_LEVEL_CRITICAL: "critical",
}

INCIDENT_STATUSES = {
    incident.INCIDENT_STATUS_INVESTIGATING: "investigating",
    incident.INCIDENT_STATUS_IDENTIFIED: "identified",
    incident.INCIDENT_STATUS_MONITORING: "monitoring",
    incident.INCIDENT_STATUS_RESOLVED: "resolved",
    incident.INCIDENT_STATUS_POSTMORTEM: "postmortem",
}

MAINTENANCE_STATUSES = {
    maintenance.MAINTENANCE_STATUS_SCHEDULED: "scheduled",
    maintenance.MAINTENANCE_STATUS_IN_PROGRESS: "in_progress",
    maintenance.MAINTENANCE_STATUS_VERIFYING: "verifying",
    maintenance.MAINTENANCE_STATUS_COMPLETED: "completed",
}


def time(timestamp: Timestamp) -> str:
    """Answers ISO 8601 in UTC with exactly three decimals; some clients fail without them."""
    moment = timestamp.ToDatetime()
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
