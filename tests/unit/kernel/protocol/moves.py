"""All moves that are possible in a world: what executors, sweeps, callers, the network and time may do next.

A move is *fair* where it happens sooner or later in a platform that is let alone: time goes on, messages arrive,
executors are started again, sweeps run. Losses, deaths, pauses and requests to cancel are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from kernel.execution.status import CANCELLED, COMPLETED, FAILED
from tests.unit.kernel.protocol.rows import OUTCOMES, Rules
from tests.unit.kernel.protocol.world import Executor, Held, Message, Mode, Phase, World, outcome_of


class Move(NamedTuple):
    what: str
    fair: bool
    world: World


class Now(Protocol):
    """Makes a move of one executor: what it does, whether that is fair, what it holds then, and in which world."""

    def __call__(self, what: str, fair: bool, after: Held | None, base: World | None = None) -> Move: ...


class Bounds(NamedTuple):
    """What is left out to keep a search small."""

    strays: int = 1
    freezing: bool = True
    dying: bool = True
    cancelling: bool = True
    writing: bool = True


def moves(world: World, rules: Rules, bounds: Bounds) -> Iterator[Move]:
    yield from _platform(world, rules, bounds)
    for index, executor in enumerate(world.executors):
        yield from _faults(world, index, executor, bounds)
        if executor.mode is not Mode.UP:
            continue
        if executor.held is not None:
            yield from _holding(world, rules, bounds, index, executor, executor.held)
        elif executor.claiming is not None:
            yield from _claiming(world, rules, bounds, index, executor, executor.claiming)
        else:
            yield from _idle(world, index, executor)


def _platform(world: World, rules: Rules, bounds: Bounds) -> Iterator[Move]:
    ticked = _tick(world)
    if ticked is not None:
        yield Move("time goes on", True, ticked)
    for index, row in enumerate(world.rows):
        if world.rings[index]:
            yield Move(f"a ring for {index} is lost", False, world.with_ring(index, False))
        elif rules.needs_ring(world.rows, index):
            yield Move(f"the sweep rings for {index}", True, world.with_ring(index, True))
        if (expired := rules.expire(row)) is not None:
            yield Move(f"the sweep ends the attempt of {index} as lost", True, world.with_row(index, expired))
        if bounds.cancelling and (cancelled := rules.cancel(row)) is not None:
            yield Move(f"somebody cancels {index}", False, world.with_row(index, cancelled))
    for number, stray in enumerate(world.strays):
        rest = world._replace(strays=world.strays[:number] + world.strays[number + 1 :])
        yield Move(f"a late {stray.kind} is carried out", True, _carry_out(rest, rules, stray)[0])
        yield Move(f"a late {stray.kind} never arrives", False, rest)


def _tick(world: World) -> World | None:
    """Lets one tick pass; None while somebody who is awake has to kill first."""
    executors = []
    for executor in world.executors:
        held = executor.held
        if held is not None and held.phase is not Phase.OVER:
            if held.patience == 0 and executor.mode is Mode.UP:
                return None
            overslept = held.overslept or held.patience == 0
            held = held._replace(patience=max(0, held.patience - 1), overslept=overslept)
        if held is not None and held.renewal is not None:
            held = held._replace(renewal=_older(held.renewal))
        claiming = executor.claiming and _older(executor.claiming)
        executors.append(executor._replace(held=held, claiming=claiming))
    rows = tuple(row._replace(lease=max(0, row.lease - 1)) for row in world.rows)
    return world._replace(rows=rows, executors=tuple(executors))


def _older(message: Message) -> Message:
    return message._replace(age=min(message.age + 1, Rules.lease))


def _faults(world: World, index: int, executor: Executor, bounds: Bounds) -> Iterator[Move]:
    if bounds.dying and executor.mode is not Mode.DEAD and executor != Executor():
        strays = _stray(world, bounds, executor.claiming, executor.held and executor.held.call)
        yield Move(f"executor {index} dies", False, strays.with_executor(index, Executor(Mode.DEAD)))
    if executor.mode is Mode.DEAD:
        yield Move(f"executor {index} starts again", True, world.with_executor(index, Executor()))
    elif executor.mode is Mode.FROZEN:
        yield Move(f"executor {index} wakes", True, world.with_executor(index, executor._replace(mode=Mode.UP)))
    elif bounds.freezing and executor.held is not None:
        yield Move(
            f"executor {index} is frozen", False, world.with_executor(index, executor._replace(mode=Mode.FROZEN))
        )
    if executor.mode is Mode.FROZEN and executor.held is not None and executor.alive:
        for outcome in (COMPLETED, FAILED):
            over = executor.held._replace(phase=Phase.OVER, outcome=outcome.value)
            said = f"the script of frozen executor {index} ends {outcome}"
            yield Move(said, False, world.with_executor(index, executor._replace(held=over)))


def _stray(world: World, bounds: Bounds, *messages: Message | None) -> World:
    """Leaves on their way what nobody waits for any more and was not carried out yet."""
    unheard = [m._replace(age=0) for m in messages if m is not None and m.answer is None]
    return world._replace(strays=tuple(sorted([*world.strays, *unheard][: bounds.strays])))


def _idle(world: World, index: int, executor: Executor) -> Iterator[Move]:
    for execution, ring in enumerate(world.rings):
        if ring:
            asking = world.with_executor(index, executor._replace(claiming=Message("claim", execution)))
            yield Move(f"executor {index} hears a ring for {execution}", True, asking.with_ring(execution, False))
            yield Move(f"executor {index} hears one of two rings for {execution}", False, asking)


def _claiming(
    world: World, rules: Rules, bounds: Bounds, index: int, executor: Executor, message: Message
) -> Iterator[Move]:
    idle = world.with_executor(index, Executor())
    if message.answer is None:
        done, answered = _carry_out(world, rules, message)
        after = done.with_executor(index, executor._replace(claiming=answered))
        yield Move(f"the claim of executor {index} is carried out", True, after)
        yield Move(f"the claim of executor {index} fails", False, _stray(idle, bounds, message))
        return
    yield Move(f"the answer to the claim of executor {index} is lost", False, idle)
    if not message.answer:
        yield Move(f"executor {index} got nothing", True, idle)
        return
    epoch, sequence = message.answer
    held = Held(message.execution, epoch, max(0, rules.lease - rules.margin - message.age), sequence)
    yield Move(f"executor {index} holds epoch {epoch}", True, world.with_executor(index, Executor(held=held)))


def _holding(world: World, rules: Rules, bounds: Bounds, index: int, executor: Executor, held: Held) -> Iterator[Move]:
    def now(what: str, fair: bool, after: Held | None, base: World | None = None) -> Move:
        known = (base or world).with_executor(index, executor._replace(held=after))
        return Move(f"executor {index} {what}", fair, known)

    if held.phase is Phase.CLAIMED and held.patience > 0:
        starts = list(world.starts)
        starts[held.execution] += 1
        yield now("starts the script", True, held._replace(phase=Phase.ALIVE), world._replace(starts=tuple(starts)))
    if held.phase is not Phase.OVER and held.patience == 0:
        yield now("gives up its lease and kills", True, None, _stray(world, bounds, held.renewal, held.call))
    if held.phase is Phase.ALIVE:
        yield from _script(world, bounds, now, held)
    if held.phase is not Phase.OVER and held.call is None:
        yield from _renewing(world, rules, bounds, now, held)
    yield from _calling(world, rules, bounds, now, held)


def _script(world: World, bounds: Bounds, now: Now, held: Held) -> Iterator[Move]:
    if held.call is None:
        for outcome in (COMPLETED, FAILED):
            over = held._replace(phase=Phase.OVER, outcome=outcome.value, renewal=None)
            yield now(f"sees the script end {outcome}", True, over)
        if held.stop:
            over = held._replace(phase=Phase.OVER, outcome=CANCELLED.value, renewal=None)
            yield now("kills the script, which was cancelled", True, over)
        if bounds.writing and not held.wrote and held.renewal is None:
            call = Message("append", held.execution, held.epoch, held.next_sequence)
            yield now("keeps output", True, held._replace(call=call))
    if not held.stop and world.rows[held.execution].cancel_requested:
        yield now("hears that it should cancel", False, held._replace(stop=True))


def _renewing(world: World, rules: Rules, bounds: Bounds, now: Now, held: Held) -> Iterator[Move]:
    message = held.renewal
    if message is None:
        yield now("asks for a renewal", True, held._replace(renewal=Message("renew", held.execution, held.epoch)))
        return
    quiet = held._replace(renewal=None)
    if message.answer is None:
        done, answered = _carry_out(world, rules, message)
        yield now("has its renewal carried out", True, held._replace(renewal=answered), done)
        yield now("has its renewal fail", False, quiet, _stray(world, bounds, message))
        return
    yield now("never hears of its renewal", False, quiet)
    if not message.answer:
        yield now("hears that the lease is lost, and kills", True, None)
        return
    patience = max(held.patience, rules.lease - rules.margin - message.age)
    stop, overslept = held.stop or bool(message.answer[0]), held.overslept and patience <= 0
    renewed = quiet._replace(patience=patience, stop=stop, overslept=overslept)
    yield now("has renewed", True, renewed)


def _calling(world: World, rules: Rules, bounds: Bounds, now: Now, held: Held) -> Iterator[Move]:
    message = held.call
    if message is None:
        if held.phase is Phase.OVER:
            finish = Message("finish", held.execution, held.epoch, outcome=held.outcome)
            yield now(f"asks to end the attempt as {held.outcome}", True, held._replace(call=finish))
            yield now("has waited too long to record the end", False, None)
        return
    if message.answer is None:
        done, answered = _carry_out(world, rules, message)
        yield now(f"has its {message.kind} carried out", True, held._replace(call=answered), done)
        again = held._replace(call=None)
        yield now(f"has its {message.kind} fail", False, again, _stray(world, bounds, message))
        return
    yield now(f"never hears of its {message.kind}", False, held._replace(call=None))
    if message.kind == "finish" or not message.answer:
        yield now(f"hears the end of its {message.kind}", True, None)
    else:
        heard = held._replace(call=None, wrote=True, next_sequence=held.next_sequence + 1)
        yield now("has kept output", True, heard)


def _carry_out(world: World, rules: Rules, message: Message) -> tuple[World, Message]:
    """Does in PostgreSQL what a message asks; answers the message with its answer."""
    index = message.execution
    row, answer = world.rows[index], ()
    after = None
    match message.kind:
        case "claim":
            after = rules.claim(row) if rules.is_turn(world.rows, index) else None
            answer = (after.epoch, len(after.log) + 1) if after else ()
        case "renew":
            after = rules.renew(row, message.epoch)
            answer = (row.cancel_requested,) if after else ()
        case "append":
            appended = rules.append(row, message.epoch, message.sequence)
            after = appended and appended.row
            answer = (appended.kept,) if appended else ()
        case "finish":
            after = rules.finish(row, message.epoch, OUTCOMES[outcome_of(message)])
            answer = (True,) if after else ()
    return world.with_row(index, after or row), message._replace(answer=answer)
