"""Opens the ways to the world outside as the settings say."""

from __future__ import annotations

from server.domain.outbound import OutboundPolicy
from server.outbound.apprise_courier import AppriseCourier, MailServer
from server.outbound.channels import Channels
from server.outbound.webhook import WebhookSender
from server.settings import JobsSettings


def open_ways(settings: JobsSettings) -> Channels:
    policy, seconds = OutboundPolicy.parse(settings.outbound_allow), settings.delivery_seconds
    mail = None
    if settings.smtp_url and settings.smtp_from:
        mail = MailServer(settings.smtp_url.get_secret_value(), settings.smtp_from)
    return Channels(WebhookSender(policy, seconds), AppriseCourier(policy, seconds, mail))
