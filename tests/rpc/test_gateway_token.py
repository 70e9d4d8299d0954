"""A new token of the gateway ends those before it, unless several gateways share the installation."""

from __future__ import annotations

import json

import grpc
import pytest
from pydantic import SecretStr
from sqlalchemy import select

from kernel.settings import CoreSettings
from kernel.tables import api_tokens, audit_events
from oncall.v1 import team_service_pb2 as pb
from server import bootstrap
from server.domain.team import UserDraft
from tests.builders import MASTER_KEY
from tests.rpc.conftest import RunningServer

ADMIN = UserDraft("root@example.org", "Root", is_platform_admin=True)


@pytest.fixture
def settings(database_url: str, redis_url: str) -> CoreSettings:
    return CoreSettings(
        database_url=SecretStr(database_url), redis_url=SecretStr(redis_url), master_key=SecretStr(MASTER_KEY)
    )


async def _works(server: RunningServer, token: str) -> bool:
    try:
        await server.teams.GetCaller(pb.GetCallerRequest(), metadata=(("authorization", f"Bearer {token}"),))
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAUTHENTICATED:
            return False
        raise
    return True


async def test_only_the_newest_token_of_the_gateway_works_and_people_keep_theirs(
    running_server: RunningServer, settings: CoreSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    async def a_token(draft: UserDraft, *, keep_others: bool = False) -> str:
        capsys.readouterr()
        await bootstrap.main(settings, draft, keep_others=keep_others)
        token: str = json.loads(capsys.readouterr().out)["token"]
        return token

    admin = await a_token(ADMIN, keep_others=True)
    first = await a_token(bootstrap.GATEWAY)
    second = await a_token(bootstrap.GATEWAY, keep_others=True)
    assert [await _works(running_server, token) for token in (first, second)] == [True, True]
    third = await a_token(bootstrap.GATEWAY)
    tokens = (admin, first, second, third)
    assert [await _works(running_server, token) for token in tokens] == [True, False, False, True]
    async with running_server.sessions() as session:
        revoked = select(api_tokens.c.prefix).where(api_tokens.c.revoked_at.is_not(None)).order_by(api_tokens.c.id)
        prefixes = (await session.execute(revoked)).scalars().all()
        audited = select(audit_events.c.detail).where(audit_events.c.action == "api_token.revoked")
        details = (await session.execute(audited.order_by(audit_events.c.id))).scalars().all()
    assert [detail["prefix"] for detail in details] == prefixes
    assert len(prefixes) == 2
