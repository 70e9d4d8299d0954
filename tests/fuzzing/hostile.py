"""Values at and beyond every border: too long, too large, too deep, of the wrong form, or not of this world."""

from __future__ import annotations

from random import Random

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct, Value

from tests.fuzzing.vocabulary import Vocabulary

TEXTS = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\n\r\t\x1b[31m",
    "\u202egpj.exe",
    "e\u0301" * 40,
    "\u200d\ufeff\ufffe",
    "🧑‍🚒" * 30,
    "İıſß",
    "\U0010ffff",
    "' OR 1=1; DROP TABLE users; --",
    "%s%n%x{0}{{7*7}}${jndi:x}",
    "../../../../etc/passwd",
    "NaN",
    "null",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "{01890a5d-ac96-774b-bcce-b302099a8057}",
    "01890a5dac96774bbcceb302099a8057",
    "01890a5d-ac96-774b-bcce-b302099a8057\n",
    "٠١٨٩٠a5d-ac96-774b-bcce-b302099a8057",
    "9" * 5000,
    "(a+)+$",
    "(?=x)\\1",
    "[" * 1000,
    "a{1000}{1000}{1000}",
    "0.0.0.0/0",
    "::ffff:1.2.3.4/200",
    "fe80::1%eth0",
    "256.1.1.1",
    "a@b" * 100,
    "Mars/Olympus",
    "/etc/localtime",
    "oct_" + "a" * 59,
    "ocp_" + "a" * 59,
    "AAAA",
    "=" * 30,
    "*",
)
LENGTHS = (101, 256, 501, 4_001, 4_097, 65_537)
INTEGERS = (0, 1, -1, 2, 255, 300, 301, 501, 65_536, 2**31 - 1, -(2**31))
LONG_INTEGERS = (*INTEGERS, 2**31, 2**32, 2**53 + 1, 2**63 - 1, -(2**63))
NUMBERS = (0.0, -0.0, -1.0, 0.1, 1e-320, 1e308, -1e308, 2.0**53, float("nan"), float("inf"), float("-inf"))
SECONDS = (0, -1, 253_402_300_799, 253_402_300_800, -62_135_596_800, -62_135_596_801, 2**63 - 1, -(2**63))
NANOS = (0, 1, -1, 999_999_999, 1_000_000_000, 2**31 - 1, -(2**31))
_INT32 = {FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SFIXED32}
_UNSIGNED = {FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_UINT64}


class Hostile:
    def __init__(self, random: Random, vocabulary: Vocabulary) -> None:
        self._random = random
        self._vocabulary = vocabulary

    def spoil(self, message: Message, times: int) -> None:
        """Sets some fields of a message, or of one in it, to hostile values."""
        for _ in range(times):
            victim = self._random.choice(messages_in(message))
            if victim.DESCRIPTOR.fields:
                self.set(victim, self._random.choice(victim.DESCRIPTOR.fields))

    def set(self, message: Message, field: FieldDescriptor) -> None:
        if isinstance(message, Struct):
            self._fill_struct(message)
        elif field.is_repeated:
            self._fill_repeated(message, field)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            child = getattr(message, field.name)
            child.SetInParent()
            if child.DESCRIPTOR.fields:
                self.set(child, self._random.choice(child.DESCRIPTOR.fields))
        else:
            setattr(message, field.name, self._scalar(field))

    def text(self) -> str:
        chance = self._random.random()
        if chance < 0.6:
            return self._random.choice(TEXTS)
        if chance < 0.8:
            return self._vocabulary.any_word()
        return self._random.choice("a é\u4e00🧑") * self._random.choice(LENGTHS)

    def _fill_repeated(self, message: Message, field: FieldDescriptor) -> None:
        target = getattr(message, field.name)
        count = self._random.choice([1, 2, 3, 101, 1_000])
        if field.type != FieldDescriptor.TYPE_MESSAGE:
            target.extend([self._scalar(field) for _ in range(min(count, 101))])
        elif not field.message_type.GetOptions().map_entry:
            for _ in range(count):
                child = target.add()
                if count < 4:
                    self.spoil(child, 2)

    def _fill_struct(self, struct: Struct) -> None:
        match self._random.randrange(5):
            case 0:
                struct.update({f"key {number}": number for number in range(self._random.choice([101, 3_000]))})
            case 1:
                struct.update({self.text(): self.text()})
            case 2:
                self._nest(struct.fields["name"])
            case 3:
                struct.fields["name"].list_value.values.extend([Value(null_value=0)] * 50)  # type: ignore[arg-type]
            case _:
                struct.update({"name": self._random.choice(NUMBERS), "count": self._random.choice(NUMBERS)})
                struct.fields[""].SetInParent()

    def _nest(self, value: Value) -> None:
        """Goes as deep as protobuf reads, or deeper."""
        for _ in range(self._random.choice([5, 30, 48, 60, 200])):
            value = value.struct_value.fields["x"] if self._random.random() < 0.5 else value.list_value.values.add()

    def _scalar(self, field: FieldDescriptor) -> object:
        if field.type == FieldDescriptor.TYPE_STRING:
            return self.text()
        if field.type == FieldDescriptor.TYPE_BYTES:
            return self._random.randbytes(self._random.choice([0, 1, 4_096]))
        if field.type == FieldDescriptor.TYPE_BOOL:
            return self._random.random() < 0.5
        if field.type in {FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT}:
            return self._random.choice(NUMBERS)
        if field.type == FieldDescriptor.TYPE_ENUM:
            return self._random.choice([0, 99, -1, 2**31 - 1, -(2**31)])
        if field.containing_type.full_name == "google.protobuf.Timestamp":
            return self._random.choice(SECONDS if field.name == "seconds" else NANOS)
        if field.type in _UNSIGNED:
            return self._random.choice([0, 1, 2**32 - 1])
        return self._random.choice(INTEGERS if field.type in _INT32 else LONG_INTEGERS)


def messages_in(message: Message) -> list[Message]:
    """Answers a message and all in it; Structs are one, whatever they hold."""
    found = [message]
    if isinstance(message, Struct):
        return found
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE and not field.message_type.GetOptions().map_entry:
            for child in value if field.is_repeated else (value,):
                found += messages_in(child)
    return found
