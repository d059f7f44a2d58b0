"""One local stack for all flow tests, and the words in which they are written.

The stack has ports and a state folder of its own and a short schedule: an acknowledgement is waited for
`ACK_TIMEOUT_SECONDS`, attempts 2 and 3 follow after `RETRY_DELAYS_SECONDS`. Tests share it, so each one uses an address
and texts of its own and never resets a simulator: Deskbridge would still remember the sessions.
"""

from __future__ import annotations

import contextlib
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

CONNECTOR_ACCOUNT = "frontstage/gw-demo"
DESK_ACCOUNT = "vcita/demo"
"""The two accounts of the demo tenant, as the operator's functions name them."""

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

    def get(self, path: str, /, **query: str) -> Any:
        """Look at something."""
        answer = requests.get(f"{self.url}/_sim/{path}", params=query, timeout=CALL_SECONDS)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, /, **body: Any) -> Any:
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
        self._dead: dict[str, dict[str, Any]] = {}

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
        """Let the visitor write first, and wait until that is over; the uid of the vcita session that came of it."""
        text = f"first word {secrets.token_hex(4)}"
        message_id = self.send(address, text)["message_id"]
        session_uid = self.wait_injected(text)["session_uid"]
        until(lambda: self.delivery(message_id, DESK_ACCOUNT)["state"] == "sent", 20, "the first word recorded as sent")
        return session_uid

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

    def dead_entries(self) -> list[dict[str, Any]]:
        """The entries in the dead-letter queue; they stay there."""
        sqs = self.stack.client("sqs")
        url = self.info["aws"]["queues"]["dead"]
        while True:
            # The entries read are hidden for a few seconds, so that the next round sees the others.
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=5)
            fresh = {one["MessageId"]: json.loads(one["Body"]) for one in answer.get("Messages", [])}
            if not fresh.keys() - self._dead.keys():
                return list(self._dead.values())
            self._dead |= fresh

    def dead_of(self, message_id: str) -> list[dict[str, Any]]:
        """The dead-letter entries about the delivery of a message to the connector."""
        delivery = {"message": message_id, "recipient": CONNECTOR_ACCOUNT, "content": "message"}
        return [entry for entry in self.dead_entries() if entry.get("delivery") == delivery]

    # -- operator ------------------------------------------------------------------------------------------------

    def timeline(self, any_id: str) -> dict[str, Any]:
        """The operator's story of an id, which must be known."""
        told = self.stack.invoke("operator-timeline", {"id": any_id})
        assert "error" not in told, told
        return told

    def delivery(self, message_id: str, recipient: str = CONNECTOR_ACCOUNT) -> dict[str, Any]:
        """How the delivery of a message to an account stands."""
        wanted = f"{message_id}@{recipient}"
        (found,) = [one for one in self.timeline(message_id)["deliveries"] if one["delivery"] == wanted]
        return found

    def events(self, message_id: str, recipient: str = CONNECTOR_ACCOUNT) -> list[dict[str, Any]]:
        """What happened to the delivery of a message to an account, in order."""
        wanted = f"{message_id}@{recipient}"
        return [one for one in self.timeline(message_id)["entries"] if one.get("delivery") == wanted]

    def wait_delivery(self, message_id: str, state: str, seconds: float = 20) -> dict[str, Any]:
        """How the delivery to the connector stands, once it has this state."""
        return until(
            lambda: (line := self.delivery(message_id))["state"] == state and line,
            seconds,
            f"delivery of {message_id} in state {state}",
        )

    def assert_failed(self, message_id: str, reason: str) -> None:
        """The delivery to the connector is given up for this reason, and has one entry in the dead-letter queue."""
        line = self.wait_delivery(message_id, "failed")
        assert (line["reason"], line["next_at"]) == (reason, None)
        (entry,) = until(lambda: self.dead_of(message_id), 20, f"an entry of {message_id} in the dead-letter queue")
        assert entry == {
            "task": "dead.v1",
            "delivery": {"message": message_id, "recipient": CONNECTOR_ACCOUNT, "content": "message"},
            "tenant": self.info["tenant"],
            "reason": reason,
        }


def running_stack(state_dir: Path, **options: Any) -> Any:
    """A stack with the short schedule, as a context, whose logs are looked through at its end."""
    from tests.stack import Stack

    return Stack(
        ack_timeout=ACK_TIMEOUT_SECONDS,
        retry_delays=",".join(str(seconds) for seconds in RETRY_DELAYS_SECONDS),
        state_dir=state_dir,
        watches_logs=True,
        **options,
    )


@contextlib.contextmanager
def event_sources(stack: Any, *, enabled: bool) -> Iterator[None]:
    """Switches the queues' event sources on or off for a while: off, tasks stay in the queues."""
    client = stack.client("lambda")
    sources = [one["UUID"] for one in client.list_event_source_mappings()["EventSourceMappings"]]

    def switch(to: bool) -> None:
        for source in sources:
            client.update_event_source_mapping(UUID=source, Enabled=to)

    switch(enabled)
    # A poll that has begun still takes its batch.
    time.sleep(1.5)
    try:
        yield
    finally:
        switch(not enabled)


def sqs_event(*bodies: str) -> dict[str, Any]:
    """The event of a batch with these queue messages."""
    return {
        "Records": [
            {
                "messageId": f"m-{number}",
                "receiptHandle": f"r-{number}",
                "body": body,
                "attributes": {"SentTimestamp": str(int(time.time() * 1000)), "ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "awsRegion": "us-east-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


def take(stack: Any, queue: str, seconds: float = 15) -> str | None:
    """The body of a queue's next message, which is taken out; None when there is none within `seconds`."""
    sqs, url = stack.client("sqs"), stack.info["aws"]["queues"][queue]
    end = time.monotonic() + seconds
    while True:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return message["Body"]
        if time.monotonic() > end:
            return None
        time.sleep(0.1)


def hand_over(stack: Any, queue: str, function: str, seconds: float = 15) -> Any:
    """Does the event source's work for one message: the function's answer, None when the queue stays empty."""
    body = take(stack, queue, seconds)
    return None if body is None else stack.invoke(function, sqs_event(body))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running stack."""
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@contextlib.contextmanager
def calm_bridge(stack: Any) -> Iterator[Bridge]:
    """A stack with both simulators in their default behaviour, before and after."""
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
def bridge(stack: Any) -> Iterator[Bridge]:
    """The shared stack."""
    with calm_bridge(stack) as both:
        yield both


@pytest.fixture
def address() -> str:
    """A phone number that no other test uses."""
    return f"+4207{secrets.randbelow(10**8):08d}"


@pytest.fixture
def words() -> Callable[[str], str]:
    """Makes texts that no other test uses."""
    return lambda text: f"{text} {secrets.token_hex(4)}"


@pytest.fixture
def jana(chats: Any) -> Iterator[str]:
    """An agent who answers whatever she is offered; her workplace. `chats` is the module's own."""
    chats.agents.post("login", workplace="101", on_alert="answer")
    yield "101"
    chats.agents.post("logout", workplace="101")
