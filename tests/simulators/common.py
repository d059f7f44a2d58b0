"""What every simulator needs: a request log, scripted faults, a checked control API and a server.

A simulator is one aiohttp application. Paths under ``/_sim`` belong to the person or test that controls it;
everything else is the platform that it plays. The platform side runs inside `platform_middleware`, which writes
each request into the log and applies the scripted faults; the control side runs inside `control_middleware`,
which turns wrong input into a 400 with a message.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

CONTROL_PREFIX = "/_sim"
"""Everything below this path is the simulator's own control API, never the platform's."""

MAX_BODY_BYTES = 64 * 1024 * 1024
"""Largest request body read, in bytes: above every limit of Deskbridge, so that a test can send too much."""

SHUTDOWN_SECONDS = 1.0
"""How long requests in progress may still run after SIGTERM."""

HIDDEN_MEMBERS = frozenset(
    {
        "client_secret",
        "service_secret",
        "access_token",
        "refresh_token",
        "token",
        "code",
        "code_verifier",
        "hashedPassword",
    }
)
"""Members of a JSON body whose value the request log replaces by ``***``."""

PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of a page for a person: nothing but its own files, and nobody else around it."""

OWN_HOSTS = ("127.0.0.1", "localhost")
"""Names under which a browser may reach a simulator."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ControlError(Exception):
    """The control request cannot be carried out; its text is the answer.

    `status` is 400 when the caller asked for something impossible, 502 when Deskbridge could not be reached.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


# ---------------------------------------------------------------------------------------------------------------
# time and JSON


def utc_now() -> str:
    """The time as ``YYYY-MM-DDThh:mm:ss.fffZ`` (UTC), the form that FrontStage emits (frontstage.md 2.2)."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def json_answer(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer ending in a line feed, so that it reads well in a terminal."""
    text = json.dumps(data, indent=1) + "\n"
    return web.Response(text=text, status=status, headers=headers, content_type="application/json")


def json_or_text(raw: bytes) -> Any:
    """The parsed JSON of a body, its text when it is not JSON, None when it is empty."""
    if not raw:
        return None
    text = raw.decode("utf-8", errors="replace")
    try:
        return json.loads(text)
    except ValueError:
        return text


def without_secrets(value: Any) -> Any:
    """A copy of a JSON value in which the members of `HIDDEN_MEMBERS` are masked, at any depth."""
    if isinstance(value, dict):
        return {
            key: "***" if key in HIDDEN_MEMBERS and inner else without_secrets(inner) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [without_secrets(inner) for inner in value]
    return value


# ---------------------------------------------------------------------------------------------------------------
# control input

TYPE_WORDS: dict[type, str] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    list: "an array",
    type(None): "null",
}

ANY = object()
"""Stands for "every JSON type" in a field list of `read_fields`."""


def describe_types(types: tuple[type, ...]) -> str:
    """The allowed types in words, for an error message."""
    return " or ".join(TYPE_WORDS[one] for one in types)


def has_type(value: Any, types: tuple[type, ...]) -> bool:
    """Whether a JSON value is of one of the types; a boolean is not a number here, though it is in Python."""
    if isinstance(value, bool):
        return bool in types
    return isinstance(value, types)


