"""Changing pages, their components, their maintenances and their tokens; and who is told, and waited for."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import select, update

from kernel.database import transaction
from kernel.incident_tables import incidents
from kernel.status_page_tables import status_pages
from oncall.v1 import maintenance_pb2, partner_service_pb2, status_page_pb2
from oncall.v1 import status_page_service_pb2 as pb
from server.domain.page_token import MARK
from server.domain.partner_token import KEY_PURPOSE, PartnerTokens
from server.process import derived_key
from tests.rpc.conftest import RunningServer, refusal_of
from tests.status_pages import PRIVATE, PUBLIC, StatusPageDesk, a_maintenance_request, names

MAJOR = status_page_pb2.COMPONENT_STATUS_MAJOR_OUTAGE
OPERATIONAL = status_page_pb2.COMPONENT_STATUS_OPERATIONAL
DEGRADED = status_page_pb2.COMPONENT_STATUS_DEGRADED_PERFORMANCE
UNDER_MAINTENANCE = status_page_pb2.COMPONENT_STATUS_UNDER_MAINTENANCE
VERIFYING = maintenance_pb2.MAINTENANCE_STATUS_VERIFYING
IN_PROGRESS = maintenance_pb2.MAINTENANCE_STATUS_IN_PROGRESS
COMPLETED = maintenance_pb2.MAINTENANCE_STATUS_COMPLETED
CANCELLED = maintenance_pb2.MAINTENANCE_STATUS_CANCELLED
INVALID, PRECONDITION = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION


async def _update(desk: StatusPageDesk, page_id: str, etag: str = "", **fields: Any) -> status_page_pb2.StatusPage:
    page = status_page_pb2.StatusPage(id=page_id, etag=etag, **fields)
    request = pb.UpdateStatusPageRequest(status_page=page, update_mask=FieldMask(paths=list(fields)))
    return (await desk.pages.UpdateStatusPage(request, metadata=desk.team.author.metadata)).status_page


async def _rotate(desk: StatusPageDesk, page_id: str, **fields: Any) -> pb.RotatePageTokenResponse:
    request = pb.RotatePageTokenRequest(status_page_id=page_id, **fields)
    return await desk.pages.RotatePageToken(request, metadata=desk.team.author.metadata)


async def _read_with_page_token(desk: StatusPageDesk, slug: str, token: str) -> Any:
    request = partner_service_pb2.GetStatusPageRequest(slug=slug, client_ip="192.0.2.7", page_token=token)
    return await desk.partners.GetStatusPage(request, metadata=desk.gateway.metadata)


async def _components(desk: StatusPageDesk, page_id: str, size: int = 50) -> list[status_page_pb2.Component]:
    found: list[status_page_pb2.Component] = []
    request = pb.ListComponentsRequest(status_page_id=page_id, page_size=size)
    while True:
        answer = await desk.pages.ListComponents(request, metadata=desk.team.observer.metadata)
        found += answer.components
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


async def test_a_page_is_made_with_all_that_is_said_of_it(desk: StatusPageDesk) -> None:
    said = {
        "logo_url": "https://example.org/logo.svg",
        "accent_color": "#12ab34",
        "support_url": "mailto:help@example.org",
        "time_zone": "Europe/Berlin",
    }
    page = await desk.a_page(**said)
    assert {name: getattr(page, name) for name in said} == said
    with pytest.raises(grpc.aio.AioRpcError, match=r"logo_url"):
        await desk.a_page(logo_url="http://example.org/logo.svg")


async def test_a_page_is_changed_as_its_mask_says(desk: StatusPageDesk) -> None:
    page = await desk.a_page(PUBLIC)
    changed = await _update(
        desk, page.id, slug="renamed", accent_color="#0b6e4f", support_url="mailto:help@example.org", etag=page.etag
    )
    assert (changed.slug, changed.name, changed.accent_color) == ("renamed", page.name, "#0b6e4f")
    shown = (await desk.read("renamed")).status_page
    assert (shown.support_url, shown.updated_at) == ("mailto:help@example.org", changed.updated_at)
    assert (await refusal_of(desk.read(page.slug))).code is grpc.StatusCode.UNAUTHENTICATED
    stale = await refusal_of(_update(desk, page.id, name="Late", etag=page.etag))
    assert stale.reason == "STALE_ETAG"
    taken = await desk.a_page()
    assert (await refusal_of(_update(desk, taken.id, slug="renamed"))).reason == "SLUG_TAKEN"
    assert (await _update(desk, page.id, slug="renamed")).etag == changed.etag
    listed = await desk.pages.ListStatusPages(pb.ListStatusPagesRequest(), metadata=desk.team.observer.metadata)
    assert [one.id for one in listed.status_pages] == [taken.id, page.id]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slug", "-no"),
        ("name", ""),
        ("time_zone", "Mars/Olympus"),
        ("accent_color", "red"),
        ("logo_url", "http://example.org/logo.png"),
        ("logo_url", "javascript:alert(1)"),
        ("logo_url", "https://example.org/'; script-src *"),
        ("support_url", "https://[bad"),
        ("visibility", 0),
    ],
)
async def test_a_page_cannot_become_what_it_could_not_be_made_as(
    desk: StatusPageDesk, field: str, value: object
) -> None:
    page = await desk.a_page()
    refused = await refusal_of(_update(desk, page.id, **{field: value}))
    assert (refused.code, refused.fields) == (INVALID, (f"status_page.{field}",))


async def test_a_page_token_opens_its_page_until_it_is_rotated(desk: StatusPageDesk) -> None:
    page = await desk.a_page(PRIVATE)
    first = await _rotate(desk, page.id, request_id="once")
    assert first.token.startswith("ocg_")
    assert len(first.token) == 4 + 43  # 256 bits
    assert first.status_page.has_page_token
    assert (await _rotate(desk, page.id, request_id="once")).token == ""
    seen = await _read_with_page_token(desk, page.slug, first.token)
    second = await _rotate(desk, page.id)
    assert (await refusal_of(_read_with_page_token(desk, page.slug, first.token))).reason == "TOKEN_UNKNOWN"
    again = await _read_with_page_token(desk, page.slug, second.token)
    assert again.content_tag == seen.content_tag  # that others have new tokens is not to be seen
    assert again.page_version > seen.page_version
    async with desk.sessions() as session:
        kept = await session.scalar(select(status_pages.c.token_hash).where(status_pages.c.id == UUID(page.id)))
    assert kept is not None
    assert second.token.encode() not in kept
    removed = await _rotate(desk, page.id, remove=True)
    assert (removed.token, removed.status_page.has_page_token) == ("", False)
    assert (await refusal_of(_read_with_page_token(desk, page.slug, second.token))).reason == "TOKEN_UNKNOWN"


async def test_nothing_without_the_mark_of_a_page_token_is_one(
    running_server: RunningServer, desk: StatusPageDesk
) -> None:
    page, unmarked = await desk.a_page(PRIVATE), "a-token-that-was-never-issued-by-anybody"
    tokens = PartnerTokens(derived_key(running_server.settings, KEY_PURPOSE), secrets.token_bytes)
    for token, is_one in ((MARK + unmarked, True), (unmarked, False), (unmarked.replace("a-", "ocs_"), False)):
        async with transaction(desk.sessions) as tx:
            kept = {"token_hash": tokens.hash(token)}
            await tx.session.execute(update(status_pages).where(status_pages.c.id == UUID(page.id)).values(kept))
        for field in ("page_token", "any_token"):
            if is_one:
                assert (await desk.read(page.slug, **{field: token})).status_page.id == page.id
            else:
                assert (await refusal_of(desk.read(page.slug, **{field: token}))).reason == "TOKEN_UNKNOWN"


async def test_a_deleted_page_is_gone_with_all_on_it_but_its_incidents(
    running_server: RunningServer, desk: StatusPageDesk
) -> None:
    page = await desk.a_page(PUBLIC)
    group = await desk.a_component(page, "Group", group=True)
    api = await desk.a_component(page, "API", group_id=group.id)
    await desk.a_partner(page)
    await desk.a_maintenance(page, api.id)
    incident = await desk.an_incident(page, {api.id: MAJOR})
    delete = pb.DeleteStatusPageRequest(status_page_id=page.id)
    await desk.pages.DeleteStatusPage(delete, metadata=desk.team.author.metadata)
    left = await running_server.everything_stored()
    gone = ("status_pages", "components", "partners", "maintenances", "component_status_changes", "partner_tokens")
    assert [left[table] for table in gone] == [[]] * len(gone)
    async with desk.sessions() as session:
        assert (await session.execute(select(incidents.c.status_page_id))).scalar_one() is None
    assert (await desk.says(incident, impacts={api.id: DEGRADED})).status_page_id == ""
    twice = await refusal_of(desk.pages.DeleteStatusPage(delete, metadata=desk.team.author.metadata))
    assert twice.code is grpc.StatusCode.NOT_FOUND


async def test_components_are_listed_each_group_before_its_children(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    await desk.a_component(page, "Last", position=9)
    group = await desk.a_component(page, "Group", group=True, position=5)
    await desk.a_component(page, "B", group_id=group.id, position=2, status=MAJOR)
    await desk.a_component(page, "A", group_id=group.id, position=1)
    await desk.a_component(page, "First")
    expected = ["First", "Group", "A", "B", "Last"]
    assert names(await _components(desk, page.id)) == names(await _components(desk, page.id, size=1)) == expected
    assert [one.shown_status for one in await _components(desk, page.id)][1:4] == [MAJOR, OPERATIONAL, MAJOR]


async def test_a_component_is_changed_moved_and_deleted(desk: StatusPageDesk) -> None:
    page = await desk.a_page(PUBLIC)
    group = await desk.a_component(page, "Group", group=True)
    api = await desk.a_component(page, "API", group_id=group.id)
    partner = await desk.a_partner(page, component_ids=[group.id])
    assert names((await desk.read(page.slug, partner.token)).components) == ["Group", "API"]
    moved = await desk.sets(api.id, group_id="", status=MAJOR)
    assert (moved.group_id, moved.shown_status) == ("", MAJOR)
    assert names((await desk.read(page.slug, partner.token)).components) == ["Group"]
    assert (await refusal_of(desk.sets(group.id, status=MAJOR))).fields == ("component.status",)
    assert (await refusal_of(desk.sets(api.id, group=True))).fields == ("update_mask",)
    assert (await refusal_of(desk.reports(group.id, MAJOR))).reason == "IS_GROUP"
    await desk.sets(api.id, group_id=group.id)

    async def delete(component_id: str) -> None:
        request = pb.DeleteComponentRequest(component_id=component_id)
        await desk.pages.DeleteComponent(request, metadata=desk.team.author.metadata)

    assert (await refusal_of(delete(group.id))).reason == "GROUP_NOT_EMPTY"
    incident = await desk.an_incident(page, {api.id: MAJOR})
    await delete(api.id)
    await delete(group.id)
    seen = await desk.read(page.slug)
    assert (list(seen.components), seen.incidents[0].impact, list(seen.incidents[0].components)) == ([], 4, [])
    await desk.resolves(incident)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"seconds": 9}, "expires_after"),
        ({"seconds": 86_401}, "expires_after"),
        ({"status_when_silent": UNDER_MAINTENANCE}, "status_when_silent"),
    ],
)
async def test_a_report_that_cannot_be_is_refused(desk: StatusPageDesk, fields: dict[str, Any], wrong: str) -> None:
    api = await desk.a_component(await desk.a_page(), "API")
    assert (await refusal_of(desk.reports(api.id, MAJOR, **fields))).fields == (wrong,)
    assert (await refusal_of(desk.reports(api.id, UNDER_MAINTENANCE))).fields == ("status",)


async def test_a_report_leaves_the_etag_and_tells_nobody_who_sees_no_change(desk: StatusPageDesk) -> None:
    page = await desk.a_page(PUBLIC)
    api = await desk.a_component(page, "API")
    first = await desk.reports(api.id, DEGRADED)
    assert (first.shown_status, first.status, first.etag) == (DEGRADED, OPERATIONAL, api.etag)
    before = await desk.read(page.slug)
    await desk.reports(api.id, DEGRADED, seconds=600)
    after = await desk.read(page.slug)
    assert (after.page_version, after.content_tag) == (before.page_version, before.content_tag)
    assert len(await desk.history(api.id)) == 2


async def test_a_gateway_that_has_the_content_is_told_that_it_still_holds(desk: StatusPageDesk) -> None:
    page = await desk.a_page(PUBLIC)
    api = await desk.a_component(page, "API")
    whole = await desk.read(page.slug)
    again = await desk.read(page.slug, known_content_tag=whole.content_tag)
    assert (again.unchanged, list(again.components), again.content_tag) == (True, [], whole.content_tag)
    await desk.sets(api.id, status=MAJOR)
    changed = await desk.read(page.slug, known_content_tag=whole.content_tag)
    assert (changed.unchanged, names(changed.components)) == (False, ["API"])


async def test_a_maintenance_goes_forward_only_and_says_so(desk: StatusPageDesk) -> None:
    page = await desk.a_page(PUBLIC)
    api = await desk.a_component(page, "API")
    made = await desk.a_maintenance(page, api.id)
    begun = await desk.changes(made.id, status=IN_PROGRESS)
    assert (begun.updates[0].message, begun.updates[0].created_by) == ("This maintenance is under way.", "")
    said = await desk.changes(made.id, "Half of it is done.")
    assert (said.status, said.updates[0].created_by) == (IN_PROGRESS, str(desk.team.responder.id))
    await desk.changes(made.id, status=VERIFYING)
    assert (await desk.read(page.slug)).components[0].status == UNDER_MAINTENANCE
    back = await refusal_of(desk.changes(made.id, status=IN_PROGRESS))
    assert (back.code, back.reason) == (PRECONDITION, "ILLEGAL_TRANSITION")
    assert (await refusal_of(desk.changes(made.id, scheduled_for=made.scheduled_until))).code is INVALID
    done = await desk.changes(made.id, status=COMPLETED)
    assert done.HasField("ended_at")
    assert (await refusal_of(desk.changes(made.id, "More"))).reason == "ILLEGAL_TRANSITION"
    cancel = pb.CancelMaintenanceRequest(maintenance_id=made.id)
    refused = await refusal_of(desk.pages.CancelMaintenance(cancel, metadata=desk.team.responder.metadata))
    assert refused.reason == "ILLEGAL_TRANSITION"
    assert (await desk.read(page.slug)).components[0].status == OPERATIONAL


async def test_a_maintenance_is_called_off_or_ended_early(desk: StatusPageDesk) -> None:
    page = await desk.a_page(PUBLIC)
    api = await desk.a_component(page, "API")
    announced, running = [await desk.a_maintenance(page, api.id) for _ in range(2)]
    await desk.changes(running.id, status=IN_PROGRESS)

    async def cancel(maintenance_id: str) -> maintenance_pb2.Maintenance:
        request = pb.CancelMaintenanceRequest(maintenance_id=maintenance_id)
        return (await desk.pages.CancelMaintenance(request, metadata=desk.team.responder.metadata)).maintenance

    called_off = await cancel(announced.id)
    assert (called_off.status, (await cancel(announced.id)).etag) == (CANCELLED, called_off.etag)
    assert (await cancel(running.id)).status == COMPLETED
    assert [one.id for one in (await desk.read(page.slug)).maintenances] == [running.id]
    request = pb.ListMaintenancesRequest(status_page_id=page.id, status=CANCELLED)
    listed = await desk.pages.ListMaintenances(request, metadata=desk.team.observer.metadata)
    assert [one.id for one in listed.maintenances] == [announced.id]


async def test_a_maintenance_that_cannot_be_is_refused(desk: StatusPageDesk) -> None:
    page, other = await desk.a_page(), await desk.a_page()
    api, stranger = await desk.a_component(page, "API"), await desk.a_component(other, "API")
    good = a_maintenance_request(page.id, api.id)

    async def fields_of(request: pb.ScheduleMaintenanceRequest) -> tuple[str, ...]:
        call = desk.pages.ScheduleMaintenance(request, metadata=desk.team.responder.metadata)
        return (await refusal_of(call)).fields

    wrong = [
        (a_maintenance_request(page.id, stranger.id), "maintenance.component_ids[0]"),
        (a_maintenance_request(page.id), "maintenance.component_ids"),
        (a_maintenance_request(page.id, api.id, api.id), "maintenance.component_ids"),
        (a_maintenance_request(page.id, api.id, lasts=timedelta(days=31)), "maintenance.scheduled_until"),
        (a_maintenance_request(page.id, api.id, lasts=timedelta(0)), "maintenance.scheduled_until"),
        (a_maintenance_request(page.id, api.id, begins=timedelta(days=-2)), "maintenance.scheduled_for"),
        (pb.ScheduleMaintenanceRequest(maintenance=good.maintenance), "message"),
    ]
    for request, field in wrong:
        assert await fields_of(request) == (field,)
