"""No sequence of calls brings a runbook where the model does not have it, or runs what was not approved.

A state machine calls a real server over a real channel, with a real database behind it, as admins of a team and as
platform admin, and compares after every step. ONCALL_TEST_LIFECYCLE_EXAMPLES makes it longer.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.rpc import error_details_pb2, status_pb2
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from oncall.v1 import runbook_pb2, runbook_service_pb2_grpc
from oncall.v1 import runbook_service_pb2 as pb
from server.domain.permission import Role
from tests.builders import Person, a_member, a_person, a_team
from tests.rpc.conftest import CALL_SECONDS, RunningServer, a_server
from tests.rpc.lifecycle_model import ModelRunbook

EXAMPLES = int(os.environ.get("ONCALL_TEST_LIFECYCLE_EXAMPLES", "12"))
STEPS = 40


@dataclass(frozen=True, slots=True)
class World:
    """A server, and the people who call it."""

    channel: grpc.Channel
    team_id: str
    people: dict[str, Person]
    responder: Person

    @property
    def stub(self) -> Any:
        return runbook_service_pb2_grpc.RunbookServiceStub(self.channel)


@contextmanager
def a_world(database_url: str, redis_url: str) -> Iterator[World]:
    """Runs a server in a thread with a loop of its own: the machine is synchronous, as hypothesis is."""
    ready: asyncio.Queue[Any] = asyncio.Queue()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    done = asyncio.Event()

    async def serve() -> None:
        async with a_server(database_url, redis_url) as server:
            await ready.put(await _people(server))
            await done.wait()

    serving = asyncio.run_coroutine_threadsafe(serve(), loop)
    try:
        address, team_id, people, responder = asyncio.run_coroutine_threadsafe(ready.get(), loop).result(CALL_SECONDS)
        with grpc.insecure_channel(address) as channel:
            yield World(channel, team_id, people, responder)
    finally:
        loop.call_soon_threadsafe(done.set)
        serving.result(CALL_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CALL_SECONDS)
        loop.close()


async def _people(server: RunningServer) -> tuple[str, str, dict[str, Person], Person]:
    team = await a_team(server.sessions)
    people = {
        "creator": team.author,
        "reviewer": team.reviewer,
        "another": await a_member(server.sessions, team.id, Role.TEAM_ADMIN),
        "platform admin": await a_person(server.sessions, platform_admin=True),
    }
    return server.address, str(team.id), people, team.responder


WHO = st.sampled_from(["creator", "reviewer", "another", "platform admin"])
"""All of them may do everything; four eyes alone hold them back."""


class Lifecycle(RuleBasedStateMachine):
    """Moves one runbook of the world that a subclass names."""

    world: World
    versions = Bundle("versions")

    @initialize(target=versions, creator=WHO)
    def created(self, creator: str) -> Any:
        request = pb.CreateRunbookRequest(
            runbook=runbook_pb2.Runbook(team_id=self.world.team_id, name=f"r{os.urandom(8).hex()}"),
            version=self._content(1),
        )
        made = self.world.stub.CreateRunbook(request, metadata=self.world.people[creator].metadata)
        self.id, self.etags = made.runbook.id, [made.runbook.etag]
        self.model = ModelRunbook(creator)
        self.model.revise(creator, made.version.digest)
        return 1

    @rule(target=versions, by=WHO)
    def revise(self, by: str) -> Any:
        number = len(self.model.versions) + 1
        answer, reason = self._try(
            "CreateRunbookVersion",
            by,
            pb.CreateRunbookVersionRequest(runbook_id=self.id, version=self._content(number)),
        )
        assert reason == self.model.revise(by, answer.version.digest if answer else "")
        return number if answer else multiple()

    @rule(version=versions, by=WHO)
    def submit(self, version: int, by: str) -> None:
        request = pb.SubmitRunbookForReviewRequest(runbook_id=self.id, version=version)
        assert self._reason("SubmitRunbookForReview", by, request) == self.model.submit(version, by)

    @rule(version=versions, by=WHO)
    def withdraw(self, version: int, by: str) -> None:
        request = pb.WithdrawRunbookRequest(runbook_id=self.id, version=version)
        assert self._reason("WithdrawRunbook", by, request) == self.model.withdraw(version)

    @rule(version=versions, by=WHO, other=versions)
    def approve(self, version: int, by: str, other: int) -> None:
        """Mostly with the digest of the version, at times with another's; twice as likely to be legal."""
        digest = self.model.versions[(other if other % 3 == 0 else version) - 1].digest
        request = pb.ApproveRunbookRequest(runbook_id=self.id, version=version, digest=digest)
        right = digest == self.model.versions[version - 1].digest
        expected = self.model.decide(version, by, approve=True, right_digest=right)
        assert self._reason("ApproveRunbook", by, request) == expected

    @rule(version=versions, by=WHO)
    def reject(self, version: int, by: str) -> None:
        digest = self.model.versions[version - 1].digest
        request = pb.RejectRunbookRequest(runbook_id=self.id, version=version, digest=digest, comment="no")
        expected = self.model.decide(version, by, approve=False, right_digest=True)
        assert self._reason("RejectRunbook", by, request) == expected

    @rule(version=versions, submitter=WHO, reviewer=WHO)
    def pass_review(self, version: int, submitter: str, reviewer: str) -> None:
        """The usual way, at once: else few sequences get far."""
        self.submit(version, submitter)
        self.approve(version, reviewer, version)

    @rule(version=versions, by=WHO)
    def roll_back(self, version: int, by: str) -> None:
        request = pb.RollbackRunbookRequest(runbook_id=self.id, version=version)
        assert self._reason("RollbackRunbook", by, request) == self.model.roll_back(version)

    @rule(by=WHO, verb=st.sampled_from(["Deprecate", "Archive", "Restore", "Restore"]))
    def retire_or_restore(self, by: str, verb: str) -> None:
        request = getattr(pb, f"{verb}RunbookRequest")(runbook_id=self.id)
        move: Callable[[], str] = getattr(self.model, verb.lower())
        assert self._reason(f"{verb}Runbook", by, request) == move()

    @rule(by=WHO, back=st.integers(0, 3), text=st.sampled_from(["a", "b"]))
    def update(self, by: str, back: int, text: str) -> None:
        """With an etag of now or of some time ago, which has changed with every change since."""
        etag = self.etags[-1 - min(back, len(self.etags) - 1)]
        new = runbook_pb2.Runbook(id=self.id, description=text, etag=etag)
        request = pb.UpdateRunbookRequest(runbook=new, update_mask=FieldMask(paths=["description"]))
        assert self._reason("UpdateRunbook", by, request) == ("" if etag == self.etags[-1] else "STALE_ETAG")

    @rule(version=st.one_of(st.just(0), versions))
    def execute(self, version: int) -> None:
        """What is accepted is what was approved, and what the model would run."""
        expected = self.model.execute(version)
        call = self.world.stub.Execute(
            pb.ExecuteRequest(runbook_id=self.id, version=version),
            metadata=self.world.responder.metadata,
            timeout=CALL_SECONDS,
        )
        try:
            first, reason = next(call).event, ""
        except grpc.RpcError as error:
            first, reason = None, _reason_of(error)
        call.cancel()
        assert reason == expected
        if first is None:
            return
        assert first.execution.version == (version or self.model.current)
        assert first.execution.digest in self.model.approved
        assert bool(first.warnings) is (self.model.retired == "DEPRECATED")

    @invariant()
    def the_runbook_is_where_the_model_has_it(self) -> None:
        if not hasattr(self, "model"):
            return
        metadata = self.world.people["creator"].metadata
        runbook = self.world.stub.GetRunbook(pb.GetRunbookRequest(runbook_id=self.id), metadata=metadata).runbook
        assert runbook_pb2.RunbookStatus.Name(runbook.status) == f"RUNBOOK_STATUS_{self.model.status}"
        assert (runbook.current_version, runbook.latest_version) == (self.model.current, len(self.model.versions))
        listed = self.world.stub.ListRunbookVersions(
            pb.ListRunbookVersionsRequest(runbook_id=self.id), metadata=metadata
        )
        assert [
            (
                runbook_pb2.RunbookVersionStatus.Name(v.status).removeprefix("RUNBOOK_VERSION_STATUS_"),
                v.digest,
                v.submitted_by,
            )
            for v in reversed(listed.versions)
        ] == [
            (v.status, v.digest, str(self.world.people[v.submitter].id) if v.submitter else "")
            for v in self.model.versions
        ]
        for version in listed.versions:
            if version.reviewed_by:
                assert version.reviewed_by not in {runbook.created_by, version.created_by, version.submitted_by}
        if runbook.etag != self.etags[-1]:
            assert runbook.etag not in self.etags
            self.etags.append(runbook.etag)

    def _content(self, number: int) -> runbook_pb2.RunbookVersion:
        return runbook_pb2.RunbookVersion(script=f"echo {number}", language=runbook_pb2.SCRIPT_LANGUAGE_BASH)

    def _try(self, method: str, by: str, request: Any) -> tuple[Any, str]:
        try:
            call = getattr(self.world.stub, method)
            return call(request, metadata=self.world.people[by].metadata, timeout=CALL_SECONDS), ""
        except grpc.RpcError as error:
            return None, _reason_of(error)

    def _reason(self, method: str, by: str, request: Any) -> str:
        return self._try(method, by, request)[1]


def _reason_of(error: Any) -> str:
    trailing = dict(error.trailing_metadata())
    info = error_details_pb2.ErrorInfo()
    for detail in status_pb2.Status.FromString(trailing["grpc-status-details-bin"]).details:
        detail.Unpack(info)
    return info.reason


@pytest.fixture
def world(database_url: str, redis_url: str) -> Iterator[World]:
    with a_world(database_url, redis_url) as world:
        yield world


def test_no_sequence_of_calls_leaves_the_lifecycle_or_runs_what_was_not_approved(world: World) -> None:
    run_state_machine_as_test(
        type("LifecycleOfThisWorld", (Lifecycle,), {"world": world}),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            phases=(Phase.generate,),  # a failure is told as it was found: to shorten it takes minutes of calls
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
