"""Nothing that a team names leads inside: whatever the name means, whenever it is asked, whoever sends it on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from server.domain.delivery_attempt import Attempt
from server.domain.notification_channel import ChannelKind
from server.domain.outbound import AddressRefused, OutboundPolicy
from server.outbound.apprise_courier import AppriseCourier, MailServer, Message
from server.outbound.guarded_network import resolve
from server.outbound.webhook import OutgoingWebhook, WebhookSender
from tests.receivers import MailReceiver, WebhookReceiver, a_webhook_receiver, answering, silent

NOTHING, HERE = OutboundPolicy(), OutboundPolicy.parse("127.0.0.1")
REFUSED = str(AddressRefused())


async def sent(
    url: str, policy: OutboundPolicy, find: Callable[..., object] = resolve, *, seconds: float = 5
) -> Attempt:
    sender = WebhookSender(policy, seconds, find)  # type: ignore[arg-type]
    try:
        return await sender.send(OutgoingWebhook(UUID(int=1), url, {"a": 1}), datetime.now(UTC))
    finally:
        await sender.close()


async def posted(url: str, policy: OutboundPolicy, *, seconds: float = 5, mail: MailServer | None = None) -> Attempt:
    courier = AppriseCourier(policy, seconds, mail)
    kind = ChannelKind.APPRISE if "://" in url else ChannelKind.EMAIL
    try:
        return await courier.send(Message(kind, url, "Subject", "Body", "thread"))
    finally:
        courier.close()


def port_of(receiver: WebhookReceiver) -> str:
    return receiver.url.rpartition(":")[2]


async def test_an_allowed_address_is_reached(receiver: WebhookReceiver) -> None:
    assert (await sent(f"{receiver.url}/in?x=1", HERE)).delivered
    assert [(one.method, one.path, one.body) for one in receiver.requests] == [("POST", "/in?x=1", b'{"a":1}')]
    assert "cookie" not in receiver.requests[0].headers


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0"])
async def test_this_machine_is_refused_under_all_its_names(receiver: WebhookReceiver, host: str) -> None:
    for url in (f"http://{host}:{port_of(receiver)}/", f"http://{host}.:{port_of(receiver)}/"):
        attempt = await sent(url, NOTHING)
        assert not attempt.delivered, url
        assert host not in attempt.error
    # One of these is no address of HTTP to begin with.
    assert host == "0177.0.0.1" or (await sent(f"http://{host}:{port_of(receiver)}/", NOTHING)).error == REFUSED
    assert receiver.requests == []


@pytest.mark.parametrize("host", ["[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[::]"])
async def test_this_machine_is_refused_under_its_addresses_of_ipv6(host: str) -> None:
    async with a_webhook_receiver("::1") as receiver:
        attempt = await sent(f"http://{host}:{port_of(receiver)}/", NOTHING)
        assert attempt.error == REFUSED
        assert attempt.final
        assert receiver.requests == []


async def test_what_was_checked_is_what_is_connected_to_though_the_name_means_something_else_by_then(
    receiver: WebhookReceiver,
) -> None:
    """The name is public first and this machine ever after; and the other way round."""
    answers = ["192.0.2.1", "127.0.0.1"]

    async def rebinding(host: str, port: int) -> Sequence[str]:
        assert host == "rebind.example"
        return [answers.pop(0)]

    seen = OutboundPolicy.parse("192.0.2.1")  # as if it were public; nobody answers there
    first = await sent(f"http://rebind.example:{port_of(receiver)}/", seen, rebinding, seconds=0.3)
    assert not first.delivered
    assert first.error != REFUSED
    second = await sent(f"http://rebind.example:{port_of(receiver)}/", seen, rebinding)
    assert second.error == REFUSED
    assert answers == []  # asked once for each connection
    assert receiver.requests == []


async def test_of_several_addresses_only_permitted_ones_are_tried(receiver: WebhookReceiver) -> None:
    async def both(host: str, port: int) -> Sequence[str]:
        return ["10.0.0.1", "127.0.0.1"]

    assert (await sent(f"http://two.example:{port_of(receiver)}/", HERE, both)).delivered
    assert receiver.requests[0].headers["host"] == f"two.example:{port_of(receiver)}"


async def test_a_listed_name_may_mean_an_address_inside(receiver: WebhookReceiver) -> None:
    async def inside(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    url = f"http://relay.internal:{port_of(receiver)}/"
    assert (await sent(url, OutboundPolicy.parse("relay.internal"), inside)).delivered
    assert (await sent(url, OutboundPolicy.parse("other.internal"), inside)).error == REFUSED


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(receiver: WebhookReceiver, status: int) -> None:
    receiver.answers = [answering(status, "location: http://169.254.169.254/latest/meta-data/", "set-cookie: a=b")]
    attempt = await sent(receiver.url, HERE)
    assert attempt.error == f"HTTP status {status}: redirects are not followed"
    assert "169.254" not in attempt.error
    assert len(receiver.requests) == 1


async def test_a_proxy_of_the_environment_is_not_used(
    receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert (await sent(receiver.url, HERE)).delivered


async def test_an_endless_or_silent_answer_is_cut(receiver: WebhookReceiver) -> None:
    receiver.answers = [answering(200, "x: 1", body=b"a" * 2_000_000), silent]
    assert (await sent(receiver.url, HERE)).delivered
    assert (await sent(receiver.url, HERE, seconds=0.3)).error == "no answer within 0.3 s"


async def test_a_name_that_means_nothing_is_an_error_without_the_name() -> None:
    attempt = await sent("https://secret-token.invalid/", NOTHING)
    assert attempt.error == "no answer: ConnectError"
    assert not attempt.final


@pytest.mark.parametrize("url", ["https://[::1/", "https://user:pw@127.0.0.1/", "ftp://127.0.0.1/", "https:///x"])
async def test_what_is_no_address_is_refused_without_being_repeated(url: str) -> None:
    attempt = await sent(url, HERE)
    assert attempt.final
    assert "pw" not in attempt.error


# --- Apprise, in a confined thread


async def test_apprise_reaches_an_allowed_address(receiver: WebhookReceiver) -> None:
    attempt = await posted(f"json://127.0.0.1:{port_of(receiver)}/x", HERE)
    assert attempt == Attempt()
    assert b"Subject" in receiver.requests[0].body


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1"])
async def test_apprise_does_not_reach_this_machine(receiver: WebhookReceiver, host: str) -> None:
    attempt = await posted(f"json://{host}:{port_of(receiver)}/x", NOTHING)
    assert attempt.final
    assert attempt.error == REFUSED or "." in host  # it takes no such spellings for hosts
    assert receiver.requests == []


async def test_apprise_reaches_a_listed_name_and_no_other(receiver: WebhookReceiver) -> None:
    url = f"json://localhost:{port_of(receiver)}/x"
    assert (await posted(url, OutboundPolicy.parse("localhost"))).delivered
    assert (await posted(url, OutboundPolicy.parse("localhost.example"))).error == REFUSED


async def test_apprise_uses_no_proxy_of_the_environment(
    receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.2:9")
    for name in ("NO_PROXY", "no_proxy"):  # so that what is set meanwhile is taken back
        monkeypatch.setenv(name, "")
    assert (await posted(f"json://127.0.0.1:{port_of(receiver)}/x", HERE)).delivered


async def test_apprise_follows_no_redirect_inside(receiver: WebhookReceiver) -> None:
    async with a_webhook_receiver("127.0.0.2") as inside:
        for option in ("", "?redirect=yes"):
            receiver.answers = [answering(307, f"location: {inside.url}/latest/meta-data/")]
            attempt = await posted(f"json://127.0.0.1:{port_of(receiver)}/x{option}", HERE)
            assert attempt.response_status == 307
        assert inside.requests == []


async def test_apprise_says_which_status_and_nothing_of_the_target(receiver: WebhookReceiver) -> None:
    receiver.answers = [answering(503, body=b"token-in-answer")]
    attempt = await posted(f"json://user:hush@127.0.0.1:{port_of(receiver)}/token", HERE)
    assert attempt == Attempt("the service answered with the HTTP status 503", 503)


async def test_apprise_is_cut_off_when_its_time_is_up(receiver: WebhookReceiver) -> None:
    receiver.answers = [silent]
    attempt = await asyncio.wait_for(posted(f"json://127.0.0.1:{port_of(receiver)}/x", HERE, seconds=0.5), 20)
    assert attempt.error == "no answer within 0.5 s"


async def test_what_waited_too_long_for_a_thread_is_not_sent_after_its_time(
    receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.outbound.apprise_courier.THREADS", 1)
    monkeypatch.setattr("server.outbound.apprise_courier.ENDING_SECONDS", 0.1)
    courier = AppriseCourier(HERE, 0.5)
    held = asyncio.Event()
    loop = asyncio.get_running_loop()
    courier._threads.submit(lambda: asyncio.run_coroutine_threadsafe(held.wait(), loop).result())
    url = f"json://127.0.0.1:{port_of(receiver)}/x"
    late = await courier.send(Message(ChannelKind.APPRISE, url, "Late", "Body"))
    assert late.error == "no answer within 0.5 s"
    held.set()
    assert (await courier.send(Message(ChannelKind.APPRISE, url, "On time", "Body"))).delivered
    assert [b"On time" in request.body for request in receiver.requests] == [True]
    courier.close()


@pytest.mark.parametrize("url", ["nosuch://a/hush", "slack://a/hush", "json://"])
async def test_a_target_that_apprise_does_not_understand_is_given_up(url: str) -> None:
    attempt = await posted(url, HERE)
    assert attempt.final
    assert "hush" not in attempt.error


def test_nothing_that_apprise_logs_reaches_our_logs() -> None:
    """In a process of its own, where nobody else has set up logging."""
    code = """
