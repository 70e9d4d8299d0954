"""The relay: from a sandbox's pipes to numbered events, masked, in order, in bounded memory, soon.

What is read while a batch is being stored becomes the next batch, so a quiet script's line leaves at once and a flood
travels in large pieces. When a batch is full, nothing more is read until it has been taken: the pipe fills and the
script waits, which is the only buffer that costs this process nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime

from executor.masking import Masker
from kernel.attempt_output import AttemptOutput
from kernel.execution.event import Output, OutputStream, Truncated
from kernel.execution.output import OutputDigest

CHUNK_BYTES = 64 * 1024
BATCH_BYTES = 256 * 1024
BATCH_EVENTS = 128
"""A script that writes to its streams in turns, a byte at a time, would else fill a batch with events of one byte each,
which cost a hundred times what they hold; past this its bytes gather in the pipes."""
PACE_SECONDS = 0.02
"""Least time between two batches that are not full: what a chatty script costs the database is bounded by it."""

Timed = tuple[datetime, Output | Truncated]
Store = Callable[[list[Timed]], Awaitable[None]]


class Relay:
    """Relays the streams of one attempt; `run` ends at the end of all of them."""

    def __init__(
        self,
        pipes: Mapping[OutputStream, int],
        store: Store,
        *,
        attempt: int,
        cap: int,
        now: Callable[[], datetime],
        secret_forms: Collection[bytes] = (),
    ) -> None:
        """`secret_forms` (`masking.forms_of`) never get through; sizes, hashes and the cap count what does."""
        self._pipes = dict(pipes)
        self._open = set(pipes)
        self._store = store
        self._attempt = attempt
        self._cap = cap
        self._now = now
        self._digests = {stream: OutputDigest() for stream in pipes}
        self._maskers = {stream: Masker(secret_forms) for stream in pipes}
        self._truncated: set[OutputStream] = set()
        self._batch: list[Timed] = []
        self._batch_bytes = 0
        self._reading: set[OutputStream] = set()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Stores batches until every stream has ended; raises what `store` raises, and then reads no more."""
        loop = asyncio.get_running_loop()
        self._resume()
        last = -PACE_SECONDS
        try:
            while self._open or self._batch:
                await self._changed.wait()
                await self._pace(last + PACE_SECONDS - loop.time())
                batch = self._take()
                last = loop.time()
                if batch:
                    await self._store(batch)
        finally:
            self._pause(set(self._reading))

    def seal(self) -> AttemptOutput:
        """Answers size, SHA-256 and text of both streams as far as they were read."""
        return AttemptOutput(
            self._digests[OutputStream.STDOUT].seal(),
            self._digests[OutputStream.STDERR].seal(),
            bool(self._truncated),
            sum(masker.count for masker in self._maskers.values()),
        )

    async def _pace(self, seconds: float) -> None:
        """Waits for the batch's time, or until it is full or the streams have ended."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self._open and self._batch_bytes < CHUNK_BYTES:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return
            self._changed.clear()
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                return

    def _take(self) -> list[Timed]:
        # A program often writes a line and its end in two pieces; what came since is read before the batch leaves.
        for stream in tuple(self._reading):
            self._read(stream)
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        self._changed.clear()
        if not self._open:
            self._changed.set()
        self._resume()
        return batch

    def _resume(self) -> None:
        loop = asyncio.get_running_loop()
        for stream in self._open - self._reading:
            loop.add_reader(self._pipes[stream], self._read, stream)
            self._reading.add(stream)

    def _pause(self, streams: set[OutputStream]) -> None:
        loop = asyncio.get_running_loop()
        for stream in streams:
            loop.remove_reader(self._pipes[stream])
        self._reading -= streams

    def _read(self, stream: OutputStream) -> None:
        try:
            data = os.read(self._pipes[stream], CHUNK_BYTES)
        except BlockingIOError:
            return
        if data:
            self._accept(stream, self._maskers[stream].feed(data))
        else:
            self._accept(stream, self._maskers[stream].end())
            self._pause({stream})
            self._open.discard(stream)
        if self._batch_bytes >= BATCH_BYTES or len(self._batch) >= BATCH_EVENTS:
            self._pause(set(self._reading))
        if self._batch or not self._open:
            self._changed.set()

    def _accept(self, stream: OutputStream, data: bytes) -> None:
        digest = self._digests[stream]
        offset = digest.size
        digest.feed(data)
        kept = data[: max(0, self._cap - offset)]
        for start in range(0, len(kept), CHUNK_BYTES):  # a mask may be longer than what it masks
            self._append(stream, offset + start, kept[start : start + CHUNK_BYTES])
        if len(kept) < len(data) and stream not in self._truncated:
            self._truncated.add(stream)
            self._batch.append((self._now(), Truncated(stream, self._attempt, offset + len(kept))))

    def _append(self, stream: OutputStream, offset: int, data: bytes) -> None:
        """Adds to the last chunk where that stays one chunk of one stream: single bytes do not become events."""
        self._batch_bytes += len(data)
        if self._batch:
            time, last = self._batch[-1]
            if isinstance(last, Output) and last.stream is stream and len(last.data) + len(data) <= CHUNK_BYTES:
                self._batch[-1] = (time, Output(stream, self._attempt, last.offset, last.data + data))
                return
        self._batch.append((self._now(), Output(stream, self._attempt, offset, data)))
