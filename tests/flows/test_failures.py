"""What goes wrong around Deskbridge, and what nobody may notice of it.

AWS fails through the gate between the functions and the embedded AWS (`tests/stack/gate.py`). Section numbers: FS =
frontstage.md, VC = vcita.md.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from yarl import URL

from tests.simulators.frontstage_connector import Signer

from .conftest import (
    DESK_ACCOUNT,
    Bridge,
    calm_bridge,
    event_sources,
    hand_over,
    running_stack,
    sqs_event,
    take,
    until,
)

SECOND_KEY = ("k2", secrets.token_hex(32))
"""A second live key of the gateway, as during a rotation."""

SECOND_URL_SECRET = secrets.token_hex(16)
"""A second live path secret of the vcita app."""

SWEEP_SECONDS = 100
"""The sweep takes a queue message for lost 15 s after it was due; the rest is for a busy machine."""

Words = Callable[[str], str]


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A stack whose functions reach AWS through a gate, and whose accounts have two live keys each."""
    with running_stack(tmp_path_factory.mktemp("gated"), gate=True) as stack:
        account = stack.info["accounts"]["frontstage"]
        keys = [(account["key_id"], account["secret"]), SECOND_KEY]
        # Before the first call of a function: secrets are read when it starts, and then every few minutes.
        stack.put_secret("frontstage/gw-demo", {"keys": [{"id": name, "secret": value} for name, value in keys]})
        first = stack.info["accounts"]["vcita"]["base"].rpartition("/")[2]
        login = {"client_id": "demo-client", "client_secret": "demo-client-secret"}
        stack.put_secret("vcita/demo", {"url_secrets": [first, SECOND_URL_SECRET], **login})
        yield stack


@pytest.fixture
def bridge(gated: Any) -> Iterator[Bridge]:
    """The gated stack, with everything warm: an outage meets functions that know their accounts."""
    with calm_bridge(gated) as both:
        yield both
        gated.gate.lift()


@contextlib.contextmanager
def outage(bridge: Bridge, service: str, mode: str, operation: str | None = None) -> Iterator[None]:
    """A service of AWS is down for a while."""
    bridge.stack.gate.fail(service, operation, mode=mode)
    try:
        yield
    finally:
        bridge.stack.gate.lift()


def sweep_until(bridge: Bridge, is_done: Callable[[], Any], what: str) -> None:
    """Runs the schedule's sweep by hand, more often than once a minute."""
    end = time.monotonic() + SWEEP_SECONDS
    while not is_done():
        if time.monotonic() > end:
            pytest.fail(f"not swept within {SWEEP_SECONDS} s: {what}")
        bridge.stack.invoke("outbound-sweep", {})
        time.sleep(1)


def assert_try_again(status: int, headers: dict[str, str]) -> None:
    """503 that says when to come again."""
    assert status == 503
    lower = {name.lower(): value for name, value in headers.items()}
    assert 1 <= int(lower["retry-after"]) <= 60


def send_refused(bridge: Bridge, address: str, text: str) -> dict[str, Any]:
    """A visitor's message in an outage: answered 503; what was sent."""
    told = bridge.send(address, text)
    assert_try_again(told["http_status"], told["headers"])
    assert (told["answer"]["Error"]["Code"], told["answer"]["Error"]["Retryable"]) == ("Unavailable", True)
    assert set(told["answer"]) == {"Error"}
    return told


def send_again(bridge: Bridge, address: str, told: dict[str, Any]) -> dict[str, Any]:
    """The connector repeats its envelope, as it does when there was no answer (FS 7); the result of it."""
    sent = told["envelope"]
    again = bridge.send(address, sent["Body"]["BodyText"], envelope_id=sent["Id"], **sent["Body"])
    assert again["http_status"] == 200
    assert again["answer"]["Replies"][0]["Body"]["Data"] == "true"
    assert again["message_id"]
    return again


def staff_refused(bridge: Bridge, session_uid: str, text: str) -> str:
    """A staff message in an outage: answered 503; its uid."""
    told = bridge.vcs.post("staff-message", session_uid=session_uid, text=text)
    assert_try_again(told["status"], told["headers"])
    return told["message_uid"]


# ---------------------------------------------------------------------------------------------------------------
# DynamoDB or SQS down: 503 with Retry-After, and the repetition finds everything as if nothing had happened


