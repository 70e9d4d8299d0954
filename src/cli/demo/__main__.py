"""`python -m cli.demo`, started by `oncall up --demo`: makes the demo, runs a runbook, says what to try next.

A process of its own, so that the launcher has no threads of gRPC when it starts others. The launcher gives it the
addresses and the token of an administrator in the environment.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from cli.demo import content
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
    server, gateway = environment["ONCALL_DEMO_SERVER"], environment["ONCALL_DEMO_GATEWAY"]
    try:
        asyncio.run(_demonstrate(data, server, gateway, admin_token=environment["ONCALL_DEMO_ADMIN_TOKEN"]))
    except OncallError as error:
        print(f"the demo could not be made: {error}", file=sys.stderr)
        sys.exit(2)


async def _demonstrate(data: DataFolder, server: str, gateway: str, *, admin_token: str) -> None:
    kept = data.read_json(_KEPT)
    async with Client(server, token=admin_token) as admin:
        team = await open_team(admin, kept.get("tokens", {}))
        await revoke_own_token(admin, admin_token)
    author_token = team.tokens["author"]
    async with Client(server, token=author_token) as author:
        async with Client(server, token=team.tokens["reviewer"]) as reviewer:
            runbooks = await open_runbooks(author, reviewer, team.id)
        page = await open_status_page(author, team.id, kept.get("status_page", {}))
        data.write_json(_KEPT, {"tokens": dict(team.tokens), "status_page": page})
        print("✓ demo team, runbooks and status page are ready\n", flush=True)
        await show_run(author, runbooks[content.SHOWN], content.SHOWN)
    demo = {
        "server": server,
        "gateway": f"http://{gateway}",
        "team_id": team.id,
        "tokens": dict(team.tokens),
        "runbooks": runbooks,
        "status_page": {"slug": page["slug"], "partner_token": page["partner_token"]},
    }
    write_private(data.path / "author.env", f"export ONCALL_SERVER={server} ONCALL_TOKEN={author_token}\n")
    write_private(data.path / "author.header", f"authorization: Bearer {author_token}\n")
    write_private(data.path / "partner.header", f"Authorization: Bearer {page['partner_token']}\n")
    data.write_json(DEMO_FILE, demo)
    _say_what_next(data.path, demo)


def _say_what_next(folder: Path, demo: dict[str, Any]) -> None:
    """Names the credentials and three commands; these read tokens from files, where `ps` does not show them."""
    print(f"""
Credentials (all of them also in {folder / DEMO_FILE}):
  {content.PEOPLE["author"][1]:<14} {demo["tokens"]["author"]}
  {content.PEOPLE["reviewer"][1]:<14} {demo["tokens"]["reviewer"]}
  {content.PARTNER:<14} {demo["status_page"]["partner_token"]}

Try next, in another terminal:
  (. {folder}/author.env && {own_command()} run disk-forecast -p used_percent=94)
  curl -H @{folder}/partner.header {demo["gateway"]}/status/{demo["status_page"]["slug"]} -H 'Accept: application/json'
  {own_command("buf")} curl --protocol grpc --http2-prior-knowledge -H @{folder}/author.header \\
    http://{demo["server"]}/oncall.v1.TeamService/GetCaller
""", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
