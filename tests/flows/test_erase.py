"""A person is erased by `operator-erase` (FrontStage contract, section 12), and what is kept of everybody has an end.

The stack is one of its own: the tests look through its whole table.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Bridge, running_stack, until
from .test_chats import Chats

NOTHING = dict.fromkeys(("chats", "sentences", "conversations", "messages", "deliveries", "forms", "entries"), 0)
DAY = 86_400


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chats]:
    """A stack with both sides running."""
    with running_stack(tmp_path_factory.mktemp("erase"), chats=True) as stack:
        yield Chats(stack)


class Person:
    """A visitor who talks with Jana: what would be found of them."""

    def __init__(self, chats: Chats, workplace: str) -> None:
        self.address = f"+420{secrets.randbelow(10**9):09}"
        self.name, self.question, self.answer = (f"{word} {secrets.token_hex(6)}" for word in ("Eva", "Where", "There"))
        self.tracking = chats.start(self.question, RemoteAddress=self.address)
        self.chat_id = chats.wait_status(self.tracking, "Answered")["chat_id"]
        chats.agents.post("say", workplace=workplace, chat_id=self.chat_id, text=self.answer)
        until(lambda: len(chats.texts(self.tracking)) == 2, 30, "the answer at the connector")

    @property
    def words(self) -> list[str]:
        """What names them, and what was said."""
        return [self.tracking, self.address, self.question, self.answer]


def items(stack: Any) -> list[dict[str, Any]]:
    """Everything that is stored."""
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.info["aws"]["table"])
    return [item for page in pages for item in page["Items"]]


def shown(item: dict[str, Any]) -> str:
    """An item as text; bodies are binary."""
    return json.dumps(item, ensure_ascii=False, default=lambda value: bytes(value).decode("utf-8", "replace"))


def found(stack: Any, words: list[str]) -> list[str]:
    """Which of the words are somewhere in the table."""
    everything = "\n".join(shown(item) for item in items(stack))
    return [word for word in words if word in everything]


def places(stack: Any, words: list[str]) -> list[str]:
    """Which items hold one of the words."""
    return [f"{item['pk']['S']} {item['sk']['S']}" for item in items(stack) if any(word in shown(item) for word in words)]


def erase(stack: Any, **event: Any) -> dict[str, Any]:
    """The whole of it: again as long as there is more."""
    answer = stack.invoke("operator-erase", event)
    if answer.get("next") is None:
        return answer
    more = erase(stack, **event | {"after": answer["next"]})
    erased = {kind: answer["erased"][kind] + more["erased"][kind] for kind in NOTHING}
    return answer | {"erased": erased, "closed": answer["closed"] + more["closed"], "next": None}


def test_person_is_erased_by_tracking_id_or_address_and_nobody_else(chats: Chats, jana: str) -> None:
    stack = chats.stack
    first, second = Person(chats, jana), Person(chats, jana)
    for person in (first, second):
        assert found(stack, person.words) == person.words

    named = {"account": "frontstage/gw-chat", "tracking_id": first.tracking}
    dry = erase(stack, **named, dry_run=True)
    assert (dry["erased"]["chats"], dry["erased"]["sentences"], dry["closed"]) == (1, 2, 1)
    assert found(stack, first.words) == first.words

    told = erase(stack, **named)
    assert (told["erased"]["chats"], told["erased"]["sentences"], told["closed"]) == (1, 2, 1)
    assert told["erased"]["entries"] >= dry["erased"]["entries"] > 0
    assert places(stack, first.words) == []
    assert places(stack, [first.chat_id]) == []
    assert found(stack, second.words) == second.words
    assert erase(stack, **named) == {"erased": NOTHING, "closed": 0, "dry_run": False, "next": None}

    # The other one goes on talking, and so does the agent.
    chats.visitor.post("say", tracking_id=second.tracking, text="Still there?")
    until(lambda: len(chats.agent_texts(jana, second.chat_id)) == 3, 30, "the next words at the workplace")

    told = erase(stack, account="frontstage/gw-chat", remote_address=second.address)
    assert (told["erased"]["chats"], told["erased"]["sentences"]) == (1, 3)
    assert places(stack, second.words) == []

    # Whoever was erased is somebody new.
    chats.visitor.post("start", tracking_id=first.tracking, text="Hello again")
    until(lambda: found(stack, ["Hello again"]), 20, "the new chat")
    assert erase(stack, **named)["erased"]["sentences"] == 1


def test_messages_are_erased_by_address_and_what_is_on_its_way_with_them(chats: Chats) -> None:
    bridge = Bridge(chats.stack)
    addresses = [f"+420{secrets.randbelow(10**9):09}" for _ in range(2)]
    texts = [f"lamp {secrets.token_hex(6)}" for _ in range(2)]
    for address, text in zip(addresses, texts, strict=True):
        bridge.send(address, text)
        bridge.wait_injected(text)
    session = bridge.injected(texts[0])[0]["session_uid"]
    # Staff answers, and the connector does not acknowledge.
    answer = f"On its way {secrets.token_hex(6)}"
    bridge.mode(answer, ack="none")
    bridge.staff(session, answer)
    bridge.wait_pushes(answer)

    account = {"account": "frontstage/gw-demo"}
    told = erase(chats.stack, **account, remote_address=addresses[0])
    assert (told["erased"]["conversations"], told["erased"]["messages"]) == (1, 2)
    assert told["erased"]["deliveries"] >= 2
    assert places(chats.stack, [addresses[0], texts[0], answer]) == []
    assert found(chats.stack, [addresses[1], texts[1]]) == [addresses[1], texts[1]]
    # Its timers find nothing to do, and nothing of it is given up.
    pushes = len(bridge.pushes(answer))
    time.sleep(12)
    assert len(bridge.pushes(answer)) == pushes
    assert bridge.dead_entries() == []
    assert erase(chats.stack, **account, remote_address=addresses[0])["erased"] == NOTHING


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"account": "frontstage/gw-chat"}, "invalid"),
        ({"account": "frontstage/gw-chat", "tracking_id": "t-1", "remote_address": "+420700000000"}, "invalid"),
        ({"account": "frontstage/gw-chat", "tracking_id": ""}, "invalid"),
        ({"account": "frontstage/gw-none", "tracking_id": "t-1"}, "unknown"),
        ({"tracking_id": "t-1"}, "malformed"),
        ({}, "malformed"),
    ],
)
def test_input_that_names_nobody_is_an_error(chats: Chats, event: dict[str, Any], code: str) -> None:
    answer = chats.stack.invoke("operator-erase", event)
    assert (answer.keys(), answer["error"]["code"]) == ({"error"}, code)


def test_what_was_said_ends_after_ninety_days(chats: Chats, jana: str) -> None:
    """By the table's clean-up, which the emulator does not do; a chat that goes on has no end."""
    person = Person(chats, jana)
    bridge = Bridge(chats.stack)
    text = f"lamp {secrets.token_hex(6)}"
    bridge.send(f"+420{secrets.randbelow(10**9):09}", text)
    bridge.wait_injected(text)
    now = time.time()

    def ends() -> dict[str, set[int]]:
        days: dict[str, set[int]] = {}
        for item in items(chats.stack):
            if item["pk"]["S"].startswith(("CONV#", "CHAT#", "EVENT#")):
                end = item.get("expires_at")
                days.setdefault(item["entity_type"]["S"], set()).add(round((int(end["N"]) - now) / DAY) if end else 0)
        return days

    kinds = ("conversation", "message", "delivery", "lane", "story", "event", "sentence", "said")
    assert {kind: ends()[kind] for kind in kinds} == dict.fromkeys(kinds, {90}) | {"event": {7, 90}}
    assert ends()["chat"] == {0}, "nothing alive may end"
    chats.visitor.post("stop", tracking_id=person.tracking)
    chats.wait_status(person.tracking, "Closed")
    assert ends()["chat"] == {97}, "a week behind its sentences"
