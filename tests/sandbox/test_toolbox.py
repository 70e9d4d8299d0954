"""A folder in place of the machine's root: its programs are what scripts see, and nothing of the machine's own."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor.sandbox.toolbox import Toolbox, ToolboxError, open_toolbox
from executor.wiring import CannotStart
from kernel.execution.content import ScriptLanguage
from tests.executors import an_executor, settings_of
from tests.sandbox.conftest import Platform

PROGRAMS = ("/usr/bin/bash", "/usr/bin/cat", "/usr/bin/ls")
LOOK = """
only-here
ls /usr/bin /etc
[ -e /usr/bin/python3 ] && echo "the machine's"
cat /etc/alternatives/where /etc/localtime
"""


@pytest.fixture(scope="module")
def root(services_folder: Path) -> Iterator[Path]:
    """A root with three of the machine's programs, one of its own, and a link that would lead out of it."""
    services_folder.chmod(services_folder.stat().st_mode | 0o001)
    folder = services_folder / "toolbox"
    for program in PROGRAMS:
        for file in (program, *_libraries(program)):
            copied = folder.joinpath(*Path(file).parent.resolve().parts[1:], Path(file).name)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copied)
    for name in ("bin", "lib", "lib64"):
        if Path("/", name).is_symlink() and (folder / "usr" / name).exists():
            (folder / name).symlink_to(f"usr/{name}")
    own = folder / "usr/bin/only-here"
    own.write_text("#!/usr/bin/bash\necho found\n")
    own.chmod(0o755)
    (folder / "etc/alternatives").mkdir(parents=True)
    (folder / "etc/alternatives/where").write_text("in the toolbox\n")
    (folder / "etc/localtime").symlink_to("/usr/share/zone")
    (folder / "usr/share").mkdir()
    (folder / "usr/share/zone").write_text("its own zone\n")
    yield folder
    shutil.rmtree(folder)


def _libraries(program: str) -> list[str]:
    told = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(/\S+) \(0x", told)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("warm", [0, 1])
async def test_scripts_see_its_programs_and_not_the_machines(platform: Platform, root: Path, warm: int) -> None:
    settings = settings_of(platform.database_url, platform.redis_url)
    async with an_executor(settings, toolbox_root=root, warm_sandboxes=warm):
        for _ in range(2):
            done = await platform.run(LOOK)
            assert done.stdout.split(b"\n")[0] == b"found", done.stderr
            assert b"the machine's" not in done.stdout
            assert {b"bash", b"cat", b"ls", b"only-here"} <= set(done.stdout.split())
            assert done.stdout.endswith(b"in the toolbox\nits own zone\n")
        refused = await platform.run("print(1)", ScriptLanguage.PYTHON)
        assert refused.error_code == "SANDBOX_FAILED"
        assert "/usr/bin/python3 is not installed" in refused.error_message


async def test_the_doctor_says_whose_programs_scripts_run(root: Path) -> None:
    for setting, said in ((str(root), f"below {root} (ONCALL_TOOLBOX_ROOT)"), ("", "this machine's own programs")):
        environment = {**os.environ, **({"ONCALL_TOOLBOX_ROOT": setting} if setting else {})}
        doctor = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "executor.doctor", env=environment, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await doctor.communicate()
        assert doctor.returncode == 0
        assert said in output.decode()


@pytest.mark.parametrize(
    ("lacks", "said"),
    [
        ("everything", "ONCALL_TOOLBOX_ROOT names .*, where there is no folder usr"),
        ("bash", "ONCALL_TOOLBOX_ROOT names .*, where /usr/bin/bash is missing or cannot be run"),
        ("the right to run bash", "ONCALL_TOOLBOX_ROOT names .*, where /usr/bin/bash is missing or cannot be run"),
    ],
)
async def test_no_executor_starts_with_a_root_that_lacks_what_it_needs(
    services: tuple[str, str], tmp_path: Path, lacks: str, said: str
) -> None:
    if lacks != "everything":
        (tmp_path / "usr/bin").mkdir(parents=True)
    if lacks == "the right to run bash":
        (tmp_path / "usr/bin/bash").write_text("")
    with pytest.raises(CannotStart, match=said):
        async with an_executor(settings_of(*services), toolbox_root=tmp_path):
            pass


def test_a_relative_path_is_refused_and_a_link_does_not_lead_out(tmp_path: Path) -> None:
    with pytest.raises(ToolboxError, match="must be an absolute path"):
        open_toolbox(Path("tools"))
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/bash").symlink_to("/../../usr/bin/bash")
    with pytest.raises(ToolboxError, match="missing"):
        open_toolbox(tmp_path)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/localtime").symlink_to("../../../../etc/shadow")
    assert Toolbox(tmp_path).find("/etc/localtime") == tmp_path / "etc/shadow"
