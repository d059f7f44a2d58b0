"""Joins the modules of ``src`` into ``webchat.js``, the one file that a page loads; standard library only.

Run: ``python web/widget/build.py`` (``--check`` only tells whether the file is what the modules say).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import join  # noqa: E402

STYLE = "webchat.css"

#: A module comes after those it imports.
ORDER = (
    "text.js",
    "literals.js",
    "memory.js",
    "api.js",
    "conversation.js",
    "form.js",
    "template.js",
    "look.js",
    "view.js",
    STYLE,
    "main.js",
)
HEADER = "/* Deskbridge chat widget. Apache-2.0. Made by web/widget/build.py from web/widget/src. */\n"


def module(name: str, earlier: set[str]) -> str:
    """One module as part of the joined function; the style sheet as a constant of it."""
    if name != STYLE:
        return join.module(HERE / "src" / name, earlier)
    sheet = join.style((HERE / "src" / name).read_text(encoding="utf-8"))
    if re.search(r"[`\\]|\$\{", sheet):
        raise SystemExit(f"{name} holds what a template literal would read otherwise")
    return f"const STYLE = `{sheet}`;\n"


def outputs() -> dict[str, str]:
    """File name to text, for everything that is served."""
    names = {path.name for path in (HERE / "src").iterdir()}
    if names != set(ORDER):
        raise SystemExit(f"ORDER and src differ: {sorted(names ^ set(ORDER))}")
    join.one_scope(HERE / "src" / name for name in ORDER)
    parts = [module(name, set(ORDER[:place])) for place, name in enumerate(ORDER)]
    return {
        "webchat.js": f"{HEADER}(() => {{\n'use strict';\n{''.join(parts)}}})();\n",
        STYLE: HEADER + join.style((HERE / "src" / STYLE).read_text(encoding="utf-8")),
    }


if __name__ == "__main__":
    sys.exit(join.write(HERE, outputs()))
