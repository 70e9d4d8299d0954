"""The ASGI application: routes, what becomes of their errors, and the headers around both."""

from __future__ import annotations

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from gateway import answers
from gateway.access_log import AccessLog
from gateway.keep.keeper import Keeper
from gateway.refusal import Refusal, unknown_page
from gateway.routes import Routes, language, wanted
from gateway.security_headers import HEADERS, SecurityHeaders
from gateway.server_client import Server


def create_app(keeper: Keeper, server: Server, public_url: str = "") -> Starlette:
    """Answers the application; `public_url` is what partners put before `/status/…`, empty: as each was addressed."""
    return Starlette(
        routes=Routes(keeper, server, public_url).all(),
        middleware=[Middleware(AccessLog), Middleware(SecurityHeaders)],
        exception_handlers={Refusal: _refused, HTTPException: _no_route, Exception: _failed},
    )


async def _refused(request: Request, refusal: Exception) -> Response:
    if not isinstance(refusal, Refusal):
        raise refusal
    return answers.refusal(refusal, wanted(request), language(request))


async def _no_route(request: Request, error: Exception) -> Response:
    """Answers for addresses and methods that are not served as for any other refusal."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == HTTPStatus.NOT_FOUND:
        return answers.refusal(unknown_page(), wanted(request), language(request))
    status = HTTPStatus(error.status_code)
    response = answers.refusal(
        Refusal(status, status.name, status.phrase, f"{status.description}."), wanted(request), language(request)
    )
    response.headers.update(error.headers or {})
    return response


async def _failed(request: Request, _: Exception) -> Response:
    """Answers for a mistake of ours; what went wrong is in the log, and nowhere else."""
    refusal = Refusal(
        500, "INTERNAL", "Something went wrong", "This is our mistake, not yours. Please try again later."
    )
    response = answers.refusal(refusal, wanted(request), language(request))
    response.headers.update(HEADERS)  # this answer is made outside of the middleware
    return response