@pytest.mark.parametrize("mode", ["error", "drop", "hang"])
def test_dynamodb_down_inbound_is_503_and_the_repetition_delivers_once(
    bridge: Bridge, address: str, words: Words, mode: str
) -> None:
    bridge.open_conversation(address)
    text = words("table down")
    with outage(bridge, "dynamodb", mode):
        told = send_refused(bridge, address, text)
    assert not bridge.is_stored(text)
    again = send_again(bridge, address, told)
    assert again["answer"]["Results"][0]["Outcome"] == "Accepted"
    bridge.flush_inbound(address)
    assert len(bridge.injected(text)) == 1


@pytest.mark.parametrize("mode", ["error", "hang", "lose_answer"])
def test_sqs_down_inbound_is_503_and_the_message_is_delivered_once(
    bridge: Bridge, address: str, words: Words, mode: str
) -> None:
    bridge.open_conversation(address)
    text = words("queue down")
    with outage(bridge, "sqs", mode):
        told = send_refused(bridge, address, text)
    again = send_again(bridge, address, told)
    sweep_until(bridge, lambda: bridge.injected(text), "a message that was stored and not enqueued")
    bridge.flush_inbound(address)
    assert len(bridge.injected(text)) == 1
    assert bridge.delivery(again["message_id"], DESK_ACCOUNT)["state"] == "sent"


@pytest.mark.parametrize("mode", ["error", "hang"])
def test_dynamodb_down_staff_message_is_503_and_the_repetition_is_pushed_once(
    bridge: Bridge, address: str, words: Words, mode: str
) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("table down")
    with outage(bridge, "dynamodb", mode):
        message_uid = staff_refused(bridge, session_uid, text)
    assert not bridge.is_stored(text)
    bridge.staff(session_uid, text, message_uid=message_uid)
    assert bridge.wait_status(message_uid, "sent") == ["sent"]
    bridge.flush_outbound(session_uid)
    assert len(bridge.pushes(text)) == 1


def test_sqs_down_staff_message_is_503_and_pushed_once(bridge: Bridge, address: str, words: Words) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("queue down")
    with outage(bridge, "sqs", "error"):
        message_uid = staff_refused(bridge, session_uid, text)
    bridge.staff(session_uid, text, message_uid=message_uid)
    sweep_until(bridge, lambda: bridge.statuses(message_uid), "a staff message that was stored and not enqueued")
    bridge.flush_outbound(session_uid)
    assert bridge.statuses(message_uid) == ["sent"]
    assert len(bridge.pushes(text)) == 1


@pytest.mark.parametrize(("service", "outcome"), [("dynamodb", "Accepted"), ("sqs", "Duplicate")])
def test_acknowledgement_in_an_outage_is_503_and_the_repetition_settles(
    bridge: Bridge, address: str, words: Words, service: str, outcome: str
) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("acknowledged in an outage")
    bridge.mode(text, ack="none")
    message_uid = bridge.staff(session_uid, text)
    message_id = bridge.wait_pushes(text)[0]["message_id"]
    with outage(bridge, service, "error"):
        told = bridge.connector.post("ack", message_id=message_id)
        assert_try_again(told["http_status"], told["headers"])
    again = bridge.connector.post("ack", message_id=message_id)
    assert again["answer"]["Results"][0]["Outcome"] == outcome
    # The timer of the attempt, or the sweep, does what the lost queue message should have done.
    assert bridge.wait_status(message_uid, "sent") == ["sent"]
    bridge.flush_outbound(session_uid)
    assert bridge.delivery(message_id)["state"] == "sent"


@pytest.mark.parametrize("service", ["dynamodb", "sqs"])
def test_session_status_in_an_outage_is_503_and_the_repetition_wakes_what_waits(
    bridge: Bridge, address: str, words: Words, service: str
) -> None:
    bridge.vcs.post("activation", mode="never")
    before = {one["uid"] for one in bridge.vcs.get("state")["sessions"]}
    text = words("waits for its session")
    message_id = bridge.send(address, text)["message_id"]
    until(lambda: bridge.delivery(message_id, DESK_ACCOUNT)["state"] == "parked", 30, "the message waits")
    (session,) = [one for one in bridge.vcs.get("state")["sessions"] if one["uid"] not in before]
    with outage(bridge, service, "error"):
        told = bridge.vcs.post("session-status", session_uid=session["uid"], status="active")
        assert_try_again(told["status"], told["headers"])
    assert bridge.vcs.post("session-status", session_uid=session["uid"], status="active")["status"] == 204
    bridge.wait_injected(text)


