"""Chats that vcita's staff answers, end to end: a connector's visitor on one side, staff in vcita on the other.

The stack is one of its own, because connectors and agents poll all the time.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from .conftest import Simulator, until
from .test_chats import Floor, lines, running_floor, unique, wrong

STAFF_GATEWAY = "frontstage/gw-staff"
DESK = "frontstage/desk-demo"


class StaffChats(Floor):
    """The demo tenant's chats, with the visitors of the gateway that vcita's staff answers."""

    def __init__(self, stack: Any) -> None:
        super().__init__(stack)
        self.visitor = Simulator(stack.info["simulators"]["staff_chat"])

    def greeted(self, text: str) -> tuple[str, dict[str, Any]]:
        """A visitor who has written something that staff sees: TrackingId, and the message in vcita."""
        tracking = self.start(text)
        return tracking, self.bridge.wait_injected(text)


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StaffChats]:
    """A stack with all sides running."""
    with running_floor(tmp_path_factory.mktemp("bridge-chats"), StaffChats) as floor:
        yield floor


def test_visitor_and_staff_talk_and_the_visitor_sees_all_of_it(chats: StaffChats) -> None:
    first, answer, more, last = (unique(text) for text in ("Hello", "How can I help?", "<b>Where</b> is it?", "On its way"))
    tracking, injected = chats.greeted(first)
    assert injected["direction"] == "client_to_business"
    chats.wait_status(tracking, "Waiting")

    session = injected["session_uid"]
    uid = chats.bridge.staff(session, answer)
    chats.wait_status(tracking, "Answered")
    until(lambda: chats.texts(tracking) == [(1, False, first), (2, True, answer)], 30, "staff's answer")
    # The connector confirms whatever it is told.
    # `sent` is left out if it has not been told yet.
    assert chats.bridge.wait_status(uid, "received") in (["sent", "received"], ["received"])

    chats.visitor.post("say", tracking_id=tracking, text=more)
    chats.bridge.wait_injected(more)
    chats.bridge.staff(session, last)
    expected = [(1, False, first), (2, True, answer), (3, False, more), (4, True, last)]
    until(lambda: chats.texts(tracking) == expected, 30, "the whole talk at the connector")
    assert chats.said_to(session) == [first, more]

    chats.visitor.post("stop", tracking_id=tracking)
    chats.wait_status(tracking, "Closed")
    until(lambda: chats.said_to(session)[2:] == ["The visitor has left the chat."], 30, "staff hears of the end")
    until(lambda: not wrong(chats.visitor), 20, f"nothing lost, doubled or out of order: {wrong(chats.visitor)}")


def test_visitor_is_a_contact_by_name_alone(chats: StaffChats) -> None:
    _, injected = chats.greeted(unique("Hello"))
    state = chats.bridge.vcs.get("state")
    (session,) = [one for one in state["sessions"] if one["uid"] == injected["session_uid"]]
    (contact,) = [one for one in state["contacts"] if one["id"] == session["contact_uid"]]
    assert (contact["first_name"], contact["mobile_phone"], contact["email"]) == ("Eva", None, None)


def test_repeated_sentence_and_repeated_staff_message_are_said_once(chats: StaffChats) -> None:
    first, answer, last = unique("Hello"), unique("Hi"), unique("Bye")
    tracking, injected = chats.greeted(first)
    chats.visitor.post("call-faults", match="CHAT_SENTENCE", times=1, lose_answer=True)
    chats.visitor.post("say", tracking_id=tracking, text=last)
    chats.visitor.post("clock", advance_ms=20_000)
    chats.bridge.wait_injected(last)
    told = chats.bridge.vcs.post("staff-message", session_uid=injected["session_uid"], text=answer, duplicate=2)
    assert [one["status"] for one in told["answers"]] == [204] * 3
    until(lambda: (3, True, answer) in chats.texts(tracking), 30, "staff's answer")
    after = unique("That was all")
    chats.bridge.staff(injected["session_uid"], after)
    until(lambda: (4, True, after) in chats.texts(tracking), 30, "and nothing in between")
    assert [text for _, _, text in chats.texts(tracking)] == [first, last, answer, after]
    assert chats.said_to(injected["session_uid"]) == [first, last]


def test_staffs_messages_are_said_in_their_order(chats: StaffChats) -> None:
    first = unique("Hello")
    tracking, injected = chats.greeted(first)
    words = [unique(f"line {number}") for number in range(8)]
    for text in words:
        chats.bridge.staff(injected["session_uid"], text)
    until(lambda: [text for _, _, text in chats.texts(tracking)] == [first, *words], 60, "all of it in order")


def test_word_to_a_closed_chat_is_an_error_in_vcita(chats: StaffChats) -> None:
    tracking, injected = chats.greeted(unique("Hello"))
    chats.visitor.post("stop", tracking_id=tracking)
    chats.wait_status(tracking, "Closed")
    before = chats.texts(tracking)
    uid = chats.bridge.staff(injected["session_uid"], unique("Are you there?"))
    assert chats.bridge.wait_status(uid, "error") == ["error"]
    assert chats.texts(tracking) == before


def test_chat_goes_from_staff_to_an_agent_with_its_transcript_and_back(chats: StaffChats, jana: str) -> None:
    first, answer = unique("How much is it?"), unique("I will give you to sales")
    tracking, injected = chats.greeted(first)
    session = injected["session_uid"]
    chats.bridge.staff(session, answer)
    chat_id = chats.wait_status(tracking, "Answered")["chat_id"]

    given = chats.hand_over(chat_id, DESK)
    assert given["handed_over"] is True, given
    until(lambda: chats.chat(tracking)["agent_name"] == "Jana", 30, "Jana has the chat")
    until(
        lambda: chats.agent_texts(jana, chat_id) == [(1, False, first), (2, True, answer)], 30, "what was said before"
    )
    until(lambda: "The chat was given to somebody else." in chats.said_to(session), 30, "staff hears of it")
    price = unique("Ten")
    chats.agents.post("say", workplace=jana, chat_id=chat_id, text=price)
    until(lambda: (3, True, price) in chats.texts(tracking), 30, "the agent's answer")
    late = chats.bridge.staff(session, unique("Did sales help?"))
    assert chats.bridge.wait_status(late, "error") == ["error"]

    assert chats.hand_over(chat_id, "vcita/demo") == {"handed_over": True, "state": "waiting"}
    until(lambda: any(price in text for text in chats.said_to(session)), 30, "staff has what it missed")
    assert sum(first in text for text in chats.said_to(session)) == 1
    thanks = unique("A good price")
    chats.bridge.staff(session, thanks)
    until(lambda: (4, True, thanks) in chats.texts(tracking), 30, "staff answers again")
    chats.visitor.post("stop", tracking_id=tracking)
    chats.wait_status(tracking, "Closed")


def test_chat_goes_from_an_agent_to_staff_with_its_transcript(chats: StaffChats, jana: str) -> None:
    """The other gateway, whose chats agents answer."""
    visitor = Simulator(chats.stack.info["simulators"]["chat"])
    first, answer = unique("Hello"), unique("Let me ask")
    tracking = f"t-{secrets.token_hex(6)}"
    visitor.post("start", tracking_id=tracking, PartyName="Iva", text=first)
    until(lambda: visitor.get("chat", tracking_id=tracking)["status"] == "Answered", 30, "an agent")
    chat_id = visitor.get("chat", tracking_id=tracking)["chat_id"]
    until(lambda: chats.agent_texts(jana, chat_id), 20, "the visitor's words at the workplace")
    chats.agents.post("say", workplace=jana, chat_id=chat_id, text=answer)

    def transcript() -> list[tuple[int, bool, str]]:
        return lines(visitor.get("transcript", tracking_id=tracking))

    until(lambda: (2, True, answer) in transcript(), 30, "the agent's answer")

    assert chats.hand_over(chat_id, "vcita/demo") == {"handed_over": True, "state": "waiting"}
    session = chats.bridge.wait_injected(first)["session_uid"]
    until(lambda: len(chats.said_to(session)) == 2, 30, "the transcript in vcita")
    assert chats.said_to(session)[1] == f"Jana: {answer}"
    last = unique("Here I am")
    chats.bridge.staff(session, last)
    until(lambda: (3, True, last) in transcript(), 30, "staff's answer")


def test_hand_over_that_makes_no_sense_is_refused(chats: StaffChats) -> None:
    tracking = chats.start(unique("Hello"))
    chat_id = chats.wait_status(tracking, "Waiting")["chat_id"]
    assert chats.hand_over(chat_id, "vcita/nobody")["error"]["code"] == "unknown_desk"
    assert chats.hand_over(chat_id, STAFF_GATEWAY)["error"]["code"] == "unknown_desk"
    assert chats.hand_over("00112233-4455-8667-9e22-640000000001", DESK)["error"]["code"] == "unknown_chat"
    assert chats.hand_over("t-1", DESK)["error"]["code"] == "malformed"
    chats.visitor.post("stop", tracking_id=tracking)
    chats.wait_status(tracking, "Closed")
    assert chats.hand_over(chat_id, DESK)["error"]["code"] == "ChatClosed"


def test_typing_crosses_both_ways(chats: StaffChats) -> None:
    tracking, injected = chats.greeted(unique("Hello"))
    session = injected["session_uid"]

    def told() -> list[bool]:
        """What staff is told of the visitor's typing, in order."""
        typing = chats.bridge.vcs.get("state")["typing"]
        return [one["typing"] for one in typing if one["session_uid"] == session]

    chats.visitor.post("type", tracking_id=tracking, typing=True)
    until(lambda: told() == [True], 20, "staff sees the visitor type")
    chats.visitor.post("type", tracking_id=tracking, typing=True)
    text = unique("Anybody?")
    chats.visitor.post("say", tracking_id=tracking, text=text)
    chats.bridge.wait_injected(text)
    until(lambda: told() == [True, False], 20, "and stop, by the sentence, once")

    assert chats.bridge.vcs.post("typing", session_uid=session, typing=True)["status"] == 204
    until(lambda: chats.chat(tracking)["typing"], 10, "the visitor sees staff type")
    # The visitor's side is told at most once in a second (FrontStage contract, 5.3).
    until(lambda: chats.chat(tracking)["typing_ms_left"] < 8_500, 10, "more than a second since it was told")
    assert chats.bridge.vcs.post("typing", session_uid=session, typing=False)["status"] == 204
    until(lambda: not chats.chat(tracking)["typing"], 5, "and stop, before that expires")
    chats.visitor.post("stop", tracking_id=tracking)


