"""Every mistake in a file is named with its line, all of them at once, and nothing outside the folder is read."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from cli.as_code.problem import Unusable
from cli.as_code.runbook.manifest import Manifest, read_manifests

HEAD = "oncall: runbook/v1\nname: it\nlanguage: bash\n"
GOOD = HEAD + "script: echo hello\n"


def a_file(folder: Path, text: str | bytes, name: str = "it.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def wrong(*places: Path) -> list[str]:
    """Answers what is wrong, without the folder's name."""
    with pytest.raises(Unusable) as raised:
        read_manifests(places)
    return [
        str(problem).replace(f"{places[0]}/", "").replace(f"{places[0].parent}/", "")
        for problem in raised.value.problems
    ]


def read(path: Path) -> Manifest:
    [manifest] = read_manifests([path])
    return manifest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("naem: x\n", "it.yaml:5: naem: is not known: do you mean name?"),
        ("timeout_seconds: 301\n", "it.yaml:5: timeout_seconds: must be less than or equal to 300"),
        ("timeout_seconds: '60'\n", "it.yaml:5: timeout_seconds: must be a valid integer"),
        ("description: 12\n", "it.yaml:5: description: must be text: put it in quotes"),
        ("network: hots\n", "it.yaml:5: network: must be one of none, host: do you mean host?"),
        ("network: HOST\n", "it.yaml:5: network: must be one of none, host: do you mean host?"),
        ("limits:\n  cpu: 1\n", "it.yaml:6: limits.cpu: is not known: do you mean cpus?"),
        ("limits: {memory_bytes: 512MB}\n", "limits.memory_bytes: must be a size such as 512MiB"),
        ("limits: {memory_bytes: 1MiB}\n", "limits.memory_bytes: must be greater than or equal to 16777216"),
        ("limits: {cpus: .inf}\n", "it.yaml:5: limits.cpus: must be"),
        ("name: other\n", "it.yaml:5: name: is given twice, on lines 2 and 5"),
        ("limits: {cpus: 1, cpus: 2}\n", "it.yaml:5: limits.cpus: is given twice"),
        ("secret_names: [a, b, a]\n", "it.yaml:5: secret_names[2]: names a a second time"),
        ("executor_tags: [eu, eu]\n", "it.yaml:5: executor_tags[1]: names eu a second time"),
        ("executor_tags: [EU]\n", "it.yaml:5: executor_tags[0]: must"),
        ("script_file: x.sh\n", "it.yaml:4: script: must be given either here or as script_file"),
        ("description: !!python/object/apply:os.system [id]\n", "it.yaml:5: must have no tag"),
        ("description: &a x\n", "it.yaml:5: must have no anchor or alias"),
        ("description: [\n", "it.yaml:6: is no YAML:"),
        ("timeout_seconds: " + "9" * 5000 + "\n", "it.yaml:5: timeout_seconds: is no number that can be used"),
        ('description: "\\ud800"\n', "it.yaml:5: description: must be valid Unicode"),
        ("limits:\n", "it.yaml:5: limits: must be a mapping"),
        ("? [a]\n: 1\n", "it.yaml:5: a key must be a word"),
        ("parameters: " + "[" * 32 + "]" * 32 + "\n", "it.yaml:5: must be nested at most 30 deep"),
        ("parameters: " + "[" * 100_000, "must be nested at most 30 deep"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    found = wrong(a_file(tmp_path, GOOD + text))
    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        ("{type: string}", "parameters[0].name: is required"),
        ("{name: p}", "parameters[0].type: is required"),
        ("{name: p, type: sting}", "must be one of string, integer, number, boolean, enum: do you mean string?"),
        ("{name: P, type: string}", "parameters[0].name: must match pattern"),
        ("{name: p, type: integer, pattern: x}", "[0].pattern: does not apply to a parameter of type integer"),
        ("{name: p, type: integer, requird: true}", "parameters[0].requird: is not known: do you mean required?"),
        ("{name: p, type: integer, default: 1.5}", "parameters[0].default: must be a valid integer"),
        ("{name: p, type: integer, min: 2, max: 1}", "parameters[0].max: must not be less than min"),
        ("{name: p, type: integer, min: 2, default: 1}", "parameters[0].default: must be within min and max"),
        ("{name: p, type: boolean, default: on}", "parameters[0].default: must be a valid boolean"),
        ("{name: p, type: string, default: true}", "parameters[0].default: must be text: put it in quotes"),
        ("{name: p, type: string, max_length: 2, default: abc}", "[0].default: must have at most 2 characters"),
        ("{name: p, type: enum}", "parameters[0].options: is required"),
        ("{name: p, type: enum, options: [blue, red], default: rad}", "must be one of the options: do you mean red?"),
        ("{name: p, type: string, sensitive: true, default: x}", "[0].default: is not for a sensitive parameter"),
        ("text", "parameters[0]: must be a mapping"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_parameter_is_named_with_its_line(tmp_path: Path, parameter: str, said: str) -> None:
    found = wrong(a_file(tmp_path, f"{GOOD}parameters:\n  - {parameter}\n"))
    assert [line for line in found if line.startswith("it.yaml:6: ") and said in line], found


def test_all_mistakes_of_all_files_are_named_at_once(tmp_path: Path) -> None:
    a_file(tmp_path, GOOD + "naem: x\nmax_retries: 9\n", "a.yaml")
    a_file(tmp_path, GOOD + "---\n" + GOOD, "b.yml")
    a_file(tmp_path, "services: {}\n", "below/c.yaml")
    a_file(tmp_path, b"\xff", "d.yaml")
    a_file(tmp_path, "# nothing\n", "e.yaml")
    a_file(tmp_path, "not: looked at\n", ".hidden/f.yaml")
    assert wrong(tmp_path) == [
        "a.yaml:5: naem: is not known: do you mean name?",
        "a.yaml:6: max_retries: must be less than or equal to 3",
        f"b.yml:7: name: it stands in {tmp_path}/b.yml:1, too".replace(f"{tmp_path}/", ""),
        "below/c.yaml:1: oncall: must be runbook/v1: this is no file of that format",
        "d.yaml: is not UTF-8 text",
        "e.yaml: holds no runbook",
    ]


def test_an_alias_bomb_is_refused_at_once(tmp_path: Path) -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    started = time.monotonic()
    assert "must have no anchor or alias" in wrong(a_file(tmp_path, GOOD + bomb))[0]
    assert time.monotonic() - started < 20  # of a bomb that goes off there is no end


def test_a_file_that_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = a_file(tmp_path, GOOD)
    os.truncate(path, 10 * 1024**3)
    assert wrong(path) == ["it.yaml: must have at most 4,194,304 bytes"]


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/hostname", "sub/../../secret", "..", "a\\\\b", "link", "linked/secret"]
)
def test_a_script_outside_the_folder_is_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("not for you")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(tmp_path / "secret")
    (inside / "linked").symlink_to(tmp_path)
    [said] = wrong(a_file(inside, f'{HEAD}script_file: "{name}"\n'))
    assert said.startswith("it.yaml:4: script_file: ")
    assert "not for you" not in said


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.mkdir(), "cannot be read: Is a directory"),
        (os.mkfifo, "is no file"),
        (lambda path: path.symlink_to(path), "cannot be read"),
        (lambda path: path.write_bytes(b"\xff"), "is not UTF-8 text"),
        (lambda path: path.write_bytes(b""), "must not be empty"),
        (lambda path: path.write_bytes(b"a\0"), "must not contain the NUL character"),
        (lambda path: path.write_bytes(b"x" * (2**20 + 1)), "must have at most 1,048,576 bytes"),
        (lambda path: None, "cannot be read: No such file or directory"),
    ],
)
def test_what_is_no_script_is_refused_without_waiting(tmp_path: Path, make, said: str) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path / "it.sh")
    [line] = wrong(a_file(tmp_path, HEAD + "script_file: it.sh\n"))
    assert line.startswith("it.yaml:4: script_file: " + said)


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    a_file(tmp_path, "password: hunter2\n", "outside/secret.yaml")
    a_file(tmp_path, GOOD, "inside/it.yaml")
    (tmp_path / "inside/link.yaml").symlink_to(tmp_path / "outside/secret.yaml")
    assert read(tmp_path / "inside").name == "it"


def test_what_yaml_1_1_took_for_something_else_is_text(tmp_path: Path) -> None:
    enum = "parameters: [{name: p, type: enum, options: [on, off, yes, no, 12:30, 2024-01-01], default: no}]\n"
    [parameter] = read(a_file(tmp_path, GOOD + enum)).version.parameters
    assert list(parameter.options) == ["on", "off", "yes", "no", "12:30", "2024-01-01"]
    assert parameter.default.string_value == "no"


def test_sizes_are_read_as_people_write_them(tmp_path: Path) -> None:
    limits = read(
        a_file(tmp_path, GOOD + "limits: {memory_bytes: 1GiB, disk_bytes: 2097152, cpus: 2}\n")
    ).version.limits
    assert (limits.memory_bytes, limits.disk_bytes, limits.cpus, limits.processes) == (2**30, 2 * 2**20, 2.0, 128)


def test_a_script_is_read_to_the_byte(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/it.sh").write_bytes(b"echo\r\n\tx \xe2\x82\xac")
    assert read(a_file(tmp_path, HEAD + "script_file: sub/it.sh\n")).version.script == "echo\r\n\tx €"
