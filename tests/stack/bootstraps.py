"""Lays out what the workspace build made the way Lambda wants it: target/lambda/<function>/bootstrap.

`python3 -m tests.stack.bootstraps` needs nothing but Python and cargo. Every binary of a package under functions/ is a
function, so a new one needs no line here. A bootstrap is only written when it changed, which is what `make watch` and
the deployment look at. What would start here and not on Lambda is found here: a wrong architecture, a too new glibc.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "target"

MACHINES = {0x3E: "x86_64", 0xB7: "arm64"}
"""e_machine of an ELF file, as Lambda names it."""

LAMBDA_GLIBC = (2, 34)
"""The C library of provided.al2023."""


class BuildError(Exception):
    """The bootstraps cannot be used; the text says why and what to do."""


def functions() -> list[str]:
    """The deployed functions: every binary of the packages under functions/."""
    metadata = json.loads(
        subprocess.run(
            ["cargo", "metadata", "--format-version=1", "--no-deps"],
            cwd=ROOT, check=True, capture_output=True, text=True,
        ).stdout
    )  # fmt: skip
    home = ROOT / "functions"
    return sorted(
        target["name"]
        for package in metadata["packages"]
        if home in Path(package["manifest_path"]).parents
        for target in package["targets"]
        if "bin" in target["kind"]
    )


def architecture(binary: Path) -> str:
    """What a binary was built for."""
    with binary.open("rb") as file:
        header = file.read(20)
    if header[:4] != b"\x7fELF":
        return "no Linux binary"
    return MACHINES.get(struct.unpack("<H", header[18:20])[0], "unknown")


def needed_glibc(binary: Path) -> tuple[int, int]:
    """The newest glibc that a binary names in its symbol versions, as `objdump -T` shows them."""
    versions = re.findall(rb"GLIBC_(\d+)\.(\d+)\x00|GLIBC_(\d+)\.(\d+)\.\d+\x00", binary.read_bytes())
    return max(((int(a or c), int(b or d)) for a, b, c, d in versions), default=(0, 0))


def lay_out(release: Path, to: Path) -> tuple[list[str], list[str]]:
    """Copies the binaries; returns all functions and those that changed."""
    names, changed = functions(), []
    for name in names:
        source, bootstrap = release / name, to / name / "bootstrap"
        if not source.is_file():
            raise BuildError(f"{source} is missing: cargo did not build it")
        if bootstrap.is_file() and bootstrap.read_bytes() == source.read_bytes():
            continue
        bootstrap.parent.mkdir(parents=True, exist_ok=True)
        # Written aside and renamed: nobody packages half a file.
        shutil.copy2(source, bootstrap.with_suffix(".new"))
        bootstrap.with_suffix(".new").replace(bootstrap)
        changed.append(name)
    for folder in to.iterdir() if to.is_dir() else ():
        if folder.name not in names:
            shutil.rmtree(folder)
    return names, changed


def check(to: Path, wanted: str | None) -> str:
    """The architecture that all bootstraps share; an error when Lambda could not start them."""
    bootstraps = sorted(to.glob("*/bootstrap"))
    if not bootstraps:
        raise BuildError(f"there is no bootstrap below {to}: run `make build`")
    found = {architecture(bootstrap) for bootstrap in bootstraps}
    if len(found) != 1 or not found <= set(MACHINES.values()):
        raise BuildError(f"the bootstraps were built for {', '.join(sorted(found))}: run `make clean build` on Linux")
    [built_for] = found
    if wanted and wanted != built_for:
        raise BuildError(f"the bootstraps were built for {built_for}, not {wanted}")
    for bootstrap in bootstraps:
        needs = needed_glibc(bootstrap)
        if needs > LAMBDA_GLIBC:
            raise BuildError(
                f"{bootstrap.parent.name} needs glibc {needs[0]}.{needs[1]}, provided.al2023 has "
                f"{LAMBDA_GLIBC[0]}.{LAMBDA_GLIBC[1]}: build with `make build ZIG=1` (needs cargo-zigbuild)"
            )
    return built_for


def main() -> int:
    """Copies, or only checks."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.stack.bootstraps")
    parser.add_argument("--release", type=Path, default=TARGET / "release", help="where cargo put the binaries")
    parser.add_argument("--to", type=Path, default=TARGET / "lambda")
    parser.add_argument("--architecture", choices=sorted(MACHINES.values()), help="what they must be built for")
    parser.add_argument("--check", action="store_true", help="copy nothing; print the architecture")
    arguments = parser.parse_args()
    try:
        if arguments.check:
            print(check(arguments.to, arguments.architecture))
            return 0
        names, changed = lay_out(arguments.release, arguments.to)
        built_for = check(arguments.to, arguments.architecture)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{len(names)} functions for {built_for} in {arguments.to.relative_to(ROOT)}, {len(changed)} changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
