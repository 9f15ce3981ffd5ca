"""A server for this machine alone, until it is stopped by Ctrl-C."""

from __future__ import annotations

import socket
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

_ADDRESS = "127.0.0.1"


def listening(port: int) -> socket.socket:
    """A socket on this port, or on any free one where it is taken."""
    for wanted in (port, 0):
        one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # of a server that has just ended
        try:
            one.bind((_ADDRESS, wanted))
            one.listen()
        except OSError:
            one.close()
            if not wanted:
                raise
        else:
            break
    return one


def serve(app: ASGIApp, *, port: int) -> None:
    """Print the address, and serve until Ctrl-C.

    Args:
        app: What answers.
        port: Where, unless it is taken.
    """
    with listening(port) as one:
        found = one.getsockname()[1]
        if found != port:
            print(f"Port {port} is taken.")
        print(f"Open http://{_ADDRESS}:{found} in a browser; Ctrl-C ends it.", flush=True)
        # No line for each request: what is asked here is nobody's business.
        config = uvicorn.Config(app, log_level="warning", access_log=False)
        with suppress(KeyboardInterrupt):  # uvicorn raises it again after an orderly end
            uvicorn.Server(config).run(sockets=[one])
