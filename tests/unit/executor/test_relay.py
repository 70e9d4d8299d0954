"""The relay against real pipes and a store that is slow, fails or remembers."""

from __future__ import annotations

import asyncio
import os
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.relay import BATCH_BYTES, BATCH_EVENTS, CHUNK_BYTES, Relay, Timed
from kernel.execution.event import Output, OutputStream, Truncated

OUT, ERR = OutputStream.STDOUT, OutputStream.STDERR
PIPE_BYTES = 64 * 1024


class Pipes:
    """Two pipes with their writers, as a sandbox has them."""

    def __init__(self) -> None:
        self.read: dict[OutputStream, int] = {}
        self.write: dict[OutputStream, int] = {}
        for stream in OutputStream:
            self.read[stream], self.write[stream] = os.pipe()
            os.set_blocking(self.read[stream], False)

    def end(self) -> None:
        for stream in OutputStream:
            os.close(self.write[stream])

    def close(self) -> None:
        for descriptor in self.read.values():
            os.close(descriptor)


def joined(stored: list[list[Timed]], stream: OutputStream) -> bytes:
    chunks = [payload for batch in stored for _, payload in batch if isinstance(payload, Output)]
    data = b""
    for chunk in chunks:
        if chunk.stream is stream:
            assert chunk.offset == len(data)
            assert 0 < len(chunk.data) <= CHUNK_BYTES
            data += chunk.data
    return data


async def relay(writes: list[tuple[OutputStream, bytes]], *, cap: int = 2**30) -> tuple[Relay, list[list[Timed]]]:
    pipes, stored = Pipes(), []

    async def store(batch: list[Timed]) -> None:
        stored.append(batch)
        await asyncio.sleep(0)

    relaying = Relay(pipes.read, store, attempt=1, cap=cap, now=lambda: datetime.now(UTC))

    def write() -> None:
        for stream, data in writes:
            os.write(pipes.write[stream], data)
        pipes.end()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        await relaying.run()
    finally:
        await asyncio.to_thread(writer.join)
        pipes.close()
    return relaying, stored


WRITES = st.lists(st.tuples(st.sampled_from(OutputStream), st.binary(min_size=1, max_size=5000)), max_size=20)


@settings(max_examples=30, deadline=None)
@given(WRITES, st.integers(0, 20_000))
def test_every_byte_up_to_the_cap_arrives_once_and_in_order(writes: list[tuple[OutputStream, bytes]], cap: int) -> None:
    relaying, stored = asyncio.run(relay(writes, cap=cap))

    sealed = relaying.seal()
    for stream, seal in ((OUT, sealed.stdout), (ERR, sealed.stderr)):
        written = b"".join(data for s, data in writes if s is stream)
        assert joined(stored, stream) == written[:cap]
        assert seal.size == len(written)
        cut = [p for batch in stored for _, p in batch if isinstance(p, Truncated) and p.stream is stream]
        assert cut == ([Truncated(stream, 1, cap)] if len(written) > cap else [])


async def test_a_line_is_stored_at_once_and_not_at_the_end() -> None:
    pipes, stored, arrived = Pipes(), [], asyncio.Event()

    async def store(batch: list[Timed]) -> None:
        stored.append(batch)
        arrived.set()

    relaying = asyncio.create_task(Relay(pipes.read, store, attempt=1, cap=99, now=lambda: datetime.now(UTC)).run())
    for number in range(3):
        os.write(pipes.write[OUT], f"line {number}\n".encode())
        async with asyncio.timeout(20):
            await arrived.wait()
        arrived.clear()
    pipes.end()
    await relaying
    pipes.close()

    assert [p.data for batch in stored for _, p in batch if isinstance(p, Output)] == [
        b"line 0\n",
        b"line 1\n",
        b"line 2\n",
    ]


async def test_a_store_that_hangs_stops_the_reading_after_one_batch() -> None:
    pipes, release, written = Pipes(), asyncio.Event(), 0

    async def store(batch: list[Timed]) -> None:
        await release.wait()

    os.set_blocking(pipes.write[OUT], False)
    relaying = asyncio.create_task(Relay(pipes.read, store, attempt=1, cap=2**30, now=lambda: datetime.now(UTC)).run())
    stalled = 0
    while stalled < 50:
        try:
            written += os.write(pipes.write[OUT], bytes(CHUNK_BYTES))
            stalled = 0
        except BlockingIOError:
            stalled += 1
        await asyncio.sleep(0.002)

    # One batch in the store's hands, one full batch waiting, one full pipe.
    assert written <= 2 * (BATCH_BYTES + CHUNK_BYTES) + PIPE_BYTES
    release.set()
    pipes.end()
    await relaying
    pipes.close()


async def test_single_bytes_to_both_streams_in_turns_do_not_fill_a_batch_with_events() -> None:
    pipes, release, stored = Pipes(), asyncio.Event(), []

    async def store(batch: list[Timed]) -> None:
        stored.append(batch)
        await release.wait()

    relaying = asyncio.create_task(Relay(pipes.read, store, attempt=1, cap=2**30, now=lambda: datetime.now(UTC)).run())
    for number in range(2000):
        os.write(pipes.write[OutputStream(1 + number % 2)], b"x")
        await asyncio.sleep(0)  # the relay sees each byte by itself
        await asyncio.sleep(0)
    release.set()
    pipes.end()
    await relaying
    pipes.close()

    assert max(map(len, stored)) <= BATCH_EVENTS + len(OutputStream)
    assert len(stored) <= 2 + 3  # one that was let go at once, one full of events, and what gathered in the pipes
    assert joined(stored, OUT) == joined(stored, ERR) == b"x" * 1000


async def test_a_store_that_fails_ends_the_relay_with_its_error() -> None:
    pipes = Pipes()

    async def store(batch: list[Timed]) -> None:
        raise LookupError

    os.write(pipes.write[ERR], b"x")
    with pytest.raises(LookupError):
        await Relay(pipes.read, store, attempt=1, cap=99, now=lambda: datetime.now(UTC)).run()
    pipes.end()
    pipes.close()
