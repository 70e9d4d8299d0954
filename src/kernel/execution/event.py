"""The log of an execution: numbered events, and the frame that carries them between processes."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any


class OutputStream(IntEnum):
    STDOUT = 1
    STDERR = 2


@dataclass(frozen=True, slots=True)
class StateChanged:
    """A change of state: the changing columns of the execution as they then were (`kernel.lifecycle.STATE_COLUMNS`)."""

    state: dict[str, Any]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes of one stream of one attempt; `offset` counts the bytes of that stream of that attempt before them."""

    stream: OutputStream
    attempt: int
    offset: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Truncated:
    """The cap was reached: `offset` bytes of that stream of that attempt are kept, later ones counted and hashed."""

    stream: OutputStream
    attempt: int
    offset: int


Payload = StateChanged | Output | Truncated


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a log; sequences run 1, 2, 3 … per execution, over all attempts, without holes."""

    sequence: int
    time: datetime
    payload: Payload

    @property
    def size(self) -> int:
        """About how many bytes it costs to keep it."""
        return 256 + (len(self.payload.data) if isinstance(self.payload, Output) else 0)


_HEADER_LENGTH = struct.Struct(">I")


def encode_events(events: Sequence[Event]) -> bytes:
    """Frames events for the live stream: a length, a JSON header for all of them, then their output bytes in order."""
    headers: list[dict[str, Any]] = []
    bodies: list[bytes] = []
    for event in events:
        header: dict[str, Any] = {"s": event.sequence, "t": event.time.isoformat()}
        match event.payload:
            case StateChanged(state, warnings):
                header |= {"k": "state", "v": state, "w": list(warnings)}
            case Output(stream, attempt, offset, data):
                header |= {"k": "output", "f": int(stream), "a": attempt, "o": offset, "n": len(data)}
                bodies.append(data)
            case Truncated(stream, attempt, offset):
                header |= {"k": "truncated", "f": int(stream), "a": attempt, "o": offset}
        headers.append(header)
    head = json.dumps(headers, separators=(",", ":")).encode()
    return b"".join([_HEADER_LENGTH.pack(len(head)), head, *bodies])


def decode_events(frame: bytes) -> list[Event]:
    """Reads what `encode_events` framed."""
    (length,) = _HEADER_LENGTH.unpack_from(frame)
    position = _HEADER_LENGTH.size + length
    events: list[Event] = []
    for header in json.loads(frame[_HEADER_LENGTH.size : position]):
        payload: Payload
        match header["k"]:
            case "state":
                payload = StateChanged(header["v"], tuple(header["w"]))
            case "output":
                data = frame[position : position + header["n"]]
                position += header["n"]
                payload = Output(OutputStream(header["f"]), header["a"], header["o"], data)
            case _:
                payload = Truncated(OutputStream(header["f"]), header["a"], header["o"])
        events.append(Event(header["s"], datetime.fromisoformat(header["t"]), payload))
    return events
