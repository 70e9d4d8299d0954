"""Asks again and again what somebody may in a team, for streams that last longer than a call is old."""

from __future__ import annotations

import time
from uuid import UUID

from kernel.database import Sessions
from server.domain.permission import Call, Role, not_found
from server.storage import teams, users

CHECK_SECONDS = 5.0
"""How old what is known of somebody's role may be."""


class PresentRole:
    """The role of a caller in a team; ask before everything that is shown, and at least every `CHECK_SECONDS`."""

    def __init__(self, sessions: Sessions, call: Call, team_id: UUID, what: str) -> None:
        """`what` is what the caller is shown, for whoever may see it no more."""
        self._sessions = sessions
        self._user_id = call.caller.user_id
        self._team_id = team_id
        self._what = what
        self._role: Role | None = None
        self._checked = 0.0

    async def now(self) -> Role:
        """Answers the role, read again where it is not fresh; NotFound for whoever has none any more."""
        if self._role is None or time.monotonic() >= self._checked + CHECK_SECONDS:
            self._checked = time.monotonic()
            self._role = await self._read()
        if self._role is None:
            raise not_found(self._what)
        return self._role

    async def _read(self) -> Role | None:
        """Answers the role as it is stored; a platform admin's is TEAM_ADMIN everywhere."""
        async with self._sessions() as session:
            user = await users.find(session, self._user_id)
            if user is not None and user.is_platform_admin:
                return Role.TEAM_ADMIN
            found = await teams.memberships_of(session, self._user_id)
        return next((membership.role for membership in found if membership.team_id == self._team_id), None)
