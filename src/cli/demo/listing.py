"""Lists of the API to their end, for a demo that finds what an earlier start of it has made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from cli.paging import LARGEST_PAGE


async def every(list_rpc: Callable[[Any], Awaitable[Any]], request: Any, items: str) -> AsyncIterator[Any]:
    """Yields what a list RPC answers under the field `items`, page after page."""
    request.page_size = LARGEST_PAGE
    while True:
        answer = await list_rpc(request)
        for item in getattr(answer, items):
            yield item
        request.page_token = answer.next_page_token
        if not request.page_token:
            return
