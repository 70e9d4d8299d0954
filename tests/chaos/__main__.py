"""`python -m tests.chaos`: the long form, with progress on the terminal; exit code 1 where something was violated."""

from __future__ import annotations

import argparse
import dataclasses
import secrets
from pathlib import Path

from rich.console import Console

from tests.chaos.campaign import run
from tests.chaos.plan import LONG, PROCESSES, SHORT
from tests.chaos.report import show
from tests.reporting import as_json


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--executions", type=int, help=f"how many are asked for (default: {LONG.executions})")
    parser.add_argument("--kills", type=int, help=f"at least {len(PROCESSES)}, one of each (default: {LONG.kills})")
    parser.add_argument("--freezes", type=int, help=f"executors frozen past their lease (default: {LONG.freezes})")
    parser.add_argument("--seed", type=int, help="what a run before has printed, for the same once more")
    parser.add_argument("--short", action="store_true", help="as in the suite")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the summary there, too")
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="put the logs of all processes there")
    arguments = parser.parse_args()
    if arguments.kills is not None and arguments.kills < len(PROCESSES):
        parser.error(f"--kills: at least {len(PROCESSES)}, one of each process")
    given = {name: getattr(arguments, name) for name in ("executions", "kills", "freezes")}
    size = dataclasses.replace(
        SHORT if arguments.short else LONG, **{name: value for name, value in given.items() if value is not None}
    )
    seed = secrets.randbelow(10**9) if arguments.seed is None else arguments.seed
    console = Console()
    console.print(f"seed {seed}; {size.executions} executions, {size.kills} kills, {size.freezes} freezes")
    outcome = run(size, seed, lambda line: console.print(line, style="dim", highlight=False), arguments.logs)
    show(outcome, console)
    if arguments.json:
        arguments.json.write_text(as_json(outcome) + "\n")
    return 1 if outcome.violations else 0


if __name__ == "__main__":
    raise SystemExit(main())
