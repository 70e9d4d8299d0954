"""Output that means harm, or does not care: what is kept of it is valid, whole up to the cap, and the next is clean."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest

from executor.relay import BATCH_EVENTS, PACE_SECONDS
from executor.settings import ExecutorSettings
from kernel.execution.content import ScriptLanguage
from kernel.execution.event import Output, OutputStream, Truncated
from kernel.execution.status import ExecutionStatus
from tests.executors import an_executor
from tests.integration.conftest import Platform, Record

PYTHON = ScriptLanguage.PYTHON
KEPT_TEXT_BYTES = 64 * 1024
MIB = 1024 * 1024

STRANGE = {
    "NULs": b"a\0b\0\0" * 50_000,
    "invalid UTF-8": bytes(range(256)) * 500,
    "halves of characters": "😀".encode()[:3] * 40_000,
    "terminal escapes": b"\x1b]0;owned\x07\x1b[2J\x1b[31m\x1b[?1049h\r\x9b5n" * 3_000,
    "overlong and surrogates": b"\xc0\xaf\xed\xa0\x80\xf8\x88\x80\x80\x80" * 10_000,
}


def _is_valid(done: Record) -> None:
    """What is stored beside the log can be shown to anybody, and the log is whole up to what was cut."""
    for stream in OutputStream:
        name = stream.name.lower()
        text = getattr(done._row, name)
        assert len(text.encode()) <= KEPT_TEXT_BYTES
        assert "\0" not in text
        chunks = [e.payload for e in done.events if isinstance(e.payload, Output) and e.payload.stream is stream]
        assert all(0 < len(chunk.data) <= 64 * 1024 for chunk in chunks)
        assert all(after.offset == before.offset + len(before.data) for before, after in pairwise(chunks))
        kept = done.bytes_of(stream)
        cut = [e.payload for e in done.events if isinstance(e.payload, Truncated) and e.payload.stream is stream]
        assert [c.offset for c in cut] == ([len(kept)] if getattr(done, f"{name}_size") > len(kept) else [])
        if not cut:
            assert getattr(done, f"{name}_sha256") == hashlib.sha256(kept).hexdigest()


async def _the_next_is_clean(platform: Platform) -> None:
    done = await platform.run("echo clean; echo too >&2")
    assert (done.status, done.stdout, done.stderr) == (ExecutionStatus.COMPLETED, b"clean\n", b"too\n")
    assert (done._row.stdout, done._row.stderr) == ("clean\n", "too\n")
    assert not done.output_truncated


@pytest.mark.usefixtures("executor")
@pytest.mark.parametrize("kind", STRANGE)
async def test_strange_bytes_arrive_as_they_are_and_are_kept_as_text(platform: Platform, kind: str) -> None:
    data = STRANGE[kind]
    unit = next(data[:n] for n in range(1, len(data) + 1) if data[:n] * (len(data) // n) == data)
    done = await platform.run(f"import sys; sys.stdout.buffer.write({unit!r} * {len(data) // len(unit)})", PYTHON)

    assert done.status == ExecutionStatus.COMPLETED
    assert done.stdout == data
    assert done.stdout_size == len(data)
    _is_valid(done)
    await _the_next_is_clean(platform)


async def test_a_flood_until_the_time_limit_is_counted_and_hashed_to_its_last_byte(
    platform: Platform, executor_settings: ExecutorSettings
) -> None:
    async with an_executor(executor_settings, output_cap=MIB):
        done = await platform.run("yes", timeout_seconds=2)
        if done.stdout_size <= MIB:  # a machine that stood still may have used up its time
            done = await platform.run("yes", timeout_seconds=20)

        assert done.status == ExecutionStatus.TIMEOUT
        assert done.stdout == b"y\n" * (MIB // 2)
        assert done.stdout_size > MIB
        whole = (b"y\n" * (done.stdout_size // 2 + 1))[: done.stdout_size]
        assert done.stdout_sha256 == hashlib.sha256(whole).hexdigest()
        assert done.output_truncated
        _is_valid(done)
        await _the_next_is_clean(platform)


@pytest.mark.usefixtures("executor")
async def test_one_line_of_100_mb_is_kept_up_to_the_cap(
    platform: Platform, executor_settings: ExecutorSettings
) -> None:
    size, cap = 100_000_000, executor_settings.output_cap
    done = await platform.run(f"head -c {size} /dev/zero | tr '\\0' x")

    assert (done.status, done.stdout_size) == (ExecutionStatus.COMPLETED, size)
    assert done.stdout == b"x" * cap
    assert done.stdout_sha256 == hashlib.sha256(b"x" * size).hexdigest()
    assert len(done.events) <= 3 + 1 + 2 * cap // (64 * 1024)
    _is_valid(done)
    await _the_next_is_clean(platform)


async def test_the_cap_is_each_stream_s_own_and_is_told_once_for_each(
    platform: Platform, executor_settings: ExecutorSettings
) -> None:
    script = "for _ in 1 2 3; do head -c 100000 /dev/zero; head -c 150000 /dev/zero >&2; done"
    async with an_executor(executor_settings, output_cap=120_000):
        done = await platform.run(script)

        assert (done.stdout_size, done.stderr_size) == (300_000, 450_000)
        assert (done.stdout, done.stderr) == (bytes(120_000), bytes(120_000))
        assert done.stdout_sha256 == hashlib.sha256(bytes(300_000)).hexdigest()
        assert done.stderr_sha256 == hashlib.sha256(bytes(450_000)).hexdigest()
        cut = [e.payload.stream for e in done.events if isinstance(e.payload, Truncated)]
        assert sorted(cut) == [OutputStream.STDOUT, OutputStream.STDERR]
        _is_valid(done)
        await _the_next_is_clean(platform)


@pytest.mark.usefixtures("executor")
@pytest.mark.parametrize("closing", [">&-", "2>&-", ">&- 2>&-"])
async def test_a_script_may_close_its_streams_and_go_on(platform: Platform, closing: str) -> None:
    done = await platform.run(f"echo out; echo err >&2; exec {closing}; for n in 1 2 3; do sleep 0.1; done; exit 6")

    assert (done.status, done.exit_code) == ("FAILED", 6)
    assert (done.stdout, done.stderr) == (b"out\n", b"err\n")
    _is_valid(done)
    await _the_next_is_clean(platform)


@pytest.mark.usefixtures("executor")
async def test_what_is_written_to_both_streams_in_turns_is_stored_in_that_order(platform: Platform) -> None:
    """What comes so close together that the executor finds both pipes filled has no order; what comes apart has."""
    script = """
