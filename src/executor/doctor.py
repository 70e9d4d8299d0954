"""`python -m executor.doctor [--json]`: says which layers of isolation this machine can enforce, and what to do else.

Needs no database and no queue. Ends with 0 where every layer holds that `ONCALL_SANDBOX_REQUIRE` asks for, else with 1.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Collection, Sequence
from dataclasses import asdict

import structlog

from executor.identity import new_executor_id
from executor.sandbox.cgroup import open_root
from executor.sandbox.isolation import prove
from executor.sandbox.process import SandboxError
from executor.sandbox.survey import Layer, missing, survey
from executor.sandbox.toolbox import Toolbox, ToolboxError, open_toolbox
from executor.settings import SandboxSettings
from kernel.settings import load


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    settings = load(SandboxSettings)
    try:
        toolbox = open_toolbox(settings.toolbox_root)
        layers = asyncio.run(examine(settings.sandbox_uid_base, toolbox))
    except ToolboxError as error:
        sys.exit(str(error))
    except SandboxError as error:
        sys.exit(f"no script can be isolated on this machine: {error}")
    lacking = missing(layers, settings.required_layers())
    print(as_json(layers, toolbox) if "--json" in sys.argv[1:] else as_table(layers, lacking, toolbox))
    sys.exit(1 if lacking else 0)


async def examine(first_uid: int, toolbox: Toolbox) -> Sequence[Layer]:
    """Answers every layer; SandboxError where no sandbox can be had at all."""
    cgroups = open_root(new_executor_id())
    user = first_uid if os.geteuid() == 0 else None
    try:
        await prove(cgroups, user, toolbox)
        return await survey(cgroups, user)
    finally:
        cgroups.remove()


def as_json(layers: Sequence[Layer], toolbox: Toolbox) -> str:
    return json.dumps({"toolbox_root": str(toolbox.root), "layers": [asdict(layer) for layer in layers]}, indent=2)


def as_table(layers: Sequence[Layer], lacking: Collection[Layer], toolbox: Toolbox) -> str:
    """Answers one line for each layer, and what it needs below it; then whose programs scripts run."""
    lines = []
    for layer in layers:
        lines.append(f"{'holds' if layer.held else 'OPEN':6} {layer.name:13} {layer.mechanism}".rstrip())
        if layer.advice:
            lines.append(f"{'':20} to do: {layer.advice}")
    whose = f"the programs below {toolbox.root} (ONCALL_TOOLBOX_ROOT)" if toolbox.own else "this machine's own programs"
    lines.append(f"Scripts run {whose}.")
    if lacking:
        names = ", ".join(layer.name for layer in lacking)
        lines.append(f"An executor would not start here: {names} must hold (ONCALL_SANDBOX_REQUIRE).")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
