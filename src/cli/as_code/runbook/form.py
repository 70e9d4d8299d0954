"""The format of a runbook file: the one description from which files are checked and the JSON schema is made.

Fields are named as in the contract, enum values as there in lower case. What only the server can judge (patterns, what
a team has) is left to it.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from cli.as_code.checking import Part
from cli.as_code.schema_text import schema_text

FORMAT = "runbook/v1"
MIB = 1024 * 1024
_UNITS = {"": 1, "KiB": 1024, "MiB": MIB, "GiB": 1024 * MIB}
_SIZE = re.compile(r"([0-9]{1,16})(KiB|MiB|GiB)?")


def size(value: object) -> object:
    """Answers the bytes that `512MiB` or a whole number names; anything else as it is, to be refused."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value)
    if not match:
        raise PydanticCustomError("size", "must be a size such as 512MiB (units: KiB, MiB, GiB)")
    return int(match[1]) * _UNITS[match[2] or ""]


def size_text(value: int) -> str | int:
    """Answers bytes as people write them, where that is exact."""
    for unit in ("GiB", "MiB", "KiB"):
        if value and value % _UNITS[unit] == 0:
            return f"{value // _UNITS[unit]}{unit}"
    return value


def _size_schema(example: str) -> WithJsonSchema:
    pattern = f"^{_SIZE.pattern}$"
    return WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": pattern}, {"type": "integer"}], "examples": [example]}
    )


Identifier = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$", max_length=64)]


Tag = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_.-]*$", max_length=32)]


class _Parameter(Part):
    name: Identifier = Field(description="Its name: the script reads it as PARAM_<NAME>.")
    required: bool = Field(False, description="Whether a value must be given where there is no default.")
    description: str = Field("", max_length=1000, description="What it means.")
    sensitive: bool = Field(False, description="Whether its value is masked everywhere but in the sandbox.")


class StringParameter(_Parameter):
    type: Literal["string"] = Field(description="The type of its value.")
    default: str | None = Field(None, description="The value where none is given.")
    pattern: str = Field("", max_length=500, description="An RE2 expression that must match the whole value.")
    max_length: int = Field(4096, ge=1, le=16_384, description="The greatest length in characters.")


class IntegerParameter(_Parameter):
    type: Literal["integer"] = Field(description="The type of its value.")
    default: int | None = Field(None, ge=1 - 2**53, le=2**53 - 1, description="The value where none is given.")
    min: float | None = Field(None, description="The smallest allowed value.")
    max: float | None = Field(None, description="The largest allowed value.")


class NumberParameter(_Parameter):
    type: Literal["number"] = Field(description="The type of its value.")
    default: float | None = Field(None, description="The value where none is given.")
    min: float | None = Field(None, description="The smallest allowed value.")
    max: float | None = Field(None, description="The largest allowed value.")


class BooleanParameter(_Parameter):
    type: Literal["boolean"] = Field(description="The type of its value.")
    default: bool | None = Field(None, description="The value where none is given.")


class EnumParameter(_Parameter):
    type: Literal["enum"] = Field(description="The type of its value.")
    default: str | None = Field(None, description="The value where none is given.")
    options: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        min_length=1, max_length=100, description="The allowed values."
    )


Parameter = Annotated[
    StringParameter | IntegerParameter | NumberParameter | BooleanParameter | EnumParameter,
    Field(discriminator="type"),
]


class Limits(Part):
    """What one attempt may use."""

    memory_bytes: Annotated[int, BeforeValidator(size), _size_schema("512MiB")] = Field(
        512 * MIB, ge=16 * MIB, le=4096 * MIB, description="Memory of all its processes together, 16MiB to 4GiB."
    )
    cpus: float = Field(1.0, ge=0.1, le=16, description="Processor time per second, in cores.")
    processes: int = Field(128, ge=1, le=4096, description="Processes and threads at one time.")
    disk_bytes: Annotated[int, BeforeValidator(size), _size_schema("64MiB")] = Field(
        64 * MIB, ge=MIB, le=1024 * MIB, description="What it may write, held in memory, 1MiB to 1GiB."
    )


STANDARD_LIMITS = Limits.model_validate({})


class RunbookForm(Part):
    """A runbook of `oncall`: `oncall runbook apply` brings the server to what the file says."""

    model_config = ConfigDict(
        title="Runbook",
        json_schema_extra={"oneOf": [{"required": ["script"]}, {"required": ["script_file"]}]},
    )
    oncall: Literal["runbook/v1"] = Field(description="The format of this file.")
    name: str = Field(
        pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        description="Unique within the team; who changes it makes another runbook.",
    )
    team: str = Field(
        "", max_length=200, description="Name or id of the team that owns it; else --team, or your only team."
    )
    service: str = Field("", max_length=200, description="Name or id of the team's service that it is about.")
    description: str = Field("", max_length=4000, description="What it does and when to use it.")
    language: Literal["bash", "python", "javascript"] = Field(description="The interpreter that runs the script.")
    script: str | None = Field(None, min_length=1, max_length=MIB, description="The script; else script_file.")
    script_file: str | None = Field(
        None, min_length=1, max_length=1000, description="The script's file, beside this one or in a folder below."
    )
    parameters: list[Parameter] = Field([], max_length=100, description="What it takes.")
    timeout_seconds: int = Field(60, ge=1, le=300, description="Time limit of one attempt in seconds.")
    max_retries: int = Field(0, ge=0, le=3, description="How often a failed attempt is repeated.")
    requires_confirm: bool = Field(False, description="Whether whoever runs it must confirm.")
    secret_names: list[Identifier] = Field(
        [], max_length=50, description="Names of the team's secrets that it is given."
    )
    network: Literal["none", "host"] = Field(
        "none", description="What it may reach: nothing, or what its machine reaches."
    )
    limits: Limits = Field(STANDARD_LIMITS, description="What one attempt may use.")
    concurrency: Literal["allow", "forbid", "queue"] = Field(
        "allow", description="What happens when it is executed while it runs."
    )
    executor_tags: list[Tag] = Field(
        [], max_length=4, description="What an executor must carry to run it, all of these."
    )
    change_note: str = Field(
        "", max_length=1000, description="Why this version exists; a change of it alone makes none."
    )


def json_schema_text() -> str:
    """Answers the JSON schema of the format, for editors."""
    return schema_text(RunbookForm)
