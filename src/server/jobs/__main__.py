"""Runs the jobs until told to stop."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial

import structlog
import uvloop

from kernel.database import sessions
from kernel.ending import cancel, close
from kernel.queue import Doorbell
from kernel.settings import load, write_ready_file
from kernel.telemetry import configure
from server.domain.page import Pager
from server.domain.retention import Retention
from server.jobs.doorbell import hear
from server.jobs.retention import (
    forget_deliveries,
    forget_ended_sessions,
    forget_expired_watches,
    forget_old_accesses,
    forget_old_statuses,
    forget_old_tokens,
)
from server.jobs.rounds import repeat
from server.jobs.runs import RunMoves
from server.jobs.sweep import end_lost_attempts, forget_executors, ring_again
from server.operations.announce import Announcer
from server.operations.environment import Environment
from server.operations.forget_past_events import forget_past_events
from server.operations.ground import Mover
from server.operations.move_with_time import move_due_maintenances, note_silent_checks
from server.operations.remove_expired import (
    expire_logs,
    forget_request_ids,
    remove_expired_logs,
    remove_old_executions,
    remove_old_runs,
)
from server.operations.seal_audit import seal_audit
from server.operations.send_deliveries import DeliverySender
from server.operations.tell_failures import tell_failures
from server.outbound.opening import open_ways
from server.process import open_cipher, open_engine, open_redis, require_migrated, stop_signal
from server.settings import JobsSettings
from server.storage import deliveries

log = structlog.get_logger()

SWEEP_SECONDS = 1.0
RETENTION_SECONDS = 600.0
GRACE_SECONDS = 5.0


async def main(settings: JobsSettings) -> None:
    stop = stop_signal()
    engine = open_engine(settings)
    await require_migrated(engine)
    redis, broker = open_redis(settings)
    announcer, make_session = Announcer(redis, Doorbell(broker)), sessions(engine)
    cipher, env = open_cipher(settings), Environment(make_session, Pager(b""))
    within = timedelta(minutes=settings.incident_event_minutes) or None
    moves = RunMoves(Mover(env, cipher, announcer, within), redis)
    ways = open_ways(settings)
    sender = DeliverySender(
        env, cipher, ways, announcer.run_waits, seconds=settings.delivery_seconds, limit=settings.delivery_attempts
    )
    retention = Retention.of_days(
        logs=settings.log_retention_days,
        executions=settings.execution_retention_days,
        request_ids=settings.request_id_days,
    )
    write_ready_file(settings.ready_file, {})
    log.info("sweeping")
    jobs = [asyncio.create_task(moves.hear(stop), name="hear_runs")]
    jobs += [
        asyncio.create_task(repeat(name, job, every=SWEEP_SECONDS, stop=stop), name=name)
        for name, job in (
            ("end_lost_attempts", partial(end_lost_attempts, make_session, announcer)),
            ("ring_again", partial(ring_again, make_session, announcer)),
            ("move_due_runs", moves.sweep),
            ("forget_executors", partial(forget_executors, make_session)),
            ("seal_audit", partial(seal_audit, make_session)),
            ("expire_logs", partial(expire_logs, make_session, retention)),
            ("remove_expired_logs", partial(remove_expired_logs, make_session)),
            ("remove_old_executions", partial(remove_old_executions, make_session, retention)),
            ("remove_old_runs", partial(remove_old_runs, make_session, retention)),
            ("forget_request_ids", partial(forget_request_ids, make_session, retention)),
            ("move_due_maintenances", partial(move_due_maintenances, make_session)),
            ("note_silent_checks", partial(note_silent_checks, make_session)),
            ("tell_failures", partial(tell_failures, env)),
        )
    ] + [
        asyncio.create_task(repeat(name, job, every=RETENTION_SECONDS, stop=stop), name=name)
        for name, job in (
            ("forget_old_accesses", partial(forget_old_accesses, make_session)),
            ("forget_expired_watches", partial(forget_expired_watches, make_session)),
            ("forget_ended_sessions", partial(forget_ended_sessions, make_session)),
            ("forget_deliveries", partial(forget_deliveries, make_session, settings.delivery_retention_days)),
            ("forget_past_events", partial(forget_past_events, make_session, settings.incident_retention_days)),
            ("forget_old_statuses", partial(forget_old_statuses, make_session, settings.status_retention_days)),
            (
                "forget_old_tokens",
                partial(forget_old_tokens, make_session, settings.partner_token_retention_days),
            ),
        )
    ]
    jobs += [
        asyncio.create_task(sender.run(stop), name="send_deliveries"),
        asyncio.create_task(hear(engine, deliveries.CHANNEL, sender.wake, stop), name="hear_deliveries"),
    ]
    await stop.wait()
    log.info("stopping")
    _, unfinished = await asyncio.wait(jobs, timeout=GRACE_SECONDS)
    if unfinished:  # what they did not commit, the next start does
        log.warning("jobs_cut_off", jobs=sorted(job.get_name() for job in unfinished))
        await cancel(unfinished)
    await close("ways", ways.close())
    await close("queue", broker.shutdown())
    await close("redis", redis.aclose())
    await close("postgresql", engine.dispose())


if __name__ == "__main__":
    settings = load(JobsSettings)
    configure("jobs", settings.log_format)
    uvloop.run(main(settings))
