"""A page with everything on it, as a busy team's would be: what its weight, looks and accessibility are tested with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from oncall.v1 import incident_pb2 as incident
from oncall.v1 import maintenance_pb2 as maintenance
from oncall.v1 import partner_pb2 as partner
from oncall.v1 import shown_status_page_pb2 as shown
from oncall.v1 import status_page_pb2 as status_page
from oncall.v1.partner_service_pb2 import GetStatusPageResponse
from tests.unit.gateway.pages import a_component, an_answer, an_id

NOW = datetime(2026, 11, 24, 9, 6, tzinfo=UTC)

OPERATIONAL = status_page.COMPONENT_STATUS_OPERATIONAL
DEGRADED = status_page.COMPONENT_STATUS_DEGRADED_PERFORMANCE
PARTIAL = status_page.COMPONENT_STATUS_PARTIAL_OUTAGE
MAJOR = status_page.COMPONENT_STATUS_MAJOR_OUTAGE
MAINTENANCE = status_page.COMPONENT_STATUS_UNDER_MAINTENANCE

Days = dict[int, tuple[status_page.ComponentStatus, int, Sequence[str]]]


def stamp(at: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(at)
    return timestamp


def an_uptime(
    component: str, millionths: int = 1_000_000, *, unknown: int = 0, days: Days | None = None
) -> shown.ShownUptime:
    """Answers 90 days up to today; `days` tells by days ago what was, for how many seconds, and because of what."""
    fields = {DEGRADED: "degraded_seconds", PARTIAL: "partial_seconds", MAJOR: "major_seconds"}
    uptime = shown.ShownUptime(component_id=component, available_millionths=millionths)
    for ago in range(89, -1, -1):
        day = uptime.days.add(date=f"{NOW - timedelta(days=ago):%Y-%m-%d}", known=ago < 90 - unknown)
        worst, seconds, incidents = (days or {}).get(ago, (OPERATIONAL, 0, ()))
        if not day.known:
            continue
        day.worst = worst
        day.incident_ids.extend(incidents)
        if seconds:
            setattr(day, fields.get(worst, "maintenance_seconds"), seconds)
    return uptime


def an_incident(
    title: str,
    *said: tuple[incident.IncidentStatus, datetime, str],
    impact: shown.ImpactLevel = shown.IMPACT_LEVEL_MINOR,
    components: Sequence[tuple[str, status_page.ComponentStatus]] = (),
) -> shown.ShownIncident:
    """Answers an incident of whose updates the oldest is named first."""
    began, ended = said[0][1], said[-1][1]
    one = shown.ShownIncident(
        id=title.lower().replace(" ", "-"), title=title, status=said[-1][0], impact=impact, started_at=stamp(began)
    )
    one.components.extend(incident.ComponentImpact(component_id=an_id(name), status=how) for name, how in components)
    for status, at, message in reversed(said):
        one.updates.add(status=status, message=message, created_at=stamp(at))
    if one.status >= incident.INCIDENT_STATUS_RESOLVED:
        one.resolved_at.CopyFrom(stamp(ended))
    return one


def a_maintenance(
    title: str,
    status: maintenance.MaintenanceStatus,
    begin: datetime,
    hours: int,
    components: Sequence[str],
    message: str,
) -> shown.ShownMaintenance:
    one = shown.ShownMaintenance(id=title.lower().replace(" ", "-"), title=title, status=status)
    one.component_ids.extend(an_id(name) for name in components)
    one.scheduled_for.CopyFrom(stamp(begin))
    one.scheduled_until.CopyFrom(stamp(begin + timedelta(hours=hours)))
    if status != maintenance.MAINTENANCE_STATUS_SCHEDULED:
        one.started_at.CopyFrom(stamp(begin))
    if status == maintenance.MAINTENANCE_STATUS_COMPLETED:
        one.ended_at.CopyFrom(stamp(begin + timedelta(hours=hours)))
    one.updates.add(status=status, message=message, created_at=stamp(min(begin, NOW) - timedelta(hours=1)))
    return one


def a_full_page(**fields: object) -> GetStatusPageResponse:
    """Answers twenty components in four groups, three open incidents, two maintenances, and a history."""
    answer = an_answer(*_components(), name="Acme Payments", **fields)  # type: ignore[arg-type]
    answer.headline.CopyFrom(
        partner.Headline(indicator=partner.HEADLINE_INDICATOR_MAJOR, description="Partial System Outage")
    )
    answer.status_page.accent_color = "#6d3fd1"
    answer.status_page.support_url = "https://help.example/acme"
    answer.incidents.extend(_open_incidents() + _past_incidents())
    answer.maintenances.extend(_maintenances())
    answer.uptimes.extend(_uptimes(answer))
    return answer


_GROUPS = {
    "Payments": ["Card payments", "Direct debit", "Refunds", "Payouts", "Fraud checks"],
    "Developer platform": ["REST API", "Webhooks", "Sandbox", "Client libraries"],
    "Dashboard": ["Sign-in", "Reports", "Exports", "Search"],
    "Regions": ["Frankfurt", "Dublin", "Virginia"],
}
_NOW = {"Card payments": PARTIAL, "Webhooks": DEGRADED, "Exports": MAJOR, "Dublin": MAINTENANCE}
_GROUPS_NOW = {"Payments": PARTIAL, "Developer platform": DEGRADED, "Dashboard": MAJOR, "Regions": MAINTENANCE}


def _components() -> list[partner.ShownComponent]:
    components = []
    for group, children in _GROUPS.items():
        about = "Card, bank and wallet payments" if group == "Payments" else ""
        components.append(a_component(group, _GROUPS_NOW[group], group=True, description=about))
        components += [a_component(child, _NOW.get(child, OPERATIONAL), group_id=group) for child in children]
    return components


_CARDS = """One of two acquirers answers slowly. We are moving traffic to the **other one**.

