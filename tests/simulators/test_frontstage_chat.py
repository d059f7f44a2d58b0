"""The chat application simulator as a program, against a server that is a fake of these tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
import requests

from tests.simulators.fake_frontstage import GATEWAY, PEER, SECRET, FakeFrontStage
from tests.simulators.test_simulators import Simulator, until


@pytest.fixture
def server() -> Iterator[FakeFrontStage]:
    fake = FakeFrontStage()
    yield fake
    fake.stop()


def program(server: FakeFrontStage, *more: str) -> Simulator:
    return Simulator(
        "frontstage_chat",
        *("--gateway-url", f"{server.url}/{GATEWAY}", "--key-id", f"k-{GATEWAY}", "--secret", SECRET, "--peer", PEER),
        *more,
    )


@pytest.fixture
def chat(server: FakeFrontStage) -> Iterator[Simulator]:
    """Polls as fast as the fake has something."""
    simulator = program(server, "--wait", "2")
    yield simulator
    simulator.stop()


@pytest.fixture
def quiet(server: FakeFrontStage) -> Iterator[Simulator]:
    """Neither polls nor is pushed to, unless the test does it."""
    simulator = program(server, "--delivery", "none")
    yield simulator
    simulator.stop()


def posts(server: FakeFrontStage, msg: str) -> list[dict[str, Any]]:
    """The envelopes of one name that were posted, arrays taken apart."""
    bodies = [one["body"] for one in server.requests if one["path"].endswith("/messages")]
    flat = [each for body in bodies for each in (body if isinstance(body, list) else [body])]
    return [one for one in flat if one["Msg"] == msg]


def own(simulator: Simulator, key: str = "t-1") -> list[tuple[str, str]]:
    """Own sentences with their states."""
    return [(one["text"], one["state"]) for one in simulator.control(f"chat?tracking_id={key}")["own"]]


def agent_says(server: FakeFrontStage, sentence_id: str, text: str, counter: int, key: str = "t-1") -> None:
    facts = {"ID": sentence_id, "Text": text, "Counter": counter, "IsOutbound": True, "Model": 0}
    server.emit(GATEWAY, "SE_CHAT_SENTENCE", {"Peer": PEER, "TrackingId": key, **facts})


def test_usage_names_every_route_and_wrong_input_is_said(quiet: Simulator) -> None:
    sheet = requests.get(f"{quiet.url}/_sim", timeout=5).text
    for word in ("start", "say", "scenario/load", "resync", "call-faults", "anomalies", "push-replies"):
        assert f"/_sim/{word}" in sheet
    assert "{{" not in sheet
    for path, body, words in (
        ("say", {"text": "x"}, "there is no chat yet"),
        ("say", {"tracking_id": "t"}, "'text' is missing"),
        ("behaviour", {"retry": "never"}, "'retry' must be auto or manual"),
        ("call-faults", {"match": "x"}, "needs one of delay_ms"),
        ("raw", {"hex": "8"}, "not hexadecimal"),
    ):
        assert words in quiet.control(path, body, status=400)["error"]
    assert "no chat with this" in quiet.control("chat?tracking_id=t", status=404)["error"]


def test_request_start_say_echo_and_stop(quiet: Simulator, server: FakeFrontStage) -> None:
    assert quiet.control("request", {"tracking_id": "t-1"})["state"] == "answered"
    assert quiet.control("chat?tracking_id=t-1")["signal"] == "Free"
    told = quiet.control("start", {"tracking_id": "t-1", "PartyName": "Eva", "text": "Hi", "PreferredCulture": "en"})
    assert [one["state"] for one in told["sent"]] == ["answered", "Accepted"]
    assert [one["Msg"] for one in server.requests[-1]["body"]] == ["ES_CHAT_START", "ES_CHAT_SENTENCE"]
    assert posts(server, "ES_CHAT_START")[0]["Body"] == {
        "Peer": PEER,
        "Port": None,
        "TrackingId": "t-1",
        "PartyName": "Eva",
        "PreferredCulture": "en",
    }
    said = quiet.control("say", {"tracking_id": "t-1", "texts": ["one", "two"]})
    assert [one["counter"] for one in said["sent"]] == [2, 3]
    assert [one["Text"] for one in quiet.control("transcript?tracking_id=t-1")] == ["Hi", "one", "two"]
    assert quiet.control("stop", {"tracking_id": "t-1"})["state"] == "answered"
    assert quiet.control("chat?tracking_id=t-1")["status"] == "Closed"
    refused = quiet.control("say", {"tracking_id": "t-1", "text": "too late"})
    assert (refused["http_status"], refused["state"], refused["error"]["Code"]) == (409, "Refused", "ChatClosed")
    assert quiet.control("anomalies")["counts"] == {}


def test_too_many_envelopes_are_posted_again_after_what_was_asked_for(quiet: Simulator, server: FakeFrontStage) -> None:
    server.trouble = [429, 429]
    quiet.control("start", {"tracking_id": "t-1"})
    starts = posts(server, "ES_CHAT_START")
    assert len(starts) == 3
    assert starts[0] == starts[1] == starts[2], "the same envelope"
    assert server.chats.keys() == {"t-1"}


def test_agents_words_come_by_poll_and_are_confirmed(chat: Simulator, server: FakeFrontStage) -> None:
    chat.control("start", {"tracking_id": "t-1", "text": "Hi"})
    agent_says(server, "a-1", "Hello", 2)
    until(lambda: posts(server, "ES_CHAT_CONFIRM"), "a confirm")
    assert [one["Body"]["ID"] for one in posts(server, "ES_CHAT_CONFIRM")] == ["a-1"]
    server.emit(GATEWAY, "SE_CHAT_CONFIRM", {"TrackingId": "t-1", "ID": server.chats["t-1"].sentences[0]["ID"]})
    until(lambda: own(chat) == [("Hi", "Confirmed")], "the confirmed mark")
    server.emit(GATEWAY, "SE_CHAT_TYPING", {"TrackingId": "t-1", "IsTyping": True})
    until(lambda: chat.control("chat?tracking_id=t-1")["typing"], "typing")
    chat.control("clock", {"advance_ms": 10_100})
    assert chat.control("chat?tracking_id=t-1")["typing"] is False
    assert chat.control("anomalies")["counts"] == {}


def test_dropped_answer_is_healed_by_the_same_envelope_after_20_s(quiet: Simulator, server: FakeFrontStage) -> None:
    quiet.control("start", {"tracking_id": "t-1"})
    quiet.control("call-faults", {"match": "CHAT_SENTENCE", "lose_answer": True}, status=201)
    told = quiet.control("say", {"text": "Hi"})
    assert (told["http_status"], told["lost"], told["state"]) == (None, "answer", "Pending")
    assert quiet.control("transcript?tracking_id=t-1") == []
    quiet.control("clock", {"advance_ms": 19_000})
    assert own(quiet) == [("Hi", "Pending")]
    quiet.control("clock", {"advance_ms": 1_100})
    until(lambda: own(quiet) == [("Hi", "Accepted")], "the echo of the retry")
    first, second = posts(server, "ES_CHAT_SENTENCE")
    assert first == second
    history = quiet.control("chat?tracking_id=t-1")["own"][0]["history"]
    assert [one["state"] for one in history if "state" in one] == ["Pending", "Failed", "Pending", "Accepted"]
    assert [one["outcome"] for one in history if "outcome" in one] == [None, "Duplicate"]
    assert len(server.chats["t-1"].sentences) == 1


def test_missing_echo_is_healed_by_the_same_id_in_a_fresh_envelope(quiet: Simulator, server: FakeFrontStage) -> None:
    quiet.control("start", {"tracking_id": "t-1"})
    server.is_mute = True
    assert quiet.control("say", {"text": "Hi", "id": "s-1"})["state"] == "Pending"
    server.is_mute = False
    quiet.control("clock", {"advance_ms": 20_100})
    until(lambda: own(quiet) == [("Hi", "Accepted")], "the echo of the retry")
    first, second = posts(server, "ES_CHAT_SENTENCE")
    assert first["Id"] != second["Id"]
    assert first["Body"] == second["Body"]
    assert len(server.chats["t-1"].sentences) == 1


def test_lost_request_and_outage_keep_the_sentence_pending_then_failed(
    quiet: Simulator, server: FakeFrontStage
) -> None:
    quiet.control("start", {"tracking_id": "t-1"})
    quiet.control("behaviour", {"retry": "manual"})
    server.is_down = True
    told = quiet.control("say", {"text": "Hi", "id": "s-1"}, status=502)
    assert "no answer" in told["error"]
    quiet.control("clock", {"advance_ms": 20_100})
    assert own(quiet) == [("Hi", "Failed")]
    server.is_down = False
    assert quiet.control("resync", {})["sent_again"] == ["s-1"]
    assert own(quiet) == [("Hi", "Accepted")]


def test_duplicate_delay_and_wrong_signature(quiet: Simulator, server: FakeFrontStage) -> None:
    quiet.control("start", {"tracking_id": "t-1"})
    quiet.control(
        "call-faults", {"match": "CHAT_SENTENCE", "duplicate": 2, "parallel": True, "delay_ms": 1}, status=201
    )
    told = quiet.control("say", {"text": "Hi"})
    outcomes = sorted(one["answer"]["Results"][0]["Outcome"] for one in told["answers"])
    assert outcomes == ["Accepted", "Duplicate", "Duplicate"]
    assert quiet.control("anomalies")["counts"] == {"double": 2}
    assert len(server.chats["t-1"].sentences) == 1
    refused = quiet.control("say", {"text": "Psst", "wrong_signature": True})
    assert (refused["http_status"], refused["state"]) == (401, "Pending")
    quiet.control("call-faults", {"unsigned": True}, status=201)
    assert quiet.control("list", {})["http_status"] == 401
    assert quiet.control("call-faults", method="DELETE") == {"removed": 2}


def test_hold_sends_in_reverse(quiet: Simulator, server: FakeFrontStage) -> None:
    quiet.control("start", {"tracking_id": "t-1"})
    quiet.control("call-faults", {"match": "CHAT_SENTENCE", "hold": 3}, status=201)
    for number, text in enumerate(("one", "two", "three"), start=1):
        quiet.control("say", {"text": text, "background": True}, status=202)
        if number < 3:
            until(lambda: quiet.control("call-faults")[0]["held"] == number, "held back")  # noqa: B023
    until(lambda: len(quiet.control("transcript?tracking_id=t-1")) == 3, "three echoes")
    assert [one["Text"] for one in server.chats["t-1"].sentences] == ["three", "two", "one"]


def test_messagepack_both_ways(quiet: Simulator, server: FakeFrontStage) -> None:
    quiet.control("format", {"body": "msgpack"})
    told = quiet.control("start", {"tracking_id": "t-1", "text": "Ahoj \U0001f642"})
    assert [one["state"] for one in told["sent"]] == ["answered", "Accepted"]
    last = server.requests[-1]
    assert last["headers"]["Content-Type"] == "application/vnd.msgpack"
    assert isinstance(last["body"][0]["Time"], msgpack.Timestamp)
    assert quiet.control("transcript?tracking_id=t-1")[0]["Text"] == "Ahoj \U0001f642"
    quiet.control("format", {"body": "msgpack", "dates": "text", "accept": "application/json"})
    assert quiet.control("list", {})["state"] == "answered"
    assert isinstance(server.requests[-1]["body"]["Time"], str)
    quiet.control("format", {})
    quiet.control("list", {})
    assert server.requests[-1]["headers"]["Content-Type"] == "application/json"


def test_push_checks_signature_drops_doubles_and_answers(quiet: Simulator, server: FakeFrontStage) -> None:
    quiet.control("start", {"tracking_id": "t-1"})
    agent_says(server, "a-1", "Hello", 1)
    waiting = server.streams[GATEWAY].after(0)
    assert server.push(f"{quiet.url}/push", waiting, wrong_signature=True).status_code == 401
    assert quiet.control("transcript?tracking_id=t-1") == []
    quiet.control("behaviour", {"confirm_in_reply": True})
    quiet.control("push-replies", {"messages": [{"Msg": "ES_CHAT_TYPING", "Body": {"TrackingId": "t-1"}}]})
    answer = server.push(f"{quiet.url}/push", waiting)
    assert [one["Msg"] for one in answer.json()["Messages"]] == ["ES_CHAT_TYPING", "ES_CHAT_CONFIRM"]
    assert server.chats["t-1"].sentences == []
    assert server.push(f"{quiet.url}/push", waiting).json() == {"Messages": []}
    assert quiet.control("anomalies")["counts"] == {"double": 1, "push_signature": 1}
    notes = [one["note"] for one in quiet.control("requests")]
    assert notes == ["signature: wrong signature", "signature: ok", "signature: ok"]
    quiet.control("faults", {"path": "/push", "status": 503}, status=201)
    assert server.push(f"{quiet.url}/push", waiting).status_code == 503
    assert server.push(f"{quiet.url}/push", [{"Seq": 9}]).status_code == 400


def test_gap_double_and_disorder_of_polled_events_are_seen(quiet: Simulator, server: FakeFrontStage) -> None:
    quiet.control("start", {"tracking_id": "t-1"})
    quiet.control("polling", {"on": False})
    for number in (1, 2, 3):
        agent_says(server, f"a-{number}", f"text {number}", number)
    stream = server.streams[GATEWAY]
    stream.done.add(3)
    stream.events[1], stream.events[3] = stream.events[3], stream.events[1]
    polled = quiet.control("poll", {"after": 0})
    assert [one["Seq"] for one in polled["answer"]["Events"]] == [4, 2]
    found = quiet.control("anomalies")
    assert (found["missing_seq"], found["missing_counters"]) == ([3], {"t-1": [2]})
    assert found["counts"] == {"disorder": 1, "gap": 1}
    quiet.control("poll", {"after": 0})
    assert quiet.control("anomalies")["counts"]["double"] == 2
    assert [one["seq"] for one in quiet.control("events?msg=SENTENCE")] == [4, 2, 4, 2]


def test_lost_poll_answer_brings_the_events_again(quiet: Simulator, server: FakeFrontStage) -> None:
    quiet.control("start", {"tracking_id": "t-1"})
    agent_says(server, "a-1", "Hello", 1)
    quiet.control("call-faults", {"match": "EVENTS", "lose_answer": True}, status=201)
    assert quiet.control("poll", {})["cursor"] == 0
    assert quiet.control("poll", {})["cursor"] == 2
    assert len(quiet.control("transcript?tracking_id=t-1")) == 1


def test_resync_after_a_forgetful_restart(chat: Simulator, server: FakeFrontStage) -> None:
    chat.control("start", {"tracking_id": "t-1", "text": "Hi"})
    chat.control("start", {"tracking_id": "t-2", "text": "Hello"})
    assert chat.control("reset", {}) == {"reset": True}
    assert chat.control("chats") == []
    told = chat.control("resync", {})
    assert (told["listed"], told["statuses"]) == (["t-1", "t-2"], ["answered", "answered"])
    assert [one["Text"] for one in chat.control("transcript?tracking_id=t-2")] == ["Hello"]
    server.chats["t-2"].status = "Closed"
    assert chat.control("resync", {})["over"] == ["t-2"]


def test_back_after_an_outage_it_recovers_by_itself(chat: Simulator, server: FakeFrontStage) -> None:
    chat.control("start", {"tracking_id": "t-1"})
    server.is_down = True
    before = len(server.requests)
    until(lambda: len(server.requests) > before + 1, "polls that fail")
    server.is_down = False
    until(lambda: posts(server, "ES_CHAT_RESYNC"), "RESYNC")
    until(lambda: posts(server, "ES_CHAT_STATUS"), "STATUS")


def test_asynchronous_replies_come_by_poll(chat: Simulator, server: FakeFrontStage) -> None:
    chat.control("behaviour", {"respond_async": True})
    told = chat.control("start", {"tracking_id": "t-1", "text": "Hi"})
    assert told["http_status"] == 202
    (posted,) = [one for one in server.requests if one["path"].endswith("/messages")]
    assert posted["headers"]["Prefer"] == "respond-async"
    until(lambda: own(chat) == [("Hi", "Accepted")], "the echo")
    assert {one["via"] for one in chat.control("events")} == {"poll"}


def test_scenarios_typing_status_batch_and_raw(quiet: Simulator, server: FakeFrontStage) -> None:
    scenario = "77777777-7777-4777-8777-777777777777"
    assert quiet.control("scenario/load", {"scenario_id": scenario, "culture": "en-US"})["state"] == "answered"
    assert quiet.control("scenarios")[0]["ScenarioId"] == scenario
    saved = quiet.control(
        "scenario/save", {"ScenarioId": scenario, "Values": [{"ScreenControlId": scenario, "ResultText": "x"}]}
    )
    assert saved["state"] == "sent"
    quiet.control("start", {"tracking_id": "t-1"})
    assert quiet.control("type", {"typing": False})["state"] == "sent"
    assert posts(server, "ES_CHAT_TYPING")[0]["Body"]["IsTyping"] is False
    assert quiet.control("status", {})["state"] == "answered"
    messages = [
        {"Msg": "ES_CHAT_STATUS", "Body": {"TrackingId": "t-1"}},
        {"Msg": "ES_CHAT_STATUS", "Body": {"TrackingId": "no"}},
    ]
    answer = quiet.control("batch", {"messages": messages})["answer"]
    assert [one["Outcome"] for one in answer["Results"]] == ["Accepted", "Rejected"]
    raw = quiet.control("raw", {"method": "GET", "path": "/events?after=0&max=1&wait=0"})
    assert (raw["http_status"], raw["answer"]["More"]) == (200, False)
    assert quiet.control("say", {"text": "x", "omit": ["PartyName", "TimeSent"]})["state"] == "Accepted"
    assert "TimeSent" not in posts(server, "ES_CHAT_SENTENCE")[0]["Body"]


def test_two_calls_at_a_time_do_not_disturb_each_other(chat: Simulator, server: FakeFrontStage) -> None:
    chat.control("start", {"tracking_id": "t-1"})
    threads = [threading.Thread(target=chat.control, args=("say", {"text": f"n {n}"})) for n in range(10)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [one["Counter"] for one in chat.control("transcript?tracking_id=t-1")] == list(range(1, 11))
    assert chat.control("anomalies")["missing_counters"] == {}
