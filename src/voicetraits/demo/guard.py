"""Who may ask the server, and what a browser may do with its page.

The server listens on this machine alone, but every web site that is open in a browser on it can
send requests there. Two checks keep them out: a site that has its own name point to 127.0.0.1 (DNS
rebinding) is told by the Host header, any other by the Origin header of its POST.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

_OWN_HOST = re.compile(r"(localhost|127\.0\.0\.1)(:\d{1,5})?")
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Guard:
    """Lets requests of the server's own page through, and adds headers to every response."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refused = _refused(scope["method"], Headers(scope=scope))
        await (refused or self._app)(scope, receive, send_guarded)


def _refused(method: str, headers: Headers) -> Response | None:
    host = headers.get("host", "")
    if not _OWN_HOST.fullmatch(host.lower()):
        return refusal(421, "Open this page as localhost or 127.0.0.1.")
    if method not in ("GET", "HEAD") and headers.get("origin", "").lower() != (
        f"http://{host.lower()}"
    ):
        return refusal(403, "Only the page of this server may send recordings to it.")
    return None


def refusal(status: int, why: str) -> Response:
    """A response that says in a sentence what is wrong."""
    return JSONResponse({"error": why}, status_code=status)
