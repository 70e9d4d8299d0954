"""The names of real things, as answers tell them: ids, etags, digests, page tokens, by the field they belong into."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from random import Random

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

GREATEST_WORDS = 40
GREATEST_THINGS = 200

# Fields that are named otherwise where they are sent than where they are answered.
_SENT_AS = {
    "next_page_token": "page_token",
    "created_by": "user_id",
    "actor_id": "user_id",
    "group_id": "component_id",
    "component_ids": "component_id",
    "secret_names": "secret_name",
    "notification_channel_id": "channel_id",
}
_REMEMBERED = re.compile(r".*_ids?|id|etag|digest|.*page_token|slug|created_by|prefix")


class Vocabulary:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._words: dict[str, list[str]] = defaultdict(list)
        self._things: list[Mapping[str, object]] = []

    def forget(self) -> None:
        self._words.clear()
        self._things.clear()

    def remember(self, field: str, word: str) -> None:
        """Keeps a word, in the place of some other where there are many."""
        words = self._words[_SENT_AS.get(field, field)]
        if len(words) < GREATEST_WORDS:
            words.append(word)
        else:
            words[self._random.randrange(GREATEST_WORDS)] = word

    def learn(self, answer: Message) -> None:
        """Remembers every name in `answer`, and which of them belong to the same thing."""
        thing: dict[str, object] = {}
        for field, value in answer.ListFields():
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                if not _is_map(field):
                    for message in value if field.is_repeated else (value,):
                        self.learn(message)
            elif field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated:
                name = name_of(answer.DESCRIPTOR, field)
                if value and _REMEMBERED.fullmatch(name):
                    self.remember(name, value)
                    thing[name] = value
            elif field.name == "version":
                thing[field.name] = value
        if len(thing) > 1:
            self.remember_thing(**thing)

    def remember_thing(self, **names: object) -> None:
        self._things = [*self._things[1 - GREATEST_THINGS :], names]

    def thing(self, fields: AbstractSet[str]) -> Mapping[str, object]:
        """Answers what belongs together (id, etag, version and digest of one thing, say) and has an id for `fields`."""
        wanted = {name for name in fields if name.endswith("_id")}
        things = [thing for thing in self._things if wanted & thing.keys()]
        return self._random.choice(things) if things else {}

    def word(self, field: str) -> str:
        """Answers a word for `field`; any other where there is none."""
        words = self._words.get(_SENT_AS.get(field, field))
        return self._random.choice(words) if words else self.any_word()

    def any_word(self) -> str:
        """Answers the right kind of word for some other field."""
        words = self._words[self._random.choice(sorted(self._words))] if self._words else []
        return self._random.choice(words) if words else "nothing"


def name_of(message: Descriptor, field: FieldDescriptor) -> str:
    """Answers a field's name, an `id` being that of its message: `Runbook.id` is a `runbook_id`."""
    if field.name == "id":
        return re.sub(r"(?<=.)(?=[A-Z])", "_", message.name).lower() + "_id"
    if field.name == "name" and message.name == "Secret":
        return "secret_name"
    return field.name


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry
