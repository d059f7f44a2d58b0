"""The chat screen end to end: a trader on one side, FrontStage's agents and vcita's staff on the other.

The stack is one of its own, because agents poll all the time.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import until
from .ctrader import Trader
from .test_chats import Floor, running_floor, unique

DESK = "frontstage/desk-demo"
STAFF = "vcita/demo"
JANA = {"name": "Jana", "picture": "https://cdn.example/team/jana.svg"}
"""Who answers at the desk, as screens show her."""
SALON = {"department": "salon"}
"""What a link says whose chats vcita's staff answers."""


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    """A stack with all sides running."""
    with running_floor(tmp_path_factory.mktemp("ctrader-chat")) as floor:
        yield floor


def test_trader_and_agent_talk_and_the_chat_ends_resolved(chats: Floor, jana: str) -> None:
    trader = Trader(chats.stack, agentId="john_doe")
    assert (trader.state(), trader.answer["chat"]["messages"]) == ("none", [])
    question, answer = unique("Where is my deposit?"), unique("On its way 🚚")
    trader.say(question)
    until(lambda: trader.state() == "assigned", 30, "Jana has the chat")
    assert trader.answer["chat"]["agent"] == JANA
    chat_id = trader.answer["chat"]["id"]
    until(lambda: chats.agent_texts(jana, chat_id) == [(1, False, question)], 20, "the question at the workplace")
    chats.agents.post("say", workplace=jana, chat_id=chat_id, text=answer)
    until(lambda: trader.texts() == [("visitor", question), ("agent", answer)], 20, "the answer on the screen")
    said = sorted(trader.messages.values(), key=lambda message: message["counter"])
    assert [(one["counter"], one["name"], one["delivered"], one["read"]) for one in said] == [
        (1, "Inés", True, True),
        (2, "Jana", True, False),
    ]
    trader.act("read", counter=2)
    assert [one["read"] for one in trader.poll()["messages"]] == [True, True]

    chats.agents.post("hangup", workplace=jana, chat_id=chat_id)
    until(lambda: trader.state() == "resolved", 20, "the end on the screen")
    chat = trader.answer["chat"]
    assert (chat["resolution"], chat["survey"], chat["agent"]["name"]) == ("resolved", True, "Jana")
    assert trader.act("survey", rating=5, comment="Quick")["survey"] is False
    assert trader.act("survey", 409, rating=1)["code"] == "conflict"
    told = chats.stack.invoke("operator-results", {"account": "frontstage/gw-inapp"})["results"]
    [survey] = [one for one in told if one["chat"] == chat_id]
    assert [(one["control"], one["number"], one["text"]) for one in survey["answers"]] == [
        ("rating", 5, None),
        ("comment", None, "Quick"),
    ]
    transcript = trader.call("GET", "chat/transcript")
    assert transcript.headers["Content-Type"] == "text/plain; charset=utf-8"
    lines = [line.split(" ", 1)[1] for line in transcript.text.splitlines()]
    assert lines == [f"Inés: {question}", f"Jana: {answer}"]


def test_words_appear_within_a_second_on_both_sides(chats: Floor, jana: str) -> None:
    trader = Trader(chats.stack)
    trader.say(unique("Hello"))
    until(lambda: trader.state() == "assigned", 30, "Jana has the chat")
    chat_id = trader.answer["chat"]["id"]
    trader.texts()
    word = unique("Hi")
    chats.agents.post("say", workplace=jana, chat_id=chat_id, text=word)
    said_at = time.monotonic()
    while ("agent", word) not in trader.texts():
        time.sleep(trader.answer["pollAfterMs"] / 1000)
    assert time.monotonic() - said_at < 1.0 + 0.7, "one pause, and what this machine takes for two calls"
    assert trader.answer["pollAfterMs"] == 700
    answer = unique("And you?")
    trader.say(answer)
    until(lambda: (3, False, answer) in chats.agent_texts(jana, chat_id), 5, "the trader's words at the workplace")
    trader.act("end")


def test_desk_sees_what_the_link_says(chats: Floor, jana: str) -> None:
    trader = Trader(chats.stack, chatReason="withdrawal", agentId="john_doe")
    trader.act("start")
    trader.say(unique("Hello"))
    until(lambda: trader.state() == "assigned", 30, "Jana has the chat")
    [chat] = [one for one in chats.agents.get("chats") if one["chat_id"] == trader.answer["chat"]["id"]]
    assert "chatReason=withdrawal&agentId=john_doe&account=5207718" in str(chat), chat
    trader.act("end")


