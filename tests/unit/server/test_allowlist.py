"""Addresses and networks that partners may come from."""

from __future__ import annotations

import pytest

from server.domain import allowlist
from server.domain.partner import checked_allowlist
from server.domain.violation import Violations


@pytest.mark.parametrize(
    ("entry", "kept"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7/32", "192.0.2.7"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("2001:DB8::1", "2001:db8::1"),
        ("2001:db8:0:0::/32", "2001:db8::/32"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::/0", "::/0"),
    ],
)
def test_an_entry_is_kept_in_one_spelling(entry: str, kept: str) -> None:
    violations = Violations()
    assert checked_allowlist([entry], violations) == (kept,)
    violations.raise_if_any()


@pytest.mark.parametrize(
    "entry", ["", "acme.example", "192.0.2.7/24", "192.0.2.300", "192.0.2.0/33", "fe80::1%eth0", "10.0.0.1-10.0.0.9"]
)
def test_what_names_no_addresses_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        allowlist.network(entry)


@pytest.mark.parametrize(
    ("entries", "client", "allowed"),
    [
        ([], "192.0.2.7", True),
        (["192.0.2.7"], "192.0.2.7", True),
        (["192.0.2.7"], "192.0.2.8", False),
        (["192.0.2.0/24"], "192.0.2.255", True),
        (["192.0.2.0/24"], "::ffff:192.0.2.9", True),
        (["192.0.2.0/24"], "::ffff:192.0.3.9", False),
        (["2001:db8::/32"], "2001:db8::1", True),
        (["2001:db8::/32"], "2001:db9::1", False),
        (["2001:db8::/32"], "192.0.2.7", False),
        (["0.0.0.0/0"], "2001:db8::1", False),
        (["::/0"], "192.0.2.7", False),
        (["198.51.100.1", "2001:db8::1"], "2001:db8::1", True),
    ],
)
def test_a_client_is_allowed_where_an_entry_names_its_address(entries: list[str], client: str, allowed: bool) -> None:
    assert allowlist.allows(entries, allowlist.address(client)) is allowed


@pytest.mark.parametrize("client", ["", "testclient", "192.0.2.7:443", "fe80::1%eth0"])
def test_what_is_no_address_is_nobodys(client: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        allowlist.address(client)
