"""Chats without people end to end: the script of a gateway, its rules of waiting, and chats prepared by an operator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.stack.stack import ROBOT_GATEWAY, free_port

from .conftest import Simulator, running_stack, until
from .test_chats import Chats

ROOT = Path(__file__).resolve().parents[2]
HELLO = "Hello. 1 to talk to somebody, 2 for our opening hours."


class Robot(Chats):
    """The demo tenant's gateway with a script, with a connector of its own."""

    def __init__(self, stack: Any, connector: Simulator) -> None:
        super().__init__(stack)
        self.visitor = connector

    def said(self, tracking: str) -> list[tuple[bool, str]]:
        """Direction and text of each sentence."""
        return [(is_outbound, text) for _, is_outbound, text in self.texts(tracking)]

    def prepare(self, **input: Any) -> dict[str, Any]:
        """The operator's answer."""
        return self.stack.invoke("operator-prepare-chat", {"gateway": f"frontstage/{ROBOT_GATEWAY}", **input})


def is_listening(connector: Simulator) -> bool:
    """Whether the connector's control answers."""
    try:
        return requests.get(f"{connector.url}/_sim/chats", timeout=2).status_code == 200
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Robot]:
    """A stack with agents' clients, and a connector of the gateway with the script."""
    with running_stack(tmp_path_factory.mktemp("rules"), chats=True) as stack:
        secret = json.loads((stack.state_dir / "secrets.json").read_text())["robot"]
        port = free_port()
        gateway = f"{stack.origin}/v1/frontstage/{ROBOT_GATEWAY}"
        argv = [sys.executable, "-m", "tests.simulators.frontstage_chat", "--port", str(port), "--gateway-url", gateway]
        argv += ["--key-id", "k1", "--secret", secret, "--peer", "!RobotLink", "--wait", "2"]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        child = subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL)
        try:
            connector = Simulator(f"http://127.0.0.1:{port}")
            until(lambda: is_listening(connector), 20, "the connector of the robot's gateway")
            yield Robot(stack, connector)
        finally:
            child.terminate()
            child.wait(timeout=20)


@pytest.fixture
def jana(robot: Robot) -> Iterator[str]:
    """An agent who answers whatever she is offered; her workplace."""
    robot.agents.post("login", workplace="101", on_alert="answer")
    yield "101"
    robot.agents.post("logout", workplace="101")


def test_rows_9_and_13_script_says_hello_answers_and_ends(robot: Robot) -> None:
    tracking = robot.start()
    chat = robot.wait_status(tracking, "ICR")
    assert chat["agent_name"] == "Robin"
    until(lambda: robot.said(tracking) == [(True, HELLO)], 20, "the greeting")
    robot.visitor.post("say", tracking_id=tracking, text="What are your opening hours?")
    robot.wait_status(tracking, "Closed")
    expected = [(True, HELLO), (False, "What are your opening hours?"), (True, "From 9 to 17.")]
    until(lambda: robot.said(tracking) == expected, 20, "the answer")


def test_row_34_script_speaks_the_visitors_language(robot: Robot) -> None:
    tracking = robot.start(PreferredCulture="cs")
    hello = "Dobrý den. 1 pro člověka, 2 pro otevírací dobu."
    until(lambda: robot.said(tracking) == [(True, hello)], 20, "the greeting in Czech")
    robot.visitor.post("stop", tracking_id=tracking)


def test_row_14_waiting_visitor_is_told_and_shown_a_panel(robot: Robot) -> None:
    # Before any agent has been there: whoever leaves without a word is offered chats for another minute.
    tracking = robot.start()
    robot.wait_status(tracking, "ICR")
    robot.visitor.post("say", tracking_id=tracking, text="1")
    robot.wait_status(tracking, "Waiting")
    until(lambda: (True, "It takes a little longer.") in robot.said(tracking), 40, "the note")
    robot.visitor.post("stop", tracking_id=tracking)
    robot.wait_status(tracking, "Closed")
    assert robot.said(tracking).count((True, "It takes a little longer.")) == 1


def test_row_12_script_hands_over_and_the_agent_sees_the_talk(robot: Robot, jana: str) -> None:
    tracking = robot.start()
    robot.wait_status(tracking, "ICR")
    robot.visitor.post("say", tracking_id=tracking, text="hm")
    robot.visitor.post("say", tracking_id=tracking, text="1")
    chat = robot.wait_status(tracking, "Answered")
    assert chat["agent_name"] == "Jana"
    expected = [HELLO, "hm", "I did not understand. 1 or 2?", "1", "One moment."]
    until(
        lambda: [text for _, _, text in robot.agent_texts(jana, chat["chat_id"])] == expected, 20, "the talk so far"
    )
    robot.agents.post("hangup", workplace=jana, chat_id=chat["chat_id"])
    robot.wait_status(tracking, "Closed")


def test_row_4_prepared_chat_is_entered_by_its_visitor(robot: Robot, jana: str) -> None:
    agent = "aaaaaaaa-0000-4000-8000-000000000101"
    prepared = robot.prepare(visitor={"party_name": "Eva"}, agent=agent)
    chat_id = prepared["return_chat_id"]
    tracking = robot.start(ReturnChatId=chat_id)
    chat = robot.wait_status(tracking, "Answered")
    assert (chat["chat_id"], chat["agent_name"]) == (chat_id, "Jana")
    robot.visitor.post("say", tracking_id=tracking, text="You wanted to talk to me?")
    until(lambda: chat_id in robot.at(jana), 20, "the chat at the workplace")
    until(lambda: robot.agent_texts(jana, chat_id), 20, "the visitor's words at the workplace")
    robot.visitor.post("stop", tracking_id=tracking)
    robot.wait_status(tracking, "Closed")


def test_row_5_chat_that_is_unknown_or_taken_is_refused(robot: Robot) -> None:
    prepared = robot.prepare()["return_chat_id"]
    first = robot.start(ReturnChatId=prepared)
    robot.wait_status(first, "ICR")
    for named, code in ((prepared, "Conflict"), (str(uuid.uuid4()), "UnknownChat")):
        robot.start(ReturnChatId=named)
        last = robot.visitor.get("commands")[-1]
        assert (last["state"], last["error"]["Code"]) == ("refused", code)
    robot.visitor.post("stop", tracking_id=first)


def test_operator_is_told_why_a_chat_is_not_prepared(robot: Robot) -> None:
    away = robot.prepare(agent="aaaaaaaa-0000-4000-8000-000000000102")
    assert away["error"]["code"] == "conflict"
    unknown = robot.stack.invoke("operator-prepare-chat", {"gateway": "frontstage/gw-none"})
    assert unknown["error"]["code"] == "unknown"
