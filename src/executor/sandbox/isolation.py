"""Which layers of isolation hold on this machine: proved by a trial sandbox at the start, told with every execution."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

from executor.sandbox import network, process
from executor.sandbox.cgroup import CgroupRoot
from executor.sandbox.command import Job
from executor.sandbox.process import SandboxError
from executor.sandbox.toolbox import Toolbox
from kernel.execution.content import NetworkPolicy, ResourceLimits, ScriptLanguage
from kernel.ids import new_id

LAYERS = (
    "process",
    "capabilities",
    "system calls",
    "filesystem",
    "network",
    "memory",
    "processes",
    "cpu",
    "time",
    "environment",
)


def isolation_of(cgroups: CgroupRoot, policy: NetworkPolicy, own_user: bool) -> list[dict[str, Any]]:
    """Answers the layers around a sandbox as `Execution.isolation` tells them."""
    held = cgroups.controllers

    def by_cgroup(controller: str, otherwise: str) -> str:
        return f"cgroup v{held[controller]}" if controller in held else otherwise

    mechanisms = {
        "process": "user, pid, ipc and uts namespaces" + ("; own user" if own_user else ""),
        "capabilities": "none",
        "system calls": "seccomp",
        "filesystem": "mount namespace, read-only system, tmpfs, masked /proc",
        "network": _network_mechanism(policy),
        "memory": by_cgroup("memory", "rlimit per process"),
        "processes": by_cgroup("pids", "rlimit"),
        "cpu": by_cgroup("cpu", ""),
        "time": "kill of the process namespace" + (" and of the cgroup" if cgroups.hierarchies else ""),
        "environment": "cleared",
    }
    return [{"name": name, "mechanism": mechanisms[name], "held": bool(mechanisms[name])} for name in LAYERS]


def _network_mechanism(policy: NetworkPolicy) -> str:
    if policy is not NetworkPolicy.NONE:
        return ""
    return "network namespace, loopback " + ("down" if network.prefix() else "up")


async def prove(cgroups: CgroupRoot, user: int | None, toolbox: Toolbox) -> None:
    """Runs an empty script in a sandbox; SandboxError with what to do where that cannot be had."""
    if shutil.which("bwrap") is None:
        raise SandboxError("bubblewrap is not installed; install the package `bubblewrap`")
    job = Job(new_id(), 1, "exit 7", ScriptLanguage.BASH, NetworkPolicy.NONE, ResourceLimits(), {})
    try:
        sandbox = await process.start(job, cgroups=cgroups, name="trial", user=user, toolbox=toolbox)
    except SandboxError as error:
        raise SandboxError(f"{error}{_advice()}") from None
    try:
        exited = await sandbox.wait()
        if exited.exit_code != 7:
            said = ""
            with contextlib.suppress(BlockingIOError):
                said = os.read(sandbox.stderr, 500).decode("utf-8", "replace").strip()
            raise SandboxError(f"a trial sandbox did not run its script: {said}{_advice()}")
    finally:
        await sandbox.close()


def _advice() -> str:
    switches = {
        "/proc/sys/kernel/unprivileged_userns_clone": ("0", "sysctl kernel.unprivileged_userns_clone=1"),
        "/proc/sys/user/max_user_namespaces": ("0", "sysctl user.max_user_namespaces=10000"),
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
            "1",
            "an AppArmor profile for bwrap, or sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    }
    for file, (off, remedy) in switches.items():
        with contextlib.suppress(OSError):
            if Path(file).read_text().strip() == off:
                return f"; user namespaces are off on this machine: {remedy}"
    return ""
