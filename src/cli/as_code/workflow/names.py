"""What a workflow names of its team: runbooks and channels, by name in files and by id in the contract."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cli.as_code.checking import suggestion
from cli.as_code.problem import Path, Problem
from cli.as_code.workflow.form import Node, Runbook, WorkflowForm
from cli.as_code.yaml_reading import Document
from cli.connection import Server
from cli.paging import paged
from oncall.v1.notification_service_pb2 import ListNotificationChannelsRequest
from oncall.v1.runbook_service_pb2 import ListRunbooksRequest


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a team's runbooks and channels, by id."""

    runbooks: dict[str, str] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)

    def runbook_id(self, wanted: str) -> str:
        """Answers the id of a runbook by its id or name; what the team has not, as it is."""
        return _id_of(self.runbooks, wanted)

    def channel_id(self, wanted: str) -> str:
        return _id_of(self.channels, wanted)

    def unknown(self, document: Document, form: WorkflowForm) -> Iterator[Problem]:
        """Yields what the file names and the team has not."""
        for path, wanted in _named_runbooks(form):
            if self.runbook_id(wanted) not in self.runbooks:
                yield document.problem(path, _has_no("runbook", wanted, self.runbooks))
        for path, wanted in _named_channels(form):
            if self.channel_id(wanted) not in self.channels:
                yield document.problem(path, _has_no("channel", wanted, self.channels))


def read_names(server: Server, team_id: str) -> Names:
    runbooks = paged(server.runbooks.ListRunbooks, ListRunbooksRequest(team_id=team_id), "runbooks")
    request = ListNotificationChannelsRequest(team_id=team_id)
    channels = paged(server.notifications.ListNotificationChannels, request, "channels")
    return Names({found.id: found.name for found in runbooks}, {found.id: found.name for found in channels})


def _id_of(names: dict[str, str], wanted: str) -> str:
    if wanted in names:
        return wanted
    return next((found_id for found_id, name in names.items() if name == wanted), wanted)


def _has_no(noun: str, wanted: str, names: dict[str, str]) -> str:
    return f"the team has no {noun} {wanted}" + suggestion(wanted, names.values())


def _named_runbooks(form: WorkflowForm) -> Iterator[tuple[Path, str]]:
    works: list[tuple[Path, Runbook | None]] = [
        (("nodes", index, "runbook"), node.runbook) for index, node in enumerate(form.nodes)
    ]
    if form.compensation:
        works.append((("compensation", "runbook"), form.compensation.runbook))
    for path, work in works:
        if work is not None:
            yield (*path, "name"), work.name


def _named_channels(form: WorkflowForm) -> Iterator[tuple[Path, str]]:
    told: list[tuple[int, Node]] = [(index, node) for index, node in enumerate(form.nodes) if node.notify]
    for index, node in told:
        for position, wanted in enumerate(node.notify.channels if node.notify else []):
            yield ("nodes", index, "notify", "channels", position), wanted
