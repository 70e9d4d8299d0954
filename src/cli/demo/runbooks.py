"""The demo's runbooks: written by the author, approved by the reviewer, as any other runbook is."""

from __future__ import annotations

from cli.demo import content
from cli.demo.content import DemoRunbook
from oncall.client import Client
from oncall.v1 import runbook_pb2 as pb
from oncall.v1 import runbook_service_pb2 as rpc
from oncall.v1 import team_pb2 as team_pb
from oncall.v1 import team_service_pb2 as team_rpc


async def open_runbooks(author: Client, reviewer: Client, team_id: str) -> dict[str, str]:
    """Answers the ids of the demo's runbooks by name, all of them approved and ready to run."""
    service_id = await _service(author, team_id)
    ids = {}
    for demo in content.RUNBOOKS:
        found = await _find(author, team_id, demo.name)
        if found is None:
            runbook = pb.Runbook(team_id=team_id, service_id=service_id, name=demo.name, description=demo.description)
            created = await author.runbooks.CreateRunbook(
                rpc.CreateRunbookRequest(runbook=runbook, version=demo.version())
            )
            await _review(author, reviewer, created.version)
            found = created.runbook
        elif not found.current_version:  # somebody ended an earlier demo in the middle
            await _review(author, reviewer, await _again(author, found.id, demo))
        ids[demo.name] = found.id
    return ids


async def _service(author: Client, team_id: str) -> str:
    page_token = ""
    while True:
        wanted = team_rpc.ListServicesRequest(team_id=team_id, page_size=500, page_token=page_token)
        answer = await author.teams.ListServices(wanted)
        for service in answer.services:
            if service.name == content.SERVICE:
                return service.id
        page_token = answer.next_page_token
        if not page_token:
            break
    service = team_pb.Service(team_id=team_id, name=content.SERVICE, description="What the demo's runbooks are about.")
    created = await author.teams.CreateService(team_rpc.CreateServiceRequest(service=service))
    return created.service.id


async def _find(author: Client, team_id: str, name: str) -> pb.Runbook | None:
    page_token = ""
    while True:
        wanted = rpc.ListRunbooksRequest(team_id=team_id, query=name, page_size=500, page_token=page_token)
        answer = await author.runbooks.ListRunbooks(wanted)
        for runbook in answer.runbooks:
            if runbook.name == name:
                return runbook
        page_token = answer.next_page_token
        if not page_token:
            return None


async def _again(author: Client, runbook_id: str, demo: DemoRunbook) -> pb.RunbookVersion:
    request = rpc.CreateRunbookVersionRequest(runbook_id=runbook_id, version=demo.version())
    return (await author.runbooks.CreateRunbookVersion(request)).version


async def _review(author: Client, reviewer: Client, version: pb.RunbookVersion) -> None:
    await author.runbooks.SubmitRunbookForReview(
        rpc.SubmitRunbookForReviewRequest(runbook_id=version.runbook_id, version=version.version)
    )
    await reviewer.runbooks.ApproveRunbook(
        rpc.ApproveRunbookRequest(
            runbook_id=version.runbook_id, version=version.version, digest=version.digest, comment="Read and tried."
        )
    )
