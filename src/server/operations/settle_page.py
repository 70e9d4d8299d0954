"""The frame of every change of what a page shows: lock the page, change it, note how components are shown from then on.

A component's history is written in the transactions that make it, under the lock of the page, so it is exact: whatever
changes a status notes it, a check's silence is noted for the moment when it began, also where that is noticed late, and
of two changes at one moment the later one comes after the earlier by the least that a clock can tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.domain.component import Component, ComponentStatus
from server.domain.page_state import PageState
from server.domain.permission import not_found
from server.domain.status_page import StatusPage
from server.domain.uptime import StatusChange
from server.operations.change import Change
from server.operations.tell_page_change import tell_page_change
from server.storage import components, incidents, maintenances, status_pages

LEAST = timedelta(microseconds=1)
"""What PostgreSQL's clock can tell apart."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A page after a change: the id of the change that was told, and how components are shown now, groups too."""

    change_id: UUID
    statuses: Mapping[UUID, ComponentStatus]


async def load_page_state(session: AsyncSession, page_id: UUID) -> PageState:
    """Answers all that decides how the components of a page are, in three statements."""
    return PageState(
        await components.of_page(session, page_id),
        await incidents.open_impacts(session, page_id),
        await maintenances.maintained(session, page_id),
    )


async def lock_page(tx: Change, page_id: UUID, now: datetime, *, what: str = "status page") -> StatusPage:
    """Begins a change: answers the page, locked, after noting what became of it by time alone until `now`.

    Who may change it has been decided before, because a lock that is waited for tells that there is something.
    """
    page = await find_and_lock_page(tx, page_id, now)
    if page is None:
        raise not_found(what)
    return page


async def find_and_lock_page(tx: Change, page_id: UUID, now: datetime) -> StatusPage | None:
    """As `lock_page`; None where the page has just been deleted."""
    page = await status_pages.lock(tx.session, page_id)
    if page is not None and await note_silences(tx.session, page.id, now):
        await tell_page_change(tx, page.id)  # by itself: what follows may turn out to change nothing
    return page


async def settle_page(tx: Change, page_id: UUID, now: datetime, **told: Any) -> Settled:
    """Ends a change: notes how components are shown from `now` on, and tells gateways; `told` is for that."""
    state = await load_page_state(tx.session, page_id)
    statuses = {component.id: state.status(component, now) for component in state.components}
    await _note(tx.session, {leaf.id: StatusChange(now, statuses[leaf.id]) for leaf in state.leaves()})
    return Settled(await tell_page_change(tx, page_id, **told), statuses)


async def note_silences(session: AsyncSession, page_id: UUID, now: datetime) -> bool:
    """Notes each check that has fallen silent, from when on it has; answers whether there was one.

    The caller holds the lock of the page, and has changed nothing yet: nothing else was noted since.
    """
    state = await load_page_state(session, page_id)
    silent = [leaf for leaf in state.leaves() if _is_news(leaf, now)]
    await _note(
        session,
        {
            leaf.id: StatusChange(leaf.report.expires_at, state.status(leaf, leaf.report.expires_at))
            for leaf in silent
            if leaf.report
        },
    )
    for leaf in silent:
        if leaf.report:
            await components.save_report(session, replace(leaf, report=replace(leaf.report, is_silent=True)))
    return bool(silent)


def _is_news(component: Component, now: datetime) -> bool:
    report = component.report
    return report is not None and not report.is_silent and report.expires_at <= now


async def _note(session: AsyncSession, now: Mapping[UUID, StatusChange]) -> None:
    """Notes what differs from what was noted last; a clock that is behind never rewrites what was."""
    last = await components.last_changes(session, list(now))
    news: list[tuple[UUID, StatusChange]] = []
    for component_id, change in now.items():
        before = last.get(component_id)
        if before is None:
            news.append((component_id, change))
        elif before.status is not change.status:
            news.append((component_id, replace(change, at=max(change.at, before.at + LEAST))))
    await components.add_changes(session, news)
