"""What is exported reads back as exactly what it was, and the digest of the files is the server's."""

from __future__ import annotations

import tempfile
from pathlib import Path

from google.protobuf import json_format
from hypothesis import given, settings

from cli.as_code.runbook.conversion import to_fields
from cli.as_code.runbook.manifest import read_manifests
from cli.as_code.yaml_writing import to_yaml
from oncall.digest import canonical_form, digest_of
from oncall.v1.runbook_pb2 import PARAMETER_TYPE_STRING, Runbook, RunbookVersion
from server.domain.version import check_draft
from server.domain.violation import Violations
from server.rpc.runbook_conversion import version_from_pb
from tests.unit.cli.as_code.runbook.runbooks import versions
from tests.unit.cli.as_code.texts import texts


@settings(max_examples=150, deadline=None)
@given(version=versions(), description=texts, team=texts, service=texts)
def test_what_is_exported_reads_back_as_what_it_was(
    version: RunbookVersion, description: str, team: str, service: str
) -> None:
    runbook = Runbook(name="it", description=description)
    with tempfile.TemporaryDirectory() as folder:
        text = to_yaml(to_fields(runbook, version, team=team, service=service, script_file="it.sh"))
        Path(folder, "it.yaml").write_bytes(text.encode())
        Path(folder, "it.sh").write_bytes(version.script.encode())
        [read] = read_manifests([Path(folder)])
    assert (read.form.description, read.form.team, read.form.service) == (description, team, service)
    assert read.form.change_note == version.change_note
    assert read.digest == version.digest, text


@settings(max_examples=150, deadline=None)
@given(version=versions())
def test_the_digest_is_the_one_that_the_server_computes(version: RunbookVersion) -> None:
    for parameter in version.parameters:
        if parameter.type != PARAMETER_TYPE_STRING:
            parameter.max_length = 0  # which the server answers and does not take
    violations = Violations()
    content = check_draft(violations, "version", version_from_pb(version))
    violations.raise_if_any()
    assert content is not None
    assert canonical_form(version) == content.canonical()


def test_what_is_unset_counts_as_its_default() -> None:
    bare = json_format.ParseDict(
        {
            "script": "x",
            "language": "SCRIPT_LANGUAGE_BASH",
            "parameters": [{"name": "p", "type": "PARAMETER_TYPE_STRING"}],
        },
        RunbookVersion(),
    )
    content = check_draft(Violations(), "version", version_from_pb(bare))
    assert content is not None
    assert digest_of(bare) == content.digest()
