"""Chats of a gateway that is pushed its events (10.3): the connector never asks, and everything arrives once and in order.

The stack is one of its own, because the other connector and the agents' clients poll all the time.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Simulator, running_stack, until
from .test_chats import Chats, wrong


class Pushed(Chats):
    """The same visitors and agents, over the gateway that is pushed."""

    def __init__(self, stack: Any) -> None:
        super().__init__(stack)
        self.visitor = Simulator(stack.info["simulators"]["push"])

    def pushes(self) -> list[dict[str, Any]]:
        """The pushes that came, oldest first."""
        return self.visitor.get("requests", path="^/push$", method="POST")

    def fault(self, **how: Any) -> None:
        """How the next pushes go wrong at the connector."""
        self.visitor.post("faults", path="/push", **how)

    def say(self, workplace: str, chat_id: str, text: str) -> None:
        """The agent says something."""
        self.agents.post("say", workplace=workplace, chat_id=chat_id, text=text)

    def logged(self, text: str) -> list[dict[str, Any]]:
        """What frontstage-push logged with these words."""
        return [json.loads(line) for line in self.stack.logs("frontstage-push") if text in line]


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pushed]:
    """A stack with both sides running."""
    with running_stack(tmp_path_factory.mktemp("push"), chats=True) as stack:
        yield Pushed(stack)


@pytest.fixture
def jana(pushed: Pushed) -> Iterator[str]:
    """An agent who answers whatever she is offered; her workplace."""
    pushed.agents.post("login", workplace="101", on_alert="answer")
    yield "101"
    pushed.agents.post("logout", workplace="101")


@pytest.fixture
def talk(pushed: Pushed, jana: str) -> Iterator[tuple[str, str]]:
    """A chat that Jana has answered: its TrackingId and its id."""
    tracking = pushed.start("Is anybody there?")
    chat_id = pushed.wait_status(tracking, "Answered")["chat_id"]
    yield tracking, chat_id
    pushed.visitor.drop_faults()
    pushed.visitor.post("stop", tracking_id=tracking)


def test_connector_is_told_everything_without_asking(pushed: Pushed, jana: str, talk: tuple[str, str]) -> None:
    tracking, chat_id = talk
    for number in range(1, 4):
        pushed.say(jana, chat_id, f"answer {number}")
        pushed.visitor.post("say", tracking_id=tracking, text=f"question {number}")
    expected = ["Is anybody there?"] + [f"{word} {n}" for n in range(1, 4) for word in ("answer", "question")]
    until(lambda: [text for _, _, text in pushed.texts(tracking)] == expected, 30, "the whole talk at the connector")
    until(lambda: [text for _, _, text in pushed.agent_texts(jana, chat_id)] == expected, 30, "and at the workplace")
    until(lambda: not wrong(pushed.visitor), 20, f"nothing lost, doubled or out of order: {wrong(pushed.visitor)}")
    assert {one["note"] for one in pushed.pushes()} == {"signature: ok"}
    assert all(1 <= len(one["body"]) <= 25 for one in pushed.pushes())


def test_push_that_fails_is_repeated_with_the_same_ids(pushed: Pushed, jana: str, talk: tuple[str, str]) -> None:
    tracking, chat_id = talk
    before = len(pushed.pushes())
    pushed.fault(status=503, times=2)
    pushed.say(jana, chat_id, "in spite of 503")
    until(lambda: (2, True, "in spite of 503") in pushed.texts(tracking), 30, "the sentence after two failures")
    tries = [one["body"][0]["Id"] for one in pushed.pushes()[before:]]
    assert len(tries) >= 3
    assert len(set(tries[:3])) == 1


def test_push_whose_answer_is_lost_says_it_once(pushed: Pushed, jana: str, talk: tuple[str, str]) -> None:
    tracking, chat_id = talk
    pushed.fault(drop=True, effect=True, times=1)
    pushed.say(jana, chat_id, "said once")
    pushed.say(jana, chat_id, "and then this")
    expected = ["Is anybody there?", "said once", "and then this"]
    until(lambda: [text for _, _, text in pushed.texts(tracking)] == expected, 40, "both sentences, each once")


def test_words_in_the_answer_to_a_push_are_heard(pushed: Pushed, jana: str, talk: tuple[str, str]) -> None:
    tracking, chat_id = talk
    said = {"Peer": "!PushLink", "TrackingId": tracking, "ID": str(uuid.uuid4()), "Text": "said in an answer", "Model": 0}
    pushed.visitor.post("push-replies", messages=[{"Msg": "ES_CHAT_SENTENCE", "Body": said}])
    pushed.say(jana, chat_id, "Go on.")
    until(
        lambda: "said in an answer" in [text for _, _, text in pushed.agent_texts(jana, chat_id)],
        30,
        "the words of the answer at the workplace",
    )


def test_event_that_is_refused_is_parked_and_the_next_one_arrives(
    pushed: Pushed, jana: str, talk: tuple[str, str]
) -> None:
    tracking, chat_id = talk
    until(lambda: pushed.agent_texts(jana, chat_id), 20, "the chat at the workplace")
    pushed.say(jana, chat_id, "first")
    until(lambda: "first" in [text for _, _, text in pushed.texts(tracking)], 30, "all before it")

    def said() -> list[str]:
        return [text for _, _, text in pushed.texts(tracking)]

    # Where something else was on its way, both are refused, sent again one by one, and then nothing is: once more.
    for refused in ("refused", "refused again", "refused a third time"):
        pushed.fault(status=422, times=1)
        pushed.say(jana, chat_id, refused)
        until(lambda: pushed.logged("parked") or refused in said(), 30, "its end")  # noqa: B023
        if pushed.logged("parked"):
            break
    assert pushed.logged("parked")
    pushed.say(jana, chat_id, "taken")
    until(lambda: "taken" in [text for _, _, text in pushed.texts(tracking)], 30, "the sentence after it")
    # It is not lost: whoever fetches gets it.
    pushed.visitor.post("poll", after=0)
    until(lambda: refused in [text for _, _, text in pushed.texts(tracking)], 30, "the parked sentence, fetched")


def test_connector_that_answers_410_is_pushed_no_more_and_may_fetch(
    pushed: Pushed, jana: str, talk: tuple[str, str]
) -> None:
    """The last one: the gateway stays so until it gets another address."""
    tracking, chat_id = talk
    pushed.fault(status=410, times=1)
    pushed.say(jana, chat_id, "gone")
    until(lambda: pushed.logged("pushed no longer"), 30, "the error that someone has to look at")
    assert {line["level"] for line in pushed.logged("pushed no longer")} == {"ERROR"}
    count = len(pushed.pushes())
    pushed.say(jana, chat_id, "fetched")
    pushed.visitor.post("polling", on=True, wait=1)
    until(lambda: [text for _, _, text in pushed.texts(tracking)][-2:] == ["gone", "fetched"], 30, "both by polling")
    assert len(pushed.pushes()) == count
