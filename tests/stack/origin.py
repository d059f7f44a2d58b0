"""One origin for all HTTP routes, as the HTTP API is on AWS: `python -m tests.stack.origin`.

The emulator tells its HTTP APIs apart by the Host header, which a person at a terminal, a browser or a platform's
console cannot set. This passes each request on with that header and otherwise unchanged.
"""

from __future__ import annotations

import argparse

import aiohttp
from aiohttp import web

from tests.stack.forward import Forwarder


def application(target: str, host: str) -> web.Application:
    """The origin of the HTTP API that `host` selects at `target`."""
    forwarder = Forwarder(target)

    async def forward(request: web.Request) -> web.Response:
        try:
            return await forwarder.send(request, host)
        except (aiohttp.ClientError, TimeoutError):
            # What API Gateway answers when it cannot reach the function.
            return web.json_response({"message": "Service Unavailable"}, status=503)

    return forwarder.application(forward)


def main() -> None:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tests.stack.origin", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--target", required=True, help="http://127.0.0.1:<port of the emulator>")
    parser.add_argument("--host", required=True, help="the Host header that selects the HTTP API")
    arguments = parser.parse_args()
    web.run_app(
        application(arguments.target, arguments.host),
        host="127.0.0.1",
        port=arguments.port,
        access_log=None,
        print=None,
        shutdown_timeout=1.0,
    )


if __name__ == "__main__":
    main()
