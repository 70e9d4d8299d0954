"""The authority of `oncall up --tls`: made once, used again, and good for no other name."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from cli.launcher import local_authority
from cli.launcher.local_authority import LocalAuthority
from cli.launcher.local_tls import LocalTls
from cli.launcher.refusal import CannotStart
from cli.launcher.settings import LauncherSettings

NAMES = ("localhost", "127.0.0.1", "::1")


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def signed(folder: Path, names: tuple[str, ...] = NAMES) -> LocalAuthority:
    authority = LocalAuthority(folder, names)
    authority.server_pair("server")
    authority.client_pair("gateway-client")
    return authority


def test_it_is_used_again_and_is_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    assert not signed(folder).replaced
    made = contents(folder)
    assert set(made) == {"ca.pem", "ca.key", "server.pem", "server.key", "gateway-client.pem", "gateway-client.key"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not signed(folder).replaced
    assert contents(folder) == made


def test_a_certificate_that_ends_soon_is_signed_anew_for_the_same_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_authority, "CERTIFICATE_DAYS", local_authority.CERTIFICATE_LEFT_DAYS)
    signed(tmp_path)
    before = contents(tmp_path)
    monkeypatch.undo()
    signed(tmp_path)
    after = contents(tmp_path)
    assert {name for name in before if before[name] != after[name]} == {"server.pem", "gateway-client.pem"}
    renewed = x509.load_pem_x509_certificate(after["server.pem"])
    assert renewed.not_valid_after_utc - datetime.now(UTC) > timedelta(days=local_authority.CERTIFICATE_LEFT_DAYS)


def test_an_authority_that_ends_soon_or_lacks_a_name_or_is_broken_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_authority, "AUTHORITY_DAYS", local_authority.AUTHORITY_LEFT_DAYS)
    signed(tmp_path)
    monkeypatch.undo()
    assert signed(tmp_path).replaced
    assert not signed(tmp_path).replaced
    assert signed(tmp_path, (*NAMES, "oncall.test")).replaced
    assert not signed(tmp_path).replaced, "it may sign for more than is asked"
    (tmp_path / "ca.key").write_text("nonsense")
    assert signed(tmp_path).replaced
    verify(tmp_path, "server.pem", "localhost")


def test_what_it_signs_is_believed_for_its_name_and_for_no_other(tmp_path: Path) -> None:
    authority = signed(tmp_path)
    verify(tmp_path, "server.pem", "localhost")
    authority._names = [x509.DNSName("bank.example")]  # as who stole the key would
    authority.server_pair("stolen")
    with pytest.raises(VerificationError, match="constraint"):
        verify(tmp_path, "stolen.pem", "bank.example")


def verify(folder: Path, file: str, name: str) -> None:
    root, leaf = [x509.load_pem_x509_certificate((folder / part).read_bytes()) for part in ("ca.pem", file)]
    verifier = PolicyBuilder().store(Store([root])).build_server_verifier(x509.DNSName(name))
    verifier.verify(leaf, [])


def test_certificates_of_ones_own_and_tls_go_not_together(tmp_path: Path) -> None:
    given = {"ONCALL_GATEWAY_TLS_CERTIFICATE": "/certificate.pem"}
    with pytest.raises(CannotStart, match=r"unset ONCALL_GATEWAY_TLS_CERTIFICATE, or leave --tls out"):
        LocalTls(tmp_path, LauncherSettings(), given)
    assert list(tmp_path.iterdir()) == []


def test_a_host_that_is_listened_on_is_among_the_names_and_a_wildcard_is_not(tmp_path: Path) -> None:
    settings = LauncherSettings(server_listen="0.0.0.0:1", gateway_listen="oncall.test:2")
    tls = LocalTls(tmp_path, settings, {})
    assert tls.names == "localhost and oncall.test"
    verify(tmp_path / "tls", "gateway.pem", "oncall.test")
    assert not tls.authority_replaced


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "tls").write_text("in the way")
    with pytest.raises(CannotStart, match="cannot make certificates in"):
        LocalTls(tmp_path, LauncherSettings(), {})
