"""What is kept in a folder: shown while nobody can be asked, whole after a kill, and without a credential."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from asyncio.subprocess import PIPE
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.asked import CredentialKind
from gateway.keep import rows
from gateway.keep.contents import AudienceKey
from gateway.keep.disk import Disk, FolderInUse
from tests.unit.gateway.keep.scripted_server import (
    PAGE,
    Known,
    ScriptedServer,
    a_keeper,
    watching,
)
from tests.unit.gateway.keep.visitors import asking, refused


async def test_a_gateway_that_starts_while_the_server_is_away_shows_what_it_had(tmp_path: Path) -> None:
    server = ScriptedServer()
    folder = tmp_path / "kept"
    disk = Disk(folder)
    async with a_keeper(server, disk) as keeper:
        await keeper.show(asking())
        await keeper.show(asking("other"))
        with pytest.raises(FolderInUse):
            Disk(folder)
        await disk.write()
        await server.confirmation(await server.change(confirm=True, revoked_partner_ids=["partner-1"]))
    disk.close()
    server.away = True
    disk = Disk(folder)
    async with a_keeper(server, disk) as keeper:
        shown = await keeper.show(asking("other"))
        assert shown.content.status_page.name == "All good"
        assert shown.stale_since is not None
        assert await refused(keeper, asking()) == "PARTNER_REVOKED"
        server.away = False
        await watching(keeper)
        again = await keeper.show(asking("other"))
        assert again.stale_since is None
        assert server.asked[-1].known_content_tag == shown.tag
    disk.close()


async def test_a_session_that_was_ended_is_refused_after_a_start_too(tmp_path: Path) -> None:
    server, disk = ScriptedServer(), Disk(tmp_path / "kept")
    sessions = [asking(token, kind=CredentialKind.SESSION) for token in ("good", "other")]
    async with a_keeper(server, disk) as keeper:
        for session in sessions:
            await keeper.show(session)
        await server.confirmation(await server.change(confirm=True, ended_session_hashes=[sha256(b"good").hexdigest()]))
    disk.close()
    server.away = True
    disk = Disk(tmp_path / "kept")
    async with a_keeper(server, disk) as keeper:
        assert await refused(keeper, sessions[0]) == "TOKEN_UNKNOWN"
        assert (await keeper.show(sessions[1])).stale_since is not None
    disk.close()


async def test_no_credential_is_on_the_disk_or_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "ocp_a-secret-that-is-nowhere"
    server = ScriptedServer()
    server.credentials[secret] = Known("partner-9", "token-9")
    disk = Disk(tmp_path / "kept")
    async with a_keeper(server, disk) as keeper:
        await keeper.show(asking(secret))
        await disk.write()
        assert secret not in repr(asking(secret))
    disk.close()
    for file in (tmp_path / "kept").iterdir():
        assert secret.encode() not in file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0
    assert (tmp_path / "kept").stat().st_mode & 0o077 == 0
    assert secret not in caplog.text


async def test_a_broken_file_is_put_aside_and_the_gateway_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    Disk(folder).close()
    (folder / "kept.sqlite3").write_bytes(os.urandom(5_000))
    server = ScriptedServer()
    disk = Disk(folder)
    async with a_keeper(server, disk) as keeper:
        await keeper.show(asking())
        await disk.write()
        assert await disk.content(next(iter(keeper.shelf.contents))) is not None
    disk.close()


async def test_endings_are_kept_in_bounds_and_the_oldest_go_with_what_they_could_be_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MOST_ENDED", 3)
    server, disk = ScriptedServer(), Disk(tmp_path / "kept")
    server.credentials["late"] = Known("partner-3", "token-3")
    async with a_keeper(server, disk) as keeper:
        await keeper.show(asking())
        await keeper.show(asking("other"))
        await disk.write()
        await disk.end_token("token-1", server.clock.now())
        await keeper.show(asking("late"))
        await disk.write()
        for number in range(3):
            await disk.end_token(f"another-{number}", server.clock.now())
    assert [identity for identity, _ in (await disk.endings())[0]] == ["another-0", "another-1", "another-2"]
    disk.close()
    server.away = True
    disk = Disk(tmp_path / "kept")
    async with a_keeper(server, disk) as keeper:
        assert [await refused(keeper, asking(token)) for token in ("good", "other")] == ["UNAVAILABLE"] * 2
        assert (await keeper.show(asking("late"))).stale_since is not None
    disk.close()


async def test_an_ending_is_on_the_disk_also_where_whoever_waited_for_it_left(tmp_path: Path) -> None:
    disk, busy = Disk(tmp_path / "kept"), threading.Event()
    before = asyncio.ensure_future(disk._run(lambda _: busy.wait(10)))
    ending = asyncio.ensure_future(disk.end_token("token-1", datetime.now(UTC)))
    await asyncio.sleep(0)
    ending.cancel()
    await asyncio.wait([ending])
    busy.set()
    assert await before
    assert [identity for identity, _ in (await disk.endings())[0]] == ["token-1"]
    disk.close()


async def test_a_gateway_killed_while_it_writes_leaves_whole_pages(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITING, str(folder), stdout=PIPE)
    assert process.stdout
    for _ in range(20):
        assert await process.stdout.readline() == b"written\n"
    process.kill()
    await process.wait()
    disk = Disk(folder)
    version = (await disk.endings())[2][0][1]
    content = await disk.content(AudienceKey(PAGE, "partner-1"))
    assert version >= 20
    assert content is None or content.page_version >= version
    disk.close()


WRITING = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from gateway.asked import Client
from gateway.keep.admission import Admission
from gateway.keep.contents import Content
from gateway.keep.disk import Disk
from oncall.v1.partner_service_pb2 import GetStatusPageResponse, StatusPageChange

async def main():
    disk, now, client = Disk(Path(sys.argv[1])), datetime.now(UTC), Client(b"c" * 32, b"c" * 32)
    shown = GetStatusPageResponse(content_tag="x" * 100_000)
    shown.status_page.id, shown.audience.partner_id = "page-1", "partner-1"
    for version in range(1, 100_000):
        admission = Admission(client.credential, "page-1", "partner-1", "t", "p", False, version, now, now, None)
        disk.keep(client, admission, Content(shown, f"{version}", version, now, now, 1))
        await disk.write()
        await disk.end(StatusPageChange(status_page_id="page-1", page_version=version, confirm=True), now)
        print("written", flush=True)

asyncio.run(main())
"""
