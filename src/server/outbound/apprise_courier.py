"""Messages through Apprise, which speaks to other people's services; each in a confined thread, with a deadline."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import threading
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import quote, urlencode, urlsplit

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType, OverflowMode

from server.domain.delivery import Tone
from server.domain.delivery_attempt import Attempt, failed
from server.domain.notification_channel import ChannelKind
from server.domain.outbound import AddressRefused, OutboundPolicy
from server.outbound.confined_thread import Confinement

THREADS = 16
"""As many as there are deliveries under way. Where silent name servers hold some, others wait, and at last in vain."""
SOCKET_SECONDS = 15.0
ENDING_SECONDS = 10.0
"""How long a thread whose time is up is waited for, since what it sent at the last moment is sent."""
_STATUS = re.compile(r"error=(\d{3})\b")
_PAGERDUTY_NO_API_KEY = "none"  # Apprise wants one; the Events API goes by the integration key alone
_TYPES = {
    Tone.BAD: NotifyType.FAILURE,
    Tone.WARNING: NotifyType.WARNING,
    Tone.NEUTRAL: NotifyType.INFO,
    Tone.GOOD: NotifyType.SUCCESS,
}


@dataclass(frozen=True, slots=True)
class MailServer:
    """The installation's own mail server, a `mailto(s)://` URL without addresses, and whom its mail is from."""

    url: str = field(repr=False)
    sender: str


@dataclass(frozen=True, slots=True)
class Message:
    """What is said to people. `thread` names what it is about, so that a service can tell updates from news."""

    kind: ChannelKind
    target: str = field(repr=False)
    subject: str = field(repr=False)
    body: str = field(repr=False)
    thread: str = ""
    tone: Tone = Tone.NEUTRAL


class NoMailServer(Exception):
    """A message to bare addresses, where the installation has no mail server."""


class AppriseCourier:
    """Sends messages; `seconds` is the time for all of one."""

    def __init__(self, policy: OutboundPolicy, seconds: float, mail: MailServer | None = None) -> None:
        self._policy = policy
        self._seconds = seconds
        self._mail = mail
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="courier")
        self._under_way: set[Confinement] = set()
        _prepare_apprise()

    async def send(self, message: Message) -> Attempt:
        try:
            url = url_of(message, self._mail)
        except NoMailServer:
            return failed("this installation has no mail server: ONCALL_SMTP_URL is not set", final=True)
        confinement = Confinement(self._policy)
        action = partial(confinement.run, partial(_deliver, url, message))
        running = asyncio.get_running_loop().run_in_executor(self._threads, action)
        self._under_way.add(confinement)
        running.add_done_callback(lambda _: self._under_way.discard(confinement))
        done, _ = await asyncio.wait([running], timeout=self._seconds)
        if not done:
            confinement.end()  # its connections are cut, and it makes no more: the thread comes to its end
            done, _ = await asyncio.wait([running], timeout=ENDING_SECONDS)
        late = failed(f"no answer within {self._seconds:g} s")
        if not done:
            running.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            return late
        attempt = _attempt(running, confinement)
        return late if confinement.ended and not attempt.delivered else attempt

    def close(self) -> None:
        """Cuts off what is under way: the process waits for its threads before it ends."""
        for confinement in self._under_way:
            confinement.end()
        self._threads.shutdown(wait=False, cancel_futures=True)


def url_of(message: Message, mail: MailServer | None) -> str:
    """Answers the Apprise URL of a target, with what is decided here and not by teams."""
    target = message.target
    if "://" not in target:
        if message.kind is ChannelKind.PAGERDUTY:
            target = f"pagerduty://{quote(target, safe='')}@{_PAGERDUTY_NO_API_KEY}/oncall"
        elif mail is None:
            raise NoMailServer
        else:
            target = _with(mail.url, {"from": mail.sender, "to": target})
    if urlsplit(target).scheme == "pagerduty":
        # One incident there for each thing here: its end resolves what its beginning raised.
        return _with(target, {"action": "map", "dedup": message.thread})
    return target


def _with(url: str, options: Mapping[str, str]) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(options)}"


def _deliver(url: str, message: Message) -> tuple[bool | None, int | None]:
    """Answers whether the service took it, and with which status it refused; None where there is no such service.

    In a confined thread, which Apprise must not leave: so nothing is asynchronous, and no time limit is its own.
    """
    service = Apprise.instantiate(url, asset=_asset(), suppress_exceptions=True)
    if service is None:
        return None, None
    # Whatever the URL says of these:
    service.socket_read_timeout = service.socket_connect_timeout = SOCKET_SECONDS
    service.verify_certificate, service.redirects = True, False
    service.overflow_mode = OverflowMode.TRUNCATE
    courier = Apprise(asset=_asset())
    courier.add(service)
    _heard.status = None
    # As plain text: what people and programs wrote must not become the markup of a service.
    taken = courier.notify(
        body=message.body or message.subject,
        title=message.subject,
        notify_type=_TYPES[message.tone],
        body_format=NotifyFormat.TEXT,
    )
    return bool(taken), _heard.status


def _attempt(running: asyncio.Future[tuple[bool | None, int | None]], confinement: Confinement) -> Attempt:
    if error := running.exception():
        return failed(f"the message could not be sent: {type(error).__name__}")
    taken, status = running.result()
    if taken is None:
        return failed("the target is not understood: no such service, or a part of it is missing", final=True)
    if taken:
        return Attempt()
    if confinement.address_refused:
        return failed(str(AddressRefused()), final=True)
    if status is not None:
        return Attempt(f"the service answered with the HTTP status {status}", response_status=status)
    return failed("the service did not take the message, or could not be reached")


def _asset() -> AppriseAsset:
    return AppriseAsset(
        app_id="oncall",
        app_desc="oncall",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        image_path_mask=False,
        async_mode=False,
        service_timeout=0,
        http_redirects=False,
        pgp_autogen=False,
        pem_autogen=False,
        secure_logging=True,
        storage_mode="memory",
    )


class _Heard(threading.local):
    status: int | None = None


class _StatusHandler(logging.Handler):
    """Picks the HTTP status out of what Apprise logs in a thread, and lets nothing else of it through."""

    def emit(self, record: logging.LogRecord) -> None:
        if found := _STATUS.search(record.getMessage()):
            _heard.status = int(found[1])


_heard = _Heard()


def _prepare_apprise() -> None:
    """Loads all services, which a confined thread could not, and keeps what they log, targets for example, to us.

    No proxy is used in this process from now on: where it goes to in our place, nobody here would know.
    """
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of modules that some services import
        Apprise.instantiate("json://localhost")
    log = logging.getLogger("apprise")
    log.propagate = False
    if not any(isinstance(handler, _StatusHandler) for handler in log.handlers):
        log.addHandler(_StatusHandler())
