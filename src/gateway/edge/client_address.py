"""Where a request comes from: the peer, or what proxies that we were told to trust say of it, read from the right.

Each proxy appends whom it heard from, so only what stands right of the first address that is no proxy of ours was
written by somebody we trust. Everything left of that address anybody may have sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from gateway.edge import forwarded
from gateway.edge.forwarded import Hop

MOST_HOPS = 32
"""How many proxies are walked past; a longer chain is nobody's of ours."""

LONGEST_ADDRESS = 45

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class ForwardedHeader(Enum):
    """Which header our proxies write. The other one passes through them as the client sent it, so it is not read."""

    X_FORWARDED_FOR = "x-forwarded-for"
    FORWARDED = "forwarded"


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: an address, empty where there is none, and whether it came by `http` or `https`."""

    address: str
    scheme: str


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies that are believed about whom they heard from; none by default."""

    networks: Sequence[Network] = ()
    header: ForwardedHeader = ForwardedHeader.X_FORWARDED_FOR

    def client(self, peer: str, scheme: str, headers: Iterable[tuple[bytes, bytes]]) -> Client:
        """Answers the first address from the right that is no proxy of ours; of a malformed chain, where it breaks off.

        `headers` are those of the request in their order, with names in lower case.
        """
        address = _parsed(peer)
        if address is None:
            return Client("", scheme)
        if not self._trusts(address):
            return Client(str(address), scheme)
        for walked, hop in enumerate(self._hops([*headers])):
            before = _parsed(hop.address) if walked < MOST_HOPS else None
            if before is None:
                break
            address, scheme = before, hop.scheme or scheme
            if not self._trusts(address):
                break
        return Client(str(address), scheme)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self.networks)

    def _hops(self, headers: list[tuple[bytes, bytes]]) -> Iterator[Hop]:
        if self.header is ForwardedHeader.FORWARDED:
            return forwarded.hops(_joined(headers, b"forwarded"))
        return forwarded.x_hops(_joined(headers, b"x-forwarded-for"), _joined(headers, b"x-forwarded-proto"))


def parse_networks(text: str) -> tuple[Network, ...]:
    """Reads addresses and CIDRs between commas or spaces; ValueError names the first that is none."""
    return tuple(_unmapped_network(ip_network(part)) for part in text.replace(",", " ").split())


def _joined(headers: list[tuple[bytes, bytes]], name: bytes) -> str:
    """Answers the lines of one header as the one list that they are."""
    return ",".join(value.decode("latin-1") for key, value in headers if key == name)


@lru_cache(maxsize=4096)  # peers, and proxies before them, come again
def _parsed(text: str) -> Address | None:
    """Answers an address, one of IPv4 that is mapped into IPv6 as what it is; nothing for one with a zone."""
    if len(text) > LONGEST_ADDRESS:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        return address.ipv4_mapped or address
    return address


def _unmapped_network(network: Network) -> Network:
    if isinstance(network, IPv6Network) and network.prefixlen >= 96 and network.network_address.ipv4_mapped:
        return IPv4Network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return network
