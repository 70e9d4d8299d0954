"""What an Execute cannot be faster than on this machine, whoever writes it: the same hops with nothing in between.

A client calls over gRPC; a server commits a row and rings; an executor hears it, commits a row for the claim and one
for the output, and publishes; the server hears that and answers. So there are three durable commits one after the
other, two hops over Redis from process to process, and one answered call, in the database and the Redis of the stack
that is measured beside it, by the same libraries and in three processes, as there. What is missing is the script.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import grpc
import uvloop
from redis.asyncio import Redis

from tests.e2e.launched import Launched

METHOD = "/bench.Floor/Execute"
LIST, CHANNEL = "bench:floor:rings", "bench:floor:output"
TABLE = "CREATE TABLE IF NOT EXISTS bench_floor (id bigint GENERATED ALWAYS AS IDENTITY, data bytea NOT NULL)"
COMMIT = "INSERT INTO bench_floor (data) VALUES ($1)"
ROW = bytes(500)
"""About what a row of a log takes."""


@contextlib.asynccontextmanager
async def floor_of(stack: Launched) -> AsyncIterator[grpc.aio.UnaryStreamMultiCallable]:
    """Yields what `round_trip` calls, beside a stack with embedded services."""
    sockets = {path.name: path for path in stack.sockets()}
    postgres = f"postgresql://oncall@/oncall?host={sockets['.s.PGSQL.5432'].parent}"
    redis = f"unix://{sockets['redis.sock']}"
    connection = await asyncpg.connect(postgres)
    await connection.execute(TABLE)
    await connection.close()
    with _process("executor", postgres, redis), _process("server", postgres, redis) as port:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel.unary_stream(METHOD)


async def round_trip(execute: grpc.aio.UnaryStreamMultiCallable) -> float:
    """Answers the seconds from the call to its first answer."""
    began = time.perf_counter()
    call = execute(b"execute")
    assert await call.read() == ROW
    seconds = time.perf_counter() - began
    assert await call.read() is grpc.aio.EOF
    return seconds


@contextlib.contextmanager
def _process(role: str, postgres: str, redis: str) -> Iterator[str]:
    """Yields what the process of this module says once it is ready."""
    command = [sys.executable, "-m", __name__, role, postgres, redis]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


async def _serve(database: asyncpg.Connection, redis: Redis) -> None:
    async with redis.pubsub() as subscription:
        await subscription.subscribe(CHANNEL)
        await subscription.get_message(timeout=None)  # that it stands

        async def execute(_: bytes, __: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
            await database.execute(COMMIT, ROW)
            await redis.lpush(LIST, "ring")
            while (message := await subscription.get_message(timeout=None)) is None:
                pass
            yield message["data"]

        server = grpc.aio.server()
        service, _, method = METHOD[1:].partition("/")
        handlers = {method: grpc.unary_stream_rpc_method_handler(execute)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        print(port, flush=True)
        await server.wait_for_termination()


async def _run(database: asyncpg.Connection, redis: Redis) -> None:
    print("ready", flush=True)
    while True:
        await redis.brpop([LIST])
        await database.execute(COMMIT, ROW)
        await database.execute(COMMIT, ROW)
        await redis.publish(CHANNEL, ROW)


async def _main(role: str, postgres: str, redis_url: str) -> None:
    database, redis = await asyncpg.connect(postgres), Redis.from_url(redis_url, socket_timeout=None)
    await (_serve if role == "server" else _run)(database, redis)


if __name__ == "__main__":
    uvloop.run(_main(*sys.argv[1:]))
