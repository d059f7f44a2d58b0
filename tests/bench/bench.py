"""Speed, size and cost of the deployed functions: `make bench` or `python -m tests.bench.bench`.

Prints one table. Every ratio compares two programs that were measured in turn in this run, so that a busy or a slow
machine moves both. It is no test: whatever the figures are, the exit code is 0, unless something cannot be measured.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench import traffic
from tests.bench.double import ROOT, Impossible, Invocations, Kind, Program, World, invoke, measure_start
from tests.stack import bootstraps

RELEASE = ROOT / "target" / "release"
LAMBDA = ROOT / "target" / "lambda"
LEDGER = ROOT / "tests" / "flows" / "ledger.json"

START_RATIO, CPU_RATIO, ZIP_MB, READY_SECONDS = 1.6, 6.0, 3.0, 30.0
RULES, MATCHING_MS = 200, 5.0
BOT_MS = 1.0
"""Goal of a bot's answers from memory, beside 0 AWS operations."""

READS = {"GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems"}
WRITES = {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"}
SENDS = {"SendMessage", "SendMessageBatch"}

LEDGER_GOALS = {
    ("inbound message accepted", "frontstage-messages"): {"reads": 1, "writes": 1, "sends": 1},
    ("attempt acknowledged in the push's answer", "outbound-deliver"): {"reads": 1, "writes": 2, "sends": 2},
    ("wrong signature", "frontstage-messages"): {"reads": 0, "writes": 0, "sends": 0},
    ("wrong path secret", "vcita-message-created"): {"reads": 0, "writes": 0, "sends": 0},
}
"""Scenario and function of the ledger, and the operations allowed."""


@dataclass(frozen=True)
class Row:
    """One figure."""

    figure: str
    measured: float | None
    unit: str
    goal: str = ""
    ratio: float | None = None
    """To the bare function, where the goal is one."""
    met: bool | None = None
    """None where there is no goal."""
    note: str = ""

    def cells(self) -> tuple[str, ...]:
        """As the table shows it."""
        digits = 0 if self.unit == "" else 2
        measured = "" if self.measured is None else f"{self.measured:.{digits}f} {self.unit}".strip()
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        met = "" if self.met is None else "met" if self.met else "NOT MET"
        return self.figure, measured, self.goal, ratio, met, self.note


HEADINGS = ("figure", "measured", "goal", "ratio", "", "note")


class Functions:
    """The release binaries."""

    def __init__(self) -> None:
        self.names = bootstraps.functions()
        self.bare = Program(RELEASE / "bench-bare", traffic.environment("bare"))
        if not self.bare.path.is_file():
            raise Impossible(f"{self.bare.path} is missing: run `make build`")

    @staticmethod
    def path(name: str) -> Path:
        """The bootstrap that is deployed, or what cargo made for it."""
        for path in (LAMBDA / name / "bootstrap", RELEASE / name):
            if path.is_file():
                return path
        raise Impossible(f"{name} has not been built: run `make build`")

    def program(self, name: str) -> Program:
        """A function with its environment."""
        return Program(self.path(name), traffic.environment(name))


def settle(functions: Functions) -> tuple[World, str]:
    """A world with tenants, an open channel and one conversation, written by the functions themselves; and the name by
    which vcita knows the visitor of that conversation."""
    world = World(parameters=traffic.parameters())

    def let(name: str, event: Any) -> Invocations:
        told = invoke(functions.program(name), world, [event], keep=True)
        if not told.written:
            raise Impossible(f"{name} stored nothing: {json.dumps(told.last_answer)}\n{told.log}")
        world.items.extend(told.written)
        return told

    for document in traffic.tenants():
        let("operator-configure", document)
    received = let("frontstage-messages", traffic.message_receiving(0))
    found = re.search(r'"conversation":"([0-9a-f]{20})"', "".join(received.sent))
    if found is None:
        raise Impossible(f"frontstage-messages sent no task of a conversation: {received.sent}")
    let("vcita-channel-updated", traffic.channel_active())
    return world, f"frontstage-{found[1]}"


# ---------------------------------------------------------------------------------------------------------------- start


def start_rows(functions: Functions, world: World, rounds: int) -> list[Row]:
    """Process start to the first request for an event, each function against the bare one, in turn. What a function
    reads before that is in its note."""
    rows, bare_medians = [], []
    for name in functions.names:
        bare, one = measure_start([functions.bare, functions.program(name)], world, warm_up=2, rounds=rounds)
        if '"level":"WARN"' in one.log or '"level":"ERROR"' in one.log:
            raise Impossible(f"{name} did not load what it needs:\n{one.log}")
        base, measured = statistics.median(bare.ns), statistics.median(one.ns)
        bare_medians.append(base)
        reads = ", ".join(f"{count} {call}" for call, count in one.calls.items())
        ratio = measured / base
        rows.append(Row(f"start, {name}", measured / 1e6, "ms", f"<= {START_RATIO} x", ratio, ratio <= START_RATIO, note=reads))
    rows.insert(0, Row("start, bare", statistics.median(bare_medians) / 1e6, "ms", note=f"medians of {rounds} each"))
    return rows


# ------------------------------------------------------------------------------------------------------------------ CPU


def cpu_rows(functions: Functions, world: World, visitor: str, rounds: int, count: int, warm_up: int) -> list[Row]:
    """CPU time of a warm webhook against the bare function's no-op, and its AWS operations."""
    total = count + warm_up
    numbers = iter(range(1, 10**8))

    def received() -> list[Any]:
        return [traffic.message_receiving(next(numbers)) for _ in range(total)]

    def answered() -> list[Any]:
        return [traffic.staff_message(visitor) for _ in range(total)]

    bare = functions.bare
    webhooks: dict[str, tuple[Program, Callable[[], list[Any]], str | None]] = {
        "bare, small event": (bare, lambda: [{"n": number} for number in range(total)], None),
        "bare, event of a webhook": (bare, received, None),
        "frontstage-messages": (functions.program("frontstage-messages"), received, "200"),
        "vcita-message-created": (functions.program("vcita-message-created"), answered, "204"),
    }
    cpu: dict[str, list[float]] = {name: [] for name in webhooks}
    kinds: dict[str, Kind] = {}
    for _ in range(rounds):
        for name, (program, events, status) in webhooks.items():
            # Made just before they are used: a signature holds for five minutes.
            told = invoke(program, world, events(), warm_up=warm_up)
            if status is not None:
                kinds[name] = did_its_work(name, told, status)
            cpu[name].append(told.cpu_ns / told.count / 1e3)

    base = statistics.median(cpu["bare, small event"])
    rows = []
    for name, values in cpu.items():
        measured = statistics.median(values)
        row = Row(f"CPU per event, {name}", measured, "us", ratio=measured / base)
        if name in kinds:
            kind = kinds[name]
            row = Row(
                f"CPU per webhook, {name}", measured, "us", f"<= {CPU_RATIO:g} x", measured / base,
                measured / base <= CPU_RATIO, ", ".join(f"{n} {call}" for call, n in kind.calls.items()),
            )  # fmt: skip
        elif measured == base:
            row = Row(row.figure, measured, "us", note=f"medians of {rounds} runs of {count} events")
        rows.append(row)
    for name, kind in kinds.items():
        rows += operation_rows(f"AWS operations, {name}", kind.calls, {"reads": 1, "writes": 1, "sends": 1})
    return rows


# ---------------------------------------------------------------------------------------------------------------- chats


def with_written(items: list[dict[str, Any]], told: Invocations) -> list[dict[str, Any]]:
    """The items, with those that were written put in their place."""
    held = {(item["pk"]["S"], item["sk"]["S"]): item for item in items}
    for item in told.written:
        key = (item["pk"]["S"], item["sk"]["S"])
        held[key] = held.get(key, {}) | item
    return list(held.values())


class ChatWorld:
    """A deployment with an agent who has a connector's chat and a browser's, and browsers with chats of their own."""

    def __init__(self, functions: Functions, rules: list[dict[str, Any]] | None = None) -> None:
        self.functions = functions
        self.world = World(parameters=traffic.parameters())
        self.let("operator-configure", traffic.chat_tenant(rules))

    def let(self, name: str, *events: Any) -> Any:
        """Lets a function do its work, and keeps what it stores. Its last answer's body."""
        told = invoke(self.functions.program(name), self.world, list(events), keep=True)
        if not told.written or any(kind.status not in ("200", "null") for kind in told.kinds):
            raise Impossible(f"{name} stored nothing: {json.dumps(told.last_answer)}\n{told.log}")
        self.world = World(items=with_written(self.world.items, told), parameters=self.world.parameters)
        return json.loads(told.last_answer["body"]) if isinstance(told.last_answer.get("body"), str) else None

    def log_in(self) -> None:
        """The agent is there, from now on for a minute."""
        self.let("frontstage-workplace-messages", traffic.agent_says("CS_CHAT_RESYNC"))

    def answer(self, chat_id: str) -> str:
        """The agent answers a chat."""
        self.let("frontstage-workplace-messages", traffic.agent_says("CS_CHAT_ANSWER", chat_id))
        return chat_id


def chat_rows(functions: Functions, rounds: int, count: int, warm_up: int) -> list[Row]:
    """CPU time of what happens most in a chat, against the bare function's no-op, and its AWS operations."""
    total = count + warm_up
    chats = ChatWorld(functions)
    chats.log_in()
    (started,) = chats.let("frontstage-messages", traffic.visitor_says("ES_CHAT_START", "bench"))["Replies"]
    chat_id = chats.answer(started["Body"]["ChatId"])
    token = traffic.tracking_token()
    chats.let("website-start", traffic.browser("POST", "Chat/Start", token, content={}))
    spoken = chats.let("website-sentence", traffic.browser("POST", "Chat/Sentence", token, content={"Text": traffic.TEXT}))
    chats.answer(spoken["ChatId"])
    # A browser is served one poll a second, so each poll is one of another.
    tokens = [traffic.tracking_token() for _ in range(total)]
    chats.let("website-start", *(traffic.browser("POST", "Chat/Start", one, content={}) for one in tokens))

    def polls(path: str) -> Callable[[], list[Any]]:
        return lambda: [traffic.signed("GET", f"/v1/frontstage/{path}/events", "after=999&max=50&wait=0") for _ in tokens]

    says = {"Text": traffic.TEXT}
    cases: dict[str, tuple[str, Callable[[], list[Any]]]] = {
        "visitor's sentence": (
            "frontstage-messages",
            lambda: [traffic.visitor_says("ES_CHAT_SENTENCE", "bench", **traffic.sentence()) for _ in tokens],
        ),
        "agent's sentence": (
            "frontstage-workplace-messages",
            lambda: [traffic.agent_says("CS_CHAT_SENTENCE", chat_id, **traffic.sentence()) for _ in tokens],
        ),
        "browser's sentence": (
            "website-sentence",
            lambda: [traffic.browser("POST", "Chat/Sentence", token, "After=1", says) for _ in tokens],
        ),
        "connector's empty poll": ("frontstage-events", polls(traffic.CHAT_GATEWAY)),
        "workplace's empty poll": ("frontstage-workplace-events", polls(f"workplaces/{traffic.PLACE}")),
        "browser's empty poll": (
            "website-chat",
            lambda: [traffic.browser("GET", "Chat", one, "After=0") for one in tokens],
        ),
    }
    bare: list[float] = []
    cpu: dict[str, list[float]] = {name: [] for name in cases}
    notes: dict[str, str] = {}
    for _ in range(rounds):
        told = invoke(functions.bare, chats.world, [{"n": number} for number in range(total)], warm_up=warm_up)
        bare.append(told.cpu_ns / told.count / 1e3)
        for name, (function, events) in cases.items():
            # An agent who was not heard of for a while is noted again by each call.
            chats.log_in()
            told = invoke(functions.program(function), chats.world, events(), warm_up=warm_up)
            kind = told.kinds[0]
            if len(told.kinds) != 1 or kind.status != "200":
                raise Impossible(f"{function} did not do the same every time: {told.kinds}\n{told.last_answer}\n{told.log}")
            cpu[name].append(told.cpu_ns / told.count / 1e3)
            notes[name] = ", ".join(f"{number} {call}" for call, number in kind.calls.items())
    base = statistics.median(bare)
    return [
        Row(f"CPU per {name}", statistics.median(values), "us", ratio=statistics.median(values) / base, note=notes[name])
        for name, values in cpu.items()
    ]


def bot_rows(functions: Functions, rounds: int, count: int, warm_up: int) -> list[Row]:
    """What iAdvize asks most, availability and first messages: the time from an event to its answer, against the bare function's
    no-op, and the AWS operations, of which there is to be none."""
    total = count + warm_up
    world = World(parameters=traffic.parameters())
    for name, event in (("operator-configure", traffic.iadvize_tenant()), ("iadvize-bot", traffic.bot_is_chosen())):
        told = invoke(functions.program(name), world, [event], keep=True)
        if not told.written:
            raise Impossible(f"{name} stored nothing: {json.dumps(told.last_answer)}\n{told.log}")
        world = World(items=with_written(world.items, told), parameters=world.parameters)
    cases: dict[str, tuple[Program, Callable[[], Any]]] = {
        "bare": (functions.bare, lambda: {"n": 1}),
        "iadvize-bot-availability": (functions.program("iadvize-bot-availability"), traffic.bot_availability),
        "iadvize-bot-first-messages": (functions.program("iadvize-bot-first-messages"), traffic.bot_first_messages),
    }
    wall: dict[str, list[float]] = {name: [] for name in cases}
    calls: dict[str, int] = {}
    for _ in range(rounds):
        for name, (program, event) in cases.items():
            told = invoke(program, world, [event() for _ in range(total)], warm_up=warm_up)
            if name != "bare" and [kind.status for kind in told.kinds] != ["200"]:
                raise Impossible(f"{name} did not answer every time: {told.kinds}\n{told.last_answer}\n{told.log}")
            wall[name].append(told.wall_ns / told.count / 1e6)
            calls[name] = max(calls.get(name, 0), max(sum(kind.calls.values()) for kind in told.kinds))
    base = statistics.median(wall.pop("bare"))
    rows = [Row("handler time, bare", base, "ms", note=f"medians of {rounds} runs of {count} events")]
    for name, values in wall.items():
        measured = statistics.median(values)
        rows.append(Row(f"handler time, {name}", measured, "ms", f"<= {BOT_MS:g} ms", measured / base, measured <= BOT_MS))
        rows.append(Row(f"AWS operations, {name}", calls[name], "", "0", met=calls[name] == 0))
    return rows


def pattern_rows(functions: Functions, rounds: int) -> list[Row]:
    """What matching costs a page load with 64 KB of hostile input: 200 rules of a kind, less one rule of it. Medians."""
    figures = []
    for pattern in traffic.HOSTILE:
        cpu = []
        for count in (1, RULES):
            world = ChatWorld(functions, traffic.hostile_rules(pattern, count)).world
            runs = []
            for _ in range(3):
                events = [traffic.page_load() for _ in range(3 + rounds)]
                told = invoke(functions.program("website-routing"), world, events, warm_up=3)
                if told.last_answer.get("body") != "null":
                    raise Impossible(f"{pattern} matched: {told.last_answer}\n{told.log}")
                runs.append(told.cpu_ns / told.count / 1e6)
            cpu.append(statistics.median(runs))
        figures.append((cpu[1] - cpu[0], pattern))
    worst, pattern = max(figures)
    return [
        Row(f"{RULES} rules on 64 KB, worst", worst, "ms", f"<= {MATCHING_MS:g} ms", met=worst <= MATCHING_MS, note=f"{pattern}")
    ]


def did_its_work(name: str, told: Invocations, status: str) -> Kind:
    """The one kind of invocation there was. Anything but an accepted, stored and enqueued message is no measurement."""
    kind = told.kinds[0]
    done = kind.status == status and WRITES & kind.calls.keys() and SENDS & kind.calls.keys()
    if len(told.kinds) != 1 or not done:
        kinds = "\n".join(f"{kind.count} x {kind.status}: {kind.calls}" for kind in told.kinds)
        raise Impossible(f"{name} did not store and enqueue every time:\n{kinds}\n{json.dumps(told.last_answer)}\n{told.log}")
    return kind


def refusal_rows(functions: Functions, world: World, visitor: str) -> list[Row]:
    """AWS operations of senders that cannot prove who they are."""
    wrong = {
        "frontstage-messages": [traffic.message_receiving(number, "not the secret of this gateway") for number in range(20)],
        "vcita-message-created": [traffic.staff_message(visitor, "0" * 32) for _ in range(20)],
    }
    rows = []
    for name, events in wrong.items():
        told = invoke(functions.program(name), world, events, warm_up=1)
        if any(kind.status not in ("401", "404") for kind in told.kinds):
            raise Impossible(f"{name} did not refuse a wrong signature or secret: {told.kinds}")
        calls = max((sum(kind.calls.values()) for kind in told.kinds), default=0)
        rows.append(Row(f"AWS operations, {name}, refused", calls, "", "0", met=calls == 0))
    return rows


# ----------------------------------------------------------------------------------------------------- operations, sizes


def operation_rows(figure: str, calls: dict[str, int], goals: dict[str, int]) -> list[Row]:
    """Reads, writes and sends of one scenario against their goals. Names may carry their service, as `sqs:SendMessage`."""
    rows = []
    for what, names in {"reads": READS, "writes": WRITES, "sends": SENDS}.items():
        count = sum(number for call, number in calls.items() if call.rpartition(":")[2] in names)
        rows.append(Row(f"{figure}, {what}", count, "", f"<= {goals[what]}", met=count <= goals[what]))
    return rows


def ledger_rows() -> list[Row]:
    """The scenarios of the ledger test that have a goal, from its golden file."""
    try:
        ledger = json.loads(LEDGER.read_text())
    except FileNotFoundError:
        return [Row("ledger", None, "", note=f"{LEDGER.relative_to(ROOT)} is not there")]
    rows = []
    for (scenario, function), goals in LEDGER_GOALS.items():
        counted = ledger.get(scenario, {}).get(function)
        if counted is None:
            rows.append(Row(f"ledger, {scenario}", None, "", note=f"{function} is not in the golden file"))
        elif not any(goals.values()):
            total = sum(counted.values())
            rows.append(Row(f"ledger, {scenario}", total, "", "0", met=total == 0, note=function))
        else:
            rows += operation_rows(f"ledger, {scenario}", counted, goals)
    return rows


def size_rows(functions: Functions) -> list[Row]:
    """Size of what is uploaded per function."""
    rows = []
    for name in functions.names:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
            out.write(functions.path(name), "bootstrap")
        size = archive.tell() / 1e6
        rows.append(Row(f"zipped, {name}", size, "MB", f"<= {ZIP_MB:g} MB", met=size <= ZIP_MB))
    return rows


# ---------------------------------------------------------------------------------------------------------------- stack


def stack_rows() -> list[Row]:
    """`make run` until it is ready, the second time."""
    times = [run_until_ready() for _ in range(2)]
    return [Row("make run, second time", times[1], "s", f"<= {READY_SECONDS:g} s", met=times[1] <= READY_SECONDS,
                note=f"the time before: {times[0]:.2f} s")]  # fmt: skip


def run_until_ready(limit: float = 600.0) -> float:
    """Seconds from `make run` to a new stack.json. The stack has ports and a state directory of its own."""
    from tests.stack.stack import VARIABLES, free_port

    state = ROOT / ".local" / "bench"
    state.mkdir(parents=True, exist_ok=True)
    described = state / "stack.json"
    described.unlink(missing_ok=True)
    ports = {variable: str(free_port()) for variable in VARIABLES.values()}
    with (state / "run.log").open("wb") as log:
        began = time.monotonic()
        run = subprocess.Popen(
            ["make", "run"], cwd=ROOT, env=os.environ | ports | {"DESKBRIDGE_STATE": str(state)},
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        while not described.is_file():
            if run.poll() is not None or time.monotonic() - began > limit:
                raise Impossible(f"`make run` did not become ready:\n{(state / 'run.log').read_text()[-2000:]}")
            time.sleep(0.02)
        return time.monotonic() - began
    finally:
        # The session that was made for it, so nothing else can be in it.
        for sign, patience in ((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.wait(patience)
                break


# ---------------------------------------------------------------------------------------------------------------- table


def table(rows: list[Row]) -> str:
    """The rows under each other."""
    cells = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    numeric = {1, 2, 3}
    lines = [
        "  ".join(
            cell.rjust(width) if column in numeric else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    return "\n".join([lines[0], "-" * len(max(lines, key=len)), *lines[1:]])


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench", description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--with-stack", action="store_true", help="also start `make run` twice and take the time")
    parser.add_argument("--starts", type=int, default=31, help="starts of each program (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=7, help="runs of each webhook (default: %(default)s)")
    parser.add_argument("--events", type=int, default=300, help="events of one run (default: %(default)s)")
    arguments = parser.parse_args()

    def step(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    try:
        functions = Functions()
        step("setting up a small deployment")
        world, visitor = settle(functions)
        step(f"starting {len(functions.names)} functions {arguments.starts} times each")
        rows = start_rows(functions, world, arguments.starts)
        step("counting the CPU time of webhooks")
        rows += cpu_rows(functions, world, visitor, arguments.runs, arguments.events, warm_up=200)
        rows += refusal_rows(functions, world, visitor)
        step("counting the CPU time of chats and of routing rules")
        rows += chat_rows(functions, arguments.runs, arguments.events, warm_up=200)
        step("timing what bots are asked all the time")
        rows += bot_rows(functions, arguments.runs, arguments.events, warm_up=200)
        rows += pattern_rows(functions, rounds=20)
        rows += ledger_rows()
        rows += size_rows(functions)
        if arguments.with_stack:
            step("starting the local stack twice")
            rows += stack_rows()
    except (Impossible, bootstraps.BuildError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(table(rows))
    missed = sum(row.met is False for row in rows)
    print(f"\n{sum(row.met is True for row in rows)} goals met, {missed} missed")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
