"""Pages that were just shown, answered again at once: the same request is read the same, so it is not read again.

What is kept of a request is how it was read, under a digest of all that was looked at (`gateway.edge.reading`). Whether
it may be answered is asked of the keep each time, and the answer is made by what makes every other one. Where anything
has to be asked, waited for or refused, there is no answer here, and the request takes the way through the application.
See docs/decisions/0037.
"""

from __future__ import annotations

import marshal
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b

import structlog
from starlette.types import Scope

from gateway import answers
from gateway.access_log import RequestLog
from gateway.answers import Answer
from gateway.asked import Client
from gateway.edge.keeper import Keeper
from gateway.edge.reading import HEADERS, Reading
from gateway.keep.lru import Lru

MOST = 10_000
LONGEST_CONDITION = 200
"""A request with a longer `If-None-Match` is read each time it comes, so that what is kept is bounded in bytes, too."""
DIGEST = "oncall.gateway.digest"
"""Where a scope has the digest of its request."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Warm:
    reading: Reading
    client: Client
    route: str


class WarmPages:
    """Readings of requests that were answered with a page, and answers to such requests."""

    def __init__(self, keeper: Keeper, request_log: RequestLog, limit: int = MOST) -> None:
        self._keeper = keeper
        self._log = request_log
        self._warm: Lru[bytes, _Warm] = Lru(limit)
        self._keyed = blake2b(key=secrets.token_bytes(32), digest_size=32)

    def keep(self, scope: Scope, reading: Reading, client: Client) -> None:
        """Keeps how a request was read that was answered with a page."""
        digest = scope.get(DIGEST)
        if digest and len(reading.if_none_match) <= LONGEST_CONDITION:
            self._warm.put(digest, _Warm(reading, client, scope["route"].path))

    def answer(self, scope: Scope) -> Answer | None:
        """Answers a request that is the same as one before, if that takes no waiting; never raises."""
        if scope["method"] != "GET":
            return None
        began = time.perf_counter()
        scope[DIGEST] = digest = self._digest(scope)
        warm = self._warm.get(digest)
        if warm is None:
            return None
        try:
            return self._answer(warm, scope["path"], began)
        except Exception:
            log.exception("warm_page_failed")
            return None

    def _answer(self, warm: _Warm, path: str, began: float) -> Answer | None:
        shown = self._keeper.show_at_once(warm.client)
        if shown is None:
            return None
        answer = answers.page(warm.reading, shown, datetime.now(UTC))
        self._log.answered(warm.route, "GET", path, answer.status, began, time.perf_counter())
        return answer

    def _digest(self, scope: Scope) -> bytes:
        """Answers a keyed hash of all that is looked at, so that no credential is kept."""
        peer = scope["client"][0] if scope["client"] else ""
        headers = [field for field in scope["headers"] if field[0] in HEADERS]
        looked_at = (scope["path"], scope["query_string"], scope["scheme"], peer, headers)
        digest = self._keyed.copy()
        digest.update(marshal.dumps(looked_at, 2))  # of version 2: equal values are written alike
        return digest.digest()
