"""What a chat counterparty of FrontStage knows: its chats, what it sent, what came. No I/O and no clock of its own.

A connector (ES_ out, SE_ in, chats named by TrackingId) and an agent client (CS_ out, SC_ in, chats named by ChatId)
follow the same rules of frontstage.md 5.2, 5.3, 5.5 and 10.3; `Role` holds what differs by name. Nothing in here
judges the server: what looks wrong is written down as an anomaly, for whoever asks.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.simulators.common import utc_now

TYPING_SECONDS = 10.0
"""Typing expires without renewal (5.3)."""

LATER_STATUS = {"Queue": "Waiting", "ClosedByAgent": "Closed", "ClosedByExtApp": "Closed"}
"""The old names of states (11.1, 11.2)."""

STATUSES = ("Pilot", "ICR", "Waiting", "Alerting", "Answered", "Closed")

M_SENTENCE = 0
PANELS = {4: "Panel", 6: "Navigation", 8: "CoBrowsingData"}
"""Models that replace a value of the chat instead of joining its text, with the member of ChatStatusInfo (5.2)."""

SHOWN_GAPS = 100
"""At most so many missing numbers are listed one by one."""


# ---------------------------------------------------------------------------------------------------------------
# roles


@dataclass(frozen=True)
class Role:
    """What a connector and an agent client call the same things. `own_outbound` is IsOutbound of own sentences."""

    out: str
    into: str
    key: str
    own_outbound: bool


CONNECTOR = Role(out="ES", into="SE", key="TrackingId", own_outbound=False)
AGENT = Role(out="CS", into="SC", key="ChatId", own_outbound=True)

# ---------------------------------------------------------------------------------------------------------------
# what goes out


@dataclass(eq=False)
class Outgoing:
    """A message that goes out in one or more attempts. `deadline` is on the `Clock`, None when nothing is awaited.

    `server_has_it` is what the last answer said; `settled` is set when no further attempt comes by itself.
    """

    name: str
    key: str | None
    body: Any
    seconds: float | None
    state: str = "waiting"
    deadline: float | None = None
    attempts: int = 0
    envelope: dict[str, Any] = field(default_factory=dict)
    envelope_ids: list[str] = field(default_factory=list)
    server_has_it: bool = False
    error: Any = None
    history: list[dict[str, Any]] = field(default_factory=list)
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self, now: float, policy: str, envelope_id: str | None = None) -> None:
        """One more attempt starts: choose its envelope, start its time."""
        is_fresh = policy == "fresh" or (policy == "auto" and self.server_has_it)
        if not self.envelope or is_fresh or envelope_id is not None:
            self.envelope = {
                "Msg": self.name,
                "Id": envelope_id or str(uuid.uuid4()),
                "Time": utc_now(),
                "Body": self.body,
            }
            self.envelope_ids.append(self.envelope["Id"])
        self.attempts += 1
        self.error = None
        self.server_has_it = False
        self.deadline = None if self.seconds is None else now + self.seconds
        self.enter(self.waiting_state, now)

    waiting_state = "waiting"
    failed_state = "failed"
    refused_state = "refused"

    def enter(self, state: str, now: float) -> None:
        """Go to another state."""
        self.state = state
        self.history.append({"state": state, "at": round(now, 3), "attempt": self.attempts})
        if state != self.waiting_state:
            self.deadline = None
        if state not in (self.waiting_state, self.failed_state):
            self.settled.set()

    @property
    def is_waiting(self) -> bool:
        """Whether the answer may still come in time."""
        return self.state == self.waiting_state

    def as_json(self) -> dict[str, Any]:
        """What the control API shows."""
        return {
            "message": self.name,
            "key": self.key,
            "state": self.state,
            "attempts": self.attempts,
            "deadline": self.deadline,
            "envelope_ids": self.envelope_ids,
            "error": self.error,
            "history": self.history,
        }


class Command(Outgoing):
    """A message other than a sentence: `waiting`, then `answered`, `refused` or `failed`; `sent` if none is awaited."""

    def is_answered_by(self, envelope: Mapping[str, Any], role: Role) -> bool:
        """Whether an envelope is the answer, by InReplyTo or by what it says."""
        if envelope.get("InReplyTo") in self.envelope_ids:
            return str(envelope.get("Msg")).startswith(role.into)
        name, message = self.name.partition("_")[2], str(envelope.get("Msg")).partition("_")[2]
        body = envelope.get("Body")
        if name == "CHAT_RESYNC":
            return message == "CHAT_LIST"
        if not isinstance(body, dict):
            return False
        if name == "SCENARIO_LOAD":
            return message == "SCENARIO_MODEL" and body.get("ScenarioId") == self.body.get("Id")
        if body.get(role.key) != self.key:
            return False
        if name == "CHAT_REQUEST":
            return message == "CHAT_RESPONSE"
        is_complete = isinstance(body.get("Sentences"), list)
        is_closed = canonical_status(body.get("Status")) == "Closed"
        return message == "CHAT_STATUS" and (
            (name == "CHAT_START" and is_complete)
            or (name == "CHAT_STOP" and is_closed)
            or (name in ("CHAT_STATUS", "CHAT_ANSWER", "CHAT_HANGUP") and is_complete)
        )


class Sentence(Outgoing):
    """An own sentence: `Pending`, `Accepted`, `Confirmed`, `Failed` (5.2), or `Refused` when the server said no."""

    waiting_state = "Pending"
    failed_state = "Failed"
    refused_state = "Refused"

    counter: int | None = None
    echoes: int = 0

    @property
    def sentence_id(self) -> str:
        """The ID that the echo is found by."""
        return str(self.body.get("ID"))

    @property
    def model(self) -> Any:
        """The kind of sentence."""
        return self.body.get("Model", M_SENTENCE)

    def is_echoed_by(self, body: Mapping[str, Any]) -> bool:
        """Same ID, Text and Model: without the last two it is another sentence (5.2)."""
        return (body.get("ID"), body.get("Text"), body.get("Model") or M_SENTENCE) == (
            self.sentence_id,
            self.body.get("Text"),
            self.model,
        )

    def as_json(self) -> dict[str, Any]:
        """What the control API shows."""
        own = {
            "id": self.sentence_id,
            "text": self.body.get("Text"),
            "model": self.model,
            "counter": self.counter,
            "echoes": self.echoes,
        }
        return {**own, **super().as_json()}


def canonical_status(text: Any) -> str | None:
    """A status by its name of section 4.6; unknown text stays as it is."""
    if not isinstance(text, str):
        return None
    known = {name.lower(): name for name in STATUSES} | {old.lower(): new for old, new in LATER_STATUS.items()}
    return known.get(text.lower(), text)


def is_typing(body: Mapping[str, Any]) -> bool:
    """IsTyping in all its spellings; absent means true (11.6)."""
    value = body.get("IsTyping")
    if isinstance(value, str):
        return value.lower() != "false"
    return True if value is None else bool(value)


# ---------------------------------------------------------------------------------------------------------------
# what comes in


class Anomalies:
    """What looked wrong, in the order in which it was noticed."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def add(self, kind: str, **facts: Any) -> dict[str, Any]:
        """Write one down."""
        entry = {"number": len(self.entries) + 1, "time": utc_now(), "kind": kind, **facts}
        self.entries.append(entry)
        return entry

    def counts(self) -> dict[str, int]:
        """How many of each kind."""
        kinds = [one["kind"] for one in self.entries]
        return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


