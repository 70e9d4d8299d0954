"""Reads which executors there are. They serve all teams, so every user sees all of them."""

from __future__ import annotations

from server.domain.executor import Executor
from server.domain.page import Page, PageRequest
from server.domain.permission import Call
from server.operations.environment import Environment
from server.storage import executors


async def list_executors(env: Environment, call: Call, request: PageRequest) -> Page[Executor]:
    cursor = env.pager.open(call.method, {}, request)
    async with env.sessions() as session:
        found = await executors.page(session, after=cursor.position, limit=cursor.size + 1)
    return cursor.page(found, lambda executor: executor.id)
