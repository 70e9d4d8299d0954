"""The executor's settings, from the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from kernel.settings import CoreSettings

MIB = 1024 * 1024


class ExecutorSettings(CoreSettings):
    """What one executor needs to know; see the README for the variables."""

    executor_concurrency: int = Field(default=4, ge=1, le=500)
    """Executions at one time."""
    lease_seconds: float = Field(default=9.0, ge=2.0, le=300.0)
    """How long the database believes in this executor without hearing from it; renewed three times as often."""
    output_cap: int = Field(default=16 * MIB, ge=0)
    """Bytes kept of each stream of each attempt."""
    kill_grace_seconds: float = Field(default=5.0, ge=0.0, le=60.0)
    """How long a script has between SIGTERM and SIGKILL."""
    drain_seconds: float = Field(default=30.0, ge=0.0)
    """How long running scripts may go on after SIGTERM to the executor."""
    sandbox_uid_base: int = Field(default=2_000_000_000, ge=65_536, le=4_000_000_000)
    """First of the user ids that sandboxes get where the executor is root; nobody else's."""
    ready_file: Path | None = None
