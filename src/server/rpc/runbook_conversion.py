"""Runbooks and versions between the contract and the domain."""

from __future__ import annotations

from kernel.execution.content import ParameterDefinition, ParameterType
from oncall.v1 import runbook_pb2 as pb
from oncall.v1 import runbook_service_pb2 as service_pb
from server.domain.parameter_definition import ParameterDraft
from server.domain.runbook import Runbook
from server.domain.version import Version, VersionDraft
from server.operations.change_runbook import RunbookUpdate
from server.operations.create_runbook import RunbookDraft
from server.operations.review_runbook import Decision
from server.rpc.conversion import enum_from_pb, enum_to_pb, id_to_pb, time_to_pb, value_from_pb, value_to_pb


def runbook_to_pb(runbook: Runbook) -> pb.Runbook:
    return pb.Runbook(
        id=str(runbook.id),
        team_id=str(runbook.team_id),
        service_id=id_to_pb(runbook.service_id),
        name=runbook.name,
        description=runbook.description,
        status=enum_to_pb(pb.RunbookStatus, "RUNBOOK_STATUS_", runbook.status),
        current_version=runbook.current_version or 0,
        latest_version=runbook.latest_version,
        etag=runbook.etag,
        created_by=str(runbook.created_by),
        created_at=time_to_pb(runbook.created_at),
        updated_at=time_to_pb(runbook.updated_at),
    )


def version_to_pb(version: Version) -> pb.RunbookVersion:
    content, review = version.content, version.review
    return pb.RunbookVersion(
        runbook_id=str(version.runbook_id),
        version=version.number,
        script=content.script,
        language=enum_to_pb(pb.ScriptLanguage, "SCRIPT_LANGUAGE_", content.language),
        parameters=[_definition_to_pb(definition) for definition in content.parameters],
        timeout_seconds=content.timeout_seconds,
        max_retries=content.max_retries,
        requires_confirm=content.requires_confirm,
        secret_names=content.secret_names,
        executor_tags=content.executor_tags,
        network=enum_to_pb(pb.NetworkPolicy, "NETWORK_POLICY_", content.network),
        limits=pb.ResourceLimits(
            memory_bytes=content.limits.memory_bytes,
            cpus=content.limits.cpus,
            processes=content.limits.processes,
            disk_bytes=content.limits.disk_bytes,
        ),
        concurrency=enum_to_pb(pb.ConcurrencyPolicy, "CONCURRENCY_POLICY_", content.concurrency),
        change_note=version.change_note,
        digest=version.digest,
        status=enum_to_pb(pb.RunbookVersionStatus, "RUNBOOK_VERSION_STATUS_", review.status),
        created_by=str(version.created_by),
        created_at=time_to_pb(version.created_at),
        submitted_by=id_to_pb(review.submitted_by),
        submitted_at=time_to_pb(review.submitted_at),
        reviewed_by=id_to_pb(review.reviewed_by),
        reviewed_at=time_to_pb(review.reviewed_at),
        review_comment=review.comment,
    )


def runbook_from_pb(runbook: pb.Runbook) -> RunbookDraft:
    return RunbookDraft(runbook.team_id, runbook.service_id, runbook.name, runbook.description)


def update_from_pb(request: service_pb.UpdateRunbookRequest) -> RunbookUpdate:
    new = request.runbook
    return RunbookUpdate(new.id, new.name, new.description, new.service_id, new.etag, list(request.update_mask.paths))


def decision_from_pb(request: service_pb.ApproveRunbookRequest | service_pb.RejectRunbookRequest) -> Decision:
    return Decision(request.runbook_id, request.version, request.digest, request.comment, request.etag)


def version_from_pb(version: pb.RunbookVersion) -> VersionDraft:
    return VersionDraft(
        script=version.script,
        language=enum_from_pb(pb.ScriptLanguage, "SCRIPT_LANGUAGE_", version.language),
        parameters=[_definition_from_pb(definition) for definition in version.parameters],
        timeout_seconds=version.timeout_seconds,
        max_retries=version.max_retries,
        requires_confirm=version.requires_confirm,
        secret_names=list(version.secret_names),
        executor_tags=list(version.executor_tags),
        network=enum_from_pb(pb.NetworkPolicy, "NETWORK_POLICY_", version.network),
        memory_bytes=version.limits.memory_bytes,
        cpus=version.limits.cpus,
        processes=version.limits.processes,
        disk_bytes=version.limits.disk_bytes,
        concurrency=enum_from_pb(pb.ConcurrencyPolicy, "CONCURRENCY_POLICY_", version.concurrency),
        change_note=version.change_note,
    )


def _definition_from_pb(definition: pb.ParameterDefinition) -> ParameterDraft:
    return ParameterDraft(
        name=definition.name,
        type=enum_from_pb(pb.ParameterType, "PARAMETER_TYPE_", definition.type),
        required=definition.required,
        default=value_from_pb(definition.default),
        description=definition.description,
        pattern=definition.pattern,
        min=definition.min if definition.HasField("min") else None,
        max=definition.max if definition.HasField("max") else None,
        max_length=definition.max_length,
        options=list(definition.options),
        sensitive=definition.sensitive,
    )


def _definition_to_pb(definition: ParameterDefinition) -> pb.ParameterDefinition:
    return pb.ParameterDefinition(
        name=definition.name,
        type=enum_to_pb(pb.ParameterType, "PARAMETER_TYPE_", definition.type),
        required=definition.required,
        default=value_to_pb(definition.default),
        description=definition.description,
        pattern=definition.pattern,
        min=definition.min,
        max=definition.max,
        max_length=definition.max_length if definition.type is ParameterType.STRING else 0,  # refused for other types
        options=definition.options,
        sensitive=definition.sensitive,
    )
