"""Random, mutated and oversized requests to every RPC of a server that runs as in production.

`ONCALL_FUZZ_REQUESTS=10000` makes it the long form, `ONCALL_FUZZ_SEED` repeats a run; each run says its seed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from random import Random

import grpc
import psutil
import pytest
from google.protobuf.descriptor import MethodDescriptor

from kernel.database import create_engine, sessions
from tests.builders import MASTER_KEY
from tests.fuzzing.answer import Answer, answer_of
from tests.fuzzing.callers import new_callers
from tests.fuzzing.requests import FuzzedRequest, RequestFuzzer, all_methods
from tests.fuzzing.vocabulary import Vocabulary
from tests.issuing import TokenIssuer, file_entry, issuers_file
from tests.waiting import eventually

REQUESTS = int(os.environ.get("ONCALL_FUZZ_REQUESTS", "1500"))
SEED = int(os.environ.get("ONCALL_FUZZ_SEED", "0")) or secrets.randbelow(2**32)
LONG_FORM = 10_000
AT_ONCE = 16
ROUNDS_FOR_THE_UNLUCKY = 50
REQUESTS_PER_CALLERS = 960
WARM_UP = 0.3
"""How much of a run fills pools, caches and the allocator's arenas: memory is watched after it."""
GREATEST_GROWTH = 32 * 1024 * 1024
GREATEST_SECONDS = 10.0
"""Far more than any request may take, and far less than a server that stands still: machines that test are busy."""
LEAST_OK = 0.08
MOST_PROBLEMS = 5


@dataclass(slots=True)
class Tally:
    """What came of the requests."""

    codes: Counter[str] = field(default_factory=Counter)
    succeeded: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")

    def note(self, request: FuzzedRequest, caller: str, answer: Answer) -> None:
        self.codes[answer.code.name] += 1
        if answer.code is grpc.StatusCode.OK:
            self.succeeded.add(request.method.full_name)
        self.slowest = max(self.slowest, (answer.seconds, f"{request.path} ({request.kind})"))
        if answer.problem:
            self.problems.append(f"{request.path} by {caller} ({request.kind}): {answer.problem}\n{request.excerpt()}")


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """A server as a process of its own."""

    address: str
    process: psutil.Process
    log: Path
    issuer: TokenIssuer


@contextlib.asynccontextmanager
async def _served(database_url: str, redis_url: str, folder: Path) -> AsyncIterator[Fuzzed]:
    ready, log = folder / "ready.json", folder / "server.log"
    issuer = TokenIssuer("https://issuer.example")
    environment = {
        **os.environ,
        "ONCALL_DATABASE_URL": database_url,
        "ONCALL_REDIS_URL": redis_url,
        "ONCALL_MASTER_KEY": MASTER_KEY,
        "ONCALL_SERVER_LISTEN": "127.0.0.1:0",
        "ONCALL_ISSUERS_FILE": str(issuers_file(folder, file_entry(folder, issuer, create_users=True))),
        "ONCALL_READY_FILE": str(ready),
    }
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "server", env=environment, stderr=stderr)

    async def is_ready() -> bool:
        assert process.returncode is None
        return await asyncio.to_thread(ready.exists)

    try:
        await eventually(is_ready, within=60)
        yield Fuzzed(json.loads(ready.read_text())["address"], psutil.Process(process.pid), log, issuer)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _fuzz(server: Fuzzed, database_url: str, tally: Tally) -> None:
    random = Random(SEED)  # noqa: S311 - a run must be repeatable
    vocabulary = Vocabulary(random)
    fuzzer = RequestFuzzer(random, vocabulary)
    engine = create_engine(database_url, pool_size=2)
    methods = cycle(random.sample(all_methods(), len(all_methods())))
    async with grpc.aio.insecure_channel(server.address) as channel:

        async def send(some: Iterable[MethodDescriptor]) -> None:
            requests = [(fuzzer.request(method), callers.any(random, method)) for method in some]
            calls = (answer_of(channel, request, callers.credential(random, caller)) for request, caller in requests)
            for (request, caller), answer in zip(requests, await asyncio.gather(*calls), strict=True):
                tally.note(request, caller, answer)
                for message in answer.messages:
                    vocabulary.learn(message)
            tally.resident.append(server.process.memory_info().rss)

        for sent in range(0, REQUESTS, AT_ONCE):
            if sent % REQUESTS_PER_CALLERS == 0:
                callers = await new_callers(sessions(engine), vocabulary, server.issuer)
                tally.tokens += callers.tokens
            await send(islice(methods, AT_ONCE))
            if len(tally.problems) >= MOST_PROBLEMS:
                break
        # One that few callers may call, with values that few requests have, may have had no luck so far.
        for method in all_methods() if REQUESTS >= LONG_FORM else ():
            for _ in range(ROUNDS_FOR_THE_UNLUCKY):
                if method.full_name not in tally.succeeded and len(tally.problems) < MOST_PROBLEMS:
                    await send([method] * AT_ONCE)
    await engine.dispose()


def _growth(resident: list[int]) -> int:
    """Answers by how much the server is larger at the end than after the warm-up, in bytes.

    The median of a tenth each: single requests of megabytes come and go.
    """
    after, tenth = resident[int(len(resident) * WARM_UP) :], max(len(resident) // 10, 1)
    return sorted(after[-tenth:])[tenth // 2] - sorted(after[:tenth])[tenth // 2]


def _faults_in(log: str) -> list[str]:
    """Answers the lines of a log that tell of a fault; lines that are no JSON are none of ours."""
    faults = []
    for line in log.splitlines():
        try:
            level = json.loads(line)["level"]
        except (ValueError, KeyError, TypeError):
            level = "not JSON"
        if level not in {"debug", "info"} or "Traceback" in line:
            faults.append(line[:3_000])
    return faults


@pytest.mark.timeout(60 + REQUESTS // 20)
async def test_no_request_makes_the_server_fail_or_grow(database_url: str, redis_url: str, tmp_path: Path) -> None:
    tally = Tally()
    async with _served(database_url, redis_url, tmp_path) as server:
        await _fuzz(server, database_url, tally)
    log = server.log.read_text()
    growth = _growth(tally.resident)
    print(f"ONCALL_FUZZ_SEED={SEED}: {tally.codes.total()} requests: {dict(tally.codes.most_common())}")
    never = [method.full_name for method in all_methods() if method.full_name not in tally.succeeded]
    print(f"never succeeded: {', '.join(never) or 'none'}")
    print(f"memory: {tally.resident[-1] / 2**20:.0f} MiB, grown by {growth / 2**20:.1f} MiB after the warm-up")
    print(f"slowest: {tally.slowest[0]:.2f} s, {tally.slowest[1]}")
    faults = "\n".join([*tally.problems, *_faults_in(log)[:MOST_PROBLEMS]])
    assert not faults, faults
    assert not [token for token in tally.tokens if len(token) > 30 and token in log]
    assert growth < GREATEST_GROWTH
    assert tally.slowest[0] < GREATEST_SECONDS, tally.slowest
    # Refusals alone would show nothing: enough of it must have gone through.
    assert tally.codes["OK"] > LEAST_OK * tally.codes.total()
    assert REQUESTS < LONG_FORM or not never
