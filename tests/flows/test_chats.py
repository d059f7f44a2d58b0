"""Chats end to end: a connector's visitor on one side, agents at their workplaces on the other, over real HTTP.

The stack is one of its own, because both sides poll all the time.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from yarl import URL

from tests.simulators.frontstage_connector import Signer

from .conftest import Bridge, Simulator, running_stack, until


class Chats:
    """Both sides of the demo tenant's chats."""

    def __init__(self, stack: Any) -> None:
        self.stack = stack
        self.visitor = Simulator(stack.info["simulators"]["chat"])
        self.agents = Simulator(stack.info["simulators"]["agents"])

    def start(self, text: str | None = None, **more: Any) -> str:
        """A visitor's chat; its TrackingId."""
        tracking = f"t-{secrets.token_hex(6)}"
        said = {} if text is None else {"text": text}
        self.visitor.post("start", tracking_id=tracking, PartyName="Eva", **said, **more)
        return tracking

    def chat(self, tracking: str) -> dict[str, Any]:
        """The chat as the connector knows it."""
        return self.visitor.get("chat", tracking_id=tracking)

    def wait_status(self, tracking: str, status: str, seconds: float = 30) -> dict[str, Any]:
        """The chat as the connector knows it, once it has this status."""
        until(lambda: self.chat(tracking)["status"] == status, seconds, f"the chat {status}")
        return self.chat(tracking)

    def texts(self, tracking: str) -> list[tuple[int, bool, str]]:
        """What the connector would show: place, whether it is the desk's, text."""
        return lines(self.visitor.get("transcript", tracking_id=tracking))

    def agent_texts(self, workplace: str, chat_id: str) -> list[tuple[int, bool, str]]:
        """What the agent would see."""
        return lines(self.agents.get("transcript", workplace=workplace, chat_id=chat_id))

    def at(self, workplace: str) -> dict[str, dict[str, Any]]:
        """The chats that a workplace knows, by their ids."""
        return {one["chat_id"]: one for one in self.agents.get("chats") if one.get("workplace", workplace) == workplace}


def lines(transcript: Any) -> list[tuple[int, bool, str]]:
    """Place, direction and text of each sentence."""
    sentences = transcript["sentences"] if isinstance(transcript, dict) else transcript
    return [(one["Counter"], bool(one["IsOutbound"]), one["Text"]) for one in sentences]


def wrong(side: Simulator) -> list[dict[str, Any]]:
    """What a side complains of. An answer may overtake a poll, so a number may be late, but none may stay away."""
    return [one for one in side.get("anomalies")["list"] if one.get("open", True)]


class Floor(Chats):
    """Both sides, and vcita's staff among those who answer."""

    def __init__(self, stack: Any) -> None:
        super().__init__(stack)
        self.bridge = Bridge(stack)

    def said_to(self, session_uid: str) -> list[str]:
        """What staff is told in a session, in order."""
        told = [one for one in self.bridge.vcs.get("state")["messages"] if one["direction"] == "client_to_business"]
        return [message["message"] for message in told if message["session_uid"] == session_uid]

    def hand_over(self, chat_id: str, desk: str) -> dict[str, Any]:
        """The operator gives a chat to another desk."""
        return self.stack.invoke("operator-hand-over", {"chat": chat_id, "desk": desk})


@contextlib.contextmanager
def running_floor(state_dir: Path, kind: type[Floor] = Floor) -> Iterator[Any]:
    """A stack with everybody who answers, vcita's sessions being active soon after they are asked for."""
    with running_stack(state_dir, chats=True) as stack:
        floor = kind(stack)
        floor.bridge.vcs.post("activation", mode="auto", delay_ms=50)
        yield floor


def unique(text: str) -> str:
    """A text that no other test uses."""
    return f"{text} {secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chats]:
    """A stack with both sides running."""
    with running_stack(tmp_path_factory.mktemp("chats"), chats=True) as stack:
        yield Chats(stack)


def test_no_agent_there_is_told_at_the_gate(chats: Chats) -> None:
    tracking = f"t-{secrets.token_hex(6)}"
    chats.visitor.post("request", tracking_id=tracking)
    assert chats.chat(tracking)["signal"] == "Closed"
    chats.visitor.post("start", tracking_id=tracking)
    last = chats.visitor.get("commands")[-1]
    assert (last["state"], last["error"]["Code"]) == ("refused", "GateClosed")


