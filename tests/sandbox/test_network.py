"""Attacks over the network, and over sockets of the machine that need none."""

from __future__ import annotations

import pytest

from tests.sandbox.aftermath import assert_as_new
from tests.sandbox.attack import BASH, JAVASCRIPT, PYTHON, Attack, each
from tests.sandbox.conftest import Range
from tests.sandbox.starts import Start

pytestmark = pytest.mark.asyncio(loop_scope="module")

ATTACKS = (
    Attack(
        "a listener of the machine",
        PYTHON,
        """
        import socket
        for address in ("127.0.0.1", "localhost", "0.0.0.0", "127.1.2.3"):
            try:
                socket.create_connection((address, int(HOST["PARAM_PORT"])), 1); escaped(address)
            except OSError:
                pass
        """,
    ),
    Attack("a listener, through bash", BASH, "(echo x >/dev/tcp/127.0.0.1/$PARAM_PORT) 2>/dev/null && escaped"),
    Attack(
        "a listener, through Node.js",
        JAVASCRIPT,
        """
        for (const to of [{ port: +HOST.PARAM_PORT, host: '127.0.0.1' }, { path: HOST.PARAM_SOCKET },
            { path: '\\0' + HOST.PARAM_ABSTRACT }])
          require('net').connect(to, () => escaped(to)).on('error', () => {});
        """,
    ),
    Attack(
        "abstract sockets",
        PYTHON,
        """
        import socket
        names = {line.split()[-1][1:] for line in open("/proc/net/unix") if "@" in line}
        if names: escaped(names)
        for name in {HOST["PARAM_ABSTRACT"], *names}:
            try:
                socket.socket(socket.AF_UNIX).connect("\\0" + name); escaped(name)
            except OSError:
                pass
        """,
    ),
    Attack(
        "sockets in the file system",
        PYTHON,
        """
        import socket
        for path in (HOST["PARAM_SOCKET"], "/var/run/docker.sock", "/run/docker.sock", "/run/dbus/system_bus_socket",
                     "/run/containerd/containerd.sock", "/run/systemd/private"):
            try:
                socket.socket(socket.AF_UNIX).connect(path); escaped(path)
            except OSError:
                pass
        """,
    ),
    Attack("any socket at all", BASH, "find / -xdev -type s 2>/dev/null | grep . && escaped"),
    Attack(
        "addresses of the world",
        PYTHON,
        """
        import socket
        for family, address in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET, "169.254.169.254"),
            (socket.AF_INET6, "2001:db8::1")):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                try:
                    with socket.socket(family, kind) as s:
                        s.settimeout(1); s.connect((address, 80)); escaped(address)
                except OSError:
                    pass
        """,
    ),
    Attack(
        "interfaces",
        PYTHON,
        """
        import socket
        if [name for _, name in socket.if_nameindex()] != ["lo"]: escaped(socket.if_nameindex())
        if open("/proc/net/route").read().count("\\n") > 1: escaped("a route")
        if open("/proc/net/if_inet6").read(): escaped("an address")
        """,
    ),
    Attack(
        "setting an interface up",
        BASH,
        """
        for what in "link set lo up" "link add d type dummy" "addr add 10.9.9.9/8 dev lo" "link add b type bridge" \\
            "tuntap add mode tun name t" "route add default dev lo"; do
          ip $what 2>/dev/null && escaped "$what"
        done
        """,
    ),
    Attack(
        "reaching itself",
        PYTHON,
        """
        import socket
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            try:
                server = socket.create_server((address, 0), family=family)
                socket.create_connection(server.getsockname()[:2], 1); escaped("the loopback is up")
            except OSError:
                pass
        """,
    ),
    Attack(
        "raw and unusual sockets",
        PYTHON,
        """
        import socket
        for family, kind in ((socket.AF_PACKET, socket.SOCK_RAW), (socket.AF_INET, socket.SOCK_RAW), (40,
            socket.SOCK_STREAM),
                             (38, socket.SOCK_SEQPACKET), (socket.AF_INET6, socket.SOCK_RAW), (31, socket.SOCK_RAW)):
            try:
                socket.socket(family, kind, 1 if family == socket.AF_INET else 0); escaped(family, kind)
            except OSError:
                pass
        """,
    ),
)


@each(ATTACKS)
async def test_nothing_gets_out(attacked: Range, attack: Attack, start: Start) -> None:
    await attacked.suffer(attack, start)


async def test_afterwards_the_executor_is_as_new(attacked: Range) -> None:
    await assert_as_new(attacked.platform)
