"""One local stack for all flow tests, and the words in which they are written.

The stack has ports and a state folder of its own and a short schedule: an acknowledgement is waited for
`ACK_TIMEOUT_SECONDS`, attempts 2 and 3 follow after `RETRY_DELAYS_SECONDS`. Tests share it, so each one uses an address
and texts of its own and never resets a simulator: Deskbridge would still remember the sessions.
"""

from __future__ import annotations

import json
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

ACK_TIMEOUT_SECONDS = 2
RETRY_DELAYS_SECONDS = (1, 2)

CALL_SECONDS = 60
"""Limit of one control call: the first call of a function may have to start it."""

STATUS_RANKS = {
    "pending": 0,
    "channel_pending": 1,
    "sent": 2,
    "error": 3,
    "unavailable": 3,
    "received": 4,
    "read": 5,
}
"""Ranks of message statuses: what we report with V9 never goes down (vcita.md section 7)."""


def until(predicate: Callable[[], Any], seconds: float, what: str) -> Any:
    """Poll until `predicate` gives something true and hand that back; fail with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(0.1)


class Simulator:
    """The control API of a simulator."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **query: str) -> Any:
        """Look at something."""
        answer = requests.get(f"{self.url}/_sim/{path}", params=query, timeout=CALL_SECONDS)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, **body: Any) -> Any:
        """Do something. A 502 (Deskbridge did not answer) is a failure of the test."""
        answer = requests.post(f"{self.url}/_sim/{path}", json=body, timeout=CALL_SECONDS)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def drop_faults(self) -> None:
        """Disarm all faults."""
        requests.delete(f"{self.url}/_sim/faults", timeout=CALL_SECONDS).raise_for_status()


class Bridge:
    """The running stack seen from both ends: the connector on the visitor side, vcita's staff on the desk side."""

    def __init__(self, stack: Any) -> None:
        self.stack = stack
        self.info = stack.info
        self.vcs = Simulator(self.info["simulators"]["vcita"])
        self.connector = Simulator(self.info["simulators"]["frontstage"])
        self.vcita_base = self.info["accounts"]["vcita"]["base"]

    # -- visitor side --------------------------------------------------------------------------------------------

    def send(self, address: str, text: str, **more: Any) -> dict[str, Any]:
        """ES_MESSAGE_RECEIVING; HTTP status, answer and `message_id`."""
        return self.connector.post("send", **{"from": address, "text": text, **more})

    def pushes(self, text: str) -> list[dict[str, Any]]:
        """The pushes of SE_MESSAGE_SENDING that carried this text, in order."""
        return [
            push
            for push in self.connector.get("pushes")
            if push["envelope"]["Msg"] == "SE_MESSAGE_SENDING" and push["envelope"]["Body"].get("BodyText") == text
        ]

    def mode(self, text: str, **mode: Any) -> None:
        """How the connector answers pushes of this text; all others get the default."""
        self.connector.post("mode", match=f"^{re.escape(text)}$", **mode)

    # -- desk side -----------------------------------------------------------------------------------------------

    def injected(self, text: str) -> list[dict[str, Any]]:
        """The messages in vcita that carry this text, in order of injection."""
        return [message for message in self.vcs.get("state")["messages"] if message["message"] == text]

    def wait_injected(self, text: str, seconds: float = 30) -> dict[str, Any]:
        """The message in vcita, once it is there."""
        return until(lambda: self.injected(text), seconds, f"'{text}' in vcita")[0]

    def open_conversation(self, address: str) -> str:
        """Let the visitor write first; the uid of the vcita session that came of it."""
        text = f"first word {secrets.token_hex(4)}"
        self.send(address, text)
        return self.wait_injected(text)["session_uid"]

    def staff(self, session_uid: str, text: str, **more: Any) -> str:
        """The staff member writes (A3), which must be answered 204; the message_uid."""
        told = self.vcs.post("staff-message", session_uid=session_uid, text=text, **more)
        assert [answer["status"] for answer in told["answers"]] == [204] * len(told["answers"])
        assert all(answer["body"] == "" for answer in told["answers"])
        return told["message_uid"]

    def statuses(self, message_uid: str) -> list[str]:
        """What we reported with V9 for a message, in order; it must never go down."""
        reported = [one["status"] for one in self.vcs.get("state")["statuses"] if one["message_uid"] == message_uid]
        ranks = [STATUS_RANKS[status] for status in reported]
        assert ranks == sorted(ranks), f"status reported backwards: {reported}"
        return reported

    def wait_status(self, message_uid: str, status: str, seconds: float = 30) -> list[str]:
        """All statuses reported, once `status` is the last of them."""
        return until(
            lambda: self.statuses(message_uid)[-1:] == [status] and self.statuses(message_uid),
            seconds,
            f"V9 '{status}' of {message_uid}",
        )

    def wait_pushes(self, text: str, count: int = 1, seconds: float = 30) -> list[dict[str, Any]]:
        """The pushes of a text, once there are at least `count`."""
        return until(
            lambda: len(self.pushes(text)) >= count and self.pushes(text),
            seconds,
            f"{count} pushes of '{text}'",
        )

    # -- settled -------------------------------------------------------------------------------------------------

    def flush_inbound(self, address: str) -> None:
        """Send one more message and wait for it in vcita: whatever the earlier ones caused has then happened."""
        text = f"last word {secrets.token_hex(4)}"
        self.send(address, text)
        self.wait_injected(text)

    def flush_outbound(self, session_uid: str) -> None:
        """Let the staff write once more and wait until that is sent: earlier messages have then left."""
        message_uid = self.staff(session_uid, f"last answer {secrets.token_hex(4)}")
        self.wait_status(message_uid, "sent")

    # -- storage -------------------------------------------------------------------------------------------------

    def is_stored(self, marker: str) -> bool:
        """Whether a text occurs anywhere in the table."""
        pages = self.stack.client("dynamodb").get_paginator("scan").paginate(TableName=self.info["aws"]["table"])
        return any(marker in json.dumps(item, default=str) for page in pages for item in page["Items"])

    def dead_entries(self) -> list[str]:
        """The bodies in the dead-letter queue; they stay there."""
        sqs = self.stack.client("sqs")
        url = self.info["aws"]["queues"]["dead"]
        found: dict[str, str] = {}
        while True:
            # The entries read are hidden for a few seconds, so that the next round sees the others.
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=5)
            fresh = {one["MessageId"]: one["Body"] for one in answer.get("Messages", [])}
            if not fresh.keys() - found.keys():
                return list(found.values())
            found |= fresh


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running stack."""
    from tests.stack import Stack

    with Stack(
        ack_timeout=ACK_TIMEOUT_SECONDS,
        retry_delays=",".join(str(seconds) for seconds in RETRY_DELAYS_SECONDS),
        state_dir=tmp_path_factory.mktemp("stack"),
    ) as running:
        yield running


@pytest.fixture
def bridge(stack: Any) -> Iterator[Bridge]:
    """The stack with both simulators in their default behaviour, before and after the test."""
    both = Bridge(stack)

    def calm() -> None:
        both.vcs.drop_faults()
        both.connector.drop_faults()
        both.vcs.post("activation", mode="auto", delay_ms=50)
        both.connector.post("mode")

    calm()
    yield both
    calm()


@pytest.fixture
def address() -> str:
    """A phone number that no other test uses."""
    return f"+4207{secrets.randbelow(10**8):08d}"


@pytest.fixture
def words() -> Callable[[str], str]:
    """Makes texts that no other test uses."""
    return lambda text: f"{text} {secrets.token_hex(4)}"
