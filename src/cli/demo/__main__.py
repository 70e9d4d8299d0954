"""`python -m cli.demo`, started by `oncall up --demo`: makes the demo, runs a runbook, says what to try next.

A process of its own, so that the launcher has no threads of gRPC when it starts others. The launcher gives it the
addresses and the token of an administrator in the environment.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from cli.demo import content
from cli.demo.events import open_events
from cli.demo.partner import open_partner
from cli.demo.runbooks import open_runbooks
from cli.demo.show import show_run
from cli.demo.status_page import open_status_page
from cli.demo.team import open_team, revoke_own_token
from cli.launcher.data_folder import DEMO_FILE, DataFolder, write_private
from cli.own_command import own_command
from oncall.client import Client
from oncall.errors import OncallError

_KEPT = "demo-credentials.json"  # tokens are shown once: without this, every start would make new ones


def main() -> None:
    environment = os.environ
    data = DataFolder(Path(environment["ONCALL_DEMO_FOLDER"]))
    places = {"server": environment["ONCALL_DEMO_SERVER"], "gateway": environment["ONCALL_DEMO_GATEWAY"]}
    if environment.get("ONCALL_DEMO_CA_FILE"):
        places["ca_file"] = environment["ONCALL_DEMO_CA_FILE"]
    try:
        roots = Path(places["ca_file"]).read_bytes() if "ca_file" in places else None
        asyncio.run(_demonstrate(data, places, roots, admin_token=environment["ONCALL_DEMO_ADMIN_TOKEN"]))
    except OncallError as error:
        print(f"the demo could not be made: {error}", file=sys.stderr)
        sys.exit(2)


async def _demonstrate(data: DataFolder, places: dict[str, str], roots: bytes | None, *, admin_token: str) -> None:
    def connect(token: str) -> Client:
        return Client(places["server"], token=token, root_certificates=roots)

    kept = data.read_json(_KEPT)
    async with connect(admin_token) as admin:
        team = await open_team(admin, connect, kept.get("tokens", {}))
        await revoke_own_token(admin, admin_token)
    author_token = team.tokens["author"]
    async with connect(author_token) as author:
        async with connect(team.tokens["reviewer"]) as reviewer:
            runbooks = await open_runbooks(author, reviewer, team.id)
        shown = await open_status_page(author, team.id)
        partner = await open_partner(author, shown.page.id, kept.get("status_page", {}))
        data.write_json(_KEPT, {"tokens": dict(team.tokens), "status_page": partner})
        events = await open_events(author, shown)
        print("✓ demo team, runbooks and status page are ready\n", flush=True)
        await show_run(author, runbooks[content.SHOWN], content.SHOWN)
    demo = {
        **places,
        "team_id": team.id,
        "tokens": dict(team.tokens),
        "runbooks": runbooks,
        "status_page": {
            "slug": shown.page.slug,
            "url": f"{places['gateway']}/status/{shown.page.slug}",
            "partner_token": partner["partner_token"],
            "partner_id": partner["partner_id"],
            **events,
        },
    }
    trusting = f" ONCALL_CA_FILE={shlex.quote(places['ca_file'])}" if "ca_file" in places else ""
    write_private(
        data.path / "author.env", f"export ONCALL_SERVER={places['server']} ONCALL_TOKEN={author_token}{trusting}\n"
    )
    write_private(data.path / "author.header", f"authorization: Bearer {author_token}\n")
    write_private(data.path / "partner.header", f"Authorization: Bearer {partner['partner_token']}\n")
    data.write_json(DEMO_FILE, demo)
    _say_what_next(data.path, demo)


def _say_what_next(folder: Path, demo: dict[str, Any]) -> None:
    """Names the credentials and some commands; these read tokens from files, where `ps` does not show them."""
    trust = f" --cacert {demo['ca_file']}" if "ca_file" in demo else ""
    over, scheme = (trust, "https") if trust else (" --http2-prior-knowledge", "http")
    page = demo["status_page"]
    print(f"""
Credentials (all of them also in {folder / DEMO_FILE}):
  {content.PEOPLE["author"][1]:<14} {demo["tokens"]["author"]}
  {content.PEOPLE["reviewer"][1]:<14} {demo["tokens"]["reviewer"]}
  {content.PARTNER:<14} {page["partner_token"]}

The status page, as the partner sees it (the token is taken out of the address at once):
  {page["url"]}?token={page["partner_token"]}

Try next, in another terminal:
  (. {folder}/author.env && {own_command()} run disk-forecast -p used_percent=94)
  (. {folder}/author.env && {own_command()} incident resolve '{content.OPEN_INCIDENT}')  # the page shows it
  curl{trust} -H @{folder}/partner.header {page["url"]} -H 'Accept: application/json'
  {own_command("buf")} curl --protocol grpc{over} -H @{folder}/author.header \\
    {scheme}://{demo["server"]}/oncall.v1.TeamService/GetCaller
""", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
