"""Many conversations with vcita's staff at once while vcita fails: nothing lost, nothing doubled, order kept (VC 8.2, 8.3, 10).

Three businesses of one tenant, each with a vcita account and a message gateway that is routed to it. vcita and the three
connectors are the simulators: the connectors in this process, vcita in one of its own, as when a request came must not depend on
what a thousand coroutines do meanwhile. Of what we ask vcita for, one request in ten is answered 429, one in twenty 500, one in twenty takes effect and is not answered, and one in fifty is
answered after we have given up waiting. `make load` plays five hundred conversations; what runs with all tests is small.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import os
import secrets
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import pytest
from aiohttp import web

from tests.simulators import frontstage_connector, vcs
from tests.simulators.common import Fault
from tests.simulators.vcs_apps import App
from tests.stack import Stack
from tests.stack.stack import free_port

CONVERSATIONS, MESSAGES = (int(each) for each in os.environ.get("DESKBRIDGE_LOAD_VCITA", "12x3").split("x"))
"""How many conversations, and how many messages each way in each of them."""

BUSINESSES = 3

CALLS_PER_SECOND = 8
"""What vcita takes of an app and business (VC 10)."""

LIMIT_SECONDS = 240.0 if CONVERSATIONS <= 12 else 90 * 60.0
"""Nothing of it may hang."""

CALLERS = 24
"""Webhooks under way at a time."""

ATTEMPTS = 5
"""How often a webhook is sent, with the same ids, when the answer asks for it or is lost."""

STALL_MS = 150
"""So long late, and the process that counts calls has stood still: what came meanwhile would count as come at once. In less than
that comes no more than the one call by which eight are more than what our pace lets through in a second."""

UNSEEN_SECONDS = 5.0
UNSEEN_SHARE = 0.05
"""At most so long, or this part of the time, may go unseen for it."""

TOO_LATE_MS = 9000
"""We wait 8 s for an answer (VC 10)."""

FAULTS: tuple[dict[str, Any], ...] = (
    {"status": 429, "chance": 0.05, "headers": {"Retry-After": "1"}, "envelope": "vcs"},
    {"status": 429, "chance": 0.05, "envelope": "status_message"},
    {"status": 500, "chance": 0.05, "envelope": "html"},
    {"drop": True, "effect": True, "chance": 0.05},
    {"delay_ms": TOO_LATE_MS, "chance": 0.02},
)
"""What vcita does instead of answering, each with dice of its own."""

pytestmark = pytest.mark.filterwarnings("ignore::aiohttp.web.NotAppKeyWarning")

TENANT, KEY, PEER = "vcita-load", "k1", "!Load"


@dataclass(frozen=True)
class Business:
    """One business: its names at vcita and at FrontStage, and the keys of both sides."""

    number: int
    url_secret: str = field(default_factory=lambda: secrets.token_hex(16))
    client_secret: str = field(default_factory=lambda: secrets.token_hex(16))
    gateway_secret: str = field(default_factory=lambda: secrets.token_hex(32))
    push_port: int = field(default_factory=free_port)

    @property
    def app(self) -> str:
        """The vcita account, and the id of its app."""
        return f"load-{self.number}"

    @property
    def gateway(self) -> str:
        """The FrontStage account."""
        return f"gw-load-{self.number}"

    @property
    def uid(self) -> str:
        """The business, as vcita names it."""
        return f"loadbusiness000{self.number}"

    @property
    def channel(self) -> str:
        """Its channel."""
        return f"0d6a6c58-2d1e-4f53-9a5b-00000000000{self.number}"


@dataclass
class Conversation:
    """One client of a business: what they write, and what staff answer, in order."""

    business: Business
    number: int

    @property
    def phone(self) -> str:
        """Their number."""
        return f"+4206{self.number:08d}"

    def said(self, by: str) -> list[str]:
        """All that one side writes."""
        return [f"{by} {place} of conversation {self.number}" for place in range(1, MESSAGES + 1)]


@dataclass
class Judged:
    """What vcita's simulator has seen, as it was at the end."""

    asked: int
    """Requests, those for tokens left out."""
    fired: dict[str, int]
    """How often each kind of failure came."""
    messages: list[dict[str, Any]]
    staff_messages: list[dict[str, Any]]
    statuses: list[dict[str, Any]]
    sessions: dict[str, dict[str, Any]]
    contacts: int
    busiest: dict[str, int]
    """By business the most calls of VCS that came within a second, as far as that was seen."""
    unseen_seconds: float


