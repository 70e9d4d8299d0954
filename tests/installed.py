"""Where an installation of a test's own lies, and a port that it keeps over restarts."""

from __future__ import annotations

import os
import random
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.launcher.service_account import service_account
from cli.launcher.socket_folder import open_socket_folder, remove_socket_folder


@contextmanager
def a_folder_for_services(prefix: str, keep_logs: Path | None = None) -> Iterator[tuple[Path, Path]]:
    """Yields a folder with an empty `logs` in it, and one for sockets; removes both at the end.

    `keep_logs` is where to put the logs then.
    """
    account = service_account()
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    if account:
        os.chown(folder, -1, account.gid)
        folder.chmod(0o710)
    (folder / "logs").mkdir()
    sockets = open_socket_folder(folder, account)
    try:
        yield folder, sockets
    finally:
        if keep_logs:
            shutil.copytree(folder / "logs", keep_logs, dirs_exist_ok=True)
        remove_socket_folder(sockets)
        shutil.rmtree(folder)


def a_port() -> int:
    """Answers a free port that no outgoing connection gets by itself, so that it is still free after a kill."""
    while True:
        port = random.randrange(15_000, 32_000)  # noqa: S311 - any will do
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
