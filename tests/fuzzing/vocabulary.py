"""The names of real things, as answers tell them: ids, etags, digests, page tokens, by the field they belong into."""

from __future__ import annotations

import copy
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from random import Random
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

GREATEST_WORDS = 40
GREATEST_THINGS = 200

# Fields that a name alone would mix up: what is kept and asked for of each.
_MEANT: Mapping[tuple[str, str], str] = {
    ("Secret", "name"): "secret_name",
    ("DeleteSecretRequest", "name"): "secret_name",
    ("WebhookWork", "signing_secret_name"): "secret_name",
    ("NotificationChannel", "id"): "channel_id",
    ("StatusPageChange", "id"): "change_id",
    ("RenewStatusPageWatchRequest", "confirmed_change_ids"): "change_id",
    ("ExecuteRequest", "runbook_id"): "approved_runbook_id",
    ("RunbookWork", "runbook_id"): "approved_runbook_id",
    ("ApproveRunbookRequest", "runbook_id"): "reviewed_runbook_id",
    ("DeprecateRunbookRequest", "runbook_id"): "approved_runbook_id",
    ("RejectRunbookRequest", "runbook_id"): "reviewed_runbook_id",
    ("RestoreRunbookRequest", "runbook_id"): "archived_runbook_id",
    ("RollbackRunbookRequest", "runbook_id"): "approved_runbook_id",
    ("SubmitRunbookForReviewRequest", "runbook_id"): "draft_runbook_id",
    ("WithdrawRunbookRequest", "runbook_id"): "reviewed_runbook_id",
    ("CreatePartnerResponse", "token"): "partner_token",
    ("RotatePartnerTokenResponse", "token"): "partner_token",
    ("GetStatusPageRequest", "any_token"): "partner_token",
    ("CreatePageSessionRequest", "token"): "partner_token",
    ("RotatePageTokenResponse", "token"): "token_of_page",
    ("GetStatusPageRequest", "page_token"): "token_of_page",
    ("GetStatusPageResponse", "content_tag"): "known_content_tag",
}
_REMEMBERED = re.compile(r".*_id|id|etag|digest|next_page_token|slug|prefix|token_prefix|session_token")
# A thing that names one of these belongs to the same as others that name it.
_JOINED = ("partner_id", "status_page_id", "incident_id", "runbook_id", "workflow_id", "channel_id")
# What a runbook is from then on, besides what it was.
_BECOMES: Mapping[str, str] = {
    "CreateRunbookResponse": "draft_runbook_id",
    "CreateRunbookVersionResponse": "draft_runbook_id",
    "RejectRunbookResponse": "draft_runbook_id",
    "WithdrawRunbookResponse": "draft_runbook_id",
    "SubmitRunbookForReviewResponse": "reviewed_runbook_id",
    "ApproveRunbookResponse": "approved_runbook_id",
    "RestoreRunbookResponse": "approved_runbook_id",
    "ArchiveRunbookResponse": "archived_runbook_id",
}
_OF_ANYTHING = frozenset({"etag", "version"})


class Vocabulary:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._words: dict[str, list[str]] = defaultdict(list)
        self._things: list[Mapping[str, object]] = []
        self._lists: dict[str, Message] = {}

    def forget(self) -> None:
        self._words.clear()
        self._things.clear()
        self._lists.clear()

    def remember(self, field: str, word: str) -> None:
        """Keeps a word, in the place of some other where there are many."""
        words = self._words[field]
        if len(words) < GREATEST_WORDS:
            words.append(word)
        else:
            words[self._random.randrange(GREATEST_WORDS)] = word

    def learn(self, answer: Message) -> Mapping[str, object]:
        """Remembers every name in `answer`, and which of them belong to the same thing; answers those."""
        around: dict[str, object] = {}
        for child in _children_of(answer):
            around |= self.learn(child)
        thing = _names_in(answer)
        if thing.keys() & {"partner_token", "token_of_page"}:
            thing = around | thing  # a token comes next to what it is a token of
        if (became := _BECOMES.get(answer.DESCRIPTOR.name)) and "runbook_id" in around:
            thing = around | {became: around["runbook_id"]}
        for name, word in thing.items():
            if name != "version":
                self.remember(name, str(word))
        if len(thing) > 1:
            self.remember_thing(**thing)
        return thing

    def learn_list(self, request: Message, answer: Message) -> None:
        """Remembers how to ask for what comes after `answer`, if it is a list that goes on: with the same filters."""
        if token := getattr(answer, "next_page_token", ""):
            following: Any = copy.deepcopy(request)
            following.page_token = token
            self._lists[request.DESCRIPTOR.full_name] = following

    def following(self, request: Descriptor) -> Message | None:
        """Answers a request for the next page of some list, if one of that kind goes on."""
        return self._lists.get(request.full_name)

    def remember_thing(self, **names: object) -> None:
        self._things = [*self._things[1 - GREATEST_THINGS :], names]

    def thing(self, names: AbstractSet[str]) -> Mapping[str, object]:
        """Answers what belongs together and has some of `names`: id, etag, version and digest of one thing, say.

        What is not said of it itself is taken from what belongs to the same page, runbook or the like.
        """
        wanted = names - _OF_ANYTHING
        things = [thing for thing in self._things if wanted & thing.keys()]
        if not things:
            return {}
        some = [self._random.choice(things) for _ in range(3)]
        whole = dict(max(some, key=lambda thing: len(names & thing.keys())))
        for other in reversed(self._things):
            if any(name in whole and whole[name] == other.get(name) for name in _JOINED):
                missing = names & other.keys() - whole.keys() - {"etag"}
                whole |= {name: other[name] for name in missing}
        return whole

    def word(self, name: str) -> str:
        """Answers a word of that kind; any other where there is none."""
        words = self._words.get(name)
        return self._random.choice(words) if words else self.any_word()

    def any_word(self) -> str:
        """Answers the right kind of word for some other field."""
        words = self._words[self._random.choice(sorted(self._words))] if self._words else []
        return self._random.choice(words) if words else "nothing"


def name_of(message: Descriptor, field: FieldDescriptor) -> str:
    """Answers what stands in a field: an `id` is that of its message, `component_ids` are each a `component_id`."""
    if meant := _MEANT.get((message.name, field.name)):
        return meant
    if field.name == "id":
        return re.sub(r"(?<=.)(?=[A-Z])", "_", message.name).lower() + "_id"
    if field.name.endswith("_by"):
        return "user_id"
    return re.sub(r"(?<=_id)s$|(?<=_name)s$", "", field.name.removeprefix("next_"))


def remembered_as(message: Descriptor, field: FieldDescriptor) -> str:
    """Answers as what the text in a field of an answer is remembered; empty: it is not."""
    is_known = (message.name, field.name) in _MEANT or _REMEMBERED.fullmatch(field.name)
    return name_of(message, field) if is_known else ""


def _names_in(answer: Message) -> dict[str, object]:
    """Answers what an answer itself names."""
    named: dict[str, object] = {}
    for field, value in answer.ListFields():
        if field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated:
            if value and (name := remembered_as(answer.DESCRIPTOR, field)):
                named[name] = value
        elif field.name == "version" and field.type != FieldDescriptor.TYPE_MESSAGE:
            named[field.name] = value
    return named


def _children_of(message: Message) -> Iterator[Message]:
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE and not field.message_type.GetOptions().map_entry:
            yield from value if field.is_repeated else (value,)
