"""`oncall partner rotate` and `revoke`: a new token for a partner, and an end to all of theirs."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer

from cli import confirmation, times
from cli.connection import connected
from cli.output import Json, local_time, note, print_json
from cli.page.lookup import PageOption
from cli.partner.lookup import PartnerName, find_partner
from cli.visible import visible
from oncall.v1.partner_service_pb2 import RevokePartnerRequest, RotatePartnerTokenRequest, RotatePartnerTokenResponse


def rotate(
    name: PartnerName,
    page: PageOption = "",
    grace: Annotated[
        str, typer.Option(metavar="SPAN", help="How long the old token lives on, such as 24h, up to 30d; else it ends.")
    ] = "",
    yes: confirmation.Yes = False,
    as_json: Json = False,
) -> None:
    """Give a partner a new token. It is printed, and shown only this once.

    Without --grace the old token ends at once, and no gateway believes it any more once this has ended. When it was
    last used is said, so that you see whether somebody still needs it.

    \b
      oncall partner rotate Northwind --grace 7d
      oncall partner rotate Northwind --yes | pass insert --echo partners/northwind
    """
    lives_on = times.span("--grace", grace) if grace else None
    with connected() as server:
        found = find_partner(server, name, page)
        if not lives_on:
            question = f"End the token of {visible(found.name)} now? Whoever uses it is refused from then on."
            confirmation.require(question, yes=yes, otherwise="not rotated")
        request = RotatePartnerTokenRequest(
            partner_id=found.id,
            grace_period=times.to_duration(lives_on) if lives_on else None,
            request_id=str(uuid.uuid4()),
        )
        rotated = server.partners.RotatePartnerToken(request)
    if as_json:
        print_json(rotated)
        return
    _tell_of_old_token(rotated)
    note(f"{visible(found.name)} reads with this token from now on; it is shown only this once:")
    print(rotated.token)


def revoke(name: PartnerName, page: PageOption = "", yes: confirmation.Yes = False, as_json: Json = False) -> None:
    """End a partner's access, at once and for good. No gateway answers them any more once this has ended.

    \b
      oncall partner revoke Northwind
      oncall partner revoke Northwind --yes
    """
    with connected() as server:
        found = find_partner(server, name, page)
        question = f"Revoke the access of {visible(found.name)}? It is for good."
        confirmation.require(question, yes=yes, otherwise="not revoked")
        revoked = server.partners.RevokePartner(RevokePartnerRequest(partner_id=found.id))
    if as_json:
        print_json(revoked)
        return
    print(f"revoked {visible(found.name)}; no gateway answers them any more")


def _tell_of_old_token(rotated: RotatePartnerTokenResponse) -> None:
    old = rotated.old_token
    if not old.prefix:
        return
    used = f"was last used {local_time(old.last_used_at)}" if old.HasField("last_used_at") else "was never used"
    ends = f"lives on until {local_time(old.expires_at)}" if old.HasField("expires_at") else "has ended"
    note(f"the old token {visible(old.prefix)}… {used} and {ends}")
