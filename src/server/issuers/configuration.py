"""The file that names the trusted issuers, read once when the server starts: TOML, or JSON under any other suffix.

It is an object with a list `issuers`; the fields of an entry are those of `IssuerSettings`.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from server.domain.issuer import Issuer
from server.issuers.issuer_keys import Freshness
from server.issuers.key_source import FileSource, KeySource, UrlSource, is_loopback

# Asymmetric ones only: with a shared secret, whoever can check a token could make one.
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
Text = Annotated[str, Field(min_length=1, max_length=500)]


class UnusableIssuers(Exception):
    """The file cannot be used; the text says why, in one sentence without a verb for the process."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class ClaimNames(_Strict):
    """Which claim says what: issuers differ in this."""

    email: Text = "email"
    email_verified: Text = "email_verified"
    name: Text = "name"


class IssuerSettings(_Strict):
    """One issuer and how far it is trusted."""

    issuer: Text
    """`iss` of its tokens, compared exactly."""
    audience: Text | Annotated[list[Text], Field(min_length=1)]
    """What `aud` must name, or name one of."""
    jwks_file: Text | None = None
    """Where its public keys are, as a JWK set; read again as it changes. Relative to the folder of this file."""
    jwks_url: Text | None = None
    """The same over HTTPS; plain HTTP on this machine only."""
    algorithms: Annotated[list[Algorithm], Field(min_length=1)] = ["RS256", "ES256"]
    clock_skew_seconds: Annotated[int, Field(ge=0, le=300)] = 60
    create_users: bool = False
    """Whether somebody it vouches for becomes a user on first sign-in."""
    link_by_email: bool = False
    """Whether its verified e-mail addresses let somebody sign in as the user who has that address already."""
    claims: ClaimNames = ClaimNames()
    keys_fresh_seconds: Annotated[int, Field(ge=1, le=86_400)] = 300
    """How long fetched keys are used without asking again; so long may a withdrawn key go on being believed."""
    keys_kept_seconds: Annotated[int, Field(ge=1, le=604_800)] = 86_400
    """How long they are used where asking fails."""
    refresh_interval_seconds: Annotated[int, Field(ge=1, le=3600)] = 10
    """How often, at most, the keys are fetched: unknown key ids and failures cause no storm."""

    @field_validator("jwks_url")
    @classmethod
    def _encrypted(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            if not parts.hostname or not (
                parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
            ):
                raise ValueError("must be an https:// URL, or http:// on this machine")
        return url

    @model_validator(mode="after")
    def _one_source(self) -> IssuerSettings:
        if (self.jwks_file is None) == (self.jwks_url is None):
            raise ValueError("needs one of jwks_file and jwks_url")
        return self

    @property
    def trust(self) -> Issuer:
        return Issuer(self.issuer, create_users=self.create_users, link_by_email=self.link_by_email)

    @property
    def audiences(self) -> list[str]:
        return [self.audience] if isinstance(self.audience, str) else self.audience

    def source(self) -> KeySource:
        if self.jwks_url is not None:
            return UrlSource(self.jwks_url)
        return FileSource(Path(self.jwks_file or ""))

    def freshness(self) -> Freshness:
        if self.jwks_file is not None:  # reading a file costs nothing worth saving for longer
            return Freshness(fresh_seconds=1, kept_seconds=self.keys_kept_seconds, interval_seconds=1)
        return Freshness(self.keys_fresh_seconds, self.keys_kept_seconds, self.refresh_interval_seconds)


class _Document(_Strict):
    issuers: list[IssuerSettings]


def read_issuers(path: Path) -> list[IssuerSettings]:
    """Answers the issuers, or raises UnusableIssuers; a file of keys that is missing is told at once too."""
    document = _parse(path)
    found = [_beside(path, issuer) for issuer in document.issuers]
    names = [issuer.issuer for issuer in found]
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise UnusableIssuers(f"the issuer {doubled} is in it twice")
    for issuer in found:
        if issuer.jwks_file is not None and not Path(issuer.jwks_file).is_file():
            raise UnusableIssuers(f"the issuer {issuer.issuer} has a jwks_file that is not there: {issuer.jwks_file}")
    return found


def _parse(path: Path) -> _Document:
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
        return _Document.model_validate(content)
    except OSError as error:
        raise UnusableIssuers(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise UnusableIssuers("; ".join(map(_problem, error.errors(include_input=False, include_url=False)))) from None
    except (ValueError, RecursionError):
        kind = "TOML" if path.suffix == ".toml" else "JSON"
        raise UnusableIssuers(f"{path} is not {kind} in UTF-8") from None


def _problem(error: object) -> str:
    """Names the field as a person would: `issuers[0].algorithms[1]: …`."""
    location, message = error["loc"], error["msg"]  # type: ignore[index]
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
    sentence = str(message).removeprefix("Value error, ")
    return f"{field or 'the file'}: {sentence[:1].lower()}{sentence[1:]}"


def _beside(path: Path, issuer: IssuerSettings) -> IssuerSettings:
    if issuer.jwks_file is None:
        return issuer
    return issuer.model_copy(update={"jwks_file": str(path.parent / issuer.jwks_file)})
