"""What a confined thread may do: read what Python is made of, and connect where it may; and nothing else."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from server.domain.outbound import AddressRefused, OutboundPolicy
from server.outbound.confined_thread import Confinement

NOTHING = OutboundPolicy()


def confined(action: Callable[[], object]) -> BaseException | None:
    """Does something in a confined thread of its own; answers what it raised."""
    raised: list[BaseException | None] = []

    def run() -> None:
        try:
            Confinement(NOTHING).run(action)
            raised.append(None)
        except BaseException as error:  # noqa: BLE001 - it is the answer
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return raised[0]


def connects(address: object, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> Callable[[], object]:
    def action() -> object:
        with socket.socket(family, kind) as one:
            return one.connect(address)

    return action


def binds() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))


def sends() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as one:
        one.sendto(b"x", ("127.0.0.1", 9))


@pytest.mark.parametrize(
    "action",
    [
        connects(("127.0.0.1", 9)),
        connects(("localhost", 9)),
        connects(("127.0.0.1", 9), kind=socket.SOCK_DGRAM),
        connects(("::1", 9, 0, 0), socket.AF_INET6),
        connects("/run/nobody", socket.AF_UNIX),
        lambda: socket.create_connection(("localhost", 9)),
        sends,
    ],
)
def test_a_confined_thread_connects_to_nothing_inside(action: Callable[[], object]) -> None:
    assert isinstance(confined(action), AddressRefused)


@pytest.mark.parametrize(
    "action",
    [
        lambda: Path("/etc/passwd").read_text(),
        lambda: Path("/proc/self/environ").read_bytes(),
        lambda: Path(__file__).read_text(),
        lambda: Path(f"{Path(pytest.__file__).parent}/../../../../../../../../../../etc/passwd").read_text(),
        lambda: Path(f"{Path(sys.prefix)}x").read_text(),
        lambda: Path("/tmp/confined").write_text("x"),  # noqa: S108 - nothing is written
        lambda: subprocess.run(["true"], check=True),
        binds,
    ],
)
def test_a_confined_thread_reads_no_files_writes_none_and_starts_nothing(action: Callable[[], object]) -> None:
    assert isinstance(confined(action), PermissionError)


def test_a_confined_thread_reads_what_python_is_made_of() -> None:
    assert confined(lambda: Path(pytest.__file__).read_text()) is None


def test_other_threads_are_not_confined(tmp_path: Path) -> None:
    assert isinstance(confined(lambda: Path("/etc/passwd").read_text()), PermissionError)
    (tmp_path / "file").write_text("x")