@dataclass
class Ended:
    """What is left to judge."""

    conversations: list[Conversation]
    vcita: Judged
    connectors: dict[str, frontstage_connector.Connector]
    wall_seconds: float


@contextlib.asynccontextmanager
async def serving(app: web.Application, port: int) -> AsyncIterator[None]:
    """A simulator in this loop."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield
    finally:
        await runner.cleanup()


class Vcita:
    """vcita in a process of its own: what it can be asked over a pipe."""

    def __init__(self, port: int, origin: str, businesses: list[Business]) -> None:
        unused = vcs.parse_arguments(["--port", str(port), "--target-base", f"{origin}/vcita/nobody/none"])
        self.vcs = vcs.Vcs(unused)
        for one in businesses:
            app = App(one.app, one.client_secret, f"{origin}/vcita/{one.app}/{one.url_secret}", business=one.uid)
            self.vcs.add_business(one.uid, one.channel, app, f"Load {one.number}")
        for seed, fault in enumerate(FAULTS):
            data = {"path": "^/business/|^/platform/", "times": None, "seed": seed, **fault}
            self.vcs.faults.faults.append(Fault.from_control(data, vcs.ENVELOPES))
        self.unseen: list[tuple[float, float]] = []
        """From when to when it cannot be said when calls came, in milliseconds."""

    async def watch(self) -> None:
        """Notes when this process stands still, with the second after it, in which it takes what has piled up."""
        while True:
            before = time.monotonic() * 1000
            await asyncio.sleep(0.02)
            now = time.monotonic() * 1000
            if now - before > 20 + STALL_MS:
                self.unseen.append((before, now + 1000))

    def busiest(self) -> dict[str, int]:
        """By business the most calls within a second; those that came unseen are left out."""
        times: defaultdict[str, list[float]] = defaultdict(list)
        for one in self.vcs.log.entries:
            if vcs.endpoint_group(one.path)[1] and not any(start <= one.at_ms < end for start, end in self.unseen):
                times[one.business].append(one.at_ms)
        return {business: vcs.busiest_second(sorted(each)) for business, each in times.items()}

    def unseen_seconds(self) -> float:
        """How long it was unseen when calls came."""
        whole, until = 0.0, 0.0
        for start, end in self.unseen:
            whole, until = whole + end - max(start, until), end
        return whole / 1000

    async def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """Staff write, see `Vcs.write_as_staff`."""
        return await self.vcs.write_as_staff(body)

    async def news(self, noted: int) -> list[tuple[str, dict[str, Any]]]:
        """The texts that came after so many, each with its session."""
        return [(one["message"], self.vcs.sessions[one["session_uid"]]) for one in self.vcs.messages[noted:]]

    async def counts(self) -> tuple[int, int, bool]:
        """How much came, how much staff wrote, and whether all of that is said to be sent."""
        staff = self.vcs.staff_messages
        return len(self.vcs.messages), len(staff), all(one["status"] == "sent" for one in staff)

    async def judged(self) -> Judged:
        """All that there is to say."""
        fired = {
            f"{fault.status or ('lost' if fault.drop else 'late')}{' Retry-After' if fault.headers else ''}": fault.fired
            for fault in self.vcs.faults.faults
        }
        asked = sum(not one.path.startswith("/oauth/") for one in self.vcs.log.entries)
        told = (self.vcs.messages, self.vcs.staff_messages, self.vcs.statuses, self.vcs.sessions, len(self.vcs.contacts))
        return Judged(asked, fired, *told, self.busiest(), self.unseen_seconds())


def vcita_process(pipe: Connection, port: int, origin: str, businesses: list[Business]) -> None:
    """Serves vcita, and answers what the pipe asks, until the pipe is shut."""
    # A collection stops the loop: for 80 ms after four thousand requests, and longer the more came. What is asked meanwhile would
    # count as asked at once.
    gc.disable()

    async def serve() -> None:
        vcita, loop, over = Vcita(port, origin, businesses), asyncio.get_running_loop(), asyncio.Event()

        async def answer(number: int, what: str, *about: Any) -> None:
            pipe.send((number, await getattr(vcita, what)(*about)))

        def on_question() -> None:
            try:
                group.create_task(answer(*pipe.recv()))
            except EOFError:
                loop.remove_reader(pipe.fileno())
                over.set()

        async with serving(vcita.vcs.app(), port), asyncio.TaskGroup() as group:
            loop.add_reader(pipe.fileno(), on_question)
            watching = group.create_task(vcita.watch())
            pipe.send((0, None))
            await over.wait()
            watching.cancel()

    asyncio.run(serve())


class Apart:
    """The other end of the pipe."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.waiting: dict[int, asyncio.Future[Any]] = {}
        self.number = 0

    def on_answer(self) -> None:
        """Gives an answer to who waits for it."""
        try:
            number, told = self.pipe.recv()
        except EOFError:
            asyncio.get_running_loop().remove_reader(self.pipe.fileno())
            for answer in self.waiting.values():
                answer.set_exception(RuntimeError("vcita's process has ended"))
            return
        answer = self.waiting.pop(number)
        if not answer.done():
            answer.set_result(told)

    async def ask(self, what: str, *about: Any) -> Any:
        """What a method of `Vcita` returns."""
        self.number += 1
        self.waiting[self.number] = answer = asyncio.get_running_loop().create_future()
        self.pipe.send((self.number, what, *about))
        return await answer


