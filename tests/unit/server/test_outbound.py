"""Which addresses may be connected to on a team's word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.outbound import OutboundPolicy

NOTHING_INSIDE = OutboundPolicy()

PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "64:ff9b::1.1.1.1", "::ffff:1.1.1.1", "2002:101:101::"]
INSIDE = [
    "0.0.0.0",  # noqa: S104 - an address that is refused
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",  # carriers' NAT
    "100.100.100.200",  # a cloud's metadata
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:169.254.169.254",
    "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1",
    "64:ff9b:1::808:808",  # a network of its own translates this one: where to is not known
    "2001:db8::1",
    "2001::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
NOT_ADDRESSES = ["localhost", "2130706433", "0177.0.0.1", "0x7f.1", "127.1", "", "/run/socket", "1.1.1.1 "]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_permitted(address: str) -> None:
    assert NOTHING_INSIDE.permits(address)


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_inside_are_refused_in_whatever_spelling(address: str) -> None:
    assert not NOTHING_INSIDE.permits(address)


@pytest.mark.parametrize("text", NOT_ADDRESSES)
def test_what_is_no_address_is_refused_because_nobody_knows_what_it_means(text: str) -> None:
    assert not NOTHING_INSIDE.permits(text)


@given(st.ip_addresses(v=4))
def test_an_address_that_stands_for_another_is_permitted_only_where_that_one_is(address: object) -> None:
    permitted = NOTHING_INSIDE.permits(str(address))
    for form in (f"::ffff:{address}", f"64:ff9b::{address}"):
        assert NOTHING_INSIDE.permits(form) == permitted, form


def test_what_is_listed_is_permitted_and_nothing_beside_it() -> None:
    policy = OutboundPolicy.parse(" 10.1.0.0/16, 127.0.0.1 ,fd00::/64, Relay.Internal. ")
    for address in ("10.1.2.3", "127.0.0.1", "::ffff:127.0.0.1", "fd00::5"):
        assert policy.permits(address), address
    for address in ("10.2.0.1", "127.0.0.2", "fd00:0:0:1::5"):
        assert not policy.permits(address), address
    assert policy.permits("10.9.9.9", host="relay.internal")
    assert not policy.permits("10.9.9.9", host="relay.internal.example")
    assert policy.permits("1.1.1.1", host="example.org")


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "300.1.1.1/8", "http://a.example", "a..b", "a" * 64])
def test_an_entry_that_means_nothing_is_refused_at_the_start(entry: str) -> None:
    with pytest.raises(ValueError, match="neither an address"):
        OutboundPolicy.parse(entry)