@pytest.mark.parametrize("service", ["dynamodb", "sqs"])
def test_aws_answer_lost_once_is_not_noticed(bridge: Bridge, address: str, words: Words, service: str) -> None:
    """The SDK repeats what was carried out already: still one message, pushed or injected once."""
    session_uid = bridge.open_conversation(address)
    inbound, outbound = words("answer lost inbound"), words("answer lost outbound")
    operation = {"dynamodb": "TransactWriteItems", "sqs": "SendMessage"}[service]
    bridge.stack.gate.fail(service, operation, "lose_answer", times=1)
    told = bridge.send(address, inbound)
    assert told["answer"]["Results"][0]["Outcome"] == "Accepted"
    bridge.wait_injected(inbound)
    bridge.stack.gate.fail(service, operation, "lose_answer", times=1)
    message_uid = bridge.staff(session_uid, outbound)
    assert bridge.wait_status(message_uid, "sent") == ["sent"]
    bridge.flush_inbound(address)
    bridge.flush_outbound(session_uid)
    assert (len(bridge.injected(inbound)), len(bridge.pushes(outbound))) == (1, 1)


def test_deliver_in_an_outage_hands_the_record_back_and_calls_nobody(
    bridge: Bridge, address: str, words: Words
) -> None:
    bridge.open_conversation(address)
    text = words("worker without table")
    with event_sources(bridge.stack, enabled=False):
        bridge.send(address, text)
        body = take(bridge.stack, "deliver")
        assert body is not None
        with outage(bridge, "dynamodb", "error"):
            answer = bridge.stack.invoke("outbound-deliver", sqs_event(body))
        assert answer == {"batchItemFailures": [{"itemIdentifier": "m-0"}]}
        assert bridge.injected(text) == []
        assert bridge.stack.invoke("outbound-deliver", sqs_event(body)) == {"batchItemFailures": []}
    # At once as a rule. If the outage began in the middle of an attempt, that one has to run out first.
    sweep_until(bridge, lambda: bridge.injected(text), "a message that a worker could not store")
    assert len(bridge.injected(text)) == 1


# ---------------------------------------------------------------------------------------------------------------
# lost and repeated queue messages


def test_lost_tasks_and_a_lost_timer_are_made_up_for_by_the_sweep(bridge: Bridge, address: str, words: Words) -> None:
    session_uid = bridge.open_conversation(address)
    other = address[:-1] + str((int(address[-1]) + 1) % 10)
    silent_uid = bridge.open_conversation(other)
    inbound, outbound, silent = words("task lost inbound"), words("task lost outbound"), words("timer lost")
    bridge.mode(silent, ack="none", times=1)
    with event_sources(bridge.stack, enabled=False):
        silent_message = bridge.staff(silent_uid, silent)
        # A task of the conversations' beginning may still be in the queue: a session that becomes active wakes its lane.
        while not bridge.pushes(silent):
            assert hand_over(bridge.stack, "deliver", "outbound-deliver") == {"batchItemFailures": []}
        bridge.send(address, inbound)
        message_uid = bridge.staff(session_uid, outbound)
        lost = [take(bridge.stack, queue) for queue in ("deliver", "deliver", "ack")]
        assert None not in lost
        assert (len(bridge.pushes(silent)), bridge.injected(inbound), bridge.pushes(outbound)) == (1, [], [])
    sweep_until(
        bridge,
        lambda: bridge.injected(inbound) and bridge.statuses(message_uid) and bridge.statuses(silent_message),
        "an inbound and an outbound task and a timer that were lost",
    )
    bridge.flush_inbound(address)
    bridge.flush_outbound(session_uid)
    assert (len(bridge.injected(inbound)), len(bridge.pushes(outbound))) == (1, 1)
    assert [push["attempt"] for push in bridge.pushes(silent)] == [1, 2]
    assert (bridge.statuses(message_uid), bridge.statuses(silent_message)) == (["sent"], ["sent"])


