"""What the gateway reads from its environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.edge.client_address import ForwardedHeader
from gateway.settings import GatewaySettings
from kernel.settings import load


@pytest.fixture(autouse=True)
def required(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ONCALL_SERVER_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("ONCALL_GATEWAY_TOKEN_FILE", str(tmp_path))


def test_no_proxy_is_trusted_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(GatewaySettings).gateway_trusted_proxies == ()
    monkeypatch.setenv("ONCALL_GATEWAY_TRUSTED_PROXIES", "10.0.0.0/8,fd00::1")
    monkeypatch.setenv("ONCALL_GATEWAY_FORWARDED_HEADER", "forwarded")
    settings = load(GatewaySettings)
    assert [str(network) for network in settings.gateway_trusted_proxies] == ["10.0.0.0/8", "fd00::1/128"]
    assert settings.gateway_forwarded_header is ForwardedHeader.FORWARDED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ONCALL_GATEWAY_TRUSTED_PROXIES", "everybody"),
        ("ONCALL_GATEWAY_FORWARDED_HEADER", "x-real-ip"),
        ("ONCALL_GATEWAY_TLS_KEY", "/key.pem"),
        ("ONCALL_GATEWAY_CLIENT_KEY", "/key.pem"),
        ("ONCALL_GATEWAY_MAX_CONNECTIONS", "9999"),
        ("ONCALL_GATEWAY_MAX_STREAMS", "5001"),
    ],
)
def test_bad_settings_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        load(GatewaySettings)
    said = capsys.readouterr().err
    assert said.startswith("cannot start: bad settings: ONCALL_")
    assert said.count("\n") == 1


def test_a_certificate_for_the_server_wants_tls_to_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ONCALL_GATEWAY_CLIENT_CERTIFICATE", "/certificate.pem")
    monkeypatch.setenv("ONCALL_GATEWAY_CLIENT_KEY", "/key.pem")
    with pytest.raises(SystemExit):
        load(GatewaySettings)
    assert "set ONCALL_GATEWAY_SERVER_CA, or ONCALL_GATEWAY_SERVER_TLS=true" in capsys.readouterr().err
    monkeypatch.setenv("ONCALL_GATEWAY_SERVER_TLS", "true")
    assert load(GatewaySettings).speaks_tls_to_server
