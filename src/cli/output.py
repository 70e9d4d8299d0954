"""What a command prints: results to stdout, remarks to stderr, for people or (`--json`) for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from cli.visible import visible, visible_json

Json = Annotated[
    bool, typer.Option("--json", help="Print JSON: protobuf's own mapping, with the field names of the API.")
]

STATUS_STYLES = {
    "APPROVED": "green",
    "COMPLETED": "green",
    "RUNNING": "cyan",
    "PENDING_REVIEW": "yellow",
    "DEPRECATED": "yellow",
    "CANCELLED": "yellow",
    "FAILED": "red",
    "TIMEOUT": "red",
    "REJECTED": "red",
    "READY": "green",
    "STOPPING": "yellow",
    "LOST": "red",
    "OPERATIONAL": "green",
    "DEGRADED PERFORMANCE": "yellow",
    "PARTIAL OUTAGE": "yellow",
    "MAJOR OUTAGE": "red",
    "UNDER MAINTENANCE": "cyan",
    "INVESTIGATING": "red",
    "IDENTIFIED": "yellow",
    "MONITORING": "cyan",
    "RESOLVED": "green",
    "IN PROGRESS": "cyan",
    "VERIFYING": "cyan",
    "ACTIVE": "green",
    "EXPIRED": "yellow",
    "REVOKED": "red",
    "SUCCEEDED": "green",
    "WAITING": "yellow",
    "STOPPED": "red",
    "SKIPPED": "dim",
    "DISABLED": "yellow",
    "DELIVERED": "green",
    "DEAD": "red",
}


def note(sentence: str) -> None:
    """Says something to the person at the terminal that is not the result."""
    print(sentence, file=sys.stderr, flush=True)


def to_json(message: Message) -> dict[str, Any]:
    """Answers a message as `--json` shows it: every field present, int64 as text, bytes as base64."""
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def print_json(value: Message | Mapping[str, Any]) -> None:
    """Prints one JSON value on one line."""
    print(json_line(value), flush=True)


def json_line(value: Message | Mapping[str, Any]) -> str:
    """Answers a value as one line that a terminal may be shown, too."""
    plain = to_json(value) if isinstance(value, Message) else value
    return visible_json(json.dumps(plain, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """Prints a table; `empty` is said on stderr where there are no rows."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else None, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell), style=STATUS_STYLES.get(cell, "")) for cell in row))
    if not table.row_count:
        note(empty)
        return
    # Redirected, a line is a row however long it is.
    Console(width=None if sys.stdout.isatty() else 10_000).print(table)


def print_details(details: Iterable[tuple[str, str]]) -> None:
    """Prints names and values, one a line; what has no value is left out."""
    from rich.console import Console
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 10_000, highlight=False)
    shown = [(name, value) for name, value in details if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        line = Text(f"{name:<{width}}  ", style="dim")
        console.print(line + Text(visible(value), style=STATUS_STYLES.get(value, "not dim")))


def enum_name(message: Message, field: str) -> str:
    """Answers the name of an enum field's value without its prefix: APPROVED for RUNBOOK_STATUS_APPROVED."""
    enum_type: Any = message.DESCRIPTOR.fields_by_name[field].enum_type
    number = getattr(message, field)
    known = enum_type.values_by_number.get(number)
    if known is None:
        return str(number)  # of a newer server
    prefix = enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return str(known.name.removeprefix(prefix))


def enum_words(message: Message, field: str) -> str:
    """Answers the name of an enum field's value as words: PARTIAL OUTAGE."""
    return enum_name(message, field).replace("_", " ")


def headline(update: Any, who: str = "") -> str:
    """Answers when something was said of an incident or a maintenance, where that stood then, and who said it.

    `who` is what whoever did it is called, where that is known better than by the update itself.
    """
    who = visible(who or update.created_by) or "the platform"
    return f"{local_time(update.created_at)}  {enum_words(update, 'status')}  by {who}"


def plain(value: object) -> str:
    """Answers a JSON value as it was written: 3 and true rather than 3.0 and True."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def local_time(time: Timestamp) -> str:
    """Answers a time in the caller's time zone, to the second; empty where it is unset."""
    if not time.ByteSize():
        return ""
    return datetime.fromtimestamp(time.seconds).astimezone().isoformat(" ", "seconds")
