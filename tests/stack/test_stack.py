"""The stack itself: what it promises to the tests that use it, with the template's real functions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.stack import Ports, Stack, StackError, emulator
from tests.stack.processes import Children, started_at
from tests.stack.stack import accepts

ROOT = Path(__file__).resolve().parents[2]


def status(method: str, url: str) -> int:
    request = urllib.request.Request(url, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_sam_cli_deploys_the_template(tmp_path):
    with Stack(state_dir=tmp_path, simulators=False, sam_cli=True, name="by-sam", watches_logs=True) as stack:
        assert stack.info["aws"]["stack"] == "by-sam"
        assert set(stack.info["functions"]) == {path.parent.name for path in ROOT.glob("target/lambda/*/bootstrap")}
        assert status("DELETE", f"{stack.origin}/vcita/demo/wrong/messages") in (404, 405)
        assert stack.logs("operator-configure")


def test_foreground_run_ends_all_processes_on_sigterm(tmp_path):
    ports = Ports.free()
    environment = os.environ | {
        "DESKBRIDGE_STATE": str(tmp_path),
        "DESKBRIDGE_PORT": str(ports.origin),
        "DESKBRIDGE_AWS_PORT": str(ports.aws),
        "DESKBRIDGE_VCS_PORT": str(ports.vcs),
        "DESKBRIDGE_FRONTSTAGE_PORT": str(ports.frontstage),
        "DESKBRIDGE_CTRADER_PORT": str(ports.ctrader),
        "DESKBRIDGE_IADVIZE_PORT": str(ports.iadvize),
        "DESKBRIDGE_ROXCHAT_PORT": str(ports.roxchat),
    }
    stack_file = tmp_path / "stack.json"
    run = subprocess.Popen([sys.executable, "-m", "tests.stack"], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 30
        while not stack_file.exists():
            assert run.poll() is None and time.monotonic() < deadline, "the stack did not start"
            time.sleep(0.1)
        info = json.loads(stack_file.read_text())
        assert info["origin"] == f"http://127.0.0.1:{ports.origin}"
        assert accepts(ports.aws) and accepts(ports.vcs) and accepts(ports.frontstage)
        run.send_signal(signal.SIGTERM)
        printed, _ = run.communicate(timeout=15)
    finally:
        run.kill()
        run.wait()
    assert run.returncode == 0
    assert f"ready at http://127.0.0.1:{ports.origin}".encode() in printed
    assert not any(accepts(port) for port in (ports.origin, ports.aws, ports.vcs, ports.frontstage))
    assert not stack_file.exists()


def test_leftovers_of_a_killed_run_are_ended_by_the_next(tmp_path):
    killed = Children(tmp_path)
    child = killed.start("sleeper", [sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        Children(tmp_path).end_leftovers()
        assert child.wait(timeout=5) != 0
    finally:
        child.kill()


def test_running_stack_is_not_ended_by_a_second_one(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        entry = {"name": "aws", "pid": other.pid, "started_at": started_at(other.pid)}
        (tmp_path / "processes.json").write_text(json.dumps({"owner": entry, "children": [entry]}))
        with pytest.raises(StackError, match=f"process {other.pid} runs a stack"):
            Stack(state_dir=tmp_path).start()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_process_that_inherited_a_number_is_left_alone(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        entry = {"name": "aws", "pid": other.pid, "started_at": "Mon Jan  1 00:00:00 2001"}
        (tmp_path / "processes.json").write_text(json.dumps({"owner": entry, "children": [entry]}))
        assert Children(tmp_path).end_leftovers() is None
        assert other.poll() is None
        assert started_at(other.pid)
    finally:
        other.kill()
        other.wait()


def test_port_in_use_names_the_variable_to_set(tmp_path):
    with Stack(state_dir=tmp_path / "first", simulators=False, demo=False) as first:
        second = Stack(state_dir=tmp_path / "second", ports=first.ports, simulators=False)
        with pytest.raises(StackError, match=f"port {first.ports.origin} is in use .* DESKBRIDGE_PORT"):
            second.start()
        # The second one must not have ended the first.
        assert status("GET", f"{first.origin}/nowhere") == 404


def test_gate_counts_and_fails_what_functions_ask_of_aws(tmp_path):
    with Stack(state_dir=tmp_path, simulators=False, gate=True, watches_logs=True) as stack:
        writes = [entry for entry in stack.gate.operations("operator-configure") if entry.service == "dynamodb"]
        assert writes and all(entry.status == 200 for entry in writes)
        stack.gate.forget()
        stack.gate.fail("dynamodb")
        with pytest.raises(StackError):
            stack.invoke("operator-configure", stack.demo_document())
        assert {entry.status for entry in stack.gate.operations("operator-configure")} == {500}
        stack.gate.lift()
        stack.invoke("operator-configure", stack.demo_document())


def test_functions_get_nothing_of_our_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("DESKBRIDGE_TABLE", "leaked")
    assert "DESKBRIDGE_TABLE" not in emulator.environment(4566, tmp_path)
