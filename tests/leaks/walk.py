"""The walk: everybody asks for everything, and what they hear is held to what the gate owes them.

Each function answers what is wrong as sentences; none means that nobody learnt anything.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TypeVar

from tests.leaks.callers import UNKNOWN, Carrier, Kind, Place, presentation
from tests.leaks.gateways import EVENT_STREAM, Answer, Gateway
from tests.leaks.questions import VARIANTS, Question, Variant, whole_product
from tests.leaks.routes import METHODS, PAGE, Walked, walked_routes
from tests.leaks.world import HERE, THERE, World

T = TypeVar("T")

AT_ONCE = 6
PRIVATE = "private, no-store"
_COUNTED_DOWN = re.compile(r"(?m)^((?:retry-after|ratelimit[a-z-]*): )(.*)$")

Tags = dict[tuple[str, Kind, Place], set[str]]


_READ = (VARIANTS[0], Variant("as a program", "GET", {"accept": "application/json"}))
_READERS = (
    (Kind.RIGHT, Carrier.HEADER, Place.FULL),
    (Kind.NARROW, Carrier.HEADER, Place.FULL),
    (Kind.PAGE_TOKEN, Carrier.COOKIE, Place.FULL),
    (Kind.RIGHT, Carrier.HEADER, Place.OPEN),
    (Kind.NARROW, Carrier.HEADER, Place.OPEN),
    (Kind.NOBODY, Carrier.HEADER, Place.OPEN),
)


@dataclass(slots=True)
class Walk:
    """A world and a gateway of it; `tags` are the entity tags that the readers were given."""

    world: World
    gateway: Gateway
    tags: Tags = field(default_factory=lambda: defaultdict(set))
    away: bool = False
    """Whether the server is away: then that it cannot be asked is an answer, and else it is asked again."""

    @property
    def routes(self) -> list[Walked]:
        return walked_routes(self.gateway.app)

    @property
    def gated(self) -> list[Walked]:
        return [route for route in self.routes if route.is_gated]

    async def ask(self, question: Question, address: str = HERE) -> Answer:
        """Asks; who is over their rate may have got a new minute, and has used it up then."""
        held, variant = self.world.held(question.kind, question.place), question.variant
        right = self.world.held(Kind.RIGHT, question.place)
        presented = presentation(question.kind, question.carrier, held, right)
        headers = dict(variant.headers)
        if variant.holds:
            headers["if-none-match"] = "*" if variant.holds == "*" else ", ".join(sorted(self._tags_of(question.route)))
        path = question.route.at(question.place.value)
        return await self._patiently(
            question,
            lambda: self.gateway.ask(variant.method, path, presented, headers=headers, address=address),
        )

    async def _patiently(self, question: Question, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Asks again where the server was too slow, or where somebody over their rate has got a new minute."""
        for _ in range(8):
            answer = await ask()
            late = not self.away and (answer.status == 503 or answer.header("oncall-stale-since"))
            if not late and (question.kind is not Kind.BUSY or answer.status >= 400):
                break
        return answer

    async def warm(self, *paths: str) -> None:
        """Lets everybody read who may, so that all of it is kept: for everybody, in every representation."""
        routes = [route for route in self.gated if not paths or route.path in paths]
        asked = [
            (Question(route, variant, kind, carrier, place), HERE)
            for route, variant, (kind, carrier, place) in product(routes, _READ, _READERS)
            if variant is _READ[0] or route.path == PAGE
        ]
        asked += [
            (Question(routes[0], _READ[1], kind, carrier, Place.FULL), THERE if kind is Kind.ELSEWHERE else HERE)
            for kind, carrier in product((Kind.RIGHT, Kind.NARROW, Kind.ELSEWHERE), Carrier)
        ]
        answers = await in_turn(asked, lambda pair: self.ask(*pair))
        for (question, _), answer in zip(asked, answers, strict=True):
            assert answer.status == 200 or question.owed, f"{question}: {answer.status}"
            if etag := answer.header("etag"):
                self.tags[question.route.path, question.kind, question.place].add(etag)

    async def pages(self, asked: Sequence[Question]) -> list[str]:
        """Asks, and judges each answer by itself and beside those that must be the same."""
        answers = await in_turn(asked, self.ask)
        told = list(zip(asked, answers, strict=True))
        wrong = [f"{question}: {sentence}" for question, answer in told for sentence in self._judge(question, answer)]
        return wrong + list(_differences(told))

    async def forms(self) -> list[str]:
        """Sends to routes that are not read: everybody's token where they take one; who is refused hears the same."""
        asked = [
            question
            for route in self.routes
            if route.is_of_a_page
            for method in sorted(route.methods - {"GET", "HEAD"})
            for question in self._sent(route, replace(VARIANTS[0], method=method))
        ]
        answers = await in_turn(asked, self._send)
        await self.world.sign_in_again(Kind.RIGHT)
        told = list(zip(asked, answers, strict=True))
        wrong = [f"{q}: {sentence}" for q, answer in told for sentence in self._judge_sent(q, answer)]
        return wrong + list(_differences(told))

    def _sent(self, route: Walked, variant: Variant) -> list[Question]:
        if variant.method in route.forms:
            return whole_product([route], variants=[variant], carriers=[Carrier.QUERY])
        kinds = (Kind.NOBODY, Kind.RIGHT, Kind.REVOKED, Kind.PARTNER_OF_ANOTHER)
        return whole_product([route], kinds, variants=[variant], carriers=[Carrier.COOKIE])

    async def others(self) -> list[str]:
        """Asks with methods that are not taken, and for what is nobody's page: all is alike for everybody."""
        asked = [
            Question(route, replace(VARIANTS[0], method=method), kind, Carrier.HEADER, place)
            for route in self.routes
            for method in METHODS
            if not (route.is_of_a_page and method in route.methods)
            for kind, place in ((Kind.RIGHT, Place.FULL), (Kind.NOBODY, Place.MISSING))
        ]
        answers = await in_turn(asked, self.ask)
        heard: dict[tuple[str, str], set[str]] = defaultdict(set)
        wrong = []
        for question, answer in zip(asked, answers, strict=True):
            heard[question.variant.method, question.route.path].add(neutral(answer, question.place))
            if told := self.world.known.told(answer.text):
                wrong.append(f"{question}: tells {sorted(told)}")
        return wrong + [
            f"{method} {path} answers one so and one so"
            for (method, path), answers in heard.items()
            if len(answers) > 1 and path != "/metrics"
        ]

    async def _send(self, question: Question) -> Answer:
        held, right = (self.world.held(kind, question.place) for kind in (question.kind, Kind.RIGHT))
        presented = presentation(question.kind, question.carrier, held, right)
        method, path = question.variant.method, question.route.at(question.place.value)
        headers, body = question.variant.headers | presented.headers, None
        if question.sends_form:
            headers, body = headers | {"content-type": "application/x-www-form-urlencoded"}, presented.query.encode()
        return await self._patiently(question, lambda: self.gateway.ask(method, path, headers=headers, body=body))

    def _judge(self, question: Question, answer: Answer) -> Iterator[str]:
        return self._judge_reader(question, answer) if question.owed is None else self._judge_wrong(question, answer)

    def _judge_wrong(self, question: Question, answer: Answer) -> Iterator[str]:
        assert question.owed is not None
        status, reason = question.owed
        if told := self.world.known.told(answer.text) | self._secrets_in(answer):
            yield f"tells {sorted(told)}"
        if answer.status != status:
            yield f"{answer.status} instead of {status}"
        elif question.variant.method != "HEAD" and reason.encode() not in answer.body:
            yield f"does not say {reason}"
        if answer.header("etag"):
            yield "has an entity tag"
        yield from _caching(question, answer, PRIVATE)

    def _judge_reader(self, question: Question, answer: Answer) -> Iterator[str]:
        anybody = question.place is Place.OPEN and question.kind is Kind.NOBODY
        is_everybody = question.kind in UNKNOWN or (question.kind is Kind.PAGE_TOKEN and question.place is Place.OPEN)
        kind = Kind.NOBODY if is_everybody else question.kind
        if told := self.world.known.told(answer.text) - self.world.may_be_told(kind, question.place):
            yield f"tells {sorted(told)}"
        if question.trades:
            if (answer.status, answer.header("location")) != (303, question.route.at(question.place.value)):
                yield f"{answer.status} to {answer.header('location')} instead of the address without the token"
        elif self._secrets_in(answer):
            yield "repeats a secret"
        elif answer.status == 304:
            own = self.tags[question.route.path, kind, question.place]
            if question.variant.holds != "*" and answer.header("etag") not in own:
                yield f"304 for {answer.header('etag')}, which is somebody else's"
        elif answer.status != 200:
            yield f"{answer.status} for one who may read"
        is_kept = anybody and answer.header("etag")
        yield from _caching(question, answer, "public, max-age=10" if is_kept else PRIVATE)

    def _judge_sent(self, question: Question, answer: Answer) -> Iterator[str]:
        if told := self.world.known.told(answer.text):
            yield f"tells {sorted(told)}"
        if answer.header("cache-control") != PRIVATE:
            yield f"may be kept: {answer.header('cache-control')}"
        if not question.sends_form and answer.status != 303:
            yield f"{answer.status}: it tells who asks apart"
        if question.kind is Kind.NOBODY or not question.sends_form:
            return
        status = question.owed[0] if question.owed else 303
        if answer.status != status:
            yield f"{answer.status} instead of {status}"
        if question.owed and answer.header("set-cookie"):
            yield "lets in"

    def _tags_of(self, route: Walked) -> set[str]:
        return {tag for (path, _, _), tags in self.tags.items() if path == route.path for tag in tags} or {'"none"'}

    def _secrets_in(self, answer: Answer) -> set[str]:
        text = answer.text
        return {"a secret" for secret in self.world.secrets if secret in text}


