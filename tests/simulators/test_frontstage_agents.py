"""The agents' simulator as a program, against a server that is a fake of these tests; its page without a browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.simulators.common import ControlError
from tests.simulators.fake_frontstage import AGENTS, GATEWAY, PEER, SECRET, FakeFrontStage
from tests.simulators.frontstage_agents import PAGE, read_config
from tests.simulators.test_simulators import PROJECT, Simulator, until

JANA, PETR = AGENTS["101"][0], AGENTS["102"][0]


@pytest.fixture
def server() -> Iterator[FakeFrontStage]:
    fake = FakeFrontStage()
    yield fake
    fake.stop()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    workplaces = [
        {"number": number, "key_id": f"k-{number}", "secret": SECRET, "agents": [{"id": agent[0], "name": agent[1]}]}
        for number, agent in AGENTS.items()
    ]
    path = tmp_path / "agents.json"
    path.write_text(json.dumps({"workplaces": workplaces}))
    return path


@pytest.fixture
def agents(server: FakeFrontStage, config: Path) -> Iterator[Simulator]:
    simulator = Simulator("frontstage_agents", "--base-url", server.url, "--config", str(config), "--wait", "2")
    yield simulator
    simulator.stop()


@pytest.fixture
def chat(server: FakeFrontStage) -> Iterator[Simulator]:
    """The visitor's side, for what needs both."""
    simulator = Simulator(
        "frontstage_chat",
        *("--gateway-url", f"{server.url}/{GATEWAY}", "--key-id", f"k-{GATEWAY}", "--secret", SECRET, "--peer", PEER),
        *("--wait", "2"),
    )
    yield simulator
    simulator.stop()


def visitor_starts(server: FakeFrontStage, key: str = "t-1", text: str = "Hi") -> None:
    """A chat with one sentence, straight in the fake."""
    with server.changed:
        stream = server.streams[GATEWAY]
        server.handle(stream, "ES_CHAT_START", {"TrackingId": key}, "e-1")
        server.handle(stream, "ES_CHAT_SENTENCE", {"TrackingId": key, "ID": f"{key}-1", "Text": text}, "e-2")


def posts(server: FakeFrontStage, msg: str) -> list[dict[str, Any]]:
    bodies = [one["body"] for one in server.requests if one["path"].endswith("/messages")]
    flat = [each for body in bodies for each in (body if isinstance(body, list) else [body])]
    return [one for one in flat if one["Msg"] == msg]


def view(agents: Simulator, number: str = "101", chat_id: str = "") -> dict[str, Any]:
    seen: dict[str, Any] = agents.control(f"view?workplace={number}&chat_id={chat_id}")["desk"]
    return seen


def alerted(agents: Simulator, server: FakeFrontStage, key: str = "t-1", number: str = "101") -> str:
    """A chat that rings; its ChatId."""
    visitor_starts(server, key)
    chat_id = server.offer(key, number).chat_id
    until(lambda: any(one["alert"] for one in view(agents, number)["list"]), "the alert")
    return chat_id


def test_config_is_checked_and_said(tmp_path: Path) -> None:
    one = {"number": "1", "key_id": "k", "secret": "s", "agents": []}
    assert read_config(json.dumps({"workplaces": [one]}))[0].name == "Workplace 1"
    wrong: dict[str, Any]
    for wrong in ({"workplaces": [one, one]}, {"workplaces": [{"number": "1"}]}, {"desks": []}):
        with pytest.raises(ControlError):
            read_config(json.dumps(wrong))
    path = tmp_path / "agents.json"
    path.write_text("{")
    command = [
        sys.executable,
        "-m",
        "tests.simulators.frontstage_agents",
        "--base-url",
        "http://x",
        "--config",
        str(path),
    ]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, "is not JSON" in done.stderr) == (1, True)


