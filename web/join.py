"""Joins plain ES modules that import each other by name into one scope; standard library only.

Joined, the imports and the word ``export`` go away; so do lines that are only a comment, and indentation. Nothing else
changes, which keeps the served script readable.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

IMPORT = re.compile(r"^import \{[^}]+\} from '\./([\w.]+)';$")
NAME = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)


def style(text: str) -> str:
    """A style sheet without comments and indentation."""
    without = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return "\n".join(line.strip() for line in without.splitlines() if line.strip()) + "\n"


def module(path: Path, earlier: set[str]) -> str:
    """One module as part of the joined scope. It may import only what stands in ``earlier``."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        found = IMPORT.match(line)
        if found and found[1] not in earlier:
            raise SystemExit(f"{path.name} imports {found[1]}, which comes later in the order")
        bare = line.strip()
        if bare and not found and not bare.startswith("//"):
            lines.append(re.sub(r"^export (?=function|const|class|async)", "", bare))
    return "\n".join(lines) + "\n"


def find(name: str, *folders: Path) -> Path:
    """A module of a page, or of those that several pages have in common."""
    found = [folder / name for folder in folders if (folder / name).is_file()]
    if len(found) != 1:
        raise SystemExit(f"{name} is in {len(found)} of {[str(folder) for folder in folders]}")
    return found[0]


def one_scope(paths: Iterable[Path]) -> None:
    """Two functions of one name in one scope are no error to a browser: the later one would win silently."""
    seen: set[str] = set()
    for path in paths:
        declared = set(NAME.findall(path.read_text(encoding="utf-8")))
        if declared & seen:
            raise SystemExit(f"{path.name} declares again: {sorted(declared & seen)}")
        seen |= declared


def page(folder: Path, name: str, modules: Sequence[str], header: str, shared: Iterable[Path]) -> dict[str, str]:
    """The style sheet and the script of a page that has one of each, by their file names.

    ``modules`` says what the script is made of, of the page's own in ``src`` and of those in ``shared``: a module comes after those it
    imports, and none of the page's own may be missing.
    """
    source = folder / "src"
    sheet = f"{name}.css"
    own = {path.name for path in source.iterdir()} - {sheet}
    if not own <= set(modules):
        raise SystemExit(f"the modules lack {sorted(own - set(modules))}")
    paths = [find(module_name, source, *shared) for module_name in modules]
    one_scope(paths)
    parts = [module(path, set(modules[:place])) for place, path in enumerate(paths)]
    return {
        sheet: header + style((source / sheet).read_text(encoding="utf-8")),
        # A module script has a scope of its own and is strict.
        f"{name}.js": header + "".join(parts),
    }


def write(folder: Path, outputs: dict[str, str]) -> int:
    """Write what is served, or with ``--check`` compare; the program's exit status."""
    stale = []
    for name, text in outputs.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv[1:]:
                path.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv[1:]:
        print(f"not up to date: {', '.join(stale)}; run {folder.parent.name}/{folder.name}/build.py", file=sys.stderr)
        return 1
    return 0
