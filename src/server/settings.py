"""Settings of `python -m server` and `python -m server.jobs`, besides those that every process has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from kernel.settings import CoreSettings, together
from server.domain.outbound import OutboundPolicy
from server.domain.retention import LEAST_EVENT_DAYS, LEAST_STATUS_DAYS, LEAST_TOKEN_DAYS

Days = Annotated[int, Field(ge=0, le=36_500)]
"""A number of days, a century at most; 0: for ever."""


def _at_least(least: int) -> AfterValidator:
    def check(days: int) -> int:
        if 0 < days < least:
            raise ValueError(f"must be 0, for ever, or at least {least} days")
        return days

    return AfterValidator(check)


class ServerSettings(CoreSettings):
    server_listen: str = "127.0.0.1:7443"
    """host:port; port 0 picks a free one."""
    issuers_file: Path | None = None
    """Whose signed tokens are believed besides API tokens; see `docs/sign-in.md`. Unset: nobody's."""
    server_tls_certificate: Path | None = None
    """PEM file of the certificate and its chain; with it the server speaks TLS only."""
    server_tls_key: Path | None = None
    server_tls_client_ca: Path | None = None
    """PEM file of who signs clients' certificates; with it nobody is let in without one. A certificate opens the
    connection and grants nothing: who calls, and may do what, is a matter of the token as ever."""
    server_gateway_listen: str | None = None
    """A second host:port for gateways; with it only there certificates are asked for, and people need none."""
    ready_file: Path | None = None
    """Where to say, once it is so, that the process serves and at which address."""
    watch_lease_seconds: float = Field(default=3.0, ge=0.5, le=60)
    """How long a gateway answers from what it keeps without having been heard of; as long, and as long again, may a
    revocation wait for a gateway that has gone away."""
    bad_credentials_per_minute: int = Field(default=30, ge=1)
    """How many credentials that nobody knows one client address may show before it is told to wait."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        certificate, key = self.server_tls_certificate, self.server_tls_key
        together(("server_tls_certificate", certificate), ("server_tls_key", key))
        if self.server_tls_client_ca and not certificate:
            raise ValueError("ONCALL_SERVER_TLS_CLIENT_CA needs ONCALL_SERVER_TLS_CERTIFICATE and …_KEY")
        if self.server_gateway_listen and not self.server_tls_client_ca:
            raise ValueError("ONCALL_SERVER_GATEWAY_LISTEN needs ONCALL_SERVER_TLS_CLIENT_CA: it is for certificates")
        return self


class JobsSettings(CoreSettings):
    ready_file: Path | None = None
    log_retention_days: Days = 90
    """How long after its end an execution keeps its log; its record stays, with parts of the output."""
    execution_retention_days: Days = 400
    """How long after its end an execution is kept at all."""
    request_id_days: Days = 7
    """How long a repeated call answers what the first one made; after that it counts as a new call."""
    delivery_retention_days: Days = 30
    """How long after its end a delivery is listed."""
    incident_retention_days: Annotated[Days, _at_least(LEAST_EVENT_DAYS)] = 800
    """How long after its end an incident or a maintenance is kept, and shown where few came after it."""
    status_retention_days: Annotated[Days, _at_least(LEAST_STATUS_DAYS)] = 400
    """How long it is kept how a component was shown; a page tells 90 days of it."""
    partner_token_retention_days: Annotated[Days, _at_least(LEAST_TOKEN_DAYS)] = 400
    """How long after its end a partner's former token is known, so that whoever shows it hears why it is refused."""
    delivery_attempts: int = Field(default=10, ge=1, le=100)
    """How often a notification or a webhook is tried: the tenth time is 21 to 43 minutes after the first."""
    delivery_seconds: float = Field(default=30.0, ge=1, le=300)
    """How long one try may take."""
    incident_event_minutes: int = Field(default=15, ge=0, le=525_600)
    """How old what happened to an incident may be for workflows to start by it, where nobody looked before; 0: however
    old."""
    outbound_allow: str = ""
    """Addresses, networks and host names, separated by commas, that notifications and webhooks may reach although they
    are not public; see `docs/notifications.md`."""
    smtp_url: SecretStr | None = None
    """The mail server for channels that name addresses only: `mailto://` or `mailtos://`, with user and password."""
    smtp_from: str | None = None
    """Whom that mail is from."""

    @field_validator("outbound_allow")
    @classmethod
    def _readable(cls, value: str) -> str:
        OutboundPolicy.parse(value)
        return value

    @model_validator(mode="after")
    def _mail_is_whole(self) -> Self:
        together(("smtp_url", self.smtp_url), ("smtp_from", self.smtp_from))
        if self.smtp_url and not self.smtp_url.get_secret_value().startswith(("mailto://", "mailtos://")):
            raise ValueError("ONCALL_SMTP_URL must begin with mailto:// or mailtos://")
        return self
