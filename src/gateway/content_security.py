"""What a page may load: our own stylesheet, script and icons, and one logo from the place that the page names."""

from __future__ import annotations

from functools import lru_cache

from gateway.view.page import origin


@lru_cache(maxsize=1024)
def policy(logo_url: str = "") -> str:
    """Answers the Content-Security-Policy: nothing inline, nothing foreign but the origin of an `https://` logo.

    The origin rather than the address, because a logo that its host redirects to another path still is that logo.
    """
    images = f"'self' {origin(logo_url)}".rstrip()
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        f"img-src {images}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