def test_queue_messages_that_come_again_change_nothing(bridge: Bridge, address: str, words: Words) -> None:
    session_uid = bridge.open_conversation(address)
    inbound, outbound = words("task again inbound"), words("task again outbound")
    with event_sources(bridge.stack, enabled=False):
        bridge.send(address, inbound)
        message_uid = bridge.staff(session_uid, outbound)
        tasks = [take(bridge.stack, "deliver"), take(bridge.stack, "deliver")]
        assert None not in tasks
        # Twice in one batch, twice at the same time, and once more when all is over.
        batch = sqs_event(*tasks, *tasks)
        with ThreadPoolExecutor(2) as threads:
            answers = list(threads.map(lambda event: bridge.stack.invoke("outbound-deliver", event), [batch, batch]))
        timer = take(bridge.stack, "ack")
        assert timer is not None
    assert bridge.wait_status(message_uid, "sent") == ["sent"]
    answers.append(bridge.stack.invoke("outbound-deliver", batch))
    answers.append(bridge.stack.invoke("outbound-ack-timer", sqs_event(timer, timer)))
    assert answers == [{"batchItemFailures": []}] * 4
    bridge.flush_inbound(address)
    bridge.flush_outbound(session_uid)
    assert (len(bridge.injected(inbound)), len(bridge.pushes(outbound))) == (1, 1)
    assert bridge.statuses(message_uid) == ["sent"]


# ---------------------------------------------------------------------------------------------------------------
# poison

POISON = [
    "not JSON",
    "{}",
    "[]",
    '{"task":"deliver.v9","lane":"?"}',
    '{"task":"deliver.v1","lane":{"conversation":"no","recipient":"vcita/demo","kind":"messages"},"entry":"1"}',
    '{"task":"deliver.v1","lane":{"conversation":"00112233445566778899","recipient":"nobody/x","kind":"messages"}}',
]


def poison_entries(bridge: Bridge, body: str) -> list[dict[str, Any]]:
    """The dead-letter entries about a queue message with this body."""
    return [one for one in bridge.dead_entries() if one["task"] == "poison.v1" and one["body"] == body]


@pytest.mark.parametrize(("queue", "function"), [("deliver", "outbound-deliver"), ("ack", "outbound-ack-timer")])
def test_poison_queue_message_is_kept_with_its_reason_and_reported_as_done(
    bridge: Bridge, queue: str, function: str
) -> None:
    marked = [body + " " * (1 + (queue == "ack")) for body in POISON]
    assert bridge.stack.invoke(function, sqs_event(*marked)) == {"batchItemFailures": []}
    for number, body in enumerate(marked):
        (entry,) = until(lambda body=body: poison_entries(bridge, body), 20, f"the entry of {body}")
        assert (entry["function"], entry["queue_message"]) == (f"deskbridge-{function}", f"m-{number}")
        assert entry["reason"].startswith("not a task")


def test_poison_queue_message_next_to_good_ones_delays_neither(bridge: Bridge, address: str, words: Words) -> None:
    other = address[:-1] + str((int(address[-1]) + 1) % 10)
    sessions = [bridge.open_conversation(address), bridge.open_conversation(other)]
    text, poison = words("neighbour"), f"poison {secrets.token_hex(8)}"
    sqs, url = bridge.stack.client("sqs"), bridge.info["aws"]["queues"]["deliver"]
    started = int(time.time() * 1000)
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def left() -> dict[str, str]:
        return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"]

    before = left()
    with event_sources(bridge.stack, enabled=False):
        uids = [bridge.staff(sessions[0], text)]
        sqs.send_message(QueueUrl=url, MessageBody=poison)
        uids.append(bridge.staff(sessions[1], text))
    for message_uid in uids:
        assert bridge.wait_status(message_uid, "sent") == ["sent"]
    assert len(bridge.pushes(text)) == 2
    (entry,) = until(lambda: poison_entries(bridge, poison), 20, "the poison with its reason")
    assert entry["reason"].startswith("not a task")
    # It is out of the queue, and so are its neighbours: none was handed back.
    until(lambda: left() == before, 20, "the queue as it was")
    until(lambda: '"Poison":' in "\n".join(bridge.stack.logs("outbound-deliver", started)), 20, "the poison counted")
    lines = bridge.stack.logs("outbound-deliver", started)
    assert not any('"BatchItemFailures":' in line for line in lines)


