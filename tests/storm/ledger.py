"""Every answer is judged here against what its reader may have been shown, and entered for the count at the end.

A request counts as begun when its first byte is about to go out, a change as made when its call has been answered, all
by the one clock of this process. So nothing depends on how fast anything is.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.storm.http import Answer
from tests.storm.readers import Pass, Representation, Seen, Views

COMPONENT = re.compile(rb"Zx\d\dc\d{3}q")
FLUSH_SECONDS = 1.0
"""How long a gateway keeps counts before it sends them; what it held when it was killed is lost."""
SLACK_SECONDS = 6.0
"""How much later it may come to it: the call that sends them may take 5 s, and is made again where it fails."""
CALL_SECONDS = 2.0
"""How long a gateway waits for its server at least before it does without."""
MOST_VIOLATIONS = 50


@dataclass(frozen=True, slots=True)
class Waited:
    """An answer that took as long as a call of the server's may, or one that said that the server cannot be asked."""

    what: str
    gateway: str
    sent: float
    done: float


@dataclass(slots=True)
class Outage:
    """A gateway's server is dead by our hand: it may show what it has with its age, or say that it cannot."""

    gateway: str
    begun: float
    ended: float = math.inf


@dataclass(slots=True)
class Ledger:
    """What was answered, and what of it must never have been."""

    violations: list[str] = field(default_factory=list)
    violated: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    refused_after: int = 0
    """Refusals of requests that began when nothing else was left to say."""
    unanswered: int = 0
    stale: int = 0
    stale_in_outages: int = 0
    events: int = 0
    streams: int = 0
    streams_cut: int = 0
    longest_cut_seconds: float = 0.0
    """Of all streams whose credential ended: from the acknowledgement to the end of the stream."""
    answered: Counter[str] = field(default_factory=Counter)
    """Accesses by the prefix of their token, as those who read have counted them."""
    maybe_more: Counter[str] = field(default_factory=Counter)
    """Accesses that the site may have counted although nobody was shown a page: the connection broke."""
    maybe_lost: Counter[str] = field(default_factory=Counter)
    """Accesses that a gateway may have held when it was killed."""
    given_up: int = 0
    """Answers that the gateway could not have in time, because the machine was too slow."""
    _slow: list[Waited] = field(default_factory=list)
    _unavailable: list[Waited] = field(default_factory=list)
    _etags: dict[bytes, Seen] = field(default_factory=dict)
    _outages: list[Outage] = field(default_factory=list)
    _lately: dict[str, deque[tuple[float, str]]] = field(default_factory=dict)
    _killed: dict[str, list[float]] = field(default_factory=dict)

    def enter(self, gateway: str, source: str, reader: Pass, representation: Representation, answer: Answer) -> None:
        """Judges an answer."""
        self.statuses[answer.status] += 1
        what = f"{answer.status} for {representation.path or '/'} at {gateway}"
        if answer.done - answer.sent >= CALL_SECONDS:
            self._slow.append(Waited(what, gateway, answer.sent, answer.done))
        views = reader.views(source, self._held_since(gateway, answer), answer.done)
        if answer.status in (200, 304):
            self.admitted(gateway, reader, answer.sent, answer.done)
            if not views.shown:
                self.violate(f"{what}, {_since(reader, answer)}")
            elif (seen := self._seen(answer)) is not None and not _may_be_shown(seen, views, representation):
                self.violate(f"{what} shows {sorted(seen)}, not one of {[sorted(view) for view in views.shown]}")
        else:
            self.refused(what, gateway, reader, views, answer)

    def opened(self, gateway: str, source: str, reader: Pass, answer: Answer) -> None:
        """Judges the beginning of an event stream, which is an access as any other."""
        self.streams += 1
        self.admitted(gateway, reader, answer.sent, answer.done)
        if not reader.views(source, self._held_since(gateway, answer), answer.done).shown:
            self.violate(f"an event stream was opened at {gateway}, {_since(reader, answer)}")

    def admitted(self, gateway: str, reader: Pass, sent: float, at: float) -> None:
        """Counts an access of a partner."""
        if reader.partner:
            self.answered[reader.prefix] += 1
            # What was answered lay in a socket when the gateway was killed, and is read only now.
            self.maybe_lost[reader.prefix] += any(sent <= killed <= at for killed in self._killed.get(gateway, ()))
            lately = self._lately.setdefault(gateway, deque())
            lately.append((at, reader.prefix))
            while lately[0][0] < at - FLUSH_SECONDS - SLACK_SECONDS:
                lately.popleft()

    def refused(self, what: str, gateway: str, reader: Pass, views: Views, answer: Answer) -> None:
        if not views.shown:
            self.refused_after += answer.status in (401, 403, 404, 429)
        if answer.status in (401, 403, 404):
            if not views.refused:
                self.violate(f"{what} for a credential that was good all the time")
        elif answer.status == 429:
            if reader.partner and not reader.partner.limited:
                self.violate(f"{what} for a partner without a limit")
        elif answer.status != 503:
            self.violate(what)
        elif not self._is_out(gateway, answer):
            self._unavailable.append(Waited(what, gateway, answer.sent, answer.done))

    def unknown(self, reader: Pass) -> None:
        """Notes that the connection broke under a request."""
        self.unanswered += 1
        self.maybe_more[reader.prefix] += 1

    def violate(self, what: str) -> None:
        self.violated += 1
        if len(self.violations) < MOST_VIOLATIONS:
            self.violations.append(what)

    def settle(self) -> None:
        """Judges what was called unavailable while all ran: only a call that took too long explains that."""
        slow: dict[str, list[Waited]] = {}
        for waited in self._slow + [some for some in self._unavailable if some.done - some.sent >= CALL_SECONDS]:
            slow.setdefault(waited.gateway, []).append(waited)
        for some in self._unavailable:
            if any(one.sent <= some.done and one.done >= some.sent for one in slow.get(some.gateway, ())):
                self.given_up += 1
            else:
                self.violate(f"{some.what}, {some.done - some.sent:.3f} s after it was sent")

    def lose_lately(self, gateway: str) -> None:
        """Notes that what was counted at a gateway in the time of one flush may be lost: its process was killed."""
        self._killed.setdefault(gateway, []).append(time.monotonic())
        self.maybe_lost.update(prefix for _, prefix in self._lately.get(gateway, ()))

    @contextmanager
    def outage(self, gateway: str) -> Iterator[None]:
        """The server of a gateway is dead within."""
        outage = Outage(gateway, time.monotonic())
        self._outages.append(outage)
        try:
            yield
        finally:
            outage.ended = time.monotonic()

    def _held_since(self, gateway: str, answer: Answer) -> float:
        """Answers from when on an answer may have been true: in an outage, from the age on that it says it has."""
        stale = _stale_since(answer)
        if stale is None:
            return answer.sent
        self.stale += 1
        if not self._is_out(gateway, answer):
            return answer.sent
        self.stale_in_outages += 1
        return min(answer.sent, stale)

    def _is_out(self, gateway: str, answer: Answer) -> bool:
        return any(
            outage.gateway == gateway and outage.begun <= answer.done and outage.ended >= answer.sent
            for outage in self._outages
        )

    def _seen(self, answer: Answer) -> Seen | None:
        """Answers which components an answer tells of; of a 304, the body that its tag belongs to."""
        etag = answer.headers.get(b"etag", b"")
        if answer.status == 304:
            return self._etags.get(etag)
        unfolded = answer.body.replace(b"\r\n ", b"")  # as calendars break long lines
        seen = self._etags[etag] = frozenset(name.decode() for name in COMPONENT.findall(unfolded))
        return seen


def _may_be_shown(seen: Seen, views: Views, representation: Representation) -> bool:
    if representation.whole:
        return seen in views.shown
    return any(seen <= view for view in views.shown)


def _stale_since(answer: Answer) -> float | None:
    """Answers since when an answer says that it may not hold, by the clock of this process."""
    header = answer.headers.get(b"oncall-stale-since")
    if header is None:
        return None
    at = datetime.strptime(header.decode(), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return at.timestamp() - time.time() + time.monotonic()


def _since(reader: Pass, answer: Answer) -> str:
    of = f"partner {reader.partner.id}" if reader.partner else f"page {reader.page.slug}"
    return f"{answer.done - answer.sent:.3f} s after it was sent, when {of} was refused everything"
