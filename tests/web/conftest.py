"""Runs the browser tests, which are JavaScript for node's own test runner, as tests of pytest, each under its real name.

A file ``*.test.mjs`` is a collector and every ``test('...')`` in it an item. The first item of a file that runs starts a
simulator of the WebSite side, of vcita for ``*.staff.test.mjs``, or the whole local stack for ``*.stack.test.mjs``, and one
node process for all chosen items of that file; the reporter writes one line of JSON for each finished test. Installed
beforehand: ``npm ci`` in this folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
sys.path.insert(0, str(PROJECT))

FILE_SECONDS = 600
"""Limit of one file's run. A browser that hangs must not hang the build."""

TEST = re.compile(r"^test\('((?:[^'\\]|\\.)+)'", re.MULTILINE)


class NodeFailure(Exception):
    """A browser test failed; its text is what node said."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def listening(name: str, *arguments: str) -> Iterator[None]:
    """A simulator as a program."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.simulators.{name}", *arguments], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert "listening on" in process.stdout.readline()
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


@contextlib.contextmanager
def simulator() -> Iterator[dict[str, str]]:
    """The WebSite side, scripted; the environment in which a browser finds it."""
    port, shop_port = str(free_port()), str(free_port())
    with listening("website", "--port", port, "--shop-port", shop_port):
        yield {"WEBSITE": f"http://127.0.0.1:{port}"}


@contextlib.contextmanager
def vcita() -> Iterator[dict[str, str]]:
    """vcita with the page of its staff. The app that it calls is the test's own, at the port named."""
    port, app_port = str(free_port()), str(free_port())
    with listening("vcs", "--port", port, "--target-base", f"http://127.0.0.1:{app_port}/vcita", "--token", "good"):
        yield {"SHOP": f"http://127.0.0.1:{port}", "APP_PORT": app_port}


@contextlib.contextmanager
def operator(invoke: Callable[[str, Any], Any]) -> Iterator[str]:
    """An address at which a browser's test calls the operator's functions: ``POST /<function>`` with the event."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told = json.dumps(invoke(self.path.removeprefix("/"), event)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def whole_stack() -> Iterator[dict[str, str]]:
    """The deployed functions, a shop with the widget and the agents' page; the environment in which a browser finds them."""
    from tests.flows.conftest import running_stack

    with (
        tempfile.TemporaryDirectory() as state_dir,
        running_stack(Path(state_dir), chats=True) as stack,
        operator(stack.invoke) as operator_url,
    ):
        addresses = stack.info["simulators"]
        yield {
            "OPERATOR": operator_url,
            "DEMO": json.dumps(stack.demo_document()),
            "SHOP": addresses["shop"],
            "AGENTS": addresses["agents"],
            "CTRADER": addresses["ctrader"],
            "IADVIZE": addresses["iadvize"],
            "ROXCHAT": addresses["roxchat"],
            "CONNECTOR": addresses["frontstage"],
            "VCITA": addresses["vcita"],
        }


class NodeFile(pytest.File):
    """One file of browser tests."""

    results: dict[str, dict[str, Any]] | None = None
    output = ""

    def collect(self):
        """Every test by its name."""
        text = self.path.read_text(encoding="utf-8")
        names = TEST.findall(text)
        if len(names) != len(re.findall(r"\btest\(", text)) or len(names) != len(set(names)):
            raise self.CollectError(f"{self.path.name}: every test needs a plain name of its own at the start of a line")
        for name in names:
            yield NodeTest.from_parent(self, name=name)

    def run_all(self) -> None:
        """Run the chosen tests of this file, once."""
        if self.results is not None:
            return
        self.results = {}
        node = shutil.which("node")
        if node is None or not (HERE / "node_modules" / "playwright-core").is_dir():
            raise NodeFailure("the browser tests need node 20.11 or newer, and `npm ci` in tests/web")
        chosen = [item.name for item in self.session.items if item.parent is self]
        patterns = [f"--test-name-pattern=^{re.escape(name)}$" for name in chosen]
        counterparts = {"stack": whole_stack, "staff": vcita}
        # Screens, panel and host page have stand-ins of their own in node, one for each test.
        kind = self.path.name.split(".")[-3]
        has_own = kind not in counterparts and self.path.name.startswith(("inapp.", "panel.", "roxchat."))
        starting = contextlib.nullcontext({}) if has_own else counterparts.get(kind, simulator)()
        with starting as addresses:
            done = subprocess.run(
                [node, "--test", "--test-reporter=./reporter.mjs", *patterns, str(self.path)],
                cwd=HERE,
                env={**os.environ, "PYTHON": sys.executable, **addresses},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=FILE_SECONDS,
            )
            # Before the counterpart ends: what it complains of then is the first test's, and all have results.
            said = []
            for line in done.stdout.splitlines():
                if line.startswith("result "):
                    result = json.loads(line.removeprefix("result "))
                    self.results[result["name"]] = result
                else:
                    said.append(line)
            self.output = "\n".join(said)


class NodeTest(pytest.Item):
    """One browser test."""

    parent: NodeFile

    def runtest(self) -> None:
        """Look up what became of this test."""
        self.parent.run_all()
        assert self.parent.results is not None
        result = self.parent.results.get(self.name)
        if result is None:
            raise NodeFailure(f"the test did not run\n{self.parent.output}")
        if not result["passed"]:
            raise NodeFailure(result["error"])

    def repr_failure(self, excinfo):
        """Node's own words rather than a Python trace."""
        if isinstance(excinfo.value, NodeFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self):
        """Where it stands and what it is called."""
        return self.path, None, self.name


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> NodeFile | None:
    """Browser tests are collected beside Python's."""
    if file_path.name.endswith(".test.mjs"):
        return NodeFile.from_parent(parent, path=file_path)
    return None
