"""Many conversations with vcita's staff at once while vcita fails: nothing lost, nothing doubled, order kept (VC 8.2, 8.3, 10).

Three businesses of one tenant, each with a vcita account and a message gateway that is routed to it. vcita and the three
connectors are the simulators, in this process, so that their state need not be fetched; vcita on a thread of its own. Of what we ask vcita for, one
request in ten is answered 429, one in twenty 500, one in twenty takes effect and is not answered, and one in fifty is
answered after we have given up waiting. `make load` plays five hundred conversations; what runs with all tests is small.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import secrets
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

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

T = TypeVar("T")

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
class Ended:
    """What is left to judge."""

    conversations: list[Conversation]
    vcita: vcs.Vcs
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


@contextlib.asynccontextmanager
async def serving_apart(app: web.Application, port: int) -> AsyncIterator[asyncio.AbstractEventLoop]:
    """A simulator in a loop and thread of its own: when a request came must not depend on what else this process does."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    stack = contextlib.AsyncExitStack()
    try:
        await elsewhere(loop, stack.enter_async_context(serving(app, port)))
        yield loop
    finally:
        await elsewhere(loop, stack.aclose())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def elsewhere(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    """What comes of something that another thread's loop does."""
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


class Load:
    """Plays the clients, the connectors, vcita and its staff."""

    def __init__(self, origin: str, businesses: list[Business], vcita_port: int, is_settled: Callable[[], bool]) -> None:
        unused = vcs.parse_arguments(["--port", str(vcita_port), "--target-base", f"{origin}/vcita/nobody/none"])
        self.vcita = vcs.Vcs(unused)
        self.vcita_port = vcita_port
        self.connectors: dict[str, frontstage_connector.Connector] = {}
        for one in businesses:
            base = f"{origin}/vcita/{one.app}/{one.url_secret}"
            app = App(one.app, one.client_secret, base, business=one.uid)
            self.vcita.add_business(one.uid, one.channel, app, f"Load {one.number}")
            gateway = ["--gateway-url", f"{origin}/v1/frontstage/{one.gateway}", "--port", str(one.push_port), "--peer", PEER]
            options = frontstage_connector.parse_arguments([*gateway, "--key-id", KEY, "--secret", one.gateway_secret])
            self.connectors[one.gateway] = frontstage_connector.Connector(options)
        for seed, fault in enumerate(FAULTS):
            data = {"path": "^/business/|^/platform/", "times": None, "seed": seed, **fault}
            self.vcita.faults.faults.append(Fault.from_control(data, vcs.ENVELOPES))
        self.conversations = [
            Conversation(businesses[number % len(businesses)], number) for number in range(CONVERSATIONS)
        ]
        self.first_in: dict[str, str] = {}
        """The session of each text that vcita has."""
        self.room = asyncio.Semaphore(CALLERS)
        self.is_settled = is_settled

    async def play(self) -> Ended:
        """Everything, until all of it has arrived or the time is over."""
        begun = time.monotonic()
        async with contextlib.AsyncExitStack() as servers:
            self.vcita_loop = await servers.enter_async_context(serving_apart(self.vcita.app(), self.vcita_port))
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
        return Ended(self.conversations, self.vcita, self.connectors, time.monotonic() - begun)

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
            await self.taken(lambda b=body: elsewhere(self.vcita_loop, self.vcita.write_as_staff(b)), "status", 204)

    async def session(self, conversation: Conversation) -> dict[str, Any]:
        """The session of a client, once their first message is in it."""
        first = conversation.said("question")[0]
        while (session_uid := self.first_in.get(first)) is None:
            await asyncio.sleep(0.5)
        return self.vcita.sessions[session_uid]

    async def watch(self) -> None:
        """Notes where each text is, once."""
        noted = 0
        while True:
            for message in self.vcita.messages[noted:]:
                self.first_in.setdefault(message["message"], message["session_uid"])
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
        while (
            len(self.vcita.messages) < total
            or len(self.vcita.staff_messages) < total
            or any(one["status"] != "sent" for one in self.vcita.staff_messages)
        ):
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
    with Stack(ack_timeout=30, retry_delays="5,10", state_dir=state, simulators=False, demo=False) as running:
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

    # A full collection stops vcita's thread for as long as it takes: what arrived meanwhile would seem to have come at once.
    gc.collect()
    gc.disable()
    try:
        played = asyncio.run(play())
    finally:
        gc.enable()
    entries = played.vcita.log.entries
    fired = {
        f"{fault.status or ('lost' if fault.drop else 'late')}{' Retry-After' if fault.headers else ''}": fault.fired
        for fault in played.vcita.faults.faults
    }
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(
            f"\n{CONVERSATIONS} conversations, {MESSAGES} messages each way, {BUSINESSES} businesses, in"
            f" {played.wall_seconds:.0f} s; vcita was asked {len(entries)} times, failed {fired};"
            f" busiest second {max((each['all'] for each in played.vcita.rates().values()), default=0)} of a business"
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
    asked = len([one for one in ended.vcita.log.entries if not one.path.startswith("/oauth/")])
    assert asked >= 2 * CONVERSATIONS * MESSAGES
    fired = [fault.fired for fault in ended.vcita.faults.faults]
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
    rates = ended.vcita.rates()
    busiest = {one.uid: rates[one.uid]["vcs"] for one in {each.business for each in ended.conversations}}
    assert len(busiest) == BUSINESSES
    assert all(0 < rate <= CALLS_PER_SECOND for rate in busiest.values()), busiest


def test_every_client_has_one_session_in_the_channel_of_their_business(ended: Ended) -> None:
    channels = Counter(session["channel_uid"] for session in ended.vcita.sessions.values())
    assert channels == Counter(conversation.business.channel for conversation in ended.conversations)
    assert {session["status"] for session in ended.vcita.sessions.values()} == {"active"}
    assert len(ended.vcita.contacts) == CONVERSATIONS


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
