"""Settings of TLS that are half made end the process with a sentence that says what to do."""

from __future__ import annotations

import pytest

from kernel.settings import load
from server.settings import ServerSettings

CERTIFICATE, KEY = "ONCALL_SERVER_TLS_CERTIFICATE", "ONCALL_SERVER_TLS_KEY"
CLIENT_CA, GATEWAY_LISTEN = "ONCALL_SERVER_TLS_CLIENT_CA", "ONCALL_SERVER_GATEWAY_LISTEN"


@pytest.fixture(autouse=True)
def required(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "MASTER_KEY"):
        monkeypatch.setenv(f"ONCALL_{name}", "x")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([CERTIFICATE], f"{CERTIFICATE} needs {KEY}: set both, or none"),
        ([KEY], f"{KEY} needs {CERTIFICATE}: set both, or none"),
        ([CLIENT_CA], f"{CLIENT_CA} needs {CERTIFICATE}"),
        ([CERTIFICATE, KEY, GATEWAY_LISTEN], f"{GATEWAY_LISTEN} needs {CLIENT_CA}"),
    ],
)
def test_half_of_the_settings_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: list[str], said: str
) -> None:
    for name in given:
        monkeypatch.setenv(name, "/given")
    with pytest.raises(SystemExit) as ended:
        load(ServerSettings)
    printed = capsys.readouterr().err
    assert ended.value.code == 2
    assert printed.startswith(f"cannot start: bad settings: {said}")
    assert printed.count("\n") == 1


def test_all_of_them_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (CERTIFICATE, KEY, CLIENT_CA, GATEWAY_LISTEN):
        monkeypatch.setenv(name, "/given")
    assert load(ServerSettings).server_gateway_listen == "/given"
