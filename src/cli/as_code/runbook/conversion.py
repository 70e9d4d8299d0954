"""Runbook files between their form and the contract."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value

from cli.as_code.runbook.form import FORMAT, STANDARD_LIMITS, RunbookForm, size_text
from cli.as_code.yaml_writing import plain_number
from cli.output import enum_name
from oncall.v1.runbook_pb2 import (
    PARAMETER_TYPE_INTEGER,
    PARAMETER_TYPE_NUMBER,
    ConcurrencyPolicy,
    NetworkPolicy,
    ParameterDefinition,
    ParameterType,
    ResourceLimits,
    Runbook,
    RunbookVersion,
    ScriptLanguage,
)


def to_version(form: RunbookForm, script: str) -> RunbookVersion:
    """Answers the version that a form and its script describe, every default filled in."""
    return RunbookVersion(
        script=script,
        language=ScriptLanguage.Value(f"SCRIPT_LANGUAGE_{form.language.upper()}"),
        parameters=[_definition(parameter.model_dump()) for parameter in form.parameters],
        timeout_seconds=form.timeout_seconds,
        max_retries=form.max_retries,
        requires_confirm=form.requires_confirm,
        secret_names=sorted(form.secret_names),
        network=NetworkPolicy.Value(f"NETWORK_POLICY_{form.network.upper()}"),
        limits=ResourceLimits(**form.limits.model_dump()),
        concurrency=ConcurrencyPolicy.Value(f"CONCURRENCY_POLICY_{form.concurrency.upper()}"),
        executor_tags=sorted(form.executor_tags),
        change_note=form.change_note,
    )


def _definition(fields: dict[str, Any]) -> ParameterDefinition:
    default = fields.pop("default")
    kind = ParameterType.Value(f"PARAMETER_TYPE_{fields.pop('type').upper()}")
    definition = ParameterDefinition(type=kind, **{name: value for name, value in fields.items() if value is not None})
    if default is not None:
        definition.default.CopyFrom(json_format.ParseDict(default, Value()))
    return definition


def to_fields(
    runbook: Runbook, version: RunbookVersion, *, team: str, service: str, script_file: str
) -> dict[str, Any]:
    """Answers what a file of this runbook says, in its order; what has its default value is left out."""
    fields = {
        "oncall": FORMAT,
        "name": runbook.name,
        "team": team,
        "service": service,
        "description": runbook.description,
        "language": enum_name(version, "language").lower(),
        "script_file": script_file,
        **settings_of(version),
        "change_note": version.change_note,
    }
    return {name: value for name, value in fields.items() if value != ""}


def settings_of(version: RunbookVersion) -> dict[str, Any]:
    """Answers what a version has beside script, language and note, as files write it, defaults left out."""
    settings = {
        "parameters": [_parameter_fields(parameter) for parameter in version.parameters],
        "timeout_seconds": version.timeout_seconds,
        "max_retries": version.max_retries,
        "requires_confirm": version.requires_confirm,
        "secret_names": list(version.secret_names),
        "network": enum_name(version, "network").lower(),
        "limits": _limits_fields(version.limits),
        "concurrency": enum_name(version, "concurrency").lower(),
        "executor_tags": list(version.executor_tags),
    }
    standard = {name: RunbookForm.model_fields[name].default for name in settings} | {"limits": {}}
    return {name: value for name, value in settings.items() if value != standard[name]}


def _limits_fields(limits: ResourceLimits) -> dict[str, Any]:
    fields = {
        "memory_bytes": size_text(limits.memory_bytes),
        "cpus": plain_number(limits.cpus),
        "processes": limits.processes,
        "disk_bytes": size_text(limits.disk_bytes),
    }
    standard = STANDARD_LIMITS
    usual = {"memory_bytes": size_text(standard.memory_bytes), "cpus": standard.cpus, "processes": standard.processes}
    usual["disk_bytes"] = size_text(standard.disk_bytes)
    return {name: value for name, value in fields.items() if value != usual[name]}


def _parameter_fields(parameter: ParameterDefinition) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": parameter.name, "type": enum_name(parameter, "type").lower()}
    if parameter.description:
        fields["description"] = parameter.description
    if parameter.required:
        fields["required"] = True
    if parameter.options:
        fields["options"] = list(parameter.options)
    if parameter.HasField("default"):
        default: Any = json_format.MessageToDict(parameter.default)
        numeric = parameter.type in {PARAMETER_TYPE_INTEGER, PARAMETER_TYPE_NUMBER}
        fields["default"] = plain_number(default) if numeric else default
    for bound in ("min", "max"):
        if parameter.HasField(bound):
            fields[bound] = plain_number(getattr(parameter, bound))
    if parameter.pattern:
        fields["pattern"] = parameter.pattern
    if fields["type"] == "string" and parameter.max_length not in {0, 4096}:
        fields["max_length"] = parameter.max_length
    if parameter.sensitive:
        fields["sensitive"] = True
    return fields
