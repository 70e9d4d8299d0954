"""Whom a request comes from, through chains of proxies that are ours, and of others who would like to be."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.client_address import Client, ForwardedHeader, Proxies, parse_networks

OURS = parse_networks("10.0.0.0/8, fd00::/8")
X = Proxies(OURS)
STANDARD = Proxies(OURS, ForwardedHeader.FORWARDED)
PROXY = "10.0.0.1"


def x(*lines: str, proto: str = "") -> list[tuple[bytes, bytes]]:
    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in lines]
    return [*headers, (b"x-forwarded-proto", proto.encode())] if proto else headers


def standard(*lines: str) -> list[tuple[bytes, bytes]]:
    return [(b"forwarded", line.encode("latin-1")) for line in lines]


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        ([], PROXY),
        (["198.51.100.7"], "198.51.100.7"),
        (["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
        (["203.0.113.9", "198.51.100.7, 10.1.2.3"], "198.51.100.7"),
        (["10.9.9.9, 10.1.2.3"], "10.9.9.9"),
        (["198.51.100.7:4711"], "198.51.100.7"),
        (["[2001:db8::1]:4711"], "2001:db8::1"),
        (["2001:DB8:0::1"], "2001:db8::1"),
        (["::ffff:198.51.100.7"], "198.51.100.7"),
        (["198.51.100.7, ::ffff:10.1.2.3"], "198.51.100.7"),
        (["198.51.100.7, nonsense"], PROXY),
        (["198.51.100.7, nonsense, 10.1.2.3"], "10.1.2.3"),
        (["198.51.100.7,"], PROXY),
        (["198.51.100.300"], PROXY),
        (["fe80::1%eth0"], PROXY),
        (["unknown"], PROXY),
    ],
)
def test_the_first_address_from_the_right_that_is_no_proxy_of_ours_asks(lines: list[str], address: str) -> None:
    assert X.client(PROXY, "http", x(*lines)) == Client(address, "http")


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        (["for=198.51.100.7"], "198.51.100.7"),
        (['For="[2001:db8::1]:4711";by=_gate'], "2001:db8::1"),
        (["for=203.0.113.9, for=198.51.100.7;host=x", "for=10.1.2.3"], "198.51.100.7"),
        (['for="spoofed, for=198.51.100.7'], "198.51.100.7"),
        (['for=203.0.113.9;x=", for="198.51.100.7";by="_gate"'], "198.51.100.7"),
        (['for="203.0.113.9, for=203.0.113.8"'], PROXY),
        (["for=unknown"], PROXY),
        (["for=_hidden"], PROXY),
        (["for=198.51.100.7;for=203.0.113.9"], PROXY),
        (["by=198.51.100.7"], PROXY),
        (["198.51.100.7"], PROXY),
    ],
)
def test_the_standard_header_is_read_alike(lines: list[str], address: str) -> None:
    assert STANDARD.client(PROXY, "http", standard(*lines)) == Client(address, "http")


def test_only_the_header_that_our_proxies_write_is_read() -> None:
    both = [*x("198.51.100.7"), *standard("for=203.0.113.9")]
    assert X.client(PROXY, "http", both).address == "198.51.100.7"
    assert STANDARD.client(PROXY, "http", both).address == "203.0.113.9"


@pytest.mark.parametrize(
    ("addresses", "proto", "scheme"),
    [
        ("198.51.100.7", "https", "https"),
        ("198.51.100.7, 10.1.2.3", "https", "https"),
        ("198.51.100.7, 10.1.2.3", "https, http", "https"),
        ("203.0.113.9, 198.51.100.7", "https, http", "http"),
        ("198.51.100.7", "javascript", "http"),
        ("nonsense", "https", "http"),
    ],
)
def test_the_scheme_is_that_of_whoever_asks(addresses: str, proto: str, scheme: str) -> None:
    assert X.client(PROXY, "http", x(addresses, proto=proto)).scheme == scheme
    assert STANDARD.client(PROXY, "http", standard("for=198.51.100.7;proto=HTTPS")).scheme == "https"


addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).filter(
    lambda one: isinstance(one, IPv4Address) or one.ipv4_mapped is None
)
outside = addresses.filter(lambda one: not any(one in network for network in OURS))
inside = st.one_of(st.ip_addresses(network="10.0.0.0/8"), st.ip_addresses(network="fd00::/8"))
anything = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)


@given(peer=outside, sent=anything)
def test_a_stranger_is_believed_nothing(peer: IPv4Address | IPv6Address, sent: str) -> None:
    headers = [*x(sent, "198.51.100.7", proto="https"), *standard(sent, "for=198.51.100.7;proto=https")]
    for proxies in (Proxies(), X, STANDARD):
        assert proxies.client(str(peer), "http", headers) == Client(str(peer), "http")


@given(spoofed=st.lists(anything, max_size=4), client=outside, ours=st.lists(inside, max_size=4))
def test_no_spoofed_beginning_of_a_chain_moves_its_client(
    spoofed: list[str], client: IPv4Address | IPv6Address, ours: list[IPv4Address | IPv6Address]
) -> None:
    """Each proxy of ours appends whom it heard from, to a line of the client's or in one of its own."""
    chain = [client, *ours]
    for glue in (", ", ","):
        line = glue.join([*spoofed, *(str(hop) for hop in chain)])
        assert X.client(PROXY, "http", x(line)).address == str(client)
        written = [f"for={hop}" if isinstance(hop, IPv4Address) else f'for="[{hop}]"' for hop in chain]
        assert STANDARD.client(PROXY, "http", standard(glue.join([*spoofed, *written]))).address == str(client)
    assert X.client(PROXY, "http", x(*spoofed, *(str(hop) for hop in chain))).address == str(client)


@given(sent=st.lists(anything, max_size=6))
def test_whatever_is_sent_an_address_is_answered(sent: list[str]) -> None:
    for proxies, headers in ((X, x(*sent)), (STANDARD, standard(*sent))):
        assert ip_address(proxies.client(PROXY, "http", headers).address)


def test_an_endless_chain_of_ours_ends() -> None:
    line = ", ".join(["198.51.100.7"] + ["10.0.0.2"] * 200)
    assert X.client(PROXY, "http", x(line)).address == "10.0.0.2"


def test_a_peer_without_an_address_has_none() -> None:
    assert X.client("", "http", x("198.51.100.7")) == Client("", "http")


def test_networks_are_read_and_nonsense_is_named() -> None:
    assert [str(network) for network in parse_networks("10.0.0.1, ::ffff:192.0.2.0/120 fd00::/8")] == [
        "10.0.0.1/32",
        "192.0.2.0/24",
        "fd00::/8",
    ]
    for bad in ("10.0.0.1/8", "everybody", "10.0.0.0/33"):
        with pytest.raises(ValueError, match=bad.partition("/")[0]):
            parse_networks(bad)
