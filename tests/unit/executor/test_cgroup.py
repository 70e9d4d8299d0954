"""What is written into which file of a cgroup, and what is read out of it; over folders that only look like cgroups."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from executor.sandbox.cgroup import Cgroup, CgroupRoot, open_root
from executor.sandbox.cgroup_kill import is_empty, kill_all, pids_in
from executor.sandbox.hierarchy import CONTROLLERS, Hierarchy, Place, files_of, places
from kernel.execution.content import ResourceLimits

LIMITS = ResourceLimits(memory_bytes=64 * 1024 * 1024, cpus=0.5, processes=7)


def a_folder(parent: Path, **files: str) -> Path:
    """A folder with files, `_` in their names standing for the point."""
    parent.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (parent / name.replace("__", ".")).write_text(text)
    return parent


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def proc(folder: Path, mounts: str, own: str) -> Path:
    """A folder that stands for /proc/self."""
    return a_folder(folder / "proc", mountinfo=mounts, cgroup=own)


def a_mount(kind: str, at: Path | str, options: str, root: str = "/") -> str:
    return f"30 24 0:26 {root} {at} rw,nosuid shared:9 - {kind} cgroup rw,{options}\n"


def test_version_2_bounds_memory_without_swap_processes_and_processor_time(tmp_path: Path) -> None:
    folder = a_folder(
        tmp_path,
        memory__max="max",
        memory__swap__max="max",
        memory__oom__group="0",
        pids__max="max",
        cpu__max="max 100000",
    )
    Cgroup(((Hierarchy(2, CONTROLLERS, folder), folder),)).limit(LIMITS)

    assert contents(folder) == {
        "memory.max": "67108864",
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": "7",
        "cpu.max": "50000 100000",
    }


def test_version_1_bounds_the_same_in_a_folder_for_each_controller(tmp_path: Path) -> None:
    memory = a_folder(tmp_path / "memory", memory__limit_in_bytes="-1", memory__memsw__limit_in_bytes="-1")
    pids = a_folder(tmp_path / "pids", pids__max="max")
    cpu = a_folder(tmp_path / "cpu", cpu__cfs_period_us="-1", cpu__cfs_quota_us="-1")
    held = tuple((Hierarchy(1, (folder.name,), folder), folder) for folder in (memory, pids, cpu))
    Cgroup(held).limit(LIMITS)

    assert contents(memory) == {"memory.limit_in_bytes": "67108864", "memory.memsw.limit_in_bytes": "67108864"}
    assert contents(pids) == {"pids.max": "7"}
    assert contents(cpu) == {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "50000"}


@pytest.mark.parametrize(("version", "file"), [(1, "memory__limit_in_bytes"), (2, "memory__max")])
def test_a_kernel_that_does_not_count_swap_has_none_to_bound(tmp_path: Path, version: int, file: str) -> None:
    folder = a_folder(tmp_path, **{file: "-"})
    Cgroup(((Hierarchy(version, ("memory",), folder), folder),)).limit(LIMITS)

    assert contents(folder) == {file.replace("__", "."): "67108864"}


def test_what_bounds_nothing_without_its_file_is_refused_without_it(tmp_path: Path) -> None:
    assert files_of(2, "memory") == {"memory.max"}
    assert files_of(1, "cpu") == {"cpu.cfs_period_us", "cpu.cfs_quota_us"}
    with pytest.raises(FileNotFoundError):
        Cgroup(((Hierarchy(2, ("memory",), tmp_path), tmp_path),)).limit(LIMITS)
    assert contents(tmp_path) == {}


def test_a_sandbox_that_could_not_be_bounded_leaves_no_folder(tmp_path: Path) -> None:
    root = CgroupRoot((Hierarchy(2, ("memory",), tmp_path),))
    with pytest.raises(FileNotFoundError):
        root.create("sandbox", LIMITS)
    assert list(tmp_path.iterdir()) == []

    root.create("sandbox")  # what shall be bounded later only
    assert [path.name for path in tmp_path.iterdir()] == ["sandbox"]


def test_places_of_version_2_are_its_root_and_the_own_folder(tmp_path: Path) -> None:
    mount = a_folder(tmp_path / "mount", cgroup__controllers="cpuset cpu io memory pids")
    own = a_folder(mount / "service", cgroup__controllers="memory pids")

    found = list(places(proc(tmp_path, a_mount("cgroup2", mount, ""), "0::/service\n")))

    assert found == [Place(2, CONTROLLERS, mount), Place(2, ("memory", "pids"), own)]


def test_an_executor_whose_processes_were_moved_takes_the_folder_above(tmp_path: Path) -> None:
    mount = a_folder(tmp_path / "mount", cgroup__controllers="")
    own = a_folder(mount / "service", cgroup__controllers="memory pids")

    found = list(places(proc(tmp_path, a_mount("cgroup2", mount, ""), "0::/service/oncall-processes\n")))

    assert found[-1].base == own


def test_places_of_version_1_are_the_own_folders_as_the_mount_shows_them(tmp_path: Path) -> None:
    mounts = (
        a_mount("cgroup", "/cg/memory", "memory", "/container")
        + a_mount("cgroup", "/cg/cpu", "cpu,cpuacct")
        + a_mount("cgroup", "/cg/freezer", "freezer")
        + a_mount("tmpfs", "/cg", "mode=755")
    )
    found = list(places(proc(tmp_path, mounts, "4:memory:/container/a\n3:cpu,cpuacct:/b\n0::/\n")))

    assert found == [Place(1, ("memory",), Path("/cg/memory/a")), Place(1, ("cpu",), Path("/cg/cpu/b"))]


def test_where_both_versions_are_mounted_both_are_found(tmp_path: Path) -> None:
    unified = a_folder(tmp_path / "unified", cgroup__controllers="")
    mounts = a_mount("cgroup", "/cg/pids", "pids") + a_mount("cgroup2", unified, "")
    found = list(places(proc(tmp_path, mounts, "1:pids:/\n0::/\n")))

    assert found == [Place(1, ("pids",), Path("/cg/pids")), Place(2, (), unified)]


def test_without_cgroups_nothing_is_held_and_everything_is_empty(tmp_path: Path) -> None:
    root = open_root("nobody", proc(tmp_path, a_mount("tmpfs", "/cg", "mode=755"), ""))
    cgroup = root.create("sandbox", LIMITS)
    cgroup.add(os.getpid())
    cgroup.kill()

    assert root.controllers == {}
    assert (cgroup.pids(), cgroup.empty(), cgroup.out_of_memory(), cgroup.remove()) == (set(), True, False, True)


def test_the_kernel_is_told_to_kill_where_it_can(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "1000"]) as bystander:
        folder = a_folder(tmp_path, cgroup__kill="", pids__max="7", cgroup__procs=f"{bystander.pid}\n")
        kill_all(folder)

        assert contents(folder) | {"cgroup.procs": ""} == {"cgroup.kill": "1", "pids.max": "7", "cgroup.procs": ""}
        assert bystander.poll() is None  # nobody else sent a signal
        bystander.kill()


@pytest.mark.parametrize(("file", "closed"), [("pids__max", "0"), ("cgroup__freeze", "1")])
def test_elsewhere_the_folder_is_closed_before_each_process_is_killed(tmp_path: Path, file: str, closed: str) -> None:
    with subprocess.Popen(["sleep", "1000"]) as inside:
        folder = a_folder(tmp_path, **{file: "7", "cgroup__procs": f"0\n{inside.pid}\n"})
        kill_all(folder)

        assert inside.wait(10) == -9
        assert (folder / file.replace("__", ".")).read_text() == closed


def test_a_process_of_another_namespace_is_never_taken_for_oneself(tmp_path: Path) -> None:
    assert pids_in(a_folder(tmp_path, cgroup__procs="0\n12\n0\n")) == {12}


def test_a_folder_is_empty_when_its_kernel_says_so_or_it_is_gone(tmp_path: Path) -> None:
    two = a_folder(tmp_path / "two", cgroup__events="populated 1\nfrozen 0\n", cgroup__procs="")
    one = a_folder(tmp_path / "one", cgroup__procs="12\n")
    assert [is_empty(two), is_empty(one), is_empty(tmp_path / "gone")] == [False, False, True]

    a_folder(two, cgroup__events="populated 0\nfrozen 0\n")
    a_folder(one, cgroup__procs="")
    assert [is_empty(two), is_empty(one)] == [True, True]


@pytest.mark.parametrize(
    ("version", "file", "text", "expected"),
    [
        (2, "memory__events", "low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\noom_group_kill 1\n", True),
        (2, "memory__events", "low 0\nhigh 0\nmax 12\noom 1\noom_kill 0\n", False),
        (1, "memory__oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", True),
        (1, "memory__oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n", False),
        (1, "memory__oom_control", "oom_kill_disable 0\nunder_oom 0\n", False),  # before Linux 4.13
        (2, "pids__max", "7", False),
    ],
)
def test_a_kill_for_want_of_memory_is_what_the_kernel_counts(
    tmp_path: Path, version: int, file: str, text: str, expected: bool
) -> None:
    folder = a_folder(tmp_path, **{file: text})
    assert Cgroup(((Hierarchy(version, ("memory",), folder), folder),)).out_of_memory() is expected
