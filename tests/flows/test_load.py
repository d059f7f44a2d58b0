"""Many chats at once over real HTTP: nothing lost, nothing doubled, order kept (FrontStage contract, 5.2, 10.3).

One connector and a few agents' clients, all of them in one event loop. Of what they post, one request in twenty goes out
twice at the same time, in one envelope or in two, and of two neighbouring sentences one pair in twenty goes out in
reverse. `make load` plays two hundred chats; what runs with all tests is a fifth of that.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.simulators.frontstage_connector import Signer

from .conftest import running_stack

CHATS = int(os.environ.get("DESKBRIDGE_LOAD_CHATS", "40"))
SENTENCES = 20
"""Of each side in each chat."""

CALLERS = 24
"""Calls under way at a time, polls apart."""

ODD = 0.05
"""The share of requests that go out twice, and of neighbours that change places."""

AGENTS = 4
ATTEMPTS = 5
"""How often a request is made, with the same envelope, when the answer is lost or asks for it."""

PAUSE_SECONDS = 1.0
"""Between two polls of a stream in which nothing is new."""

LIMIT_SECONDS = 600.0
"""Nothing of it may hang."""

GATEWAY, DESK, KEY = "gw-load", "desk-load", "k1"
PASSING = (429, 500, 502, 503, 504)


@dataclass
class Tally:
    """What happened on the way."""

    requests: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    repeated: Counter[int] = field(default_factory=Counter)
    doubled: int = 0
    swapped: int = 0
    seconds: list[float] = field(default_factory=list)


class Stream:
    """One gateway's or one workplace's end of the line: posts, polls, and keeps all it is told by its number."""

    def __init__(self, base: str, signer: Signer, http: aiohttp.ClientSession, room: asyncio.Semaphore, tally: Tally):
        self.base = base
        self.signer = signer
        self.http = http
        self.room = room
        self.tally = tally
        self.told: dict[int, dict[str, Any]] = {}
        self.polled: Counter[int] = Counter()
        self.cursor = 0
        self.news = asyncio.Condition()

    async def call(self, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
        """One signed call with a nonce of its own; status 0 without an answer."""
        url = URL(self.base + path, encoded=True)
        headers = self.signer.headers(method, url, body, {})
        if body:
            headers["Content-Type"] = "application/json"
        try:
            async with self.http.request(method, url, data=body or None, headers=headers) as answer:
                return answer.status, await answer.json()
        except (aiohttp.ClientError, TimeoutError):
            return 0, None

    async def post(self, message: str, body: dict[str, Any], copies: int = 1, anew: bool = False) -> list[dict[str, Any]]:
        """Sends a message in so many copies at once; the replies, which must say the same to each of them.

        The copies are one envelope, which has one answer, or `anew` an envelope each, as of a client that gave up waiting.
        """
        ids = [str(uuid.uuid4()) for _ in range(copies)] if anew else [str(uuid.uuid4())] * copies
        raws = [json.dumps({"Msg": message, "Id": one, "Body": body}).encode() for one in ids]
        self.tally.doubled += copies - 1
        replies = await asyncio.gather(*(self._post(message, raw) for raw in raws))
        for one in replies[1:]:
            found, first = ([each["Body"] for each in many] if anew else many for many in (one, replies[0]))
            assert found == first, f"two answers to one message: {found} and {first}"
        for many in replies if anew else replies[:1]:
            for reply in many:
                await self.take(reply)
        return replies[0]

    async def _post(self, message: str, raw: bytes) -> list[dict[str, Any]]:
        for attempt in range(ATTEMPTS):
            async with self.room:
                begun = time.monotonic()
                status, answer = await self.call("POST", "/messages", raw)
                self.tally.seconds.append(time.monotonic() - begun)
            self.tally.requests[message] += 1
            if status == 200:
                (result,) = answer["Results"]
                self.tally.outcomes[result["Outcome"]] += 1
                assert result["Outcome"] in ("Accepted", "Duplicate"), answer
                return answer["Replies"]
            assert status == 0 or status in PASSING, f"{message}: {status} {answer}"
            self.tally.repeated[status] += 1
            await asyncio.sleep(0.2 * 2**attempt)
        raise AssertionError(f"{message} was not taken in {ATTEMPTS} attempts: {self.tally.repeated}")

    async def take(self, envelope: dict[str, Any]) -> None:
        """Keeps what was told. The same number may come again (10.3), but not with another meaning."""
        before = self.told.setdefault(envelope["Seq"], envelope)
        assert before == envelope, f"one number, two messages: {before} and {envelope}"
        async with self.news:
            self.news.notify_all()

    async def poll(self) -> bool:
        """Looks once; whether there was something."""
        status, page = await self.call("GET", f"/events?after={self.cursor}&max=50&wait=0")
        if status == 0 or status in PASSING:
            self.tally.repeated[status] += 1
            return False
        assert status == 200, page
        for envelope in page["Events"]:
            assert envelope["Seq"] > self.cursor, "an old number once more"
            self.polled[envelope["Seq"]] += 1
            await self.take(envelope)
        is_news = page["Next"] > self.cursor
        self.cursor = page["Next"]
        return is_news

    async def listen(self) -> None:
        """Polls until it is cancelled."""
        while True:
            if not await self.poll():
                await asyncio.sleep(PAUSE_SECONDS)

    async def drain(self) -> None:
        """Polls until everything up to the last number that it has heard of is there."""
        end = time.monotonic() + 60
        while self.cursor < max(self.told, default=0):
            assert time.monotonic() < end, f"the stream stays at {self.cursor} of {max(self.told)}"
            if not await self.poll():
                await asyncio.sleep(PAUSE_SECONDS)

    def sentences(self, key: str, value: str) -> list[dict[str, Any]]:
        """The sentences of a chat, by their numbers in the stream."""
        told = (self.told[seq] for seq in sorted(self.told))
        return [one["Body"] for one in told if one["Msg"].endswith("_CHAT_SENTENCE") and one["Body"][key] == value]


@dataclass
class Talk:
    """One chat: what each side wrote, in the order in which it was sent."""

    tracking: str
    dice: random.Random
    chat_id: str | None = None
    workplace: str | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    written: dict[bool, list[str]] = field(default_factory=lambda: {False: [], True: []})
    """By direction, outbound or not: the IDs as they went out."""
    anew: Counter[str] = field(default_factory=Counter)
    """How many more envelopes of its own a sentence went out in: each of them has an echo."""


@dataclass
class Ended:
    """What is left to judge when all have said what they had to say."""

    talks: list[Talk]
    connector: Stream
    workplaces: dict[str, Stream]
    transcripts: dict[str, tuple[dict[str, Any], dict[str, Any]]]
    """By TrackingId: the complete status as the connector and as the agent gets it."""
    tally: Tally
    wall_seconds: float


class Load:
    """Plays all sides."""

    def __init__(self, origin: str, keys: dict[str, str], http: aiohttp.ClientSession) -> None:
        room = asyncio.Semaphore(CALLERS)
        self.tally = Tally()
        base = f"{origin}/v1/frontstage"
        self.connector = Stream(f"{base}/{GATEWAY}", Signer(KEY, keys[GATEWAY].encode()), http, room, self.tally)
        self.workplaces = {
            number: Stream(f"{base}/workplaces/{number}", Signer(f"w{number}", keys[number].encode()), http, room, self.tally)
            for number in numbers()
        }
        self.talks = [Talk(f"t-{number}", random.Random(number)) for number in range(CHATS)]
        self.started: defaultdict[str, asyncio.Future[Talk]] = defaultdict(asyncio.get_running_loop().create_future)
        """By ChatId: an alert may be here before the answer to the start."""

    async def play(self) -> Ended:
        """Everything, from the agents' coming to the last sentence."""
        begun = time.monotonic()
        for number, stream in self.workplaces.items():
            await stream.post("CS_CHAT_RESYNC", {"Peer": number, "AgentId": agent_id(number)})
        async with asyncio.TaskGroup() as group:
            listeners = [group.create_task(one.listen()) for one in (self.connector, *self.workplaces.values())]
            answering = [group.create_task(self.answer(number)) for number in self.workplaces]
            async with asyncio.TaskGroup() as speakers:
                for talk in self.talks:
                    speakers.create_task(self.visit(talk))
                    speakers.create_task(self.serve(talk))
            wall = time.monotonic() - begun
            for task in (*listeners, *answering):
                task.cancel()
        transcripts = dict(await asyncio.gather(*(self.ask(talk) for talk in self.talks)))
        for stream in (self.connector, *self.workplaces.values()):
            await stream.drain()
        return Ended(self.talks, self.connector, self.workplaces, transcripts, self.tally, wall)

    async def visit(self, talk: Talk) -> None:
        """The visitor's side of one chat."""
        body = {"TrackingId": talk.tracking, "PartyName": "Eva"}
        (status,) = await self.connector.post("ES_CHAT_START", body, self.copies(talk))
        self.started[status["Body"]["ChatId"]].set_result(talk)
        await self.speak(talk, self.connector, "ES_CHAT_SENTENCE", {"TrackingId": talk.tracking}, is_outbound=False)

    async def serve(self, talk: Talk) -> None:
        """The agent's side of one chat, once it is answered."""
        await talk.answered.wait()
        assert talk.workplace is not None
        key = {"Peer": talk.workplace, "AgentId": agent_id(talk.workplace), "ChatId": talk.chat_id}
        stream = self.workplaces[talk.workplace]
        await self.speak(talk, stream, "CS_CHAT_SENTENCE", key, is_outbound=True)

    async def answer(self, number: str) -> None:
        """Answers whatever the workplace is alerted of."""
        stream = self.workplaces[number]
        seen: set[int] = set()
        async with asyncio.TaskGroup() as group:
            while True:
                fresh = sorted(stream.told.keys() - seen)
                seen.update(fresh)
                for seq in fresh:
                    if stream.told[seq]["Msg"] == "SC_CHAT_ALERT":
                        group.create_task(self.accept(number, stream.told[seq]["Body"]))
                async with stream.news:
                    await stream.news.wait_for(lambda: stream.told.keys() - seen)

    async def accept(self, number: str, alert: dict[str, Any]) -> None:
        """Answers one alert."""
        talk = await self.started[alert["ChatId"]]
        body = {"Peer": number, "AgentId": agent_id(number), "ChatId": alert["ChatId"]}
        (status,) = await self.workplaces[number].post("CS_CHAT_ANSWER", body, self.copies(talk))
        assert status["Body"]["Status"] == "Answered", status
        assert not talk.answered.is_set(), "alerted twice"
        talk.chat_id, talk.workplace = alert["ChatId"], number
        talk.answered.set()

    async def speak(self, talk: Talk, stream: Stream, message: str, key: dict[str, Any], is_outbound: bool) -> None:
        """Twenty sentences, each one after the echo of the one before."""
        ids = [f"{talk.tracking}-{'a' if is_outbound else 'v'}{number}" for number in range(1, SENTENCES + 1)]
        place = 0
        while place + 1 < len(ids):
            if talk.dice.random() < ODD:
                ids[place], ids[place + 1] = ids[place + 1], ids[place]
                self.tally.swapped += 1
                place += 1
            place += 1
        for one in ids:
            talk.written[is_outbound].append(one)
            body = {**key, "ID": one, "Text": f"words of {one}", "PartyName": "Eva", "Model": 0}
            copies, anew = self.copies(talk), talk.dice.random() < 0.5
            talk.anew[one] += (copies - 1) * anew
            (echo,) = await stream.post(message, body, copies, anew)
            assert (echo["Body"]["ID"], echo["Body"]["IsOutbound"]) == (one, is_outbound)

    async def ask(self, talk: Talk) -> tuple[str, tuple[dict[str, Any], dict[str, Any]]]:
        """The complete status, as each of both sides gets it."""
        (visitor,) = await self.connector.post("ES_CHAT_STATUS", {"TrackingId": talk.tracking})
        assert talk.workplace is not None
        body = {"Peer": talk.workplace, "AgentId": agent_id(talk.workplace), "ChatId": talk.chat_id}
        (agent,) = await self.workplaces[talk.workplace].post("CS_CHAT_STATUS", body)
        return talk.tracking, (visitor["Body"], agent["Body"])

    @staticmethod
    def copies(talk: Talk) -> int:
        """How often the next request of a chat goes out at once."""
        return 2 if talk.dice.random() < ODD else 1


