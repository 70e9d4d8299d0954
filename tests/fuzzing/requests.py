"""One request after the other, for every RPC of every service of the contract."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

import oncall.v1
from tests.fuzzing.hostile import Hostile, messages_in
from tests.fuzzing.plausible import Plausible
from tests.fuzzing.vocabulary import Vocabulary

OVERSIZED = 9 * 1024 * 1024  # more than the server reads at all
_LARGE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FuzzedRequest:
    """What is sent, byte by byte, and how it came about."""

    method: MethodDescriptor
    kind: str
    content: bytes = field(repr=False)

    @property
    def path(self) -> str:
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    def message(self) -> Message:
        """Answers what is sent as a message; a DecodeError where it is none."""
        return GetMessageClass(self.method.input_type).FromString(self.content)

    def excerpt(self) -> str:
        """Shows enough of it to do it again."""
        try:
            text = str(self.message())
        except Exception:  # noqa: BLE001 - then it is no message, and its bytes say more
            text = self.content.hex()
        return text if len(text) < 2_000 else f"{text[:2_000]} … ({len(text)} characters)"


def all_methods() -> list[MethodDescriptor]:
    """Answers every RPC of every service, from the generated modules there are."""
    modules = [
        importlib.import_module(f"oncall.v1.{found.name}")
        for found in pkgutil.iter_modules(oncall.v1.__path__)
        if found.name.endswith("_service_pb2")
    ]
    services = [service for module in modules for service in module.DESCRIPTOR.services_by_name.values()]
    return sorted((method for service in services for method in service.methods), key=lambda method: method.full_name)


class RequestFuzzer:
    """The same seed makes the same requests, as far as the answers in between are the same."""

    def __init__(self, random: Random, vocabulary: Vocabulary) -> None:
        self._random = random
        self._plausible = Plausible(random, vocabulary)
        self._hostile = Hostile(random, vocabulary)
        self._kinds: dict[str, tuple[int, Callable[[Message], bytes]]] = {
            "plausible": (40, self._right),
            "mutated": (34, self._mutated),
            "hostile": (10, self._all_hostile),
            "bytes": (8, self._bytes_changed),
            "unknown fields": (3, self._with_unknown_fields),
            "garbage": (3, lambda _: self._random.randbytes(self._random.choice([1, 16, 4_096]))),
            "large": (2, self._large),
        }

    def request(self, method: MethodDescriptor, kind: str = "") -> FuzzedRequest:
        """Answers a request of that kind; empty: of any."""
        if not kind and self._random.random() < 0.001:
            return FuzzedRequest(method, "oversized", bytes(OVERSIZED))
        names, weights = list(self._kinds), [weight for weight, _ in self._kinds.values()]
        kind = kind or self._random.choices(names, weights)[0]
        message = GetMessageClass(method.input_type)()
        self._plausible.request(message)
        return FuzzedRequest(method, kind, self._kinds[kind][1](message))

    def _right(self, message: Message) -> bytes:
        return message.SerializeToString()

    def _mutated(self, message: Message) -> bytes:
        self._hostile.spoil(message, self._random.choice([1, 1, 1, 2, 3]))
        return message.SerializeToString()

    def _all_hostile(self, message: Message) -> bytes:
        message.Clear()
        for each in message.DESCRIPTOR.fields:
            self._hostile.set(message, each)
        return message.SerializeToString()

    def _bytes_changed(self, message: Message) -> bytes:
        content = bytearray(message.SerializeToString())
        for _ in range(self._random.choice([1, 1, 3, 10])):
            if content:
                content[self._random.randrange(len(content))] = self._random.randrange(256)
        return bytes(content[: self._random.randrange(len(content) + 1)] if self._random.random() < 0.3 else content)

    def _with_unknown_fields(self, message: Message) -> bytes:
        """Adds fields that nobody knows, and text that is no UTF-8 in place of the first field."""
        unknown = b"\xfa\x3f\x04abcd" * self._random.choice([1, 1_000])
        bad_text = b"\x0a\x02\xc3\x28" if self._random.random() < 0.5 else b""
        return message.SerializeToString() + unknown + bad_text

    def _large(self, message: Message) -> bytes:
        """Gives some text of the request a length that only a script might have."""
        victim = self._random.choice(messages_in(message))
        texts = [each for each in victim.DESCRIPTOR.fields if each.type == each.TYPE_STRING and not each.is_repeated]
        if texts:
            setattr(victim, self._random.choice(texts).name, self._random.choice(["x", "x\n"]) * (_LARGE // 2))
        else:
            self._hostile.spoil(message, 5)
        return message.SerializeToString()