import array, fcntl, os, termios, time
unread = array.array("i", [0])
for number in range(10):
    stream = 1 + number % 2
    os.write(stream, b"%d\\n" % number)
    while fcntl.ioctl(stream, termios.FIONREAD, unread) == 0 and unread[0]:
        time.sleep(0.001)
"""
    done = await platform.run(script, PYTHON)

    said = [(e.payload.stream, e.payload.data) for e in done.events if isinstance(e.payload, Output)]
    assert said == [(OutputStream(1 + n % 2), b"%d\n" % n) for n in range(10)]
    times = [event.time for event in done.events]
    assert times == sorted(times)


@pytest.mark.usefixtures("executor")
async def test_100_000_writes_of_one_byte_become_few_events(platform: Platform) -> None:
    script = "import os\nfor n in range(100_000): os.write(1 + n % 2, b'%d' % (n // 2 % 10))"
    done = await platform.run(script, PYTHON)

    assert done.stdout == done.stderr == b"0123456789" * 5_000
    seconds = (done.completed_at - done.started_at).total_seconds()
    batches = seconds / PACE_SECONDS + 3  # the first leaves at once, the last at the end, and three tell of states
    assert len(done.events) <= min(20_000, batches * (BATCH_EVENTS + len(OutputStream)))
    _is_valid(done)
    await _the_next_is_clean(platform)
