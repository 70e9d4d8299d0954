"""`oncall page rotate-token` and `remove-token`: the page's own token, for readers who are no partners."""

from __future__ import annotations

import uuid

from cli import confirmation
from cli.connection import connected
from cli.output import Json, note, print_json
from cli.page.lookup import PageName, find_page
from cli.visible import visible
from oncall.v1.status_page_service_pb2 import RotatePageTokenRequest


def rotate(page: PageName = "", yes: confirmation.Yes = False, as_json: Json = False) -> None:
    """Give a page a new token, for `?token=`. It is printed, and shown only this once; the old one ends at once.

    Whoever has it sees everything on the page. Give partners tokens of their own: `oncall partner create`.

    \b
      oncall page rotate-token shop
    """
    with connected() as server:
        found = find_page(server, page)
        if found.has_page_token:
            question = f"End the token that {visible(found.slug)} has now? Whoever uses it is refused from then on."
            confirmation.require(question, yes=yes, otherwise="not rotated")
        request = RotatePageTokenRequest(status_page_id=found.id, request_id=str(uuid.uuid4()))
        rotated = server.pages.RotatePageToken(request)
    if as_json:
        print_json(rotated)
        return
    note(f"/status/{visible(found.slug)} opens with this token, which is shown only this once:")
    print(rotated.token)


def remove(page: PageName = "", yes: confirmation.Yes = False, as_json: Json = False) -> None:
    """Take a page's token away, at once; partners and their tokens stay as they are.

    \b
      oncall page remove-token shop
    """
    with connected() as server:
        found = find_page(server, page)
        if found.has_page_token:
            question = f"Take the token of {visible(found.slug)} away? Whoever uses it is refused from then on."
            confirmation.require(question, yes=yes, otherwise="not removed")
        removed = server.pages.RotatePageToken(RotatePageTokenRequest(status_page_id=found.id, remove=True))
    if as_json:
        print_json(removed)
        return
    print(f"{visible(found.slug)} has no token of its own")
