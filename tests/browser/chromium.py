"""The distribution's Chromium, driven by Playwright: no browser is downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

DESKTOP = {"width": 1100, "height": 900}
PHONE = {"width": 375, "height": 740}


@contextmanager
def a_browser() -> Iterator[Browser]:
    """Answers a running browser; `CHROMIUM` names another binary than the one in the path."""
    binary = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert binary, "Chromium is missing: `tools/setup.sh test` installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
