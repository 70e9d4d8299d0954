"""What a script sees: bubblewrap's arguments, and the files that it is given.

Nothing of it stands on a command line: arguments and files reach bubblewrap through anonymous memory files, because
values may be secret and any user of the machine can read `ps`. Inside there is one writable file system, a tmpfs
bounded by the version's `disk_bytes`, that holds the working directory and /tmp.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from executor.sandbox import network, syscalls
from executor.sandbox.masks import masks
from kernel.execution.content import NetworkPolicy, ResourceLimits, ScriptLanguage

SANDBOX_UID = 1000
"""Who a script believes to be; outside it is nobody."""

INPUT = "/run/oncall"
SECRETS = f"{INPUT}/secrets"
SCRATCH = "/sandbox"
LONGEST_SECRET_VARIABLE = 32 * 1024
"""Bytes; a longer secret is a file only, for fifty of them must fit into the 2 MiB that the kernel gives an exec."""
SHARED_MEMORY_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A language's program, its arguments before the script, and the script's file name."""

    program: str
    arguments: tuple[str, ...]
    script_name: str


INTERPRETERS = {
    ScriptLanguage.BASH: Interpreter("/usr/bin/bash", (), "script.sh"),
    ScriptLanguage.PYTHON: Interpreter("/usr/bin/python3", ("-u",), "script.py"),
    ScriptLanguage.JAVASCRIPT: Interpreter("/usr/bin/node", (), "script.js"),
}


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


def open_command(job: Job, resources: ExitStack) -> tuple[list[str], list[int]]:
    """Answers bubblewrap's command line and the descriptors it needs, closed with `resources`."""
    files = {
        f"{INPUT}/{INTERPRETERS[job.language].script_name}": job.script.encode(),
        f"{INPUT}/parameters.json": json.dumps(dict(job.parameters), ensure_ascii=False).encode(),
        "/etc/passwd": f"runbook:x:{SANDBOX_UID}:{SANDBOX_UID}::{SCRATCH}/work:/bin/bash\n".encode(),
        "/etc/group": f"runbook:x:{SANDBOX_UID}:\n".encode(),
        **{f"{SECRETS}/{name}": value.encode() for name, value in job.secrets.items()},
    }
    descriptors = {path: _memory_file(data, resources) for path, data in files.items()}
    filters = [_memory_file(program, resources) for program in syscalls.programs()]
    arguments = [*_namespaces(job), *_file_systems(job, descriptors), *_environment(job), *_filters(filters)]
    encoded = b"".join(argument.encode() + b"\0" for argument in arguments)
    arguments_fd = _memory_file(encoded, resources)
    interpreter = INTERPRETERS[job.language]
    command = [
        "bwrap",
        "--args",
        str(arguments_fd),
        "--",
        interpreter.program,
        *interpreter.arguments,
        f"{INPUT}/{interpreter.script_name}",
    ]
    return command, [arguments_fd, *filters, *descriptors.values()]


def _namespaces(job: Job) -> Iterator[str]:
    yield from ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
    if job.network is NetworkPolicy.NONE and not network.prefix():
        yield "--unshare-net"
    yield from ("--uid", str(SANDBOX_UID), "--gid", str(SANDBOX_UID), "--hostname", "sandbox")
    yield from ("--cap-drop", "ALL", "--new-session", "--die-with-parent")


def _file_systems(job: Job, files: Mapping[str, int]) -> Iterator[str]:
    yield from ("--ro-bind", "/usr", "/usr")
    for name in _TOP_LEVEL:
        path = Path(name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), name)
        elif path.is_dir():
            yield from ("--ro-bind", name, name)
    readable = _ETC + (_ETC_NETWORK if job.network is NetworkPolicy.HOST else ())
    for name in readable:
        yield from ("--ro-bind-try", name, name)
    yield from ("--proc", "/proc", *masks(), "--dev", "/dev")
    yield from ("--size", str(SHARED_MEMORY_BYTES), "--tmpfs", "/dev/shm", "--remount-ro", "/dev")  # noqa: S108
    yield from ("--size", str(job.limits.disk_bytes), "--tmpfs", SCRATCH)
    yield from ("--dir", f"{SCRATCH}/work", "--perms", "1777", "--dir", f"{SCRATCH}/tmp")  # noqa: S108 - its own
    yield from ("--symlink", f"{SCRATCH[1:]}/tmp", "/tmp", "--chdir", f"{SCRATCH}/work")  # noqa: S108
    yield from ("--perms", "0500", "--dir", SECRETS)
    for destination, descriptor in files.items():
        yield from ("--perms", _mode(destination), "--file", str(descriptor), destination)
    yield from ("--remount-ro", "/")


def _mode(path: str) -> str:
    return "0400" if path.startswith(f"{INPUT}/") else "0444"


_TOP_LEVEL = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime", "/etc/ssl/certs", "/etc/ca-certificates")
_ETC_NETWORK = ("/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/services", "/etc/protocols")


def _environment(job: Job) -> Iterator[str]:
    yield "--clearenv"
    variables = {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
        "HOME": f"{SCRATCH}/work",
        "TMPDIR": "/tmp",  # noqa: S108 - its own, see above
        "USER": "runbook",
        "LANG": "C.UTF-8",
        "ONCALL_EXECUTION_ID": str(job.execution_id),
        "ONCALL_ATTEMPT": str(job.attempt),
        "ONCALL_PARAMETERS": f"{INPUT}/parameters.json",
        "ONCALL_SECRETS": SECRETS,
        **{f"SECRET_{name.upper()}": value for name, value in job.secrets.items() if _fits(value)},
    }
    for name, value in job.parameters.items():
        if value is not None:
            variables[f"PARAM_{name.upper()}"] = as_text(value)
    for name, value in variables.items():
        yield from ("--setenv", name, value)


def _fits(secret: str) -> bool:
    return len(secret.encode()) <= LONGEST_SECRET_VARIABLE


def _filters(descriptors: Sequence[int]) -> Iterator[str]:
    for descriptor in descriptors:
        yield from ("--add-seccomp-fd", str(descriptor))


def as_text(value: str | float | bool) -> str:
    """Answers a value as its variable shows it: booleans as true and false, whole numbers without a point."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _memory_file(data: bytes, resources: ExitStack) -> int:
    descriptor = os.memfd_create("oncall", os.MFD_CLOEXEC)
    resources.callback(os.close, descriptor)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


@cache
def missing_interpreter(language: ScriptLanguage) -> str | None:
    """Answers the program that this machine lacks for `language`, if it does."""
    program = INTERPRETERS[language].program
    return None if os.access(program, os.X_OK) else program
