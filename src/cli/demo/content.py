"""The demo's content: who is in the team, what its runbooks do, what its status page shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.struct_pb2 import Value

from oncall.v1 import runbook_pb2 as pb

TEAM = "Demo"
SERVICE = "web-shop"
PEOPLE = {"author": ("ada@demo.invalid", "Ada Author"), "reviewer": ("rob@demo.invalid", "Rob Reviewer")}
SLUG = "demo"
PARTNER = "Demo partner"
SHOWN = "host-report"
"""The runbook that the demo executes: it prints its lines one by one."""


@dataclass(frozen=True, slots=True)
class DemoRunbook:
    """One runbook: its script lies beside this module, as a file that an editor understands."""

    name: str
    description: str
    language: pb.ScriptLanguage.ValueType
    file: str
    parameters: Sequence[pb.ParameterDefinition]

    def version(self) -> pb.RunbookVersion:
        return pb.RunbookVersion(
            script=(Path(__file__).parent / "scripts" / self.file).read_text(),
            language=self.language,
            parameters=self.parameters,
            timeout_seconds=30,
            change_note="Part of the demo.",
        )


def _text(name: str, default: str, description: str, *, pattern: str) -> pb.ParameterDefinition:
    return pb.ParameterDefinition(
        name=name,
        type=pb.PARAMETER_TYPE_STRING,
        default=Value(string_value=default),
        description=description,
        pattern=pattern,
    )


def _number(name: str, default: float, description: str, *, least: float, most: float) -> pb.ParameterDefinition:
    return pb.ParameterDefinition(
        name=name,
        type=pb.PARAMETER_TYPE_NUMBER,
        default=Value(number_value=default),
        description=description,
        min=least,
        max=most,
    )


RUNBOOKS = (
    DemoRunbook(
        "host-report",
        "Reports how a machine is, line by line: load, memory, disk, processes. Changes nothing.",
        pb.SCRIPT_LANGUAGE_BASH,
        "host-report.sh",
        [_text("host", "web-1", "The machine's name, as the report shows it.", pattern="[a-z0-9.-]{1,63}")],
    ),
    DemoRunbook(
        "disk-forecast",
        "Says when a disk will be full; fails where that is too soon to wait for office hours.",
        pb.SCRIPT_LANGUAGE_PYTHON,
        "disk-forecast.py",
        [
            _number("used_percent", 72, "How full it is.", least=0, most=100),
            _number("growth_percent_per_day", 1.5, "How much fuller it gets every day.", least=0, most=100),
            _number("page_below_days", 3, "Fail below so many days.", least=0, most=365),
        ],
    ),
    DemoRunbook(
        "latency-summary",
        "Summarises response times: median, 90th and 99th percentile, and how many were over the limit.",
        pb.SCRIPT_LANGUAGE_JAVASCRIPT,
        "latency-summary.js",
        [
            _text("samples", "12,15,18,22,230,19,640", "Milliseconds, with commas.", pattern=r"[0-9.,]+"),
            _number("limit_ms", 200, "What is too slow.", least=0, most=600_000),
        ],
    ),
)


@dataclass(frozen=True, slots=True)
class DemoComponent:
    """One line of the status page; `group` names the group it belongs to, or is empty."""

    name: str
    description: str
    group: str = ""
    is_group: bool = False


COMPONENTS = (
    DemoComponent("Shop", "What customers see.", is_group=True),
    DemoComponent("Checkout", "Orders and payment.", "Shop"),
    DemoComponent("Search", "Finding things.", "Shop"),
    DemoComponent("For partners", "What partners' systems use.", is_group=True),
    DemoComponent("API", "What partners' systems call.", "For partners"),
    DemoComponent("Webhooks", "What calls partners' systems.", "For partners"),
    DemoComponent("Reports", "Nightly exports."),
)
"""Groups before what belongs to them."""

OPEN_INCIDENT = "Payments take longer than usual"
OPEN_SAYS = "Some customers wait up to **half a minute** for their payment. We look into it."
OPEN_THEN_SAYS = "It is one of our payment providers. We send what we can through the others."
PAST_INCIDENT = "Reports were incomplete"
PAST_SAYS = "Last night's reports lack the last hour. We export them again."
PAST_ENDS = "The reports are complete. Nothing was lost."
MAINTENANCE = "Database upgrade"
MAINTENANCE_SAYS = "Calls may fail for some seconds, twice. Please try again then."
