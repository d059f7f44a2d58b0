"""Child processes that are always ended: by us when we stop, by the next run when we could not.

Every child leads a session of its own, so that ending its process group ends whatever it started (the emulator starts
one process per function). Each start is written to a file in the state directory, with the time the process was
started: a run that was killed leaves that file behind, and the next run ends what is still alive of it, without ever
touching a process that only inherited the number.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

STOP_SECONDS = 3.0
"""How long a child may take to end after SIGTERM before it is killed."""


def started_at(pid: int) -> str | None:
    """When the process was started, as `ps` prints it; None when there is no such process, or only its exit status."""
    asked = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    state, _, when = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else when.strip()


def end_group(pid: int, is_gone, seconds: float = STOP_SECONDS) -> None:
    """Ends the process group that `pid` leads: politely, then not."""
    # A stopped process (SIGSTOP) sees SIGTERM only once it goes on.
    for sign in (signal.SIGTERM, signal.SIGCONT):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, sign)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not is_gone():
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


class Children:
    """The processes of one run."""

    def __init__(self, state_dir: Path) -> None:
        self._record = state_dir / "processes.json"
        self._logs = state_dir / "logs"
        self._children: dict[str, subprocess.Popen] = {}

    def end_leftovers(self) -> int | None:
        """Ends what a killed run of this state directory left; answers that run's process number when it still runs."""
        try:
            record = json.loads(self._record.read_text())
        except (FileNotFoundError, ValueError):
            return None
        owner = record["owner"]
        if owner["pid"] != os.getpid() and started_at(owner["pid"]) == owner["started_at"]:
            return owner["pid"]
        for entry in record["children"]:
            pid, when = entry["pid"], entry["started_at"]
            if started_at(pid) == when:
                end_group(pid, lambda pid=pid, when=when: started_at(pid) != when)
        self._record.unlink(missing_ok=True)
        return None

    def start(self, name: str, argv: list[str], env: dict[str, str] | None = None) -> subprocess.Popen:
        """Starts one process; what it prints goes to ``logs/<name>.log``."""
        self._logs.mkdir(parents=True, exist_ok=True)
        with self.log_file(name).open("wb") as log:
            child = subprocess.Popen(
                argv, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._children[name] = child
        self._write_record()
        return child

    def pid(self, name: str) -> int:
        """The number of a child, and of the process group that it leads."""
        return self._children[name].pid

    def log_file(self, name: str) -> Path:
        """Where the output of a child is."""
        return self._logs / f"{name}.log"

    def first_dead(self) -> str | None:
        """The name of a child that ended although nobody asked it to."""
        return next((name for name, child in self._children.items() if child.poll() is not None), None)

    def tail(self, name: str, lines: int = 15) -> str:
        """The last lines that a child printed."""
        try:
            return "\n".join(self.log_file(name).read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    def stop(self, name: str) -> None:
        """Ends one child and all that it started."""
        child = self._children.pop(name, None)
        if child is not None:
            end_group(child.pid, lambda: child.poll() is not None)
            child.wait()
            self._write_record()

    def stop_all(self) -> None:
        """Ends all children, the last one first."""
        for name in reversed(list(self._children)):
            try:
                self.stop(name)
            except OSError as error:
                print(f"{name}: {error}", file=sys.stderr)
        self._record.unlink(missing_ok=True)

    def _write_record(self) -> None:
        entries = [
            {"name": name, "pid": child.pid, "started_at": started_at(child.pid)}
            for name, child in self._children.items()
        ]
        owner = {"pid": os.getpid(), "started_at": started_at(os.getpid())}
        self._record.write_text(json.dumps({"owner": owner, "children": entries}, indent=1))
