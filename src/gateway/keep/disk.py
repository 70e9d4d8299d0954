"""What is kept in a folder, so that a gateway that starts while the server is away has something to show.

SQLite does what is hard about it: a write is whole or not there, also after kill -9. Credentials are in it only as
hashes under a key of the folder; pages are in it as they are, so the folder is for its owner alone.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import structlog

from gateway.asked import Client
from gateway.keep import rows
from gateway.keep.accesses import Batch
from gateway.keep.admission import Admission
from gateway.keep.contents import AudienceKey, Content
from gateway.keep.rows import Row
from oncall.v1.partner_service_pb2 import StatusPageChange

T = TypeVar("T")

KEY_BYTES = 32
MOST_BYTES = 64 * 1024 * 1024
MOST_PENDING = 5_000
WRITE_SECONDS = 0.5
REWRITE_SECONDS = 60.0

log = structlog.get_logger()


class FolderInUse(Exception):
    """Another gateway keeps its pages in that folder."""


class Disk:
    """The folder; one thread reads and writes it. Endings are on the disk when `end` returns, all else soon after.

    What was handed to the thread is done also where whoever waits for it is cancelled: an ending that counts in memory
    must not be missing after the next start because its stream broke.
    """

    def __init__(self, folder: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._lock = _locked(folder / "lock")
        self.key, is_new = _key(folder / "key")
        self._file = folder / "kept.sqlite3"
        if is_new:
            self._remove()  # nothing in it could be found under another key
        self._thread = ThreadPoolExecutor(1, "kept-pages")
        self._database: sqlite3.Connection | None = self._open()
        self._admissions: dict[bytes, Admission] = {}
        self._contents: dict[AudienceKey, Content] = {}
        self._written: dict[AudienceKey, tuple[str, int, datetime]] = {}

    def keep(self, client: Client, admission: Admission, content: Content) -> None:
        """Writes both soon; where too much waits already, not at all."""
        if len(self._admissions) < MOST_PENDING:
            self._admissions[client.digest] = admission
        written = self._written.get(content.audience)
        told = written and written[:2] == (content.tag, content.page_version)
        if told and written and (content.held_at - written[2]).total_seconds() < REWRITE_SECONDS:
            return
        if len(self._contents) < MOST_PENDING:
            self._contents[content.audience] = content

    async def admission(self, client: Client) -> Admission | None:
        found = await self._run(
            lambda db: db.execute("SELECT * FROM admissions WHERE client = ?", (client.digest,)).fetchall()
        )
        return rows.admission_of(found[0]) if found else None

    async def content(self, audience: AudienceKey) -> Content | None:
        query = "SELECT * FROM contents WHERE page_id = ? AND partner_id = ?"
        found = await self._run(lambda db: db.execute(query, audience).fetchall())
        return rows.content_of(found[0]) if found else None

    async def endings(self) -> tuple[list[Row], list[Row], list[Row]]:
        """Answers (identity, at), (page id, version, at) of page tokens, and (page id, version) of floors."""
        tables = ("ended ORDER BY at", "page_tokens ORDER BY at", "floors")
        found = await self._run(lambda db: [db.execute(f"SELECT * FROM {table}").fetchall() for table in tables])  # noqa: S608 # names of our own
        return (found[0], found[1], found[2]) if found else ([], [], [])

    async def end(self, change: StatusPageChange, at: datetime, ended_credentials: Sequence[str] = ()) -> None:
        """Returns once a change that takes something away is on the disk, or nothing is that it could be about."""
        await self._run(lambda db: rows.end(db, change, at.timestamp(), ended_credentials))
        if self._database is None and self._file.exists():
            raise OSError("what has ended can neither be written nor what was kept be removed")

    async def end_token(self, token_id: str, at: datetime) -> None:
        await self.end(StatusPageChange(ended_token_ids=[token_id]), at)

    async def forget_credential(self, client: Client) -> None:
        self._admissions = {
            digest: kept for digest, kept in self._admissions.items() if kept.credential != client.credential
        }
        await self._run(lambda db: rows.forget(db, "credential", client.credential))

    async def forget_client(self, client: Client) -> None:
        self._admissions.pop(client.digest, None)
        await self._run(lambda db: rows.forget(db, "client", client.digest))

    async def forget_page(self, page_id: str) -> None:
        self._admissions = {digest: kept for digest, kept in self._admissions.items() if kept.page_id != page_id}
        self._contents = {audience: kept for audience, kept in self._contents.items() if audience.page_id != page_id}
        await self._run(lambda db: rows.forget(db, "page_id", page_id, "admissions", "contents"))

    async def keep_unsent(self, batches: Sequence[Batch]) -> bool:
        """Keeps batches of accesses for the next start; False where they cannot be kept."""
        return bool(await self._run(lambda db: rows.keep_unsent(db, batches)))

    async def unsent(self) -> list[Batch]:
        return await self._run(rows.unsent) or []

    async def forget_unsent(self, request_id: str) -> None:
        await self._run(lambda db: rows.forget(db, "request_id", request_id, "unsent"))

    async def write(self) -> None:
        """Writes what waits."""
        admissions, self._admissions = self._admissions, {}
        contents, self._contents = self._contents, {}
        if not admissions and not contents:
            return
        if len(self._written) > MOST_PENDING:
            self._written.clear()
        self._written |= {a: (kept.tag, kept.page_version, kept.held_at) for a, kept in contents.items()}
        await self._run(lambda db: rows.write(db, admissions, contents, self._most_bytes))

    async def write_soon(self) -> None:
        """Writes now and then, until cancelled, and then once more."""
        try:
            while True:
                await asyncio.sleep(WRITE_SECONDS)
                await self.write()
        finally:
            await self.write()

    def close(self) -> None:
        self._thread.shutdown()
        if self._database is not None:
            self._database.close()
        os.close(self._lock)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, self._attempt, work))

    def _attempt(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Works in one transaction; a file that cannot be written is removed, so that it never says what has ended."""
        if self._database is None:
            return None
        try:
            with self._database:
                return work(self._database)
        except sqlite3.Error as error:
            log.exception("kept_pages_broken", error=type(error).__name__)
            self._start_anew()
            return None

    def _start_anew(self) -> None:
        """Goes on with an empty file; where even that cannot be had, without one until the next start."""
        if self._database is not None:
            self._database.close()
        self._database = None
        self._written.clear()
        try:
            self._remove()
            self._database = _opened(self._file)
        except (OSError, sqlite3.Error) as error:
            log.exception("kept_pages_given_up", error=type(error).__name__)
            with suppress(OSError):
                self._remove()

    def _open(self) -> sqlite3.Connection:
        try:
            return _opened(self._file)
        except sqlite3.DatabaseError as error:
            log.warning("kept_pages_unreadable", error=type(error).__name__)
            self._remove()
            return _opened(self._file)

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm", "-journal"):
            self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)


def _opened(file: Path) -> sqlite3.Connection:
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    database = sqlite3.connect(file, check_same_thread=False, timeout=1.0)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")  # an ending that was confirmed must outlive the power, too
        if database.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("not whole")
        database.executescript(rows.SCHEMA)
    except BaseException:
        database.close()
        raise
    return database


def _locked(file: Path) -> int:
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise FolderInUse(str(file.parent)) from None
    return descriptor


def _key(file: Path) -> tuple[bytes, bool]:
    """Answers the key of the folder, and whether it was made just now."""
    with suppress(FileNotFoundError):
        key = file.read_bytes()
        if len(key) == KEY_BYTES:
            return key, False
    key, draft = secrets.token_bytes(KEY_BYTES), file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as written:
        written.write(key)
        written.flush()
        os.fsync(written.fileno())
    draft.replace(file)
    return key, True
