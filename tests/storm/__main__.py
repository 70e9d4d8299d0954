"""`python -m tests.storm`: the long form, with progress on the terminal; exit code 1 where something was violated."""

from __future__ import annotations

import argparse
import dataclasses
import secrets
from pathlib import Path

from rich.console import Console

from tests.reporting import as_json
from tests.storm.campaign import run
from tests.storm.plan import LONG, SHORT
from tests.storm.report import show


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    parser.add_argument("--requests", type=int, help=f"at least so many (default: {LONG.requests})")
    parser.add_argument("--changes", type=int, help=f"at least so many (default: {LONG.changes})")
    parser.add_argument("--blows", type=int, help=f"kills, cuts and freezes (default: {LONG.blows})")
    parser.add_argument("--seed", type=int, help="what a run before has printed, for the same order of things")
    parser.add_argument("--short", action="store_true", help="as in the suite")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the summary there, too")
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="put the logs of all processes there")
    arguments = parser.parse_args()
    given = {name: getattr(arguments, name) for name in ("requests", "changes", "blows")}
    size = dataclasses.replace(
        SHORT if arguments.short else LONG, **{name: value for name, value in given.items() if value is not None}
    )
    seed = secrets.randbelow(10**9) if arguments.seed is None else arguments.seed
    console = Console()
    console.print(f"seed {seed}; {size.requests} requests, {size.changes} changes, {size.blows} blows")
    outcome = run(size, seed, lambda line: console.print(line, style="dim", highlight=False), arguments.logs)
    show(outcome, console)
    if arguments.json:
        arguments.json.write_text(as_json(outcome) + "\n")
    return 1 if outcome.violated else 0


if __name__ == "__main__":
    raise SystemExit(main())
