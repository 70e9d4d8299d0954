"""A page's own token, for `?token=`: `ocg_` and 256 random bits; only a keyed hash of it is kept, as of partners'."""

from __future__ import annotations

import base64
from collections.abc import Callable

MARK = "ocg_"
SECRET_BYTES = 32


def issue(random: Callable[[int], bytes]) -> str:
    """Makes a token; `random` answers that many bytes nobody can guess (`secrets.token_bytes`)."""
    return MARK + base64.urlsafe_b64encode(random(SECRET_BYTES)).rstrip(b"=").decode()
