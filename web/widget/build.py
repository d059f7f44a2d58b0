"""Joins the modules of ``src`` into ``webchat.js``, the one file that a page loads; standard library only.

The modules are plain ES modules that import each other by name. Joined, they share one function scope, so the imports
and the word ``export`` go away; so do lines that are only a comment, and indentation. Nothing else changes, which keeps
the served script readable.

Run: ``python web/widget/build.py`` (``--check`` only tells whether the file is what the modules say).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
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
IMPORT = re.compile(r"^import \{[^}]+\} from '\./([\w.]+)';$")
NAME = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)


def style(text: str) -> str:
    """The style sheet without comments and indentation."""
    without = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return "\n".join(line.strip() for line in without.splitlines() if line.strip()) + "\n"


def module(name: str, earlier: set[str]) -> str:
    """One module as part of the joined function."""
    text = (HERE / "src" / name).read_text(encoding="utf-8")
    if name == STYLE:
        sheet = style(text)
        if re.search(r"[`\\]|\$\{", sheet):
            raise SystemExit(f"{name} holds what a template literal would read otherwise")
        return f"const STYLE = `{sheet}`;\n"
    lines = []
    for line in text.splitlines():
        found = IMPORT.match(line)
        if found and found[1] not in earlier:
            raise SystemExit(f"{name} imports {found[1]}, which comes later in ORDER")
        bare = line.strip()
        if bare and not found and not bare.startswith("//"):
            lines.append(re.sub(r"^export (?=function|const|class|async)", "", bare))
    return "\n".join(lines) + "\n"


def outputs() -> dict[str, str]:
    """File name to text, for everything that is served."""
    names = {path.name for path in (HERE / "src").iterdir()}
    if names != set(ORDER):
        raise SystemExit(f"ORDER and src differ: {sorted(names ^ set(ORDER))}")
    seen: set[str] = set()
    for name in ORDER:
        # Two functions of one name in one scope are no error to a browser: the later one would win silently.
        declared = set(NAME.findall((HERE / "src" / name).read_text(encoding="utf-8")))
        if declared & seen:
            raise SystemExit(f"{name} declares again: {sorted(declared & seen)}")
        seen |= declared
    parts = [module(name, set(ORDER[:place])) for place, name in enumerate(ORDER)]
    return {
        "webchat.js": f"{HEADER}(() => {{\n'use strict';\n{''.join(parts)}}})();\n",
        STYLE: HEADER + style((HERE / "src" / STYLE).read_text(encoding="utf-8")),
    }


def main() -> int:
    """Write, or with ``--check`` compare."""
    stale = []
    for name, text in outputs().items():
        path = HERE / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv[1:]:
                path.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv[1:]:
        print(f"not up to date: {', '.join(stale)}; run web/widget/build.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
