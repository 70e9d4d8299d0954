"""What has outlived its retention goes, all of it and nothing else, wherever its removal is cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy import Text, func, insert, literal, select, update

from kernel.audit import AuditEntry, append
from kernel.database import Sessions, transaction
from kernel.ids import new_id
from kernel.tables import audit_events, execution_attempts, execution_events, executions, request_ids
from server.domain.retention import Retention
from server.operations import remove_expired
from server.operations.remove_expired import (
    expire_logs,
    forget_request_ids,
    remove_expired_logs,
    remove_old_executions,
)
from server.settings import JobsSettings
from server.storage import request_ids as stored_request_ids
from tests.expired import kept, let_pass, marks
from tests.integration.conftest import Platform

DEFAULTS = Retention.of_days(logs=90, executions=400, request_ids=7)
FOR_EVER = Retention.of_days(logs=0, executions=0, request_ids=0)


async def an_ended_execution(platform: Platform, *, days_ago: float, events: int = 3, size: int = 10) -> UUID:
    execution = await platform.an_execution("true")
    numbers = func.generate_series(2, events - 1).table_valued("n", name="numbers").render_derived()
    output = select(
        literal(execution), numbers.c.n, func.now(), literal("output", Text), func.convert_to("x" * size, "utf8")
    )
    columns = ["execution_id", "sequence", "time", "kind", "data"]
    ended = {"status": "COMPLETED", "completed_at": func.now(), "stdout": "first and last", "attempt": 1}
    attempt = {"attempt": 1, "epoch": 1, "executor_id": "e", "status": "COMPLETED"}
    async with transaction(platform.sessions) as tx:
        await tx.session.execute(update(executions).where(executions.c.id == execution).values(ended))
        await tx.session.execute(insert(execution_events).from_select(columns, output))
        last = {"execution_id": execution, "sequence": events, "time": func.now(), "kind": "state", "state": {}}
        await tx.session.execute(insert(execution_events).values(last))
        times = {"started_at": func.now(), "ended_at": func.now()}
        await tx.session.execute(insert(execution_attempts).values(execution_id=execution, **attempt, **times))
        await append(tx.session, AuditEntry("execution.created", str(execution)))
    await let_pass(platform.sessions, days_ago, execution)
    return execution


async def a_round(make_session: Sessions, retention: Retention) -> None:
    """Does what a round of `jobs` does."""
    await expire_logs(make_session, retention)
    await remove_expired_logs(make_session)
    await remove_old_executions(make_session, retention)
    await forget_request_ids(make_session, retention)


async def _count(make_session: Sessions, table: Any) -> int:
    async with make_session() as session:
        return int(await session.scalar(select(func.count()).select_from(table)) or 0)


async def test_logs_go_at_their_age_executions_at_theirs_and_the_audit_stays(platform: Platform) -> None:
    ages = (0, 89.9, 90.1, 399.9, 400.1)
    fresh, young, no_log, no_log_either, gone = [await an_ended_execution(platform, days_ago=d) for d in ages]
    pending = await platform.an_execution("true")
    await a_round(platform.sessions, DEFAULTS)
    assert await kept(platform.sessions) == {fresh: 3, young: 3, no_log: 0, no_log_either: 0, pending: 1}
    assert await _count(platform.sessions, execution_attempts) == 4
    assert await _count(platform.sessions, audit_events) == 5
    assert await marks(platform.sessions, [fresh, young, pending]) == [(None, None)] * 3
    assert all(expired and removed for expired, removed in await marks(platform.sessions, [no_log, no_log_either]))
    assert (await platform.row(no_log)).stdout == b""
    async with platform.sessions() as session:
        assert await session.scalar(select(executions.c.stdout).where(executions.c.id == no_log)) == "first and last"
    assert gone not in await kept(platform.sessions)


async def test_zero_keeps_for_ever(platform: Platform) -> None:
    old = await an_ended_execution(platform, days_ago=30_000)
    await a_round(platform.sessions, FOR_EVER)
    assert await kept(platform.sessions) == {old: 3}


async def test_logs_kept_for_ever_go_with_their_executions(platform: Platform) -> None:
    young, old = [await an_ended_execution(platform, days_ago=days) for days in (399, 401)]
    await a_round(platform.sessions, Retention.of_days(logs=0, executions=400, request_ids=0))
    assert await kept(platform.sessions) == {young: 3}
    assert old != young


async def test_executions_kept_for_ever_lose_their_logs(platform: Platform) -> None:
    old = await an_ended_execution(platform, days_ago=30_000)
    await a_round(platform.sessions, Retention.of_days(logs=90, executions=0, request_ids=0))
    assert await kept(platform.sessions) == {old: 0}


async def test_what_has_not_ended_is_kept_however_old(platform: Platform) -> None:
    waiting, running = await platform.an_execution("true"), await platform.an_execution("true")
    long_ago = func.now() - timedelta(days=30_000)
    async with transaction(platform.sessions) as tx:
        await tx.session.execute(update(executions).values(created_at=long_ago, started_at=long_ago))
        lease = {"status": "RUNNING", "lease_expires_at": func.now()}
        await tx.session.execute(update(executions).where(executions.c.id == running).values(lease))
    await a_round(platform.sessions, DEFAULTS)
    assert await kept(platform.sessions) == {waiting: 1, running: 1}


@pytest.mark.parametrize(("rows", "size", "batches"), [(10, 10**9, 4), (10**6, 100, 4), (10**6, 10**9, 1)])
async def test_a_long_log_goes_from_its_beginning_on_in_batches_of_bounded_rows_and_bytes(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, rows: int, size: int, batches: int
) -> None:
    monkeypatch.setattr(remove_expired, "EVENTS_A_BATCH", rows)
    monkeypatch.setattr(remove_expired, "BYTES_A_BATCH", size)
    monkeypatch.setattr(remove_expired, "BATCHES_A_ROUND", 1)
    execution = await an_ended_execution(platform, days_ago=91, events=40, size=10)
    await expire_logs(platform.sessions, DEFAULTS)
    left = []
    while (await marks(platform.sessions, [execution]))[0][1] is None:
        assert await remove_expired_logs(platform.sessions) == 1
        left.append([event.sequence for event in await _events(platform, execution)])
    assert len(left) == batches
    assert all(sequences == list(range(41 - len(sequences), 41)) for sequences in left)
    assert left[-1] == []
    assert await remove_expired_logs(platform.sessions) == 0


async def _events(platform: Platform, execution: UUID) -> list[Any]:
    async with platform.sessions() as session:
        query = select(execution_events.c.sequence).where(execution_events.c.execution_id == execution)
        return list(await session.execute(query.order_by(execution_events.c.sequence)))


class CutOff:
    """Awaits `work`, and cancels the task that does so when it pauses for the `at`-th time."""

    def __init__(self, work: Coroutine[Any, Any, None], at: int) -> None:
        self._work, self._at = work, at

    def __await__(self) -> Generator[Any, Any, None]:
        steps = self._work.__await__()
        step = partial(steps.send, None)
        for pauses in count(1):
            try:
                waits_for = step()
            except StopIteration:
                return
            task = asyncio.current_task()
            if pauses == self._at and task is not None:
                task.cancel()
            try:
                yield waits_for
                step = partial(steps.send, None)
            except BaseException as thrown:  # noqa: BLE001 - it is for `work`, whatever it is
                step = partial(steps.throw, thrown)


async def _cut_off(work: Coroutine[Any, Any, None], at: int) -> bool:
    """Answers whether it was cut off, and not done before."""

    async def run() -> None:
        await CutOff(work, at)

    task = asyncio.create_task(run())
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
    return task.cancelled()


async def test_cut_off_anywhere_it_is_carried_on(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remove_expired, "EVENTS_A_BATCH", 4)
    monkeypatch.setattr(remove_expired, "SHORTEST_PAUSE_SECONDS", 0)
    young = await an_ended_execution(platform, days_ago=1)
    cuts = 0
    while True:
        old = await an_ended_execution(platform, days_ago=401, events=6)
        if not await _cut_off(a_round(platform.sessions, DEFAULTS), at=cuts + 1):
            break
        cuts += 1
        await _what_is_shown_is_whole(platform)
        await a_round(platform.sessions, DEFAULTS)
        assert await kept(platform.sessions) == {young: 3}, (cuts, old)
    assert cuts > 30, "a round waits at least so often"


async def _what_is_shown_is_whole(platform: Platform) -> None:
    """Whatever has lost an event is marked as expired: the mark was committed before."""
    async with platform.sessions() as session:
        shown = list(await session.scalars(select(executions.c.id).where(executions.c.log_expired_at.is_(None))))
    counts = await kept(platform.sessions)
    assert all(counts[execution] in (3, 6) for execution in shown)


async def test_several_at_once_share_the_work(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remove_expired, "EVENTS_A_BATCH", 7)
    monkeypatch.setattr(remove_expired, "LOGS_A_BATCH", 3)
    monkeypatch.setattr(remove_expired, "RECORDS_A_BATCH", 2)
    monkeypatch.setattr(remove_expired, "SHORTEST_PAUSE_SECONDS", 0)
    old = [await an_ended_execution(platform, days_ago=401, events=12) for _ in range(10)]
    middle = [await an_ended_execution(platform, days_ago=100, events=12) for _ in range(10)]
    expired = await asyncio.gather(*(expire_logs(platform.sessions, DEFAULTS) for _ in range(3)))
    assert sum(expired) == 20

    async def work() -> int:
        await remove_expired_logs(platform.sessions)
        return await remove_old_executions(platform.sessions, DEFAULTS)

    removed = sum(await asyncio.gather(*(work() for _ in range(3))))
    while left := set(old) & set(await kept(platform.sessions)):
        removed += await work()
        assert len(left) <= 10
    assert removed == 10
    assert await kept(platform.sessions) == dict.fromkeys(middle, 0)


async def test_what_somebody_holds_is_skipped_and_waited_for_by_nobody(platform: Platform) -> None:
    held, free = [await an_ended_execution(platform, days_ago=91) for _ in range(2)]
    async with transaction(platform.sessions) as other:
        await other.session.execute(select(executions.c.id).where(executions.c.id == held).with_for_update())
        async with asyncio.timeout(20):
            await a_round(platform.sessions, DEFAULTS)
        assert await kept(platform.sessions) == {held: 3, free: 0}
    await a_round(platform.sessions, DEFAULTS)
    assert await kept(platform.sessions) == {held: 0, free: 0}


async def _claim(make_session: Sessions, caller: UUID, request_id: str) -> Any:
    async with transaction(make_session) as tx:
        values = stored_request_ids.values_of(caller, "/m", request_id, b"f", {})
        claimed = await stored_request_ids.claim(tx.session, values)
        if claimed is None:
            await stored_request_ids.settle(tx.session, caller, "/m", request_id, {"id": request_id})
        return claimed


async def _age(make_session: Sessions, request_id: str, days: float) -> None:
    earlier = request_ids.c.created_at - timedelta(days=days)
    async with transaction(make_session) as tx:
        await tx.session.execute(
            update(request_ids).where(request_ids.c.request_id == request_id).values(created_at=earlier)
        )


async def test_request_ids_are_forgotten_at_their_age(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remove_expired, "REQUEST_IDS_A_BATCH", 2)
    caller = new_id()
    for name, days in (("young", 6.9), ("a", 7.1), ("b", 8), ("c", 9)):
        await _claim(platform.sessions, caller, name)
        await _age(platform.sessions, name, days)
    assert await forget_request_ids(platform.sessions, FOR_EVER) == 0
    assert await forget_request_ids(platform.sessions, DEFAULTS) == 3
    assert await _claim(platform.sessions, caller, "young") == (b"f", {"id": "young"})
    assert await _claim(platform.sessions, caller, "a") is None


async def test_a_request_id_that_is_forgotten_while_it_is_claimed_is_free(platform: Platform) -> None:
    caller = new_id()
    await _claim(platform.sessions, caller, "old")
    await _age(platform.sessions, "old", 8)
    async with transaction(platform.sessions) as tx:
        real, forgotten = tx.session.execute, 0

        async def execute(*arguments: Any) -> Any:
            nonlocal forgotten
            answer = await real(*arguments)
            if not forgotten:  # after it was found taken, and before it is read
                forgotten = await forget_request_ids(platform.sessions, DEFAULTS)
            return answer

        tx.session.execute = execute  # type: ignore[method-assign,assignment]
        values = stored_request_ids.values_of(caller, "/m", "old", b"f", {})
        assert await stored_request_ids.claim(tx.session, values) is None
        assert forgotten == 1


def test_settings_are_days_and_none_is_negative(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = {name: SecretStr("x") for name in ("database_url", "redis_url", "master_key")}
    defaults = JobsSettings(**urls)
    assert (defaults.log_retention_days, defaults.execution_retention_days, defaults.request_id_days) == (90, 400, 7)
    monkeypatch.setenv("ONCALL_LOG_RETENTION_DAYS", "0")
    assert JobsSettings(**urls).log_retention_days == 0
    monkeypatch.setenv("ONCALL_LOG_RETENTION_DAYS", "-1")
    with pytest.raises(ValidationError):
        JobsSettings(**urls)
