"""Requests at full speed over connections that stay open, made by wrk: one thread of C that outruns any server here."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 32

_SCRIPT = """\
{headers}
done = function(summary, latency)
  local failed = summary.errors
  io.write(string.format("measured %d %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), failed.connect + failed.read + failed.write + failed.timeout + failed.status))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What came of one round; times in seconds."""

    requests: int
    seconds: float
    median: float
    p99: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def load(url: str, headers: Mapping[str, str], seconds: int) -> Load:
    """Asks for `url` for so long; AssertionError where an answer is a refusal, late or none.

    Headers are in a file, since one of them may be a credential, which does not belong on a command line.
    """
    wrk = shutil.which("wrk")
    assert wrk, "wrk is missing: `make bench` installs it"
    with tempfile.TemporaryDirectory(prefix="oncall-bench-") as folder:
        script = Path(folder) / "headers.lua"
        written = (f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in headers.items())
        script.write_text(_SCRIPT.replace("{headers}", "\n".join(written)))
        command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), url]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("measured ")]
    requests, duration, median, p99, failed = (int(number) for number in line.split()[1:])
    assert not failed, f"{failed} of {requests} requests failed: {done.stdout}"
    return Load(requests, duration / 1e6, median / 1e6, p99 / 1e6)
