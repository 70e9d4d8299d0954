"""Lists of the API, page after page, as one iteration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

LARGEST_PAGE = 500


def paged(list_rpc: Callable[[Any], Any], request: Any, items: str, *, limit: int = 0) -> Iterator[Any]:
    """Yields what a list RPC answers under the field `items`, at most `limit` (0: all), fetching pages as needed."""
    request.page_size = min(limit, LARGEST_PAGE) if limit else LARGEST_PAGE
    pages = _pages(list_rpc, request)
    every = (item for page in pages for item in getattr(page, items))
    return islice(every, limit) if limit else every


def _pages(list_rpc: Callable[[Any], Any], request: Any) -> Iterator[Any]:
    while True:
        page = list_rpc(request)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
