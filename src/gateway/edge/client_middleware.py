"""Puts the client in the place of the proxy, for everything that comes after: address and scheme."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.edge.client_address import Proxies


class ClientAddress:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, proxies: Proxies) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            peer, port = scope.get("client") or ("", 0)
            client = self._proxies.client(peer, scope["scheme"], scope["headers"])
            scope["client"], scope["scheme"] = (client.address, port), client.scheme
        await self._app(scope, receive, send)
