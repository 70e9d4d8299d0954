"""The call that is being served: its id for the log, and its method and caller for the permission table."""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from uuid import UUID

from kernel.ids import new_id
from server.domain.permission import Call
from server.operations.authenticate import ReadRunbook


@dataclass(slots=True)
class Serving:
    """One call from its beginning; `call` is None until its caller is known, and stays so for open RPCs.

    `runbook` is what was read together with the caller.
    """

    method: str
    id: UUID = field(default_factory=new_id)
    started: float = field(default_factory=time.monotonic)
    call: Call | None = None
    runbook: ReadRunbook | None = None


_serving: ContextVar[Serving] = ContextVar("serving")


def begin(method: str) -> Serving:
    serving = Serving(method)
    _serving.set(serving)
    return serving


def serving() -> Serving:
    return _serving.get()


def current_call() -> Call:
    """Answers the authenticated call; a LookupError in an RPC that is open to anybody."""
    call = serving().call
    if call is None:
        raise LookupError("this RPC has no caller")
    return call
