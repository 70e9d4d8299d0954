"""What takes something away from readers waits for gateways between its commit and its answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

import grpc
import pytest
from sqlalchemy import select

from kernel.database import Sessions
from kernel.ids import new_id
from kernel.status_page_tables import status_pages
from oncall.v1 import status_page_pb2
from oncall.v1 import status_page_service_pb2 as pb
from server.domain.page import Pager
from server.domain.partner_token import PartnerTokens
from server.domain.permission import Call, Caller, Role
from server.domain.request_key import RequestKey
from server.operations.change_component import ComponentUpdate, delete_component, update_component
from server.operations.change_status_page import (
    StatusPageUpdate,
    delete_status_page,
    rotate_page_token,
    update_status_page,
)
from server.operations.environment import Environment
from tests.rpc.conftest import RunningServer
from tests.status_pages import StatusPageDesk

NO_KEY = RequestKey("", b"")


@dataclass
class WhatOthersSee:
    """Notes, for each change that is waited for, which number the page has for everybody else by then."""

    sessions: Sessions
    seen: list[int | None] = field(default_factory=list)

    async def wait(self, change_id: UUID) -> None:
        async with self.sessions() as session:
            self.seen.append(await session.scalar(select(status_pages.c.page_version)))


@dataclass
class Admin:
    """The author of a page, and what they call."""

    desk: StatusPageDesk
    env: Environment
    gateways: WhatOthersSee

    def call(self, method: str) -> Call:
        team = self.desk.team
        return Call(f"StatusPageService/{method}", Caller(team.author.id, roles={team.id: Role.TEAM_ADMIN}))

    async def version(self) -> int | None:
        async with self.env.sessions() as session:
            return await session.scalar(select(status_pages.c.page_version))


@pytest.fixture
def admin(running_server: RunningServer, desk: StatusPageDesk) -> Admin:
    sessions = running_server.sessions
    return Admin(desk, Environment(sessions, Pager(bytes(32))), WhatOthersSee(sessions))


def _component(component_id: str, path: str, **fields: str) -> ComponentUpdate:
    values = {"group_id": "", "name": "Renamed", "description": "", "status": "", **fields}
    return ComponentUpdate(component_id, **values, position=0, only_show_if_degraded=False, etag="", paths=[path])


async def test_changes_that_take_something_away_wait_for_gateways(admin: Admin) -> None:
    env, gateways = admin.env, admin.gateways
    page = await admin.desk.a_page()
    group = await admin.desk.a_component(page, "Group", group=True)
    api = await admin.desk.a_component(page, "API", group_id=group.id)
    tokens = PartnerTokens(bytes(32), lambda size: new_id().bytes * (size // 16))
    version = await admin.version()
    assert version is not None

    await update_component(env, admin.call("UpdateComponent"), gateways, _component(api.id, "name"))
    assert gateways.seen == []  # nobody loses anything by a name
    await update_component(env, admin.call("UpdateComponent"), gateways, _component(api.id, "group_id"))
    await update_component(env, admin.call("UpdateComponent"), gateways, _component(api.id, "group_id"))  # a repeat
    await delete_component(env, admin.call("DeleteComponent"), gateways, api.id, etag="")
    update = StatusPageUpdate(page.id, {"visibility": "PUBLIC"}, "", ["visibility"])
    await update_status_page(env, admin.call("UpdateStatusPage"), gateways, update)
    await update_status_page(env, admin.call("UpdateStatusPage"), gateways, update)  # a repeat
    call = admin.call("RotatePageToken")
    await rotate_page_token(env, call, gateways, tokens, page.id, NO_KEY, remove=False)
    await rotate_page_token(env, call, gateways, tokens, page.id, NO_KEY, remove=True)
    await delete_status_page(env, admin.call("DeleteStatusPage"), gateways, page.id, etag="")
    assert gateways.seen == [*range(version + 2, version + 9), None]


async def test_a_change_that_is_rolled_back_tells_nobody(admin: Admin) -> None:
    page = await admin.desk.a_page()
    before = await admin.version()
    delete = pb.DeleteStatusPageRequest(status_page_id=page.id, etag="stale")
    with pytest.raises(grpc.aio.AioRpcError):
        await admin.desk.pages.DeleteStatusPage(delete, metadata=admin.desk.team.author.metadata)
    assert await admin.version() == before
    assert (await admin.desk.a_component(page, "API")).shown_status == status_page_pb2.COMPONENT_STATUS_OPERATIONAL
    assert await admin.version() == (before or 0) + 1
