"""Which addresses this installation may connect to on somebody's word: what a team names must not reach inside.

What is asked about is the address that is connected to, never a name: a name may mean another address a moment later.
The special-purpose registries of IANA are what `ipaddress` goes by; what they lack of addresses inside is listed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_INSIDE: tuple[Network, ...] = (
    ip_network("168.63.129.16/32"),  # Azure's own service in every machine, on an address that looks public
    ip_network("192.0.0.0/24"),  # protocol assignments; Oracle's metadata service is at .192
    ip_network("192.88.99.0/24"),  # relays to 6to4, long given up
    ip_network("::/96"),  # IPv4-compatible, long given up
    ip_network("64:ff9b:1::/48"),  # NAT64 of a network's own, RFC 8215: where it leads is known to that network alone
    ip_network("2001::/32"),  # Teredo
    ip_network("fec0::/10"),  # site-local, as private networks were once
)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052


class AddressRefused(OSError):
    """An address that this installation does not connect to; the text names neither it nor whose it was.

    An OSError, so that whoever wanted to connect goes on as after any that cannot be reached.
    """

    def __init__(self) -> None:
        super().__init__("the address is inside, or special, and not among those of ONCALL_OUTBOUND_ALLOW")


@dataclass(frozen=True, slots=True)
class OutboundPolicy:
    """What may be connected to besides the public addresses of the internet."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, allowed: str) -> OutboundPolicy:
        """Reads addresses, networks and host names, separated by commas; ValueError with a sentence about a bad one."""
        networks, hosts = [], set()
        for entry in filter(None, (part.strip() for part in allowed.split(","))):
            try:
                networks.append(ip_network(entry))
            except ValueError:
                if "/" in entry or ":" in entry or not _could_be_host(entry):
                    raise ValueError(f"{entry!r} is neither an address, nor a network, nor a host name") from None
                hosts.add(_spelled(entry))
        return cls(tuple(networks), frozenset(hosts))

    def allows_host(self, host: str) -> bool:
        """Whether whatever `host` means is allowed, because it was listed by name."""
        return _spelled(host) in self.hosts

    def permits(self, address: str, *, host: str = "") -> bool:
        """Whether `address`, without a port, may be connected to; `host` is the name that it was looked up for."""
        try:
            found = ip_address(address)
        except ValueError:
            return False  # a name, or a socket's path: nobody has checked what it means
        if self.allows_host(host):
            return True
        if isinstance(found, IPv6Address) and found.scope_id:
            found = IPv6Address(int(found))
        meant = _meant(found)
        if any(address in network for network in self.networks for address in (found, meant)):
            return True
        return meant.is_global and not meant.is_multicast and not any(meant in inside for inside in _INSIDE)


def _meant(address: Address) -> Address:
    """Answers the address that this one ends at: itself, or the one of IPv4 that it stands for."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _could_be_host(entry: str) -> bool:
    return len(entry) <= 253 and all(label and len(label) <= 63 for label in entry.rstrip(".").split("."))


def _spelled(host: str) -> str:
    return host.rstrip(".").lower()