def test_login_is_resync_and_polling_logout_ends_it(agents: Simulator, server: FakeFrontStage) -> None:
    assert server.requests == []
    told = agents.control("login", {"workplace": "101"})
    assert (told["logged_in"], told["state"]) == (True, "answered")
    body = posts(server, "CS_CHAT_RESYNC")[0]["Body"]
    assert (body["Peer"], body["AgentId"]) == ("101", JANA)
    poll = "/v1/frontstage/workplaces/101/events?after=0&max=50&wait=2"
    until(lambda: poll in [one["path"] for one in server.requests], "a poll")
    assert "Jana is logged in" in agents.control("login", {"workplace": "101"}, status=409)["error"]
    assert "no such agent" in agents.control("login", {"workplace": "102", "agent_id": JANA}, status=404)["error"]
    assert agents.control("logout", {"workplace": "101"}) == {"logged_in": False}
    assert [one["agent"] for one in agents.control("workplaces")] == [None, None]


def test_person_answers_talks_and_hangs_up(agents: Simulator, server: FakeFrontStage) -> None:
    agents.control("login", {"workplace": "101"})
    chat_id = alerted(agents, server)
    (shown,) = view(agents)["list"]
    assert (shown["name"], shown["mine"], shown["alert"]["seconds"]) == ("Eva", False, 30)
    assert 0 < shown["alert"]["ms_left"] <= 30_000
    assert agents.control("answer", {"workplace": "101"})["state"] == "answered"
    command = posts(server, "CS_CHAT_ANSWER")[0]["Body"]
    assert (command["Peer"], command["ChatId"], command["AgentId"]) == ("101", chat_id, JANA)
    until(lambda: posts(server, "CS_CHAT_CONFIRM"), "the confirm of what the visitor said")
    said = agents.control("say", {"workplace": "101", "text": "Hello", "id": "a-1"})
    assert (said["state"], said["counter"]) == ("Accepted", 2)
    sentence = posts(server, "CS_CHAT_SENTENCE")[0]["Body"]
    assert (sentence["IsOutbound"], sentence["PartyName"], sentence["ChatId"]) == (True, "Jana", chat_id)
    agents.control("type", {"workplace": "101", "typing": True})
    assert posts(server, "CS_CHAT_TYPING")[0]["Body"]["IsTyping"] is True
    server.emit(
        "101", "CS_CHAT_CONFIRM", {"Peer": "101", "ChatId": chat_id, "ID": "a-1", "TimeStamp": "2026-01-01T00:00:00Z"}
    )
    until(lambda: view(agents, chat_id=chat_id)["chat"]["own"][0]["state"] == "Confirmed", "the confirmed mark")
    assert agents.control("hangup", {"workplace": "101"})["state"] == "answered"
    (closed,) = view(agents)["list"]
    assert (closed["status"], closed["mine"]) == ("Closed", True)
    agents.control("dismiss", {"workplace": "101", "chat_id": chat_id})
    assert view(agents)["list"] == []
    assert agents.control("anomalies?workplace=101")["counts"] == {}


def test_alert_is_refused_or_runs_out(agents: Simulator, server: FakeFrontStage) -> None:
    agents.control("login", {"workplace": "101"})
    alerted(agents, server)
    assert agents.control("refuse", {"workplace": "101"})["state"] == "answered"
    assert view(agents)["list"] == []
    assert "nothing rings" in agents.control("answer", {"workplace": "101"}, status=400)["error"]
    chat_id = alerted(agents, server, "t-2")
    agents.control("clock", {"advance_ms": 31_000})
    assert view(agents)["list"][0]["alert"]["ms_left"] < 0
    server.end_alert("t-2")
    until(lambda: view(agents)["list"] == [], "the end of the alert")
    late = agents.control("answer", {"workplace": "101", "chat_id": chat_id})
    assert (late["state"], late["error"]["Code"]) == ("refused", "AlertOver")
    (problem,) = view(agents)["problems"]
    assert (problem["message"], problem["chat_id"]) == ("CS_CHAT_ANSWER", chat_id)


