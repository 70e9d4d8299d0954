"""`oncall workflow apply`: makes the server's workflows be as files say."""

from __future__ import annotations

from typing import Any

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
from cli.as_code.workflow.carry_out import carry_out, check
from cli.as_code.workflow.checking import WORKFLOWS
from cli.as_code.workflow.manifest import read_manifests
from cli.as_code.workflow.plan import Step, make_plan
from cli.confirmation import Yes
from cli.connection import connected
from cli.lookup import TeamOption
from cli.output import Json, note


def apply(
    places: Places, team: TeamOption = "", dry_run: DryRun = False, yes: Yes = False, as_json: Json = False
) -> None:
    """Make the server's workflows be as files say: create what is missing, update what differs.

    All files are read and checked before anything is done, then the differences are shown. A workflow that is as its
    file says is left alone, so applying twice is applying once. Workflows without a file are left alone, too, and so is
    one that somebody disabled, unless its file says `enabled: true`. What is changed holds for runs that start from
    then on. Runbooks and channels are named as the team names them; runbooks have to be approved. With --dry-run the
    server checks everything, templates and parameters too, and stores nothing.

    \b
      oncall workflow apply workflows/ --dry-run
      oncall workflow apply workflows/ --yes

    \b
    Exit codes:
      0    the server is as the files say (with --dry-run: it would take what would change)
      1    the server refused something (with --dry-run: it would); the rest was done
      2    a file or the command line is wrong, or nobody could be asked; nothing was done
      3    the server cannot be reached
    """
    with refusing_unusable():
        manifests = read_manifests(places)
        with connected() as server:
            steps = make_plan(server, manifests, team)
            outcomes = carry_out_all(
                server, WORKFLOWS.noun, steps, carry_out, dry_run=dry_run, yes=yes, quiet=as_json, check=check
            )
    if as_json:
        print_outcomes(WORKFLOWS.noun, steps, outcomes, _details, dry_run=dry_run)
    elif any(outcome.error for outcome in outcomes):
        note("it could not all be done" if dry_run else "not everything was done; the same command does what is left")
    if worst(outcomes):
        raise typer.Exit(worst(outcomes))


def _details(step: Step, outcome: Outcome[Step] | None) -> dict[str, Any]:
    before = step.before
    return {
        "team_id": step.wanted.team_id,
        "workflow_id": outcome.id if outcome else (before.id if before else ""),
        "version": outcome.version if outcome else (before.version if before else 0),
    }
