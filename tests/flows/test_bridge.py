"""FrontStage connectors and vcita staff talk to each other: flows over real HTTP through the deployed functions.

Each test is named after the row of the platform contracts that it proves. Section numbers: FS = frontstage.md,
VC = vcita.md.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from .conftest import ACK_TIMEOUT_SECONDS, CONNECTOR_ACCOUNT, DESK_ACCOUNT, RETRY_DELAYS_SECONDS, Bridge, until

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PATH_SAFE = re.compile(r"[A-Za-z0-9._~-]{1,255}")
UNKNOWN_GUID = "99999999-9999-4999-8999-999999999999"
UNKNOWN_CHANNEL = "99999999-0000-4000-8000-999999999999"

ALL_ATTEMPTS_SECONDS = 3 * ACK_TIMEOUT_SECONDS + sum(RETRY_DELAYS_SECONDS)
"""How long three attempts without an acknowledgement take."""

SCHEDULE_MARGIN_SECONDS = 30
"""What a busy machine may add to a schedule."""

ACTIVATION_TIMEOUT_SECONDS = 60
"""How long the demo tenant waits for a session to become active (VC 14)."""

CALLS_PER_SECOND = 8
"""The most calls of ours that vcita takes (VC 10)."""

Words = Callable[[str], str]


def result_of(told: dict[str, Any]) -> dict[str, Any]:
    """The result of a single envelope (FS 10.2)."""
    (result,) = told["answer"]["Results"]
    return result


def received_of(told: dict[str, Any]) -> dict[str, Any]:
    """The one SE_MESSAGE_RECEIVED envelope of an answer (FS 7)."""
    (reply,) = told["answer"]["Replies"]
    assert reply["Msg"] == "SE_MESSAGE_RECEIVED"
    return reply


def error_of(told: dict[str, Any]) -> tuple[int, str]:
    """HTTP status and code of an error answer (FS 10.6)."""
    return told["http_status"], told["answer"]["Error"]["Code"]


def envelope(name: str, body: Any, **more: Any) -> dict[str, Any]:
    """An envelope (FS 10.2) for the raw control call."""
    return {"Msg": name, "Id": str(uuid.uuid4()), "Body": body, **more}


# ---------------------------------------------------------------------------------------------------------------
# FS 3.3 start-up


def test_getgateways_is_answered_with_both_directions(bridge: Bridge) -> None:
    told = bridge.connector.post("gateways")
    assert told["http_status"] == 200
    assert result_of(told)["Outcome"] == "Accepted"
    (reply,) = told["answer"]["Replies"]
    assert reply["Msg"] == "SE_SL_MSGGATEWAYS"
    assert reply["InReplyTo"] == result_of(told)["Id"]
    assert GUID.fullmatch(reply["Id"])
    assert {gateway["Direction"] for gateway in reply["Body"]} == {"I", "O"}
    for gateway in reply["Body"]:
        assert GUID.fullmatch(gateway["Id"])
        assert gateway["Channel"] in ("Email", "SMS", "Fax", "SocialMsg", "SocialWall")
        assert {"DisplayName", "PeerAddress", "PeerPort", "Device", "LanguageId"} <= gateway.keys()


def test_getgateways_of_another_peer_is_403_peer_mismatch(bridge: Bridge) -> None:
    told = bridge.connector.post("raw", body=envelope("ES_SL_GETGATEWAYS", "!SomebodyElse"))
    assert error_of(told) == (403, "PeerMismatch")


# ---------------------------------------------------------------------------------------------------------------
# FS 7 and VC 8.2: inbound


def test_message_receiving_new_is_stored_and_relayed_to_vcita(bridge: Bridge, address: str, words: Words) -> None:
    text = words("Is 3pm free? \U0001f642 a < b && <3")
    told = bridge.send(address, text)
    assert told["http_status"] == 200
    assert result_of(told)["Outcome"] == "Accepted"
    reply, content = received_of(told), told["envelope"]["Body"]
    assert reply["InReplyTo"] == told["envelope"]["Id"]
    assert reply["Body"]["Data"] == "true"
    assert GUID.fullmatch(reply["Body"]["Id"])
    assert reply["Body"]["RefId"] == content["GatewayId"]
    assert reply["Body"]["Reference"] == content["RequestId"]

    message = bridge.wait_injected(text)
    state = bridge.vcs.get("state")
    (session,) = [one for one in state["sessions"] if one["uid"] == message["session_uid"]]
    (contact,) = [one for one in state["contacts"] if one["id"] == session["contact_uid"]]
    assert session["status"] == "active"
    assert contact["normalized_phone"] == address
    assert PATH_SAFE.fullmatch(message["message_uid"])
    assert message["direction"] == "client_to_business"
    assert message["external_uid"] == session["external_uid"]


def test_second_message_of_an_address_reuses_session_and_contact_in_order(
    bridge: Bridge, address: str, words: Words
) -> None:
    texts = [words(f"number {number}") for number in range(6)]
    for text in texts:
        assert received_of(bridge.send(address, text))["Body"]["Data"] == "true"
    for text in texts:
        bridge.wait_injected(text)
    state = bridge.vcs.get("state")
    injected = [one for one in state["messages"] if one["message"] in texts]
    assert [one["message"] for one in injected] == texts
    assert len({one["session_uid"] for one in injected}) == 1
    assert len([one for one in state["contacts"] if one["normalized_phone"] == address]) == 1
    assert len([one for one in state["sessions"] if one["external_uid"] == injected[0]["external_uid"]]) == 1


def test_envelope_resent_gets_the_stored_answer_and_outcome_duplicate(
    bridge: Bridge, address: str, words: Words
) -> None:
    text = words("once only")
    told = bridge.send(address, text, repeat=2)
    first, second, third = told["answers"]
    assert [result_of(one)["Outcome"] for one in (first, second, third)] == ["Accepted", "Duplicate", "Duplicate"]
    assert received_of(second)["Body"] == received_of(first)["Body"]
    # The stored answer itself: a consumer that drops an Id already seen takes it once.
    assert received_of(third)["Id"] == received_of(second)["Id"] == received_of(first)["Id"]
    bridge.flush_inbound(address)
    assert len(bridge.injected(text)) == 1


def test_envelope_id_with_another_body_is_409_id_reused(bridge: Bridge, address: str, words: Words) -> None:
    first, second = words("first body"), words("second body")
    told = bridge.send(address, first)
    again = bridge.send(address, second, envelope_id=told["envelope"]["Id"])
    assert error_of(again) == (409, "IdReused")
    assert not bridge.is_stored(second)


def test_request_id_answered_true_before_gives_the_same_message_id(bridge: Bridge, address: str, words: Words) -> None:
    text = words("same request")
    told = bridge.send(address, text)
    content = told["envelope"]["Body"]
    again = bridge.send(address, text, **content)
    assert again["message_id"] == told["message_id"]
    assert received_of(again)["Body"]["Data"] == "true"
    assert received_of(again)["Body"]["Reference"] == content["RequestId"]
    bridge.flush_inbound(address)
    assert len(bridge.injected(text)) == 1


def test_delivery_system_id_stored_before_mirrors_the_new_request_id(
    bridge: Bridge, address: str, words: Words
) -> None:
    text, request_id = words("same delivery"), str(uuid.uuid4())
    told = bridge.send(address, text)
    content = told["envelope"]["Body"]
    again = bridge.send(address, text, **{**content, "RequestId": request_id})
    assert again["message_id"] == told["message_id"]
    assert received_of(again)["Body"]["Data"] == "true"
    assert received_of(again)["Body"]["Reference"] == request_id
    bridge.flush_inbound(address)
    assert len(bridge.injected(text)) == 1


def test_same_request_while_the_first_is_in_progress_is_one_row(bridge: Bridge, address: str, words: Words) -> None:
    text = words("all at once")
    told = bridge.send(address, text, repeat=5, parallel=True)
    bodies = [received_of(one)["Body"] for one in told["answers"]]
    assert {body["Id"] for body in bodies} == {told["message_id"]}
    assert {body["Data"] for body in bodies} == {"true"}
    bridge.flush_inbound(address)
    assert len(bridge.injected(text)) == 1


def test_two_addresses_have_two_sessions(bridge: Bridge, address: str) -> None:
    other = address[:-1] + str((int(address[-1]) + 1) % 10)
    assert bridge.open_conversation(address) != bridge.open_conversation(other)


# ---------------------------------------------------------------------------------------------------------------
# VC 7: session pending, activation, tokens, uncertain outcome


def test_messages_for_a_pending_session_wait_and_go_in_order_when_active(
    bridge: Bridge, address: str, words: Words
) -> None:
    bridge.vcs.post("activation", mode="never")
    before = {one["uid"] for one in bridge.vcs.get("state")["sessions"]}
    texts = [words(f"waiting {number}") for number in range(3)]
    for text in texts:
        assert received_of(bridge.send(address, text))["Body"]["Data"] == "true"
    (session,) = until(
        lambda: [one for one in bridge.vcs.get("state")["sessions"] if one["uid"] not in before], 30, "a session (V4)"
    )
    assert session["status"] == "pending"
    assert not any(bridge.injected(text) for text in texts)
    assert bridge.vcs.post("session-status", session_uid=session["uid"], status="active")["status"] == 204
    for text in texts:
        bridge.wait_injected(text)
    order = [one["message"] for one in bridge.vcs.get("state")["messages"] if one["message"] in texts]
    assert order == texts


def test_session_status_before_our_create_call_returns_is_parked_not_lost(
    bridge: Bridge, address: str, words: Words
) -> None:
    bridge.vcs.post("activation", mode="before_answer")
    text = words("overtaken")
    bridge.send(address, text)
    message = bridge.wait_injected(text)
    # The parked status was applied: nobody had to ask for an activation with V6.
    assert bridge.vcs.get("requests", method="PUT", path=f"/sessions/{message['session_uid']}$") == []


def test_inactive_session_is_activated_again_and_no_new_one_created(bridge: Bridge, address: str, words: Words) -> None:
    session_uid = bridge.open_conversation(address)
    assert bridge.vcs.post("session-status", session_uid=session_uid, status="inactive")["status"] == 204
    text = words("wake up")
    bridge.send(address, text)
    assert bridge.wait_injected(text)["session_uid"] == session_uid
    (call,) = bridge.vcs.get("requests", method="PUT", path=f"/sessions/{session_uid}$")
    assert call["body"] == {"status": "active"}


def test_deleted_session_is_followed_by_a_new_one(bridge: Bridge, address: str, words: Words) -> None:
    session_uid = bridge.open_conversation(address)
    for status in ("deleted", "active"):  # `deleted` is final: what comes later changes nothing
        assert bridge.vcs.post("session-status", session_uid=session_uid, status=status)["status"] == 204
    bridge.vcs.post("session-status", session_uid=session_uid, status="deleted")
    text = words("here I am again")
    bridge.send(address, text)
    assert bridge.wait_injected(text)["session_uid"] != session_uid
    contacts = [one for one in bridge.vcs.get("state")["contacts"] if one["normalized_phone"] == address]
    assert len(contacts) == 1


@pytest.mark.parametrize("thing", ["Session", "Channel"])
def test_inject_refused_as_not_active_goes_later_and_does_not_hammer_vcita(
    bridge: Bridge, address: str, words: Words, thing: str
) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("not active after all")
    error = {"success": False, "errors": [{"code": "invalid", "message": f"{thing} is not active"}]}
    bridge.vcs.post("faults", method="POST", path="/messages$", status=422, body=error, times=None)
    calls_before = len(bridge.vcs.get("requests", path="/business/communication/"))
    bridge.send(address, text)
    time.sleep(3)
    calls = bridge.vcs.get("requests", path="/business/communication/")[calls_before:]
    bridge.vcs.drop_faults()
    # The session is asked to become active (VC 10), and never with more than 8 calls in a second.
    activations = [one for one in calls if (one["method"], one["path"].rpartition("/")[2]) == ("PUT", session_uid)]
    assert activations
    assert len(calls) <= 3 * CALLS_PER_SECOND
    bridge.wait_injected(text, ACTIVATION_TIMEOUT_SECONDS + SCHEDULE_MARGIN_SECONDS)


def test_inject_refused_for_good_is_failed_and_dead(bridge: Bridge, address: str, words: Words) -> None:
    bridge.open_conversation(address)
    text = words("not acceptable")
    error = {"success": False, "errors": [{"code": "invalid", "message": "message is not acceptable"}]}
    bridge.vcs.post("faults", method="POST", path="/messages$", status=422, body=error)
    message_id = bridge.send(address, text)["message_id"]
    bridge.flush_inbound(address)
    assert bridge.injected(text) == []
    line = bridge.delivery(message_id, DESK_ACCOUNT)
    assert (line["state"], line["reason"]) == ("failed", "rejected")
    assert "message is not acceptable" in bridge.events(message_id, DESK_ACCOUNT)[-1]["detail"]
    wanted = {"message": message_id, "recipient": DESK_ACCOUNT, "content": "message"}
    (entry,) = until(
        lambda: [one for one in bridge.dead_entries() if one.get("delivery") == wanted], 20, "a dead-letter entry"
    )
    assert (entry["task"], entry["tenant"], entry["reason"]) == ("dead.v1", "demo", "rejected")


def test_inject_answer_lost_after_effect_is_one_message_and_sent(bridge: Bridge, address: str, words: Words) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("answer lost")
    bridge.vcs.post("faults", method="POST", path="/messages$", drop=True, effect=True)
    bridge.send(address, text)
    bridge.flush_inbound(address)
    (message,) = bridge.injected(text)
    assert message["session_uid"] == session_uid
    calls = [
        one for one in bridge.vcs.get("requests", method="POST", path="/messages$") if one["body"]["message"] == text
    ]
    assert [one["status"] for one in calls] == [None, 422]
    assert {one["body"]["message_uid"] for one in calls} == {message["message_uid"]}
    assert calls[0]["body"] == calls[1]["body"]


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 500, "body": "<html>"}, {"drop": True}])
def test_inject_transient_failure_is_repeated_with_the_same_body(
    bridge: Bridge, address: str, words: Words, fault: dict[str, Any]
) -> None:
    bridge.open_conversation(address)
    text = words("try again")
    bridge.vcs.post("faults", method="POST", path="/messages$", times=2, **fault)
    bridge.send(address, text)
    bridge.wait_injected(text)
    calls = [
        one for one in bridge.vcs.get("requests", method="POST", path="/messages$") if one["body"]["message"] == text
    ]
    assert calls[-1]["status"] == 201
    assert len(calls) == 3
    assert all(one["body"] == calls[0]["body"] for one in calls)


def test_token_expired_is_renewed_once_and_the_message_goes(bridge: Bridge, address: str, words: Words) -> None:
    bridge.open_conversation(address)
    issued = len(bridge.vcs.get("requests", path="^/oauth/.*token$"))
    assert bridge.vcs.post("tokens/expire")["expired"] >= 1
    text = words("new token")
    bridge.send(address, text)
    bridge.wait_injected(text)
    assert len(bridge.vcs.get("requests", path="^/oauth/.*token$")) == issued + 1


# ---------------------------------------------------------------------------------------------------------------
# FS 6 and VC 8.3: outbound


def test_sending_push_is_signed_and_ack_by_webhook_reports_sent(bridge: Bridge, address: str, words: Words) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("See you at 3pm \U0001f642 a < b && <3")
    message_uid = bridge.staff(session_uid, text)
    assert bridge.wait_status(message_uid, "sent") == ["sent"]
    (push,) = bridge.pushes(text)
    assert push["signature"] == "ok"
    sending = push["envelope"]
    assert GUID.fullmatch(sending["Id"])
    content = sending["Body"]
    assert GUID.fullmatch(content["MessageId"])
    assert content["RemoteAddress"] == address
    assert content["Direction"] == "O"
    assert 1 <= len(content["DeliverySystemId"]) <= 80
    assert content["ReceivedSentTime"].endswith("Z")
    gateways = bridge.connector.post("gateways")["answer"]["Replies"][0]["Body"]
    assert content["GatewayId"] in [one["Id"] for one in gateways if one["Direction"] == "O"]
    assert [ack["outcome"] for ack in push["acks"]] == ["Accepted"]
    line = bridge.delivery(content["MessageId"])
    assert (line["state"], line["reason"], line["next_at"]) == ("sent", None, None)
    (acknowledged,) = [one for one in bridge.events(content["MessageId"]) if one["event"] == "acknowledged"]
    assert (acknowledged["late"], acknowledged["after_failure"]) == (False, False)


def test_sending_ack_in_the_push_reply_reports_sent(bridge: Bridge, address: str, words: Words) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("acknowledged in the answer")
    bridge.mode(text, ack="reply", reference="carrier-7")
    message_uid = bridge.staff(session_uid, text)
    assert bridge.wait_status(message_uid, "sent") == ["sent"]
    bridge.flush_outbound(session_uid)
    (push,) = bridge.pushes(text)
    line = bridge.delivery(push["message_id"])
    assert (line["state"], line["reference"]) == ("sent", "carrier-7")
    # The reference has replaced the proposed id: another word is a duplicate and changes neither (FS 6, row "Sent").
    again = bridge.connector.post("ack", message_id=push["message_id"], reference="carrier-8")
    assert result_of(again)["Outcome"] == "Duplicate"
    assert bridge.delivery(push["message_id"])["reference"] == "carrier-7"


def test_staff_messages_are_pushed_in_the_order_of_arrival(bridge: Bridge, address: str, words: Words) -> None:
    session_uid = bridge.open_conversation(address)
    texts = [words(f"answer {number}") for number in range(5)]
    uids = [bridge.staff(session_uid, text) for text in texts]
    for message_uid in uids:
        bridge.wait_status(message_uid, "sent")
    pushed = sorted((push for text in texts for push in bridge.pushes(text)), key=lambda push: push["number"])
    assert [push["envelope"]["Body"]["BodyText"] for push in pushed] == texts


@pytest.mark.parametrize("parallel", [False, True])
def test_staff_message_repeated_by_vcs_is_pushed_once(
    bridge: Bridge, address: str, words: Words, parallel: bool
) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("said once")
    message_uid = bridge.staff(session_uid, text, duplicate=4, parallel=parallel)
    bridge.wait_status(message_uid, "sent")
    bridge.staff(session_uid, text, message_uid=message_uid)
    bridge.flush_outbound(session_uid)
    assert len(bridge.pushes(text)) == 1
    assert bridge.statuses(message_uid) == ["sent"]


def test_sending_without_ack_is_repeated_three_times_then_failed_error_and_dead(
    bridge: Bridge, address: str, words: Words
) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("nobody answers")
    bridge.mode(text, ack="none")
    message_uid = bridge.staff(session_uid, text)
    assert bridge.wait_status(message_uid, "error", ALL_ATTEMPTS_SECONDS + SCHEDULE_MARGIN_SECONDS) == ["error"]
    bridge.flush_outbound(session_uid)
    pushes = bridge.pushes(text)
    assert [push["attempt"] for push in pushes] == [1, 2, 3]
    message_id = pushes[0]["message_id"]
    bridge.assert_failed(message_id, "no_acknowledgement")
    story = [(one["event"], one["attempt"]) for one in bridge.events(message_id)]
    assert story == [(event, attempt) for attempt in (1, 2, 3) for event in ("handed_over", "no_acknowledgement")]
    ends = [one["given_up"] for one in bridge.events(message_id) if one["event"] == "no_acknowledgement"]
    assert ends == [False, False, True]
    contents = [dict(push["envelope"]["Body"]) for push in pushes]
    times = [content.pop("ReceivedSentTime") for content in contents]
    assert len(set(times)) == 3
    assert contents[0] == contents[1] == contents[2]
    for earlier, later, delay in zip(pushes[:-1], pushes[1:], RETRY_DELAYS_SECONDS, strict=True):
        # A push arrives a moment after its clock has started, so two arrivals may be a little closer than that.
        assert later["unix_ms"] - earlier["unix_ms"] >= (ACK_TIMEOUT_SECONDS + delay) * 1000 - 500


@pytest.mark.parametrize("ack", ["error:550 mailbox full", "error:", "reply-error:550 mailbox full"])
def test_sending_explicit_error_is_final_with_one_push(bridge: Bridge, address: str, words: Words, ack: str) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("refused by the carrier")
    bridge.mode(text, ack=ack)
    message_uid = bridge.staff(session_uid, text)
    assert bridge.wait_status(message_uid, "error") == ["error"]
    (push,) = bridge.pushes(text)
    again = bridge.connector.post("ack", message_id=push["message_id"])
    assert result_of(again)["Outcome"] == "Duplicate"
    bridge.flush_outbound(session_uid)
    assert len(bridge.pushes(text)) == 1
    assert bridge.statuses(message_uid) == ["error"]
    bridge.assert_failed(push["message_id"], "rejected")
    # The connector's text is stored with the message's events (FS 6, row "Data text").
    (rejected,) = [one for one in bridge.events(push["message_id"]) if one["event"] == "rejected"]
    assert rejected["detail"] == ack.partition(":")[2]


def test_retry_wait_late_ack_settles_as_sent(bridge: Bridge, address: str, words: Words) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("a little late")
    # Half a second after the time-out, before the repetition is due; later attempts get no answer at all.
    bridge.mode(text, ack="webhook", ack_delay_ms=ACK_TIMEOUT_SECONDS * 1000 + 500)
    message_uid = bridge.staff(session_uid, text)
    bridge.wait_pushes(text)
    bridge.mode(text, ack="none")
    assert bridge.wait_status(message_uid, "sent") == ["sent"]
    bridge.flush_outbound(session_uid)
    pushes = bridge.pushes(text)
    assert len(pushes) <= 2
    assert len({push["message_id"] for push in pushes}) == 1
    again = bridge.connector.post("ack", message_id=pushes[0]["message_id"])
    assert result_of(again)["Outcome"] == "Duplicate"
    assert bridge.delivery(pushes[0]["message_id"])["state"] == "sent"
    assert bridge.dead_of(pushes[0]["message_id"]) == []


def test_retry_wait_late_error_settles_as_failed_and_cancels_the_repetition(
    bridge: Bridge, address: str, words: Words
) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("late and refused")
    # Two refused pushes make it wait twice as long before attempt 3: time enough for a word in between.
    bridge.mode(text, http_status=400)
    message_uid = bridge.staff(session_uid, text)
    message_id = bridge.wait_pushes(text, 2)[0]["message_id"]
    bridge.wait_delivery(message_id, "retry_wait")
    told = bridge.connector.post("ack", message_id=message_id, error="550 mailbox full")
    assert result_of(told)["Outcome"] == "Accepted"
    assert bridge.wait_status(message_uid, "error") == ["error"]
    bridge.flush_outbound(session_uid)
    assert len(bridge.pushes(text)) == 2
    bridge.assert_failed(message_id, "rejected")


def test_failed_by_timeout_late_ack_settles_as_sent(bridge: Bridge, address: str, words: Words) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("much too late")
    bridge.mode(text, ack="none")
    message_uid = bridge.staff(session_uid, text)
    bridge.wait_status(message_uid, "error", ALL_ATTEMPTS_SECONDS + SCHEDULE_MARGIN_SECONDS)
    message_id = bridge.pushes(text)[0]["message_id"]
    late = bridge.connector.post("ack", message_id=message_id)
    assert result_of(late)["Outcome"] == "Accepted"
    # The message is Sent now: another word, even an error, changes nothing (FS 6, row "Sent").
    after = bridge.connector.post("ack", message_id=message_id, error="550 mailbox full")
    assert result_of(after)["Outcome"] == "Duplicate"
    bridge.flush_outbound(session_uid)
    assert len(bridge.pushes(text)) == 3
    # `sent` ranks below `error` and is not reported after it (VC 7).
    assert bridge.statuses(message_uid) == ["error"]
    assert bridge.delivery(message_id)["state"] == "sent"
    settled, differing = bridge.events(message_id)[-2:]
    assert (settled["event"], settled["after_failure"]) == ("acknowledged", True)
    assert (differing["event"], differing["detail"]) == ("contradicted", "550 mailbox full")


def test_failed_by_timeout_error_text_leaves_it_failed(bridge: Bridge, address: str, words: Words) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("too late and refused")
    bridge.mode(text, ack="none")
    message_uid = bridge.staff(session_uid, text)
    bridge.wait_status(message_uid, "error", ALL_ATTEMPTS_SECONDS + SCHEDULE_MARGIN_SECONDS)
    message_id = bridge.pushes(text)[0]["message_id"]
    told = bridge.connector.post("ack", message_id=message_id, error="550 mailbox full")
    assert told["http_status"] == 200
    bridge.flush_outbound(session_uid)
    assert bridge.statuses(message_uid) == ["error"]
    assert bridge.delivery(message_id)["state"] == "failed"
    # The text is added to the events.
    last = bridge.events(message_id)[-1]
    assert (last["event"], last["after_failure"], last["detail"]) == ("rejected", True, "550 mailbox full")


def test_sending_acks_out_of_order_settle_their_own_messages(bridge: Bridge, address: str, words: Words) -> None:
    """Two recipients, so that order within a conversation does not hold one of them back."""
    other = address[:-1] + str((int(address[-1]) + 1) % 10)
    sessions = [bridge.open_conversation(address), bridge.open_conversation(other)]
    text = words("reversed")
    bridge.mode(text, hold=2)
    uids = [bridge.staff(session_uid, text) for session_uid in sessions]
    for message_uid in uids:
        assert bridge.wait_status(message_uid, "sent") == ["sent"]
    assert len({push["message_id"] for push in bridge.pushes(text)}) == 2


def test_push_refused_4xx_goes_to_the_next_attempt(bridge: Bridge, address: str, words: Words) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("refused with 400")
    bridge.mode(text, http_status=400, times=1)
    message_uid = bridge.staff(session_uid, text)
    assert bridge.wait_status(message_uid, "sent") == ["sent"]
    first, second = bridge.pushes(text)
    assert (first["attempt"], second["attempt"]) == (1, 2)
    assert first["message_id"] == second["message_id"]
    assert second["unix_ms"] - first["unix_ms"] >= RETRY_DELAYS_SECONDS[0] * 1000 - 500


def test_push_refused_4xx_in_every_attempt_is_failed(bridge: Bridge, address: str, words: Words) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("always refused")
    bridge.mode(text, http_status=422)
    message_uid = bridge.staff(session_uid, text)
    assert bridge.wait_status(message_uid, "error") == ["error"]
    bridge.flush_outbound(session_uid)
    pushes = bridge.pushes(text)
    assert [push["attempt"] for push in pushes] == [1, 2, 3]
    bridge.assert_failed(pushes[0]["message_id"], "refused")
    refusals = [one for one in bridge.events(pushes[0]["message_id"]) if one["event"] == "refused"]
    assert [one["status"] for one in refusals] == [422, 422, 422]


@pytest.mark.parametrize("failure", [{"http_status": 503}, {"http_status": 429}, {"drop": True}])
def test_push_5xx_or_no_answer_is_a_transport_repeat_of_the_same_attempt(
    bridge: Bridge, address: str, words: Words, failure: dict[str, Any]
) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("transport trouble")
    bridge.mode(text, times=1, **failure)
    message_uid = bridge.staff(session_uid, text)
    assert bridge.wait_status(message_uid, "sent") == ["sent"]
    first, second = bridge.pushes(text)
    assert (second["seen"], second["attempt"]) == (2, 1)
    assert first["envelope"] == second["envelope"]


def test_stuck_conversation_delays_no_other(bridge: Bridge, address: str, words: Words) -> None:
    other = address[:-1] + str((int(address[-1]) + 1) % 10)
    stuck, free = bridge.open_conversation(address), bridge.open_conversation(other)
    text = words("stuck")
    bridge.mode(text, ack="none")
    stuck_uid = bridge.staff(stuck, text)
    bridge.wait_pushes(text)
    bridge.flush_outbound(free)
    assert bridge.statuses(stuck_uid) == []
    # Let the schedule of this one end before the next test.
    bridge.connector.post("ack", message_id=bridge.pushes(text)[0]["message_id"])
    bridge.wait_status(stuck_uid, "sent")


# ---------------------------------------------------------------------------------------------------------------
# VC 5 and 7: the state of the channel


@pytest.fixture
def channel(bridge: Bridge) -> Iterator[Callable[[str], None]]:
    """Sets the status of the demo channel (A1); it is active again after the test."""

    def tell(status: str) -> None:
        assert bridge.vcs.post("channel-status", status=status)["status"] == 204

    yield tell
    tell("active")


def test_staff_message_on_a_blocked_channel_is_204_then_error_and_not_pushed(
    bridge: Bridge, address: str, words: Words, channel: Callable[[str], None]
) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("blocked")
    channel("blocked")
    message_uid = bridge.staff(session_uid, text)
    assert bridge.wait_status(message_uid, "error") == ["error"]
    channel("active")
    bridge.flush_outbound(session_uid)
    assert bridge.pushes(text) == []


@pytest.mark.parametrize("status", ["inactive", "pending"])
def test_staff_message_on_a_channel_we_hold_as_not_active_is_delivered(
    bridge: Bridge, address: str, words: Words, channel: Callable[[str], None], status: str
) -> None:
    session_uid = bridge.open_conversation(address)
    text = words(f"channel is {status}")
    channel(status)
    assert bridge.wait_status(bridge.staff(session_uid, text), "sent") == ["sent"]
    assert len(bridge.pushes(text)) == 1


def test_message_for_an_inactive_channel_waits_and_goes_when_it_is_active(
    bridge: Bridge, address: str, words: Words, channel: Callable[[str], None]
) -> None:
    bridge.open_conversation(address)
    texts = [words(f"channel asleep {number}") for number in range(2)]
    channel("inactive")
    first, second = (bridge.send(address, text)["message_id"] for text in texts)
    until(lambda: bridge.delivery(first, DESK_ACCOUNT)["state"] == "parked", 20, "the first message parked")
    # The operator sees what the second one waits for.
    line = bridge.delivery(second, DESK_ACCOUNT)
    assert (line["state"], line["waits_for"]) == ("queued", f"{first}@{DESK_ACCOUNT}")
    # It waits for a webhook or the activation timeout, not for a queue that brings it back at once.
    time.sleep(2)
    assert len(bridge.events(first, DESK_ACCOUNT)) <= 4
    assert not any(bridge.injected(text) for text in texts)
    channel("active")
    for text in texts:
        bridge.wait_injected(text)
    order = [one["message"] for one in bridge.vcs.get("state")["messages"] if one["message"] in texts]
    assert order == texts


# ---------------------------------------------------------------------------------------------------------------
# FS 6: acknowledgements that are wrong


def test_message_sent_with_wrong_ids_changes_nothing(bridge: Bridge, address: str, words: Words) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("waiting for the right word")
    bridge.mode(text, ack="none")
    message_uid = bridge.staff(session_uid, text)
    message_id = bridge.wait_pushes(text)[0]["message_id"]
    unknown = bridge.connector.post("ack", message_id=UNKNOWN_GUID)
    assert error_of(unknown) == (404, "UnknownMessageId")
    foreign = bridge.connector.post("ack", message_id=message_id, gateway_id=UNKNOWN_GUID)
    assert error_of(foreign) == (403, "GatewayMismatch")
    long = bridge.connector.post("ack", message_id=message_id, reference="r" * 81)
    assert error_of(long) == (422, "ValidationFailed")
    assert long["answer"]["Error"]["Field"].endswith("Reference")
    assert bridge.statuses(message_uid) == []
    assert result_of(bridge.connector.post("ack", message_id=message_id, reference="r" * 80))["Outcome"] == "Accepted"
    assert bridge.wait_status(message_uid, "sent") == ["sent"]


def test_message_sent_twice_is_duplicate_and_reported_once(bridge: Bridge, address: str, words: Words) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("acknowledged twice")
    bridge.mode(text, ack_twice=True)
    message_uid = bridge.staff(session_uid, text)
    bridge.wait_status(message_uid, "sent")
    (push,) = until(
        lambda: [one for one in bridge.pushes(text) if len(one["acks"]) == 2], 20, "the second acknowledgement"
    )
    assert [ack["outcome"] for ack in push["acks"]] == ["Accepted", "Duplicate"]
    bridge.flush_outbound(session_uid)
    assert bridge.statuses(message_uid) == ["sent"]


# ---------------------------------------------------------------------------------------------------------------
# replays


def test_replayed_webhooks_change_nothing(bridge: Bridge, address: str, words: Words) -> None:
    session_uid = bridge.open_conversation(address)
    inbound, outbound = words("from the visitor"), words("from the staff")
    told = bridge.send(address, inbound)
    injected = bridge.wait_injected(inbound)
    message_uid = bridge.staff(session_uid, outbound)
    bridge.wait_status(message_uid, "sent")
    (push,) = bridge.pushes(outbound)
    for _ in range(2):
        assert bridge.vcs.post("session-status", session_uid=session_uid, status="active")["status"] == 204
        assert (
            bridge.vcs.post("message-status", message_uid=injected["message_uid"], status="received")["status"] == 204
        )
        bridge.staff(session_uid, outbound, message_uid=message_uid)
        assert result_of(bridge.connector.post("ack", message_id=push["message_id"]))["Outcome"] == "Duplicate"
        again = bridge.send(address, inbound, **told["envelope"]["Body"])
        assert again["message_id"] == told["message_id"]
    bridge.flush_inbound(address)
    bridge.flush_outbound(session_uid)
    assert len(bridge.injected(inbound)) == 1
    assert len(bridge.pushes(outbound)) == 1
    assert bridge.statuses(message_uid) == ["sent"]


def test_stale_and_unknown_statuses_are_204(bridge: Bridge, address: str, words: Words) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("read before received")
    message_id = bridge.send(address, text)["message_id"]
    message_uid = bridge.wait_injected(text)["message_uid"]
    for status in ("read", "received", "active", "a new one"):
        assert bridge.vcs.post("message-status", message_uid=message_uid, status=status)["status"] == 204
    assert bridge.vcs.post("session-status", session_uid=session_uid, status="dreaming")["status"] == 204
    # Put the simulator's own view right again; for us nothing has changed in between.
    assert bridge.vcs.post("session-status", session_uid=session_uid, status="active")["status"] == 204
    bridge.flush_inbound(address)
    assert bridge.delivery(message_id, DESK_ACCOUNT)["receipt"] == "read"


# ---------------------------------------------------------------------------------------------------------------
# FS 10.5, VC 11: who is calling


def test_signature_failures_are_401_with_one_body_and_nothing_stored(
    bridge: Bridge, address: str, words: Words
) -> None:
    bridge.send(address, words("a nonce to be used again"))
    bodies = []
    for spoil in ("unsigned", "wrong_signature", "unknown_key", "old_time", "same_nonce"):
        if spoil == "same_nonce":
            bridge.send(address, words("fresh nonce"))
        text = words(spoil)
        told = bridge.send(address, text, **{spoil: True})
        assert error_of(told) == (401, "Unauthorized"), spoil
        told["answer"]["Error"].pop("RequestId", None)
        bodies.append(told["answer"])
        assert not bridge.is_stored(text), spoil
    assert all(body == bodies[0] for body in bodies)


def test_vcita_wrong_secret_is_404_with_an_empty_body_on_every_route(bridge: Bridge, words: Words) -> None:
    base, _, secret = bridge.vcita_base.rpartition("/")
    text = words("not vcita")
    message = {
        "external_uid": "x",
        "message": text,
        "message_uid": "m",
        "channel_uid": UNKNOWN_CHANNEL,
        "status": "pending",
    }
    wrong = ("x" + secret[1:] if secret[0] != "x" else "y" + secret[1:], secret[:-1], secret + "0")
    for other in wrong:
        for method, path, body in (
            ("POST", "/messages", message),
            ("PUT", "/messages/m", {"status": "read", "channel_uid": UNKNOWN_CHANNEL}),
            ("PUT", "/channels/c", {"status": "active"}),
            ("PUT", "/sessions/s", {"status": "active"}),
        ):
            answer = requests.request(method, f"{base}/{other}{path}", json=body, timeout=60)
            assert (answer.status_code, answer.content) == (404, b""), (method, path)
    assert not bridge.is_stored(text)


# ---------------------------------------------------------------------------------------------------------------
# FS 7, 10.6: bad input of a connector


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{", 400, "MalformedBody"),
        ("", 400, "MalformedBody"),
        ("5", 400, "MalformedBody"),
        ([], 400, "MalformedBody"),
        ([{"Msg": "ES_SL_GETGATEWAYS", "Id": UNKNOWN_GUID, "Body": None}] * 26, 400, "MalformedBody"),
        ({"Id": UNKNOWN_GUID, "Body": None}, 400, "MalformedBody"),
        ({"Msg": "ES_SL_GETGATEWAYS", "Id": "not-a-guid", "Body": None}, 400, "MalformedBody"),
        ('{"Msg":"ES_SL_GETGATEWAYS","MSG":"ES_SL_GETGATEWAYS","Id":"' + UNKNOWN_GUID + '"}', 400, "MalformedBody"),
        (
            '{"Msg":"ES_SL_GETGATEWAYS","Id":"' + UNKNOWN_GUID + '","Body":' + "[" * 40 + "]" * 40 + "}",
            400,
            "MalformedBody",
        ),
        ({"Msg": "ES_NO_SUCH_THING", "Id": UNKNOWN_GUID, "Body": None}, 400, "UnknownMessage"),
        ({"Msg": "SE_MESSAGE_RECEIVED", "Id": UNKNOWN_GUID, "Body": {}}, 403, "WrongDirection"),
        ({"Msg": "CS_CHAT_TYPING", "Id": UNKNOWN_GUID, "Body": {}}, 403, "WrongDirection"),
    ],
)
def test_envelope_bad_gets_the_error_of_the_contract(bridge: Bridge, body: Any, status: int, code: str) -> None:
    told = bridge.connector.post("raw", body=body)
    assert error_of(told) == (status, code)
    assert told["answer"]["Error"]["Retryable"] is False


def future(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"omit": ["DeliverySystemId"]}, "DeliverySystemId"),
        ({"DeliverySystemId": ""}, "DeliverySystemId"),
        ({"DeliverySystemId": "d" * 81}, "DeliverySystemId"),
        ({"omit": ["RemoteAddress"]}, "RemoteAddress"),
        ({"RemoteAddress": "r" * 251}, "RemoteAddress"),
        ({"omit": ["ReceivedSentTime"]}, "ReceivedSentTime"),
        ({"ReceivedSentTime": future(1.1)}, "ReceivedSentTime"),
        ({"omit": ["GatewayId"]}, "GatewayId"),
        ({"GatewayId": UNKNOWN_GUID}, "GatewayId"),
        ({"InReplyToId": "i" * 81}, "InReplyToId"),
        ({"RequestId": "q" * 65}, "RequestId"),
        ({"Direction": "O"}, "Direction"),
        ({"SpamLevel": 4}, "SpamLevel"),
        ({"Rating": 40000}, "Rating"),
        ({"SignatureValidity": -2}, "SignatureValidity"),
        ({"BodyText": "b" * 1_000_001}, "BodyText"),
    ],
)
def test_message_receiving_invalid_is_data_false_with_the_reason_and_not_stored(
    bridge: Bridge, address: str, words: Words, change: dict[str, Any], field: str
) -> None:
    marker = words("refused")
    told = bridge.send(address, marker, **{"SubjectField": marker, **change})
    assert told["http_status"] == 200
    assert result_of(told)["Outcome"] == "Accepted"
    reply = received_of(told)
    assert reply["Body"]["Data"] == "false"
    assert reply["Body"]["Id"] is None
    assert any((warning["Field"] or "").endswith(field) for warning in reply["Warnings"])
    assert not bridge.is_stored(marker)


def test_message_receiving_of_a_wrong_json_type_is_refused_and_not_stored(
    bridge: Bridge, address: str, words: Words
) -> None:
    for change in ({"BodyText": 5}, {"RemoteAddress": ["x"]}, {"SpamLevel": "high"}, {"ReceivedSentTime": "soon"}):
        marker = words("wrong type")
        told = bridge.send(address, marker, **{"SubjectField": marker, **change})
        if told["http_status"] == 200:
            assert received_of(told)["Body"]["Data"] == "false", change
        else:
            assert told["http_status"] in (400, 422), change
        assert not bridge.is_stored(marker), change


def test_message_receiving_corrected_after_a_refusal_works(bridge: Bridge, address: str, words: Words) -> None:
    text, request_id = words("second try"), str(uuid.uuid4())
    refused = bridge.send(address, text, RequestId=request_id, omit=["ReceivedSentTime"])
    assert received_of(refused)["Body"]["Data"] == "false"
    told = bridge.send(address, text, RequestId=request_id)
    assert received_of(told)["Body"]["Data"] == "true"
    bridge.wait_injected(text)


def test_message_receiving_overlong_display_fields_are_cut_with_a_warning(
    bridge: Bridge, address: str, words: Words
) -> None:
    text = words("long names")
    told = bridge.send(address, text, FromField="f" * 161, SubjectField="s" * 321, ToField="t" * 321)
    reply = received_of(told)
    assert reply["Body"]["Data"] == "true"
    fields = {str(warning["Field"]).rpartition(".")[2] for warning in reply["Warnings"]}
    assert fields == {"FromField", "SubjectField", "ToField"}
    bridge.wait_injected(text)


def test_array_of_envelopes_is_200_and_each_item_tells_its_own(bridge: Bridge) -> None:
    told = bridge.connector.post(
        "raw",
        body=[
            envelope("ES_SL_GETGATEWAYS", None),
            envelope("ES_MESSAGE_SENT", {"Id": UNKNOWN_GUID, "RefId": None, "Data": None}),
            envelope("ES_SL_GETGATEWAYS", None),
        ],
    )
    assert told["http_status"] == 200
    outcomes = [one["Outcome"] for one in told["answer"]["Results"]]
    assert outcomes == ["Accepted", "Rejected", "Accepted"]
    assert len(told["answer"]["Replies"]) == 2


@pytest.mark.parametrize("item", ["5", "null", "[" * 40 + "]" * 40])
def test_array_with_something_that_is_no_envelope_rejects_only_that(bridge: Bridge, item: str) -> None:
    good = json.dumps(envelope("ES_SL_GETGATEWAYS", None))
    told = bridge.connector.post("raw", body=f"[{item},{good}]")
    assert told["http_status"] == 200
    wrong, right = told["answer"]["Results"]
    assert (wrong["Outcome"], wrong["Error"]["Code"]) == ("Rejected", "MalformedBody")
    assert right["Outcome"] == "Accepted"


def test_frontstage_body_over_4_mb_is_413(bridge: Bridge) -> None:
    told = bridge.connector.post("raw", body="[" + " " * (4 * 1024 * 1024) + "]")
    assert error_of(told) == (413, "TooLarge")


def test_frontstage_wrong_method_is_405(bridge: Bridge) -> None:
    told = bridge.connector.post("raw", method="PUT", body={})
    assert error_of(told) == (405, "MethodNotAllowed")
    assert told["headers"]["Allow"] == "POST"


# ---------------------------------------------------------------------------------------------------------------
# VC 5, answer table: bad input of VCS


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/messages", "{"),
        ("POST", "/messages", ""),
        ("POST", "/messages", []),
        ("POST", "/messages", {"message": "x", "message_uid": "m", "channel_uid": "c"}),
        ("POST", "/messages", {"external_uid": "e", "message": 5, "message_uid": "m", "channel_uid": "c"}),
        ("POST", "/messages", '{"external_uid":"e","message":"\\ud83d","message_uid":"m","channel_uid":"c"}'),
        ("PUT", "/messages/m", {"status": "read"}),
        ("PUT", "/messages/m", {"status": 1, "channel_uid": "c"}),
        ("PUT", "/messages/%FF", {"status": "read", "channel_uid": "c"}),
        ("PUT", "/channels/c", {}),
        ("PUT", "/channels/c", "not json"),
        ("PUT", "/sessions/s", {"status": None}),
    ],
)
def test_vcita_unreadable_body_is_400_with_the_error_envelope(
    bridge: Bridge, method: str, path: str, body: Any
) -> None:
    told = bridge.vcs.post("webhook", method=method, path=path, body=body)
    assert told["status"] == 400
    answer = json.loads(told["body"])
    assert answer["success"] is False
    assert answer["errors"][0]["code"]
    assert answer["errors"][0]["message"]


def test_vcita_unknown_things_get_the_answer_of_the_table(bridge: Bridge, words: Words) -> None:
    text = words("for nobody")
    told = bridge.vcs.post("staff-message", text=text, external_uid="nobody", channel_uid=UNKNOWN_CHANNEL)
    assert told["status"] == 404
    assert json.loads(told["body"])["success"] is False
    assert not bridge.is_stored(text)
    assert bridge.vcs.post("message-status", message_uid="no-such-message", status="read")["status"] == 404
    assert bridge.vcs.post("session-status", session_uid=str(uuid.uuid4()), status="active")["status"] == 204
    assert bridge.vcs.post("channel-status", channel_uid=str(uuid.uuid4()), status="active")["status"] == 204
    assert bridge.vcs.post("webhook", method="POST", path="/no/such/route", body={})["status"] == 404


def test_vcita_body_over_256_kib_is_413(bridge: Bridge) -> None:
    told = bridge.vcs.post("webhook", method="POST", path="/messages", body="{" + " " * (256 * 1024) + "}")
    assert told["status"] == 413


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/messages", {"POST"}),
        ("POST", "/messages/m", {"PUT"}),
        ("POST", "/channels/c", {"PUT"}),
        ("DELETE", "/sessions/s", {"PUT"}),
    ],
)
def test_vcita_wrong_method_is_405_with_allow(bridge: Bridge, method: str, path: str, allowed: set[str]) -> None:
    told = bridge.vcs.post("webhook", method=method, path=path, body={})
    assert told["status"] == 405
    headers = {name.lower(): value for name, value in told["headers"].items()}
    assert {one.strip() for one in headers["allow"].split(",")} == allowed


# ---------------------------------------------------------------------------------------------------------------
# operator


def test_operator_timeline_follows_an_inbound_message_by_any_id(bridge: Bridge, address: str, words: Words) -> None:
    text = words("where is it")
    told = bridge.send(address, text)
    message_id = told["message_id"]
    message_uid = bridge.wait_injected(text)["message_uid"]
    until(lambda: bridge.delivery(message_id, DESK_ACCOUNT)["state"] == "sent", 20, "the relay recorded as sent")
    story = bridge.timeline(message_id)
    accepted, *deliveries = story["entries"]
    assert (accepted["kind"], accepted["message"], accepted["origin"]) == ("accepted", message_id, CONNECTOR_ACCOUNT)
    assert accepted["origin_id"] == told["envelope"]["Body"]["DeliverySystemId"]
    assert [one["event"] for one in deliveries][-1] == "acknowledged"
    # VCS's answer is the delivery's outcome: its uid of the message is the reference.
    (line,) = story["deliveries"]
    assert (line["delivery"], line["reference"]) == (f"{message_id}@{DESK_ACCOUNT}", message_uid)
    for other in (line["delivery"], message_uid, told["envelope"]["Body"]["DeliverySystemId"]):
        assert bridge.timeline(other) == story, other
    whole = bridge.timeline(story["conversation"])
    assert all(entry in whole["entries"] for entry in story["entries"])
    assert text not in json.dumps(whole)
    assert address not in json.dumps(whole)


def test_operator_timeline_tells_what_was_said_of_a_message_but_no_names(
    bridge: Bridge, address: str, words: Words
) -> None:
    text = words("with details")
    names = {"ToField": "Shop <shop@demo.example>", "ToBccField": "Hidden Ann"}
    told = bridge.send(address, text, Culture="cs-CZ", SpamLevel=3, **names)
    accepted = bridge.timeline(told["message_id"])["entries"][0]
    assert (accepted["details"]["Culture"], accepted["details"]["SpamLevel"]) == ("cs-CZ", "3")
    assert not [name for name in names.values() if name in json.dumps(accepted)]


def test_operator_timeline_follows_a_staff_message_by_any_id(bridge: Bridge, address: str, words: Words) -> None:
    session_uid = bridge.open_conversation(address)
    text = words("and where is this")
    message_uid = bridge.staff(session_uid, text)
    bridge.wait_status(message_uid, "sent")
    content = bridge.pushes(text)[0]["envelope"]["Body"]
    receipt = f"{content['MessageId']}@{DESK_ACCOUNT}:sent"
    states = until(
        lambda: (
            (lines := {one["delivery"]: one["state"] for one in bridge.timeline(message_uid)["deliveries"]}).get(
                receipt
            )
            == "sent"
            and lines
        ),
        20,
        "the receipt recorded as sent",
    )
    assert states == {f"{content['MessageId']}@{CONNECTOR_ACCOUNT}": "sent", receipt: "sent"}
    story = bridge.timeline(message_uid)
    for other in (content["MessageId"], receipt, content["DeliverySystemId"]):
        assert bridge.timeline(other) == story, other


def test_operator_timeline_of_something_unknown_is_an_error(bridge: Bridge) -> None:
    told = bridge.stack.invoke("operator-timeline", {"id": "no-such-thing"})
    assert told["error"]["code"] == "unknown"
