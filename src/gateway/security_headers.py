"""Headers that every answer carries; what a route sets itself is left alone."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.content_security import policy

HEADERS = {
    "Content-Security-Policy": policy(),
    "Cache-Control": "private, no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}

HSTS = {"Strict-Transport-Security": "max-age=31536000"}
"""A year, over TLS only; not for other names below the host, which are not ours to promise for."""


def headers_for(scheme: str) -> dict[str, str]:
    return HEADERS | HSTS if scheme == "https" else HEADERS


def _raw(headers: Mapping[str, str]) -> Mapping[bytes, bytes]:
    return {name.lower().encode("latin-1"): value.encode("latin-1") for name, value in headers.items()}


_RAW, _RAW_OVER_TLS = _raw(HEADERS), _raw(HEADERS | HSTS)


class SecurityHeaders:
    """ASGI middleware, without the tasks and queues that a request/response one costs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        wanted = _RAW_OVER_TLS if scope["scheme"] == "https" else _RAW

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                missing = wanted.keys() - {name for name, _ in headers}
                message["headers"] = [*headers, *((name, value) for name, value in wanted.items() if name in missing)]
            await send(message)

        await self._app(scope, receive, send_with_headers)
