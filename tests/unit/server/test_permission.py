"""The permission table has a row for every RPC, and each row lets in whom it names."""

from __future__ import annotations

import importlib
import pkgutil
from uuid import UUID

import pytest
from google.protobuf.descriptor import FileDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

import oncall.v1
from kernel.errors import NotFound, PermissionDenied
from server.domain.permission import RULES, Call, Caller, Role, method_key

TEAM, OTHER = UUID(int=1), UUID(int=2)


def _files() -> list[FileDescriptor]:
    names = [module.name for module in pkgutil.iter_modules(oncall.v1.__path__) if module.name.endswith("_pb2")]
    return [
        *(importlib.import_module(f"oncall.v1.{name}").DESCRIPTOR for name in names),
        health_pb2.DESCRIPTOR,
        reflection_pb2.DESCRIPTOR,
    ]


def _call(method: str, **caller: object) -> Call:
    return Call(method, Caller(UUID(int=9), **caller))  # type: ignore[arg-type]


def test_every_rpc_has_a_row_and_every_row_an_rpc() -> None:
    rpcs = {
        method_key(f"/{service.full_name}/{method.name}")
        for file in _files()
        for service in file.services_by_name.values()
        for method in service.methods
    }
    assert rpcs == set(RULES)


def test_what_has_no_row_is_refused_even_to_platform_admins() -> None:
    with pytest.raises(PermissionDenied) as refused:
        _call("RunbookService/Invented", is_platform_admin=True).admit()
    assert refused.value.reason == "NO_RULE"


@pytest.mark.parametrize("method", sorted(RULES))
def test_a_service_account_is_let_in_where_it_is_named_and_nowhere_else(method: str) -> None:
    if method.startswith("grpc."):
        return  # open to anybody, and so never asked
    call = _call(method, service_account="gateway")
    if method == "TeamService/GetCaller" or RULES[method].account == "gateway":
        call.admit()
    else:
        with pytest.raises(PermissionDenied):
            call.admit()


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.OBSERVER, {"GetRunbook"}),
        (Role.RESPONDER, {"GetRunbook", "Execute"}),
        (Role.TEAM_ADMIN, {"GetRunbook", "Execute", "ApproveRunbook"}),
    ],
)
def test_each_role_includes_those_before_it(role: Role, allowed: set[str]) -> None:
    for name in ("GetRunbook", "Execute", "ApproveRunbook"):
        call = _call(f"RunbookService/{name}", roles={TEAM: role})
        call.admit()
        if name in allowed:
            call.require(TEAM, "runbook")
        else:
            with pytest.raises(PermissionDenied):
                call.require(TEAM, "runbook")


def test_outsiders_hear_that_there_is_nothing() -> None:
    with pytest.raises(NotFound):
        _call("RunbookService/GetRunbook", roles={OTHER: Role.TEAM_ADMIN}).require(TEAM, "runbook")


def test_a_platform_admin_counts_as_team_admin_everywhere() -> None:
    call = _call("RunbookService/ApproveRunbook", is_platform_admin=True)
    call.require(TEAM, "runbook")
    assert call.visible_teams() is None
