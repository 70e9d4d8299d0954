"""Reads a page with a Python client and prints what it read as JSON: `read_with_python.py arez|statuscheck URL`.

Runs outside the project's environment, in that of the clients.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any


async def with_arez(url: str) -> dict[str, Any]:
    from arez import StatusPage

    async with StatusPage(url) as page:
        status = await page.get_status()
    return {
        "page": [status.id, status.name, status.updated_at.isoformat()],
        "status": [status.impact, status.status],
        "groups": {group.name: [child.name for child in group.components] for group in status.groups},
        "components": {
            component.name: [component.status, [one.name for one in component.incidents]]
            for component in status.components
        },
        "incidents": [[one.name, one.status, one.impact, one.last_update.description] for one in status.incidents],
        "maintenances": [
            [one.name, one.status, one.impact, one.scheduled_for.isoformat(), one.scheduled_until.isoformat()]
            for one in status.maintenances
        ],
    }


async def with_statuscheck(url: str) -> dict[str, Any]:
    from statuscheck.services.bases._statuspageio import BaseStatusPageAPI

    class Service(BaseStatusPageAPI):
        name = "Acme"
        status_url = url

        def _get_base_url(self) -> str:
            return f"{url}/api/v2/"

    summary = Service().get_summary()
    return {
        "status": [summary.status.code, summary.status.name, summary.status.description, summary.status.is_ok],
        "components": {component.name: component.status for component in summary.components},
        "incidents": [[one.name, one.status, [c.name for c in one.components]] for one in summary.incidents],
    }


if __name__ == "__main__":
    client, address = sys.argv[1:]
    read = {"arez": with_arez, "statuscheck": with_statuscheck}[client]
    print(json.dumps(asyncio.run(read(address))))