class Arrivals:
    """Every envelope that came, whichever way, and which of them are new: a Seq or Id seen before is dropped (10.3).

    Replies of our own calls keep their Seq and may overtake a poll, so a gap may close by itself, and disorder is
    noted only within one way and one chat: that is the order that is promised.
    """

    def __init__(self, role: Role, anomalies: Anomalies) -> None:
        self.role = role
        self.anomalies = anomalies
        self.events: list[dict[str, Any]] = []
        self.by_seq: dict[int, str | None] = {}
        self.by_id: dict[str, int | None] = {}
        self.highest: int | None = None
        self.gaps: list[dict[str, Any]] = []
        self.last_of_chat: dict[tuple[str, str | None], int] = {}

    def note(self, envelope: Mapping[str, Any], via: str) -> bool:
        """Write an envelope down; whether it is new."""
        given_seq, given_id = envelope.get("Seq"), envelope.get("Id")
        seq = given_seq if isinstance(given_seq, int) and not isinstance(given_seq, bool) else None
        envelope_id = given_id.lower() if isinstance(given_id, str) else None
        key = self.key_of(envelope)
        is_double = (seq is not None and seq in self.by_seq) or (envelope_id is not None and envelope_id in self.by_id)
        self.events.append(
            {
                "number": len(self.events) + 1,
                "time": utc_now(),
                "via": via,
                "seq": seq,
                "msg": envelope.get("Msg"),
                "key": key,
                "in_reply_to": envelope.get("InReplyTo"),
                "double": is_double,
                "envelope": dict(envelope),
            }
        )
        if is_double:
            self._note_double(seq, envelope_id, via, envelope.get("Msg"))
            return False
        if envelope_id is not None:
            self.by_id[envelope_id] = seq
        if seq is not None:
            self.by_seq[seq] = envelope_id
            self._note_gap(seq)
            self._note_order(seq, via, key, envelope.get("Msg"))
        return True

    def key_of(self, envelope: Mapping[str, Any]) -> str | None:
        """The chat an envelope is about."""
        body = envelope.get("Body")
        key = body.get(self.role.key) if isinstance(body, dict) else None
        return key if isinstance(key, str) else None

    def _note_double(self, seq: int | None, envelope_id: str | None, via: str, msg: Any) -> None:
        same_seq = seq is None or envelope_id is None or self.by_seq.get(seq) in (None, envelope_id)
        same_id = seq is None or envelope_id is None or self.by_id.get(envelope_id) in (None, seq)
        kind = "double" if same_seq and same_id else "conflict"
        self.anomalies.add(kind, seq=seq, id=envelope_id, via=via, msg=msg)

    def _note_gap(self, seq: int) -> None:
        if self.highest is None:
            self.highest = seq
        elif seq > self.highest:
            if seq > self.highest + 1:
                gap = self.anomalies.add("gap", first=self.highest + 1, last=seq - 1, open=True)
                self.gaps.append(gap)
            self.highest = seq
        else:
            for gap in self.gaps:
                if gap["open"] and gap["first"] <= seq <= gap["last"]:
                    gap["open"] = any(one not in self.by_seq for one in range(gap["first"], gap["last"] + 1))

    def _note_order(self, seq: int, via: str, key: str | None, msg: Any) -> None:
        # A reply stands alone: two calls under way at a time may be answered in any order.
        if via == "reply":
            return
        before = self.last_of_chat.get((via, key))
        if before is not None and seq < before:
            self.anomalies.add("disorder", seq=seq, after=before, via=via, key=key, msg=msg)
        else:
            self.last_of_chat[(via, key)] = seq

    def forgive_until(self, seq: int) -> None:
        """What lies up to here is gone for good: the server said that its cursor expired (10.3)."""
        for gap in self.gaps:
            if gap["open"] and gap["last"] <= seq:
                gap["open"] = False
                gap["expired"] = True
        self.highest = seq if self.highest is None else max(self.highest, seq)

    def missing(self) -> list[int]:
        """Seq numbers of open gaps, the first hundred."""
        found: list[int] = []
        for gap in self.gaps:
            if gap["open"]:
                found.extend(one for one in range(gap["first"], gap["last"] + 1) if one not in self.by_seq)
        return found[:SHOWN_GAPS]


