"""Restarts a service through its restart hook, then waits until it is healthy again.

Shows only what it would do unless `dry_run` is false. The hook is called with POST {"service": …} and the team's
secret restart_token. Exit code: 0 restarted and healthy, or a dry run; 1 restarted and not healthy; 2 not restarted.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

SERVICE = os.environ["PARAM_SERVICE"]
HOOK = os.environ["PARAM_HOOK_URL"]
HEALTH = os.environ.get("PARAM_HEALTH_URL", "")
WAIT_SECONDS = int(os.environ["PARAM_WAIT_SECONDS"])
DRY_RUN = os.environ["PARAM_DRY_RUN"] == "true"


class Unfollowed(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to where nobody has agreed to send it."""

    def redirect_request(self, *_):
        return None


opener = urllib.request.build_opener(Unfollowed)


def restart() -> None:
    request = urllib.request.Request(
        HOOK,
        data=json.dumps({"service": SERVICE, "execution_id": os.environ["ONCALL_EXECUTION_ID"]}).encode(),
        headers={
            "authorization": f"Bearer {os.environ['SECRET_RESTART_TOKEN']}",
            "content-type": "application/json",
            # The same for every attempt, so that a hook that knows it restarts only once.
            "idempotency-key": os.environ["ONCALL_EXECUTION_ID"],
        },
    )
    with opener.open(request, timeout=30) as answer:
        print(f"the hook answered {answer.status}")


def why_unhealthy() -> str:
    try:
        with opener.open(HEALTH, timeout=5) as answer:
            return "" if answer.status == 200 else f"status {answer.status}"
    except urllib.error.HTTPError as error:
        return f"status {error.code}"
    except OSError as error:
        return str(getattr(error, "reason", error))


def main() -> int:
    if DRY_RUN:
        print(f"would restart {SERVICE}: POST {HOOK}")
        print(f"would then wait up to {WAIT_SECONDS} s for {HEALTH}" if HEALTH else "would not wait for its health")
        print("nothing was done; set dry_run to false to restart it")
        return 0
    print(f"restarting {SERVICE}")
    try:
        restart()
    except urllib.error.HTTPError as error:
        print(f"restart-service: not restarted: the hook answered {error.code}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"restart-service: not restarted: {getattr(error, 'reason', error)}", file=sys.stderr)
        return 2
    if not HEALTH:
        return 0
    started = time.monotonic()
    while problem := why_unhealthy():
        waited = time.monotonic() - started
        print(f"after {waited:.0f} s: {problem}")
        if waited >= WAIT_SECONDS:
            print(f"restart-service: {SERVICE} was restarted and is not healthy", file=sys.stderr)
            return 1
        time.sleep(min(1.0, WAIT_SECONDS - waited))
    print(f"healthy after {time.monotonic() - started:.0f} s")
    return 0


sys.exit(main())