def test_visitor_and_agent_talk_and_both_see_the_same(chats: Chats, jana: str) -> None:
    tracking = chats.start("Is anybody there?")
    chat = chats.wait_status(tracking, "Answered")
    assert chat["agent_name"] == "Jana"
    chat_id = chat["chat_id"]
    until(lambda: chats.agent_texts(jana, chat_id), 20, "the visitor's words at the workplace")
    chats.agents.post("say", workplace=jana, chat_id=chat_id, text="Yes. How can I help?")
    chats.visitor.post("say", tracking_id=tracking, text="<b>Where is my lamp?</b>")
    chats.agents.post("say", workplace=jana, chat_id=chat_id, text="On its way 🚚")
    expected = [
        (1, False, "Is anybody there?"),
        (2, True, "Yes. How can I help?"),
        (3, False, "<b>Where is my lamp?</b>"),
        (4, True, "On its way 🚚"),
    ]
    until(lambda: chats.texts(tracking) == expected, 30, "the whole talk at the connector")
    until(lambda: chats.agent_texts(jana, chat_id) == expected, 30, "the whole talk at the workplace")
    chats.agents.post("hangup", workplace=jana, chat_id=chat_id)
    assert chats.wait_status(tracking, "Closed")["chat_id"] == chat_id
    until(lambda: not wrong(chats.visitor), 20, f"nothing lost, doubled or out of order: {wrong(chats.visitor)}")
    until(lambda: not wrong(chats.agents), 20, f"nothing lost, doubled or out of order: {wrong(chats.agents)}")


def test_lost_answer_is_repeated_with_the_same_id_and_said_once(chats: Chats, jana: str) -> None:
    tracking = chats.start("first")
    chats.wait_status(tracking, "Answered")
    faults = [{"match": "CHAT_SENTENCE", "times": 1, "lose_answer": True}]
    chats.visitor.post("call-faults", **faults[0])
    chats.visitor.post("say", tracking_id=tracking, text="said once")
    chats.visitor.post("clock", advance_ms=20_000)
    until(
        lambda: [text for _, _, text in chats.texts(tracking)] == ["first", "said once"], 30, "the sentence, once"
    )
    chats.visitor.post("stop", tracking_id=tracking)
    chats.wait_status(tracking, "Closed")


def test_forged_calls_are_401_and_change_nothing(chats: Chats, jana: str) -> None:
    tracking = chats.start("hello")
    chats.wait_status(tracking, "Answered")
    before = chats.texts(tracking)
    told = chats.visitor.post("say", tracking_id=tracking, text="forged", wrong_signature=True)
    assert told["http_status"] == 401
    assert chats.texts(tracking) == before
    base = chats.stack.origin + "/v1/frontstage/workplaces/101/messages"
    assert requests.post(base, json={"Msg": "CS_CHAT_RESYNC"}, timeout=30).status_code == 401
    chats.visitor.post("stop", tracking_id=tracking)
    chats.wait_status(tracking, "Closed")


def test_too_many_envelopes_a_second_are_429_and_taken_a_second_later(chats: Chats) -> None:
    # A gateway of its own, at the least rate.
    secret = secrets.token_hex(32)
    chats.stack.put_secret("frontstage/gw-rate", {"keys": [{"id": "k1", "secret": secret}]})
    settings = {"peer_address": "!Rate", "envelopes_per_second": 25}
    account = {"platform": "frontstage", "key": "gw-rate", "settings": settings}
    document = {"tenant": chats.stack.demo_document()["tenant"], "accounts": [account]}
    assert "error" not in chats.stack.invoke("operator-configure", document)
    url = URL(chats.stack.origin + "/v1/frontstage/gw-rate/messages")
    signer = Signer("k1", secret.encode())
    # Nobody can take these, but they count.
    array = json.dumps([{"Msg": "ES_NOTHING", "Id": str(uuid.uuid4())} for _ in range(25)])

    def post() -> requests.Response:
        headers = signer.headers("POST", url, array.encode(), {}) | {"Content-Type": "application/json"}
        return requests.post(str(url), data=array, headers=headers, timeout=60)

    def too_many() -> list[requests.Response]:
        answer = post()
        # What is configured is known a little later.
        assert answer.status_code in (200, 404, 429), answer.text
        return [answer] if answer.status_code == 429 else []

    [refused] = until(too_many, 60, "an array too many")
    assert refused.headers["Retry-After"] == "1"
    error = refused.json()["Error"]
    assert (error["Code"], error["Retryable"]) == ("TooManyRequests", True)
    time.sleep(int(refused.headers["Retry-After"]))
    taken = post()
    assert taken.status_code == 200
    assert len(taken.json()["Results"]) == 25


