"""What a request costs: the calls of the server and its statements, which take the same time on any machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from server.rpc.current_call import serving
from tests.leaks.gateways import Gateway
from tests.leaks.world import World
from tests.statements import noted

COUNTED = ("GetStatusPage", "CreatePageSession", "ListPartnerAccess")


@contextmanager
def counted(world: World, gateway: Gateway) -> Iterator[list[str]]:
    """Collects the calls that are made meanwhile, and the statements that the server sends as it serves them."""
    done: list[str] = []

    def note(statement: str) -> None:
        try:
            method = serving().method
        except LookupError:
            return  # of nobody's call
        if method.endswith(COUNTED) and "api_tokens" not in statement:  # which tell who the gateway is
            done.append(statement)

    before = len(gateway.calls.made)
    with noted(world.server.platform.engine, note):
        yield done
    done.extend(gateway.calls.made[before:])
