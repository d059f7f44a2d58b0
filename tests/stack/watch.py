"""`make watch`: rebuilds when a source changes and puts the changed functions into the running stack.

The one workspace build is the same as `make build`; only functions whose bootstrap really changed are updated, and
queues, table and conversations stay as they are.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import boto3
import watchfiles

from tests.stack import deploy, emulator
from tests.stack.stack import BOOTSTRAPS

WATCHED = ("functions", "shared", "Cargo.toml", "Cargo.lock")


def is_source(_change: watchfiles.Change, path: str) -> bool:
    """Whether a changed file is an input of the build."""
    return path.endswith((".rs", ".toml", ".lock", ".html", ".css", ".js", ".json"))


def update(stack_file: Path) -> list[str]:
    """Updates the functions whose code differs from their bootstrap; returns their names."""
    info = json.loads(stack_file.read_text())
    client = boto3.session.Session().client(
        "lambda",
        endpoint_url=info["aws"]["endpoint"],
        region_name=info["aws"]["region"],
        **emulator.ACCOUNT_KEYS,
    )
    updated = []
    for function, entry in info["functions"].items():
        bootstrap = BOOTSTRAPS / function / "bootstrap"
        if not bootstrap.is_file():
            continue
        package = deploy.zipped(bootstrap)
        sha = base64.b64encode(hashlib.sha256(package).digest()).decode()
        deployed = client.get_function_configuration(FunctionName=entry["name"])["CodeSha256"]
        if sha != deployed:
            client.update_function_code(FunctionName=entry["name"], ZipFile=package)
            updated.append(function)
    return updated


def build_and_update(stack_file: Path) -> None:
    """One round."""
    began = time.monotonic()
    if subprocess.run(["make", "--no-print-directory", "build"], cwd=deploy.ROOT, check=False).returncode != 0:
        print("the build failed; the stack keeps its functions", flush=True)
        return
    if not stack_file.exists():
        print("no stack is running: start one with `make run`", flush=True)
        return
    names = update(stack_file)
    print(f"[{time.monotonic() - began:.1f} s] updated: {', '.join(names) or 'nothing'}", flush=True)


def main() -> int:
    """Runs until Ctrl-C."""
    stack_file = Path(os.environ.get("DESKBRIDGE_STATE") or ".local").resolve() / "stack.json"
    build_and_update(stack_file)
    paths = [deploy.ROOT / name for name in WATCHED]
    for _changes in watchfiles.watch(*paths, watch_filter=is_source, raise_interrupt=False):
        build_and_update(stack_file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