# ---------------------------------------------------------------------------------------------------------------
# the web site


class Browser:
    """A visitor's browser on the merchant's page: cookies, the page's origin, the calls of section 8."""

    def __init__(self, stack: Any) -> None:
        self.stack = stack
        self.base = f"{stack.origin}/v1/frontstage/gw-web/web"
        self.headers = {"Origin": stack.info["simulators"]["shop"], "Referer": stack.info["simulators"]["shop"] + "/"}
        self.token: str | None = None

    def call(self, method: str, path: str, more_headers: dict[str, str] | None = None, **more: Any) -> requests.Response:
        """One call. The cookie is `Secure`, so a plain test client carries the token of 8.4 instead."""
        headers = self.headers | ({"X-Tracking-Token": self.token} if self.token else {}) | (more_headers or {})
        answer = requests.request(method, f"{self.base}/{path}", headers=headers, timeout=60, **more)
        self.token = answer.headers.get("X-Tracking-Token", self.token)
        return answer

    def chat(self, after: int = 0) -> Any:
        """What the page knows; a poll that comes too soon is made again."""
        answer = until(lambda: self.poll(after), 20, "a poll that is not too soon")
        return answer.json()

    def poll(self, after: int) -> requests.Response | None:
        """One poll, None when it came too soon."""
        answer = self.call("GET", "api/Chat", params={"After": after})
        assert answer.status_code in (200, 429), answer.text
        return answer if answer.status_code == 200 else None


def test_widget_is_served_and_its_visitor_talks_to_an_agent(chats: Chats, jana: str) -> None:
    browser = Browser(chats.stack)
    script = browser.call("GET", "scripts/webchat.js")
    assert (script.status_code, script.headers["Content-Type"].split(";")[0]) == (200, "text/javascript")
    assert "icc3_TrackingId=" in script.headers["Set-Cookie"]
    routing = browser.call("GET", "api/Routing/webchat", params={"IncludeSettings": "true", "RegionalTime": "1"})
    assert (routing.json()["Signal"], routing.json()["ChatRunning"]) == ("Free", None)
    said = browser.call("POST", "api/Chat/Sentence", json={"Text": "Is <b>this</b> in stock?", "Location": "/"})
    assert said.status_code == 200, said.text
    chat_id = said.json()["ChatId"]
    assert [one["Text"] for one in said.json()["Sentences"]] == ["Is &lt;b&gt;this&lt;/b&gt; in stock?"]
    until(lambda: browser.chat()["Status"] == "Answered", 30, "an agent")
    until(lambda: chats.agent_texts(jana, chat_id) == [(1, False, "Is <b>this</b> in stock?")], 30, "the words as written")
    chats.agents.post("say", workplace=jana, chat_id=chat_id, text="It is.")
    until(lambda: [one["Text"] for one in browser.chat(after=1)["Sentences"]] == ["It is."], 30, "the answer")
    assert browser.chat()["AgentName"] == "Jana"
    assert browser.call("POST", "api/Chat/Confirm", json={"Counter": 2}).status_code == 204
    closed = browser.call("POST", "api/Chat/Stop", json={})
    assert (closed.status_code, closed.json()["Status"]) == (200, "Closed")


def test_preflight_is_answered_for_the_pages_that_may_call(chats: Chats) -> None:
    browser = Browser(chats.stack)
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    for origin, allowed in ((browser.headers["Origin"], True), ("https://evil.example", False)):
        browser.headers = {"Origin": origin, **asks}
        answer = browser.call("OPTIONS", "api/Chat/Sentence")
        assert answer.status_code == 204
        assert (answer.headers.get("Access-Control-Allow-Origin") == origin) is allowed
        assert answer.headers.get("Access-Control-Allow-Origin") in (origin, None)


def test_page_of_another_origin_may_not_write(chats: Chats) -> None:
    browser = Browser(chats.stack)
    browser.headers = {"Origin": "https://evil.example"}
    refused = browser.call("POST", "api/Chat/Sentence", json={"Text": "hi"})
    assert refused.status_code == 403
    assert "Access-Control-Allow-Origin" not in refused.headers


def test_shop_shows_the_widget_by_one_script_tag(chats: Chats) -> None:
    page = requests.get(chats.stack.info["simulators"]["shop"] + "/basket", timeout=10)
    assert f'src="{chats.stack.origin}/v1/frontstage/gw-web/web/scripts/webchat.js"' in page.text
    assert "script-src" in page.headers["Content-Security-Policy"]
