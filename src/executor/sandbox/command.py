"""What a script sees: bubblewrap's arguments, and the files that it is given.

Nothing of it stands on a command line: arguments and files reach bubblewrap through anonymous memory files, because
values may be secret and any user of the machine can read `ps`. Inside there is one writable file system, a tmpfs
bounded by the version's `disk_bytes`, that holds the working directory and /tmp; and a small one for the output.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from executor.sandbox import network, syscalls
from executor.sandbox.masks import masks
from executor.sandbox.toolbox import INTERPRETERS, SHELL, Toolbox
from kernel.execution.content import NetworkPolicy, ResourceLimits, ScriptLanguage

SANDBOX_UID = 1000
"""Who a script believes to be; outside it is nobody."""

INPUT = "/run/oncall"
SECRETS = f"{INPUT}/secrets"
IDENTITY = "execution_id"
"""In `INPUT`: by this whoever looks from outside knows whose a process is, since a shell that has waited does not show
its variables in `/proc`."""
WAITING_SHELL = (SHELL, f"{INPUT}/{INTERPRETERS[ScriptLanguage.BASH].script_name}")
LANGUAGE = "C.UTF-8"
SCRATCH = "/sandbox"
OUTPUT_FOLDER = "/run/output"
OUTPUT_NAME = "output.json"
"""In `OUTPUT_FOLDER`: a file that is not there before the script makes it."""
OUTPUT_DISK_BYTES = 1024 * 1024
"""More than an output may have, so that one which is too large is told as such; and room for it on a full disk."""
LONGEST_SECRET_VARIABLE = 32 * 1024
"""Bytes; a longer secret is a file only, for fifty of them must fit into the 2 MiB that the kernel gives an exec."""
SHARED_MEMORY_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Job:
    """All that one attempt needs; `parameters` and `secrets` in clear, as the script shall see them."""

    execution_id: UUID
    attempt: int
    script: str = field(repr=False)
    language: ScriptLanguage
    network: NetworkPolicy
    limits: ResourceLimits
    parameters: Mapping[str, Any] = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False, default_factory=dict)


@dataclass(frozen=True, slots=True)
class Opened:
    """Bubblewrap's command line, and the descriptors that it needs beside its standard ones."""

    words: list[str]
    descriptors: list[int]


def open_command(job: Job, toolbox: Toolbox, orders: int, resources: ExitStack) -> Opened:
    """Answers the command that makes a sandbox for `job`, and a shell in it that waits.

    `orders` is how the shell numbers the file that tells it to (`prelude.waiting`). The command's own descriptors are
    closed with `resources`.
    """
    inputs = {f"{INPUT}/{name}": data for name, data in inputs_of(job).items()}
    arguments = [*_namespaces(job.network), *_file_systems(toolbox, job.network, job.limits.disk_bytes)]
    folder = (*_run_folder(), "--perms", "0755", "--dir", INPUT, "--perms", "0500", "--dir", SECRETS)
    return _open([*arguments, *folder], inputs, orders, resources)


def open_waiting_command(disk_bytes: int, toolbox: Toolbox, inputs: str, orders: int, resources: ExitStack) -> Opened:
    """As `open_command`, for a job that is not known yet.

    `inputs` is a folder that its own files will be written to; inside it is read-only.
    """
    arguments = [*_namespaces(NetworkPolicy.NONE), *_file_systems(toolbox, NetworkPolicy.NONE, disk_bytes)]
    folder = (*_run_folder(), "--ro-bind", inputs, INPUT)
    return _open([*arguments, *folder], {}, orders, resources)


def _open(arguments: list[str], inputs: Mapping[str, bytes], orders: int, resources: ExitStack) -> Opened:
    files = {**_ACCOUNT, **inputs}
    descriptors = {path: memory_file(data, resources) for path, data in files.items()}
    filters = [memory_file(program, resources) for program in syscalls.programs()]
    for path, descriptor in descriptors.items():
        arguments += ("--perms", "0400" if path in inputs else "0444", "--file", str(descriptor), path)
    arguments.append("--clearenv")
    for name, value in {**_SAME_FOR_ALL, "BASH_ENV": f"/proc/self/fd/{orders}"}.items():
        arguments += ("--setenv", name, value)
    arguments += ("--remount-ro", "/")
    for descriptor in filters:
        arguments += ("--add-seccomp-fd", str(descriptor))
    encoded = b"".join(argument.encode() + b"\0" for argument in arguments)
    arguments_fd = memory_file(encoded, resources)
    words = ["bwrap", "--args", str(arguments_fd), "--", *WAITING_SHELL]
    return Opened(words, [arguments_fd, *filters, *descriptors.values()])


