"""`python -m tests.bench.hello`: what the HTTP server itself takes, for answers of a size: `/BYTES`, and `/304`.

uvicorn with the gateway's parser and loop, and an application that does nothing: no routes, no middleware, no log.
"""

from __future__ import annotations

import socket

import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

_NOT_MODIFIED = "/304"


async def hello(scope: Scope, _: Receive, send: Send) -> None:
    path = scope["path"]
    size = 0 if path == _NOT_MODIFIED else int(path[1:])
    headers = [(b"content-length", b"%d" % size), (b"content-type", b"text/html; charset=utf-8")] if size else []
    await send({"type": "http.response.start", "status": 200 if size else 304, "headers": headers})
    await send({"type": "http.response.body", "body": b"h" * size})


def main() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        print(f"127.0.0.1:{listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(
            hello, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False, server_header=False
        )
        uvloop.run(uvicorn.Server(config).serve([listener]))


if __name__ == "__main__":
    main()
