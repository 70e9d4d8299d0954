"""How a command ends that cannot do what was asked: a sentence on stderr that says what to do, and an exit code."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer
from grpc import StatusCode

from cli.visible import visible, visible_block
from oncall.errors import OncallError, TlsRefused

REFUSED = 1
USAGE = 2
UNREACHABLE = 3


def fail(sentence: str, code: int = USAGE) -> NoReturn:
    """Ends the command with one sentence; `code` is one of this module's."""
    print(f"oncall: {visible_block(sentence)}", file=sys.stderr)
    raise typer.Exit(code)


def fail_with(error: OncallError, address: str) -> NoReturn:
    fail(describe(error, address), exit_code(error))


def exit_code(error: OncallError) -> int:
    return UNREACHABLE if error.code in {StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED} else REFUSED


def describe(error: OncallError, address: str) -> str:
    """Answers what went wrong and what to do about it; further lines name the bad fields, one each."""
    message = visible(error.message).rstrip(".") or "no reason was given"
    named = f"({visible(error.reason) or error.code.name})"
    match error.code:
        case StatusCode.UNAVAILABLE if isinstance(error, TlsRefused):
            return f"cannot connect to {address}: {message}"
        case StatusCode.UNAVAILABLE if not error.reason:
            return f"cannot reach the server at {address}: check that it runs and that the address is right ({message})"
        case StatusCode.UNAVAILABLE if error.reason not in _HINTS:
            return f"the server at {address} cannot answer just now, try again: {message} {named}"
        case StatusCode.DEADLINE_EXCEEDED:
            return f"the server at {address} did not answer in time: check the address and the network, then try again"
        case StatusCode.UNAUTHENTICATED:
            return f"{address} does not accept the token: run `oncall login` or check ONCALL_TOKEN: {message} {named}"
        case StatusCode.UNIMPLEMENTED:
            return f"the server at {address} cannot do this; it may be older than this command: {message}"
        case StatusCode.INVALID_ARGUMENT if error.violations:
            lines = [f"  {visible(bad.field)}: {visible(bad.description)}" for bad in error.violations]
            return "\n".join([f"the server refused this as wrong {named}:", *lines])
    hint = _HINTS.get(error.reason)
    return f"{message} {named}" + (f": {hint}" if hint else "")


_HINTS = {
    "CONFIRMATION_REQUIRED": "repeat it with --confirm",
    "SELF_APPROVAL": "ask somebody else of the team to approve it",
    "DIGEST_MISMATCH": "read it again with `oncall runbook show`, for it is not what you read",
    "RUNBOOK_NAME_TAKEN": "choose another name, or add a version with `oncall runbook revise`",
    "RUNBOOK_NOT_RUNNABLE": "see `oncall runbook show`; it runs once a version has been approved",
    "VERSION_NOT_APPROVED": "only an approved version runs; see `oncall runbook show`",
    "RUN_ENDED": "see `oncall workflow status`",
    "NOT_WAITING": "see `oncall workflow status`; somebody may have decided it already",
    "NAME_TAKEN": "choose another name",
    "SECRET_MISSING": "store it with `oncall secret put`",
    "SECRET_IN_USE": "archive it, or approve a version that does without",
    "SECRET_NAME_TAKEN": "see `oncall secret list`",
    "REQUEST_ID_REUSED": "this request id belongs to another request; leave --request-id out",
    "EXECUTION_ENDED": "see `oncall execution`",
    "STALE_ETAG": "look at it with `show`, and repeat what is still right",
    "ILLEGAL_TRANSITION": "look at how it stands with `show`; from there it can only go on",
    "NOT_CONFIRMED": "repeat the command until it succeeds, for until then some gateway may show what was before",
    "SLUG_TAKEN": "choose another slug; slugs are unique over all teams",
    "GROUP_NOT_EMPTY": "first move or remove its components, see `oncall page component list`",
    "IS_GROUP": "name one of its components, see `oncall page component list`",
    "PARTNER_NAME_TAKEN": "choose another name, or see `oncall partner list`",
    "PARTNER_REVOKED": "it is for good; give them access anew with `oncall partner create`",
}
