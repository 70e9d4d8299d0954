"""The composition root: the only place that names concrete classes and joins them."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine
from taskiq import AsyncBroker

from kernel.database import sessions
from kernel.ending import cancel, close
from kernel.queue import Doorbell
from kernel.settings import fail
from oncall.v1 import (
    audit_service_pb2,
    audit_service_pb2_grpc,
    executor_service_pb2,
    executor_service_pb2_grpc,
    incident_service_pb2,
    incident_service_pb2_grpc,
    notification_service_pb2,
    notification_service_pb2_grpc,
    partner_service_pb2,
    partner_service_pb2_grpc,
    runbook_service_pb2,
    runbook_service_pb2_grpc,
    secret_service_pb2,
    secret_service_pb2_grpc,
    status_page_service_pb2,
    status_page_service_pb2_grpc,
    team_service_pb2,
    team_service_pb2_grpc,
    workflow_service_pb2,
    workflow_service_pb2_grpc,
)
from server.domain.page import Pager
from server.domain.page_session import KEY_PURPOSE as SESSION_KEY_PURPOSE
from server.domain.page_session import PageSessions
from server.domain.partner_token import KEY_PURPOSE, PartnerTokens
from server.issuers.configuration import UnusableIssuers, read_issuers
from server.issuers.trusted_issuers import TrustedIssuers
from server.operations.announce import Announcer
from server.operations.authenticate import Authenticated, WantedRunbook, authenticate
from server.operations.create_channel import ChannelKeys
from server.operations.environment import Environment
from server.operations.follow_execution import ExecutionLogs
from server.operations.limit_requests import RequestRates
from server.operations.record_access import AccessRecord
from server.operations.record_denial import DenialRecord
from server.operations.show_status_page import Reception
from server.operations.team_signals import TeamSignals
from server.operations.watch_run import RunWatches
from server.operations.watch_status_pages import PageWatches
from server.operations.watch_team import TeamWatches
from server.process import derived_key, open_cipher, open_engine, open_redis
from server.rpc.audit_interceptor import AuditInterceptor
from server.rpc.audit_service import AuditService
from server.rpc.authentication_interceptor import AuthenticationInterceptor
from server.rpc.error_interceptor import ErrorInterceptor
from server.rpc.executor_service import ExecutorService
from server.rpc.incident_service import IncidentService
from server.rpc.notification_service import NotificationService
from server.rpc.partner_service import PartnerService
from server.rpc.runbook_service import RunbookService
from server.rpc.secret_service import SecretService
from server.rpc.status_page_service import StatusPageService
from server.rpc.team_service import TeamService
from server.rpc.telemetry_interceptor import TelemetryInterceptor
from server.rpc.workflow_service import WorkflowService
from server.settings import ServerSettings
from server.tls import ServerTls, open_tls

GREATEST_MESSAGE_BYTES = 8 * 1024 * 1024
# Room for the longest signed token and what else a call carries; gRPC's own bound is 8 KiB for all of it.
GREATEST_METADATA_BYTES = 16 * 1024
GRACE_SECONDS = 5.0

OPTIONS = (
    ("grpc.so_reuseport", 0),  # on by default: a second server would share the port without a word
    ("grpc.max_receive_message_length", GREATEST_MESSAGE_BYTES),
    ("grpc.max_metadata_size", GREATEST_METADATA_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
)


@dataclass(slots=True)
class Platform:
    """Everything that one server process holds open."""

    engine: AsyncEngine
    redis: Redis
    broker: AsyncBroker
    announcer: Announcer
    logs: ExecutionLogs
    watches: PageWatches
    signals: TeamSignals
    run_watches: RunWatches
    team_watches: TeamWatches
    server: grpc.aio.Server
    health: health_aio.HealthServicer
    service_names: tuple[str, ...]
    accesses: AccessRecord
    denials: DenialRecord
    issuers: TrustedIssuers | None
    tls: ServerTls | None
    gateway_port: int = 0
    """Where gateways are served, if that is a place of its own."""
    _following: asyncio.Task[None] | None = field(default=None)
    _listening: asyncio.Task[None] | None = field(default=None)
    _signalling: asyncio.Task[None] | None = field(default=None)
    _reloading: asyncio.Task[None] | None = field(default=None)

    async def start(self, listen: str, gateway_listen: str | None = None) -> int:
        """Serves, and answers the port; a RuntimeError where that address cannot be had."""
        if self.tls is None:
            port = self.server.add_insecure_port(listen)
        else:
            port, self.gateway_port = self.tls.add_ports(self.server, listen, gateway_listen)
            self._reloading = asyncio.create_task(self.tls.watch())
        self._following = asyncio.create_task(self.logs.run())
        self._listening = asyncio.create_task(self.watches.run())
        self._signalling = asyncio.create_task(self.signals.run())
        await self.server.start()
        for name in ("", *self.service_names):
            await self.health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return port

    async def failed(self) -> None:
        """Waits until following logs fails, which it must not; raises what ended it."""
        if self._following is not None:
            await asyncio.shield(self._following)

    async def stop(self, grace: float = GRACE_SECONDS) -> None:
        """Says that it stops, ends the streams, lets unary calls finish, and closes what it holds open."""
        await self.health.enter_graceful_shutdown()
        self.logs.stop()
        self.watches.stop()
        self.run_watches.stop()
        self.team_watches.stop()
        await self.server.stop(grace)
        running = (self._following, self._listening, self._signalling, self._reloading)
        await cancel([task for task in running if task is not None])
        await self.announcer.close()
        await self.accesses.close()
        await self.denials.flush()
        if self.issuers is not None:
            await close("issuers", self.issuers.close())
        await close("queue", self.broker.shutdown())
        await close("redis", self.redis.aclose())
        await close("postgresql", self.engine.dispose())


def build(settings: ServerSettings) -> Platform:
    """Joins the parts; nothing is connected before `start`."""
    engine = open_engine(settings)
    redis, broker = open_redis(settings)
    env = Environment(sessions(engine), Pager(derived_key(settings, b"oncall page tokens v1")))
    announcer = Announcer(redis, Doorbell(broker))
    logs = ExecutionLogs(env.sessions, redis)
    cipher = open_cipher(settings)
    issuers = _issuers(settings)
    tls = open_tls(settings)

    async def authenticated(credential: str, peer: str, wanted: WantedRunbook | None) -> Authenticated:
        return await authenticate(env, credential, issuers, peer=peer, wanted=wanted)

    denials = DenialRecord(env)
    interceptors = [
        TelemetryInterceptor(),
        ErrorInterceptor(),
        AuditInterceptor(denials.note),
        AuthenticationInterceptor(authenticated),
    ]
    server = grpc.aio.server(interceptors=interceptors, options=OPTIONS)
    signals = TeamSignals(redis)
    run_watches, team_watches = RunWatches(env.sessions, signals), TeamWatches(env.sessions, signals)
    runbooks = RunbookService(env, cipher, announcer, logs)
    runbook_service_pb2_grpc.add_RunbookServiceServicer_to_server(runbooks, server)
    team_service_pb2_grpc.add_TeamServiceServicer_to_server(TeamService(env, team_watches), server)
    names: tuple[str, ...] = (_name(runbook_service_pb2, "RunbookService"), _name(team_service_pb2, "TeamService"))
    secret_service_pb2_grpc.add_SecretServiceServicer_to_server(SecretService(env, cipher), server)
    names += (_name(secret_service_pb2, "SecretService"),)
    reception = _reception(settings, env, redis)
    watches = PageWatches(env, engine, timedelta(seconds=settings.watch_lease_seconds))
    pages = StatusPageService(env, reception.tokens, watches)
    status_page_service_pb2_grpc.add_StatusPageServiceServicer_to_server(pages, server)
    incident_service_pb2_grpc.add_IncidentServiceServicer_to_server(IncidentService(env, announcer), server)
    names += (_name(incident_service_pb2, "IncidentService"),)
    notifications = NotificationService(env, ChannelKeys(cipher, secrets.token_bytes))
    notification_service_pb2_grpc.add_NotificationServiceServicer_to_server(notifications, server)
    names += (_name(notification_service_pb2, "NotificationService"),)
    partner_service_pb2_grpc.add_PartnerServiceServicer_to_server(PartnerService(reception, watches), server)
    names += (_name(status_page_service_pb2, "StatusPageService"), _name(partner_service_pb2, "PartnerService"))
    audit_service_pb2_grpc.add_AuditServiceServicer_to_server(AuditService(env), server)
    executor_service_pb2_grpc.add_ExecutorServiceServicer_to_server(ExecutorService(env), server)
    names += (_name(audit_service_pb2, "AuditService"), _name(executor_service_pb2, "ExecutorService"))
    workflows = WorkflowService(env, announcer, run_watches)
    workflow_service_pb2_grpc.add_WorkflowServiceServicer_to_server(workflows, server)
    names += (_name(workflow_service_pb2, "WorkflowService"),)
    health = health_aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    reflection.enable_server_reflection((*names, _name(health_pb2, "Health"), reflection.SERVICE_NAME), server)
    accesses = reception.accesses
    return Platform(
        engine=engine,
        redis=redis,
        broker=broker,
        announcer=announcer,
        logs=logs,
        watches=watches,
        signals=signals,
        run_watches=run_watches,
        team_watches=team_watches,
        server=server,
        health=health,
        service_names=names,
        accesses=accesses,
        denials=denials,
        issuers=issuers,
        tls=tls,
    )


def _issuers(settings: ServerSettings) -> TrustedIssuers | None:
    if settings.issuers_file is None:
        return None
    try:
        return TrustedIssuers(read_issuers(settings.issuers_file))
    except UnusableIssuers as error:
        fail(f"cannot start: ONCALL_ISSUERS_FILE: {error}")


def _reception(settings: ServerSettings, env: Environment, redis: Redis) -> Reception:
    tokens = PartnerTokens(derived_key(settings, KEY_PURPOSE), secrets.token_bytes)
    page_sessions = PageSessions(derived_key(settings, SESSION_KEY_PURPOSE))
    rates = RequestRates(redis, settings.bad_credentials_per_minute)
    return Reception(env, tokens, page_sessions, rates, AccessRecord(env))


def _name(module: Any, service: str) -> str:
    name: str = module.DESCRIPTOR.services_by_name[service].full_name
    return name
