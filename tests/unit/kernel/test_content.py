"""The digest: one for what means the same, another for anything that matters."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import pytest

from kernel.execution.content import (
    ConcurrencyPolicy,
    NetworkPolicy,
    ParameterDefinition,
    ParameterType,
    ResourceLimits,
    ScriptLanguage,
    VersionContent,
)

BASE = VersionContent(
    script="echo ä\n",
    language=ScriptLanguage.BASH,
    parameters=(ParameterDefinition("count", ParameterType.NUMBER, default=1, min=0, max=1e22, options=("a",)),),
    secret_names=("b", "a"),
)

CHANGES: list[dict[str, Any]] = [
    {"script": "echo ä"},
    {"language": ScriptLanguage.PYTHON},
    {"parameters": ()},
    {"timeout_seconds": 61},
    {"max_retries": 1},
    {"requires_confirm": True},
    {"secret_names": ("a",)},
    {"network": NetworkPolicy.HOST},
    {"limits": ResourceLimits(cpus=2)},
    {"concurrency": ConcurrencyPolicy.QUEUE},
    {"executor_tags": ("eu",)},
]


def test_every_field_is_tried_below() -> None:
    assert {field.name for field in dataclasses.fields(VersionContent)} == {name for c in CHANGES for name in c}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_anything_that_matters_changes_the_digest(change: dict[str, Any]) -> None:
    assert dataclasses.replace(BASE, **change).digest() != BASE.digest()


def test_the_order_of_secrets_and_the_kind_of_number_do_not_matter() -> None:
    parameter = dataclasses.replace(BASE.parameters[0], default=1.0, min=-0.0, max=1e22)
    same = dataclasses.replace(
        BASE, secret_names=("a", "b"), parameters=(parameter,), limits=dataclasses.replace(BASE.limits, cpus=1)
    )

    assert same.digest() == BASE.digest()


def test_what_the_database_gives_back_has_the_same_digest() -> None:
    stored = json.loads(json.dumps(BASE.to_json()))

    assert VersionContent.from_json(BASE.script, stored) == BASE
    assert VersionContent.from_json(BASE.script, stored).digest() == BASE.digest()


def test_the_canonical_form_is_what_the_contract_says() -> None:
    canonical = BASE.canonical()

    assert hashlib.sha256(canonical).hexdigest() == BASE.digest()
    assert json.loads(canonical) == {
        "concurrency": "ALLOW",
        "language": "BASH",
        "limits": {"cpus": 1.0, "disk_bytes": 67108864, "memory_bytes": 536870912, "processes": 128},
        "max_retries": 0,
        "network": "NONE",
        "parameters": [
            {
                "default": 1.0,
                "description": "",
                "max": 1e22,
                "max_length": 4096,
                "min": 0.0,
                "name": "count",
                "options": ["a"],
                "pattern": "",
                "required": False,
                "sensitive": False,
                "type": "NUMBER",
            }
        ],
        "requires_confirm": False,
        "script": "echo ä\n",
        "secret_names": ["a", "b"],
        "timeout_seconds": 60,
    }
    assert (
        canonical
        == json.dumps(json.loads(canonical), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    )


def test_a_version_from_before_there_were_tags_keeps_its_digest() -> None:
    stored = json.loads(json.dumps(BASE.to_json()))
    del stored["executor_tags"]

    assert VersionContent.from_json(BASE.script, stored).digest() == BASE.digest()
    assert BASE.digest() == "8222e31acec4a959c8a14bb95ff270894df0b735257d7bfa0e74b5e225f16ea5"


def test_tags_are_sorted_in_the_canonical_form() -> None:
    tagged = [dataclasses.replace(BASE, executor_tags=tags) for tags in (("gpu", "eu"), ("eu", "gpu"))]

    assert json.loads(tagged[0].canonical())["executor_tags"] == ["eu", "gpu"]
    assert tagged[0].digest() == tagged[1].digest()
