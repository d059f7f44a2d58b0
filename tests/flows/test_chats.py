"""Chats end to end: a connector's visitor on one side, agents at their workplaces on the other, over real HTTP.

The stack is one of its own, because both sides poll all the time.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from .conftest import Simulator, running_stack, until


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


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chats]:
    """A stack with both sides running."""
    with running_stack(tmp_path_factory.mktemp("chats"), chats=True) as stack:
        yield Chats(stack)


@pytest.fixture
def jana(chats: Chats) -> Iterator[str]:
    """An agent who answers whatever she is offered; her workplace."""
    chats.agents.post("login", workplace="101", on_alert="answer")
    yield "101"
    chats.agents.post("logout", workplace="101")


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
    assert chats.visitor.get("anomalies")["anomalies"] == []
    assert chats.agents.get("anomalies") == []


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