def bare(sentence: dict[str, Any]) -> dict[str, Any]:
    """A sentence without the address that each side writes its own way."""
    return {name: value for name, value in sentence.items() if name not in ("Peer", "Port", "TrackingId", "ChatId")}


def numbers() -> list[str]:
    """The workplaces."""
    return [str(901 + place) for place in range(AGENTS)]


def agent_id(workplace: str) -> str:
    """The agent of a workplace."""
    return f"bbbbbbbb-0000-4000-8000-000000000{workplace}"


def configure(stack: Any) -> dict[str, str]:
    """A tenant with one gateway and one desk that has room for all chats; the keys of both."""
    keys = {name: secrets.token_hex(32) for name in (GATEWAY, *numbers())}
    stack.put_secret(f"frontstage/{GATEWAY}", {"keys": [{"id": KEY, "secret": keys[GATEWAY]}]})
    places = [{"id": f"w{number}", "secret": keys[number], "workplace": number} for number in numbers()]
    stack.put_secret(f"frontstage/{DESK}", {"keys": places})
    agents = [
        {
            "id": agent_id(number),
            "name": f"Agent {number}",
            "workplaces": [number],
            "skills": [{"project": "sales"}],
            "capacity": -(-CHATS // AGENTS),
        }
        for number in numbers()
    ]
    chat = {"channel": "SocialIM", "direction": "I", "project": "sales", "inactivity_timeout": 900}
    # One connector for all chats; how fast it may be is not what is played here.
    settings = {"peer_address": "!Load", "envelopes_per_second": 1000, "chat": chat}
    desk = {"workplaces": [{"number": n} for n in numbers()], "agents": agents, "max_signal_duration": 300, "open": True}
    answer = stack.invoke(
        "operator-configure",
        {
            "tenant": {"id": "load", "routes": [{"desk": f"frontstage/{DESK}"}]},
            "accounts": [
                {"platform": "frontstage", "key": GATEWAY, "settings": settings},
                {"platform": "frontstage", "key": DESK, "settings": {"desk": desk}},
            ],
        },
    )
    assert "error" not in answer, answer
    return keys


async def play(origin: str, keys: dict[str, str]) -> Ended:
    """All of it over one pool of connections."""
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as http:
        async with asyncio.timeout(LIMIT_SECONDS):
            return await Load(origin, keys, http).play()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A stack without any other traffic."""
    with running_stack(tmp_path_factory.mktemp("load"), simulators=False, demo=False) as running:
        yield running


@pytest.fixture(scope="module")
def ended(stack: Any, pytestconfig: pytest.Config) -> Ended:
    """The load, played once."""
    played = asyncio.run(play(stack.origin, configure(stack)))
    tally = played.tally
    seconds = sorted(tally.seconds)
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(
            f"\n{CHATS} chats, {2 * SENTENCES} sentences each, in {played.wall_seconds:.0f} s;"
            f" {sum(tally.requests.values())} requests, {tally.doubled} of them doubled, {tally.swapped} pairs swapped,"
            f" outcomes {dict(tally.outcomes)}, made again {dict(tally.repeated)};"
            f" half within {seconds[len(seconds) // 2]:.2f} s, 99 % within {seconds[len(seconds) * 99 // 100]:.2f} s"
        )
    return played


def test_every_chat_was_doubled_and_swapped_somewhere(ended: Ended) -> None:
    """The load is what it says: about one in twenty."""
    sent = CHATS * (2 * SENTENCES + 2)
    assert 0.03 * sent < ended.tally.doubled < 0.07 * sent
    assert 0.03 * sent < ended.tally.swapped < 0.07 * sent


def test_both_sides_see_the_same_transcript_without_gaps_or_doubles(ended: Ended) -> None:
    assert len(ended.transcripts) == CHATS
    for talk in ended.talks:
        visitor, agent = ended.transcripts[talk.tracking]
        sentences = visitor["Sentences"]
        assert [bare(one) for one in sentences] == [bare(one) for one in agent["Sentences"]]
        assert [one["Counter"] for one in sentences] == list(range(1, 2 * SENTENCES + 1))
        assert {one["ID"] for one in sentences} == {*talk.written[False], *talk.written[True]}
        assert {one["Text"] for one in sentences} == {f"words of {one['ID']}" for one in sentences}


def test_sentences_of_a_sender_stand_in_the_order_in_which_they_were_sent(ended: Ended) -> None:
    for talk in ended.talks:
        sentences = ended.transcripts[talk.tracking][0]["Sentences"]
        for is_outbound, written in talk.written.items():
            assert [one["ID"] for one in sentences if one["IsOutbound"] is is_outbound] == written


def test_each_side_is_told_each_sentence_once(ended: Ended) -> None:
    """One echo for each envelope of its own, and the words of the other, by their numbers in the stream."""
    for talk in ended.talks:
        assert talk.workplace is not None and talk.chat_id is not None
        everything = Counter((*talk.written[False], *talk.written[True]))
        echoes = everything + talk.anew
        at_visitor = ended.connector.sentences("TrackingId", talk.tracking)
        at_agent = ended.workplaces[talk.workplace].sentences("ChatId", talk.chat_id)
        for told, is_own in ((at_visitor, False), (at_agent, True)):
            counts = Counter(one["ID"] for one in told)
            assert {one: counts[one] for one in talk.written[is_own]} == {one: echoes[one] for one in talk.written[is_own]}
            others = {one for one in counts if one in talk.written[not is_own]}
            assert {counts[one] for one in others} <= {1}
            if not is_own:
                assert others == {*talk.written[True]}
                continue
            # What was said before the alert was answered is in the answer's transcript.
            answers = (one["Body"] for one in ended.workplaces[talk.workplace].told.values() if one["Msg"] == "SC_CHAT_STATUS")
            shown = {s["ID"] for one in answers if one["ChatId"] == talk.chat_id for s in one["Sentences"] or ()}
            assert others | shown >= {*talk.written[False]}


def test_streams_have_every_number_once(ended: Ended) -> None:
    for stream in (ended.connector, *ended.workplaces.values()):
        assert set(stream.polled.values()) <= {1}
        missing = set(range(1, max(stream.told) + 1)) - stream.told.keys()
        assert not missing, f"never told: {sorted(missing)}"


def test_nothing_is_given_up(ended: Ended, stack: Any) -> None:
    del ended
    queue = stack.info["aws"]["queues"]["dead"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = stack.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    assert {name: counts[name] for name in names} == dict.fromkeys(names, "0")