# ---------------------------------------------------------------------------------------------------------------
# two live keys


def test_both_live_keys_of_a_gateway_are_accepted_and_no_other(bridge: Bridge) -> None:
    account = bridge.info["accounts"]["frontstage"]
    url = URL(f"{bridge.info['origin']}/v1/frontstage/{account['gateway']}/messages")
    body = json.dumps({"Msg": "ES_SL_GETGATEWAYS", "Id": "5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d02", "Body": None}).encode()
    crossed = (account["key_id"], SECOND_KEY[1])
    for (key_id, secret), status in (
        ((account["key_id"], account["secret"]), 200),
        (SECOND_KEY, 200),
        (crossed, 401),
        (("k3", SECOND_KEY[1]), 401),
    ):
        headers = Signer(key_id, secret.encode()).headers("POST", url, body, {})
        answer = requests.post(str(url), data=body, headers=headers, timeout=60)
        assert answer.status_code == status, key_id


def test_both_live_path_secrets_of_vcita_are_accepted_and_no_other(bridge: Bridge, address: str) -> None:
    session_uid = bridge.open_conversation(address)
    base, _, first = bridge.vcita_base.rpartition("/")
    for secret, status in ((first, 204), (SECOND_URL_SECRET, 204), (secrets.token_hex(16), 404)):
        answer = requests.put(f"{base}/{secret}/sessions/{session_uid}", json={"status": "active"}, timeout=60)
        assert answer.status_code == status


# ---------------------------------------------------------------------------------------------------------------
# logs; last, so that there is something in them


def logged(stack: Any) -> str:
    """Everything in CloudWatch Logs: of all functions, and of the HTTP API."""
    logs = stack.client("logs")
    groups = [
        group["logGroupName"]
        for page in logs.get_paginator("describe_log_groups").paginate()
        for group in page["logGroups"]
    ]
    pages = (page for group in groups for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group))
    return "\n".join(event["message"] for page in pages for event in page["events"])


def private_words(bridge: Bridge) -> set[str]:
    """All that was said, by whom, and the secrets that prove who is who."""
    state, account = bridge.vcs.get("state"), bridge.info["accounts"]["frontstage"]
    said = [message["message"] for message in (*state["messages"], *state["staff_messages"])]
    said += [contact["normalized_phone"] for contact in state["contacts"]]
    contents = [one["envelope"].get("Body") for one in (*bridge.connector.get("sent"), *bridge.connector.get("pushes"))]
    for content in (one for one in contents if isinstance(one, dict)):
        said += [content.get(name) for name in ("BodyText", "SubjectField", "RemoteAddress", "FromField")]
    known = {account["secret"], bridge.vcita_base.rpartition("/")[2], "demo-client-secret", SECOND_KEY[1]}
    # Words shorter than this are in every log.
    return {word for word in said if isinstance(word, str) and len(word) >= 8} | known | {SECOND_URL_SECRET}


@pytest.mark.parametrize("which", ["stack", "gated"])
def test_logs_hold_no_text_address_secret_or_token(
    request: pytest.FixtureRequest, address: str, words: Words, which: str
) -> None:
    """Over all that the tests before this one did with these functions, well or badly."""
    with calm_bridge(request.getfixturevalue(which)) as bridge:
        session_uid = bridge.open_conversation(address)
        bridge.flush_outbound(session_uid)
        text = words("refused and logged")
        bridge.mode(text, ack="error:550 no such mailbox")
        message_uid = bridge.staff(session_uid, text)
        bridge.wait_status(message_uid, "error")
        assert bridge.send(address, words("forged"), wrong_signature=True)["http_status"] == 401
        message_id = bridge.pushes(text)[0]["message_id"]
        # The log of an invocation is written after its answer.
        found = until(
            lambda: message_id in (lines := logged(bridge.stack)) and lines, 20, "the log of the last message"
        )
        private = private_words(bridge)
        assert {address, text} <= private
        leaked = sorted(word for word in private | {"550 no such mailbox"} if word in found)
        assert leaked == []
        tokens = bridge.vcs.post("tokens/search", text=found)
        assert tokens["tokens"] >= 1
        assert tokens["found"] == 0
        assert "panicked" not in found
