"""What an executor says that its machine can enforce, and that it does not start where that is too little."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from executor import wiring
from executor.sandbox.cgroup import CgroupRoot
from executor.sandbox.isolation import LAYERS
from executor.sandbox.survey import Layer, missing, survey
from executor.settings import SandboxSettings
from executor.wiring import CannotStart
from tests.executors import an_executor, settings_of


async def test_every_layer_is_found_by_trial() -> None:
    doctor = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "executor.doctor", "--json", stdout=asyncio.subprocess.PIPE
    )
    said, _ = await doctor.communicate()

    layers = {layer["name"]: layer for layer in json.loads(said)["layers"]}
    assert doctor.returncode == 0
    assert set(layers) == set(LAYERS)
    assert [name for name, layer in layers.items() if not layer["held"] and name != "cpu"] == []


@pytest.mark.parametrize(("required", "code"), [("process,network", 0), ("process,magic", 2)])
async def test_the_command_passes_on_what_the_examination_says(required: str, code: int) -> None:
    pipe = asyncio.subprocess.PIPE
    environment = {"PATH": os.environ["PATH"], "ONCALL_SANDBOX_REQUIRE": required}
    command = (Path(sys.executable).with_name("oncall"), "doctor", "--json")
    doctor = await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)
    said, complained = await doctor.communicate()

    assert doctor.returncode == code
    assert (b"ONCALL_SANDBOX_REQUIRE" in complained) == (code == 2)
    assert code or {layer["name"] for layer in json.loads(said)["layers"]} == set(LAYERS)


async def test_without_cgroups_rlimits_hold_and_the_advice_says_what_would_be_better() -> None:
    user = SandboxSettings().sandbox_uid_base
    layers = {layer.name: layer for layer in await survey(CgroupRoot(()), user if wiring.os.geteuid() == 0 else None)}

    assert (layers["memory"].held, layers["processes"].held, layers["cpu"].held) == (True, True, False)
    assert all("delegate" in layers[name].advice for name in ("memory", "processes", "cpu"))
    assert "not told as OUT_OF_MEMORY" in layers["memory"].advice


async def test_an_executor_does_not_start_without_a_layer_that_is_required(
    services: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found(*_: object) -> list[Layer]:
        return [Layer("network", False, "", "allow network namespaces")]

    monkeypatch.setattr(wiring, "survey", found)
    with pytest.raises(CannotStart, match="ONCALL_SANDBOX_REQUIRE names: network: allow network namespaces"):
        async with an_executor(settings_of(*services)):
            pass


def test_only_known_layers_can_be_required_and_only_required_ones_stop_a_start() -> None:
    layers = [Layer("network", False, "", "allow network namespaces")]
    assert missing(layers, SandboxSettings().required_layers()) == layers
    assert missing(layers, SandboxSettings(sandbox_require="process").required_layers()) == []
    with pytest.raises(ValueError, match="unknown layers"):
        SandboxSettings(sandbox_require="process,magic")
