"""One origin for all HTTP routes, as the HTTP API is on AWS: `python -m tests.stack.origin`.

The emulator tells its HTTP APIs apart by the Host header or by a prefix of the path. This passes each request on with the
prefix and otherwise unchanged, its Host included: by that the functions tell brands apart, as they do behind a custom domain.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import aiohttp
from aiohttp import web

from tests.stack.canaries import parsed, token, tokens_of
from tests.stack.forward import Forwarder


class Tokens:
    """Writes down every token that passes, once, for whoever looks through the logs afterwards."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: set[str] = set()

    def note(self, request: web.Request, sent: bytes, response: web.Response) -> None:
        """What a request and its answer carry."""
        location = urlsplit(response.headers.get("Location", "")).query
        documents = [dict(parse_qsl(query)) for query in (request.query_string, location)]
        documents += [parsed(body.decode(errors="replace")) for body in (sent, response.body or b"")]
        found = {canary.value for document in documents if document for canary in tokens_of(document)}
        cookies = [*request.cookies.values(), response.headers.get("Set-Cookie", "").partition(";")[0].partition("=")[2]]
        bearer = request.headers.get("Authorization", "").partition(" ")[2]
        found |= {canary.value for value in (bearer, *cookies) for canary in token(value)}
        fresh = found - self._seen
        if fresh:
            self._seen |= fresh
            with open(self._file, "a", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
                out.writelines(json.dumps(value) + "\n" for value in fresh)


def application(target: str, api: str, tokens: Tokens | None = None) -> web.Application:
    """The origin of the HTTP API with this id at `target`."""
    forwarder = Forwarder(f"{target}/_aws/execute-api/{api}")

    async def forward(request: web.Request) -> web.Response:
        try:
            response = await forwarder.send(request, request.headers.get("Host", ""))
            if tokens is not None:
                tokens.note(request, await request.read(), response)
            return response
        except (aiohttp.ClientError, TimeoutError):
            # What API Gateway answers when it cannot reach the function.
            return web.json_response({"message": "Service Unavailable"}, status=503)

    return forwarder.application(forward)


def main() -> None:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tests.stack.origin", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--target", required=True, help="http://127.0.0.1:<port of the emulator>")
    parser.add_argument("--api", required=True, help="the id of the HTTP API")
    parser.add_argument("--tokens", type=Path, help="a file that gets the tokens that pass")
    arguments = parser.parse_args()
    web.run_app(
        application(arguments.target, arguments.api, arguments.tokens and Tokens(arguments.tokens)),
        host="127.0.0.1",
        port=arguments.port,
        access_log=None,
        print=None,
        shutdown_timeout=1.0,
    )


if __name__ == "__main__":
    main()