@contextlib.asynccontextmanager
async def vcita_apart(port: int, origin: str, businesses: list[Business]) -> AsyncIterator[Apart]:
    """vcita in a process of its own, that serves."""
    context, loop = multiprocessing.get_context("spawn"), asyncio.get_running_loop()
    ours, theirs = context.Pipe()
    process = context.Process(target=vcita_process, args=(theirs, port, origin, businesses), daemon=True)
    process.start()
    theirs.close()
    apart = Apart(ours)
    try:
        await asyncio.to_thread(ours.recv)
        loop.add_reader(ours.fileno(), apart.on_answer)
        yield apart
    finally:
        loop.remove_reader(ours.fileno())
        ours.close()
        await asyncio.to_thread(process.join, 30)


class Load:
    """Plays the clients, the connectors, vcita and its staff."""

    def __init__(self, origin: str, businesses: list[Business], vcita_port: int, is_settled: Callable[[], bool]) -> None:
        self.origin, self.businesses = origin, businesses
        self.vcita_port = vcita_port
        self.connectors: dict[str, frontstage_connector.Connector] = {}
        for one in businesses:
            gateway = ["--gateway-url", f"{origin}/v1/frontstage/{one.gateway}", "--port", str(one.push_port), "--peer", PEER]
            options = frontstage_connector.parse_arguments([*gateway, "--key-id", KEY, "--secret", one.gateway_secret])
            self.connectors[one.gateway] = frontstage_connector.Connector(options)
        self.conversations = [
            Conversation(businesses[number % len(businesses)], number) for number in range(CONVERSATIONS)
        ]
        self.first_in: dict[str, dict[str, Any]] = {}
        """The session of each text that vcita has."""
        self.room = asyncio.Semaphore(CALLERS)
        self.is_settled = is_settled

    async def play(self) -> Ended:
        """Everything, until all of it has arrived or the time is over."""
        begun = time.monotonic()
        async with contextlib.AsyncExitStack() as servers:
            self.vcita = await servers.enter_async_context(vcita_apart(self.vcita_port, self.origin, self.businesses))
            for one in self.connectors.values():
                await servers.enter_async_context(serving(one.app(), one.options.port))
                await one.gateway_id("I")  # as a connector asks, when it starts: once
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LIMIT_SECONDS), asyncio.TaskGroup() as group:
                    for conversation in self.conversations:
                        group.create_task(self.write(conversation))
                        group.create_task(self.answer(conversation))
                    watch = group.create_task(self.watch())
                    await self.arrive()
                    watch.cancel()
            wall_seconds = time.monotonic() - begun
            return Ended(self.conversations, await self.vcita.ask("judged"), self.connectors, wall_seconds)

    async def write(self, conversation: Conversation) -> None:
        """The client's side: one message after the other, each one taken before the next."""
        connector = self.connectors[conversation.business.gateway]
        gateway = await connector.gateway_id("I")
        for text in conversation.said("question"):
            content = {**connector.inbound_content(conversation.phone, text), "GatewayId": gateway}
            envelope = connector.envelope("ES_MESSAGE_RECEIVING", content)
            told = await self.taken(lambda e=envelope: connector.post_envelope(e), "http_status", 200)
            (reply,) = connector.replies(told, "SE_MESSAGE_RECEIVED")
            assert reply["Body"]["Data"] == "true", reply

    async def answer(self, conversation: Conversation) -> None:
        """The staff's side: they answer once the client's first message shows up."""
        session = await self.session(conversation)
        for text in conversation.said("answer"):
            body = {
                "external_uid": session["external_uid"],
                "message": text,
                "message_uid": str(uuid.uuid4()),
                "channel_uid": session["channel_uid"],
                "status": "pending",
            }
            await self.taken(lambda b=body: self.vcita.ask("answer", b), "status", 204)

    async def session(self, conversation: Conversation) -> dict[str, Any]:
        """The session of a client, once their first message is in it."""
        first = conversation.said("question")[0]
        while (session := self.first_in.get(first)) is None:
            await asyncio.sleep(0.5)
        return session

    async def watch(self) -> None:
        """Notes where each text is, once."""
        noted = 0
        while True:
            for text, session in await self.vcita.ask("news", noted):
                self.first_in.setdefault(text, session)
                noted += 1
            await asyncio.sleep(0.2)

    async def taken(self, call: Any, member: str, status: int) -> dict[str, Any]:
        """Sends a webhook, again if the answer says so or is lost; what came back."""
        for attempt in range(ATTEMPTS):
            async with self.room:
                told = await call()
            if told[member] == status:
                return told
            assert told[member] in (None, 429, 500, 502, 503, 504), told
            await asyncio.sleep(0.5 * 2**attempt)
        raise AssertionError(f"not taken in {ATTEMPTS} attempts: {told}")

    async def arrive(self) -> None:
        """Waits until both sides have everything, vcita knows of it, and so do we: an answer may have been lost."""
        total = CONVERSATIONS * MESSAGES
        while await self.vcita.ask("counts") != (total, total, True):
            await asyncio.sleep(0.5)
        while not await asyncio.to_thread(self.is_settled):
            await asyncio.sleep(2)


