"""Every RPC by every kind of caller: what the permission table says is what a real server does.

The list of RPCs comes from the descriptors, what is expected from the table; only the requests are written by hand
(`valid_requests`). Whoever is allowed gets OK, and where that changed something the audit says so; whoever is denied
hears why, and the audit says that; whoever is of another team hears, byte for byte and statement for statement, what is
heard about a thing that does not exist.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

import oncall.v1
from server.domain.permission import RULES, Kind, Role, Rule
from tests.builders import Person, TeamWithPeople, a_person, a_team
from tests.rpc.audited import audited
from tests.rpc.conftest import CALL_SECONDS, RunningServer
from tests.rpc.valid_requests import SERVICES
from tests.rpc.world import World
from tests.statements import noted
from tests.status_pages import StatusPageDesk

OK, DENIED = grpc.StatusCode.OK, grpc.StatusCode.PERMISSION_DENIED
UNAUTHENTICATED, NOT_FOUND = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.NOT_FOUND
READS = ("Get", "List", "Watch", "Diff")
# What the gateway does for readers is in their sessions and accesses, and a watch is nobody's deed.
NOT_AUDITED = frozenset({"CreatePageSession", "EndPageSession", "RenewStatusPageWatch", "RecordPartnerAccesses"})


@dataclass(frozen=True, slots=True)
class Caller:
    """A kind of caller, and what the table knows of it; without a role they are of another team, or of none."""

    name: str
    person: Person | None
    role: Role | None = None
    platform_admin: bool = False
    account: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """All that a caller hears."""

    code: grpc.StatusCode
    message: str
    details: bytes
    response: bytes


class Matrix:
    """A team, everybody who may ask for its things, and how they ask."""

    def __init__(self, server: RunningServer, world: World, callers: list[Caller]) -> None:
        self.server, self.callers = server, callers
        self._world = world

    async def request(self, method: MethodDescriptor, caller: Caller) -> Message:
        """Answers a valid request; of the author's where the caller has no things of their own."""
        world = replace(self._world, caller=caller.person or self._world.team.author)
        requests: Any = {service.__name__: service(world) for service in SERVICES}
        request: Message = await getattr(requests[method.containing_service.name], method.name)()
        return request

    async def call(self, method: MethodDescriptor, request: Message, person: Person | None) -> Answer:
        """Calls and answers what came first, as bytes."""
        path = f"/{method.containing_service.full_name}/{method.name}"
        metadata = person.metadata if person else ()
        channel, serialize = self.server.channel, type(request).SerializeToString
        try:
            if method.server_streaming:
                stream: Any = channel.unary_stream(path, serialize)(request, metadata=metadata, timeout=CALL_SECONDS)
                response = await anext(aiter(stream))
                stream.cancel()
            else:
                response = await channel.unary_unary(path, serialize)(request, metadata=metadata, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            trailing: Any = dict(error.trailing_metadata() or ())
            return Answer(error.code(), error.details() or "", trailing["grpc-status-details-bin"], b"")
        return Answer(OK, "", b"", response)

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        """Collects the statements that the server sends meanwhile."""
        statements: list[str] = []
        with noted(self.server.platform.engine, statements.append):
            yield statements


@pytest.fixture
async def matrix(running_server: RunningServer, team: TeamWithPeople) -> Matrix:
    sessions = running_server.sessions
    other, gateway = await a_team(sessions), await a_person(sessions, service_account="gateway")
    desk = StatusPageDesk(running_server.channel, sessions, team, gateway)
    callers = [
        Caller("anonymous", None),
        Caller("other team's admin", other.author),
        Caller("observer", team.observer, Role.OBSERVER),
        Caller("responder", team.responder, Role.RESPONDER),
        Caller("team admin", team.reviewer, Role.TEAM_ADMIN),
        Caller("platform admin", await a_person(sessions, platform_admin=True), platform_admin=True),
        Caller("gateway", gateway, account="gateway"),
    ]
    return Matrix(running_server, World(running_server, team, desk, team.author), callers)


def _methods() -> list[MethodDescriptor]:
    names = [module.name for module in pkgutil.iter_modules(oncall.v1.__path__) if module.name.endswith("_pb2")]
    files = [importlib.import_module(f"oncall.v1.{name}").DESCRIPTOR for name in names]
    return [method for file in files for service in file.services_by_name.values() for method in service.methods]


METHODS = _methods()
NAMES = sorted({method.containing_service.name for method in METHODS})


def _key(method: MethodDescriptor) -> str:
    return f"{method.containing_service.name}/{method.name}"


def _expected(rule: Rule, caller: Caller) -> grpc.StatusCode:
    """What the table says; NOT_FOUND stands for an answer that tells nothing."""
    if caller.person is None:
        return UNAUTHENTICATED
    if rule.kind is Kind.SERVICE_ACCOUNT:
        return OK if caller.account == rule.account else DENIED
    if caller.account:
        return OK if rule.also_accounts or caller.account == rule.account else DENIED
    if caller.platform_admin or rule.kind is Kind.AUTHENTICATED:
        return OK
    if rule.kind is Kind.PLATFORM_ADMIN or rule.role is None:
        return DENIED
    if caller.role is None:
        return NOT_FOUND
    return OK if caller.role >= rule.role else DENIED


def with_random_ids(request: Message) -> Message:
    """Answers the same request about things that do not exist."""
    changed = type(request)()
    changed.CopyFrom(request)
    for field, value in changed.ListFields():
        if field.type == FieldDescriptor.TYPE_STRING and isinstance(value, str) and _is_id(value):
            setattr(changed, field.name, str(uuid4()))
        elif isinstance(value, Message):
            value.CopyFrom(with_random_ids(value))
    return changed


def _is_id(value: str) -> bool:
    try:
        return str(UUID(value)) == value
    except ValueError:
        return False


def test_every_rpc_has_a_row_and_a_valid_request() -> None:
    """What is new is not tested until both are there, so this says so first."""
    assert {_key(method) for method in METHODS} <= set(RULES)
    requests = {f"{service.__name__}/{name}" for service in SERVICES for name in vars(service) if name[0].isupper()}
    assert {_key(method) for method in METHODS} == requests


@pytest.mark.parametrize("service", NAMES)
async def test_everybody_may_do_what_the_table_says_and_nothing_else(matrix: Matrix, service: str) -> None:
    wrong = {}
    for method in METHODS:
        if method.containing_service.name != service:
            continue
        for caller in matrix.callers:
            expected = _expected(RULES[_key(method)], caller)
            request = await matrix.request(method, caller)
            answer = await matrix.call(method, request, caller.person)
            if answer.code is not expected:
                wrong[method.name, caller.name] = (answer.code.name, answer.message)
    assert wrong == {}


@pytest.mark.parametrize("service", NAMES)
async def test_another_teams_thing_cannot_be_told_from_one_that_does_not_exist(matrix: Matrix, service: str) -> None:
    """Same status, message and details; and the same statements, which takes the same time on any machine."""
    outsider = next(caller for caller in matrix.callers if caller.name == "other team's admin")
    wrong = {}
    for method in METHODS:
        if method.containing_service.name != service or RULES[_key(method)].kind is not Kind.TEAM:
            continue
        theirs = await matrix.request(method, outsider)
        nobodys = with_random_ids(theirs)
        assert theirs != nobodys
        with matrix.counted() as for_theirs:
            heard_of_theirs = await matrix.call(method, theirs, outsider.person)
        with matrix.counted() as for_nobodys:
            heard_of_nobodys = await matrix.call(method, nobodys, outsider.person)
        if (heard_of_theirs, for_theirs) != (heard_of_nobodys, for_nobodys):
            wrong[method.name] = (heard_of_theirs, heard_of_nobodys, for_theirs, for_nobodys)
    assert wrong == {}


@pytest.mark.parametrize("service", NAMES)
async def test_every_change_and_every_denial_is_in_the_audit(matrix: Matrix, service: str) -> None:
    wrong = {}
    for method in METHODS:
        if method.containing_service.name != service:
            continue
        for caller in matrix.callers:
            if caller.name not in {"observer", "platform admin", "gateway"} or caller.person is None:
                continue
            request = await matrix.request(method, caller)
            before = await _rows(matrix, caller.person)
            answer = await matrix.call(method, request, caller.person)
            new = (await _rows(matrix, caller.person))[len(before) :]
            changed = answer.code is OK and not method.name.startswith(READS) and method.name not in NOT_AUDITED
            expected = ["DENIED"] if answer.code is DENIED else ["DONE"] if changed else []
            if [row["outcome"] for row in new] != expected or any(row["peer"] != "127.0.0.1" for row in new):
                wrong[method.name, caller.name] = new
    assert wrong == {}


async def _rows(matrix: Matrix, person: Person) -> list[dict[str, Any]]:
    return await audited(matrix.server.sessions, actor_id=person.id)


@pytest.mark.parametrize("name", ["ListApiTokens", "RevokeApiToken", "CreateApiToken"])
async def test_the_tokens_of_others_do_not_exist_for_anybody_but_platform_admins(matrix: Matrix, name: str) -> None:
    method = next(method for method in METHODS if method.name == name)
    observer, admin, platform_admin = matrix.callers[2], matrix.callers[4], matrix.callers[5]
    request: Any = await matrix.request(method, observer)
    if name == "CreateApiToken":
        request.api_token.user_id = str(observer.person and observer.person.id)
    with matrix.counted() as for_theirs:
        theirs = await matrix.call(method, request, admin.person)
    with matrix.counted() as for_nobodys:
        nobodys = await matrix.call(method, with_random_ids(request), admin.person)
    assert theirs.code is NOT_FOUND
    assert (theirs, for_theirs) == (nobodys, for_nobodys)
    assert (await matrix.call(method, request, platform_admin.person)).code is OK
