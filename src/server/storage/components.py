"""Components of status pages."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import RowMapping, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.status_page_tables import components
from server.domain.component import Component, ComponentContent, ComponentStatus


async def find(session: AsyncSession, component_id: UUID) -> Component | None:
    row = (await session.execute(select(components).where(components.c.id == component_id))).mappings().one_or_none()
    return _component(row) if row else None


async def of_page(session: AsyncSession, status_page_id: UUID) -> list[Component]:
    """Answers all components of a page, in no order that means anything."""
    query = select(components).where(components.c.status_page_id == status_page_id)
    return [_component(row) for row in (await session.execute(query)).mappings()]


async def add(session: AsyncSession, component: Component) -> None:
    content = component.content
    await session.execute(
        insert(components).values(
            id=component.id,
            status_page_id=component.status_page_id,
            group_id=content.group_id,
            is_group=content.is_group,
            name=content.name,
            description=content.description,
            status=content.status.value,
            position=content.position,
            only_show_if_degraded=content.only_show_if_degraded,
            revision=component.revision,
            created_at=component.created_at,
            updated_at=component.updated_at,
        )
    )


def _component(row: RowMapping) -> Component:
    return Component(
        id=row["id"],
        status_page_id=row["status_page_id"],
        content=ComponentContent(
            name=row["name"],
            description=row["description"],
            group_id=row["group_id"],
            is_group=row["is_group"],
            status=ComponentStatus(row["status"]),
            position=row["position"],
            only_show_if_degraded=row["only_show_if_degraded"],
        ),
        revision=row["revision"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
