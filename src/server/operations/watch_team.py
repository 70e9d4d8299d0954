"""Streams what goes on in a team to whoever may see it, for as long as they may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from uuid import UUID

from kernel.database import Sessions
from kernel.errors import Unavailable
from kernel.team_stream import Thing
from server.domain.permission import Call, Role
from server.domain.violation import require_uuid
from server.operations import present_role
from server.operations.administer_teams import load_team
from server.operations.environment import Environment
from server.operations.present_role import PresentRole
from server.operations.team_feed import Audience, Seen, TeamFeed
from server.operations.team_signals import TeamSignals


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
        audience, role = Audience(), PresentRole(self._sessions, call, team_id, "team")
        await role.now()
        feed = self._enter(team_id, audience)
        try:
            while True:
                await audience.wait(present_role.CHECK_SECONDS)
                await role.now()
                for key in list(audience.untold):
                    self._refuse(audience)
                    present = await role.now()  # each time: how long a slow one took to read the last is its own choice
                    seen = audience.untold.pop(key, None)
                    if seen is not None and (key[0] is not Thing.INCIDENT or present >= Role.RESPONDER):
                        yield seen
                self._refuse(audience)
                if audience.caught_up and not audience.told_so:
                    audience.told_so = True
                    yield None
        finally:
            self._leave(team_id, feed, audience)

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

    def _refuse(self, audience: Audience) -> None:
        if self._stopping:
            raise Unavailable("the server is stopping; watch again", reason="SERVER_STOPPING")
        if audience.behind:
            raise Unavailable("more has changed than was read; watch again", reason="READ_TOO_SLOWLY")


async def open_team(env: Environment, call: Call, team_id: str) -> UUID:
    """Answers the team, if the caller may watch it."""
    wanted = require_uuid("team_id", team_id)
    async with env.sessions() as session:
        return (await load_team(session, call, wanted)).id