def test_trader_and_staff_talk_and_typing_crosses(chats: Floor) -> None:
    trader = Trader(chats.stack, **SALON)
    question, answer, more = unique("Hello"), unique("How can I help?"), unique("Like this")
    trader.say(question)
    injected = chats.bridge.wait_injected(question)
    session = injected["session_uid"]
    assert (trader.state(), trader.answer["chat"]["agent"]) == ("waiting", None)
    assert chats.bridge.vcs.post("typing", session_uid=session, typing=True)["status"] == 204
    until(lambda: trader.poll()["typing"], 10, "the trader sees staff type")
    uid = chats.bridge.staff(session, answer)
    until(lambda: trader.texts() == [("visitor", question), ("agent", answer)], 30, "staff's answer")
    assert (trader.answer["chat"]["state"], trader.answer["chat"]["agent"]["name"]) == ("assigned", "Demo salon")
    trader.act("read", counter=2)
    assert chats.bridge.wait_status(uid, "received") in (["sent", "received"], ["received"])

    trader.act("typing", typing=True)

    def typing() -> list[bool]:
        """What staff is told of the trader's typing."""
        return [one["typing"] for one in chats.bridge.vcs.get("state")["typing"] if one["session_uid"] == session]

    until(lambda: typing() == [True], 20, "staff sees the trader type")
    trader.say(more)
    chats.bridge.wait_injected(more)
    until(lambda: typing() == [True, False], 20, "and stop")
    assert chats.said_to(session) == [question, more]
    assert trader.act("end")["resolution"] == "resolved"
    until(lambda: chats.said_to(session)[2:] == ["The visitor has left the chat."], 30, "staff hears of the end")


def test_chat_goes_from_an_agent_to_staff_and_back(chats: Floor, jana: str) -> None:
    trader = Trader(chats.stack)
    question, answer, price = unique("How much?"), unique("I will ask the salon"), unique("Ten")
    trader.say(question)
    until(lambda: trader.state() == "assigned", 30, "Jana has the chat")
    chat_id = trader.answer["chat"]["id"]
    chats.agents.post("say", workplace=jana, chat_id=chat_id, text=answer)
    until(lambda: ("agent", answer) in trader.texts(), 20, "Jana's answer")

    assert chats.hand_over(chat_id, STAFF) == {"handed_over": True, "state": "waiting"}
    assert trader.state() == "escalated"
    session = chats.bridge.wait_injected(question)["session_uid"]
    until(lambda: f"Jana: {answer}" in chats.said_to(session), 30, "the transcript in vcita")
    chats.bridge.staff(session, price)
    expected = [("visitor", question), ("agent", answer), ("agent", price)]
    until(lambda: trader.texts() == expected, 30, "staff's answer")
    assert trader.answer["chat"]["agent"]["name"] == "Demo salon"

    assert chats.hand_over(chat_id, DESK)["handed_over"] is True
    until(lambda: trader.poll()["agent"] == JANA, 30, "Jana has it again")
    assert chats.hand_over(chat_id, STAFF)["handed_over"] is True
    chat = trader.act("end")
    assert (chat["state"], chat["resolution"]) == ("closed", "escalated")


def test_screen_that_is_opened_again_goes_on_where_it_was(chats: Floor) -> None:
    trader = Trader(chats.stack, **SALON)
    first, second = unique("Hello"), unique("Still there?")
    trader.say(first)
    session = chats.bridge.wait_injected(first)["session_uid"]
    chat_id = trader.poll()["id"]
    trader.reopen()
    assert trader.act("start")["id"] == chat_id
    trader.poll()
    # While the screen was away.
    counter, tag = trader.counter, trader.tag
    chats.bridge.staff(session, second)
    until(lambda: trader.texts() == [("visitor", first), ("agent", second)], 30, "what was said meanwhile")
    only_new = trader.call("GET", "chat", params={"after": counter}).json()["chat"]["messages"]
    assert [one["text"] for one in only_new] == [second]
    assert tag != trader.tag
    trader.act("end")
    ended = trader.poll()
    trader.reopen()
    assert trader.poll()["id"] == chat_id, "what is over is still to be read"
    fresh = trader.act("start")
    assert (fresh["id"] != chat_id, fresh["counter"] > ended["counter"]) == (True, True)
    trader.act("end")


