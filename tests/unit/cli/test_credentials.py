"""A token is its owner's alone, and goes to the server it was stored for."""

import os
import stat

import pytest

from cli import credentials
from cli.connection import open_channel
from cli.credentials import Credentials, CredentialsUnusable

STORED = Credentials("oncall.test:7443", "oct_secret")


@pytest.fixture
def environ(tmp_path):
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


def test_what_is_stored_is_for_its_owner_alone(environ):
    old = os.umask(0)
    try:
        path = credentials.store(STORED, environ)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert credentials.current(environ) == STORED


def test_a_failed_write_leaves_the_old_file_and_nothing_else(environ, monkeypatch):
    path = credentials.store(STORED, environ)
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        credentials.store(Credentials("other:7443", "oct_other"), environ)
    assert credentials.load(environ) == STORED
    assert [p.name for p in path.parent.iterdir()] == ["credentials.json"]


def test_a_file_that_others_can_read_is_refused(environ):
    credentials.store(STORED, environ).chmod(0o640)
    with pytest.raises(CredentialsUnusable, match="chmod 600"):
        credentials.current(environ)


@pytest.mark.parametrize("content", ["", "[]", '{"server": 1}', '{"other": "x"}'])
def test_a_broken_file_says_what_to_do(environ, content):
    credentials.store(STORED, environ).write_text(content)
    with pytest.raises(CredentialsUnusable, match="oncall login"):
        credentials.current(environ)


def test_the_environment_goes_before_what_is_stored(environ):
    credentials.store(STORED, environ)
    environ |= {"ONCALL_SERVER": "other:1", "ONCALL_TOKEN": "oct_other"}
    assert credentials.current(environ) == Credentials("other:1", "oct_other")


def test_a_stored_token_is_not_sent_to_another_server(environ):
    credentials.store(STORED, environ)
    with pytest.raises(CredentialsUnusable, match="oncall login --server other:7443"):
        credentials.current({**environ, "ONCALL_SERVER": "other"})


def test_a_token_of_the_environment_is_sent_as_the_stored_server_wants_it(environ):
    credentials.store(Credentials("oncall.test:7443", "oct_secret", tls=True), environ)
    assert credentials.current({**environ, "ONCALL_TOKEN": "oct_x"}) == Credentials("oncall.test:7443", "oct_x", True)


def test_a_server_that_is_named_is_called_over_tls_where_it_was_stored_so(environ):
    credentials.store(Credentials("oncall.test:7443", "oct_secret", ca_file="/ca.pem"), environ)
    environ |= {"ONCALL_SERVER": "oncall.test", "ONCALL_TOKEN": "oct_x"}
    assert credentials.current(environ) == Credentials("oncall.test:7443", "oct_x", True, "/ca.pem")


def test_what_is_stored_and_cannot_be_read_is_no_matter_where_the_environment_tells_all(environ):
    credentials.store(STORED, environ).write_text("{")
    environ |= {"ONCALL_SERVER": "other:1", "ONCALL_TOKEN": "oct_other"}
    assert credentials.current(environ) == Credentials("other:1", "oct_other")


@pytest.mark.parametrize(
    ("given", "tls", "ca_file"),
    [
        ({}, False, ""),
        ({"ONCALL_TLS": "0"}, False, ""),
        ({"ONCALL_TLS": "1"}, True, ""),
        ({"ONCALL_CA_FILE": "/ca.pem"}, True, "/ca.pem"),
    ],
)
def test_the_environment_can_ask_for_tls(environ, given, tls, ca_file):
    environ |= {"ONCALL_SERVER": "other:1", "ONCALL_TOKEN": "oct_other", **given}
    assert credentials.current(environ) == Credentials("other:1", "oct_other", tls, ca_file)


def test_the_environment_cannot_take_tls_away(environ):
    credentials.store(Credentials("oncall.test:7443", "oct_secret", tls=True, ca_file="/stored.pem"), environ)
    assert credentials.current({**environ, "ONCALL_TLS": "0"}).tls
    pair = {"ONCALL_CLIENT_CERTIFICATE": "/c.pem", "ONCALL_CLIENT_KEY": "/k.pem"}
    found = credentials.current({**environ, **pair})
    assert (found.ca_file, found.client_certificate, found.client_key) == ("/stored.pem", "/c.pem", "/k.pem")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"client_certificate": "/c", "client_key": "/k"}, "over TLS only"),
        ({"tls": True, "client_key": "/k"}, "go together"),
        ({"ca_file": "/none.pem"}, "/none.pem cannot be read: No such file"),
        ({"ca_file": __file__}, "no PEM certificate"),
    ],
)
def test_files_for_tls_that_cannot_be_used_are_said_in_a_sentence(fields, said):
    with pytest.raises(ValueError, match=said):
        open_channel(Credentials("oncall.test:7443", "oct_secret", **fields))


def test_without_any_credential_it_says_how_to_log_in(environ):
    with pytest.raises(CredentialsUnusable, match="oncall login"):
        credentials.current(environ)


def test_a_token_shows_in_no_repr():
    assert "oct_secret" not in repr(STORED)


@pytest.mark.parametrize(
    ("given", "normal"),
    [("host", "host:7443"), ("host:1", "host:1"), ("[::1]", "[::1]:7443"), ("[::1]:9", "[::1]:9"), (" h:2 ", "h:2")],
)
def test_the_port_may_be_left_out(given, normal):
    assert credentials.normal_address(given) == normal


@pytest.mark.parametrize("given", [":7443", "host:", "host:http", "host:0", "host:65536"])
def test_an_address_that_is_none_is_refused(given):
    with pytest.raises(CredentialsUnusable):
        credentials.normal_address(given)


def test_forgetting_twice_is_no_error(environ):
    credentials.store(STORED, environ)
    assert [credentials.forget(environ), credentials.forget(environ)] == [True, False]
