"""What is kept of an attempt's output once it has ended: as its executor saw it, or as it was stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from kernel.event_log import read_attempt_output
from kernel.execution.event import Output, OutputStream, Truncated
from kernel.execution.output import OutputDigest, SealedOutput
from kernel.statement import Statements


@dataclass(frozen=True, slots=True)
class AttemptOutput:
    """What is sealed of an attempt's output: its two streams, and the object that it may have left besides.

    `value` is that object, None where there is none that could be used; `problem` says why, where something was left.
    """

    stdout: SealedOutput
    stderr: SealedOutput
    truncated: bool = False
    masked_count: int = 0
    value: Mapping[str, Any] | None = field(default=None, repr=False)
    problem: str = ""


async def seal_stored(session: Statements, execution_id: UUID, attempt: int) -> AttemptOutput:
    """Seals what was stored of an attempt whose executor is lost: by construction, all that any watcher has seen.

    Where the cap was reached, nobody knows the hash of what came after it.
    """
    digests = {stream: OutputDigest() for stream in OutputStream}
    truncated: set[OutputStream] = set()
    async for event in read_attempt_output(session, execution_id, attempt):
        match event.payload:
            case Output(stream=stream, data=data):
                digests[stream].feed(data)
            case Truncated(stream=stream):
                truncated.add(stream)
    sealed = {
        stream: SealedOutput(s.size, None, s.text) if stream in truncated else s
        for stream, digest in digests.items()
        for s in [digest.seal()]
    }
    return AttemptOutput(sealed[OutputStream.STDOUT], sealed[OutputStream.STDERR], bool(truncated))
