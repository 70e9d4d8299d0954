"""Requests that could well be right: about real things, with values that somebody might send who knows the contract."""

from __future__ import annotations

import time
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from random import Random
from typing import TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct, Value

from tests.fuzzing.fitting import fit
from tests.fuzzing.values import (
    changeable_in,
    is_always_there,
    is_new,
    is_word,
    likelihood,
    number_of,
    seconds_of,
    text_of,
    time_of,
)
from tests.fuzzing.vocabulary import Vocabulary, name_of

_STRUCTS: tuple[Mapping[str, object], ...] = ({}, {}, {}, {"name": "x", "count": 3}, {"name": "y"})
_LABELS: tuple[Mapping[str, str], ...] = ({}, {"region": "eu-1"}, {"region": "eu-1", "tier": ""})
_T = TypeVar("_T")


class Plausible:
    def __init__(self, random: Random, vocabulary: Vocabulary) -> None:
        self._random = random
        self._vocabulary = vocabulary
        self._thing: Mapping[str, object] = {}

    def request(self, message: Message) -> None:
        """Fills a request, most often so that it is about one real thing, or goes on with a list."""
        following = self._vocabulary.following(message.DESCRIPTOR)
        if following is not None and self._random.random() < 0.3:
            message.CopyFrom(following)
            return
        self._thing = self._vocabulary.thing(names_in(message.DESCRIPTOR)) if self._random.random() < 0.9 else {}
        self._fill(message)

    def _fill(self, message: Message) -> None:
        if isinstance(message, Struct):
            message.update(self._random.choice(_STRUCTS))  # type: ignore[arg-type]
        elif isinstance(message, Value):
            message.string_value = "x"
        else:
            for field in self._one_of_each(message.DESCRIPTOR):
                if self._random.random() < likelihood(message.DESCRIPTOR, field):
                    self._set(message, field)
            fit(self._random, message)

    def _one_of_each(self, message: Descriptor) -> list[FieldDescriptor]:
        """Answers the fields of a message, of each group that excludes one another only one."""
        left_out: set[str] = set()
        for group in message.oneofs:
            names = [field.name for field in group.fields]
            left_out |= set(names) - {self._random.choice(names)}
        return [field for field in message.fields if field.name not in left_out]

    def _set(self, message: Message, field: FieldDescriptor) -> None:
        target = getattr(message, field.name)
        some = self._random.randint(1, 2) if is_always_there(message.DESCRIPTOR, field) else self._random.randrange(3)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            target.update(self._random.choice(_LABELS))
        elif field.type == FieldDescriptor.TYPE_MESSAGE and field.is_repeated:
            for _ in range(some):
                self._fill(target.add())
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            target.SetInParent()
            self._set_message(message.DESCRIPTOR, field, target)
        elif field.is_repeated:
            target.extend(dict.fromkeys(self._scalar(message.DESCRIPTOR, field) for _ in range(some)))
        else:
            setattr(message, field.name, self._scalar(message.DESCRIPTOR, field))

    def _set_message(self, message: Descriptor, field: FieldDescriptor, target: Message) -> None:
        match field.message_type.full_name:
            case "google.protobuf.Timestamp":
                target.seconds = int(time.time()) + self._random.randint(*time_of(message, field))
            case "google.protobuf.Duration":
                target.seconds = self._random.randint(*_known(seconds_of(message, field), message, field))
            case "google.protobuf.FieldMask":
                pass  # `fit` knows what there is to change
            case _:
                self._fill(target)

    def _scalar(self, message: Descriptor, field: FieldDescriptor) -> object:
        known = self._thing.get(name_of(message, field))
        if known is not None and not is_new(message, field):
            return known
        match field.type:
            case FieldDescriptor.TYPE_STRING:
                return self._text(message, field)
            case FieldDescriptor.TYPE_BOOL:
                return field.name == "confirm" or self._random.random() < 0.3
            case FieldDescriptor.TYPE_ENUM:
                return self._random.choice(field.enum_type.values[1:] or field.enum_type.values).number
            case _:
                return self._random.randint(*_known(number_of(message, field), message, field))

    def _text(self, message: Descriptor, field: FieldDescriptor) -> str:
        name = name_of(message, field)
        # A name that is taken is more interesting than a new one, now and then.
        if is_word(name) and not (is_new(message, field) and self._random.random() < 0.9):
            return self._vocabulary.word(name)
        return _known(text_of(message, field), message, field)(self._random)


def names_in(message: Descriptor) -> set[str]:
    """Answers what stands in a request, and in everything of the contract that is in it."""
    return {name_of(each, field) for each in messages_of(message) for field in each.fields}


def messages_of(message: Descriptor) -> list[Descriptor]:
    """Answers a message and all those of the contract that can be in it; maps are left out."""
    found = [message]
    for one in found:
        inside = [field.message_type for field in one.fields if field.message_type is not None]
        found += [
            each
            for each in dict.fromkeys(inside)
            if each.file.package == message.file.package and not each.GetOptions().map_entry and each not in found
        ]
    return found


def unknown_in(request: Descriptor, told: AbstractSet[str]) -> list[str]:
    """Answers the fields of a request that nothing could well be right in, as far as is known; `told` are the words
    that answers tell.
    """
    return [
        f"{message.name}.{field.name}"
        for message in messages_of(request)
        for field in message.fields
        if not _is_known(message, field, told)
    ]


def _is_known(message: Descriptor, field: FieldDescriptor, told: AbstractSet[str]) -> bool:
    name = name_of(message, field)
    match field.type:
        case FieldDescriptor.TYPE_BOOL | FieldDescriptor.TYPE_ENUM:
            return True
        case FieldDescriptor.TYPE_MESSAGE if field.message_type.GetOptions().map_entry:
            return field.name == "labels"
        case FieldDescriptor.TYPE_MESSAGE:
            return _is_known_message(message, field)
        case FieldDescriptor.TYPE_STRING if is_word(name):
            return name in told
        case FieldDescriptor.TYPE_STRING:
            return text_of(message, field) is not None
        case _:
            return number_of(message, field) is not None


def _is_known_message(message: Descriptor, field: FieldDescriptor) -> bool:
    match field.message_type.name:
        case "Duration":
            return seconds_of(message, field) is not None
        case "FieldMask":
            return bool(changeable_in(message))
        case kind:
            return field.message_type.file.package == message.file.package or kind in {"Struct", "Timestamp", "Value"}


def _known(found: _T | None, message: Descriptor, field: FieldDescriptor) -> _T:
    if found is None:
        raise LookupError(f"tests/fuzzing/values.py does not say what could be right in {message.name}.{field.name}")
    return found
