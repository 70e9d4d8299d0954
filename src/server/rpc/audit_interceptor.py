"""Has denied calls noted in the audit.

Noted are refusals for want of permission, and credentials that are no good. Left to the log are calls without any
credential, which scanners and probes make all day, and things that do not exist for the caller, of which nothing can be
said: a row for another team's thing, and none for what is not there, would tell the two apart.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import grpc
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from kernel.errors import PermissionDenied, Unauthenticated
from server.domain.denial import Denial
from server.domain.permission import RULES, Kind
from server.domain.status_page import is_slug
from server.rpc.conversion import request_id_of
from server.rpc.current_call import Serving, serving
from server.rpc.interception import Context, Continuation, Handler, wrap
from server.rpc.peer import address_of

NOTHING_PRESENTED = frozenset({"CREDENTIAL_MISSING", "TOKEN_MISSING"})

Note = Callable[[Denial], Awaitable[None]]


class AuditInterceptor(grpc.aio.ServerInterceptor):
    """Around authentication, so that its refusals are noted, too."""

    def __init__(self, note: Note) -> None:
        self._note = note

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        current = serving()
        rule = RULES.get(current.method)
        if handler is None or (rule is not None and rule.kind is Kind.ANONYMOUS):
            return handler
        return wrap(handler, lambda request, context: _noted(self._note, current, request, context))


@asynccontextmanager
async def _noted(note: Note, current: Serving, request: object, context: Context) -> AsyncIterator[None]:
    peer = address_of(context.peer())  # now, while there certainly is a call to ask
    try:
        yield
    except (PermissionDenied, Unauthenticated) as refusal:
        if refusal.reason not in NOTHING_PRESENTED:
            await note(_denial(current, request, refusal, peer))
        raise


def _denial(current: Serving, request: object, refusal: PermissionDenied | Unauthenticated, peer: str) -> Denial:
    call = current.call
    resource_type, resource_id = _subject(request) or ("rpc", current.method)
    return Denial(
        actor_id=call.caller.user_id if call else None,
        method=current.method,
        reason=refusal.reason,
        resource_type=resource_type,
        resource_id=resource_id,
        team_id=refusal.team_id if isinstance(refusal, PermissionDenied) else None,
        peer=call.peer if call else peer,
        request_id=call.request_id if call else request_id_of(request),
    )


def _subject(request: object) -> tuple[str, str] | None:
    """Answers type and id of what a request is about: the first id that it, or the resource in it, names.

    Only what is an id, for a request that was denied has not been checked and may hold anything.
    """
    if not isinstance(request, Message):
        return None
    if is_slug(slug := getattr(request, "slug", "")):
        return "status_page", slug
    for name, value in _ids(request):
        try:
            return name, str(UUID(value))
        except ValueError:
            continue
    return None


def _ids(message: Message, own_name: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_STRING and isinstance(value, str):
            if field.name == "id" and own_name:
                found.insert(0, (own_name, value))
            elif field.name.endswith("_id") and field.name != "request_id":
                found.append((field.name.removesuffix("_id"), value))
        elif _is_resource(field, value):
            found += _ids(value, field.name)
    return found


def _is_resource(field: Any, value: object) -> bool:
    return isinstance(value, Message) and field.message_type.full_name.startswith("oncall.")
