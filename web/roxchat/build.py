"""Joins the modules of the host page into one script: the page takes one request for its code.

Run: ``python web/roxchat/build.py`` (``--check`` only tells whether the files are what the modules say).
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHARED = HERE.parent / "common", HERE.parent / "agents"
sys.path.insert(0, str(HERE.parent))

import join  # noqa: E402

HEADER = "/* Deskbridge host page. Apache-2.0. Made by web/roxchat/build.py from web/roxchat/src, web/common and web/agents. */\n"

#: What the page is made of. A module comes after those it imports.
MODULES = (
    "dom.js",
    "words.js",
    "agent.js",
    "text.js",
    "settings.js",
    "examine.js",
    "wire.js",
    "store.js",
    "outbox.js",
    "api.js",
    "session.js",
    "sender.js",
    "commands.js",
    "show.js",
    "notices.js",
    "card.js",
    "checkup.js",
    "leave.js",
    "host.js",
)


if __name__ == "__main__":
    sys.exit(join.write(HERE, join.page(HERE, "roxchat", MODULES, HEADER, SHARED)))