def program_of(job: Job) -> list[str] | None:
    """Answers what runs the script; None where that is the shell that has waited for it."""
    if job.language is ScriptLanguage.BASH:
        return None
    interpreter = INTERPRETERS[job.language]
    return [interpreter.program, *interpreter.arguments, f"{INPUT}/{interpreter.script_name}"]


def inputs_of(job: Job) -> dict[str, bytes]:
    """Answers the files in `INPUT`, by their names there."""
    return {
        IDENTITY: f"{job.execution_id}\n".encode(),
        INTERPRETERS[job.language].script_name: job.script.encode(),
        "parameters.json": json.dumps(dict(job.parameters), ensure_ascii=False).encode(),
        **{f"secrets/{name}": value.encode() for name, value in job.secrets.items()},
    }


def variables_of(job: Job) -> dict[str, str]:
    """Answers what the environment of the script has besides `_SAME_FOR_ALL`, and the PWD that bubblewrap adds."""
    variables = {
        "ONCALL_EXECUTION_ID": str(job.execution_id),
        "ONCALL_ATTEMPT": str(job.attempt),
        **{f"SECRET_{name.upper()}": value for name, value in job.secrets.items() if _fits(value)},
    }
    for name, value in job.parameters.items():
        if value is not None:
            variables[f"PARAM_{name.upper()}"] = as_text(value)
    return variables


_SAME_FOR_ALL = {
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
    "HOME": f"{SCRATCH}/work",
    "TMPDIR": "/tmp",  # noqa: S108 - its own, see below
    "USER": "runbook",
    "LANG": LANGUAGE,
    "ONCALL_OUTPUT": f"{OUTPUT_FOLDER}/{OUTPUT_NAME}",
    "ONCALL_PARAMETERS": f"{INPUT}/parameters.json",
    "ONCALL_SECRETS": SECRETS,
}
_ACCOUNT = {
    "/etc/passwd": f"runbook:x:{SANDBOX_UID}:{SANDBOX_UID}::{SCRATCH}/work:/bin/bash\n".encode(),
    "/etc/group": f"runbook:x:{SANDBOX_UID}:\n".encode(),
}


def _namespaces(policy: NetworkPolicy) -> Iterator[str]:
    yield from ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
    if policy is NetworkPolicy.NONE and not network.prefix():
        yield "--unshare-net"
    yield from ("--uid", str(SANDBOX_UID), "--gid", str(SANDBOX_UID), "--hostname", "sandbox")
    yield from ("--cap-drop", "ALL", "--new-session", "--die-with-parent")


def _file_systems(toolbox: Toolbox, policy: NetworkPolicy, disk_bytes: int) -> Iterator[str]:
    yield from toolbox.binds(host_network=policy is NetworkPolicy.HOST)
    yield from ("--proc", "/proc", *masks(), "--dev", "/dev")
    yield from ("--size", str(SHARED_MEMORY_BYTES), "--tmpfs", "/dev/shm", "--remount-ro", "/dev")  # noqa: S108
    yield from ("--size", str(disk_bytes), "--tmpfs", SCRATCH)
    yield from ("--dir", f"{SCRATCH}/work", "--perms", "1777", "--dir", f"{SCRATCH}/tmp")  # noqa: S108 - its own
    yield from ("--symlink", f"{SCRATCH[1:]}/tmp", "/tmp", "--chdir", f"{SCRATCH}/work")  # noqa: S108


def _run_folder() -> Iterator[str]:
    yield from ("--perms", "0755", "--dir", "/run", "--size", str(OUTPUT_DISK_BYTES), "--tmpfs", OUTPUT_FOLDER)


def _fits(secret: str) -> bool:
    return len(secret.encode()) <= LONGEST_SECRET_VARIABLE


def as_text(value: str | float | bool) -> str:
    """Answers a value as its variable shows it: booleans as true and false, whole numbers without a point."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def memory_file(data: bytes, resources: ExitStack) -> int:
    """Answers a descriptor of an anonymous file that holds `data`, at its beginning; closed with `resources`."""
    descriptor = os.memfd_create("oncall", os.MFD_CLOEXEC)
    resources.callback(os.close, descriptor)
    write_whole(descriptor, data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def write_whole(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
