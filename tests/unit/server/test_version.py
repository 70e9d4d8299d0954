"""What is checked when a version is written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kernel.errors import InvalidArgument
from kernel.execution.content import MIB, ConcurrencyPolicy, NetworkPolicy, ResourceLimits, VersionContent
from server.domain.parameter_definition import ParameterDraft
from server.domain.version import VersionDraft, check_draft
from server.domain.violation import Violations

DRAFT = VersionDraft(script="true", language="BASH")


def _content(**changes: Any) -> VersionContent:
    violations = Violations()
    content = check_draft(violations, "version", replace(DRAFT, **changes))
    violations.raise_if_any()
    assert content is not None
    return content


def _fields(**changes: Any) -> list[str]:
    with pytest.raises(InvalidArgument) as refused:
        _content(**changes)
    return [violation.field for violation in refused.value.violations]


def _parameter(**fields: Any) -> dict[str, Any]:
    return {"parameters": [ParameterDraft(**{"name": "p", "type": "STRING", **fields})]}


def test_defaults_are_filled_in() -> None:
    content = _content()
    assert (content.timeout_seconds, content.max_retries) == (60, 0)
    assert (content.network, content.concurrency) == (NetworkPolicy.NONE, ConcurrencyPolicy.ALLOW)
    assert content.limits == ResourceLimits()


def test_the_digest_does_not_depend_on_the_order_of_secret_names_or_on_whether_defaults_were_written_out() -> None:
    assert _content(secret_names=["b", "a"]).digest() == _content(secret_names=["a", "b"]).digest()
    assert _content(timeout_seconds=60, network="NONE", cpus=1.0).digest() == _content().digest()
    assert _content(timeout_seconds=61).digest() != _content().digest()


def test_what_is_stored_is_read_back_with_the_same_digest() -> None:
    content = _content(**_parameter(type="NUMBER", default=1.0, min=-1.5, max=2.0), cpus=0.5)
    assert VersionContent.from_json(content.script, content.to_json()) == content


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"script": ""}, "version.script"),
        ({"script": "#" * (MIB + 1)}, "version.script"),
        ({"script": "é" * (MIB // 2) + "a"}, "version.script"),
        ({"script": "a\x00"}, "version.script"),
        ({"script": "\udc80"}, "version.script"),
        ({"language": ""}, "version.language"),
        ({"language": "RUBY"}, "version.language"),
        ({"timeout_seconds": 301}, "version.timeout_seconds"),
        ({"timeout_seconds": -1}, "version.timeout_seconds"),
        ({"max_retries": 4}, "version.max_retries"),
        ({"network": "WEB"}, "version.network"),
        ({"concurrency": "7"}, "version.concurrency"),
        ({"memory_bytes": 16 * MIB - 1}, "version.limits.memory_bytes"),
        ({"memory_bytes": 4096 * MIB + 1}, "version.limits.memory_bytes"),
        ({"cpus": 0.09}, "version.limits.cpus"),
        ({"cpus": float("nan")}, "version.limits.cpus"),
        ({"cpus": float("inf")}, "version.limits.cpus"),
        ({"processes": 4097}, "version.limits.processes"),
        ({"disk_bytes": MIB - 1}, "version.limits.disk_bytes"),
        ({"secret_names": ["../x"]}, "version.secret_names[0]"),
        ({"secret_names": ["a", "a"]}, "version.secret_names"),
        ({"secret_names": ["api_KEY", "API_key"]}, "version.secret_names"),
        ({"secret_names": [f"s{i}" for i in range(51)]}, "version.secret_names"),
        ({"executor_tags": ["eu", "EU"]}, "version.executor_tags[1]"),
        ({"executor_tags": ["eu+gpu"]}, "version.executor_tags[0]"),
        ({"executor_tags": ["a" * 33]}, "version.executor_tags[0]"),
        ({"executor_tags": ["eu\n"]}, "version.executor_tags[0]"),
        ({"executor_tags": ["eu", "eu"]}, "version.executor_tags"),
        ({"executor_tags": ["a", "b", "c", "d", "e"]}, "version.executor_tags"),
        ({"change_note": "n" * 1001}, "version.change_note"),
        ({"parameters": [ParameterDraft("p", "STRING")] * 2}, "version.parameters"),
        ({"parameters": [ParameterDraft(f"p{i}", "STRING") for i in range(101)]}, "version.parameters"),
        (_parameter(name=""), "version.parameters[0].name"),
        (_parameter(name="a" * 65), "version.parameters[0].name"),
        (_parameter(name="a\n"), "version.parameters[0].name"),
        (_parameter(type=""), "version.parameters[0].type"),
        (_parameter(type="9"), "version.parameters[0].type"),
        (_parameter(description="d" * 1001), "version.parameters[0].description"),
        (_parameter(pattern="("), "version.parameters[0].pattern"),
        (_parameter(pattern=r"(a)\1"), "version.parameters[0].pattern"),
        (_parameter(pattern="a" * 501), "version.parameters[0].pattern"),
        (_parameter(max_length=-1), "version.parameters[0].max_length"),
        (_parameter(max_length=16_385), "version.parameters[0].max_length"),
        (_parameter(min=1.0), "version.parameters[0].min"),
        (_parameter(options=["a"]), "version.parameters[0].options"),
        (_parameter(type="INTEGER", pattern="a"), "version.parameters[0].pattern"),
        (_parameter(type="INTEGER", min=2.0, max=1.0), "version.parameters[0].max"),
        (_parameter(type="NUMBER", min=float("nan")), "version.parameters[0].min"),
        (_parameter(type="ENUM"), "version.parameters[0].options"),
        (_parameter(type="ENUM", options=["a", "a"]), "version.parameters[0].options"),
        (_parameter(type="ENUM", options=[""]), "version.parameters[0].options[0]"),
        (_parameter(type="ENUM", options=["a"], default="b"), "version.parameters[0].default"),
        (_parameter(type="INTEGER", default=1.5), "version.parameters[0].default"),
        (_parameter(default="x", pattern="y"), "version.parameters[0].default"),
        (_parameter(default="x", sensitive=True), "version.parameters[0].default"),
    ],
)
def test_each_limit_has_a_violation_at_its_field(changes: dict[str, Any], field: str) -> None:
    assert _fields(**changes) == [field]


def test_the_limits_themselves_are_allowed() -> None:
    _content(script="#" * MIB, timeout_seconds=300, max_retries=3, cpus=16.0, memory_bytes=4096 * MIB)
    _content(**_parameter(name="a" * 64, pattern="a" * 500, max_length=16_384))


def test_settings_that_are_huge_all_together_are_refused() -> None:
    options = [f"{i:03}" + "☃" * 197 for i in range(100)]
    parameters = [ParameterDraft(f"p{i}", "ENUM", options=options) for i in range(100)]
    assert _fields(parameters=parameters) == ["version.parameters"]
