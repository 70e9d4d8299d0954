"""Values that could well be right, by the name of their field."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from random import Random

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from tests.fuzzing.vocabulary import Vocabulary, name_of

MIB = 1024 * 1024
# What only the server says: set now and then, to be ignored.
_ANSWERED_ONLY = frozenset({"status", "current_version", "latest_version", "token_prefix", "is_active", "access_count"})
_SELDOM = frozenset(
    {"limits", "default", "min", "max", "pattern", "max_length", "options", "parameters", "secret_names", "service_id"}
    | {"group_id", "component_ids", "incident_id", "workflow_run_id", "request_id", "page_token", "etag"}
    | {"service_account", "is_platform_admin", "requires_confirm", "group", "partner_token", "chain_after"}
    | {"channel_ids", "headers", "signing_secret_name", "brake", "compensation", "edges"}
)
_NUMBERS: Mapping[str, tuple[int, int]] = {
    "version": (0, 3),
    "from_version": (1, 3),
    "to_version": (1, 3),
    "page_size": (0, 4),
    "timeout_seconds": (1, 300),
    "max_retries": (0, 3),
    "memory_bytes": (64 * MIB, 256 * MIB),
    "disk_bytes": (16 * MIB, 64 * MIB),
    "processes": (16, 64),
    "cpus": (1, 1),
    "requests_per_minute": (1, 100),
    "after_sequence": (0, 2),
    "seconds": (1, 60),
    "expires_seconds": (0, 60),
}
_TEXTS: Mapping[str, Callable[[Random], str]] = {
    "name": lambda random: f"n_{random.randrange(10**9)}",
    "slug": lambda random: f"s-{random.randrange(10**9)}",
    "email": lambda random: f"e{random.randrange(10**9)}@example.org",
    "contact_email": lambda _: "partner@example.org",
    "script": lambda random: f"echo {random.random()}\n",
    "pattern": lambda random: random.choice(["[a-z]+", "^x?$", ".*"]),
    "time_zone": lambda random: random.choice(["UTC", "Europe/Berlin"]),
    "request_id": lambda random: f"request {random.randrange(5)}",
    "service_account": lambda _: "gateway",
    "ip_allowlist": lambda random: random.choice(["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]),
    "target": lambda random: random.choice(["https://hooks.example.org/in", "ops@example.org", "ntfys://example"]),
    "condition": lambda random: random.choice(["", 'incident.severity == "SEV1"', "nodes.a.result"]),
    "expression": lambda random: random.choice(["true", "team.name", "nodes.a.exit_code == 0"]),
    "question": lambda random: random.choice(["Go on?", "{{ team.name }}?", "{{ incident.title }}"]),
    "url": lambda random: random.choice(["https://example.org/hook", "https://example.org/{{ team.id }}"]),
    "method": lambda random: random.choice(["", "POST", "PUT"]),
    "node": lambda random: random.choice(["a", "b", ""]),
    "from_node": lambda _: "a",
    "to_node": lambda random: random.choice("bc"),
    "client_ip": lambda random: random.choice(["10.1.2.3", "2001:db8::1"]),
    "action": lambda random: random.choice(["runbook.created", "user.created"]),
    "resource_type": lambda random: random.choice(["runbook", "user"]),
    "logo_url": lambda _: "https://example.org/logo.svg",
    "support_url": lambda _: "https://example.org/help",
    "accent_color": lambda _: "#336699",
}


class Plausible:
    def __init__(self, random: Random, vocabulary: Vocabulary) -> None:
        self._random = random
        self._vocabulary = vocabulary
        self._thing: Mapping[str, object] = {}

    def request(self, message: Message) -> None:
        """Fills a request, most often so that it is about one real thing."""
        self._thing = self._vocabulary.thing(_names(message.DESCRIPTOR)) if self._random.random() < 0.8 else {}
        self.fill(message)

    def fill(self, message: Message) -> None:
        """Sets the fields of a message as somebody might who has read the contract."""
        match message:
            case Duration():
                message.seconds = self._random.randrange(3)  # some are waited for
            case Timestamp():
                message.seconds = int(time.time()) + self._random.randrange(-86_400, 30 * 86_400)
            case FieldMask():
                names = ["name", "description", "service_id", "enabled"]
                message.paths.extend(self._random.sample(names, self._random.randint(1, 2)))
            case Struct():
                message.update(self._random.choice([{}, {}, {"name": "x", "count": 3}, {"name": "y"}]))  # type: ignore[arg-type]
            case Value():
                message.string_value = "x"
            case _:
                for field in self._one_of_each(message.DESCRIPTOR):
                    if self._random.random() < _likelihood(field):
                        self._set(message, field)

    def _one_of_each(self, message: Descriptor) -> list[FieldDescriptor]:
        """Answers the fields of a message, of each group that excludes one another only one."""
        left_out: set[str] = set()
        for group in message.oneofs:
            names = [field.name for field in group.fields]
            left_out |= set(names) - {self._random.choice(names)}
        return [field for field in message.fields if field.name not in left_out]

    def _set(self, message: Message, field: FieldDescriptor) -> None:
        target = getattr(message, field.name)
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            if field.message_type.GetOptions().map_entry:
                target.update(self._random.choice([{}, {"region": "eu-1"}, {"region": "eu-1", "tier": ""}]))
            elif field.is_repeated:
                for _ in range(self._random.randrange(3)):
                    self.fill(target.add())
            else:
                target.SetInParent()
                self.fill(target)
        elif field.is_repeated:
            target.extend({self._scalar(message.DESCRIPTOR, field) for _ in range(self._random.randrange(3))})
        else:
            setattr(message, field.name, self._scalar(message.DESCRIPTOR, field))

    def _scalar(self, message: Descriptor, field: FieldDescriptor) -> object:
        if (known := self._thing.get(name_of(message, field))) is not None:
            return known
        match field.type:
            case FieldDescriptor.TYPE_STRING if message.name == "WorkflowNode":
                return self._random.choice("abc")  # few, so that what speaks of one finds it
            case FieldDescriptor.TYPE_STRING:
                return self._text(name_of(message, field))
            case FieldDescriptor.TYPE_BOOL:
                return field.name == "confirm" or self._random.random() < 0.3
            case FieldDescriptor.TYPE_ENUM:
                return self._random.choice(field.enum_type.values[1:] or field.enum_type.values).number
            case FieldDescriptor.TYPE_BYTES:
                return self._random.randbytes(8)
            case _:
                return self._random.randint(*_NUMBERS.get(field.name, (0, 3)))

    def _text(self, name: str) -> str:
        if name in _TEXTS:
            # A name that is taken is more interesting than a new one, now and then.
            return self._vocabulary.word(name) if self._random.random() < 0.1 else _TEXTS[name](self._random)
        if name.endswith(("_id", "_ids", "etag", "digest", "page_token", "secret_name", "secret_names")):
            return self._vocabulary.word(name)
        return f"some text {self._random.randrange(100)}"


def _names(message: Descriptor) -> set[str]:
    """Answers what the fields of a request are named, and those of the resource in it."""
    names = {name_of(message, field) for field in message.fields}
    for field in message.fields:
        if field.message_type is not None and field.message_type.file.package == message.file.package:
            names |= {name_of(field.message_type, inner) for inner in field.message_type.fields}
    return names


def _likelihood(field: FieldDescriptor) -> float:
    if field.name.endswith(("_at", "_by")) and field.name != "expires_at":
        return 0.02
    if field.name in _ANSWERED_ONLY:
        return 0.1
    return 0.2 if field.name in _SELDOM else 0.97
