"""What a client sends as a body: a small form or a small JSON object, within a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from gateway.refusal import Refusal

LONGEST = 4_096
SECONDS = 10.0


async def fields(request: Request) -> Mapping[str, str]:
    """Answers the text fields of a form or of a JSON object."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in ("application/x-www-form-urlencoded", "application/json"):
        raise Refusal(
            415, "UNSUPPORTED_MEDIA_TYPE", "Not understood", "Send a form or JSON, and say so in Content-Type."
        )
    try:
        async with asyncio.timeout(SECONDS):
            sent = await _read(request)
    except TimeoutError:
        raise Refusal(408, "REQUEST_TIMEOUT", "Too slow", "The request took too long to arrive.") from None
    try:
        if media_type == "application/json":
            found = json.loads(sent)
            pairs = [*found.items()] if isinstance(found, dict) else []
        else:
            pairs = parse_qsl(sent.decode(), keep_blank_values=True, errors="strict", max_num_fields=10)
    except (ValueError, RecursionError):
        raise Refusal(400, "INVALID_ARGUMENT", "Not understood", "What was sent cannot be read.") from None
    return {name: value for name, value in pairs if isinstance(value, str) and _is_text(value)}


def _is_text(value: str) -> bool:
    """Whether it can be sent on: JSON can spell half a character."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


async def _read(request: Request) -> bytes:
    if int(request.headers.get("content-length", 0)) > LONGEST:
        raise _too_large()
    sent = b""
    async for chunk in request.stream():
        sent += chunk
        if len(sent) > LONGEST:
            raise _too_large()
    return sent


def _too_large() -> Refusal:
    return Refusal(413, "CONTENT_TOO_LARGE", "Too long", f"At most {LONGEST} bytes are read.")
