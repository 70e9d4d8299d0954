"""Settings, all from the environment with the prefix `ONCALL_`; each process adds its own to these."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class CoreSettings(BaseSettings):
    """What every process with a database needs. No default reaches a real service by accident."""

    model_config = SettingsConfigDict(env_prefix="ONCALL_", extra="ignore")

    database_url: SecretStr
    redis_url: SecretStr
    master_key: SecretStr
    """URL-safe base64 of 32 random bytes: keys the hashes of partner tokens and the signatures of page tokens."""
    encryption_keys: SecretStr | None = None
    """Keys like it, separated by commas, for what is encrypted at rest: the first encrypts, all decrypt. Unset: the
    master key alone. See `docs/key-rotation.md`."""
    log_format: str = "json"


SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def load(settings: type[SettingsT], **given: Any) -> SettingsT:
    """Reads the settings, or ends the process with one line that names each bad one and never its value.

    What is `given`, from a command line say, counts before the environment.
    """
    try:
        return settings(**given)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        fail(f"cannot start: bad settings: {', '.join(_said(problem['loc'], problem['msg']) for problem in problems)}")


def together(*settings: tuple[str, object]) -> None:
    """Raises a ValueError where some of the settings, each a name and its value, are given and others are not."""
    missing = [f"ONCALL_{name.upper()}" for name, value in settings if value is None]
    if missing and len(missing) < len(settings):
        given = [f"ONCALL_{name.upper()}" for name, value in settings if value is not None]
        raise ValueError(f"{' and '.join(given)} needs {' and '.join(missing)}: set both, or none")


def _said(location: tuple[int | str, ...], message: str) -> str:
    """Answers one problem with the name of its variable; one of several names them itself."""
    if not location:
        return message.removeprefix("Value error, ")
    return f"ONCALL_{'_'.join(str(part) for part in location).upper()}: {message.lower()}"


def fail(sentence: str) -> NoReturn:
    """Ends the process with exit code 2 and one sentence that says what to do."""
    print(sentence, file=sys.stderr)
    raise SystemExit(2)


def write_ready_file(path: Path | None, content: Mapping[str, str]) -> None:
    """Says to whoever started this process that it is ready: a JSON object, there whole or not at all."""
    if path is None:
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(dict(content)))
    draft.replace(path)
