"""Runs the demo as a process of its own and waits for its end; the demo itself is `cli.demo`."""

from __future__ import annotations

import signal
import subprocess

from cli.launcher import child_process
from cli.launcher.data_folder import DataFolder
from cli.launcher.program import PYTHON_MODULE, REFUSED
from cli.launcher.refusal import CannotStart
from cli.launcher.settings import base_environment
from cli.launcher.stack import Stack


def show(stack: Stack, data: DataFolder) -> None:
    """Makes and shows the demo in this terminal; raises CannotStart where it could not be made."""
    admin = stack.bootstrap("admin", "--email", "admin@demo.invalid", "--name", "Demo Administrator")
    demo = subprocess.Popen(
        [*child_process.mortal(signal.SIGKILL), *PYTHON_MODULE, "cli.demo"],
        env={
            **{name: value for name, value in base_environment().items() if not name.startswith("ONCALL_")},
            "PYTHONIOENCODING": "utf-8",
            "ONCALL_DEMO_FOLDER": str(data.path),
            "ONCALL_DEMO_SERVER": stack.server_address,
            "ONCALL_DEMO_GATEWAY": stack.gateway_url,
            "ONCALL_DEMO_CA_FILE": stack.ca_file,
            "ONCALL_DEMO_ADMIN_TOKEN": admin["token"],
        },
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _, errors = demo.communicate()
    finally:
        child_process.stop(demo, signal.SIGTERM, seconds=1)
    if demo.returncode != 0:
        said = errors.decode(errors="replace").strip()
        if demo.returncode != REFUSED:
            data.log("demo").write_text(said + "\n")
            said = f"the demo ended with exit code {demo.returncode}; see {data.log('demo')}"
        raise CannotStart(said)