def test_script_answers_greets_refuses_and_then_leaves_it_to_a_person(
    agents: Simulator, server: FakeFrontStage
) -> None:
    agents.control("login", {"workplace": "101"})
    agents.control("script", {"workplace": "101", "on_alert": "answer", "greet": "Good day", "times": 1})
    visitor_starts(server)
    chat_id = server.offer("t-1", "101").chat_id
    until(lambda: [one["Text"] for one in server.chats["t-1"].sentences] == ["Hi", "Good day"], "the greeting")
    alerted(agents, server, "t-2")
    assert [one["Body"]["ChatId"] for one in posts(server, "CS_CHAT_ANSWER")] == [chat_id]
    agents.control("script", {"workplace": "101", "on_alert": "refuse"})
    visitor_starts(server, "t-3")
    server.offer("t-3", "101")
    until(lambda: server.chats["t-3"].status == "Waiting", "the refusal")
    agents.control("script", {"workplace": "101", "on_alert": "ignore"})
    alerted(agents, server, "t-4")
    assert len(posts(server, "CS_CHAT_ANSWER")) == 1
    assert "'on_alert' must be" in agents.control("script", {"on_alert": "shout"}, status=400)["error"]


def test_several_agents_keep_to_their_workplaces(agents: Simulator, server: FakeFrontStage) -> None:
    for number in AGENTS:
        agents.control("login", {"workplace": number, "on_alert": "answer"})
    for key, number in (("t-1", "101"), ("t-2", "102")):
        visitor_starts(server, key, f"for {number}")
        server.offer(key, number)
    for number in AGENTS:
        until(lambda: view(agents, number)["list"] and view(agents, number)["list"][0]["mine"], "answered")  # noqa: B023
        assert [one["last"] for one in view(agents, number)["list"]] == [f"for {number}"]
    assert {one["Body"]["AgentId"] for one in posts(server, "CS_CHAT_ANSWER")} == {JANA, PETR}
    keys = {one["headers"]["X-FS-Key"] for one in server.requests if "/102/" in one["path"]}
    assert keys == {"k-102"}
    assert "give 'workplace'" in agents.control("say", {"text": "x"}, status=400)["error"]


def test_lost_answer_of_a_sentence_is_healed_with_the_same_id(agents: Simulator, server: FakeFrontStage) -> None:
    agents.control("login", {"workplace": "101", "on_alert": "answer"})
    visitor_starts(server)
    chat_id = server.offer("t-1", "101").chat_id
    until(lambda: view(agents)["list"] and view(agents)["list"][0]["mine"], "answered")
    agents.control("call-faults", {"workplace": "101", "match": "SENTENCE", "lose_answer": True}, status=201)
    assert agents.control("say", {"workplace": "101", "text": "Hello"})["state"] == "Pending"
    agents.control("clock", {"advance_ms": 20_100})
    until(lambda: view(agents, chat_id=chat_id)["chat"]["own"][0]["state"] == "Accepted", "the echo of the retry")
    first, second = posts(server, "CS_CHAT_SENTENCE")
    assert first["Body"]["ID"] == second["Body"]["ID"]
    assert [one["Text"] for one in server.chats["t-1"].sentences] == ["Hi", "Hello"]


def test_login_finds_the_chats_that_went_on(agents: Simulator, server: FakeFrontStage) -> None:
    visitor_starts(server)
    visitor_starts(server, "t-2", "ringing")
    with server.changed:
        chat = server.chats["t-1"]
        chat.status, chat.workplace = "Answered", "101"
    server.offer("t-2", "101", seconds=12)
    agents.control("login", {"workplace": "101", "confirm": "on_command"})
    until(lambda: len(view(agents)["list"]) == 2, "both chats")
    until(lambda: view(agents, chat_id=chat.chat_id)["chat"]["transcript"], "the transcript")
    by_id = {one["chat_id"]: one for one in view(agents)["list"]}
    assert (by_id[chat.chat_id]["mine"], by_id[chat.chat_id]["unconfirmed"]) == (True, 1)
    ringing = by_id[server.chats["t-2"].chat_id]
    assert ringing["status"] == "Alerting"
    assert posts(server, "CS_CHAT_CONFIRM") == []
    agents.control("confirm", {"workplace": "101", "chat_id": chat.chat_id, "up_to": 1})
    assert [one["Body"]["ID"] for one in posts(server, "CS_CHAT_CONFIRM")] == ["t-1-1"]
    assert agents.control("resync", {"workplace": "101"})["list"] == "answered"


