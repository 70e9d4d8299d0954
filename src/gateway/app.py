"""The ASGI application: routes, what becomes of their errors, and the headers around both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from gateway import answers
from gateway.access_log import AccessLog, RequestLog
from gateway.addresses import Addresses
from gateway.answers import Answer
from gateway.edge.client_address import Proxies
from gateway.edge.client_middleware import ClientAddress
from gateway.edge.event_stream import Streams
from gateway.edge.keeper import Health, Keeper
from gateway.edge.metrics import Metrics
from gateway.edge.represented import REPRESENTATIONS, Represented
from gateway.refusal import Refusal, unknown_page
from gateway.routes import Routes
from gateway.security_headers import SecurityHeaders, headers_for
from gateway.warm_pages import WarmPages


class Application(Starlette):
    """An ASGI application that answers some requests before it is called; see `gateway.edge.http_connection`."""

    answer_at_once: Callable[[Scope], Answer | None]


def create_app(
    keeper: Keeper,
    health: Health,
    public_url: str = "",
    *,
    proxies: Proxies | None = None,
    streams: Streams | None = None,
    representations: Sequence[Represented] = REPRESENTATIONS,
) -> Application:
    """Answers the application; `public_url` is what partners put before `/status/…`, empty: as each was addressed."""
    metrics = Metrics()
    request_log = RequestLog(metrics)
    warm = WarmPages(keeper, request_log)
    streams = Streams() if streams is None else streams
    routes = Routes(keeper, health, Addresses(public_url), representations, streams, metrics, warm)

    async def refused(request: Request, refusal: Exception) -> Response:
        if not isinstance(refusal, Refusal):
            raise refusal
        return answers.refusal(request, refusal, routes.sign_in(request))

    app = Application(
        routes=routes.all(),
        middleware=[
            Middleware(ClientAddress, proxies=proxies or Proxies()),
            Middleware(AccessLog, log=request_log),
            Middleware(SecurityHeaders),
        ],
        exception_handlers={Refusal: refused, HTTPException: _no_route, Exception: _failed},
    )
    app.answer_at_once = warm.answer
    app.router.redirect_slashes = False  # /status/acme/ is served as little as any other address
    return app


async def _no_route(request: Request, error: Exception) -> Response:
    """Answers for addresses and methods that are not served as for any other refusal."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == HTTPStatus.NOT_FOUND:
        return answers.refusal(request, unknown_page())
    headers = dict(error.headers or {})
    if "Allow" in headers:
        headers["Allow"] = _allowed(headers["Allow"])
    if request.method == "OPTIONS" and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return Response(None, 204, headers)
    status = HTTPStatus(error.status_code)
    response = answers.refusal(request, Refusal(status, status.name, status.phrase, f"{status.description}."))
    response.headers.update(headers)
    return response


def _allowed(methods: str) -> str:
    """Answers the methods in an order that does not change from process to process."""
    return ", ".join(sorted({method.strip() for method in methods.split(",")} | {"OPTIONS"}))


async def _failed(request: Request, _: Exception) -> Response:
    """Answers for a mistake of ours; what went wrong is in the log, and nowhere else."""
    refusal = Refusal(
        500, "INTERNAL", "Something went wrong", "This is our mistake, not yours. Please try again later."
    )
    response = answers.refusal(request, refusal)
    response.headers.update(headers_for(request.scope["scheme"]))  # this answer is made outside of the middleware
    return response
