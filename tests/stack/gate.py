"""A gate between the functions and the emulated AWS: it counts what passes, and fails what a test wants to fail.

The emulator also runs the functions, so stopping it stops them too: "DynamoDB is down" can only be played in between.
The gate passes requests on unchanged (they are signed); it keeps no state of any AWS service.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
import time
from dataclasses import dataclass
from typing import Literal

import aiohttp
from aiohttp import web

from tests.stack.forward import Forwarder

ACCESS_KEY = re.compile(r"Credential=([^/]+)/")
SERVICES = {"DynamoDB_20120810": "dynamodb", "AmazonSQS": "sqs", "AmazonSSM": "ssm"}

Mode = Literal["error", "drop", "hang", "lose_answer"]
"""`error`: answered 500; `drop`: the connection is closed; `hang`: no answer while the fault lasts;
`lose_answer`: carried out, then the connection is closed."""


@dataclass(frozen=True)
class Operation:
    """One AWS operation that a function called."""

    function: str
    service: str
    name: str
    status: int
    """HTTP status; 0 when the caller got no answer."""
    at: float


@dataclass
class Fault:
    """What to do to matching operations. `remaining` None lasts until it is lifted."""

    service: str
    operation: str | None
    mode: Mode
    remaining: int | None

    def matches(self, service: str, operation: str) -> bool:
        """Whether this operation is to fail."""
        return (
            self.service == service
            and self.operation in (None, operation)
            and (self.remaining is None or self.remaining > 0)
        )


class Gate:
    """Runs in a thread of the test's own process, so that a test scripts it by calling it."""

    def __init__(self, port: int, target: str) -> None:
        self._port = port
        self._forwarder = Forwarder(target)
        self._callers: dict[str, str] = {}
        self._faults: list[Fault] = []
        self._operations: list[Operation] = []
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="gate", daemon=True)

    def start(self) -> None:
        """Starts serving."""
        self._thread.start()
        if not self._started.wait(10):
            raise RuntimeError("the gate did not start")

    def stop(self) -> None:
        """Stops serving."""
        self.lift()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def name_caller(self, function: str, function_arn: str, role_arn: str) -> None:
        """Tells which function signs with which key: the emulator makes a session's key from both ARNs."""
        digest = hashlib.sha256(f"{function_arn}:{role_arn}".encode()).hexdigest()
        self._callers[f"ASIA{digest[:16].upper()}"] = function

    def fail(self, service: str, operation: str | None = None, mode: Mode = "error", times: int | None = None) -> None:
        """Lets operations fail: `fail("dynamodb")` is an outage, `fail("sqs", "SendMessage", "drop", times=3)` is not.

        An SDK tries an operation several times, and each try counts.
        """
        with self._lock:
            self._faults.append(Fault(service, operation, mode, times))

    def lift(self) -> None:
        """Ends all faults."""
        with self._lock:
            self._faults.clear()

    def operations(self, function: str | None = None) -> list[Operation]:
        """What passed since the start or the last `forget`."""
        with self._lock:
            return [entry for entry in self._operations if function in (None, entry.function)]

    def forget(self) -> None:
        """Begins a new count."""
        with self._lock:
            self._operations.clear()

    def _fault_for(self, service: str, operation: str) -> Mode | None:
        with self._lock:
            for fault in self._faults:
                if fault.matches(service, operation):
                    if fault.remaining is not None:
                        fault.remaining -= 1
                    return fault.mode
        return None

    def _is_hanging(self, service: str, operation: str) -> bool:
        with self._lock:
            return any(fault.mode == "hang" and fault.service == service for fault in self._faults)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        prefix, _, operation = request.headers.get("X-Amz-Target", "").partition(".")
        service = SERVICES.get(prefix, prefix)
        key = ACCESS_KEY.search(request.headers.get("Authorization", ""))
        function = self._callers.get(key[1], key[1]) if key else ""
        mode = self._fault_for(service, operation)
        answer: web.Response | None = None
        if mode == "error":
            answer = web.json_response({"__type": "InternalServerError", "message": "injected"}, status=500)
        elif mode == "hang":
            while self._is_hanging(service, operation):
                await asyncio.sleep(0.02)
        elif mode in (None, "lose_answer"):
            try:
                answer = await self._forwarder.send(request, request.headers["Host"])
            except (aiohttp.ClientError, TimeoutError):
                answer = None
        if mode == "lose_answer":
            answer = None
        with self._lock:
            status = answer.status if answer is not None else 0
            self._operations.append(Operation(function, service, operation, status, time.time()))
        if answer is None:
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError
        return answer

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        runner = web.AppRunner(self._forwarder.application(self._handle), access_log=None, shutdown_timeout=0.5)
        self._loop.run_until_complete(runner.setup())
        self._loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", self._port).start())
        self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
