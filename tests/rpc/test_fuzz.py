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
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import grpc
import psutil
import pytest

from kernel.database import create_engine, sessions
from tests.builders import MASTER_KEY
from tests.fuzzing.campaign import Campaign
from tests.fuzzing.requests import all_methods
from tests.fuzzing.tally import Tally
from tests.issuing import TokenIssuer, file_entry, issuers_file
from tests.waiting import eventually

REQUESTS = int(os.environ.get("ONCALL_FUZZ_REQUESTS", "1500"))
SEED = int(os.environ.get("ONCALL_FUZZ_SEED", "0")) or secrets.randbelow(2**32)
WARM_UP = 0.3
"""How much of a run fills pools, caches and the allocator's arenas: memory is watched after it."""
GREATEST_GROWTH = 32 * 1024 * 1024
GREATEST_SECONDS = 10.0
"""Far more than any request may take, and far less than a server that stands still: machines that test are busy."""
LEAST_OK = 0.15
MOST_FAULTS = 5


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
        "ONCALL_WATCH_LEASE_SECONDS": "1",  # a watch that was opened and left holds changes up for so long
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
        async with asyncio.timeout(15):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _fuzz(server: Fuzzed, database_url: str) -> Tally:
    engine = create_engine(database_url, pool_size=2)
    random = Random(SEED)  # noqa: S311 - a run must be repeatable
    async with grpc.aio.insecure_channel(server.address) as channel:
        campaign = Campaign(channel, sessions(engine), server.issuer, server.process, random)
        await campaign.run(REQUESTS)
    await engine.dispose()
    return campaign.tally


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


@pytest.mark.timeout(300 + REQUESTS // 10)  # only against hanging: machines that test are busy
async def test_no_request_makes_the_server_fail_or_grow(database_url: str, redis_url: str, tmp_path: Path) -> None:
    async with _served(database_url, redis_url, tmp_path) as server:
        tally = await _fuzz(server, database_url)
    log = server.log.read_text()
    growth = tally.growth(WARM_UP)
    print(f"ONCALL_FUZZ_SEED={SEED}: {tally.codes.total()} requests: {dict(tally.codes.most_common())}")
    rarest = sorted(all_methods(), key=tally.succeeded)[:5]
    print(f"succeeded least: {', '.join(f'{method.name} {tally.succeeded(method)}' for method in rarest)}")
    print(f"memory: {tally.resident[-1] / 2**20:.0f} MiB, grown by {growth / 2**20:.1f} MiB after the warm-up")
    print(f"slowest: {tally.slowest[0]:.2f} s, {tally.slowest[1]}")
    faults = "\n".join([*tally.problems, *_faults_in(log)[:MOST_FAULTS]])
    assert not faults, faults
    assert not [token for token in tally.tokens if len(token) > 30 and token in log]
    assert growth < GREATEST_GROWTH
    assert tally.slowest[0] < GREATEST_SECONDS, tally.slowest
    # Refusals alone would show nothing: enough of it must have gone through, and some of every kind.
    never = [tally.outcomes(method) for method in all_methods() if not tally.succeeded(method)]
    assert not never, "\n".join(["never succeeded:", *never])
    assert tally.codes["OK"] > LEAST_OK * tally.codes.total()
