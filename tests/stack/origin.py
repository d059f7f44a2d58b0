"""One origin for all HTTP routes, as the HTTP API is on AWS: `python -m tests.stack.origin`.

The emulator tells its HTTP APIs apart by the Host header or by a prefix of the path. This passes each request on with the
prefix and otherwise unchanged, its Host included: by that the functions tell brands apart, as they do behind a custom domain.
"""

from __future__ import annotations

import argparse

import aiohttp
from aiohttp import web

from tests.stack.forward import Forwarder


def application(target: str, api: str) -> web.Application:
    """The origin of the HTTP API with this id at `target`."""
    forwarder = Forwarder(f"{target}/_aws/execute-api/{api}")

    async def forward(request: web.Request) -> web.Response:
        try:
            return await forwarder.send(request, request.headers.get("Host", ""))
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
    arguments = parser.parse_args()
    web.run_app(
        application(arguments.target, arguments.api),
        host="127.0.0.1",
        port=arguments.port,
        access_log=None,
        print=None,
        shutdown_timeout=1.0,
    )


if __name__ == "__main__":
    main()
