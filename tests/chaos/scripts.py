"""The scripts of the load, and what each must have written: known to the byte, so that any loss or doubling shows."""

from __future__ import annotations

import random
from enum import Enum
from typing import TYPE_CHECKING, Any

from kernel.execution.content import (
    NetworkPolicy,
    ParameterDefinition,
    ParameterType,
    ScriptLanguage,
    VersionContent,
)

if TYPE_CHECKING:
    from tests.chaos.plan import Order

FAILED = 7
"""The exit code of an attempt that is to fail."""

# What says of a `sleep` that is terminated before its shell is, that it was, is not the script: nobody hears it.
_MARK = """\
printf '%s %s %s' "$ONCALL_EXECUTION_ID" "$ONCALL_ATTEMPT" "$SRANDOM$SRANDOM" > "/dev/udp/127.0.0.1/$PARAM_PORT"
for step in 1 2 3 4 5; do
  echo "execution $PARAM_NUMBER, attempt $ONCALL_ATTEMPT, step $step"
  { sleep "$PARAM_PAUSE"; } 2> /dev/null
done
[ "$ONCALL_ATTEMPT" -gt "$PARAM_FAILURES" ] || exit 7
"""

_OUTPUT = """\
import os, random, sys, time
value = {name: os.environ["PARAM_" + name.upper()] for name in ("number", "size", "pause", "failures")}
attempt = int(os.environ["ONCALL_ATTEMPT"])
dice = random.Random(int(value["number"]) * 10 + attempt)
data = dice.randbytes(int(value["size"]))
step = max(1, len(data) // 5 + 1)
for start in range(0, 5 * step, step):
    sys.stdout.buffer.write(data[start : start + step])
    sys.stdout.buffer.flush()
    sys.stderr.write(f"{start}\\n")
    time.sleep(float(value["pause"]))
sys.exit(0 if attempt > int(value["failures"]) else 7)
"""

# No shell stays: it would sometimes say on stderr that its `sleep` was terminated, before it is so itself.
_ENDLESS = "echo begun; exec sleep 1000\n"


class Kind(Enum):
    """What an execution does."""

    MARK = "leaves a mark outside"
    OUTPUT = "writes up to 300 KB"
    ENDLESS = "runs into its time limit"


def content_of(kind: Kind, max_retries: int) -> VersionContent:
    """Answers what runs; all orders of one kind and as many retries share a runbook."""
    script, language = {
        Kind.MARK: (_MARK, ScriptLanguage.BASH),
        Kind.OUTPUT: (_OUTPUT, ScriptLanguage.PYTHON),
        Kind.ENDLESS: (_ENDLESS, ScriptLanguage.BASH),
    }[kind]
    return VersionContent(
        script,
        language,
        parameters=(
            *(ParameterDefinition(name, ParameterType.INTEGER) for name in ("number", "port", "failures", "size")),
            ParameterDefinition("pause", ParameterType.NUMBER),
        ),
        timeout_seconds=1 if kind is Kind.ENDLESS else 60,
        max_retries=max_retries,
        network=NetworkPolicy.HOST if kind is Kind.MARK else NetworkPolicy.NONE,
    )


def parameters_of(order: Order, port: int) -> dict[str, Any]:
    return {
        "number": order.number,
        "port": port,
        "failures": order.failures,
        "size": order.size,
        "pause": order.seconds / 5,
    }


def exit_code_of(order: Order, attempt: int) -> int | None:
    """Answers how an attempt that nobody disturbs ends; None where its time limit ends it."""
    if order.kind is Kind.ENDLESS:
        return None
    return 0 if attempt > order.failures else FAILED


def output_of(order: Order, attempt: int) -> tuple[bytes, bytes]:
    """Answers all that an attempt writes to stdout and to stderr, if nobody disturbs it."""
    if order.kind is Kind.ENDLESS:
        return b"begun\n", b""
    if order.kind is Kind.MARK:
        lines = [f"execution {order.number}, attempt {attempt}, step {step}\n" for step in range(1, 6)]
        return "".join(lines).encode(), b""
    data = random.Random(order.number * 10 + attempt).randbytes(order.size)  # noqa: S311 - as the script
    step = max(1, len(data) // 5 + 1)
    return data, "".join(f"{start}\n" for start in range(0, 5 * step, step)).encode()
