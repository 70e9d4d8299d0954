"""`python -m tests.bench.pages`: what a page costs a partner's gateway, beside an application that says hello.

A whole stack, and a partner on whom everything is checked: token, address, scope, expiry and rate. Each thing that is
measured is measured in turns with a hello of the same size, on the same HTTP server in a process of its own: what else
the machine does meanwhile falls on both. Load comes from wrk, on a core that the server under load leaves it.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import grpc
import httpx
import psutil
from rich.console import Console
from rich.table import Table

from kernel.database import create_engine, sessions
from oncall.v1.partner_pb2 import Partner
from tests.bench.load import Load, load
from tests.builders import a_person, a_team
from tests.busy_page import a_busy_page
from tests.e2e.launched import Launched
from tests.stack import launched_stack
from tests.status_pages import StatusPageDesk

WARM_UP_SECONDS = 1
GOAL = 0.5


@dataclass(slots=True)
class Measured:
    """One thing that is asked for, round by round; `microseconds` is what its process worked for a request."""

    name: str
    url: str
    headers: Mapping[str, str]
    process: psutil.Process
    rounds: list[Load] = field(default_factory=list)
    microseconds: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return statistics.median(one.rate for one in self.rounds)

    @property
    def p99(self) -> float:
        return statistics.median(one.p99 for one in self.rounds)

    def run(self, seconds: int) -> None:
        before = self._worked()
        done = load(self.url, self.headers, seconds)
        self.rounds.append(done)
        self.microseconds.append((self._worked() - before) / done.requests * 1e6)

    def _worked(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


@dataclass(frozen=True, slots=True)
class Pair:
    """What the gateway answers, and a hello of the same size."""

    page: Measured
    hello: Measured

    @property
    def ratio(self) -> float:
        """Answers the median of each round's own ratio: its two halves were measured one after the other."""
        rounds = zip(self.page.rounds, self.hello.rounds, strict=True)
        return statistics.median(page.rate / hello.rate for page, hello in rounds)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pages", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often each is measured (default: 7)")
    parser.add_argument("--seconds", type=int, default=3, help="how long a measurement takes (default: 3)")
    parser.add_argument("--strict", action="store_true", help=f"fail below {GOAL} of a hello's rate")
    options = parser.parse_args()
    with launched_stack() as stack, a_hello() as (hello, process):
        token = asyncio.run(a_partner(stack))
        pairs = the_pairs(stack, token, hello, process)
        measure(pairs, options.rounds, options.seconds)
    show(pairs)
    return int(options.strict and min(pair.ratio for pair in pairs) < GOAL)


async def a_partner(stack: Launched) -> str:
    """Makes a page and a partner with everything that can be checked; answers the token."""
    database_url = stack.program("server").environ()["ONCALL_DATABASE_URL"]
    engine = create_engine(database_url, pool_size=2)
    async with grpc.aio.insecure_channel(stack.demo()["server"]) as channel:
        known = sessions(engine)
        desk = StatusPageDesk(channel, known, await a_team(known), await a_person(known))
        busy = await a_busy_page(desk)
        expires_at = Partner().expires_at
        expires_at.FromDatetime(datetime.now(UTC) + timedelta(days=1))
        partner = await desk.a_partner(
            busy.page,
            ip_allowlist=["192.0.2.0/24", "127.0.0.0/8"],
            component_ids=[one.id for one in busy.components.values() if one.group],
            requests_per_minute=1_000_000,
            expires_at=expires_at,
        )
    await engine.dispose()
    return partner.token


@contextmanager
def a_hello() -> Iterator[tuple[str, psutil.Process]]:
    with subprocess.Popen([sys.executable, "-m", "tests.bench.hello"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield f"http://{process.stdout.readline().strip()}", psutil.Process(process.pid)
        finally:
            process.kill()


def the_pairs(stack: Launched, token: str, hello: str, process: psutil.Process) -> list[Pair]:
    page, gateway = f"{stack.demo()['gateway']}/status/acme", stack.program("gateway")
    sent = {"Authorization": f"Bearer {token}", "User-Agent": "bench/1", "Accept-Language": "en-GB,en;q=0.8"}
    pairs = []
    for name, path, accept in (("HTML", "", "text/html"), ("JSON summary", "/api/v2/summary.json", "application/json")):
        headers = sent | {"Accept": accept}
        answer = httpx.get(page + path, headers=headers)
        assert answer.status_code == 200, answer.text
        size = len(answer.content)
        same = Measured(f"hello of {size:,} bytes", f"{hello}/{size}", headers, process)
        pairs.append(Pair(Measured(name, page + path, headers, gateway), same))
        held = headers | {"If-None-Match": answer.headers["etag"]}
        assert httpx.get(page + path, headers=held).status_code == 304
    same = Measured("hello, 304", f"{hello}/304", held, process)
    pairs.append(Pair(Measured("304 of the summary", page + path, held, gateway), same))
    return pairs


def measure(pairs: list[Pair], rounds: int, seconds: int) -> None:
    for pair in pairs:
        for one in (pair.hello, pair.page):
            load(one.url, one.headers, WARM_UP_SECONDS)
    for number in range(rounds):
        for pair in pairs:
            turns = (pair.hello, pair.page) if number % 2 else (pair.page, pair.hello)
            for one in turns:
                one.run(seconds)


def show(pairs: list[Pair]) -> None:
    table = Table(title="Partner-authenticated pages, warm, beside a hello of the same size")
    for column in ("", "requests/s", "p99 ms", "CPU µs a request", "of the hello's rate"):
        table.add_column(column, justify="right" if column else "left")
    for pair in pairs:
        for one in (pair.hello, pair.page):
            figures = (f"{one.rate:,.0f}", f"{one.p99 * 1e3:.1f}", f"{statistics.median(one.microseconds):.0f}")
            table.add_row(one.name, *figures, f"{pair.ratio:.2f}" if one is pair.page else "")
    Console().print(table)


if __name__ == "__main__":
    raise SystemExit(main())
