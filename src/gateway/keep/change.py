"""What a change of the server's means for what is kept."""

from __future__ import annotations

from oncall.v1.partner_service_pb2 import StatusPageChange

MOST_NAMED = 50
"""A change that names so many partners or tokens may be about more of them."""


def ends_somebody(change: StatusPageChange) -> bool:
    """Whether the change names whose access ended."""
    return bool(
        change.revoked_partner_ids or change.ended_token_ids or change.ended_session_hashes or change.page_token_ended
    )


def takes_away(change: StatusPageChange) -> bool:
    """Whether others than those it names may see less from now on, so that nothing older is shown even as stale."""
    named = max(map(len, (change.revoked_partner_ids, change.ended_token_ids, change.ended_session_hashes)))
    return change.deleted or named >= MOST_NAMED or (change.confirm and not ends_somebody(change))


def leaves_the_rest(change: StatusPageChange) -> bool:
    """Whether all but those it names read on as before: what is kept for them need not be asked for again.

    Those it names are stopped by their tombstones, also where an answer to them is on its way.
    """
    return ends_somebody(change) and not takes_away(change)
