"""One run: rounds of requests sent at once, about a team and its things, which are made anew from time to time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from itertools import cycle, islice
from random import Random

import grpc
import psutil
from google.protobuf.descriptor import MethodDescriptor

from kernel.database import Sessions
from tests.fuzzing.answer import answer_of
from tests.fuzzing.callers import Callers, new_callers
from tests.fuzzing.gateway import a_gateway
from tests.fuzzing.requests import RequestFuzzer, all_methods
from tests.fuzzing.tally import Tally
from tests.fuzzing.vocabulary import Vocabulary
from tests.issuing import TokenIssuer

AT_ONCE = 16
REQUESTS_PER_CALLERS = 960
ROUNDS_FOR_THE_UNLUCKY = 20
MOST_PROBLEMS = 5


class Campaign:
    """Fuzzes the server behind `channel`, which is `process`; what comes of it is in `tally`."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        sessions: Sessions,
        issuer: TokenIssuer,
        process: psutil.Process,
        random: Random,
    ) -> None:
        self.tally = Tally()
        self._channel = channel
        self._sessions = sessions
        self._issuer = issuer
        self._process = process
        self._random = random
        self._vocabulary = Vocabulary(random)
        self._fuzzer = RequestFuzzer(random, self._vocabulary)

    async def run(self, requests: int) -> None:
        """Sends so many requests, or fewer where enough is found to be wrong; then more to RPCs that had no luck."""
        methods = cycle(self._random.sample(all_methods(), len(all_methods())))
        for _ in range(0, requests, REQUESTS_PER_CALLERS):
            async with AsyncExitStack() as stack:
                callers = await self._begin_anew(stack)
                for _ in range(0, min(REQUESTS_PER_CALLERS, requests - self.tally.codes.total()), AT_ONCE):
                    if not self._has_seen_enough():
                        await self._send(callers, islice(methods, AT_ONCE))
        for method in all_methods():
            if not self.tally.succeeded(method) and not self._has_seen_enough():
                await self._try_again(method)

    async def _begin_anew(self, stack: AsyncExitStack) -> Callers:
        callers = await new_callers(self._channel, self._sessions, self._vocabulary, self._issuer)
        self.tally.tokens += callers.tokens
        await stack.enter_async_context(a_gateway(self._channel, callers.metadata["gateway"]))
        return callers

    async def _try_again(self, method: MethodDescriptor) -> None:
        """Sends what is plausible to an RPC of which nothing has succeeded: a short run may just have had no luck.

        About things that nobody has taken away yet, which others that are tried again may have done.
        """
        async with AsyncExitStack() as stack:
            callers = await self._begin_anew(stack)
            for _ in range(ROUNDS_FOR_THE_UNLUCKY):
                if not self.tally.succeeded(method) and not self._has_seen_enough():
                    await self._send(callers, [method] * AT_ONCE, "plausible")

    async def _send(self, callers: Callers, methods: Iterable[MethodDescriptor], kind: str = "") -> None:
        requests = [(self._fuzzer.request(method, kind), callers.any(self._random, method)) for method in methods]
        calls = (
            answer_of(self._channel, request, callers.credential(self._random, caller)) for request, caller in requests
        )
        for (request, caller), answer in zip(requests, await asyncio.gather(*calls), strict=True):
            self.tally.note(request, caller, answer)
            for message in answer.messages:
                self._vocabulary.learn(message)
                self._vocabulary.learn_list(request.message(), message)
        self.tally.resident.append(self._process.memory_info().rss)

    def _has_seen_enough(self) -> bool:
        return len(self.tally.problems) >= MOST_PROBLEMS
