"""Messages to a connector that polls (FS 6, FS 10.3 column "Poll"): staff writes in vcita, the connector fetches it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from .conftest import ACK_TIMEOUT_SECONDS, Bridge, Simulator, calm_bridge, until

ACCOUNT = "frontstage/gw-poll"
GATEWAY_ID = "44444444-4444-4444-8444-4444444444aa"
SECRET = "invented-poll-secret-0001"
ROOT = Path(__file__).resolve().parents[2]


class Polling(Bridge):
    """The same stack, with a connector that has no `push_url`."""

    def __init__(self, both: Bridge, connector: Simulator) -> None:
        super().__init__(both.stack)
        self.connector = connector

    def poll(self, after: int) -> list[dict[str, Any]]:
        """What the connector fetches after a place."""
        told = self.connector.post("poll", after=after)
        assert told["http_status"] == 200, told
        return told["answer"]["Events"]

    def wait_fetched(self, text: str, after: int) -> dict[str, Any]:
        """The envelope with this text, once a poll brings it."""

        def found() -> dict[str, Any] | None:
            events = self.poll(after)
            return next((one for one in events if one["Body"] and one["Body"].get("BodyText") == text), None)

        return until(found, 30, f"'{text}' in the stream")

    def last_place(self) -> int:
        """The last number of the stream."""
        return self.connector.post("raw", method="GET", path="/health")["answer"]["Cursor"]


@contextlib.contextmanager
def connector_of(stack: Any) -> Iterator[Simulator]:
    """A connector simulator for the gateway that polls."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"{stack.info['origin']}/v1/frontstage/gw-poll"
    command = [sys.executable, "-m", "tests.simulators.frontstage_connector", "--port", str(port)]
    command += ["--gateway-url", url, "--key-id", "k1", "--secret", SECRET, "--peer", "!PollLink"]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        simulator = Simulator(f"http://127.0.0.1:{port}")

        def answers() -> bool:
            with contextlib.suppress(requests.ConnectionError):
                return simulator.get("pushes") == []
            return False

        until(answers, 20, "the connector simulator")
        yield simulator
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def connector(stack: Any) -> Iterator[Simulator]:
    """The gateway, configured, and its connector."""
    stack.put_secret(ACCOUNT, {"keys": [{"id": "k1", "secret": SECRET}]})
    gateway = {"id": GATEWAY_ID, "display_name": "Polled SMS", "channel": "SMS", "direction": "B"}
    document = stack.demo_document()
    settings = {"peer_address": "!PollLink", "message_gateways": [gateway]}
    document["accounts"] = [{"platform": "frontstage", "key": "gw-poll", "settings": settings}]
    told = stack.invoke("operator-configure", document)
    assert "error" not in told, told
    with connector_of(stack) as simulator:
        yield simulator


@pytest.fixture
def polling(stack: Any, connector: Simulator) -> Iterator[Polling]:
    """Both sides in their default behaviour."""
    with calm_bridge(stack) as both:
        connector.post("mode")
        yield Polling(both, connector)


def test_staffs_answer_is_fetched_acknowledged_and_sent(
    polling: Polling, address: str, words: Callable[[str], str]
) -> None:
    session, text = polling.open_conversation(address), words("fetched")
    after = polling.last_place()
    message_uid = polling.staff(session, text)
    event = polling.wait_fetched(text, after)
    assert (event["Msg"], event["Seq"]) == ("SE_MESSAGE_SENDING", after + 1)
    assert (event["Body"]["GatewayId"], event["Body"]["RemoteAddress"]) == (GATEWAY_ID, address)
    assert event["Body"]["ReceivedSentTime"] == event["Time"]
    polling.wait_status(message_uid, "sent")
    message_id = event["Body"]["MessageId"]
    assert polling.delivery(message_id, ACCOUNT)["state"] == "sent"
    happened = [one["event"] for one in polling.events(message_id, ACCOUNT)]
    assert happened == ["offered", "handed_over", "acknowledged"]
    assert polling.poll(after + 1) == []


def test_attempt_without_acknowledgement_is_followed_by_another_with_the_same_message_id(
    polling: Polling, address: str, words: Callable[[str], str]
) -> None:
    session, text = polling.open_conversation(address), words("not acknowledged")
    polling.mode(text, ack="none")
    after = polling.last_place()
    message_uid = polling.staff(session, text)
    first = polling.wait_fetched(text, after)
    assert polling.poll(after) == [first], "the old cursor brings the same again"
    second = polling.wait_fetched(text, first["Seq"])
    assert second["Seq"] > first["Seq"]
    assert second["Id"] != first["Id"]
    assert second["Body"]["ReceivedSentTime"] > first["Body"]["ReceivedSentTime"]
    same = ("MessageId", "DeliverySystemId", "GatewayId", "BodyText")
    assert {name: second["Body"][name] for name in same} == {name: first["Body"][name] for name in same}
    (over, _) = polling.poll(after)
    assert (over["Msg"], over["Seq"]) == ("Skip", first["Seq"])
    polling.connector.post("ack", message_id=first["Body"]["MessageId"])
    polling.wait_status(message_uid, "sent", ACK_TIMEOUT_SECONDS + 30)
    told = polling.events(first["Body"]["MessageId"], ACCOUNT)
    assert [(one["event"], one.get("attempt")) for one in told] == [
        ("offered", 1),
        ("handed_over", 1),
        ("no_acknowledgement", 1),
        ("offered", 2),
        ("handed_over", 2),
        ("acknowledged", None),
    ]
