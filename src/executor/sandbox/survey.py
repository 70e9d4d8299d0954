"""What this machine can enforce, layer by layer: found by a sandbox that looks at itself, not by reading settings."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Collection
from dataclasses import dataclass

from executor.sandbox import process
from executor.sandbox.cgroup import CgroupRoot
from executor.sandbox.command import Job
from executor.sandbox.isolation import isolation_of
from kernel.execution.content import NetworkPolicy, ResourceLimits, ScriptLanguage
from kernel.ids import new_id

TRIAL_SECONDS = 60.0
"""A slow machine is not an open one: what is not heard within this time counts as not held."""

_LOOK = """
says() { "${@:2}" 2>/dev/null && echo "$1"; }
has() { grep -q "^$1:.$2$" /proc/self/status; }
alone() { [ "$(id -u)" = 1000 ] && [ "$(uname -n)" = sandbox ] && ! [ -e /proc/1/mem ]; }
powerless() { has CapEff 0000000000000000 && has CapBnd 0000000000000000 && has NoNewPrivs 1; }
filtered() { has Seccomp 2 && ! unshare --user true; }
closed() { ! [ -e /root ] && ! [ -e /home ] && ! touch /usr/mark && ! touch /mark && ! [ -w /proc/sys/kernel/msgmax ]; }
unconnected() { [ "$(tail -n +3 /proc/net/dev | wc -l)" = 1 ] && [ "$(wc -l </proc/net/route)" -le 1 ]; }
bare() { ! env | grep -qE '^ONCALL_(MASTER_KEY|DATABASE_URL|REDIS_URL)='; }
says process alone; says capabilities powerless; says "system calls" filtered; says filesystem closed
says network unconnected; says environment bare; echo end
trap '' TERM; while :; do sleep 1000; done
"""

_ADVICE = {
    "process": "allow user namespaces (sysctl user.max_user_namespaces, or an AppArmor profile for bwrap)",
    "capabilities": "update bubblewrap",
    "system calls": "install libseccomp, and use a kernel with CONFIG_SECCOMP_FILTER",
    "filesystem": "allow mount namespaces, and update bubblewrap",
    "network": "allow network namespaces",
    # The kernel says nothing of a refused allocation, and to read it out of a script's own words would be to guess.
    "memory": "delegate the memory controller of cgroups to the executor (systemd: Delegate=yes); until then a script "
    "that uses too much fails in its own way, as with MemoryError, and is not told as OUT_OF_MEMORY",
    "processes": "delegate the pids controller of cgroups to the executor (systemd: Delegate=yes)",
    "cpu": "delegate the cpu controller of cgroups to the executor (systemd: Delegate=yes)",
    "time": "allow process namespaces",
    "environment": "update bubblewrap",
}


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of isolation; `advice` says what would make it hold, or hold better; empty where nothing is to do."""

    name: str
    held: bool
    mechanism: str
    advice: str


async def survey(cgroups: CgroupRoot, user: int | None) -> list[Layer]:
    """Answers every layer, as a trial sandbox found it; SandboxError where there can be none.

    It looks with this machine's own programs: a toolbox root need not have them, and changes no layer.
    """
    job = Job(new_id(), 1, _LOOK, ScriptLanguage.BASH, NetworkPolicy.NONE, ResourceLimits(), {})
    sandbox = await process.start(job, cgroups=cgroups, name="survey", user=user)
    try:
        found = await _said(sandbox.stdout)
        sandbox.kill()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(sandbox.wait(), TRIAL_SECONDS)
            found.add("time")
    finally:
        await sandbox.close()
    layers = isolation_of(cgroups, NetworkPolicy.NONE, user is not None)
    return [_layer(layer["name"], layer["mechanism"], found) for layer in layers]


def missing(layers: Collection[Layer], required: Collection[str]) -> list[Layer]:
    """Answers the layers that are required and do not hold."""
    return [layer for layer in layers if layer.name in required and not layer.held]


def _layer(name: str, mechanism: str, found: Collection[str]) -> Layer:
    by_accounting = name in {"memory", "processes", "cpu"}
    held = bool(mechanism) if by_accounting else name in found
    best = held and not (by_accounting and "cgroup" not in mechanism)
    return Layer(name, held, mechanism if held else "", "" if best else _ADVICE[name])


async def _said(descriptor: int) -> set[str]:
    said = b""
    deadline = asyncio.get_running_loop().time() + TRIAL_SECONDS
    while b"end\n" not in said and asyncio.get_running_loop().time() < deadline:
        with contextlib.suppress(BlockingIOError):
            piece = os.read(descriptor, 4096)
            if not piece:
                break
            said += piece
        await asyncio.sleep(0.005)
    return set(said.decode("utf-8", "replace").splitlines())
