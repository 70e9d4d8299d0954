"""`oncall runbook apply`: makes the server's runbooks be as files say."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.as_code.applying import (
    DryRun,
    Outcome,
    Places,
    carry_out_all,
    print_outcomes,
    refusing_unusable,
    worst,
)
from cli.as_code.runbook.carry_out import carry_out
from cli.as_code.runbook.checking import RUNBOOKS
from cli.as_code.runbook.manifest import read_manifests
from cli.as_code.runbook.plan import Step, make_plan
from cli.confirmation import Yes
from cli.connection import connected
from cli.lookup import TeamOption
from cli.output import Json, note


def apply(
    places: Places,
    team: TeamOption = "",
    dry_run: DryRun = False,
    submit: Annotated[bool, typer.Option("--submit", help="Submit what is a draft for review, too.")] = False,
    yes: Yes = False,
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
    with refusing_unusable():
        manifests = read_manifests(places)
        with connected() as server:
            steps = make_plan(server, manifests, team, submit=submit)
            outcomes = carry_out_all(server, RUNBOOKS.noun, steps, carry_out, dry_run=dry_run, yes=yes, quiet=as_json)
    if as_json:
        print_outcomes(RUNBOOKS.noun, steps, outcomes, _details, dry_run=dry_run)
    elif outcomes:
        note(_next(outcomes))
    if worst(outcomes):
        raise typer.Exit(worst(outcomes))


def _next(outcomes: list[Outcome[Step]]) -> str:
    if any(outcome.error for outcome in outcomes):
        return "not everything was done; the same command does what is left"
    drafts = [o.step.manifest.name for o in outcomes if o.step.new_version and "submitted" not in o.done]
    if drafts:
        return f"next: oncall runbook submit {drafts[0]}, or apply with --submit"
    return "next, somebody else: oncall runbook approve NAME"


def _details(step: Step, outcome: Outcome[Step] | None) -> dict[str, Any]:
    return {
        "team_id": step.team_id,
        "runbook_id": outcome.id if outcome else (step.runbook.id if step.runbook else ""),
        "digest": step.manifest.digest,
        "version": outcome.version if outcome else (step.before.version if step.before else 0),
    }
