"""API tokens: their form, and what is kept of them."""

from __future__ import annotations

import secrets

import pytest

from server.domain import token


def test_a_token_is_recognised_by_its_own_secret_alone() -> None:
    one, two = token.issue(secrets.token_bytes), token.issue(secrets.token_bytes)
    presented = token.parse(one.token)
    assert presented is not None
    assert presented.prefix == one.prefix
    assert presented.matches(one.secret_hash)
    assert not presented.matches(two.secret_hash)


def test_the_secret_has_256_bits_and_is_in_neither_prefix_nor_hash_nor_repr() -> None:
    asked: list[int] = []

    def random(count: int) -> bytes:
        asked.append(count)
        return secrets.token_bytes(count)

    issued = token.issue(random)
    secret = issued.token.removeprefix(issued.prefix)
    assert 32 in asked
    assert len(secret) == 43
    assert secret.encode() not in issued.secret_hash
    assert secret not in repr(issued)
    assert secret not in repr(token.parse(issued.token))


@pytest.mark.parametrize(
    "text", ["", "oct_", "ocp_" + "a" * 59, "oct_" + "a" * 58, "oct_" + "a" * 60, "oct_" + "é" * 59]
)
def test_what_does_not_look_like_a_token_is_none(text: str) -> None:
    assert token.parse(text) is None
