"""Generated runbooks, as a server answers them: everything that the contract allows, the unlikely above all."""

from __future__ import annotations

import string
from typing import Any

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value
from hypothesis import strategies as st

from oncall.digest import digest_of
from oncall.v1.runbook_pb2 import ParameterDefinition, ResourceLimits, RunbookVersion
from tests.unit.cli.as_code.texts import texts

MIB = 1024 * 1024
names = st.text(string.ascii_lowercase + string.digits + "_", max_size=20).map(lambda rest: f"p{rest}")
tags = st.text(string.ascii_lowercase + string.digits + "_.-", max_size=31).map(lambda rest: f"t{rest}")
_bounds = st.none() | st.floats(-1e9, 1e9) | st.integers(-(10**6), 10**6).map(float)


@st.composite
def parameters(draw: st.DrawFn) -> ParameterDefinition:
    kind = draw(st.sampled_from(["STRING", "INTEGER", "NUMBER", "BOOLEAN", "ENUM"]))
    fields: dict[str, Any] = {}
    default: Any = None
    if kind == "STRING":
        fields["max_length"] = draw(st.sampled_from([4096, 1, 16_384]))
        default = draw(st.none() | texts.map(lambda text: text[: fields["max_length"]]))
    elif kind in {"INTEGER", "NUMBER"}:
        low, high = draw(_bounds), draw(_bounds)
        if low is not None and high is not None and low > high:
            low, high = high, low
        fields |= {name: bound for name, bound in (("min", low), ("max", high)) if bound is not None}
        if low is None and high is None:
            numbers = st.integers(1 - 2**53, 2**53 - 1) if kind == "INTEGER" else st.floats(allow_nan=False)
            default = draw(st.none() | numbers.filter(lambda number: abs(number) < float("inf")))
    elif kind == "BOOLEAN":
        default = draw(st.none() | st.booleans())
    else:
        fields["options"] = draw(st.lists(texts.filter(bool), min_size=1, max_size=4, unique=True))
        default = draw(st.none() | st.sampled_from(fields["options"]))
    definition = ParameterDefinition(
        name=draw(names), type=f"PARAMETER_TYPE_{kind}", description=draw(texts), required=draw(st.booleans()), **fields
    )
    definition.max_length = fields.get("max_length", 4096)  # as the server fills it in for every type
    if default is not None:
        definition.default.CopyFrom(json_format.ParseDict(default, Value()))
    elif draw(st.booleans()):
        definition.sensitive = True
    return definition


@st.composite
def versions(draw: st.DrawFn) -> RunbookVersion:
    version = RunbookVersion(
        version=1,
        script=draw(texts.filter(bool)),
        language=draw(st.sampled_from([1, 2, 3])),
        parameters=draw(st.lists(parameters(), max_size=4, unique_by=lambda parameter: parameter.name)),
        timeout_seconds=draw(st.integers(1, 300)),
        max_retries=draw(st.integers(0, 3)),
        requires_confirm=draw(st.booleans()),
        secret_names=sorted(draw(st.lists(names, max_size=3, unique=True))),
        executor_tags=sorted(draw(st.lists(tags, max_size=4, unique=True))),
        network=draw(st.sampled_from([1, 2])),
        concurrency=draw(st.sampled_from([1, 2, 3])),
        change_note=draw(texts),
        limits=ResourceLimits(
            memory_bytes=draw(st.sampled_from([512 * MIB, 16 * MIB, 4096 * MIB, 100_000_001])),
            cpus=draw(st.sampled_from([1.0, 0.1, 16.0, 2.5])),
            processes=draw(st.sampled_from([128, 1, 4096])),
            disk_bytes=draw(st.sampled_from([64 * MIB, MIB, 1024 * MIB, 3 * MIB + 1024])),
        ),
    )
    version.digest = digest_of(version)
    return version
