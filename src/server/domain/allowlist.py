"""Addresses that a partner may come from; an IPv4 address is the same however it is written."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAPPED = IPv6Network("::ffff:0:0/96")


def address(text: str) -> Address:
    """Answers the address, an IPv4 one also where it comes mapped into IPv6; ValueError for anything else."""
    found = ip_address(text)
    if isinstance(found, IPv6Address):
        if found.scope_id is not None:
            raise ValueError("an address with a zone means nothing on another machine")
        return found.ipv4_mapped or found
    return found


def network(text: str) -> Network:
    """Answers the addresses that an entry names; ValueError where it is none, or has bits beyond its prefix.

    Strict on purpose: `192.0.2.7/8` is more often a slip of the pen than a wish to let in sixteen million addresses.
    """
    if "%" in text:
        raise ValueError("a network with a zone means nothing on another machine")
    found = ip_network(text, strict=True)
    if isinstance(found, IPv6Network) and found.subnet_of(MAPPED):
        first = found.network_address.ipv4_mapped
        return IPv4Network((first or 0, found.prefixlen - MAPPED.prefixlen))
    return found


def spelled(entry: Network) -> str:
    """Answers the one spelling that is kept: a single address without its prefix length."""
    return str(entry.network_address) if entry.num_addresses == 1 else str(entry)


def allows(entries: Iterable[str], client: Address) -> bool:
    """Whether one of `entries`, kept as `spelled`, names `client`; without entries, everybody is allowed."""
    networks = [network(entry) for entry in entries]
    return not networks or any(client in entry for entry in networks)
