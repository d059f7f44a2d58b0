"""How fast vcita is called, over the real stack: at most eight requests in any second per business (vcita.md, section 3).

The arrival times are those of the simulator's request log.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from .conftest import Bridge, calm_bridge, running_stack, until

PER_SECOND = 8
CONVERSATIONS = 40
TALKATIVE = 10


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """A stack of its own: what other tests call would count too."""
    with running_stack(tmp_path_factory.mktemp("pace")) as stack, calm_bridge(stack) as both:
        both.open_conversation("+420700000000")
        yield both


def arrivals(bridge: Bridge, since: int = 0) -> list[float]:
    """When requests for the business arrived in vcita, in seconds, in order. Tokens are not of a business."""
    requests = [one for one in bridge.vcs.get("requests") if not one["path"].startswith("/oauth/")]
    return sorted(datetime.fromisoformat(one["time"]).timestamp() for one in requests[since:])


def most_in_a_second(times: list[float]) -> int:
    """The most arrivals in any window of one second."""
    return max((sum(first <= time < first + 1.0 for time in times) for first in times), default=0)


def said_to(bridge: Bridge, marker: str) -> dict[str, list[str]]:
    """What arrived in vcita with this marker, by visitor, in order of arrival."""
    said: dict[str, list[str]] = {}
    for message in bridge.vcs.get("state")["messages"]:
        if marker in message["message"]:
            said.setdefault(message["external_uid"], []).append(message["message"])
    return said


def test_forty_conversations_at_once_keep_the_pace_and_their_order(bridge: Bridge) -> None:
    marker = secrets.token_hex(4)
    before = len(arrivals(bridge))

    def speak(number: int) -> list[Any]:
        address = f"+4207001{number:05}"
        words = ("first", "second") if number < TALKATIVE else ("first",)
        return [bridge.send(address, f"{marker} {number} {word}") for word in words]

    with ThreadPoolExecutor(CONVERSATIONS) as threads:
        told = list(threads.map(speak, range(CONVERSATIONS)))
    assert all(one["http_status"] == 200 for both in told for one in both)
    messages = CONVERSATIONS + TALKATIVE
    until(lambda: sum(map(len, said_to(bridge, marker).values())) == messages, 55, "all messages in vcita")
    said = said_to(bridge, marker)
    assert len(said) == CONVERSATIONS
    orders = [[text.rpartition(" ")[2] for text in texts] for texts in said.values()]
    assert sorted(orders) == [["first"]] * (CONVERSATIONS - TALKATIVE) + [["first", "second"]] * TALKATIVE
    times = arrivals(bridge, before)
    # A visitor's first message needs a contact, a session and itself.
    assert len(times) >= 3 * CONVERSATIONS
    assert most_in_a_second(times) <= PER_SECOND


def test_too_many_requests_makes_the_whole_business_wait(bridge: Bridge) -> None:
    marker = secrets.token_hex(4)
    bridge.vcs.post(
        "faults", method="POST", path="/messages$", times=1, status=429, headers={"Retry-After": "4"}, body={}
    )
    before = len(arrivals(bridge))
    for number in range(3):
        bridge.send(f"+4207001{number:05}", f"{marker} {number}")
    until(lambda: len(said_to(bridge, marker)) == 3, 40, "all messages in vcita")
    times = arrivals(bridge, before)
    gaps = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    # A call that had begun before the answer still arrives; then nobody comes for four seconds.
    assert max(gaps) >= 3.5, times
