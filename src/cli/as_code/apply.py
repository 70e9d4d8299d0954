"""`oncall runbook apply`: makes the server's runbooks be as files say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.as_code.carry_out import Outcome, carry_out, worst
from cli.as_code.manifest import read_manifests
from cli.as_code.plan import Step, make_plan
from cli.as_code.problem import Unusable
from cli.as_code.show import print_diff, summary
from cli.connection import Server, connected
from cli.failure import UNREACHABLE, USAGE, fail
from cli.lookup import TeamOption
from cli.output import Json, note, print_json
from cli.visible import visible


def apply(
    places: Annotated[
        list[Path],
        typer.Argument(metavar="FILE|FOLDER…", help="YAML files, and folders of them with all folders below."),
    ],
    team: TeamOption = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    submit: Annotated[bool, typer.Option("--submit", help="Submit what is a draft for review, too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Make the server's runbooks be as files say: create, update, add versions where what runs differs.

    All files are read and checked before anything is done, then the differences are shown. A runbook that is as its
    file says is left alone, so applying twice is applying once, and a second apply finishes one that was interrupted.
    Runbooks without a file are left alone, too. Nothing runs until somebody else has approved it.

    \b
      oncall runbook apply runbooks/ --dry-run
      oncall runbook apply runbooks/ --yes --submit

    \b
    Exit codes:
      0    the server is as the files say (with --dry-run: it could be told what would change)
      1    the server refused something; the rest was done
      2    a file or the command line is wrong, or nobody could be asked; nothing was done
      3    the server cannot be reached
    """
    try:
        manifests = read_manifests(places)
        with connected() as server:
            steps = make_plan(server, manifests, team, submit=submit)
            pending = [step for step in steps if step.changes]
            if not as_json:
                _show(steps)
            if pending and not dry_run and not yes:
                _ask(len(pending))
            outcomes = [] if dry_run else _carry_out(server, pending, quiet=as_json)
    except Unusable as error:
        fail("\n".join(map(str, error.problems)), USAGE)
    if as_json:
        print_json({"dry_run": dry_run, "runbooks": [_as_json(step, outcomes) for step in steps]})
    elif pending and not dry_run:
        note(_next(outcomes))
    if worst(outcomes):
        raise typer.Exit(worst(outcomes))


def _show(steps: list[Step]) -> None:
    for step in steps:
        what = ", ".join(step.changes) or "unchanged"
        remark = f" ({step.remark})" if step.remark else ""
        print(f"{visible(step.manifest.name)} ({visible(step.manifest.file)}): {what}{remark}")
        print_diff(step.diff)
    print(summary(steps), flush=True)


def _ask(count: int) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail("nothing was changed: say --yes, or --dry-run to see only; without a terminal nobody can be asked")
    if not typer.confirm(f"Change {count} runbook{'s' if count > 1 else ''}?"):
        fail("nothing was changed", USAGE)


def _carry_out(server: Server, steps: list[Step], *, quiet: bool) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for step in steps:
        outcome = carry_out(server, step)
        outcomes.append(outcome)
        if outcome.error:
            note(f"oncall: {step.manifest.name} ({step.manifest.file}): {outcome.error}")
        if outcome.done and not quiet:
            print(f"{step.manifest.name}: {', '.join(outcome.done)}: version {outcome.version}", flush=True)
        if outcome.code == UNREACHABLE:
            note("oncall: the rest was not tried; the same command does what is left")
            break
    return outcomes


def _next(outcomes: list[Outcome]) -> str:
    if any(outcome.error for outcome in outcomes):
        return "not everything was done; the same command does what is left"
    drafts = [o.step.manifest.name for o in outcomes if o.step.new_version and "submitted" not in o.done]
    if drafts:
        return f"next: oncall runbook submit {drafts[0]}, or apply with --submit"
    return "next, somebody else: oncall runbook approve NAME"


def _as_json(step: Step, outcomes: list[Outcome]) -> dict[str, Any]:
    outcome = next((outcome for outcome in outcomes if outcome.step is step), None)
    return {
        "file": step.manifest.file,
        "line": step.manifest.document.line,
        "name": step.manifest.name,
        "team_id": step.team_id,
        "runbook_id": outcome.runbook_id if outcome else (step.runbook.id if step.runbook else ""),
        "digest": step.manifest.digest,
        "changes": step.changes,
        "done": outcome.done if outcome else [],
        "version": outcome.version if outcome else (step.before.version if step.before else 0),
        "remark": step.remark,
        "diff": step.diff,
        "error": outcome.error if outcome else "",
    }
