"""Joins the modules of ``src`` into one script for each screen: a screen takes one request for its code.

Run: ``python web/inapp/build.py`` (``--check`` only tells whether the files are what the modules say).
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHARED = HERE.parent / "common"
sys.path.insert(0, str(HERE.parent))

import join  # noqa: E402

STYLE = "inapp.css"
HEADER = "/* Deskbridge screens. Apache-2.0. Made by web/inapp/build.py from web/inapp/src. */\n"

COMMON = ("dom.js", "words.js", "query.js", "api.js", "memory.js", "screen.js")

#: What a screen is made of. A module comes after those it imports.
SCREENS = {
    "action": (*COMMON, "upload.js", "schema.js", "form.js", "action.js"),
    "chat": (*COMMON, "upload.js", "talk.js", "chat.js"),
    "education": (*COMMON, "education.js"),
}


def outputs() -> dict[str, str]:
    """File name to text, for everything that is made."""
    used = {name for names in SCREENS.values() for name in names} | {STYLE}
    present = {path.name for folder in (HERE / "src", SHARED) for path in folder.iterdir()}
    if used != present:
        raise SystemExit(f"SCREENS and src differ: {sorted(used ^ present)}")
    made = {STYLE: HEADER + join.style((HERE / "src" / STYLE).read_text(encoding="utf-8"))}
    for screen, names in SCREENS.items():
        paths = [join.find(name, HERE / "src", SHARED) for name in names]
        join.one_scope(paths)
        parts = [join.module(path, set(names[:place])) for place, path in enumerate(paths)]
        # A module script has a scope of its own and is strict.
        made[f"{screen}.js"] = HEADER + "".join(parts)
    return made


if __name__ == "__main__":
    sys.exit(join.write(HERE, outputs()))
