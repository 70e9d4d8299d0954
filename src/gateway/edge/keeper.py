"""What the edge asks of the keep: pages, changes of them, sessions and reports, and how the keep itself is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from gateway.asked import Asked, Client
from gateway.shown import Shown
from oncall.v1.partner_service_pb2 import CreatePageSessionResponse, ListPartnerAccessResponse


@dataclass(frozen=True, slots=True)
class KeepState:
    """How many pages are kept, and whether changes of them are heard of."""

    pages: int
    watching: bool


class Keeper(Protocol):
    """Decides who may see what; every method raises a `gateway.refusal.Refusal` to who may not."""

    async def show(self, asked: Asked) -> Shown:
        """Answers the page as the owner of the credential may see it; counts as an access."""
        ...

    def client(self, asked: Asked) -> Client:
        """Answers who asks: without their credential, so that it may be kept."""
        ...

    def show_at_once(self, client: Client) -> Shown | None:
        """Answers as `show` does where nobody has to be asked; unset where somebody has, which is left to `show`."""
        ...

    def changes(self, asked: Asked, after_tag: str) -> AsyncIterator[Shown]:
        """Answers the page whenever its tag is another than the last one's, `after_tag` at first; ends by a Refusal."""
        ...

    async def start_session(self, slug: str, token: str, client_ip: str, user_agent: str) -> CreatePageSessionResponse:
        """Trades a token for a session."""
        ...

    async def end_session(self, asked: Asked) -> None:
        """Ends a session for good, as far as the server can be asked; here at any rate. Never raises a Refusal."""
        ...

    async def access_report(self, asked: Asked, page_size: int, page_token: str) -> ListPartnerAccessResponse:
        """Answers how often the partner themselves read."""
        ...


class Health(Protocol):
    """How the keep is, for probes and numbers."""

    async def is_ready(self) -> bool:
        """Whether pages can be had: the server can be reached."""
        ...

    def state(self) -> KeepState: ...
