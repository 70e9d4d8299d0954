"""Which signed tokens are believed; nobody is asked here who their holders are."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from kernel.errors import Unauthenticated
from server.issuers.configuration import read_issuers
from server.issuers.trusted_issuers import LONGEST_TOKEN, TrustedIssuers
from tests.issuing import (
    TokenIssuer,
    base64url,
    ec_key,
    file_entry,
    forged,
    issuers_file,
    public_jwk,
    public_pem,
    rsa_key,
)

MINUTE = 60


@dataclass(frozen=True, slots=True)
class FromNow:
    """A time that many seconds after a token is made."""

    seconds: int


def _moved(claims: Mapping[str, object]) -> dict[str, object]:
    """Answers claims with their times counted from now; a parameter's own now is when the tests were collected."""
    now = int(time.time())
    return {name: now + value.seconds if isinstance(value, FromNow) else value for name, value in claims.items()}


@pytest.fixture
def issuer() -> TokenIssuer:
    return TokenIssuer("https://issuer.example", {"rsa": rsa_key("issuer"), "ec": ec_key()})


@pytest.fixture
def other() -> TokenIssuer:
    return TokenIssuer("https://other.example", {"other": ec_key()})


@pytest.fixture
def trusted(issuer: TokenIssuer, other: TokenIssuer, tmp_path: Path) -> TrustedIssuers:
    entries = file_entry(tmp_path, issuer), file_entry(tmp_path, other)
    return TrustedIssuers(read_issuers(issuers_file(tmp_path, *entries)))


async def _refusal(trusted: TrustedIssuers, token: str) -> Unauthenticated:
    with pytest.raises(Unauthenticated) as refused:
        await trusted.identify(token)
    return refused.value


