"""Plausible requests for every RPC there is: what nobody can make up is found here, and not late in a long run."""

from __future__ import annotations

from random import Random
from typing import Any
from uuid import UUID

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from oncall.v1 import status_page_service_pb2, workflow_service_pb2
from server.domain.violation import Violations
from server.domain.workflow.check import check_definition
from server.domain.workflow.known import Known, KnownRunbook, named_in
from server.rpc.workflow_conversion import draft_from_pb
from tests.fuzzing.introduction import INTRODUCED
from tests.fuzzing.plausible import Plausible, messages_of, unknown_in
from tests.fuzzing.requests import all_methods
from tests.fuzzing.values import changeable_in, is_new, is_word
from tests.fuzzing.vocabulary import Vocabulary, name_of, remembered_as

TOLD = INTRODUCED | {
    name
    for method in all_methods()
    for message in messages_of(method.output_type)
    for field in message.fields
    if (name := remembered_as(message, field))
}
MANY = 200
of_every_rpc = pytest.mark.parametrize("method", all_methods(), ids=lambda method: method.full_name)


def a_taught(random: Random) -> tuple[Plausible, dict[str, str]]:
    """Somebody who knows words of every kind that are told, and of which kind each word is."""
    vocabulary, kinds = Vocabulary(random), {}
    for name in sorted(TOLD) * 3:
        word = str(UUID(int=random.getrandbits(128), version=4))
        vocabulary.remember(name, word)
        kinds[word] = name
    return Plausible(random, vocabulary), kinds


@of_every_rpc
def test_every_field_of_every_request_has_something_that_could_well_be_right(method: MethodDescriptor) -> None:
    unknown = unknown_in(method.input_type, TOLD)
    assert not unknown, f"tests/fuzzing/values.py, or an answer, has to say what could be right in {unknown}"


@of_every_rpc
def test_what_comes_out_of_answers_stands_only_where_it_belongs(method: MethodDescriptor) -> None:
    plausible, kinds = a_taught(Random(1))  # noqa: S311 - must be repeatable
    for _ in range(MANY // 10):
        request = GetMessageClass(method.input_type)()
        plausible.request(request)
        wrong = {name: text for name, text in _words_in(request) if kinds.get(text) != name}
        assert not wrong


def test_a_field_that_nobody_knows_is_found() -> None:
    assert sorted(unknown_in(a_request_with_news(), TOLD)) == [
        "NewsRequest.blob",
        "NewsRequest.flavour",
        "NewsRequest.gadget_id",
        "NewsRequest.update_mask",
        "NewsRequest.weight",
    ]


@of_every_rpc
def test_an_update_mask_names_fields_that_there_are(method: MethodDescriptor) -> None:
    resources = [field.message_type for field in method.input_type.fields if field.message_type is not None]
    named = {field.name for resource in resources for field in resource.fields}
    assert set(changeable_in(method.input_type) or ()) <= named


def test_most_workflows_that_are_made_up_could_be_saved() -> None:
    plausible, _ = a_taught(Random(2))  # noqa: S311 - must be repeatable
    good = 0
    for _ in range(MANY):
        request = workflow_service_pb2.CreateWorkflowRequest()
        plausible.request(request)
        draft = draft_from_pb(request.workflow)
        named = named_in(draft)
        runbooks = {runbook: KnownRunbook(runnable=True) for runbook in named.runbook_ids}
        known = Known(runbooks, named.channel_ids, named.secret_names)
        good += check_definition(Violations(), draft, known) is not None
    assert good > MANY * 0.5


def test_a_maintenance_that_is_made_up_ends_after_it_begins_and_is_about_something() -> None:
    plausible, _ = a_taught(Random(3))  # noqa: S311 - must be repeatable
    whole = 0
    for _ in range(MANY):
        request = status_page_service_pb2.ScheduleMaintenanceRequest()
        plausible.request(request)
        one = request.maintenance
        if one.HasField("scheduled_for") and one.HasField("scheduled_until"):
            whole += 1
            assert one.scheduled_for.seconds < one.scheduled_until.seconds
            assert one.component_ids
    assert whole > MANY * 0.8


def test_a_list_that_goes_on_is_gone_on_with_by_the_same_filters() -> None:
    random = Random(4)  # noqa: S311 - must be repeatable
    vocabulary = Vocabulary(random)
    asked = workflow_service_pb2.ListWorkflowsRequest(team_id="a team", page_size=2)
    vocabulary.learn_list(asked, workflow_service_pb2.ListWorkflowsResponse(next_page_token="more"))
    made = [workflow_service_pb2.ListWorkflowsRequest() for _ in range(MANY)]
    for request in made:
        Plausible(random, vocabulary).request(request)
    following = [request for request in made if request.page_token == "more" and request.page_size == 2]
    assert len(following) > MANY * 0.2
    assert {request.team_id for request in following} == {"a team"}


def _words_in(message: Message) -> list[tuple[str, str]]:
    """Answers every text in a message that only answers can tell, each by what it means."""
    found: list[tuple[str, str]] = []
    for field, value in message.ListFields():
        name = name_of(message.DESCRIPTOR, field)
        values: list[Any] = list(value) if field.is_repeated else [value]
        if field.type == FieldDescriptor.TYPE_STRING and is_word(name) and not is_new(message.DESCRIPTOR, field):
            found += [(name, text) for text in values]
        elif field.message_type in messages_of(message.DESCRIPTOR):
            for child in values:
                found += _words_in(child)
    return found


def a_request_with_news() -> Descriptor:
    """A request with a field of each kind of which nobody knows what could be in it, and one that everybody knows."""
    file = FileDescriptorProto(name="news.proto", package="news", syntax="proto3")
    file.dependency.append(FieldMask.DESCRIPTOR.file.name)
    request = file.message_type.add(name="NewsRequest")
    kinds = (
        ("flavour", FieldDescriptorProto.TYPE_STRING),
        ("weight", FieldDescriptorProto.TYPE_INT32),
        ("blob", FieldDescriptorProto.TYPE_BYTES),
        ("gadget_id", FieldDescriptorProto.TYPE_STRING),
        ("update_mask", FieldDescriptorProto.TYPE_MESSAGE),
        ("description", FieldDescriptorProto.TYPE_STRING),
    )
    for number, (name, kind) in enumerate(kinds, 1):
        field = request.field.add(name=name, number=number, type=kind, label=FieldDescriptorProto.LABEL_OPTIONAL)
        if kind == FieldDescriptorProto.TYPE_MESSAGE:
            field.type_name = f".{FieldMask.DESCRIPTOR.full_name}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(FieldMask.DESCRIPTOR.file.serialized_pb)
    pool.Add(file)
    return pool.FindMessageTypeByName("news.NewsRequest")
