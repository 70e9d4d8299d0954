"""Streams what goes on in a team to whoever may see it, for as long as they may."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from uuid import UUID

from kernel.database import Sessions
from kernel.errors import Unavailable
from kernel.team_stream import Thing
from server.domain.permission import Call, Role, not_found
from server.domain.violation import require_uuid
from server.operations.administer_teams import load_team
from server.operations.environment import Environment
from server.operations.team_feed import Audience, Seen, TeamFeed
from server.operations.team_signals import TeamSignals
from server.storage import teams, users

CHECK_SECONDS = 5.0
"""How often a watcher's role is looked at again."""


class TeamWatches:
    """The teams that are watched in this process."""

    def __init__(self, sessions: Sessions, signals: TeamSignals) -> None:
        self._sessions = sessions
        self._signals = signals
        self._feeds: dict[UUID, tuple[TeamFeed, asyncio.Task[None]]] = {}
        self._stopping = False

    @property
    def followed(self) -> int:
        """How many teams are being watched."""
        return len(self._feeds)

    def stop(self) -> None:
        """Ends every stream, now and from now on."""
        self._stopping = True
        for feed, _ in self._feeds.values():
            for audience in feed.audiences:
                audience.wake()

    async def watch(self, call: Call, team_id: UUID) -> AsyncGenerator[Seen | None, None]:
        """Yields what has not ended, None once that is told, and then what changes; Unavailable when the server stops.

        NotFound once the caller is no longer in the team.
        """
        audience = Audience()
        role, checked = await self._role(call, team_id), time.monotonic()
        feed = self._enter(team_id, audience)
        try:
            while True:
                await audience.wait(CHECK_SECONDS)
                if time.monotonic() >= checked + CHECK_SECONDS:
                    role, checked = await self._role(call, team_id), time.monotonic()
                for key in list(audience.untold):
                    seen = audience.untold.pop(key)
                    self._refuse_if_stopping()
                    if key[0] is not Thing.INCIDENT or role >= Role.RESPONDER:
                        yield seen
                self._refuse_if_stopping()
                if audience.caught_up and not audience.told_so:
                    audience.told_so = True
                    yield None
        finally:
            self._leave(team_id, feed, audience)

    async def _role(self, call: Call, team_id: UUID) -> Role:
        """Answers the caller's role as it is now; a platform admin's is TEAM_ADMIN everywhere."""
        async with self._sessions() as session:
            user = await users.find(session, call.caller.user_id)
            if user is not None and user.is_platform_admin:
                return Role.TEAM_ADMIN
            for membership in await teams.memberships_of(session, call.caller.user_id):
                if membership.team_id == team_id:
                    return membership.role
        raise not_found("team")

    def _enter(self, team_id: UUID, audience: Audience) -> TeamFeed:
        if team_id in self._feeds:
            feed, _ = self._feeds[team_id]
        else:
            feed = TeamFeed(self._sessions, self._signals, team_id)
            self._feeds[team_id] = feed, asyncio.create_task(feed.run())
        feed.join(audience)
        return feed

    def _leave(self, team_id: UUID, feed: TeamFeed, audience: Audience) -> None:
        feed.audiences.discard(audience)
        if not feed.audiences:
            _, task = self._feeds.pop(team_id)
            task.cancel()

    def _refuse_if_stopping(self) -> None:
        if self._stopping:
            raise Unavailable("the server is stopping; watch again", reason="SERVER_STOPPING")


async def open_team(env: Environment, call: Call, team_id: str) -> UUID:
    """Answers the team, if the caller may watch it."""
    wanted = require_uuid("team_id", team_id)
    async with env.sessions() as session:
        return (await load_team(session, call, wanted)).id