@pytest.mark.parametrize("key_id", ["rsa", "ec"])
async def test_a_good_token_says_who_its_holder_is(trusted: TrustedIssuers, issuer: TokenIssuer, key_id: str) -> None:
    identity = await trusted.identify(issuer.token(key_id=key_id))
    assert (identity.issuer.name, identity.subject) == (issuer.name, "ada")
    assert (identity.email, identity.email_verified, identity.display_name) == ("ada@example.org", True, "Ada")


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["another", "oncall"]},
        {"exp": FromNow(-MINUTE // 2)},
        {"iat": FromNow(MINUTE // 2), "nbf": FromNow(MINUTE // 2)},
        {"email": None, "name": 7},
    ],
)
async def test_what_is_only_unusual_is_believed(
    trusted: TrustedIssuers, issuer: TokenIssuer, changes: dict[str, object]
) -> None:
    assert (await trusted.identify(issuer.token(issuer.claims(**_moved(changes))))).subject == "ada"


@pytest.mark.parametrize(("said", "verified"), [(True, True), (False, False), ("true", False), (1, False), ({}, False)])
async def test_only_the_truth_itself_counts_as_a_verified_address(
    trusted: TrustedIssuers, issuer: TokenIssuer, said: object, verified: bool
) -> None:
    token = issuer.token(issuer.claims(email_verified=said))
    assert (await trusted.identify(token)).email_verified is verified


BAD_CLAIMS: dict[str, dict[str, object]] = {
    "issued in the future": {"iat": FromNow(10 * MINUTE)},
    "not yet valid": {"nbf": FromNow(10 * MINUTE)},
    "another audience": {"aud": "another"},
    "other audiences": {"aud": ["another", "third"]},
    "no audience": {"aud": None},
    "an audience that is none": {"aud": [["oncall"]]},
    "part of the audience": {"aud": "onc"},
    "another issuer": {"iss": "https://issuer.example/"},
    "an issuer that is none": {"iss": ["https://issuer.example"]},
    "no issuer": {"iss": None},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that is no text": {"sub": 7},
    "a subject too long": {"sub": "s" * 256},
    "a subject that cannot be stored": {"sub": "a\x00b"},
    "half a character as subject": {"sub": "\ud800"},
    "no expiry": {"exp": None},
    "an expiry that is none": {"exp": "soon"},
    "an endless expiry": {"exp": float("inf")},
    "no time of issue": {"iat": None},
}


@pytest.mark.parametrize("changes", BAD_CLAIMS.values(), ids=BAD_CLAIMS)
async def test_a_token_with_bad_claims_is_refused(
    trusted: TrustedIssuers, issuer: TokenIssuer, changes: dict[str, object]
) -> None:
    token = issuer.sign(json.dumps(issuer.claims(**_moved(changes))).encode())
    assert (await _refusal(trusted, token)).reason == "CREDENTIAL_INVALID"


async def test_an_expired_token_is_told_so_only_where_it_was_good(trusted: TrustedIssuers, issuer: TokenIssuer) -> None:
    claims = issuer.claims(exp=int(time.time()) - 2 * MINUTE)
    assert (await _refusal(trusted, issuer.token(claims))).reason == "CREDENTIAL_EXPIRED"
    forged_too = issuer.token(claims, key_id="ec", key=ec_key())
    assert (await _refusal(trusted, forged_too)).reason == "CREDENTIAL_INVALID"


def _without_signature(issuer: TokenIssuer, _: TokenIssuer) -> str:
    return forged({"alg": "none", "typ": "JWT", "kid": "rsa"}, issuer.claims())


def _public_key_as_secret(issuer: TokenIssuer, _: TokenIssuer) -> str:
    """The classic confusion: HMAC under what everybody knows."""
    parts = [json.dumps({"alg": "HS256", "typ": "JWT", "kid": "rsa"}).encode(), json.dumps(issuer.claims()).encode()]
    signed = ".".join(map(base64url, parts))
    mac = hmac.digest(public_pem(issuer.keys["rsa"]), signed.encode(), hashlib.sha256)
    return f"{signed}.{base64url(mac)}"


def _key_in_header(name: str) -> Callable[[TokenIssuer, TokenIssuer], str]:
    def token(issuer: TokenIssuer, _: TokenIssuer) -> str:
        own = ec_key()
        brought = public_jwk(own, "ec") if name == "jwk" else "https://evil.example/keys"
        return issuer.token(key_id="ec", key=own, headers={name: [brought] if name == "x5c" else brought})

    return token


def _other_payload(issuer: TokenIssuer, _: TokenIssuer) -> str:
    header, _payload, signature = issuer.token().split(".")
    return f"{header}.{base64url(json.dumps(issuer.claims('eve')).encode())}.{signature}"


BAD_TOKENS: dict[str, Callable[[TokenIssuer, TokenIssuer], str]] = {
    "empty": lambda _, __: "",
    "garbage": lambda _, __: "garbage",
    "dots": lambda _, __: "...",
    "not base64": lambda _, __: "a!.b!.c!",
    "not ASCII": lambda issuer, _: issuer.token() + "é",
    "not JSON": lambda _, __: f"{base64url(b'{')}.{base64url(b'{')}.",
    "a list": lambda _, __: forged({"alg": "RS256", "kid": "rsa"}, b"[1]"),
    "deep JSON": lambda _, __: forged({"alg": "RS256", "kid": "rsa"}, b"[" * 5000),
    "a huge number": lambda _, __: forged({"alg": "RS256", "kid": "rsa"}, b'{"exp":' + b"9" * 5000 + b"}"),
    "too long": lambda issuer, _: issuer.token(issuer.claims(padding="x" * LONGEST_TOKEN)),
    "no signature": _without_signature,
    "None": lambda issuer, _: forged({"alg": "None", "kid": "rsa"}, issuer.claims()),
    "HMAC with the public key": _public_key_as_secret,
    "an algorithm that is not allowed": lambda issuer, _: issuer.token(key_id="rsa", algorithm="RS512"),
    "an algorithm of another kind of key": lambda issuer, _: issuer.token(
        key_id="ec", key=rsa_key("evil"), algorithm="RS256"
    ),
    "no algorithm": lambda issuer, _: forged({"kid": "rsa"}, issuer.claims(), b"x"),
    "a list as algorithm": lambda issuer, _: forged({"alg": ["RS256"], "kid": "rsa"}, issuer.claims(), b"x"),
    "no key id": lambda issuer, _: forged({"alg": "RS256"}, issuer.claims(), b"x"),
    "a key id that is no text": lambda issuer, _: forged({"alg": "RS256", "kid": {}}, issuer.claims(), b"x"),
    "an unknown key id": lambda issuer, _: issuer.token(key_id="ghost", key=issuer.keys["ec"]),
    "a path as key id": lambda issuer, _: issuer.token(key_id="../../../dev/null", key=ec_key()),
    "somebody's key": lambda issuer, _: issuer.token(key_id="ec", key=ec_key()),
    "another issuer's key": lambda issuer, other: other.token(issuer.claims()),
    "another issuer's key under our id": lambda issuer, other: issuer.token(key_id="ec", key=other.keys["other"]),
    "another payload": _other_payload,
    "a signature cut short": lambda issuer, _: issuer.token()[:-8],
    "no signature at all": lambda issuer, _: issuer.token().rpartition(".")[0] + ".",
    "two signatures": lambda issuer, _: issuer.token() + ".x",
    "a key in jwk": _key_in_header("jwk"),
    "a key at jku": _key_in_header("jku"),
    "a key at x5u": _key_in_header("x5u"),
    "a key in x5c": _key_in_header("x5c"),
    "a critical extension": lambda issuer, _: issuer.token(headers={"crit": ["exp"], "exp": 1}),
    "a logout token": lambda issuer, _: issuer.token(headers={"typ": "logout+jwt"}),
}


@pytest.mark.parametrize("make", BAD_TOKENS.values(), ids=BAD_TOKENS)
async def test_a_bad_token_is_refused_and_told_no_more_than_any_other(
    trusted: TrustedIssuers,
    issuer: TokenIssuer,
    other: TokenIssuer,
    make: Callable[[TokenIssuer, TokenIssuer], str],
) -> None:
    refused = await _refusal(trusted, make(issuer, other))
    assert (refused.reason, refused.message) == (
        "CREDENTIAL_INVALID",
        "the credential is unknown, expired or revoked",
    )


async def test_keys_in_the_header_of_a_good_token_are_ignored(trusted: TrustedIssuers, issuer: TokenIssuer) -> None:
    token = issuer.token(key_id="ec", headers={"jwk": public_jwk(ec_key(), "ec"), "jku": "https://evil.example/"})
    assert (await trusted.identify(token)).subject == "ada"