async def in_turn(asked: Sequence[T], ask: Callable[[T], Awaitable[Answer]]) -> list[Answer]:
    """Asks some at once; answers in the order of the questions."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(question: T) -> Answer:
        async with room:
            return await ask(question)

    return await asyncio.gather(*map(one, asked))


def neutral(answer: Answer, place: Place) -> str:
    """Answers all of it as it would be at any other address, at any other second."""
    return _COUNTED_DOWN.sub(r"\1…", answer.text.replace(place.value, "…"))


def _differences(told: Sequence[tuple[Question, Answer]]) -> Iterator[str]:
    """Answers where one and the same refusal is not the same, byte for byte, at places that must not be told apart."""
    groups: dict[object, dict[str, Question]] = defaultdict(dict)
    for question, answer in told:
        key = (question.route, question.variant.name, question.variant.method, question.kind, question.carrier)
        if question.owed:
            groups[key, question.owed].setdefault(neutral(answer, question.place), question)
    for (_, refusal), answers in groups.items():  # type: ignore[misc]
        if len(answers) > 1 and refusal is not None:
            yield f"can be told apart: {' | '.join(map(str, answers.values()))}"


def _caching(question: Question, answer: Answer, expected: str) -> Iterator[str]:
    if answer.header("cache-control") != expected:
        yield f"Cache-Control: {answer.header('cache-control')} instead of {expected}"
    if answer.status == 303 or answer.header("content-type").startswith(EVENT_STREAM):
        return  # made for the one who asks, and kept by nobody
    is_negotiated = question.route.path == PAGE or answer.status >= 400
    wanted = {"authorization", "cookie"} | ({"accept", "accept-language"} if is_negotiated else set())
    if missing := wanted - {name.strip().lower() for name in answer.header("vary").split(",")}:
        yield f"Vary does not name {', '.join(sorted(missing))}"