class Thread:
    """One chat as this side knows it: status, agent, transcript by Counter, own sentences with their states."""

    def __init__(self, key: str, role: Role, anomalies: Anomalies) -> None:
        self.key = key
        self.role = role
        self.anomalies = anomalies
        self.signal: str | None = None
        self.scenario: Any = None
        self.info: dict[str, Any] | None = None
        self.earlier: list[dict[str, Any]] = []
        self.own: list[Sentence] = []
        self._start_over(None)

    def _start_over(self, chat_id: str | None) -> None:
        """An empty chat with this ChatId; own sentences that still wait belong to the new one."""
        self.chat_id = chat_id
        self.status: str | None = None
        self.status_seq = 0
        self.closed_because: str | None = None
        self.agent_id: str | None = None
        self.agent_name: str | None = None
        self.dead_time: str | None = None
        self.panels: dict[str, Any] = dict.fromkeys(PANELS.values())
        self.typing_until = 0.0
        self.transcript: dict[int, dict[str, Any]] = {}
        self.extras: list[dict[str, Any]] = []
        self.early_confirms: dict[str, str] = {}
        self.confirmed: set[str] = set()
        self.own = [one for one in self.own if one.state in ("Pending", "Failed")]

    @property
    def is_active(self) -> bool:
        """Every state but Closed; a chat whose start was not answered yet has none (5.5)."""
        return self.status not in (None, "Closed")

    def sentences(self) -> list[dict[str, Any]]:
        """The transcript in order."""
        return [self.transcript[counter] for counter in sorted(self.transcript)]

    def missing_counters(self) -> list[int]:
        """Numbers below the highest that are not there: the sequence has no gaps (5.2)."""
        highest = max(self.transcript, default=0)
        return [one for one in range(1, highest) if one not in self.transcript][:SHOWN_GAPS]

    def to_confirm(self, up_to: int | None = None) -> list[str]:
        """IDs of the other side's sentences that this side has not confirmed yet, each once, in order."""
        found = [
            str(one["ID"])
            for one in self.sentences()
            if bool(one.get("IsOutbound")) != self.role.own_outbound
            and one.get("ID")
            and one["ID"] not in self.confirmed
            and not one.get("ConfirmedTime")
            and (up_to is None or one["Counter"] <= up_to)
        ]
        return list(dict.fromkeys(found))

    # -- events --------------------------------------------------------------------------------------------------

    def on_status(self, body: Mapping[str, Any], seq: int | None, now: float) -> None:
        """ChatStatusInfo: the newest one wins by Seq; `Sentences`, when they are there, are merged by Counter."""
        chat_id = body.get("ChatId")
        is_stale = seq is not None and seq < self.status_seq
        if is_stale and chat_id != self.chat_id:
            return
        if isinstance(chat_id, str) and self.chat_id not in (None, chat_id):
            # Too late to be revived: the same thread goes on as a new chat (5.1, row 8).
            self.earlier.append(self.as_json(now))
            self._start_over(chat_id)
        if not is_stale:
            self.chat_id = chat_id if isinstance(chat_id, str) else self.chat_id
            self.status = canonical_status(body.get("Status"))
            self.status_seq = seq or self.status_seq
            self.closed_because = "status" if self.status == "Closed" else None
            self.agent_id, self.agent_name = body.get("AgentId"), body.get("AgentName")
            self.dead_time = body.get("DeadTimeUtc")
            for name in self.panels:
                self.panels[name] = body.get(name)
            if isinstance(body.get("Info"), dict):
                self.info = body["Info"]
        sentences = body.get("Sentences")
        for one in sentences if isinstance(sentences, list) else []:
            if isinstance(one, dict):
                self._take(one, now, is_echo=False)

    def on_sentence(self, body: Mapping[str, Any], now: float) -> None:
        """A sentence of the other side, or the echo of an own one (11.27)."""
        self._take(body, now, is_echo=True)

    def _take(self, body: Mapping[str, Any], now: float, *, is_echo: bool) -> None:
        is_own = bool(body.get("IsOutbound")) == self.role.own_outbound
        counter, model = body.get("Counter"), body.get("Model") or M_SENTENCE
        if model in PANELS:
            if is_echo:
                self.panels[PANELS[model]] = dict(body) if body.get("Text") else None
        elif isinstance(counter, int) and counter > 0:
            self._place(counter, dict(body))
        elif is_echo:
            self.extras.append(dict(body))
        if is_own:
            self._settle(body, now, is_echo=is_echo)
        elif is_echo:
            # A sentence of the same side ends its typing (5.3).
            self.typing_until = 0.0
        elif not body.get("ConfirmedTime"):
            # The server still holds it for unconfirmed: an earlier confirm was lost (5.5, step 6).
            self.confirmed.discard(str(body.get("ID")))

    def _place(self, counter: int, body: dict[str, Any]) -> None:
        there = self.transcript.get(counter)
        if there is None:
            self.transcript[counter] = body
        elif (there.get("ID"), there.get("Text"), there.get("IsOutbound")) != (
            body.get("ID"),
            body.get("Text"),
            body.get("IsOutbound"),
        ):
            self.anomalies.add("counter_conflict", key=self.key, counter=counter, kept=there, came=body)
        else:
            body["ConfirmedTime"] = there.get("ConfirmedTime") or body.get("ConfirmedTime")
            self.transcript[counter] = body

    def _settle(self, body: Mapping[str, Any], now: float, *, is_echo: bool) -> None:
        """Own sentence, back from the server: it is sent, however late (5.2)."""
        same = [one for one in self.own if one.is_echoed_by(body)]
        waiting = [one for one in same if one.state not in ("Accepted", "Confirmed")]
        counter = body.get("Counter")
        if is_echo:
            for one in waiting[:1] or same[:1]:
                one.echoes += 1
                if one.counter is not None and one.counter != counter:
                    self.anomalies.add(
                        "echo_counter_changed", key=self.key, id=one.sentence_id, was=one.counter, now=counter
                    )
        if waiting:
            waiting[0].counter = counter if isinstance(counter, int) else None
            waiting[0].error = None
            waiting[0].enter("Accepted", now)
        elif not same and is_echo:
            self.anomalies.add("echo_unknown", key=self.key, id=body.get("ID"), counter=counter)
        if body.get("ID") in self.early_confirms:
            self.on_confirm(str(body["ID"]), self.early_confirms[str(body["ID"])], now)
        elif body.get("ConfirmedTime"):
            self.on_confirm(str(body.get("ID")), str(body["ConfirmedTime"]), now)

    def on_confirm(self, sentence_id: str, moment: str, now: float) -> None:
        """The other side has an own sentence. The first time wins, and a confirm may overtake the echo."""
        self.early_confirms.setdefault(sentence_id, moment)
        for one in self.own:
            if one.sentence_id == sentence_id and one.state == "Accepted":
                one.enter("Confirmed", now)
        for entry in self.transcript.values():
            if bool(entry.get("IsOutbound")) == self.role.own_outbound and entry.get("ID") == sentence_id:
                entry["ConfirmedTime"] = entry.get("ConfirmedTime") or moment

    def on_typing(self, body: Mapping[str, Any], now: float) -> None:
        """The other side writes, or stopped."""
        self.typing_until = now + TYPING_SECONDS if is_typing(body) else 0.0

    def as_json(self, now: float) -> dict[str, Any]:
        """What the control API shows."""
        return {
            "key": self.key,
            "chat_id": self.chat_id,
            "status": self.status,
            "closed_because": self.closed_because,
            "agent_id": self.agent_id,
            "agent_name": self.agent_name,
            "signal": self.signal,
            "scenario": self.scenario,
            "info": self.info,
            "dead_time": self.dead_time,
            "typing": self.typing_until > now,
            "typing_ms_left": max(0, int((self.typing_until - now) * 1000)),
            "panels": self.panels,
            "transcript": self.sentences(),
            "missing_counters": self.missing_counters(),
            "own": [one.as_json() for one in self.own],
            "extras": self.extras,
            "earlier": self.earlier,
        }
