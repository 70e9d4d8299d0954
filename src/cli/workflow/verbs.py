"""The verbs of `oncall workflow`, each in a module that is imported when it is called."""

from __future__ import annotations

from typing import ClassVar

import typer

from cli.lazy import LazyGroup, Verb


class _Workflow(LazyGroup):
    verbs: ClassVar = {
        "list": Verb("cli.workflow.read:list_", "List workflows, newest first."),
        "show": Verb("cli.workflow.read:show", "Show what starts a workflow, and its steps."),
        "apply": Verb("cli.as_code.workflow.apply:apply", "Make the server's workflows be as files say."),
        "export": Verb("cli.as_code.workflow.export:export", "Write workflows as files."),
        "schema": Verb("cli.as_code.workflow.schema:schema", "Print the JSON schema of workflow files."),
        "enable": Verb("cli.workflow.change:enable", "Let a workflow start by its trigger."),
        "disable": Verb("cli.workflow.change:disable", "Let a workflow start by its trigger no more."),
        "delete": Verb("cli.workflow.change:delete", "Delete a workflow; its runs stay."),
        "run": Verb("cli.workflow.run:run", "Start a run of a workflow."),
        "runs": Verb("cli.workflow.runs:runs", "List runs, newest first."),
        "status": Verb("cli.workflow.runs:status", "Show where a run stands, step by step."),
        "watch": Verb("cli.workflow.watch:watch", "Show what happens in a run, live, until it has ended."),
        "cancel": Verb("cli.workflow.runs:cancel", "Cancel a run: what runs is cancelled, and nothing more begins."),
        "approve": Verb("cli.workflow.decide:approve", "Say yes to what a run asks."),
        "reject": Verb("cli.workflow.decide:reject", "Say no to what a run asks."),
    }


workflow = typer.Typer(cls=_Workflow, no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@workflow.callback()
def about() -> None:
    """Keep what incidents start, and follow and decide its runs."""