def configure(stack: Stack, businesses: list[Business], vcita_port: int) -> None:
    """One tenant, whose gateways lead to one vcita account each."""
    accounts: list[dict[str, Any]] = []
    for one in businesses:
        stack.put_secret(f"frontstage/{one.gateway}", {"keys": [{"id": KEY, "secret": one.gateway_secret}]})
        app = {"url_secrets": [one.url_secret], "client_id": one.app, "client_secret": one.client_secret}
        stack.put_secret(f"vcita/{one.app}", app)
        gateway = {
            "id": f"44444444-4444-4444-8444-00000000000{one.number}",
            "display_name": f"Load {one.number}",
            "channel": "SMS",
            "direction": "B",
            "device": "Load {}",
            "language_id": None,
        }
        frontstage = {
            "peer_address": PEER,
            "peer_port": None,
            "push_url": f"http://127.0.0.1:{one.push_port}/push",
            "message_gateways": [gateway],
        }
        vcita = {
            "business_uid": one.uid,
            "channel_uid": one.channel,
            "api_base": f"http://127.0.0.1:{vcita_port}",
            "activation_timeout_seconds": 5,
        }
        accounts.append({"platform": "vcita", "key": one.app, "settings": vcita})
        accounts.append({"platform": "frontstage", "key": one.gateway, "settings": frontstage})
    routes = [{"when": {"account": f"frontstage/{one.gateway}"}, "desk": f"vcita/{one.app}"} for one in businesses]
    answer = stack.invoke("operator-configure", {"tenant": {"id": TENANT, "routes": routes}, "accounts": accounts})
    assert "error" not in answer, answer


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack without any other traffic. Its schedule leaves a busy machine the time to acknowledge."""
    state = tmp_path_factory.mktemp("vcita-load")
    # A long run has too many lines and texts to compare each with each.
    watches_logs = CONVERSATIONS <= 12
    with Stack(
        ack_timeout=30, retry_delays="5,10", state_dir=state, simulators=False, demo=False, watches_logs=watches_logs
    ) as running:
        yield running


@pytest.fixture(scope="module")
def ended(stack: Stack, pytestconfig: pytest.Config) -> Ended:
    """The load, played once."""
    businesses = [Business(number) for number in range(1, BUSINESSES + 1)]
    vcita_port = free_port()
    configure(stack, businesses, vcita_port)

    def is_settled() -> bool:
        return {one["state"] for one in items(stack, "delivery")} <= {"sent", "failed"}

    async def play() -> Ended:
        return await Load(stack.origin, businesses, vcita_port, is_settled).play()

    played = asyncio.run(play())
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(
            f"\n{CONVERSATIONS} conversations, {MESSAGES} messages each way, {BUSINESSES} businesses, in"
            f" {played.wall_seconds:.0f} s; vcita was asked {played.vcita.asked} times, failed {played.vcita.fired};"
            f" busiest second {max(played.vcita.busiest.values(), default=0)} of a business,"
            f" {played.vcita.unseen_seconds:.0f} s unseen"
        )
    return played


def items(stack: Stack, kind: str) -> list[dict[str, str]]:
    """The table's items of a kind, their texts only."""
    pages = stack.client("dynamodb").get_paginator("scan").paginate(
        TableName=stack.info["aws"]["table"],
        FilterExpression="entity_type = :kind",
        ExpressionAttributeValues={":kind": {"S": kind}},
    )
    return [{name: value["S"] for name, value in item.items() if "S" in value} for page in pages for item in page["Items"]]


