"""Passing an HTTP request on unchanged: what the origin and the gate share."""

from __future__ import annotations

import aiohttp
from aiohttp import web
from yarl import URL

# Hop-by-hop (RFC 9110, section 7.6.1), and what each connection frames anew.
NOT_FORWARDED = frozenset(
    {"connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
BODY_LIMIT = 64 * 1024 * 1024


class Forwarder:
    """Sends requests to one target.

    Method, path and query go as they came, never decoded and encoded again, because signatures are computed over
    them; so do the body and the headers. The answer comes back likewise.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._session: aiohttp.ClientSession | None = None

    async def open(self, _app: web.Application) -> None:
        """Opens the connection pool."""
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=60),
            connector=aiohttp.TCPConnector(limit=0),
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        )

    async def close(self, _app: web.Application) -> None:
        """Closes it."""
        if self._session is not None:
            await self._session.close()

    async def send(self, request: web.Request, host: str) -> web.Response:
        """Passes one request on, with `host` as its Host header."""
        assert self._session is not None
        body = await request.read()
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in NOT_FORWARDED]
        headers.append(("Host", host))
        async with self._session.request(
            request.method,
            URL(self._target + request.raw_path, encoded=True),
            headers=headers,
            data=body or None,
            allow_redirects=False,
        ) as answer:
            response = web.Response(status=answer.status, body=await answer.read())
            # aiohttp writes one of its own into a new response.
            response.headers.popall("Content-Type", None)
            for name, value in answer.headers.items():
                if name.lower() not in NOT_FORWARDED:
                    response.headers.add(name, value)
            return response

    def application(self, handler) -> web.Application:
        """An application that answers every request with `handler`."""
        app = web.Application(client_max_size=BODY_LIMIT)
        app.on_startup.append(self.open)
        app.on_cleanup.append(self.close)
        app.router.add_route("*", "/{path:.*}", handler)
        return app
