"""How each status is said and shown: a word, and a tone whose shape and colour go with it, never instead of it.

Words stand here in English and are looked up in the reader's language where they are used; `_` only marks them.
"""

from __future__ import annotations

from typing import NamedTuple

from oncall.v1 import incident_pb2 as incident
from oncall.v1 import maintenance_pb2 as maintenance
from oncall.v1 import partner_pb2 as partner
from oncall.v1 import shown_status_page_pb2 as shown
from oncall.v1 import status_page_pb2 as status_page


class Mark(NamedTuple):
    """A tone and its word; `icons.html` has a shape for each tone."""

    tone: str
    label: str


def _(words: str) -> str:
    return words


TONES = ("good", "maintenance", "degraded", "partial", "major")

COMPONENTS = {
    status_page.COMPONENT_STATUS_OPERATIONAL: Mark("good", _("Operational")),
    status_page.COMPONENT_STATUS_UNDER_MAINTENANCE: Mark("maintenance", _("Under maintenance")),
    status_page.COMPONENT_STATUS_DEGRADED_PERFORMANCE: Mark("degraded", _("Degraded performance")),
    status_page.COMPONENT_STATUS_PARTIAL_OUTAGE: Mark("partial", _("Partial outage")),
    status_page.COMPONENT_STATUS_MAJOR_OUTAGE: Mark("major", _("Major outage")),
}

HEADLINES = {
    partner.HEADLINE_INDICATOR_NONE: "good",
    partner.HEADLINE_INDICATOR_MINOR: "degraded",
    partner.HEADLINE_INDICATOR_MAJOR: "partial",
    partner.HEADLINE_INDICATOR_CRITICAL: "major",
    partner.HEADLINE_INDICATOR_MAINTENANCE: "maintenance",
}

HEADLINE_SENTENCES = (
    _("All Systems Operational"),
    _("Partially Degraded Service"),
    _("Minor Service Outage"),
    _("Partial System Outage"),
    _("Major System Outage"),
    _("Service Under Maintenance"),
)

IMPACTS = {
    shown.IMPACT_LEVEL_NONE: Mark("good", _("No impact")),
    shown.IMPACT_LEVEL_MINOR: Mark("degraded", _("Minor impact")),
    shown.IMPACT_LEVEL_MAJOR: Mark("partial", _("Major impact")),
    shown.IMPACT_LEVEL_CRITICAL: Mark("major", _("Critical impact")),
}

INCIDENT_STATUSES = {
    incident.INCIDENT_STATUS_INVESTIGATING: _("Investigating"),
    incident.INCIDENT_STATUS_IDENTIFIED: _("Identified"),
    incident.INCIDENT_STATUS_MONITORING: _("Monitoring"),
    incident.INCIDENT_STATUS_RESOLVED: _("Resolved"),
    incident.INCIDENT_STATUS_POSTMORTEM: _("Postmortem"),
}

MAINTENANCE_STATUSES = {
    maintenance.MAINTENANCE_STATUS_SCHEDULED: _("Scheduled"),
    maintenance.MAINTENANCE_STATUS_IN_PROGRESS: _("In progress"),
    maintenance.MAINTENANCE_STATUS_VERIFYING: _("Verifying"),
    maintenance.MAINTENANCE_STATUS_COMPLETED: _("Completed"),
}
