"""Everything of a runbook version that runs, and the digest that an approval names.

The server computes the digest when a version is written; the executor computes it again before it runs, so that what
was approved is what runs. The canonical form is documented at `RunbookVersion.digest` in the contract.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any


class ScriptLanguage(StrEnum):
    BASH = "BASH"
    PYTHON = "PYTHON"
    JAVASCRIPT = "JAVASCRIPT"


class NetworkPolicy(StrEnum):
    NONE = "NONE"
    HOST = "HOST"


class ConcurrencyPolicy(StrEnum):
    ALLOW = "ALLOW"
    FORBID = "FORBID"
    QUEUE = "QUEUE"


class ParameterType(StrEnum):
    STRING = "STRING"
    INTEGER = "INTEGER"
    NUMBER = "NUMBER"
    BOOLEAN = "BOOLEAN"
    ENUM = "ENUM"


MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """What one attempt may use: bytes, cores, processes and threads, bytes."""

    memory_bytes: int = 512 * MIB
    cpus: float = 1.0
    processes: int = 128
    disk_bytes: int = 64 * MIB


@dataclass(frozen=True, slots=True)
class ParameterDefinition:
    """One parameter; the rules of its fields stand in the contract."""

    name: str
    type: ParameterType
    required: bool = False
    default: str | float | bool | None = None
    description: str = ""
    pattern: str = ""
    min: float | None = None
    max: float | None = None
    max_length: int = 4096
    options: tuple[str, ...] = ()
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class VersionContent:
    """An immutable snapshot of everything that runs, defaults filled in."""

    script: str
    language: ScriptLanguage
    parameters: tuple[ParameterDefinition, ...] = ()
    timeout_seconds: int = 60
    max_retries: int = 0
    requires_confirm: bool = False
    secret_names: tuple[str, ...] = ()
    network: NetworkPolicy = NetworkPolicy.NONE
    limits: ResourceLimits = ResourceLimits()
    concurrency: ConcurrencyPolicy = ConcurrencyPolicy.ALLOW
    executor_tags: tuple[str, ...] = ()

    def canonical(self) -> bytes:
        form = _fields(self) | {"limits": _fields(self.limits), "parameters": [_fields(p) for p in self.parameters]}
        form["secret_names"] = sorted(self.secret_names)
        form["executor_tags"] = sorted(self.executor_tags)
        if not self.executor_tags:
            del form["executor_tags"]  # as it was before there were any, so that older digests stay true
        form["limits"]["cpus"] = _canonical_float(self.limits.cpus)
        for parameter in form["parameters"]:
            for bound in ("min", "max"):
                parameter[bound] = _canonical_float(parameter[bound])
            if parameter["type"] == ParameterType.NUMBER:
                parameter["default"] = _canonical_float(parameter["default"])
        return json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def digest(self) -> str:
        """Answers the lowercase hexadecimal SHA-256 of the canonical form."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Answers the settings as the database keeps them: all fields but the script."""
        form = asdict(self)
        del form["script"]
        return form

    @classmethod
    def from_json(cls, script: str, form: dict[str, Any]) -> VersionContent:
        """Reads what `to_json` wrote."""
        return cls(
            script=script,
            language=ScriptLanguage(form["language"]),
            parameters=tuple(_parameter(p) for p in form["parameters"]),
            timeout_seconds=form["timeout_seconds"],
            max_retries=form["max_retries"],
            requires_confirm=form["requires_confirm"],
            secret_names=tuple(form["secret_names"]),
            network=NetworkPolicy(form["network"]),
            limits=ResourceLimits(**form["limits"]),
            concurrency=ConcurrencyPolicy(form["concurrency"]),
            executor_tags=tuple(form.get("executor_tags", ())),
        )


def _fields(value: VersionContent | ResourceLimits | ParameterDefinition) -> dict[str, Any]:
    """Answers them as they are; `asdict` would copy each, and every attempt waits for its digest."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _parameter(form: dict[str, Any]) -> ParameterDefinition:
    return ParameterDefinition(**{**form, "type": ParameterType(form["type"]), "options": tuple(form["options"])})


def _canonical_float(value: float | None) -> float | None:
    """Makes 1 and 1.0, and 0.0 and -0.0, one thing."""
    return None if value is None else float(value) + 0.0
