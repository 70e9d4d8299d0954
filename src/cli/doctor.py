"""`oncall doctor`: what an executor on this machine could enforce, asked of the executor's own examination."""

from __future__ import annotations

import subprocess
import sys

import typer

from cli.output import Json


def doctor(as_json: Json = False) -> None:
    """Say layer by layer what isolation this machine can give to scripts, and what to do about the rest.

    It needs no server and no settings, and runs a trial sandbox as the user that calls it: call it as the user that
    the executor runs as, with its ONCALL_SANDBOX_REQUIRE if that is set. Ends with 0 where an executor would start,
    with 1 where a required layer does not hold.

    \b
      oncall doctor
      sudo -u oncall oncall doctor
      oncall doctor --json | jq -r '.layers[] | select(.held | not) | .advice'
    """
    # A process of its own: this command holds none of what an executor is made of.
    examination = [sys.executable, "-m", "executor.doctor", *(["--json"] if as_json else [])]
    raise typer.Exit(subprocess.run(examination, check=False).returncode)
