"""How the launcher names places: without credentials, and so that a client can use them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from cli.launcher.settings import LauncherSettings, base_environment
from cli.launcher.stack import _where, reachable


@pytest.mark.parametrize(
    ("listening", "called"),
    [
        ("127.0.0.1:7443", "127.0.0.1:7443"),
        ("0.0.0.0:7443", "127.0.0.1:7443"),
        ("[::]:7443", "[::1]:7443"),
        ("oncall.example:1", "oncall.example:1"),
    ],
)
def test_a_wildcard_address_is_called_on_the_loopback(listening: str, called: str) -> None:
    assert reachable(listening) == called


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user:secret@db.example:5432/oncall", "db.example:5432"),
        ("redis://:secret@cache.example/0", "cache.example"),
        ("unix:///run/redis.sock", "/run/redis.sock"),
        ("postgresql://oncall@/oncall?host=/run/pg", "/oncall"),
    ],
)
def test_a_url_is_shown_without_its_credentials(url: str, shown: str) -> None:
    assert _where(url) == shown


@pytest.mark.parametrize("value", ["7443", ":7443", "host:", "host:70000", "host:http"])
def test_a_listen_address_is_host_and_port(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ONCALL_SERVER_LISTEN", value)
    with pytest.raises(ValidationError):
        LauncherSettings()


def test_the_data_folder_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONCALL_DATA_DIR", "data")
    assert LauncherSettings().data_folder == tmp_path / "data"


def test_a_process_gets_no_credential_of_the_person_who_starts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCALL_TOKEN", "oct_mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    monkeypatch.setenv("ONCALL_LEASE_SECONDS", "3")
    environment = base_environment()
    assert environment["ONCALL_LEASE_SECONDS"] == "3"
    assert "ONCALL_TOKEN" not in environment
    assert "AWS_SECRET_ACCESS_KEY" not in environment
