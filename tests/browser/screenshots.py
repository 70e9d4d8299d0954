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
        # One incident is enough for a picture that shows bars too.
        del site.content.incidents[1:3], site.content.maintenances[:2]
        for name, (size, scheme) in PICTURES.items():
            height = 1250 if size is DESKTOP else 1300
            context = browser.new_context(
                viewport={"width": size["width"], "height": height},
                color_scheme=scheme,  # type: ignore[arg-type] # one of the two
                locale="en-GB",
                timezone_id="Europe/Berlin",
            )
            page = context.new_page()
            page.goto(site.url)
            page.get_by_text("This page updates by itself").wait_for(state="attached")
            page.screenshot(path=folder / name)
            context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
