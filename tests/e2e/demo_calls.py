"""What the people of the demo team do over gRPC, in one line each."""

from __future__ import annotations

import time
from typing import Any

import grpc

from oncall.v1 import runbook_pb2
from oncall.v1.runbook_service_pb2 import (
    ApproveRunbookRequest,
    ApproveRunbookResponse,
    CreateRunbookRequest,
    SubmitRunbookForReviewRequest,
)
from oncall.v1.runbook_service_pb2_grpc import RunbookServiceStub

Metadata = list[tuple[str, str]]


def metadata_of(demo: dict[str, Any], who: str) -> Metadata:
    """Answers what `author` or `reviewer` calls with."""
    return [("authorization", f"Bearer {demo['tokens'][who]}")]


def approve_new(channel: grpc.Channel, demo: dict[str, Any], **version: Any) -> ApproveRunbookResponse:
    """Makes a runbook: written and submitted by the author, approved by the reviewer. Bash, unless told otherwise."""
    runbooks, author = RunbookServiceStub(channel), metadata_of(demo, "author")
    version.setdefault("language", runbook_pb2.SCRIPT_LANGUAGE_BASH)
    created = runbooks.CreateRunbook(
        CreateRunbookRequest(
            runbook=runbook_pb2.Runbook(team_id=demo["team_id"], name=f"test-{time.time_ns()}"),
            version=runbook_pb2.RunbookVersion(**version),
        ),
        metadata=author,
    )
    runbook_id = created.runbook.id
    submit = SubmitRunbookForReviewRequest(runbook_id=runbook_id, version=1)
    runbooks.SubmitRunbookForReview(submit, metadata=author)
    approve = ApproveRunbookRequest(runbook_id=runbook_id, version=1, digest=created.version.digest)
    return runbooks.ApproveRunbook(approve, metadata=metadata_of(demo, "reviewer"))
