"""From which address a call comes."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from urllib.parse import unquote


def address_of(peer: str) -> str:
    """Answers the address of a gRPC peer (`ipv4:192.0.2.7:50412`, `ipv6:%5B2001:db8::7%5D:50412`), without its port.

    `unix` for a socket of this machine; empty for what is no address. An IPv4 address in IPv6 clothes is the former.
    """
    kind, _, place = peer.partition(":")
    if kind == "unix":
        return kind
    host, _, _ = unquote(place).rpartition(":")
    return plain_address(host.strip("[]"))


def plain_address(text: str) -> str:
    """Answers an address as it is usually written; empty for what is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)
