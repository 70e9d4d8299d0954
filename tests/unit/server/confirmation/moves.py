"""What can happen next. The rules are those of `server.storage.page_watches` and `gateway.keep`; a mutant breaks one.

They are written by hand after the real statements, and must be changed with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.unit.server.confirmation.world import LASTS, LEASE, Fill, Gateway, Phase, Renewal, Row, World


class Move(NamedTuple):
    what: str
    fair: bool
    world: World


class Rules:
    """The steps that must be as they are."""

    locks_the_opening = True
    """A watch opens before a change has looked for watches, or after it is committed (`_OPENING`)."""
    lasts = LASTS
    most_changes = 1
    """The first, and how often it may be told again: 2 takes five times as long to search."""
    named = True
    """Whether the change names whose access ends: a tombstone cuts it, else the floor."""

    def opened(self, gateway: Gateway) -> Gateway:
        """What was kept or asked for before counts for nothing."""
        fill = gateway.fill and gateway.fill._replace(current=False)
        return gateway._replace(stream=True, fed=True, patience=0, kept=-1, fill=fill)

    def hear(self, gateway: Gateway, change: int) -> Gateway:
        return gateway._replace(goes_by=max(gateway.goes_by, change), heard=(*gateway.heard, change))

    def confirmed(self, gateway: Gateway) -> Gateway:
        """What a gateway lets go of once it has confirmed: nothing."""
        return gateway

    def arrived(self, gateway: Gateway, fill: Fill) -> Gateway:
        """An answer is kept where it was asked for under this stream and is not below what the gateway goes by."""
        if not fill.current or fill.version < gateway.goes_by or fill.version < gateway.kept:
            return gateway
        return gateway._replace(kept=fill.version)

    def renew(self, row: Row) -> bool:
        """Never what has ended, nor who owes for longer than a lease."""
        return row.lasts > 0 and not (row.owes and row.owes_for >= LEASE)

    def patience(self, renewal: Renewal) -> int:
        """Counted from before it was sent."""
        return max(0, LEASE - renewal.age)

    def may_answer(self, rows: tuple[Row, ...], change: int) -> bool:
        return not any(row.lasts > 0 and change in row.owes for row in rows)

    def repeat(self, world: World) -> World:
        """Told and waited for again, by all who watch then."""
        return _obliged(world)


def moves(world: World, rules: Rules) -> Iterator[Move]:
    yield Move("time goes on", True, _tick(world))
    yield from _revoking(world, rules)
    for index, gateway in enumerate(world.gateways):
        yield from _streaming(world, rules, index, gateway)
        yield from _filling(world, rules, index, gateway)
        yield from _renewing(world, rules, index, gateway)


def _tick(world: World) -> World:
    gateways = []
    for gateway in world.gateways:
        renewal = gateway.renewal and gateway.renewal._replace(age=min(gateway.renewal.age + 1, LEASE))
        patience = max(0, gateway.patience - 1)
        gateways.append(gateway._replace(row=_older(gateway.row), patience=patience, renewal=renewal))
    rows = tuple(row for row in map(_older, world.ended) if row.lasts)
    return world._replace(gateways=tuple(gateways), ended=rows)


def _older(row: Row) -> Row:
    if row.lasts <= 1:
        return Row()  # whoever has ended is asked for nothing any more
    return row._replace(lasts=row.lasts - 1, owes_for=min(row.owes_for + 1, LEASE) if row.owes else 0)


def _revoking(world: World, rules: Rules) -> Iterator[Move]:
    match world.phase:
        case Phase.IDLE:
            yield Move("somebody takes something away", True, _obliged(world))
        case Phase.OBLIGING:
            change = world.version + 1
            told = tuple(g._replace(told=(*g.told, change)) if g.fed else g for g in world.gateways)
            committed = world._replace(gateways=told, phase=Phase.WAITING, version=change)
            yield Move(f"change {change} is committed", True, committed)
        case Phase.WAITING:
            if rules.may_answer(world.rows, world.version):
                yield Move("the change is acknowledged", True, world._replace(phase=Phase.ANSWERED))
            if world.version < rules.most_changes:
                yield Move("the server that waits dies", False, world._replace(phase=Phase.UNHEARD))
        case Phase.UNHEARD:
            yield Move("the call is repeated", True, rules.repeat(world))


def _obliged(world: World) -> World:
    """Every watch that there is owes the change that is to come."""
    change = world.version + 1
    gateways = tuple(gateway._replace(row=_owing(gateway.row, change)) for gateway in world.gateways)
    ended = tuple(_owing(row, change) for row in world.ended)
    return world._replace(gateways=gateways, ended=ended, phase=Phase.OBLIGING)


def _owing(row: Row, change: int) -> Row:
    return row._replace(owes=(*row.owes, change)) if row.lasts else row


def _streaming(world: World, rules: Rules, index: int, gateway: Gateway) -> Iterator[Move]:
    if not gateway.fed:
        yield Move(f"gateway {index} asks to watch", True, world.with_gateway(index, gateway._replace(fed=True)))
        return
    if not gateway.stream and not (rules.locks_the_opening and world.phase is Phase.OBLIGING):
        opened = rules.opened(gateway)._replace(row=Row(rules.lasts))
        yield Move(f"the watch of gateway {index} opens", True, world.with_gateway(index, opened))
    if gateway.stream and gateway.told:
        heard = rules.hear(gateway, gateway.told[0])._replace(told=gateway.told[1:])
        yield Move(f"gateway {index} hears of change {gateway.told[0]}", True, world.with_gateway(index, heard))
    lost = gateway._replace(stream=False, fed=False, row=Row(), told=(), heard=(), patience=0, renewal=None)
    left = (*world.ended, gateway.row) if gateway.row.lasts else world.ended
    if len(left) <= 1:
        gone = world._replace(ended=left).with_gateway(index, lost)
        yield Move(f"the stream of gateway {index} is lost", False, gone)


def _filling(world: World, rules: Rules, index: int, gateway: Gateway) -> Iterator[Move]:
    fill = gateway.fill
    if fill is None:
        asked = gateway._replace(fill=Fill(current=gateway.stream))
        yield Move(f"gateway {index} asks for the page", True, world.with_gateway(index, asked))
    elif fill.version < 0:
        read = gateway._replace(fill=fill._replace(version=world.version))
        yield Move(f"the server reads for gateway {index}", True, world.with_gateway(index, read))
    else:
        refused = rules.named and fill.version > 0
        without = gateway._replace(fill=None)
        arrived = without._replace(kept=-1) if refused else rules.arrived(without, fill)
        yield Move(f"the answer reaches gateway {index}", True, world.with_gateway(index, arrived))


def _renewing(world: World, rules: Rules, index: int, gateway: Gateway) -> Iterator[Move]:
    renewal = gateway.renewal
    if not gateway.stream:
        return
    if renewal is None:
        sent = gateway._replace(renewal=Renewal(confirms=gateway.heard))
        said = f" and confirms {', '.join(map(str, gateway.heard))}" if gateway.heard else ""
        yield Move(f"gateway {index} renews{said}", True, world.with_gateway(index, sent))
    elif renewal.answer is None:
        owes = tuple(change for change in gateway.row.owes if change not in renewal.confirms)
        row = gateway.row._replace(owes=owes, owes_for=gateway.row.owes_for if owes else 0)
        renewed = rules.renew(row)
        row = row._replace(lasts=rules.lasts) if renewed else row
        done = gateway._replace(row=row, renewal=renewal._replace(answer=renewed))
        yield Move(f"the renewal of gateway {index} is carried out", True, world.with_gateway(index, done))
        yield Move(f"the renewal of gateway {index} is lost", False, world.with_gateway(index, _quiet(gateway)))
    elif renewal.answer:
        heard = tuple(change for change in gateway.heard if change not in renewal.confirms)
        patience = max(gateway.patience, rules.patience(renewal))
        renewed_gateway = _quiet(gateway)._replace(heard=heard, patience=patience)
        after = rules.confirmed(renewed_gateway) if renewal.confirms else renewed_gateway
        yield Move(f"gateway {index} has renewed", True, world.with_gateway(index, after))
        yield Move(f"gateway {index} never hears of its renewal", False, world.with_gateway(index, _quiet(gateway)))


def _quiet(gateway: Gateway) -> Gateway:
    return gateway._replace(renewal=None)
