"""What stands in the file of `disk`: its tables, and how admissions, contents and endings become rows and come back.

Functions, the connection first; whoever calls them has the transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.keep import tombstones
from gateway.keep.accesses import Batch
from gateway.keep.admission import Admission
from gateway.keep.change import takes_away
from gateway.keep.contents import AudienceKey, Content
from oncall.v1.partner_service_pb2 import GetStatusPageResponse, RecordPartnerAccessesRequest, StatusPageChange

Row = Sequence[Any]

MOST_ADMISSIONS = 100_000
MOST_ENDED = tombstones.MOST

SCHEMA = """
CREATE TABLE IF NOT EXISTS admissions (
  client BLOB PRIMARY KEY, credential BLOB, page_id TEXT, partner_id TEXT, token_id TEXT, token_prefix TEXT,
  by_page_token INTEGER, page_version INTEGER, asked_at REAL, admitted_until REAL, ends_at REAL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS admissions_credential ON admissions (credential);
CREATE INDEX IF NOT EXISTS admissions_asked_at ON admissions (asked_at);
CREATE TABLE IF NOT EXISTS contents (
  page_id TEXT, partner_id TEXT, tag TEXT, page_version INTEGER, expires_at REAL, held_at REAL, shown BLOB,
  PRIMARY KEY (page_id, partner_id));
CREATE TABLE IF NOT EXISTS ended (identity TEXT PRIMARY KEY, at REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS page_tokens (page_id TEXT PRIMARY KEY, page_version INTEGER, at REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS floors (page_id TEXT PRIMARY KEY, page_version INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unsent (request_id TEXT PRIMARY KEY, accesses BLOB);
"""


def end(db: sqlite3.Connection, change: StatusPageChange, at: float, ended_credentials: Sequence[str] = ()) -> None:
    identities = (*change.revoked_partner_ids, *change.ended_token_ids, *ended_credentials)
    ended = [(identity, at) for identity in identities]
    db.executemany("INSERT INTO ended VALUES (?, ?) ON CONFLICT DO NOTHING", ended)
    page, version = change.status_page_id, change.page_version
    if change.page_token_ended:
        _raise(db, "page_tokens", (page, version, at))
    if takes_away(change):
        _raise(db, "floors", (page, version))
        db.execute("DELETE FROM contents WHERE page_id = ? AND page_version < ?", (page, version))
    if ended:
        _forget_oldest_endings(db)


def _forget_oldest_endings(db: sqlite3.Connection) -> None:
    """As in memory: with the oldest endings go all admissions that they could be about."""
    excess = db.execute("SELECT count(*) FROM ended").fetchone()[0] - MOST_ENDED
    if excess > 0:
        (last,) = db.execute("SELECT at FROM ended ORDER BY at LIMIT 1 OFFSET ?", (excess - 1,)).fetchone()
        db.execute("DELETE FROM admissions WHERE asked_at <= ?", (last,))
        db.execute("DELETE FROM ended WHERE at <= ?", (last,))


def _raise(db: sqlite3.Connection, table: str, values: tuple[object, ...]) -> None:
    marks = ", ".join("?" * len(values))
    db.execute(
        f"INSERT INTO {table} VALUES ({marks}) ON CONFLICT DO UPDATE "  # noqa: S608 # a name of our own
        "SET page_version = max(page_version, excluded.page_version)",
        values,
    )


def forget(db: sqlite3.Connection, column: str, value: object, *tables: str) -> None:
    for table in tables or ("admissions",):
        db.execute(f"DELETE FROM {table} WHERE {column} = ?", (value,))  # noqa: S608 # names of our own


def write(
    db: sqlite3.Connection, admissions: dict[bytes, Admission], contents: dict[AudienceKey, Content], most_bytes: int
) -> None:
    db.executemany(
        f"INSERT OR REPLACE INTO admissions VALUES ({', '.join('?' * 11)})",  # noqa: S608 # question marks
        [(client, *_admission_row(kept)) for client, kept in admissions.items()],
    )
    db.executemany(
        "INSERT OR REPLACE INTO contents VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (*a, kept.tag, kept.page_version, kept.expires_at.timestamp(), kept.held_at.timestamp(), _bytes(kept))
            for a, kept in contents.items()
        ],
    )
    excess = db.execute("SELECT count(*) FROM admissions").fetchone()[0] - MOST_ADMISSIONS
    oldest = "SELECT client FROM admissions ORDER BY asked_at LIMIT ?"
    db.execute(f"DELETE FROM admissions WHERE client IN ({oldest})", (max(0, excess),))  # noqa: S608 # as above
    newest_first = (
        "SELECT page_id, partner_id, sum(length(shown)) OVER (ORDER BY held_at DESC, page_id, partner_id) AS together "
        "FROM contents"
    )
    beyond = f"SELECT page_id, partner_id FROM ({newest_first}) WHERE together > ?"  # noqa: S608 # as above
    db.execute(f"DELETE FROM contents WHERE (page_id, partner_id) IN ({beyond})", (most_bytes,))  # noqa: S608 # as above


def keep_unsent(db: sqlite3.Connection, batches: Sequence[Batch]) -> bool:
    written = [
        (batch.request_id, RecordPartnerAccessesRequest(accesses=batch.accesses).SerializeToString())
        for batch in batches
    ]
    db.executemany("INSERT INTO unsent VALUES (?, ?) ON CONFLICT DO NOTHING", written)
    return True


def unsent(db: sqlite3.Connection) -> list[Batch]:
    """Answers the batches that no server has taken, in the order in which they were kept."""
    found = db.execute("SELECT request_id, accesses FROM unsent ORDER BY rowid")
    return [
        Batch(name, tuple(RecordPartnerAccessesRequest.FromString(blob).accesses), is_kept=True) for name, blob in found
    ]


def _bytes(content: Content) -> bytes:
    return content.shown.SerializeToString()


def _admission_row(kept: Admission) -> Row:
    ends_at = kept.ends_at.timestamp() if kept.ends_at else None
    times = (kept.asked_at.timestamp(), kept.admitted_until.timestamp(), ends_at)
    identity = (kept.credential, kept.page_id, kept.partner_id, kept.token_id, kept.token_prefix)
    return (*identity, kept.by_page_token, kept.page_version, *times)


def admission_of(row: Row) -> Admission:
    _, credential, page_id, partner_id, token_id, token_prefix, by_page_token, version, *times = row
    asked_at, admitted_until = time_of(times[0]), time_of(times[1])
    ends_at = None if times[2] is None else time_of(times[2])
    identity = (credential, page_id, partner_id, token_id, token_prefix)
    return Admission(*identity, bool(by_page_token), version, asked_at, admitted_until, ends_at)


def content_of(row: Row) -> Content:
    shown = GetStatusPageResponse.FromString(row[6])
    return Content(shown, row[2], row[3], time_of(row[4]), time_of(row[5]), size=len(row[6]) + 1)


def time_of(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
