"""The executor's settings, from the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from executor.sandbox.isolation import LAYERS
from kernel.execution.tags import LONGEST_TAG, MOST_CARRIED, Tags, in_order, wrong_tag
from kernel.settings import CoreSettings

MIB = 1024 * 1024
SANDBOX_REQUIRE = ",".join(name for name in LAYERS if name != "cpu")


class SandboxSettings(BaseSettings):
    """What concerns isolation alone, so that it can be examined without the rest of an executor."""

    model_config = SettingsConfigDict(env_prefix="ONCALL_", extra="ignore")

    sandbox_require: str = SANDBOX_REQUIRE
    """Names of layers, separated by commas, without which no executor starts. By default all but `cpu`, which nothing
    holds without cgroups; memory and processes are then held by rlimits."""
    sandbox_uid_base: int = Field(default=2_000_000_000, ge=65_536, le=4_000_000_000)
    """First of the user ids that sandboxes get where the executor is root; nobody else's."""

    toolbox_root: Path | None = None
    """A folder that scripts see as the root of the system instead of this machine's; it holds `usr/` with a bash."""

    def required_layers(self) -> frozenset[str]:
        return frozenset(name.strip() for name in self.sandbox_require.split(",") if name.strip())

    @field_validator("sandbox_require")
    @classmethod
    def _known(cls, value: str) -> str:
        unknown = {name.strip() for name in value.split(",") if name.strip()} - set(LAYERS)
        if unknown:
            raise ValueError(f"unknown layers; there are {', '.join(LAYERS)}")
        return value


class ExecutorSettings(CoreSettings, SandboxSettings):
    """What one executor needs to know; see the README for the variables."""

    executor_concurrency: int = Field(default=4, ge=1, le=500)
    """Executions at one time."""
    executor_tags: str = ""
    """What this executor carries, separated by commas: it runs versions that ask for these or for nothing."""
    lease_seconds: float = Field(default=9.0, ge=2.0, le=300.0)
    """How long the database believes in this executor without hearing from it; renewed three times as often."""
    output_cap: int = Field(default=16 * MIB, ge=0)
    """Bytes kept of each stream of each attempt."""
    kill_grace_seconds: float = Field(default=5.0, ge=0.0, le=60.0)
    """How long a script has between SIGTERM and SIGKILL."""
    drain_seconds: float = Field(default=30.0, ge=0.0)
    """How long running scripts may go on after SIGTERM to the executor."""
    warm_sandboxes: int = Field(default=2, ge=0, le=500)
    """Sandboxes that stand ready, at most `executor_concurrency`; 0: each is set up when its execution is there."""
    ready_file: Path | None = None

    def tags(self) -> Tags:
        return in_order([tag.strip() for tag in self.executor_tags.split(",") if tag.strip()])

    @field_validator("executor_tags")
    @classmethod
    def _are_tags(cls, value: str) -> str:
        tags = [tag.strip() for tag in value.split(",") if tag.strip()]
        if wrong_tag(tags) is not None:
            raise ValueError(f"one is no tag: [a-z0-9][a-z0-9_.-]*, at most {LONGEST_TAG} characters")
        if len(set(tags)) > MOST_CARRIED:
            raise ValueError(f"at most {MOST_CARRIED} tags")
        return value
