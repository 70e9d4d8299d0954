"""One attempt, from its claim to its end: check, sandbox, relay, record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from typing import Any

import structlog

from executor.inputs import InputError, Inputs, open_inputs
from executor.lease import Lease
from executor.record import LeaseLost, Recorder
from executor.relay import Relay
from executor.sandbox.command import Job
from executor.sandbox.output_folder import NoFile, OutputFolder
from executor.sandbox.pool import Sandboxes
from executor.sandbox.process import Exited, Sandbox, SandboxError
from executor.script_output import OUTPUT_BYTES, OutputError, object_of
from kernel.attempt_output import AttemptOutput
from kernel.cipher import Cipher
from kernel.database import Sessions
from kernel.execution.event import OutputStream
from kernel.execution.output import OutputDigest
from kernel.execution.status import CANCELLED, COMPLETED, FAILED, TIMEOUT, AttemptOutcome, ErrorCode
from kernel.lifecycle import Claim

log = structlog.get_logger()


class Stop(Enum):
    """Why this executor ended a script that had not ended by itself."""

    CANCELLED = auto()
    TIME_LIMIT = auto()
    DRAINED = auto()


@dataclass(frozen=True, slots=True)
class AttemptContext:
    """What all attempts of an executor share."""

    sessions: Sessions
    sandboxes: Sandboxes
    cipher: Cipher
    output_cap: int
    kill_grace_seconds: float
    now: Callable[[], datetime]


class Attempt:
    """Runs one claim; a `leases.Holder`."""

    def __init__(self, claim: Claim, recorder: Recorder, lease: Lease, context: AttemptContext) -> None:
        self._claim = claim
        self._recorder = recorder
        self._lease = lease
        self._context = context
        loop = asyncio.get_running_loop()
        self._stop: asyncio.Future[Stop] = loop.create_future()
        self._lost: asyncio.Future[None] = loop.create_future()

    def cancel(self) -> None:
        self._ask(Stop.CANCELLED)

    def drain(self) -> None:
        """The executor ends; the attempt counts as lost with it."""
        self._ask(Stop.DRAINED)

    def lose(self) -> None:
        if not self._lost.done():
            self._lost.set_result(None)

    async def run(self) -> None:
        """Runs the script and records its end; LeaseLost where somebody else does that now."""
        refusal = self._refusal()
        if refusal is not None:
            await self._recorder.finish(refusal, _no_output(), ())
            return
        try:
            inputs = await self._recorder.patiently(self._inputs)
            secret_forms = inputs.forms()  # before there is a sandbox that nobody follows yet
            self._check_lease()
            sandbox = await self._start(inputs)
        except (InputError, SandboxError) as error:
            code = error.code if isinstance(error, InputError) else ErrorCode.SANDBOX_FAILED
            log.error("attempt_not_begun", code=code, error=str(error))
            outcome = AttemptOutcome(FAILED, error_code=code, error_message=str(error))
            await self._recorder.finish(outcome, _no_output(), ())
            return
        log.info("attempt_began")  # not before, for the script has waited for it
        await self._follow(sandbox, secret_forms)

    async def _inputs(self) -> Inputs:
        return await open_inputs(self._context.sessions, self._context.cipher, self._claim)

    async def _start(self, inputs: Inputs) -> Sandbox:
        claim = self._claim
        job = Job(
            execution_id=claim.execution_id,
            attempt=claim.attempt,
            script=claim.content.script,
            language=claim.content.language,
            network=claim.content.network,
            limits=claim.content.limits,
            parameters=inputs.parameters,
            secrets=inputs.secrets,
        )
        name = f"{claim.execution_id}-{claim.epoch}"
        return await self._context.sandboxes.start(job, name, before_release=self._before_release)

    def _before_release(self, sandbox: Sandbox) -> None:
        self._check_lease()
        self._lease.guard(sandbox.first_fd)

    def _check_lease(self) -> None:
        """LeaseLost where it went while the script had not begun: then it must not begin any more."""
        if self._lost.done():
            raise LeaseLost

    async def _follow(self, sandbox: Sandbox, secret_forms: Collection[bytes]) -> None:
        relay = Relay(
            {OutputStream.STDOUT: sandbox.stdout, OutputStream.STDERR: sandbox.stderr},
            self._recorder.store,
            attempt=self._claim.attempt,
            cap=self._context.output_cap,
            now=self._context.now,
            secret_forms=secret_forms,
        )
        relaying = asyncio.create_task(relay.run())
        relaying.add_done_callback(self._relay_ended)
        try:
            exited, stopped = await self._until_gone(sandbox)
            await relaying  # what the pipes still hold is the script's too
            output = _with_object(relay.seal(), sandbox.folder, secret_forms)
        finally:
            relaying.cancel()
            await asyncio.gather(relaying, return_exceptions=True)
            await asyncio.shield(sandbox.close())
        isolation = self._context.sandboxes.isolation(self._claim.content.network)
        moved = await self._recorder.finish(self._outcome(exited, stopped), output, isolation)
        log.info("attempt_ended", status=moved.status)

    async def _until_gone(self, sandbox: Sandbox) -> tuple[Exited, Stop | None]:
        """Waits until every process of the sandbox is gone; says why this executor ended it, if it did.

        The lease going leaves no time for grace: LeaseLost, when all is dead; also where the switch killed it, for this
        executor stood still.
        """
        gone = asyncio.create_task(sandbox.wait())
        stopped: Stop | None = None
        try:
            await _first({gone, self._stop, self._lost}, within=self._claim.content.timeout_seconds)
            if not gone.done() and not self._lost.done() and not self._lease.killed:
                stopped = self._stop.result() if self._stop.done() else Stop.TIME_LIMIT
                sandbox.terminate()
                await _first({gone, self._lost}, within=self._context.kill_grace_seconds)
            killed_for_lease = not gone.done() and self._lost.done()
            sandbox.kill()
            exited = await gone
        finally:
            gone.cancel()
        if killed_for_lease or (stopped is None and self._lease.killed):
            raise LeaseLost
        return exited, stopped

    def _relay_ended(self, relaying: asyncio.Task[None]) -> None:
        """A script whose output cannot be kept must not run on."""
        if not relaying.cancelled() and relaying.exception() is not None:
            self.lose()

    def _outcome(self, exited: Exited, stopped: Stop | None) -> AttemptOutcome:
        limit = self._claim.content.timeout_seconds
        match stopped:
            case Stop.CANCELLED:
                return AttemptOutcome(CANCELLED, None, ErrorCode.CANCELLED, "cancelled on request")
            case Stop.TIME_LIMIT:
                return AttemptOutcome(TIMEOUT, None, ErrorCode.TIME_LIMIT, f"ran longer than its limit of {limit} s")
            case Stop.DRAINED:
                return AttemptOutcome(FAILED, None, ErrorCode.EXECUTOR_LOST, "its executor was stopped")
        if exited.exit_code is None:
            message = "the sandbox ended without the script's exit code"
            return AttemptOutcome(FAILED, None, ErrorCode.SANDBOX_FAILED, message)
        if exited.exit_code == 0:
            return AttemptOutcome(COMPLETED, 0)
        if exited.out_of_memory:
            memory = self._claim.content.limits.memory_bytes
            message = f"a process was killed because all together used more than {memory} bytes of memory"
            return AttemptOutcome(FAILED, exited.exit_code, ErrorCode.OUT_OF_MEMORY, message)
        return AttemptOutcome(FAILED, exited.exit_code)

    def _refusal(self) -> AttemptOutcome | None:
        """Answers why this claim must not run here at all, if so."""
        claim = self._claim
        if claim.content.digest() != claim.digest:
            message = "the stored version is not what was approved; it was not run"
            return AttemptOutcome(FAILED, error_code=ErrorCode.DIGEST_MISMATCH, error_message=message)
        program = self._context.sandboxes.missing_interpreter(claim.content.language)
        if program is not None:
            message = f"{program} is not installed on the executor's machine"
            return AttemptOutcome(FAILED, error_code=ErrorCode.SANDBOX_FAILED, error_message=message)
        return None

    def _ask(self, stop: Stop) -> None:
        if not self._stop.done():
            self._stop.set_result(stop)


async def _first(futures: set[asyncio.Future[Any]], *, within: float) -> None:
    await asyncio.wait(futures, timeout=within, return_when=asyncio.FIRST_COMPLETED)


def _with_object(output: AttemptOutput, folder: OutputFolder | None, secret_forms: Collection[bytes]) -> AttemptOutput:
    """Answers `output` with the object that the script left besides, or with why what it left is none."""
    if folder is None:
        return replace(output, problem="its executor cannot look for it on this machine")
    try:
        data = folder.read(OUTPUT_BYTES)
        if data is None:
            return output
        value, masked_count = object_of(data, secret_forms)
    except (NoFile, OutputError) as error:
        return replace(output, problem=str(error))
    return replace(output, value=value, masked_count=output.masked_count + masked_count)


def _no_output() -> AttemptOutput:
    return AttemptOutput(OutputDigest().seal(), OutputDigest().seal())
