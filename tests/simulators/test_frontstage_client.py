"""What both chat counterparties are made of, without a network: bytes, signature, 20 s rule, order of events.

Expected values are literals of frontstage.md.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest
from yarl import URL

from tests.simulators.common import ControlError
from tests.simulators.frontstage_client import Client, Clock
from tests.simulators.frontstage_connector import Signer
from tests.simulators.frontstage_state import AGENT, CONNECTOR, Anomalies, Arrivals, Thread, canonical_status, is_typing
from tests.simulators.frontstage_wire import Answer, Caller, CallFault, Format, decode, encode

MSGPACK = "application/vnd.msgpack"
EXAMPLE = bytes.fromhex(
    "82a34d7367af45535f434841545f434f4e4649524da4426f647984a450656572a52144656d6f"
    "aa547261636b696e674964a27431a24944a26d31a954696d655374616d70d6ff6955b900"
)
"""frontstage.md section 13, the MessagePack example."""


# -- bodies -----------------------------------------------------------------------------------------------------


def test_messagepack_example_of_section_13() -> None:
    body = {"Peer": "!Demo", "TrackingId": "t1", "ID": "m1", "TimeStamp": "2026-01-01T00:00:00Z"}
    assert len(EXAMPLE) == 74
    assert encode({"Msg": "ES_CHAT_CONFIRM", "Body": body}, Format(body="msgpack")) == EXAMPLE
    assert decode(EXAMPLE, MSGPACK) == {
        "Msg": "ES_CHAT_CONFIRM",
        "Body": {**body, "TimeStamp": "2026-01-01T00:00:00.000Z"},
    }


def test_messagepack_spellings_of_dates_and_guids() -> None:
    guid = "00112233-4455-6677-8899-aabbccddeeff"
    as_text = encode({"Id": guid, "Time": "2026-01-01T00:00:00Z"}, Format(body="msgpack", dates="text"))
    assert as_text == b"\x82\xa2Id\xd9\x24" + guid.encode() + b"\xa4Time\xb42026-01-01T00:00:00Z"
    as_bytes = encode({"ChatId": guid, "ID": guid}, Format(body="msgpack", guids="bytes"))
    # .NET order: the first three groups little-endian. A sentence's ID stays a text.
    assert as_bytes == b"\x82\xa6ChatId\xc4\x10" + bytes.fromhex("33221100554477668899aabbccddeeff") + (
        b"\xa2ID\xd9\x24" + guid.encode()
    )
    assert decode(as_bytes, "application/x-msgpack") == {"ChatId": guid, "ID": guid}
    assert encode({"Time": "yesterday"}, Format(body="msgpack")) == b"\x81\xa4Time\xa9yesterday"


def test_bodies_that_are_not_messagepack_are_told_as_text() -> None:
    for wrong in (EXAMPLE + b"\x00", EXAMPLE[:-1], b"\x81\x01\x02"):
        assert str(decode(wrong, MSGPACK)).startswith("not MessagePack")


def test_wrong_format_is_refused() -> None:
    for wrong in ({"body": "xml"}, {"dates": "never"}, {"bodi": "json"}):
        with pytest.raises(ControlError):
            Format.from_control(wrong)


# -- signature (10.5) -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "moment", "nonce", "expected"),
    [
        (
            "POST",
            "/v1/frontstage/gw-mail/messages",
            b'{"Msg":"ES_SL_GETGATEWAYS","Id":"5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01","Body":"!MailLink"}',
            1767225600,
            "n-0001",
            "v1=a633eac6d3f46c2af71571c9d81d7c0f9ba3cb65c82c5f28d13cda4baa47ed4a",
        ),
        (
            "GET",
            "/v1/frontstage/gw-mail/events?after=41&max=10&wait=0",
            b"",
            1767225605,
            "n-0002",
            "v1=238eff3e987986b96b1cd49ca708aa8493d69c6f9fdd4e700a6eb7127186a907",
        ),
    ],
)
def test_call_headers_are_the_known_answers(
    monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: bytes, moment: int, nonce: str, expected: str
) -> None:
    class Nonce:
        hex = nonce

    monkeypatch.setattr("time.time", lambda: moment + 0.5)
    monkeypatch.setattr(uuid, "uuid4", Nonce)
    headers = Signer("k1", b"contract-demo-secret-001").headers(method, URL("http://x" + path, encoded=True), body, {})
    assert headers == {"X-FS-Key": "k1", "X-FS-Time": str(moment), "X-FS-Nonce": nonce, "X-FS-Signature": expected}


# -- order of events (10.3) -------------------------------------------------------------------------------------


def arrivals() -> tuple[Arrivals, Anomalies]:
    anomalies = Anomalies()
    return Arrivals(CONNECTOR, anomalies), anomalies


def event(seq: int, key: str = "t-1", event_id: str | None = None) -> dict[str, Any]:
    return {"Msg": "SE_CHAT_SENTENCE", "Id": event_id or f"id-{seq}", "Seq": seq, "Body": {"TrackingId": key}}


def test_double_is_dropped_by_seq_and_by_id() -> None:
    noted, anomalies = arrivals()
    assert noted.note(event(1), "poll")
    assert not noted.note(event(1), "push")
    assert not noted.note({"Msg": "SE_CHAT_TYPING", "Id": "ID-1"}, "push")
    assert not noted.note(event(1, event_id="other"), "poll")
    assert [one["kind"] for one in anomalies.entries] == ["double", "double", "conflict"]
    assert [one["double"] for one in noted.events] == [False, True, True, True]


def test_gap_opens_and_closes() -> None:
    noted, anomalies = arrivals()
    for seq in (5, 9, 6):
        noted.note(event(seq), "reply")
    assert noted.missing() == [7, 8]
    noted.note({"Msg": "Skip", "Seq": 7}, "poll")
    noted.note(event(8), "poll")
    assert (noted.missing(), anomalies.counts()) == ([], {"gap": 1})
    assert anomalies.entries[0]["open"] is False


def test_disorder_counts_within_one_chat_and_one_way() -> None:
    noted, anomalies = arrivals()
    noted.note(event(2, "t-1"), "push")
    noted.note(event(1, "t-2"), "push")
    noted.note(event(4, "t-1"), "reply")
    noted.note(event(3, "t-1"), "push")
    assert "disorder" not in anomalies.counts()
    noted.note(event(6, "t-1"), "push")
    noted.note(event(5, "t-1"), "push")
    assert [(one["seq"], one["after"]) for one in anomalies.entries if one["kind"] == "disorder"] == [(5, 6)]


# -- chats ------------------------------------------------------------------------------------------------------


def test_newest_status_wins_by_seq_and_old_names_are_known() -> None:
    thread = Thread("t-1", CONNECTOR, Anomalies())
    thread.on_status({"ChatId": "c", "Status": "Answered", "AgentName": "Jana"}, 7, 0.0)
    thread.on_status({"ChatId": "c", "Status": "queue", "AgentName": None}, 6, 0.0)
    assert (thread.status, thread.agent_name) == ("Answered", "Jana")
    assert [canonical_status(one) for one in ("Queue", "ClosedByAgent", "ICR", 5)] == ["Waiting", "Closed", "ICR", None]


def test_new_chat_id_starts_the_thread_over() -> None:
    thread = Thread("t-1", CONNECTOR, Anomalies())
    one = {"ID": "a", "Text": "old", "Counter": 1, "IsOutbound": True}
    thread.on_status({"ChatId": "c-1", "Status": "Closed", "Sentences": [one]}, 3, 0.0)
    thread.on_status({"ChatId": "c-2", "Status": "Pilot", "Sentences": []}, 4, 0.0)
    assert (thread.chat_id, thread.sentences()) == ("c-2", [])
    assert thread.earlier[0]["transcript"] == [one]


def test_counters_merge_and_conflicts_are_noted() -> None:
    anomalies = Anomalies()
    thread = Thread("t-1", CONNECTOR, anomalies)
    for counter, text in ((3, "c"), (1, "a"), (3, "c"), (3, "other")):
        thread.on_sentence({"ID": text, "Text": text, "Counter": counter, "IsOutbound": True}, 0.0)
    assert [one["Text"] for one in thread.sentences()] == ["a", "c"]
    assert thread.missing_counters() == [2]
    assert anomalies.counts() == {"counter_conflict": 1}


def test_panel_replaces_and_empty_clears() -> None:
    thread = Thread("t-1", CONNECTOR, Anomalies())
    thread.on_sentence({"ID": "p", "Text": "wait 2 min", "Counter": 0, "IsOutbound": True, "Model": 4}, 0.0)
    assert thread.panels["Panel"]["Text"] == "wait 2 min"
    thread.on_sentence({"ID": "q", "Text": "", "Counter": 0, "IsOutbound": True, "Model": 4}, 0.0)
    assert (thread.panels["Panel"], thread.sentences()) == (None, [])


def test_typing_in_every_spelling_expires_and_ends_with_a_sentence() -> None:
    assert [is_typing({"IsTyping": one}) for one in (True, "true", 1, False, "False", 0)] == [True] * 3 + [False] * 3
    assert is_typing({})
    thread = Thread("t-1", AGENT, Anomalies())
    thread.on_typing({}, 100.0)
    assert [thread.as_json(now)["typing"] for now in (109.9, 110.1)] == [True, False]
    thread.on_sentence({"ID": "a", "Text": "x", "Counter": 1, "IsOutbound": False}, 101.0)
    assert thread.as_json(102.0)["typing"] is False


# -- the 20 s rule (5.2) ----------------------------------------------------------------------------------------


class ManualClock(Clock):
    """A clock that stands still."""

    def now(self) -> float:
        return 1000.0 + self.offset


class ScriptedCaller(Caller):
    """Answers with what the test puts into `answers`, else with nothing at all."""

    def __init__(self) -> None:
        super().__init__("http://unused", Signer("k1", b"s"))
        self.answers: list[Answer] = []
        self.sent: list[Any] = []

    def open(self) -> None:
        """Nothing to open."""

    async def send(
        self,
        method: str,
        path: str,
        body: bytes,
        names: Sequence[str],
        *,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
        spoil: Mapping[str, Any] | None = None,
    ) -> list[Answer]:
        self.sent.append(content)
        return [self.answers.pop(0) if self.answers else Answer(None, error="no answer")]


def accepted(envelope_id: str, *replies: dict[str, Any], outcome: str = "Accepted") -> Answer:
    return Answer(200, {"Results": [{"Id": envelope_id, "Outcome": outcome, "Error": None}], "Replies": list(replies)})


def echo(sentence_id: str, text: str, counter: int, seq: int) -> dict[str, Any]:
    body = {"TrackingId": "t-1", "ID": sentence_id, "Text": text, "IsOutbound": False, "Counter": counter, "Model": 0}
    return {"Msg": "SE_CHAT_SENTENCE", "Id": f"id-{seq}", "Seq": seq, "Body": body}


def with_client(work: Callable[[Client, ScriptedCaller, ManualClock], Awaitable[None]]) -> None:
    """Run `work` with a connector that has no network."""

    async def main() -> None:
        caller, clock = ScriptedCaller(), ManualClock()
        client = Client(CONNECTOR, caller, clock, "!DemoLink")
        await work(client, caller, clock)
        await client.close()

    asyncio.run(main())


async def drained(client: Client) -> None:
    """Let the work in the background end."""
    while client.tasks.tasks:
        await asyncio.gather(*client.tasks.tasks)


def test_sentence_fails_at_20_s_and_goes_out_again_with_its_id() -> None:
    async def work(client: Client, caller: ScriptedCaller, clock: ManualClock) -> None:
        sentence = client.compose("t-1", {"Text": "Hi", "ID": "s-1"})
        await client.post([sentence])
        clock.advance(19.9)
        client.tick()
        assert (sentence.state, sentence.attempts) == ("Pending", 1)
        clock.advance(0.2)
        client.tick()
        assert sentence.state == "Failed"
        await drained(client)
        assert (sentence.state, sentence.attempts, sentence.deadline) == ("Pending", 2, 1040.1)
        # Nobody knows whether the first arrived: the very same envelope again.
        assert caller.sent[0] == caller.sent[1]
        clock.advance(20.0)
        client.tick()
        await drained(client)
        clock.advance(20.0)
        client.tick()
        await drained(client)
        assert (sentence.state, sentence.attempts, sentence.settled.is_set()) == ("Failed", 3, True)

    with_client(work)


def test_stored_without_echo_gets_a_fresh_envelope_with_the_same_id() -> None:
    async def work(client: Client, caller: ScriptedCaller, clock: ManualClock) -> None:
        sentence = client.compose("t-1", {"Text": "Hi", "ID": "s-1"})
        caller.answers = [Answer(202, {"Results": [], "Replies": []})]
        await client.post([sentence])
        clock.advance(20.0)
        client.tick()
        caller.answers = [Answer(200, {"Replies": [echo("s-1", "Hi", 1, 4)]})]
        await drained(client)
        first, second = caller.sent
        assert first["Id"] != second["Id"]
        assert (first["Body"]["ID"], second["Body"]["ID"]) == ("s-1", "s-1")
        assert (sentence.state, sentence.counter) == ("Accepted", 1)

    with_client(work)


def test_late_echo_cancels_the_retry() -> None:
    async def work(client: Client, caller: ScriptedCaller, clock: ManualClock) -> None:
        sentence = client.compose("t-1", {"Text": "Hi", "ID": "s-1"})
        await client.post([sentence])
        clock.advance(20.0)
        client.tick()
        assert sentence.state == "Failed"
        client.receive(echo("s-1", "Hi", 1, 1), "poll")
        await drained(client)
        assert (sentence.state, len(caller.sent)) == ("Accepted", 1)

    with_client(work)


def test_retry_by_hand_is_left_to_the_person() -> None:
    async def work(client: Client, caller: ScriptedCaller, clock: ManualClock) -> None:
        client.behaviour.change({"retry": "manual"})
        sentence = client.compose("t-1", {"Text": "Hi"})
        await client.post([sentence])
        clock.advance(25.0)
        client.tick()
        await drained(client)
        assert (sentence.state, len(caller.sent)) == ("Failed", 1)
        assert client.compose("t-1", {"Text": "Hi", "ID": sentence.sentence_id}) is sentence

    with_client(work)


def test_refused_sentence_is_not_repeated_but_401_and_503_are() -> None:
    async def work(client: Client, caller: ScriptedCaller, clock: ManualClock) -> None:
        states = []
        for status, code in ((409, "ChatClosed"), (401, "Unauthorized"), (503, "Unavailable")):
            sentence = client.compose("t-1", {"Text": code})
            caller.answers = [Answer(status, {"Error": {"Code": code, "Retryable": False}})]
            await client.post([sentence])
            states.append((sentence.state, sentence.error["Code"]))
        assert states == [("Refused", "ChatClosed"), ("Pending", "Unauthorized"), ("Pending", "Unavailable")]

    with_client(work)


def test_confirm_may_overtake_the_echo() -> None:
    async def work(client: Client, caller: ScriptedCaller, clock: ManualClock) -> None:
        sentence = client.compose("t-1", {"Text": "Hi", "ID": "s-1"})
        await client.post([sentence])
        body = {"TrackingId": "t-1", "ID": "s-1", "TimeStamp": "2026-01-01T00:00:09Z"}
        client.receive({"Msg": "SE_CHAT_CONFIRM", "Seq": 2, "Body": body}, "push")
        assert sentence.state == "Pending"
        client.receive(echo("s-1", "Hi", 1, 1), "reply")
        assert sentence.state == "Confirmed"
        assert client.threads["t-1"].sentences()[0]["ConfirmedTime"] == "2026-01-01T00:00:09Z"

    with_client(work)


def test_same_id_with_other_text_is_another_sentence() -> None:
    async def work(client: Client, caller: ScriptedCaller, clock: ManualClock) -> None:
        first = client.compose("t-1", {"Text": "one", "ID": "s-1"})
        second = client.compose("t-1", {"Text": "two", "ID": "s-1"})
        caller.answers = [accepted("x", echo("s-1", "two", 2, 2), echo("s-1", "one", 1, 1))]
        await client.post([first, second])
        assert [(one.state, one.counter) for one in (first, second)] == [("Accepted", 1), ("Accepted", 2)]

    with_client(work)


# -- other deadlines, recovery ----------------------------------------------------------------------------------


def test_start_is_repeated_with_the_same_tracking_id_and_answered_late() -> None:
    async def work(client: Client, caller: ScriptedCaller, clock: ManualClock) -> None:
        command = client.command("CHAT_START", "t-1", client.address("t-1"), 20.0)
        await client.post([command])
        clock.advance(20.0)
        client.tick()
        await drained(client)
        assert [one["Body"]["TrackingId"] for one in caller.sent] == ["t-1", "t-1"]
        body = {"TrackingId": "t-1", "ChatId": "c", "Status": "Pilot", "Sentences": None}
        client.receive({"Msg": "SE_CHAT_STATUS", "Seq": 1, "Body": body}, "poll")
        assert command.state == "waiting"
        client.receive({"Msg": "SE_CHAT_STATUS", "Seq": 2, "Body": {**body, "Sentences": []}}, "poll")
        assert (command.state, client.threads["t-1"].chat_id) == ("answered", "c")

    with_client(work)


def test_recovery_closes_what_is_not_listed_and_sends_failed_ones_again() -> None:
    async def work(client: Client, caller: ScriptedCaller, clock: ManualClock) -> None:
        client.behaviour.change({"retry": "manual"})
        for key, seq in (("t-1", 1), ("t-2", 2)):
            client.receive(
                {"Msg": "SE_CHAT_STATUS", "Seq": seq, "Body": {"TrackingId": key, "Status": "Waiting"}}, "poll"
            )
        sentence = client.compose("t-1", {"Text": "Hi", "ID": "s-1"})
        await client.post([sentence])
        clock.advance(20.0)
        client.tick()
        known = {"ID": "a-1", "Text": "Hello", "Counter": 1, "IsOutbound": True, "ConfirmedTime": None}
        status = {"TrackingId": "t-1", "Status": "Waiting"}
        caller.answers = [
            accepted("x", {"Msg": "SE_CHAT_LIST", "Seq": 3, "Body": [status]}),
            accepted("x", {"Msg": "SE_CHAT_STATUS", "Seq": 4, "Body": {**status, "Sentences": [known]}}),
            accepted("x", echo("s-1", "Hi", 2, 5)),
        ]
        told = await client.recover()
        await drained(client)
        assert told == {
            "list": "answered",
            "listed": ["t-1"],
            "over": ["t-2"],
            "statuses": ["answered"],
            "sent_again": ["s-1"],
        }
        assert (client.threads["t-2"].status, client.threads["t-2"].closed_because) == ("Closed", "not listed")
        assert (sentence.state, sentence.attempts) == ("Accepted", 2)
        confirms = [one for one in caller.sent if one["Msg"] == "ES_CHAT_CONFIRM"]
        assert {one["Body"]["ID"] for one in confirms} == {"a-1"}

    with_client(work)


def test_expired_cursor_goes_on_from_next() -> None:
    async def work(client: Client, caller: ScriptedCaller, clock: ManualClock) -> None:
        client.cursor = 3
        caller.answers = [
            Answer(410, {"Error": {"Code": "CursorExpired"}, "Next": 90}),
            accepted("x", {"Msg": "SE_CHAT_LIST", "Seq": 91, "Body": []}),
        ]
        await client.poll()
        await drained(client)
        assert client.cursor == 90
        assert caller.sent[1]["Msg"] == "ES_CHAT_RESYNC"
        assert client.anomalies.counts() == {"cursor_expired": 1}

    with_client(work)


# -- call faults ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [{}, {"match": "(", "delay_ms": 1}, {"lose": True}, {"duplicate": "2"}])
def test_wrong_call_fault_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ControlError):
        CallFault.from_control(wrong)
