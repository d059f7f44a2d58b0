"""The README's commands, run as a newcomer would type them: only the ports are the test's own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PORTS = {
    "DESKBRIDGE_PORT": 9000,
    "DESKBRIDGE_AWS_PORT": 4566,
    "DESKBRIDGE_VCS_PORT": 9101,
    "DESKBRIDGE_FRONTSTAGE_PORT": 9102,
    "DESKBRIDGE_CHAT_PORT": 9103,
    "DESKBRIDGE_AGENTS_PORT": 9104,
    "DESKBRIDGE_SHOP_PORT": 9105,
    "DESKBRIDGE_PUSH_PORT": 9106,
    "DESKBRIDGE_CTRADER_PORT": 9108,
    "DESKBRIDGE_IADVIZE_PORT": 9109,
    "DESKBRIDGE_ROXCHAT_PORT": 9110,
}
# `make test` is what runs this, and `make deploy` takes an AWS account: for these it is checked that make knows them.
# Deploying with the SAM CLI itself is a test of its own.
NOT_RUN = {"make test", "make deploy"}
MARK = "-- next block --"


def blocks() -> list[str]:
    """The commands of the README, block by block, in order."""
    text = (PROJECT / "README.md").read_text()
    return [block.strip() for block in re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)]


def sessions() -> list[tuple[str, list[str]]]:
    """Each `make run` of the README with the blocks that are typed while it runs."""
    found: list[tuple[str, list[str]]] = []
    for block in blocks():
        if block.startswith("make run"):
            found.append((block, []))
        elif block not in NOT_RUN:
            found[-1][1].append(block)
    return found


def free_port() -> int:
    """A port nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a terminal, with ports and a state directory of its own."""
    own = {name: str(free_port()) for name in PORTS}
    return {**os.environ, **own, "DESKBRIDGE_STATE": str(tmp_path / "state")}


@pytest.fixture
def terminal(environment: dict[str, str], tmp_path: Path) -> Iterator:
    """Runs one session and hands back what each of its blocks printed."""
    running: list[subprocess.Popen] = []

    def run(start: str, typed: list[str]) -> list[str]:
        log = tmp_path / "run.log"
        with log.open("w") as out:
            stack = subprocess.Popen(
                start, shell=True, cwd=PROJECT, env=environment, stdout=out, stderr=out, start_new_session=True
            )
        running.append(stack)
        end = time.monotonic() + 120
        while "is ready" not in log.read_text():
            assert stack.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.2)
        script = f"\necho '{MARK}'\n".join(typed)
        for name, port in PORTS.items():
            script = script.replace(f"127.0.0.1:{port}", f"127.0.0.1:{environment[name]}")
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", script],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split(MARK)

    yield run
    for stack in running:
        os.killpg(stack.pid, signal.SIGINT)
        stack.wait(timeout=30)


def test_every_block_is_run_or_known_to_make() -> None:
    assert NOT_RUN <= set(blocks())
    for command in sorted(NOT_RUN):
        target = command.removeprefix("make ")
        known = subprocess.run(["make", "-n", target], cwd=PROJECT, capture_output=True, text=True, check=False)
        assert known.returncode == 0, known.stderr
    assert [len(typed) for _, typed in sessions()] == [6, 1]


def test_first_session_shows_a_message_going_both_ways_and_a_repetition(terminal) -> None:
    start, typed = sessions()[0]
    sent, answered, story, chat, connection, repeated = terminal(start, typed)

    assert re.search(r"^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-", sent.strip()), "the message has an id"
    state = json.loads(sent[sent.index("{") :])
    assert [m["message"] for m in state["messages"]] == ["Is 3 pm free?"]
    assert [s["status"] for s in state["sessions"]] == ["active"]

    assert '"BodyText": "Yes. See you at 3."' in answered
    assert '"signature": "ok"' in answered
    assert '"status": "sent"' in answered

    timeline = json.loads(story)
    assert [d["state"] for d in timeline["deliveries"]] == ["sent"]
    assert [e.get("event", e["kind"]) for e in timeline["entries"]][:2] == ["accepted", "handed_over"]

    transcript = chat[chat.rindex('"Is anybody there?"') :]
    assert transcript.index('"Is anybody there?"') < transcript.index('"Yes. How can I help?"')

    told = json.loads(connection)
    assert (told["business_uid"], told["channel"]) == ("s4l0n1r1sb7d2k9x", None), "nobody has opened the app yet"

    outcomes = re.findall(r'"Outcome": "(\w+)"', repeated)
    assert outcomes[0] == "Accepted" and outcomes[-1] == "Duplicate"


def test_second_session_shows_a_retry_and_the_failure(terminal) -> None:
    start, typed = sessions()[1]
    (printed,) = terminal(start, typed)
    timeline = json.loads(printed[printed.rindex('{"conversation"') :])
    to_visitor = [d for d in timeline["deliveries"] if d["delivery"].endswith("@frontstage/gw-demo")]
    assert [(d["state"], d["reason"]) for d in to_visitor] == [("failed", "no_acknowledgement")]
    events = [e["event"] for e in timeline["entries"] if e.get("delivery", "").endswith("@frontstage/gw-demo")]
    assert events == ["handed_over", "no_acknowledgement"] * 3
    assert '"status": "error"' in printed
