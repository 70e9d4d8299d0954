"""What a connection takes for a request, and what it does to those who say it in unusual ways."""

from __future__ import annotations

from collections.abc import Mapping

from tests.integration.told_twice import field_of, status_of, told, two_worlds, written

PAGE = "/status/acme"
HOST = {"host": "status.example"}
GOOD = HOST | {"authorization": "Bearer good"}


def in_chunks(headers: Mapping[str, str], trailers: Mapping[str, str]) -> bytes:
    """Answers a request for the page with an empty body in chunks, and fields behind it."""
    head = written(PAGE, {**headers, "transfer-encoding": "chunked"})
    return head + "".join(f"{line}\r\n" for line in ["0", *(f"{n}: {v}" for n, v in trailers.items()), ""]).encode()


async def test_what_stands_behind_a_body_is_no_credential_of_whoever_asks_next() -> None:
    async with two_worlds(titles={"partner-1": "For one alone"}) as worlds:
        trailers = {"authorization": "Bearer good", "cookie": "oncall-session=good"}
        answers = await worlds.ask(in_chunks(HOST, trailers), *[written(PAGE, HOST)] * 2)
        assert not any(b"For one alone" in answer for answer in answers)
        assert worlds.quick.at_once == 2
        assert b"For one alone" in (await worlds.ask(written(PAGE, GOOD)))[0]


async def test_what_stands_behind_a_body_is_not_kept_for_who_asks_without_it() -> None:
    async with two_worlds(public=True) as worlds:
        (answer,) = await worlds.ask(in_chunks(GOOD, {"if-none-match": "*", "accept": "application/json"}))
        again = await worlds.ask(*[written(PAGE, GOOD)] * 2)
        assert [status_of(one) for one in [answer, *again]] == [200] * 3
        assert {field_of(one, "content-type") for one in [answer, *again]} == {"text/html; charset=utf-8"}
        assert worlds.quick.at_once == 2
