"""A team whose things valid requests are made of."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from tests.builders import Person, TeamWithPeople
from tests.rpc.conftest import RunningServer
from tests.status_pages import StatusPageDesk

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class World:
    """A team whose things are asked for; `caller` is who asks, for what is one's own."""

    server: RunningServer
    team: TeamWithPeople
    desk: StatusPageDesk
    caller: Person

    @property
    def team_id(self) -> str:
        return str(self.team.id)


def new_name(kind: str) -> str:
    return f"{kind}-asked-for-{next(_numbers)}"  # never a name that `tests.builders` gives
