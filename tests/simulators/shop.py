"""A merchant's web site with the chat on it: one page, one script tag, a strict content policy.

Run: ``python -m tests.simulators.shop --port 9105
--script http://127.0.0.1:9000/v1/frontstage/gw-web/web/scripts/webchat.js``
"""

from __future__ import annotations

import argparse
import sys
from html import escape
from urllib.parse import urlsplit

from aiohttp import web

from tests.simulators.common import run

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Demo shop</title>
<h1>Demo shop</h1>
<p>You are at {path}. <a href="/">Home</a> <a href="/basket">Basket</a> <a href="/contact">Contact</a></p>
<p>The chat below comes from one script tag.</p>
<script src="{script}" async></script>
"""


def shop(script: str) -> web.Application:
    """The site."""
    address = urlsplit(script)
    origin = f"{address.scheme}://{address.netloc}"
    policy = f"default-src 'none'; script-src {origin}; connect-src {origin}; base-uri 'none'; form-action 'none'"

    async def page(request: web.Request) -> web.Response:
        text = PAGE.format(path=escape(request.path), script=escape(script))
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": policy})

    application = web.Application()
    application.add_routes([web.get("/{tail:.*}", page)])
    return application


def main() -> int:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.shop", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=9105)
    parser.add_argument("--script", required=True, help="address of the widget's script")
    options = parser.parse_args()
    return run(shop(options.script), options.port, "shop")


if __name__ == "__main__":
    sys.exit(main())