- Cards issued in the EU: about 12 % affected
- All others: not affected"""


def _open_incidents() -> list[shown.ShownIncident]:
    at = NOW - timedelta(hours=1, minutes=20)
    return [
        an_incident(
            "Some card payments are declined",
            (
                incident.INCIDENT_STATUS_INVESTIGATING,
                at,
                "We see more declined card payments than usual and are looking into it.",
            ),
            (
                incident.INCIDENT_STATUS_IDENTIFIED,
                at + timedelta(minutes=34),
                _CARDS,
            ),
            impact=shown.IMPACT_LEVEL_MAJOR,
            components=[("Card payments", PARTIAL)],
        ),
        an_incident(
            "Exports do not finish",
            (incident.INCIDENT_STATUS_INVESTIGATING, at, "Exports that were started since 07:30 do not finish."),
            impact=shown.IMPACT_LEVEL_CRITICAL,
            components=[("Exports", MAJOR)],
        ),
        an_incident(
            "Webhooks arrive late",
            (
                incident.INCIDENT_STATUS_INVESTIGATING,
                at - timedelta(hours=2),
                "Webhooks arrive up to ten minutes late.",
            ),
            (
                incident.INCIDENT_STATUS_MONITORING,
                at,
                "The backlog is shrinking; none was lost. See the [retry schedule](https://docs.example/webhooks#retries).",
            ),
            components=[("Webhooks", DEGRADED)],
        ),
    ]


def _past_incidents() -> list[shown.ShownIncident]:
    past = []
    for number, (title, days, minutes) in enumerate(
        [
            ("Slow sign-in", 9, 48),
            ("Refunds delayed", 16, 185),
            ("REST API errors in Virginia", 33, 22),
            ("Payouts delayed by the bank holiday", 40, 1510),
            ("Search results out of date", 61, 95),
        ]
    ):
        at = NOW - timedelta(days=days)
        past.append(
            an_incident(
                title,
                (incident.INCIDENT_STATUS_INVESTIGATING, at, "We are looking into it."),
                (
                    incident.INCIDENT_STATUS_MONITORING,
                    at + timedelta(minutes=minutes // 2),
                    "A fix is in place; we are watching its effect.",
                ),
                (
                    incident.INCIDENT_STATUS_RESOLVED,
                    at + timedelta(minutes=minutes),
                    "Everything works again. We are sorry for the trouble.",
                ),
                impact=(shown.IMPACT_LEVEL_MINOR, shown.IMPACT_LEVEL_MAJOR)[number % 2],
                components=[(("Sign-in", "Refunds", "REST API", "Payouts", "Search")[number], OPERATIONAL)],
            )
        )
    return past


def _maintenances() -> list[shown.ShownMaintenance]:
    return [
        a_maintenance(
            "Network upgrade in Dublin",
            maintenance.MAINTENANCE_STATUS_IN_PROGRESS,
            NOW - timedelta(hours=1),
            3,
            ["Dublin"],
            "Traffic is served from Frankfurt meanwhile; no interruption is expected.",
        ),
        a_maintenance(
            "Database upgrade of the sandbox",
            maintenance.MAINTENANCE_STATUS_SCHEDULED,
            NOW + timedelta(days=4, hours=12),
            2,
            ["Sandbox", "Client libraries"],
            "The sandbox will be read-only for some minutes.",
        ),
        a_maintenance(
            "Certificate renewal",
            maintenance.MAINTENANCE_STATUS_COMPLETED,
            NOW - timedelta(days=20),
            1,
            ["REST API", "Webhooks"],
            "Done without interruption.",
        ),
    ]


def _uptimes(answer: GetStatusPageResponse) -> list[shown.ShownUptime]:
    days: dict[str, tuple[int, Days]] = {
        "Card payments": (999_120, {0: (PARTIAL, 2760, ["some-card-payments-are-declined"]), 51: (DEGRADED, 1800, [])}),
        "Exports": (998_700, {0: (MAJOR, 4800, ["exports-do-not-finish"])}),
        "Webhooks": (999_990, {0: (DEGRADED, 9000, ["webhooks-arrive-late"]), 20: (MAINTENANCE, 3600, [])}),
        "Dublin": (1_000_000, {0: (MAINTENANCE, 3600, [])}),
        "Refunds": (996_310, {16: (PARTIAL, 11100, ["refunds-delayed"]), 17: (MAJOR, 900, []), 70: (PARTIAL, 600, [])}),
        "Sign-in": (999_999, {9: (DEGRADED, 2880, ["slow-sign-in"])}),
        "REST API": (999_440, {33: (MAJOR, 1320, ["rest-api-errors-in-virginia"]), 20: (MAINTENANCE, 3600, [])}),
        "Payouts": (993_200, {40: (PARTIAL, 50000, ["payouts-delayed-by-the-bank-holiday"]), 39: (PARTIAL, 40600, [])}),
        "Search": (999_800, {61: (DEGRADED, 5700, ["search-results-out-of-date"])}),
    }
    uptimes = []
    for component in answer.components:
        millionths, told = days.get(component.name, (1_000_000, {}))
        unknown = 55 if component.name == "Client libraries" else 0
        uptimes.append(an_uptime(component.id, 999_412 if component.group else millionths, unknown=unknown, days=told))
    return uptimes
