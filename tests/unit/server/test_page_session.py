"""Sessions of browsers: what is written is read, what anybody changed is none, and each key serves one purpose."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kernel.cipher import derive_key
from server.domain import page_session, partner_token
from server.domain.page_session import LONGEST_SESSION, MARK, PageSession, PageSessions, SessionKind
from server.domain.partner_token import PARTNER_MARK, PartnerTokens
from server.settings import ServerSettings
from tests.builders import MASTER_KEY

MADE = datetime(2026, 3, 1, 0, 30, 15, 250_000, tzinfo=UTC)
ENDS = datetime(2026, 3, 1, 12, 30, 15, 999_999, tzinfo=UTC)
HASH = bytes(range(32))
TOKEN_ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")

sessions = PageSessions(b"k" * 32)


def written() -> list[str]:
    return [
        sessions.write(sessions.of_partner(TOKEN_ID, MADE, ENDS)),
        sessions.write(sessions.of_page(TOKEN_ID, HASH, ENDS)),
    ]


@given(st.uuids(), st.integers(1, 2**37), st.binary(min_size=32))
def test_what_is_written_is_read_again(of: UUID, seconds: int, token_hash: bytes) -> None:
    ends_at = datetime.fromtimestamp(seconds, UTC)
    for session in (sessions.of_partner(of, MADE, ends_at), sessions.of_page(of, token_hash, ends_at)):
        token = sessions.write(session)
        assert sessions.read(token) == session
        assert len(token) <= LONGEST_SESSION


def test_a_session_ends_on_a_whole_second_and_never_later_than_it_may() -> None:
    session = sessions.of_partner(TOKEN_ID, MADE, ENDS)
    assert (session.kind, session.id, session.expires_at) == (
        SessionKind.PARTNER,
        TOKEN_ID,
        ENDS.replace(microsecond=0),
    )
    assert session.expires_at <= ENDS < session.expires_at + timedelta(seconds=1)


def test_each_second_has_a_session_of_its_own_also_of_a_token_that_ends_soon() -> None:
    made = [sessions.of_partner(TOKEN_ID, MADE + timedelta(seconds=passed), ENDS) for passed in (0, 0.5, 1)]
    assert sessions.write(made[0]) == sessions.write(made[1]) != sessions.write(made[2])


@pytest.mark.parametrize("token", written(), ids=["partner", "page"])
def test_no_changed_character_goes_unnoticed(token: str) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for index, character in enumerate(token):
        other = alphabet[(alphabet.index(character) + 1) % len(alphabet)]
        assert sessions.read(token[:index] + other + token[index + 1 :]) is None, index


@pytest.mark.parametrize("token", written(), ids=["partner", "page"])
def test_a_session_has_one_spelling(token: str) -> None:
    last = token[:-1] + chr(ord(token[-1]) + 1)
    others = [token + "=", token + "A", token[:-1], f" {token}", f"{token}\n", token.upper(), token.removeprefix(MARK)]
    standard = MARK + base64.b64encode(base64.urlsafe_b64decode(token.removeprefix(MARK) + "==")).decode()
    for other in [*others, last, standard + "x", token + "A" * LONGEST_SESSION]:
        assert other == token or sessions.read(other) is None, other


@given(st.text(max_size=100) | st.binary(max_size=100).map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_nothing_that_others_write_is_a_session(text: str) -> None:
    assert sessions.read(text) is None
    assert sessions.read(MARK + text) is None


def test_a_session_of_another_key_is_none() -> None:
    for token in written():
        assert PageSessions(b"l" * 32).read(token) is None


def test_a_session_of_a_page_is_of_the_token_that_it_was_made_from() -> None:
    session = sessions.of_page(uuid4(), HASH, ENDS)
    assert session.is_of(HASH)
    assert not session.is_of(None)
    assert not session.is_of(bytes(32))
    assert not session.is_of(bytes([HASH[0] ^ 1]) + HASH[1:])
    # A page without a token has no hash: a session of a partner is not taken for one of it.
    assert not PageSession(SessionKind.PAGE, session.id, ENDS).is_of(None)


def test_neither_a_session_nor_its_text_says_what_it_was_made_from() -> None:
    session = sessions.of_page(TOKEN_ID, HASH, ENDS)
    assert str(HASH[:16]) not in repr(session)
    assert HASH not in base64.urlsafe_b64decode(sessions.write(session).removeprefix(MARK) + "==")


def test_each_purpose_has_a_key_of_its_own_from_the_master_key() -> None:
    purposes = {page_session.KEY_PURPOSE, partner_token.KEY_PURPOSE, b"oncall page tokens v1"}
    keys = {derive_key(MASTER_KEY, purpose) for purpose in purposes}
    other_master = base64.urlsafe_b64encode(bytes(32)).decode()
    keys |= {derive_key(other_master, purpose) for purpose in purposes}
    assert (len(keys), {len(key) for key in keys}) == (2 * len(purposes), {32})


def test_there_is_no_master_key_unless_somebody_sets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ONCALL_MASTER_KEY", "ONCALL_DATABASE_URL", "ONCALL_REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValidationError) as refused:
        ServerSettings(database_url="-", redis_url="-")  # type: ignore[arg-type, call-arg]
    assert [error["loc"] for error in refused.value.errors()] == [("master_key",)]
    for weak in ("", "secret", base64.urlsafe_b64encode(bytes(31)).decode()):
        with pytest.raises(ValueError, match="32"):
            derive_key(weak, partner_token.KEY_PURPOSE)


def test_the_secret_of_a_partners_token_is_256_bits_that_its_prefix_does_not_tell() -> None:
    drawn: list[bytes] = []

    def random(size: int) -> bytes:
        drawn.append(bytes([len(drawn) + 1]) * size)
        return drawn[-1]

    issued = PartnerTokens(b"k" * 32, random).issue()
    assert [len(part) for part in drawn] == [10, 32]
    secret = issued.token.removeprefix(issued.prefix)
    assert base64.urlsafe_b64decode(secret + "=") == drawn[1]
    assert issued.prefix == PARTNER_MARK + base64.b32encode(drawn[0]).decode().lower()
    assert (len(issued.prefix), len(issued.token_hash)) == (20, 32)
