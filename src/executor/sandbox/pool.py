"""Where an executor gets its sandboxes: one that stands ready where there is one of the right shape, else a new one.

A few stand at any time, of the shapes that were asked for last. Each is used once and thrown away; the next is set up
in the background, one at a time, a moment after the last was handed out, so that the script that has just begun has the
processors. That a sandbox stood ready is never needed: whatever goes wrong with it, the job gets a new one.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter, deque
from collections.abc import Callable, Collection, Coroutine
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import structlog

from executor.sandbox import process
from executor.sandbox.cgroup import CgroupRoot
from executor.sandbox.command import Job
from executor.sandbox.isolation import isolation_of
from executor.sandbox.process import Sandbox, SandboxError
from executor.sandbox.standing import Standing, shape_of, stand
from executor.sandbox.toolbox import Toolbox
from kernel.execution.content import NetworkPolicy, ResourceLimits, ScriptLanguage

log = structlog.get_logger()

PAUSE_SECONDS = 0.025
"""What a script that has just begun gets before the next sandbox is set up beside it."""
SPARE_USERS = 1
"""For one sandbox that is replaced while it ends."""
BACKOFF_SECONDS = (1.0, 5.0, 30.0, 300.0)
CLOSE_SECONDS = 5.0
"""How long the end waits for what it killed: what the kernel keeps longer dies with the executor, or after it."""


class Sandboxes:
    """Starts sandboxes; `run` keeps `warm` of them standing until it is cancelled, `close` ends those."""

    def __init__(self, cgroups: CgroupRoot, users: range | None, toolbox: Toolbox, *, warm: int) -> None:
        """`users` are one for each that may run or stand at one time, and `SPARE_USERS`; None: the executor's own."""
        self._cgroups = cgroups
        self._toolbox = toolbox
        self._users = None if users is None else deque(users)
        self._standing: deque[Standing] = deque()
        self._wanted = deque([shape_of(ResourceLimits(), cgroups)] * warm, maxlen=warm)
        self._short = asyncio.Event()
        self._short.set()
        self._ending: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)

    @property
    def standing(self) -> tuple[Standing, ...]:
        return tuple(self._standing)

    def missing_interpreter(self, language: ScriptLanguage) -> str | None:
        return self._toolbox.missing_interpreter(language)

    def isolation(self, policy: NetworkPolicy) -> list[dict[str, Any]]:
        """Answers the layers around each sandbox, as `Execution.isolation` tells them."""
        return isolation_of(self._cgroups, policy, self._users is not None)

    async def start(self, job: Job, name: str, *, before_release: Callable[[Sandbox], object] = bool) -> Sandbox:
        """Lets `job` begin; `name` is its cgroup's where no sandbox stood ready. SandboxError where none can be had.

        `before_release` is called in the last moment before the script begins; what it raises keeps it from beginning.
        """
        standing = self._take(job)
        if standing is not None:
            try:
                return standing.hand_over(job, before_release)
            except (OSError, ValueError) as error:
                log.warning("warm_sandbox_refused", error=type(error).__name__)
                self._end(standing.discard())
            except BaseException:
                self._end(standing.discard())
                raise
        resources = ExitStack()
        user = self._take_user(resources)
        try:
            return await process.start(
                job,
                cgroups=self._cgroups,
                name=name,
                user=user,
                toolbox=self._toolbox,
                resources=resources,
                before_release=before_release,
            )
        except (SandboxError, OSError):
            resources.close()  # it may not have come to where they are closed with the sandbox
            raise

    async def run(self) -> None:
        """Keeps sandboxes standing. Ends when cancelled, or at once where none are wanted."""
        failures, said = 0, False
        while self._wanted.maxlen:
            await self._short.wait()
            self._short.clear()
            try:
                while (shape := self._next_shape()) is not None:
                    await self._refill(shape)
                    failures = 0
            except (SandboxError, OSError) as error:
                pause = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
                log.warning("no_warm_sandbox", error=str(error), again_in_seconds=pause)
                failures += 1
                self._short.set()
                await asyncio.sleep(pause)
                continue
            if not said:
                said = True
                log.info("warm_sandboxes", **footprint(self._standing))
            await self._short.wait()
            await asyncio.sleep(PAUSE_SECONDS)

    async def close(self) -> None:
        """Ends those that stand, and waits for all that end, for `CLOSE_SECONDS` at most.

        `run` must have ended, and no more be started.
        """
        while self._standing:
            self._end(self._standing.popleft().discard())
        if not self._ending:
            return
        _, left = await asyncio.wait(set(self._ending), timeout=CLOSE_SECONDS)
        if left:
            log.warning("warm_sandboxes_left", count=len(left), after_seconds=CLOSE_SECONDS)
            for ending in left:  # they give back what they hold, but for what the kernel keeps
                ending.cancel()
            await asyncio.wait(left)

    def _take(self, job: Job) -> Standing | None:
        """Answers one that fits, and remembers what was asked for."""
        if job.network is not NetworkPolicy.NONE or not self._wanted.maxlen:
            return None
        shape = shape_of(job.limits, self._cgroups)
        self._wanted.append(shape)
        self._short.set()
        for standing in [each for each in self._standing if each.shape == shape]:
            self._standing.remove(standing)
            if standing.fits(self._toolbox):
                return standing
            log.warning("warm_sandbox_gone")
            self._end(standing.discard())
        return None

    def _next_shape(self) -> ResourceLimits | None:
        """Answers what is missing among those that stand; of what is not wanted any more, it ends one for it."""
        lacking = Counter(self._wanted) - Counter(standing.shape for standing in self._standing)
        if not lacking:
            return None
        if len(self._standing) >= (self._wanted.maxlen or 0):
            wanted = Counter(self._wanted)
            extra = next(s for s in self._standing if wanted[s.shape] < sum(o.shape == s.shape for o in self._standing))
            self._standing.remove(extra)
            self._end(extra.discard())
        return next(iter(lacking))

    async def _refill(self, shape: ResourceLimits) -> None:
        # They may have the last of the users, but for the one that is to spare: so one that never dies stops nothing.
        while self._users is not None and len(self._ending) > SPARE_USERS:
            await asyncio.wait(set(self._ending), return_when=asyncio.FIRST_COMPLETED)
        setting_up = asyncio.create_task(self._set_up(shape))
        try:
            await asyncio.shield(setting_up)
        except asyncio.CancelledError:
            # Once, however often this one is: it ends what it has half made, and `close` waits for that.
            setting_up.cancel()
            self._ending.add(setting_up)
            setting_up.add_done_callback(self._ending.discard)
            raise

    async def _set_up(self, shape: ResourceLimits) -> None:
        resources = ExitStack()
        user = self._take_user(resources)
        name = f"warm-{next(self._numbers)}"
        stand_up = stand(shape, cgroups=self._cgroups, name=name, user=user, toolbox=self._toolbox, resources=resources)
        try:
            self._standing.append(await stand_up)
        except (SandboxError, OSError):
            resources.close()  # it may not have come to where they are closed with the sandbox
            raise

    def _take_user(self, resources: ExitStack) -> int | None:
        """Answers a user that no living sandbox has; it is free again when `resources` are closed."""
        if self._users is None:
            return None
        if not self._users:
            raise SandboxError("more sandboxes at one time than this executor has users for")
        user = self._users.popleft()
        resources.callback(self._users.append, user)
        return user

    def _end(self, ending: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(ending)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


def footprint(standing: Collection[Standing]) -> dict[str, int]:
    """Answers what standing sandboxes cost: how many there are, their processes, and the memory that is theirs alone.

    Pages that several processes share count for each by its part (PSS), as far as the kernel lets them be asked.
    """
    pids = [pid for each in standing for pid in each.pids]
    proportional = 0
    for pid in pids:
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            proportional += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return {"sandboxes": len(standing), "processes": len(pids), "memory_bytes": proportional}