def check_fields(data: Any, fields: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """Check a control object against `fields` (name to tuple of types, or `ANY`) and hand it back.

    An unknown member is an error, because a misspelt fault that never fires is hard to find.
    """
    if not isinstance(data, dict):
        raise ControlError("the body must be a JSON object")
    for name, value in data.items():
        if name not in fields:
            allowed = ", ".join(sorted(fields)) or "none"
            raise ControlError(f"unknown member '{name}'; allowed: {allowed}")
        types = fields[name]
        if types is not ANY and not has_type(value, types):
            raise ControlError(f"'{name}' must be {describe_types(types)}")
        if types is not ANY and isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
            raise ControlError(f"'{name}' must not be negative")
    for name in required:
        if data.get(name) in (None, ""):
            raise ControlError(f"'{name}' is missing")
    return data


async def read_json(request: web.Request) -> Any:
    """The JSON body of a control request; an empty body counts as ``{}``. The content type does not matter."""
    raw = await request.read()
    if not raw.strip():
        return {}
    try:
        return json.loads(raw)
    except ValueError as problem:
        raise ControlError(f"the body is not JSON: {problem}") from problem


async def read_fields(request: web.Request, fields: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """Read and check the body of a control request, see `check_fields`."""
    return check_fields(await read_json(request), fields, required)


def compile_regex(text: str, name: str) -> re.Pattern[str]:
    """A regular expression from control input, or a 400 that names the member."""
    try:
        return re.compile(text)
    except re.error as problem:
        raise ControlError(f"'{name}' is not a regular expression: {problem}") from problem


# ---------------------------------------------------------------------------------------------------------------
# request log


@dataclass
class LoggedRequest:
    """One request of Deskbridge to the simulated platform. `path` is raw (still percent-encoded), without the query.

    `at_ms` is when it came, in milliseconds of a clock that only goes forward; `business` is for whom, where known.
    """

    number: int
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any
    time: str
    at_ms: float
    business: str | None = None
    status: int | None = None
    dropped: bool = False
    fault: bool = False
    note: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The form shown by ``GET /_sim/requests``; `status` is null while unanswered or when dropped."""
        return dict(self.__dict__)


class RequestLog:
    """Every request that came in, oldest first. `business_of` tells for whom one is, from the request and its body."""

    def __init__(self, business_of: Callable[[web.Request, Any], str | None] = lambda request, body: None) -> None:
        self.entries: list[LoggedRequest] = []
        self.business_of = business_of

    async def open(self, request: web.Request) -> LoggedRequest:
        """Write a request down before it is answered."""
        at_ms = time.monotonic() * 1000
        headers = {name: value for name, value in request.headers.items()}
        for name in list(headers):
            if name.lower() == "authorization":
                scheme = headers[name].split(" ", 1)[0]
                headers[name] = f"{scheme} ***"
        path, _, query = request.raw_path.partition("?")
        body = json_or_text(await request.read())
        entry = LoggedRequest(
            number=len(self.entries) + 1,
            method=request.method,
            path=path,
            query=query,
            headers=headers,
            body=without_secrets(body),
            time=utc_now(),
            at_ms=at_ms,
            business=self.business_of(request, body),
        )
        self.entries.append(entry)
        return entry

    def select(self, path: str | None, method: str | None) -> list[dict[str, Any]]:
        """The entries whose path contains a match of the regular expression `path`."""
        pattern = compile_regex(path, "path") if path else None
        return [
            entry.as_json()
            for entry in self.entries
            if (pattern is None or pattern.search(entry.path)) and (method is None or entry.method == method.upper())
        ]

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()


# ---------------------------------------------------------------------------------------------------------------
# faults

FAULT_FIELDS: dict[str, Any] = {
    "method": (str,),
    "path": (str,),
    "times": (int, type(None)),
    "skip": (int,),
    "status": (int,),
    "body": ANY,
    "headers": (dict,),
    "delay_ms": (int,),
    "drop": (bool,),
    "effect": (bool,),
    "chance": (int, float),
    "seed": (int,),
    "envelope": (str,),
}

Envelopes = Mapping[str, Callable[[int], Any]]
"""Shapes of an error by name: the body for a status."""


@dataclass
class Fault:
    """A scripted failure of the platform.

    It waits for requests of `method` (None: any) whose path contains a match of `path`, lets the first `skip` of
    them through, then acts on the next `times` (None: on all). With a `chance` below 1 it acts on that share of them,
    by dice of its own that fall the same way for the same `seed`.
    """

    path: re.Pattern[str]
    method: str | None = None
    times: int | None = 1
    skip: int = 0
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_ms: int = 0
    drop: bool = False
    effect: bool = False
    chance: float = 1.0
    seed: int = 0
    fired: int = 0

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    def is_due(self) -> bool:
        """Whether the dice fall for this request."""
        return self.chance >= 1 or self._dice.random() < self.chance

    @classmethod
    def from_control(cls, data: dict[str, Any], envelopes: Envelopes) -> Fault:
        """Build a fault from the body of ``POST /_sim/faults``."""
        check_fields(data, FAULT_FIELDS, required=("path",))
        if data.get("chance", 1) > 1:
            raise ControlError("'chance' must be between 0 and 1")
        status = data.get("status")
        if status is not None and not 200 <= status <= 599:
            raise ControlError("'status' must be between 200 and 599")
        headers = data.get("headers", {})
        if not all(isinstance(value, str) for value in headers.values()):
            raise ControlError("'headers' must map names to strings")
        if status is None and not data.get("drop") and not data.get("delay_ms"):
            raise ControlError("a fault needs 'status', 'drop' or 'delay_ms'")
        if data.get("effect") and status is None and not data.get("drop"):
            raise ControlError("'effect' needs 'status' or 'drop'")
        body = data.get("body")
        if "envelope" in data:
            if data["envelope"] not in envelopes:
                raise ControlError(f"'envelope' must be one of {', '.join(envelopes) or 'none'}")
            if status is None or body is not None:
                raise ControlError("'envelope' needs 'status' and no 'body'")
            body = envelopes[data["envelope"]](status)
        method = data.get("method")
        return cls(
            path=compile_regex(data["path"], "path"),
            method=method.upper() if method else None,
            times=data.get("times", 1),
            skip=data.get("skip", 0),
            status=status,
            body=body,
            headers=headers,
            delay_ms=data.get("delay_ms", 0),
            drop=data.get("drop", False),
            effect=data.get("effect", False),
            chance=data.get("chance", 1.0),
            seed=data.get("seed", 0),
        )

    def as_json(self) -> dict[str, Any]:
        """The form shown by ``GET /_sim/faults``."""
        return {**{one.name: getattr(self, one.name) for one in fields(self)}, "path": self.path.pattern}


class FaultScript:
    """The faults that are armed, in the order in which they were added; the first that applies acts."""

    def __init__(self, envelopes: Envelopes | None = None) -> None:
        self.faults: list[Fault] = []
        self.envelopes = envelopes or {}

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that acts on this request, counted down; None when none does."""
        for fault in self.faults:
            if fault.method not in (None, method) or not fault.path.search(path) or fault.times == 0:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if not fault.is_due():
                continue
            if fault.times is not None:
                fault.times -= 1
            fault.fired += 1
            return fault
        return None


def fault_answer(fault: Fault) -> web.Response:
    """The answer that a fault prescribes; a text body goes out as it is, anything else as JSON."""
    headers = dict(fault.headers)
    if isinstance(fault.body, str):
        headers.setdefault("Content-Type", "text/plain; charset=utf-8")
        return web.Response(status=fault.status or 500, body=fault.body.encode(), headers=headers)
    if fault.body is None:
        return web.Response(status=fault.status or 500, headers=headers)
    headers.setdefault("Content-Type", "application/json")
    return web.Response(status=fault.status or 500, body=json.dumps(fault.body).encode(), headers=headers)


def drop_connection(request: web.Request) -> web.Response:
    """Close the connection without an answer. The response handed back goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


# ---------------------------------------------------------------------------------------------------------------
# middlewares


def platform_middleware(
    log: RequestLog,
    faults: FaultScript,
    refuse: Callable[[LoggedRequest], web.Response | None] = lambda entry: None,
) -> Any:
    """Write down each request of the platform side and apply the faults, unless `refuse` has an answer before them."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(CONTROL_PREFIX):
            return await handler(request)
        entry = await log.open(request)
        request["log_entry"] = entry
        if (refusal := refuse(entry)) is not None:
            entry.status = refusal.status
            return refusal
        fault = faults.take(entry.method, entry.path)
        if fault is None:
            answer = await handler(request)
        else:
            entry.fault = True
            if fault.effect:
                await handler(request)
            if fault.delay_ms:
                await asyncio.sleep(fault.delay_ms / 1000)
            if fault.drop:
                entry.dropped = True
                return drop_connection(request)
            answer = fault_answer(fault) if fault.status is not None else await handler(request)
        if not entry.dropped:
            entry.status = answer.status
        return answer

    return middleware


@web.middleware
async def own_pages_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse calls that a page of somebody else makes in the person's browser."""
    host = urlsplit(f"//{request.host}").hostname
    origin = request.headers.get("Origin")
    if host not in OWN_HOSTS or (origin is not None and urlsplit(origin).netloc != request.host):
        return json_answer({"error": "only the page of this program may call it"}, status=403)
    return await handler(request)


@web.middleware
async def control_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer wrong control input with a JSON message: 400, or 404 and 405 for a path that does not exist."""
    if not request.path.startswith(CONTROL_PREFIX):
        return await handler(request)
    try:
        return await handler(request)
    except ControlError as problem:
        return json_answer({"error": str(problem)}, status=problem.status)
    except web.HTTPNotFound:
        return json_answer({"error": f"no such control path; see GET {CONTROL_PREFIX}"}, status=404)
    except web.HTTPMethodNotAllowed as problem:
        allowed = ", ".join(sorted(problem.allowed_methods))
        return json_answer({"error": f"method not allowed here; allowed: {allowed}"}, status=405)


def page_routes(path: str, files: Mapping[str, Path], headers: Mapping[str, str] = PAGE_HEADERS) -> list[web.RouteDef]:
    """A page below ``/_sim`` and what belongs to it: each file by what stands after `path` in its address."""

    def shows(file: Path) -> Handler:
        async def show(_: web.Request) -> web.StreamResponse:
            return web.FileResponse(file, headers=headers)

        return show

    return [web.get(CONTROL_PREFIX + path + name, shows(file)) for name, file in files.items()]


def given_route(tokens: Callable[[], Iterable[str]]) -> web.RouteDef:
    """``GET /_sim/given``: the tokens that a simulator gave out, whatever became of each."""

    async def show_given(_: web.Request) -> web.Response:
        return json_answer(sorted(tokens()))

    return web.get(CONTROL_PREFIX + "/given", show_given)


def shared_routes(log: RequestLog, faults: FaultScript, usage: str) -> list[web.RouteDef]:
    """The control routes that every simulator has: usage sheet, requests, faults."""

    async def show_usage(_: web.Request) -> web.Response:
        return web.Response(text=usage)

    async def show_requests(request: web.Request) -> web.Response:
        return json_answer(log.select(request.query.get("path"), request.query.get("method")))

    async def show_faults(_: web.Request) -> web.Response:
        return json_answer([fault.as_json() for fault in faults.faults])

    async def add_fault(request: web.Request) -> web.Response:
        fault = Fault.from_control(await read_json(request), faults.envelopes)
        faults.faults.append(fault)
        return json_answer(fault.as_json(), status=201)

    async def drop_faults(_: web.Request) -> web.Response:
        dropped = len(faults.faults)
        faults.faults.clear()
        return json_answer({"removed": dropped})

    return [
        web.get(CONTROL_PREFIX, show_usage),
        web.get(CONTROL_PREFIX + "/", show_usage),
        web.get(CONTROL_PREFIX + "/requests", show_requests),
        web.get(CONTROL_PREFIX + "/faults", show_faults),
        web.post(CONTROL_PREFIX + "/faults", add_fault),
        web.delete(CONTROL_PREFIX + "/faults", drop_faults),
    ]


# ---------------------------------------------------------------------------------------------------------------
# tasks and server


class BackgroundTasks:
    """Work that goes on after an answer was given: delayed webhooks, acknowledgements."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run `work`; a failure is printed, because nobody needs to wait for the result."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            print(f"background work failed: {task.exception()!r}", file=sys.stderr, flush=True)

    def cancel_all(self) -> None:
        """Stop everything that is still waiting."""
        for task in list(self.tasks):
            task.cancel()


def open_client(seconds: float) -> aiohttp.ClientSession:
    """The client for calls to Deskbridge; `seconds` limits a whole call.

    Every call has a connection of its own: on a kept connection aiohttp would repeat a failed PUT by itself, and the
    log would not show it.
    """
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=seconds),
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
    )


async def _serve(app: web.Application, port: int, name: str) -> None:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        # A port of 0 asks the system for a free one; say which it gave.
        real_port = runner.addresses[0][1]
        print(f"{name} listening on http://127.0.0.1:{real_port} (control: GET {CONTROL_PREFIX})", flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()


def run(app: web.Application, port: int, name: str) -> int:
    """Serve `app` on 127.0.0.1 until SIGTERM or SIGINT; the exit code is 1 when the port is taken."""
    try:
        asyncio.run(_serve(app, port, name))
    except OSError as problem:
        print(f"{name} cannot listen on 127.0.0.1:{port}: {problem}", file=sys.stderr, flush=True)
        return 1
    return 0
