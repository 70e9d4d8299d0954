"""The address of a caller is what an allowlist would call it: no port, no brackets, no second spelling."""

from __future__ import annotations

import pytest

from server.rpc.peer import address_of


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:192.0.2.7:50412", "192.0.2.7"),
        ("ipv6:[2001:db8::7]:50412", "2001:db8::7"),
        ("ipv6:%5B2001:DB8:0::7%5D:50412", "2001:db8::7"),
        ("ipv6:%5B::ffff:192.0.2.7%5D:50412", "192.0.2.7"),
        ("unix:/run/oncall.sock", "unix"),
        ("unix:", "unix"),
        ("", ""),
        ("nonsense", ""),
        ("ipv4:db-1.example:50412", ""),
    ],
)
def test_a_peer_is_known_by_its_address(peer: str, address: str) -> None:
    assert address_of(peer) == address
