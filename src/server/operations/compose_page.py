"""Composes a page for one audience from one snapshot, in a handful of statements however much is on the page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.database import Sessions
from server.domain.component import Component, ShownComponent, StatusNow, shown
from server.domain.incident import Incident
from server.domain.page_day import PageDay, days_until
from server.domain.page_state import PageState
from server.domain.shown_page import Audience, ShownIncident, ShownMaintenance, ShownPage, affected_days
from server.domain.status_page import StatusPage, headline
from server.domain.uptime import History, StatusChange, Uptime, holds_until, mean, uptime
from server.operations.settle_page import load_page_state
from server.storage import components, incidents, maintenances, status_pages

NEWEST = 50
"""So many incidents and maintenances are shown, and older ones that have not ended."""
MOST_UPDATES = 100
"""Of one incident or maintenance: the newest."""


@asynccontextmanager
async def snapshot(make_session: Sessions) -> AsyncIterator[AsyncSession]:
    """Opens a session that sees one moment, however many statements it takes, and changes nothing."""
    async with make_session() as session:
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True})
        yield session


async def compose_page(session: AsyncSession, page: StatusPage, scope: Collection[UUID], now: datetime) -> ShownPage:
    """Answers the page as an audience with that scope sees it at `now`; `session` is a `snapshot`, `page` read in it.

    An empty scope means everything.
    """
    state = await load_page_state(session, page.id)
    days = days_until(page.content.time_zone, now)
    leaves = _seen(state, scope)
    histories = await _histories(session, state, leaves, days, now)
    statuses = {leaf.id: StatusNow(state.status(leaf, now), _since(histories[leaf.id])) for leaf in leaves}
    seen = shown(state.components, scope, statuses)
    audience = Audience(state.components, seen, scope)
    told = await _incidents(session, page, audience, leaves, scope)
    return ShownPage(
        page,
        headline(seen),
        seen,
        [incident for _, incident in told],
        await _maintenances(session, page, audience, leaves, scope),
        _uptimes(seen, histories, [incident for incident, _ in told], days, now),
        await status_pages.version_of(session, page.id),
        _expiry(leaves, histories, days, now),
    )


def _seen(state: PageState, scope: Collection[UUID]) -> list[Component]:
    ids = {line.id for line in shown(state.components, scope)}
    return [leaf for leaf in state.leaves() if leaf.id in ids]


async def _histories(
    session: AsyncSession, state: PageState, leaves: Sequence[Component], days: Sequence[PageDay], now: datetime
) -> dict[UUID, History]:
    changes = await components.changes_since(session, [leaf.id for leaf in leaves], days[0].begins)
    return {leaf.id: _history(state, leaf, changes[leaf.id], now) for leaf in leaves}


def _history(state: PageState, leaf: Component, changes: list[StatusChange], now: datetime) -> History:
    """Answers what was noted, and a silence that nobody has noted yet: it shows without anybody's doing."""
    report = leaf.report
    if report is not None and not report.is_silent and report.expires_at <= now:
        silent = StatusChange(report.expires_at, state.status(leaf, now))
        if not changes or (changes[-1].status is not silent.status and changes[-1].at < silent.at):
            changes = [*changes, silent]
    return History(leaf.id, leaf.created_at, changes)


def _since(history: History) -> datetime:
    return history.changes[-1].at if history.changes else history.created_at


async def _incidents(
    session: AsyncSession,
    page: StatusPage,
    audience: Audience,
    leaves: Sequence[Component],
    scope: Collection[UUID],
) -> list[tuple[Incident, ShownIncident]]:
    seen = {leaf.id for leaf in leaves} | set(scope) if scope else None
    found = await incidents.of_page(session, page.id, seen=seen, limit=NEWEST)
    updates = await incidents.updates_of(session, [incident.id for incident in found], newest=MOST_UPDATES)
    whole = [replace(incident, updates=updates[incident.id]) for incident in found]
    told = [(incident, audience.incident(incident)) for incident in whole]
    kept = [(incident, as_seen) for incident, as_seen in told if as_seen is not None]
    return sorted(kept, key=lambda pair: (pair[0].started_at, pair[0].id), reverse=True)


async def _maintenances(
    session: AsyncSession,
    page: StatusPage,
    audience: Audience,
    leaves: Sequence[Component],
    scope: Collection[UUID],
) -> list[ShownMaintenance]:
    groups = {leaf.content.group_id for leaf in leaves if leaf.content.group_id}
    named = {leaf.id for leaf in leaves} | groups | set(scope) if scope else None
    found = await maintenances.of_page(session, page.id, named=named, limit=NEWEST)
    updates = await maintenances.updates_of(session, [maintenance.id for maintenance in found], newest=MOST_UPDATES)
    told = [audience.maintenance(replace(maintenance, updates=updates[maintenance.id])) for maintenance in found]
    kept = [maintenance for maintenance in told if maintenance is not None]
    return sorted(kept, key=lambda maintenance: (maintenance.scheduled_for, maintenance.id), reverse=True)


def _uptimes(
    seen: Sequence[ShownComponent],
    histories: Mapping[UUID, History],
    told: Sequence[Incident],
    days: Sequence[PageDay],
    now: datetime,
) -> list[Uptime]:
    of_leaves = {
        component_id: affected_days(uptime(history, days, now), told, days)
        for component_id, history in histories.items()
    }
    found = []
    for line in seen:
        if line.is_group:
            children = [of_leaves[child.id] for child in seen if child.group_id == line.id]
            found.append(mean(line.id, children, days))
        else:
            found.append(of_leaves[line.id])
    return found


def _expiry(
    leaves: Sequence[Component], histories: Mapping[UUID, History], days: Sequence[PageDay], now: datetime
) -> datetime:
    """Answers until when all this holds if nobody changes anything: until a number, a day or a check's word does."""
    silences = [leaf.report.expires_at for leaf in leaves if leaf.report and leaf.report.expires_at > now]
    return min([days[-1].ends, *silences, *(holds_until(history, days, now) for history in histories.values())])
