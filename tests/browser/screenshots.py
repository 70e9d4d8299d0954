"""Makes the pictures of a status page in docs/images; `make screenshots` runs it.

The stack is a whole one, as `oncall up` starts it; a partner signs in.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import grpc
from playwright.sync_api import Browser, ViewportSize

from kernel.database import create_engine, sessions
from tests.browser.chromium import DESKTOP, PHONE, a_browser
from tests.builders import a_person, a_team
from tests.busy_page import a_busy_page
from tests.e2e.launched import Launched
from tests.stack import launched_stack
from tests.status_pages import StatusPageDesk

PICTURES = {
    "status-page-light.png": (DESKTOP, "light"),
    "status-page-dark.png": (DESKTOP, "dark"),
    "status-page-phone.png": (PHONE, "light"),
}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with launched_stack() as stack:
        token = asyncio.run(_a_partner(stack))
        with a_browser() as browser:
            for name, (size, scheme) in PICTURES.items():
                height = 1250 if size is DESKTOP else 1300
                viewport = ViewportSize(width=size["width"], height=height)
                _take(browser, f"{stack.demo()['gateway']}/status/acme", token, folder / name, viewport, scheme)


async def _a_partner(stack: Launched) -> str:
    """Makes a page with everything on it, and answers the token of who may read it."""
    engine = create_engine(stack.program("server").environ()["ONCALL_DATABASE_URL"], pool_size=2)
    async with grpc.aio.insecure_channel(stack.demo()["server"]) as channel:
        known = sessions(engine)
        desk = StatusPageDesk(channel, known, await a_team(known), await a_person(known))
        busy = await a_busy_page(desk)
        partner = await desk.a_partner(busy.page, name="Northwind")
    await engine.dispose()
    return partner.token


def _take(browser: Browser, url: str, token: str, file: Path, size: ViewportSize, scheme: str) -> None:
    context = browser.new_context(
        viewport=size,
        color_scheme=scheme,  # type: ignore[arg-type] # one of the two
        locale="en-GB",
        timezone_id="Europe/Berlin",
    )
    page = context.new_page()
    page.goto(url)
    page.get_by_label("Access token").fill(token)
    page.keyboard.press("Enter")
    page.get_by_text("This page updates by itself").wait_for()
    page.screenshot(path=file)
    context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
