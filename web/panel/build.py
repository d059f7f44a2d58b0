"""Joins the modules of the panel into one script: the page takes one request for its code.

Run: ``python web/panel/build.py`` (``--check`` only tells whether the files are what the modules say).
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHARED = HERE.parent / "common", HERE.parent / "agents"
sys.path.insert(0, str(HERE.parent))

import join  # noqa: E402

HEADER = "/* Deskbridge panel. Apache-2.0. Made by web/panel/build.py from web/panel/src, web/common and web/agents. */\n"

#: What the page is made of. A module comes after those it imports.
MODULES = (
    "dom.js",
    "words.js",
    "agent.js",
    "desk.js",
    "api.js",
    "parts.js",
    "tabs.js",
    "customer.js",
    "replies.js",
    "products.js",
    "payment.js",
    "panel.js",
)


if __name__ == "__main__":
    sys.exit(join.write(HERE, join.page(HERE, "panel", MODULES, HEADER, SHARED)))