import asyncio
from kernel import telemetry
from server.domain.notification_channel import ChannelKind
from server.domain.outbound import OutboundPolicy
from server.outbound.apprise_courier import AppriseCourier, Message

telemetry.configure("test")

async def main():
    courier = AppriseCourier(OutboundPolicy(), 5)
    for url in ("nosuch://a/hush", "json://user:hush@127.0.0.1:9/hush", "slack://hush"):
        assert not (await courier.send(Message(ChannelKind.APPRISE, url, "Subject", "Body"))).delivered
    courier.close()
    print("done")

asyncio.run(main())
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("done\n", "")


async def test_mail_goes_through_the_mail_server_of_the_installation(mails: MailReceiver) -> None:
    mail = MailServer(f"mailto://127.0.0.1:{mails.port}", "oncall@example.org")
    assert (await posted("a@example.com,b@example.net", HERE, mail=mail)).delivered
    assert [str(one["subject"]) for one in mails.mails] == ["Subject"] * len(mails.mails)
    assert sorted(address for some in mails.recipients for address in some) == ["a@example.com", "b@example.net"]
    assert {one["from"].addresses[0].addr_spec for one in mails.mails} == {"oncall@example.org"}
    assert (await posted("a@example.com", NOTHING, mail=mail)).error == REFUSED
    assert "ONCALL_SMTP_URL" in (await posted("a@example.com", HERE)).error
