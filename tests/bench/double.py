"""Runs `bench-double` (src/double): a Lambda Runtime API and the AWS services a function calls, with a stop-watch."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BINARY = ROOT / "target" / "release" / "bench-double"

LIMIT_SECONDS = 300
"""Of one measurement: the double itself gives up long before."""


class Impossible(Exception):
    """Something cannot be measured; the text says why."""


@dataclass(frozen=True)
class Program:
    """What is started: a Lambda bootstrap and its environment, without the addresses of the doubles."""

    path: Path
    env: dict[str, str] = field(default_factory=dict)

    def spec(self) -> dict[str, Any]:
        """As the double reads it."""
        return {"path": str(self.path), "env": self.env}


@dataclass(frozen=True)
class World:
    """What the AWS doubles hold: items of the table and parameters of SSM. Writes do not change it."""

    items: list[dict[str, Any]] = field(default_factory=list)
    parameters: list[dict[str, Any]] = field(default_factory=list)

    def spec(self) -> dict[str, Any]:
        """As the double reads it."""
        return {"items": self.items, "parameters": self.parameters}


@dataclass(frozen=True)
class Start:
    """Starts of one program."""

    ns: list[int]
    """From just before the process is made to its first request for an event."""
    calls: dict[str, int]
    """AWS operations of the first start."""
    log: str
    """What it wrote in its first start."""


@dataclass(frozen=True)
class Kind:
    """Invocations that had the same outcome."""

    calls: dict[str, int]
    """AWS operations of one of them."""
    status: str
    """`statusCode` of the answer; `null` when it has none."""
    count: int


@dataclass(frozen=True)
class Invocations:
    """Invocations of one program, without those of the warm-up."""

    count: int
    cpu_ns: int
    """User and system time of the process, all invocations together."""
    wall_ns: int
    kinds: list[Kind]
    last_answer: Any
    written: list[dict[str, Any]]
    """Items put or updated, when they were to be kept."""
    sent: list[str]
    """Bodies of queue messages, when they were to be kept."""
    log: str


def measure_start(programs: list[Program], world: World, *, warm_up: int, rounds: int) -> list[Start]:
    """Starts the programs in turn, each `warm_up + rounds` times."""
    spec = {"mode": "start", "programs": [one.spec() for one in programs], "warm_up": warm_up, "rounds": rounds}
    return [Start(**one) for one in _run(spec | world.spec())]


def invoke(program: Program, world: World, events: list[Any], *, warm_up: int = 0, keep: bool = False) -> Invocations:
    """Starts a program and gives it the events one after the other. With `keep`, what it writes is returned."""
    spec = {"mode": "invoke", "program": program.spec(), "events": events, "warm_up": warm_up, "keep": keep}
    result = _run(spec | world.spec())
    kinds = [Kind(**kind) for kind in result.pop("kinds")]
    return Invocations(count=result.pop("invocations"), kinds=kinds, **result)


def _run(spec: dict[str, Any]) -> Any:
    if not BINARY.is_file():
        raise Impossible(f"{BINARY} is missing: run `make build`")
    try:
        done = subprocess.run(
            [BINARY], input=json.dumps(spec), capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Impossible(f"no result within {LIMIT_SECONDS} s") from error
    if done.returncode:
        raise Impossible(done.stderr.strip())
    return json.loads(done.stdout)
