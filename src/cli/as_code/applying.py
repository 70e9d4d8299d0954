"""How an apply goes: what would change is shown, somebody is asked, and each thing is done by itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Generic, Protocol, TypeVar

import typer
from grpc import StatusCode

from cli.as_code.files import Described
from cli.as_code.problem import Path as Place
from cli.as_code.problem import Unusable
from cli.as_code.show import print_diff, summary
from cli.as_code.yaml_reading import Document
from cli.connection import Server
from cli.failure import UNREACHABLE, USAGE, describe, fail
from cli.output import note, print_json
from cli.visible import visible
from oncall.errors import OncallError

Places = Annotated[
    list[Path],
    typer.Argument(metavar="FILE|FOLDER…", help="YAML files, and folders of them with all folders below."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")]


class Step(Protocol):
    """What one thing needs for the server to be as its file says."""

    @property
    def manifest(self) -> Described: ...
    @property
    def is_new(self) -> bool:
        """Whether the server has no such thing yet."""

    @property
    def changes(self) -> list[str]:
        """What is to be done, in the order in which it is; nothing where all is as it should be."""

    @property
    def remark(self) -> str:
        """What whoever applies should know though nothing changes."""

    @property
    def diff(self) -> str: ...


AnyStep = TypeVar("AnyStep", bound=Step)


@dataclass(slots=True)
class Outcome(Generic[AnyStep]):
    """How far a step came: what was done of its changes, and what went wrong then."""

    step: AnyStep
    done: list[str] = field(default_factory=list)
    id: str = ""
    version: int = 0
    error: str = ""
    code: int = 0


@contextmanager
def refusing_unusable() -> Iterator[None]:
    """Ends the command where files cannot be applied, with everything that is wrong with them."""
    try:
        yield
    except Unusable as error:
        fail("\n".join(map(str, error.problems)), USAGE)


def carry_out_all(
    server: Server,
    noun: str,
    steps: Sequence[AnyStep],
    carry_out: Callable[[Server, AnyStep], Outcome[AnyStep]],
    *,
    dry_run: bool,
    yes: bool,
    quiet: bool,
    check: Callable[[Server, AnyStep], Outcome[AnyStep]] | None = None,
) -> list[Outcome[AnyStep]]:
    """Shows all steps and does those that change something; what is refused for one does not hold up the others.

    A dry run has the server `check` them instead, where it can.
    """
    pending = [step for step in steps if step.changes]
    if not quiet:
        _show(steps, noun)
    do = check if dry_run else carry_out
    if not pending or do is None:
        return []
    if not (yes or dry_run):
        _ask(len(pending), noun)
    outcomes: list[Outcome[AnyStep]] = []
    for step in pending:
        outcomes.append(do(server, step))
        if not _tell(outcomes[-1], quiet=quiet):
            break
    return outcomes


def print_outcomes(
    noun: str,
    steps: Sequence[AnyStep],
    outcomes: Sequence[Outcome[AnyStep]],
    details: Callable[[AnyStep, Outcome[AnyStep] | None], dict[str, Any]],
    *,
    dry_run: bool,
) -> None:
    """Prints all that was found and done as JSON; `details` answers what only this kind of thing has."""
    by_step = {id(outcome.step): outcome for outcome in outcomes}
    items = [_as_json(step, by_step.get(id(step))) | details(step, by_step.get(id(step))) for step in steps]
    print_json({"dry_run": dry_run, f"{noun}s": items})


def worst(outcomes: Sequence[Outcome[AnyStep]]) -> int:
    """Answers the exit code of all: a server that went away tells more than what it refused before."""
    codes = {outcome.code for outcome in outcomes}
    return UNREACHABLE if UNREACHABLE in codes else max(codes, default=0)


def explain(document: Document, error: OncallError, address: str, place: Callable[[str], Place]) -> str:
    """Answers why something was refused, bad fields with their lines in the file, which `place` finds."""
    if error.code is not StatusCode.INVALID_ARGUMENT or not error.violations:
        return describe(error, address)
    problems = [document.problem(place(bad.field), bad.description) for bad in error.violations]
    return "the server refused this as wrong:\n" + "\n".join(f"  {problem}" for problem in problems)


def _show(steps: Sequence[Step], noun: str) -> None:
    for step in steps:
        what = ", ".join(step.changes) or "unchanged"
        remark = f" ({step.remark})" if step.remark else ""
        print(f"{visible(step.manifest.name)} ({visible(step.manifest.document.file)}): {what}{remark}")
        print_diff(step.diff)
    kinds = ["to create" if step.is_new else "to change" if step.changes else "unchanged" for step in steps]
    print(summary(kinds, noun), flush=True)


def _ask(count: int, noun: str) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail("nothing was changed: say --yes, or --dry-run to see only; without a terminal nobody can be asked")
    if not typer.confirm(f"Change {count} {noun}{'s' if count > 1 else ''}?"):
        fail("nothing was changed", USAGE)


def _tell(outcome: Outcome[AnyStep], *, quiet: bool) -> bool:
    """Says how far a step came; False where the server is gone."""
    name = visible(outcome.step.manifest.name)
    if outcome.error:
        note(f"oncall: {name} ({visible(outcome.step.manifest.document.file)}): {outcome.error}")
    if outcome.done and not quiet:
        print(f"{name}: {', '.join(outcome.done)}: version {outcome.version}", flush=True)
    if outcome.code == UNREACHABLE:
        note("oncall: the rest was not tried; the same command does so")
        return False
    return True


def _as_json(step: Step, outcome: Outcome[Any] | None) -> dict[str, Any]:
    return {
        "file": step.manifest.document.file,
        "line": step.manifest.document.line,
        "name": step.manifest.name,
        "changes": step.changes,
        "done": outcome.done if outcome else [],
        "remark": step.remark,
        "diff": step.diff,
        "error": outcome.error if outcome else "",
    }