def test_doubled_message_is_said_once(chats: Floor) -> None:
    trader = Trader(chats.stack, **SALON)
    text, message_id = unique("Hello"), str(uuid.uuid4())
    for _ in range(3):
        trader.say(text, message_id)
    last = unique("Bye")
    trader.say(last)
    session = chats.bridge.wait_injected(last)["session_uid"]
    assert trader.texts() == [("visitor", text), ("visitor", last)]
    assert chats.said_to(session) == [text, last]
    trader.act("end")


def test_bad_input_is_refused_and_changes_nothing(chats: Floor) -> None:
    trader = Trader(chats.stack, **SALON)
    trader.say(unique("Hello"))
    before = trader.texts()
    good = str(uuid.uuid4())
    for body in (
        b"{",
        b"[]",
        f'{{"id":"{good}","text":"\\ud800"}}'.encode(),
        f'{{"id":"{good}","text":"a\\u0000b"}}'.encode(),
        f'{{"id":"{good}","text":"  "}}'.encode(),
        f'{{"id":"{good}","text":"{"a" * 4001}"}}'.encode(),
        b'{"id":"1","text":"a"}',
        f'{{"id":"{good}","text":"a","attachments":["nothing"]}}'.encode(),
    ):
        answer = trader.call("POST", "chat/message", data=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid"), body[:80]
    assert trader.call("POST", "chat/message", data=b" " * 70_000).status_code == 413
    assert trader.act("read", 400, counter=-1)["code"] == "invalid"
    assert trader.act("survey", 409, rating=5)["code"] == "conflict", "it goes on"
    assert trader.call("GET", "chat", params={"after": "x"}).status_code == 400
    wrong = trader.call("PUT", "chat/message")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST")
    assert trader.call("POST", "chat/dance", json={}).status_code == 404
    stranger = trader.call("GET", "chat", headers={"Authorization": "Bearer " + "0" * 64})
    assert (stranger.status_code, stranger.json()["error"]["code"]) == (401, "session_expired")
    assert trader.texts() == before
    assert trader.say("a" * 4000)
    trader.act("end")


def test_somebody_else_s_chat_is_not_there(chats: Floor) -> None:
    trader, other = Trader(chats.stack, **SALON), Trader(chats.stack, **SALON)
    trader.say(unique("Hello"))
    assert other.state() == "none"
    assert other.call("GET", "chat/transcript").status_code == 404
    trader.act("end")


def test_prepared_chat_waits_for_its_person(chats: Floor, jana: str) -> None:
    trader = Trader(chats.stack, chatReason="proactive")
    invitation = {"brand": "ctrader/demo", "user_id": trader.user, "agent": "aaaaaaaa-0000-4000-8000-000000000101"}
    prepared = until(lambda: invited(chats, invitation), 20, "Jana invites")
    assert trader.state() == "none"
    chat = trader.act("start")
    assert (chat["id"], chat["state"], chat["agent"]["name"]) == (prepared, "assigned", "Jana")
    word = unique("You called?")
    trader.say(word)
    until(lambda: prepared in chats.at(jana), 20, "the chat at the workplace")
    until(lambda: chats.agent_texts(jana, prepared) == [(1, False, word)], 20, "the trader's words at the workplace")
    trader.act("end")
    # It was entered: whoever comes by the same link again begins anew.
    assert trader.act("start")["id"] != prepared
    trader.act("end")


def invited(chats: Floor, invitation: dict[str, Any]) -> str | None:
    """The chat that was prepared; None while the agent is not there yet."""
    return chats.stack.invoke("operator-prepare-chat", invitation).get("return_chat_id")


def test_erased_person_has_no_chat(chats: Floor) -> None:
    trader = Trader(chats.stack, **SALON)
    text = unique("Forget me")
    trader.say(text)
    chats.bridge.wait_injected(text)
    erased = {"account": "frontstage/gw-inapp-staff", "brand": "ctrader/demo", "user_id": trader.user}
    told = chats.stack.invoke("operator-erase", erased)
    assert (told["erased"]["chats"], told["closed"], told["next"]) == (1, 1, None), told
    assert trader.state() == "none"
    assert not chats.bridge.is_stored(text)
