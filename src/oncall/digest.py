"""The digest of a version, computed from its content alone: what an approval names, and what proves two the same.

The canonical form is documented at `RunbookVersion.digest` in the contract. Computing it here lets a program hold a
version against files, and against what somebody says was approved, without trusting the server's word for it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from oncall.v1.runbook_pb2 import (
    CONCURRENCY_POLICY_ALLOW,
    NETWORK_POLICY_NONE,
    PARAMETER_TYPE_INTEGER,
    PARAMETER_TYPE_NUMBER,
    ConcurrencyPolicy,
    NetworkPolicy,
    ParameterDefinition,
    ParameterType,
    ResourceLimits,
    RunbookVersion,
    ScriptLanguage,
)

_MIB = 1024 * 1024


def digest_of(version: RunbookVersion) -> str:
    """Answers the lowercase hexadecimal SHA-256 of the canonical form; `version.digest` itself is not looked at."""
    return hashlib.sha256(canonical_form(version)).hexdigest()


def canonical_form(version: RunbookVersion) -> bytes:
    """Answers the bytes that are hashed; what is unset counts as its default."""
    form = {
        "concurrency": ConcurrencyPolicy.Name(version.concurrency or CONCURRENCY_POLICY_ALLOW).removeprefix(
            "CONCURRENCY_POLICY_"
        ),
        "language": ScriptLanguage.Name(version.language).removeprefix("SCRIPT_LANGUAGE_"),
        "limits": _limits(version.limits),
        "max_retries": version.max_retries,
        "network": NetworkPolicy.Name(version.network or NETWORK_POLICY_NONE).removeprefix("NETWORK_POLICY_"),
        "parameters": [_parameter(parameter) for parameter in version.parameters],
        "requires_confirm": version.requires_confirm,
        "script": version.script,
        "secret_names": sorted(version.secret_names),
        "timeout_seconds": version.timeout_seconds or 60,
    }
    if version.executor_tags:
        form["executor_tags"] = sorted(version.executor_tags)
    return json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _limits(limits: ResourceLimits) -> dict[str, Any]:
    return {
        "cpus": _number(limits.cpus or 1.0),
        "disk_bytes": limits.disk_bytes or 64 * _MIB,
        "memory_bytes": limits.memory_bytes or 512 * _MIB,
        "processes": limits.processes or 128,
    }


def _parameter(parameter: ParameterDefinition) -> dict[str, Any]:
    return {
        "default": _default(parameter),
        "description": parameter.description,
        "max": _number(parameter.max) if parameter.HasField("max") else None,
        "max_length": parameter.max_length or 4096,
        "min": _number(parameter.min) if parameter.HasField("min") else None,
        "name": parameter.name,
        "options": list(parameter.options),
        "pattern": parameter.pattern,
        "required": parameter.required,
        "sensitive": parameter.sensitive,
        "type": ParameterType.Name(parameter.type).removeprefix("PARAMETER_TYPE_"),
    }


def _default(parameter: ParameterDefinition) -> str | float | bool | None:
    kind = parameter.default.WhichOneof("kind")
    if kind in {None, "null_value"}:
        return None
    value: str | float | bool = getattr(parameter.default, str(kind))
    if parameter.type == PARAMETER_TYPE_NUMBER:
        return _number(float(value))
    if parameter.type == PARAMETER_TYPE_INTEGER and float(value).is_integer():
        return int(value)
    return value


def _number(value: float) -> float:
    """Makes 0.0 and -0.0 one thing."""
    return value + 0.0
