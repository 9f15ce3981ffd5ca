"""The page and its two addresses: what is known of the model, and the answer to a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from voicetraits.demo.answer import LONGEST, answer
from voicetraits.demo.guard import Guard, refusal
from voicetraits.errors import InputError
from voicetraits.recognizer.recognizer import Recognizer

LARGEST = 50_000_000  # bytes
_PAGE = Path(__file__).parent / "page"
_TOO_LARGE = f"This file is larger than {LARGEST // 1_000_000} MB. Choose a smaller one."


def application(recognizer: Recognizer, *, card: str | None, own_card: bool) -> Starlette:
    """The page's server, which keeps nothing of what is sent to it.

    Args:
        recognizer: It gives the answers.
        card: Text of the released model's card, if there is one.
        own_card: Whether the recognizer's model is the one that the card describes.
    """
    about = {**_about(recognizer), "card": card, "own_card": own_card}

    def tell_about(_: Request) -> Response:
        return JSONResponse(about)

    async def recognise(request: Request) -> Response:
        try:
            content = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        if content is None:
            return refusal(413, _TOO_LARGE)
        try:
            return JSONResponse(await run_in_threadpool(answer, recognizer, content))
        except InputError as error:
            return refusal(422, f"This recording cannot be used: {str(error).rstrip('.')}.")
        except MemoryError:
            return refusal(413, "This recording needs more memory than there is.")

    return Starlette(
        routes=[
            Route("/about", tell_about),
            Route("/recognise", recognise, methods=["POST"]),
            # Browsers ask for it, whatever the page says.
            Route("/favicon.ico", lambda _: Response(status_code=204)),
            Mount("/", StaticFiles(directory=_PAGE, html=True)),
        ],
        middleware=[Middleware(Guard)],
    )


def _about(recognizer: Recognizer) -> dict[str, Any]:
    model = recognizer.model
    return {
        "model": model.name,
        "trained_on": model.trained_on,
        "synthetic": model.synthetic,
        "thresholds": {task: head.threshold for task, head in model.heads.items()},
        "largest": LARGEST,
        "longest": LONGEST,
    }


async def _body(request: Request) -> bytes | None:
    """What was sent, in memory alone; None where it is too large, of which the rest is not read.

    As one body and not as a form, whose files would be written to a temporary folder.
    """
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > LARGEST:
        return None
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > LARGEST:
            return None
    return bytes(content)
