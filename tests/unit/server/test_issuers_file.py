"""The file that names the trusted issuers: what stands in it, and one sentence where it cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from server.issuers.configuration import UnusableIssuers, read_issuers

GOOD: dict[str, object] = {"issuer": "https://a.example", "audience": "oncall", "jwks_url": "https://a.example/keys"}


def test_an_entry_says_little_and_trusts_little(tmp_path: Path) -> None:
    path = tmp_path / "issuers.json"
    path.write_text(json.dumps({"issuers": [GOOD]}))
    (issuer,) = read_issuers(path)
    assert issuer.algorithms == ["RS256", "ES256"]
    assert (issuer.clock_skew_seconds, issuer.create_users, issuer.link_by_email) == (60, False, False)
    assert issuer.audiences == ["oncall"]


def test_toml_says_the_same_and_files_are_found_beside_it(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{}")
    path = tmp_path / "issuers.toml"
    path.write_text(
        '[[issuers]]\nissuer = "https://a.example"\naudience = ["oncall", "cli"]\njwks_file = "keys.json"\n'
        'algorithms = ["EdDSA"]\ncreate_users = true\n[issuers.claims]\nemail = "upn"\n'
    )
    (issuer,) = read_issuers(path)
    assert issuer.jwks_file == str(tmp_path / "keys.json")
    assert (issuer.algorithms, issuer.trust.create_users, issuer.claims.email) == (["EdDSA"], True, "upn")
    assert issuer.claims.name == "name"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"algorithms": ["HS256"]}, "issuers[0].algorithms[0]: "),
        ({"algorithms": ["none"]}, "issuers[0].algorithms[0]: "),
        ({"algorithms": []}, "issuers[0].algorithms: "),
        ({"issuer": ""}, "issuers[0].issuer: "),
        ({"audience": []}, "issuers[0].audience"),
        ({"clock_skew_seconds": 3600}, "issuers[0].clock_skew_seconds: "),
        ({"create_users": "yes"}, "issuers[0].create_users: "),
        ({"create_user": True}, "issuers[0].create_user: "),
        ({"jwks_file": "keys.json"}, "issuers[0]: needs one of jwks_file and jwks_url"),
        ({"jwks_url": None}, "issuers[0]: needs one of jwks_file and jwks_url"),
        ({"jwks_url": "http://a.example/keys"}, "issuers[0].jwks_url: must be an https:// URL"),
        ({"jwks_url": "file:///etc/passwd"}, "issuers[0].jwks_url: must be an https:// URL"),
        ({"jwks_url": None, "jwks_file": "missing.json"}, "has a jwks_file that is not there"),
    ],
)
def test_a_bad_entry_is_named_with_its_place(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "issuers.json"
    path.write_text(json.dumps({"issuers": [GOOD | change]}))
    with pytest.raises(UnusableIssuers) as refused:
        read_issuers(path)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.json", b"{", "is not JSON in UTF-8"),
        ("x.json", b"\xff", "is not JSON in UTF-8"),
        ("x.json", b"[]", "the file: "),
        ("x.json", b"{}", "issuers: field required"),
        ("x.toml", b"[[", "is not TOML in UTF-8"),
        ("x.json", json.dumps({"issuers": [GOOD, GOOD]}).encode(), "is in it twice"),
        ("x.json", None, "cannot be read"),
    ],
)
def test_a_file_that_is_none_is_said_to_be_none(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnusableIssuers) as refused:
        read_issuers(path)
    assert said in str(refused.value)