def test_typing_that_means_no_session_is_404_and_words_of_other_routes_are_theirs(chats: StaffChats) -> None:
    base = chats.bridge.vcita_base

    def status(method: str, path: str, **more: Any) -> int:
        return requests.request(method, f"{base}/{path}", timeout=30, **more).status_code

    assert status("POST", "unknown/typing", json={"typing": True}) == 404
    assert status("DELETE", "unknown/typing") == 405
    assert status("POST", "unknown/typing", data="{") == 400
    wrong_secret = base.rpartition("/")[0]
    assert requests.post(f"{wrong_secret}/wrong/unknown/typing", json={"typing": True}, timeout=30).status_code == 404
    # A4 for a message of this name: not known either, and never a session's typing.
    unknown = requests.put(f"{base}/messages/typing", json={"status": "read", "channel_uid": "c"}, timeout=30)
    assert unknown.status_code == 404


def test_receipts_cross_both_ways(chats: StaffChats) -> None:
    tracking, injected = chats.greeted(unique("Hello"))

    def confirmed() -> list[bool]:
        """Whether each sentence of the visitor is confirmed at the connector."""
        told = chats.visitor.get("transcript", tracking_id=tracking)
        sentences = told["sentences"] if isinstance(told, dict) else told
        return [one.get("ConfirmedTime") is not None for one in sentences if not one["IsOutbound"]]

    assert confirmed() == [False]
    for status in ("received", "read"):
        chats.bridge.vcs.post("message-status", message_uid=injected["message_uid"], status=status)
    until(lambda: confirmed() == [True], 20, "the visitor's side hears that staff has it")

    uid = chats.bridge.staff(injected["session_uid"], unique("Hi"))
    # `sent` is left out if it has not been told yet.
    assert chats.bridge.wait_status(uid, "received") in (["sent", "received"], ["received"])
    chats.visitor.post("stop", tracking_id=tracking)


