"""`python -m server.bootstrap admin|gateway`: the first users of an installation, made on its own machine.

Prints one line of JSON, `{"user_id": …, "token": …}`: the only time that token is shown. The user is found again by
e-mail address or service account, and the token is a new one each time. An administrator's older ones go on working
until revoked. The gateway's are revoked with it, for nobody would ever think of them again; where several gateways
share an installation, `--keep-others` leaves them alone, and each is revoked by hand (RevokeApiToken) when its gateway
goes.
"""

from __future__ import annotations

import argparse
import asyncio
import json

from sqlalchemy.exc import SQLAlchemyError

from kernel.database import is_disconnect, sessions
from kernel.errors import InvalidArgument
from kernel.settings import CoreSettings, fail, load
from kernel.telemetry import configure
from server.domain.page import Pager
from server.domain.team import User, UserDraft, check_user
from server.domain.violation import Violations
from server.operations.administer_api_tokens import issue, revoke_others
from server.operations.change import Change, change
from server.operations.environment import Environment
from server.process import UNREACHABLE, open_engine, require_migrated
from server.storage import users

GATEWAY = UserDraft("gateway@service.oncall", "Gateway", service_account="gateway")


async def main(settings: CoreSettings, draft: UserDraft, *, keep_others: bool) -> None:
    engine = open_engine(settings)
    await require_migrated(engine)
    env = Environment(sessions(engine), Pager(b""))
    try:
        async with change(env.sessions, None) as tx:
            user = await _ensure(env, tx, draft)
            record, token = await issue(env, tx, user.id, "bootstrap")
            if not keep_others:
                await revoke_others(tx, record)
    except (SQLAlchemyError, OSError) as error:
        if not is_disconnect(error):
            raise
        fail(UNREACHABLE)
    await engine.dispose()
    print(json.dumps({"user_id": str(user.id), "token": token}))


async def _ensure(env: Environment, tx: Change, draft: UserDraft) -> User:
    """Answers the user, made or promoted where that is needed."""
    user = await users.find_by_email(tx.session, draft.email)
    if user is None:
        user = User(
            env.new_id(), draft.email, draft.display_name, draft.is_platform_admin, draft.service_account, env.now()
        )
        await users.add(tx.session, user)
        await tx.audit("user.created", user.id, is_platform_admin=user.is_platform_admin)
    elif user.service_account != draft.service_account:
        fail("cannot bootstrap: that e-mail address belongs to a service account, or to a person")
    elif draft.is_platform_admin and not user.is_platform_admin:
        await users.make_platform_admin(tx.session, user.id)
        await tx.audit("user.promoted", user.id, is_platform_admin=True)
    return user


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m server.bootstrap", description="Makes the first users.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    admin = kinds.add_parser("admin", help="a platform admin")
    admin.add_argument("--email", required=True)
    admin.add_argument("--name", required=True)
    gateway = kinds.add_parser("gateway", help="the service account of the gateway")
    gateway.add_argument("--keep-others", action="store_true", help="do not revoke the tokens of other gateways")
    return parser.parse_args()


def _draft(arguments: argparse.Namespace) -> UserDraft:
    if arguments.kind == "gateway":
        return GATEWAY
    draft = UserDraft(arguments.email.lower(), arguments.name, is_platform_admin=True)
    violations = Violations()
    check_user(violations, "user", draft)
    try:
        violations.raise_if_any()
    except InvalidArgument as error:
        fail(f"cannot bootstrap: {error.message}")
    return draft


if __name__ == "__main__":
    arguments = _arguments()
    draft = _draft(arguments)
    settings = load(CoreSettings)
    configure("bootstrap", settings.log_format)
    keep_others = arguments.kind == "admin" or arguments.keep_others
    asyncio.run(main(settings, draft, keep_others=keep_others))
