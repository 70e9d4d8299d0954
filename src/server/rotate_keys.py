"""`python -m server.rotate_keys`: seals every secret under the current key, the first of ONCALL_ENCRYPTION_KEYS.

It may be ended at any moment, run again, and run twice at once. Exit code 0: no secret is under an older key any more;
1: some are, and it says why. See `docs/key-rotation.md`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from kernel.database import is_disconnect, sessions
from kernel.settings import CoreSettings, fail, load
from kernel.telemetry import configure
from server.domain.page import Pager
from server.operations.environment import Environment
from server.operations.rotate_keys import BATCH, Rotation, rotate_keys
from server.process import UNREACHABLE, open_cipher, open_engine, require_migrated

MOST_NAMED = 20
INTERRUPTED = 130  # as a shell says it of what Ctrl-C ended


async def main(settings: CoreSettings, batch: int) -> Rotation:
    cipher = open_cipher(settings)
    engine = open_engine(settings)
    await require_migrated(engine)
    env = Environment(sessions(engine), Pager(b""))
    try:
        return await rotate_keys(env, cipher, batch=batch, progress=_say_progress)
    except (SQLAlchemyError, OSError) as error:
        if not is_disconnect(error):
            raise
        fail(UNREACHABLE)
    finally:
        await engine.dispose()


def as_json(rotation: Rotation) -> dict[str, Any]:
    unopened = [asdict(one) | {"team_id": str(one.team_id)} for one in rotation.unopened]
    return {**asdict(rotation), "unopened": unopened, "finished": rotation.finished}


def describe(rotation: Rotation) -> Iterator[str]:
    """Yields what a person wants to know, and what to do next."""
    yield f"{rotation.resealed} secrets sealed again under key {rotation.key_id}"
    for one in rotation.unopened[:MOST_NAMED]:
        yield f"secret {one.name} of team {one.team_id} cannot be opened: {one.why}"
    if len(rotation.unopened) > MOST_NAMED:
        yield f"and {len(rotation.unopened) - MOST_NAMED} more"
    if rotation.secrets_left:
        yield f"{rotation.secrets_left} secrets are under an older key: keep the older keys, and run this again"
    if rotation.executions_left:
        yield (
            f"{rotation.executions_left} executions that have not ended have parameters under an older key: "
            "keep the older keys until this says that there are none"
        )
    if rotation.finished:
        yield "nothing needs an older key any more: all but the first can be taken out of ONCALL_ENCRYPTION_KEYS"


def _say_progress(done: int) -> None:
    end = "\r" if sys.stderr.isatty() else "\n"
    print(f"{done} secrets sealed again", end=end, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m server.rotate_keys", description="Seals every secret under the current key."
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.add_argument("--batch", type=int, default=BATCH, help=f"secrets in one transaction; {BATCH}")
    arguments = parser.parse_args()
    if not 1 <= arguments.batch <= 1000:
        parser.error("--batch must be 1 to 1,000")
    return arguments


if __name__ == "__main__":
    arguments = _arguments()
    settings = load(CoreSettings)
    configure("rotate_keys", settings.log_format)
    try:
        rotation = asyncio.run(main(settings, arguments.batch))
    except KeyboardInterrupt:
        print("interrupted; nothing is lost, run it again to go on", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    print(json.dumps(as_json(rotation)) if arguments.json else "\n".join(describe(rotation)))
    raise SystemExit(1 if rotation.secrets_left else 0)