def test_staff_that_deletes_the_session_ends_the_chat_and_the_next_word_opens_another(chats: StaffChats) -> None:
    tracking, injected = chats.greeted(unique("Hello"))
    session = injected["session_uid"]
    chats.bridge.staff(session, unique("Bye"))
    chats.wait_status(tracking, "Answered")
    chats.bridge.vcs.post("session-status", session_uid=session, status="inactive")
    chats.bridge.vcs.post("session-status", session_uid=session, status="active")
    assert chats.chat(tracking)["status"] == "Answered"
    chats.bridge.vcs.post("session-status", session_uid=session, status="deleted")
    chats.wait_status(tracking, "Closed")
    assert chats.chat(tracking)["agent_name"] == "Demo salon", "who had it is still named"

    text = unique("One more thing")
    chats.visitor.post("say", tracking_id=tracking, text=text)
    again = chats.bridge.wait_injected(text)
    assert again["session_uid"] != session
    chats.wait_status(tracking, "Waiting")
    chats.visitor.post("stop", tracking_id=tracking)


def test_visitor_sees_the_name_that_the_account_gives_its_staff(chats: StaffChats) -> None:
    tracking, injected = chats.greeted(unique("Hello"))
    answer = unique("Hi")
    chats.bridge.staff(injected["session_uid"], answer)
    assert chats.wait_status(tracking, "Answered")["agent_name"] == "Demo salon"
    chats.visitor.post("stop", tracking_id=tracking)
