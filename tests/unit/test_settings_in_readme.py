"""The README tells of every setting, for what nobody can read of nobody can set."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from cli.launcher.settings import LauncherSettings
from executor.settings import ExecutorSettings
from gateway.settings import GatewaySettings
from server.settings import JobsSettings, ServerSettings

README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.mark.parametrize(
    "settings", [ServerSettings, JobsSettings, ExecutorSettings, GatewaySettings, LauncherSettings]
)
def test_every_setting_stands_in_the_readme(settings: type[BaseSettings]) -> None:
    table = README.partition("| variable | of | meaning, and default |")[2]
    told = set(re.findall(r"\bONCALL_[A-Z_]+", table))

    assert {f"ONCALL_{name.upper()}" for name in settings.model_fields} - told == set()