def test_view_waits_for_a_change_and_no_longer(agents: Simulator, server: FakeFrontStage) -> None:
    first = agents.control("view")
    assert agents.control(f"view?since={first['version']}&wait=0")["version"] == first["version"]
    agents.control("login", {"workplace": "101"})
    assert agents.control("view")["version"] > first["version"]
    until(lambda: agents.control("view?wait=0")["version"] == agents.control("view?wait=0")["version"], "quiet")
    now = agents.control("view")["version"]
    answers: list[Any] = []
    looking = threading.Thread(target=lambda: answers.append(agents.control(f"view?workplace=101&since={now}&wait=8")))
    looking.start()
    visitor_starts(server)
    server.offer("t-1", "101")
    looking.join(timeout=5)
    assert answers
    assert answers[0]["version"] > now
    assert "'wait' must be" in agents.control("view?wait=long", status=400)["error"]


def test_visitor_and_agent_talk_through_the_fake(agents: Simulator, chat: Simulator, server: FakeFrontStage) -> None:
    agents.control("login", {"workplace": "101", "on_alert": "answer", "confirm": "received"})
    chat.control("start", {"tracking_id": "t-1", "PartyName": "Eva", "text": "Is 3 pm free?"})
    chat_id = server.offer("t-1", "101").chat_id
    until(lambda: chat.control("chat?tracking_id=t-1")["agent_name"] == "Jana", "the agent's name")
    agents.control("say", {"workplace": "101", "text": "It is. \U0001f642"})
    until(lambda: len(chat.control("transcript?tracking_id=t-1")) == 2, "the answer")
    chat.control("type", {"typing": True})
    until(lambda: view(agents, chat_id=chat_id)["chat"]["typing"], "typing at the agent")
    chat.control("say", {"text": "See you then"})
    until(lambda: len(view(agents, chat_id=chat_id)["chat"]["transcript"]) == 3, "the third sentence")

    def states(own: list[dict[str, Any]]) -> set[str]:
        return {one["state"] for one in own}

    until(lambda: states(chat.control("chat?tracking_id=t-1")["own"]) == {"Confirmed"}, "confirms at the visitor")
    until(lambda: states(view(agents, chat_id=chat_id)["chat"]["own"]) == {"Confirmed"}, "confirms at the agent")
    chat.control("stop", {})
    until(lambda: view(agents)["list"][0]["status"] == "Closed", "the end")
    for told in (chat.control("anomalies"), agents.control("anomalies?workplace=101")):
        assert (told["missing_counters"], "conflict" in told["counts"]) == ({}, False)


# -- the page ---------------------------------------------------------------------------------------------------


def test_page_is_served_with_a_strict_policy(agents: Simulator) -> None:
    scripts = ("/page.js", "/elements.js")
    for path, kind in (("/", "text/html"), ("/page.css", "text/css"), *((script, "javascript") for script in scripts)):
        answer = requests.get(agents.url + path, timeout=5)
        assert (answer.status_code, kind in answer.headers["Content-Type"]) == (200, True)
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert requests.get(f"{agents.url}/other.js", timeout=5).status_code == 404


def test_page_has_no_inline_code_and_writes_text_as_text() -> None:
    html, script = (PAGE / "index.html").read_text(), "".join((PAGE / f"{name}.js").read_text() for name in ("page", "elements"))
    assert re.findall(r"<script(?![^>]* src=)", html) == []
    assert re.findall(r"\son\w+\s*=|style=|javascript:|<style", html) == []
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|DOMParser|srcdoc", script) == []
    assert re.findall(r"https?://", html + script + (PAGE / "page.css").read_text()) == []


def test_other_pages_may_not_call(agents: Simulator) -> None:
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}):
        answer = requests.post(f"{agents.url}/_sim/login", json={"workplace": "101"}, headers=headers, timeout=5)
        assert answer.status_code == 403
    own = {"Origin": agents.url}
    assert (
        requests.post(f"{agents.url}/_sim/login", json={"workplace": "101"}, headers=own, timeout=5).status_code == 200
    )
