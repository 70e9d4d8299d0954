"""Threads that may connect to permitted addresses and read the files of this Python, and otherwise touch nothing.

For libraries that open their own connections. The interpreter itself tells of what it is about to do (audit hooks, PEP
578), whichever module asks for it, and with the address that is really connected to; here such a thread is refused what
it has no business with. That holds against mistakes and hostile answers, not against hostile code in this process.
"""

from __future__ import annotations

import socket
import sys
import sysconfig
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from server.domain.outbound import AddressRefused, OutboundPolicy

Answer = TypeVar("Answer")

# Where Python and its packages lie, and lists of certificate authorities.
_READABLE = tuple(
    sorted(
        {str(Path(path).resolve()) for path in (sys.prefix, sys.base_prefix, *sysconfig.get_paths().values())}
        | {"/etc/ssl", "/usr/share/zoneinfo", "/etc/mime.types", "/etc/resolv.conf", "/etc/hosts"}
    )
)
_REFUSED_PREFIXES = ("subprocess.", "os.exec", "os.posix_spawn", "os.fork", "os.system", "os.remove", "os.rename")
_REFUSED = frozenset(
    {
        "_thread.start_joinable_thread",  # it would not be confined; before Python 3.12 nobody is told of it
        "_thread.start_new_thread",
        "os.chmod",
        "os.link",
        "os.mkdir",
        "os.rmdir",
        "os.symlink",
        "os.truncate",
        "shutil.rmtree",
        "socket.bind",
    }
)


class Confinement:
    """What one thread may do, and what it did."""

    def __init__(self, policy: OutboundPolicy) -> None:
        self._policy = policy
        self._host = ""
        self.address_refused = False
        """Whether the last address that it wanted was refused."""
        self._sockets: list[socket.socket] = []
        self.ended = False

    def run(self, action: Callable[[], Answer]) -> Answer:
        """Does `action` in this thread, confined."""
        _install()
        _thread.confinement = self
        try:
            return action()
        finally:
            _thread.confinement = None
            self._sockets.clear()

    def end(self) -> None:
        """Cuts the thread's connections, from another thread, so that it stops waiting for them, and allows no more."""
        self.ended = True
        for one in list(self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def check(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Raises where the thread must not do what the interpreter says it is about to do."""
        if event == "socket.getaddrinfo":
            self._host = _text(arguments[0])
        elif event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
            self._check_address(arguments[0], arguments[1])
        elif event == "open":
            _check_file(arguments[0], arguments[1], arguments[2])
        elif event in _REFUSED or event.startswith(_REFUSED_PREFIXES):
            raise PermissionError(f"{event} is not for a confined thread")

    def _check_address(self, connecting: socket.socket, address: object) -> None:
        target = address[0] if isinstance(address, tuple) and address else ""
        if self.ended:
            raise TimeoutError("the time is up")
        if not isinstance(target, str) or not self._policy.permits(target, host=self._host):
            self.address_refused = True
            raise AddressRefused
        self.address_refused = False
        self._sockets.append(connecting)


class _Thread(threading.local):
    confinement: Confinement | None = None


_thread = _Thread()
_installing = threading.Lock()
_installed: list[bool] = []


def _install() -> None:
    """Hooks in, once in the life of this process: an audit hook cannot be taken out again."""
    with _installing:
        if not _installed:
            sys.addaudithook(_hook)
            _installed.append(True)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    confinement = _thread.confinement
    if confinement is not None:
        confinement.check(event, arguments)


def _check_file(path: object, mode: object, flags: object) -> None:
    if isinstance(path, int):
        return  # a descriptor that is open already
    writes = isinstance(flags, int) and flags & 0o3 != 0  # O_WRONLY or O_RDWR
    if isinstance(mode, str):
        writes = writes or any(letter in mode for letter in "wax+")
    place = Path(_text(path)).resolve()  # whatever links and dots lead there
    if writes or not any(place.is_relative_to(readable) for readable in _READABLE):
        raise PermissionError("this file is not for a confined thread")


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
