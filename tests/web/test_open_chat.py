"""What an open chat screen costs in an hour: its page, left alone in Chromium over the real functions, counted for half a minute.

`docs/architecture.md` computes the cost; here the requests and operations that it computes with are counted.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from typing import Any

import pytest

from tests.flows.conftest import running_stack
from tests.web.conftest import HERE, operator

PROJECT = HERE.parents[1]
HTTP_API, FUNCTION_REQUEST, GB_SECOND, READ_UNIT = 1.00e-6, 0.20e-6, 0.0000133334, 0.125e-6
"""Dollars, as the document names them."""
CALL_GB_SECONDS = 0.008 * 0.5
"""Of a call: measured by `make bench`, since the local stack's own times are not ours."""
OUT_GB = 0.09
"""Dollars for a gigabyte to the internet, beyond the free hundred of a month."""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the page asked for, in how many seconds, and what the function asked AWS for."""
    node = shutil.which("node")
    assert node is not None
    with running_stack(tmp_path_factory.mktemp("open-chat"), gate=True, chats=True) as stack:

        def call(name: str, event: Any) -> Any:
            if name != "operations":
                return stack.invoke(name, event)
            made = Counter(f"{one.service}:{one.name}" for one in stack.gate.operations("ctrader-chat"))
            stack.gate.forget()
            return made

        simulators = stack.info["simulators"]
        with operator(call) as operator_url:
            done = subprocess.run(
                [node, "--test", "--test-reporter=./reporter.mjs", "open-chat.mjs"],
                cwd=HERE,
                env={
                    **os.environ,
                    "OPERATOR": operator_url,
                    "SHOP": simulators["shop"],
                    "AGENTS": simulators["agents"],
                    "CTRADER": simulators["ctrader"],
                },
                capture_output=True,
                text=True,
                timeout=300,
            )
    found = re.search(r"^measured (.*)$", done.stdout, re.MULTILINE)
    assert found is not None, done.stdout + done.stderr
    return json.loads(found[1])


def test_poll_is_two_reads_and_nothing_else(measured: dict[str, Any]) -> None:
    requests, operations = measured["requests"], dict(measured["operations"])
    # Whoever serves the first poll in a sandbox, or after four minutes, reads the accounts: one query.
    assert operations.pop("dynamodb:Query", 0) <= 2
    assert set(operations) == {"dynamodb:BatchGetItem", "dynamodb:GetItem"}
    # One may be on its way at either end.
    assert all(abs(count - requests) <= 1 for count in operations.values()), measured


def test_poll_weighs_less_than_a_packet(measured: dict[str, Any]) -> None:
    assert 0 < measured["received"] < 1460
    assert 0 < measured["sent"] < 1460


def test_hour_costs_what_the_document_says(measured: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    pause = measured["seconds"] / measured["requests"]
    hourly = 3600 / pause
    each = HTTP_API + FUNCTION_REQUEST + CALL_GB_SECONDS * GB_SECOND + 2 * READ_UNIT
    out = hourly * measured["received"] / 1e9 * OUT_GB
    with capsys.disabled():
        print(
            f"\nopen chat, left alone: {measured['requests']} requests in {measured['seconds']:.1f} s, one each {pause:.2f} s; "
            f"{hourly:.0f} an hour with two reads each: ${hourly * each:.4f}; {measured['received']} bytes each: ${out:.4f}"
        )
    assert pause >= 0.7, "the pause that the function asks for"
    text = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
    said = re.search(r"^\| short polling \| [^|]* \| ([\d.]+) \|", text, re.MULTILINE)
    assert said is not None
    # With the document's 0.8 s for a pause and a call. A busy machine takes longer for a call, never less than the pause.
    assert float(said[1]) == pytest.approx(3600 / 0.8 * each, abs=0.00005)
    assert hourly * each <= 3600 / 0.7 * each