def test_vcita_failed_in_every_way(ended: Ended) -> None:
    """The load is what it says: each kind of failure, in about its share."""
    asked, fired = ended.vcita.asked, list(ended.vcita.fired.values())
    assert asked >= 2 * CONVERSATIONS * MESSAGES
    assert all(fired), fired
    assert 0.1 * asked < sum(fired) < 0.35 * asked


def test_every_message_is_at_vcita_once_and_in_order(ended: Ended) -> None:
    found: defaultdict[str, list[str]] = defaultdict(list)
    uids = Counter((one["channel_uid"], one["message_uid"]) for one in ended.vcita.messages)
    assert set(uids.values()) == {1}
    for message in ended.vcita.messages:
        found[message["external_uid"]].append(message["message"])
    by_first = {texts[0]: texts for texts in found.values()}
    assert len(found) == len(by_first) == CONVERSATIONS
    for conversation in ended.conversations:
        expected = conversation.said("question")
        assert by_first[expected[0]] == expected


def test_no_business_is_called_too_often(ended: Ended) -> None:
    busiest = ended.vcita.busiest
    assert set(busiest) == {each.business.uid for each in ended.conversations}
    assert all(0 < rate <= CALLS_PER_SECOND for rate in busiest.values()), busiest
    unseen = ended.vcita.unseen_seconds
    assert unseen <= max(UNSEEN_SECONDS, UNSEEN_SHARE * ended.wall_seconds), f"{unseen:.0f} s: the machine is too busy to tell"


def test_every_client_has_one_session_in_the_channel_of_their_business(ended: Ended) -> None:
    channels = Counter(session["channel_uid"] for session in ended.vcita.sessions.values())
    assert channels == Counter(conversation.business.channel for conversation in ended.conversations)
    assert {session["status"] for session in ended.vcita.sessions.values()} == {"active"}
    assert ended.vcita.contacts == CONVERSATIONS


def test_every_answer_is_at_its_connector_once_and_in_order(ended: Ended) -> None:
    """A MessageId may come again, with the same words (FS 6): the connector takes the first of them."""
    for conversation in ended.conversations:
        first: dict[str, str] = {}
        for push in ended.connectors[conversation.business.gateway].pushes:
            body = push["envelope"]["Body"]
            assert push["signature"] == "ok"
            if push["envelope"]["Msg"] == "SE_MESSAGE_SENDING" and body["RemoteAddress"] == conversation.phone:
                assert first.setdefault(body["MessageId"], body["BodyText"]) == body["BodyText"]
        assert list(first.values()) == conversation.said("answer")


def test_vcita_is_told_sent_of_every_answer_and_nothing_else(ended: Ended) -> None:
    told: defaultdict[str, set[str]] = defaultdict(set)
    for report in ended.vcita.statuses:
        told[report["message_uid"]].add(report["status"])
    assert told == {one["message_uid"]: {"sent"} for one in ended.vcita.staff_messages}
    assert len(told) == CONVERSATIONS * MESSAGES


def test_every_delivery_ends_once_as_sent(ended: Ended, stack: Stack) -> None:
    """One message each way is two deliveries, and the report to the staff is a third one."""
    del ended
    deliveries = {one["delivery"]: one["state"] for one in items(stack, "delivery")}
    assert Counter(deliveries.values()) == {"sent": 3 * CONVERSATIONS * MESSAGES}
    finals = ("acknowledged", "rejected", "expired")
    ends = Counter(one["delivery"] for one in items(stack, "story") if one["event"] in finals)
    assert ends == Counter(dict.fromkeys(deliveries, 1))


def test_nothing_is_given_up(ended: Ended, stack: Stack) -> None:
    del ended
    queue = stack.info["aws"]["queues"]["dead"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = stack.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    assert {name: counts[name] for name in names} == dict.fromkeys(names, "0")
