"""Shows the events of an execution: the script's bytes where they belong, everything else on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import BinaryIO, Protocol

from google.protobuf.message import Message

from cli.escape_filter import EscapeFilter
from cli.output import enum_name, json_line, note
from cli.visible import visible
from oncall.errors import OncallError
from oncall.v1.execution_pb2 import (
    EXECUTION_STATUS_CANCELLED,
    EXECUTION_STATUS_COMPLETED,
    EXECUTION_STATUS_PENDING,
    EXECUTION_STATUS_RUNNING,
    EXECUTION_STATUS_TIMEOUT,
    OUTPUT_STREAM_STDERR,
    Execution,
    ExecutionEvent,
    OutputTruncated,
)

_SOFTWARE_ERROR = 70  # EX_SOFTWARE of sysexits.h
_TIMED_OUT = 124  # as timeout(1) ends
INTERRUPTED = 130  # 128 + SIGINT


class EventPrinter(Protocol):
    def show(self, event: ExecutionEvent) -> None: ...

    def show_record(self, execution: Execution) -> None:
        """Shows an execution whose log is not kept any more."""

    def say(self, sentence: str) -> None:
        """Says something about the execution that is not its output."""

    def close(self) -> None: ...


class JsonPrinter:
    """One JSON object an event, one event a line, on stdout; remarks stay on stderr.

    The log does not repeat what a script left as its output: the last event is shown with it, as `read` answers it.
    """

    def __init__(self, read: Callable[[str], Execution]) -> None:
        self._read = read

    def show(self, event: ExecutionEvent) -> None:
        if event.execution.HasField("completed_at"):
            self._complete(event.execution)
        self._print(event)

    def _complete(self, execution: Execution) -> None:
        try:
            record = self._read(execution.id)
        except OncallError:
            self.say(f"what it left as its output cannot be read now; `oncall execution {execution.id}` shows it")
            return
        if record.HasField("output"):
            execution.output.CopyFrom(record.output)
        execution.output_error = record.output_error

    def show_record(self, execution: Execution) -> None:
        self._print(execution)

    def _print(self, message: Message) -> None:
        sys.stdout.write(json_line(message) + "\n")
        sys.stdout.flush()

    def say(self, sentence: str) -> None:
        note(f"oncall: {sentence}")

    def close(self) -> None:
        sys.stdout.flush()


class HumanPrinter:
    """The script's stdout on stdout, its stderr on stderr, byte for byte and at once; on a terminal made harmless."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._stdout = _Sink(sys.stdout.buffer, on_terminal=sys.stdout.isatty())
        self._stderr = _Sink(sys.stderr.buffer, on_terminal=sys.stderr.isatty())

    def show(self, event: ExecutionEvent) -> None:
        for warning in event.warnings:
            self.say(f"warning: {visible(warning)}")
        match event.WhichOneof("event"):
            case "output":
                sink = self._stderr if event.output.stream == OUTPUT_STREAM_STDERR else self._stdout
                sink.write(event.output.data)
            case "execution":
                self._show_state(event.execution)
            case "truncated":
                self.say(_truncated(event.truncated))

    def show_record(self, execution: Execution) -> None:
        self._stdout.write(execution.stdout.encode())
        self._stderr.write(execution.stderr.encode())
        self.close()
        self._show_state(execution)

    def say(self, sentence: str) -> None:
        if self._quiet:
            return
        # Where the script left a line unfinished on this screen, a remark begins a new one.
        if self._stderr.on_terminal and (self._stdout.mid_line or self._stderr.mid_line):
            self._stderr.write(b"\n")
            self._stdout.mid_line = False
        note(f"oncall: {sentence}")

    def close(self) -> None:
        self._stdout.close()
        self._stderr.close()

    def _show_state(self, execution: Execution) -> None:
        attempts = f", attempt {execution.attempt} of {execution.max_attempts}" if execution.max_attempts > 1 else ""
        if execution.status == EXECUTION_STATUS_PENDING and not execution.attempt:
            self.say(f"execution {execution.id} of version {execution.version} waits for an executor")
        elif execution.status == EXECUTION_STATUS_PENDING:
            self.say(f"attempt {execution.attempt} failed{_why(execution)}; it will be repeated")
        elif execution.status == EXECUTION_STATUS_RUNNING:
            self.say(f"running on {visible(execution.executor_id) or 'an executor'}{attempts}")
        else:
            self.say(summary(execution))


class _Sink:
    """One of the command's output streams; remembers whether its last line is unfinished."""

    def __init__(self, stream: BinaryIO, *, on_terminal: bool) -> None:
        self.on_terminal = on_terminal
        self.mid_line = False
        self._stream = stream
        self._filter = EscapeFilter() if on_terminal else None

    def write(self, data: bytes) -> None:
        self._put(self._filter.feed(data) if self._filter else data)

    def close(self) -> None:
        if self._filter:
            self._put(self._filter.close())

    def _put(self, data: bytes) -> None:
        if not data:
            return
        self._stream.write(data)
        self._stream.flush()
        self.mid_line = self.on_terminal and not data.endswith(b"\n")


def exit_code_of(execution: Execution) -> int:
    """Answers how `oncall run` ends for an execution that ended so."""
    if execution.status == EXECUTION_STATUS_COMPLETED:
        return 0
    if execution.status == EXECUTION_STATUS_TIMEOUT:
        return _TIMED_OUT
    if execution.status == EXECUTION_STATUS_CANCELLED:
        return INTERRUPTED
    return execution.exit_code or _SOFTWARE_ERROR


def summary(execution: Execution) -> str:
    """Answers one sentence on how an execution ended."""
    took = f" after {duration(execution)}" if execution.HasField("started_at") else ""
    if execution.status == EXECUTION_STATUS_COMPLETED:
        return f"completed{took}"
    if execution.status == EXECUTION_STATUS_TIMEOUT:
        return f"stopped at its time limit{took}"
    if execution.status == EXECUTION_STATUS_CANCELLED:
        return f"cancelled{took}"
    return f"{enum_name(execution, 'status').lower()}{_why(execution)}{took}"


def duration(execution: Execution) -> str:
    """Answers how long an ended execution ran, from its first attempt on; empty where it did not."""
    if not (execution.HasField("started_at") and execution.HasField("completed_at")):
        return ""
    nanoseconds = execution.completed_at.ToNanoseconds() - execution.started_at.ToNanoseconds()
    return f"{nanoseconds / 1e9:.1f} s"


def _why(execution: Execution) -> str:
    if execution.error.code:
        return f" ({execution.error.code}: {visible(execution.error.message)})"
    return f" with exit code {execution.exit_code}" if execution.HasField("exit_code") else ""


def _truncated(truncated: OutputTruncated) -> str:
    stream = enum_name(truncated, "stream").lower()
    return f"{stream} reached the cap of {truncated.offset} bytes; later bytes are counted, not kept"
