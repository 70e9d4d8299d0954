"""A secret's value comes from a prompt, a pipe or a file, and is shown by nothing."""

import json

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from oncall.v1.secret_pb2 import Secret
from oncall.v1.secret_service_pb2 import DeleteSecretResponse, ListSecretsResponse, PutSecretResponse
from tests.unit.cli.conftest import SECONDS
from tests.unit.cli.test_verbs import a_caller

VALUE = "correct horse battery"


def a_secret(name: str = "password", *, replaced: bool = False) -> Secret:
    put = Timestamp(seconds=1_000_000_000)
    return Secret(team_id="web-id", name=name, created_at=put, updated_at=Timestamp(seconds=put.seconds + replaced))


def put(server, *arguments: str, stdin: str | bytes = b"", replaced: bool = False):
    """Answers the request that a command made, and how it ended."""
    ran = server.run("secret", "put", "password", *arguments, stdin=stdin)
    server.answer("GetCaller", a_caller("web"))
    request = server.answer("PutSecret", PutSecretResponse(secret=a_secret(replaced=replaced)))
    return request, ran.result(SECONDS)


@pytest.mark.parametrize(
    ("piped", "value"), [(VALUE + "\n", VALUE), (VALUE, VALUE), ("a\nb\n\n", "a\nb\n"), (" é€ \n", " é€ ")]
)
def test_a_piped_value_loses_one_line_break_and_nothing_else(server, piped, value):
    request, result = put(server, stdin=piped)
    assert (request.team_id, request.name, request.value) == ("web-id", "password", value)
    assert (result.stdout, result.stderr, result.exit_code) == ("stored password\n", "", 0)


def test_a_file_is_taken_as_it_is(server, tmp_path):
    (tmp_path / "key").write_text("-----BEGIN-----\n…\n")
    request, result = put(server, "--file", str(tmp_path / "key"), replaced=True)
    assert request.value == "-----BEGIN-----\n…\n"
    assert result.stdout == "replaced the value of password\n"


def test_on_a_terminal_the_value_is_asked_for_without_echo(server, monkeypatch):
    asked = []
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or VALUE)
    monkeypatch.setattr("cli.confirmation.is_terminal", lambda: True)
    request, result = put(server)
    assert (asked, request.value) == (["Value of password: "], VALUE)
    assert VALUE not in result.output


def test_json_shows_all_but_the_value(server):
    _, result = put(server, "--json", stdin=VALUE)
    assert json.loads(result.stdout)["secret"]["name"] == "password"
    assert VALUE not in result.output


def test_a_value_is_no_argument(server):
    result = server.run("secret", "put", "password", VALUE).result(SECONDS)
    assert result.exit_code == 2
    assert "argument" in result.stderr


def test_what_cannot_be_a_value_ends_before_any_call(server, tmp_path):
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    for arguments, says in (
        (("--file", str(tmp_path / "key")), "is not UTF-8 text"),
        (("--file", str(tmp_path / "none")), "cannot read"),
    ):
        result = server.run("secret", "put", "password", *arguments).result(SECONDS)
        assert result.exit_code == 2
        assert says in result.stderr


def test_a_refused_value_is_named_by_its_field_and_not_shown(server):
    ran = server.run("secret", "put", "password", stdin="short")
    server.answer("GetCaller", a_caller("web"))
    bad = {"value": "must have 8 to 65,536 bytes of UTF-8"}
    server.refuse("PutSecret", grpc.StatusCode.INVALID_ARGUMENT, "no", "INVALID_ARGUMENT", violations=bad)
    result = ran.result(SECONDS)
    assert result.exit_code == 1
    assert "value: must have 8 to 65,536 bytes" in result.stderr
    assert "short" not in result.output


def test_a_list_has_a_line_for_each_name(server):
    ran = server.run("secret", "list", "--team", "web")
    server.answer("GetCaller", a_caller("web", "db"))
    page = ListSecretsResponse(secrets=[a_secret("a"), a_secret("b")], next_page_token="more")
    assert server.answer("ListSecrets", page).team_id == "web-id"
    server.answer("ListSecrets", ListSecretsResponse(secrets=[a_secret("c")]))
    assert [line.split()[0] for line in ran.result(SECONDS).stdout.splitlines()[1:]] == ["a", "b", "c"]


def test_an_empty_list_says_so_beside_the_output(server):
    ran = server.run("secret", "list")
    server.answer("GetCaller", a_caller("web"))
    server.answer("ListSecrets", ListSecretsResponse())
    result = ran.result(SECONDS)
    assert (result.stdout, result.stderr, result.exit_code) == ("", "no secrets\n", 0)


def delete(server, *arguments: str, stdin: str = "", stored: str = "password"):
    ran = server.run("secret", "delete", "password", *arguments, stdin=stdin)
    server.answer("GetCaller", a_caller("web"))
    server.answer("ListSecrets", ListSecretsResponse(secrets=[a_secret(stored)]))
    return ran


def test_a_deletion_is_asked_for_on_a_terminal(server, monkeypatch):
    monkeypatch.setattr("cli.confirmation.is_terminal", lambda: True)
    result = delete(server, stdin="n\n").result(SECONDS)
    assert ("deleted" in result.stdout, result.exit_code) == (False, 1)
    assert "not deleted" in result.stderr
    ran = delete(server, stdin="y\n")
    request = server.answer("DeleteSecret", DeleteSecretResponse())
    assert (request.team_id, request.name) == ("web-id", "password")
    assert ran.result(SECONDS).stdout.endswith("deleted password\n")


def test_where_nobody_can_be_asked_a_deletion_wants_yes(server):
    result = delete(server).result(SECONDS)
    assert (result.exit_code, "--yes" in result.stderr) == (2, True)
    ran = delete(server, "--yes")
    server.answer("DeleteSecret", DeleteSecretResponse())
    assert ran.result(SECONDS).exit_code == 0


@pytest.mark.parametrize("stored", ["another", "PASSWORD"])
def test_what_is_not_there_is_not_deleted(server, stored):
    result = delete(server, "--yes", stored=stored).result(SECONDS)
    assert (result.stdout, result.exit_code) == ("", 0)
    assert "has no secret 'password'" in result.stderr


def test_a_secret_in_use_says_by_what(server):
    ran = delete(server, "--yes")
    message = "the current version of a runbook names this secret: deploy"
    server.refuse("DeleteSecret", grpc.StatusCode.FAILED_PRECONDITION, message, "SECRET_IN_USE")
    result = ran.result(SECONDS)
    assert result.exit_code == 1
    assert "deploy (SECRET_IN_USE): archive it" in result.stderr
