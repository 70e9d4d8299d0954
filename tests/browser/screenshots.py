"""Makes the pictures of a status page in docs/images; `make screenshots` runs it."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.browser.chromium import DESKTOP, PHONE, a_browser
from tests.browser.site import a_site

PICTURES = {
    "status-page-light.png": (DESKTOP, "light"),
    "status-page-dark.png": (DESKTOP, "dark"),
    "status-page-phone.png": (PHONE, "light"),
}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with a_site() as site, a_browser() as browser:
        for name, (size, scheme) in PICTURES.items():
            height = 1500 if size is DESKTOP else 1400
            context = browser.new_context(
                viewport={"width": size["width"], "height": height},
                color_scheme=scheme,  # type: ignore[arg-type] # one of the two
                locale="en-GB",
                timezone_id="Europe/Berlin",
            )
            page = context.new_page()
            page.goto(site.url)
            page.locator("#live").wait_for(state="attached")
            page.screenshot(path=folder / name, full_page="FULL" in __import__("os").environ)
            context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
