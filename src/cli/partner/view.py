"""A partner as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

from cli.output import local_time, print_details, print_table
from cli.page.lookup import Components
from oncall.v1.partner_pb2 import Partner

COLUMNS = ("NAME", "ACCESS", "TOKEN", "SEES", "FROM", "A MINUTE", "LAST READ", "READS")


def access(partner: Partner) -> str:
    if partner.HasField("revoked_at"):
        return "REVOKED"
    return "ACTIVE" if partner.is_active else "EXPIRED"


def row(partner: Partner) -> tuple[str, ...]:
    return (
        partner.name,
        access(partner),
        partner.token_prefix,
        f"{len(partner.component_ids)} components" if partner.component_ids else "everything",
        f"{len(partner.ip_allowlist)} networks" if partner.ip_allowlist else "anywhere",
        str(partner.requests_per_minute or "unlimited"),
        local_time(partner.last_access_at),
        str(partner.access_count),
    )


def print_partner(partner: Partner, page: str, components: Components) -> None:
    print_details(
        [
            ("name", partner.name),
            ("id", partner.id),
            ("page", page),
            ("access", access(partner)),
            ("e-mail", partner.contact_email),
            ("sees", ", ".join(map(components.name, partner.component_ids)) or "everything"),
            ("from", ", ".join(partner.ip_allowlist) or "anywhere"),
            ("requests", f"{partner.requests_per_minute} a minute" if partner.requests_per_minute else "unlimited"),
            ("ends", local_time(partner.expires_at)),
            ("revoked", local_time(partner.revoked_at)),
            ("last read", local_time(partner.last_access_at)),
            ("reads", str(partner.access_count)),
            ("created", f"{local_time(partner.created_at)} by {partner.created_by}"),
        ]
    )
    if partner.tokens:
        print()
        rows = [
            (t.prefix, local_time(t.created_at), local_time(t.last_used_at) or "never", local_time(t.expires_at) or "-")
            for t in partner.tokens
        ]
        print_table(("TOKEN", "CREATED", "LAST USED", "ENDS"), rows, empty="")


def now() -> datetime:
    return datetime.now(UTC)
