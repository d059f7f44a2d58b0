"""The common half of FrontStage's two chat counterparties: sends, polls, minds the deadlines, recovers.

An honest client as frontstage.md describes it: 5.2 with its 20 s and its retry with the same ID, 5.5, 10.2, 10.3.
What it knows is in `frontstage_state`; the programs add what only one of them does.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.simulators.common import BackgroundTasks, ControlError, check_fields, utc_now
from tests.simulators.frontstage_state import (
    AGENT,
    CONNECTOR,
    M_SENTENCE,
    Anomalies,
    Arrivals,
    Command,
    Outgoing,
    Role,
    Sentence,
    Thread,
)
from tests.simulators.frontstage_wire import POLL, Answer, Caller, encode

MAX_ENVELOPES = 25
"""Envelopes of one post (10.2)."""

ECHO_SECONDS = 20.0
"""A sentence without its echo for so long counts as not sent (5.2)."""

ANSWER_SECONDS = 20.0
"""The deadline of every other message that expects an answer (section 3), but for the next."""

REQUEST_SECONDS = 10.0
"""The deadline of ES_CHAT_REQUEST (3.1)."""

POLL_PAUSE_SECONDS = 0.5
"""Between two polls that do not wait and bring nothing."""

BACKOFF_MAX_SECONDS = 10.0
"""Longest pause between polls that fail."""


# ---------------------------------------------------------------------------------------------------------------
# clock and behaviour


class Clock:
    """The clock of the deadlines: Unix seconds, moved forward on command. Signatures keep the real time."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        """Seconds since 1970, plus what was skipped."""
        return time.time() + self.offset

    def advance(self, seconds: float) -> None:
        """Skip some time."""
        self.offset += seconds


BEHAVIOUR_FIELDS: dict[str, Any] = {
    "confirm": (str,),
    "confirm_in_reply": (bool,),
    "retry": (str,),
    "max_attempts": (int,),
    "retry_envelope": (str,),
    "respond_async": (bool,),
    "recover": (str,),
}


@dataclass
class Behaviour:
    """The choices that the contract leaves to a client; the defaults are those of an eager, honest one.

    `confirm`: `received` confirms a sentence of the other side as soon as it is here, `on_command` when told to.
    `confirm_in_reply`: confirms go into the answer of the push that brought the sentence (10.3).
    `retry`: `auto` sends an unanswered message again when its time is over, `manual` leaves it to the person.
    `retry_envelope`: `same` repeats the envelope with its Id, `fresh` makes a new one; `auto` repeats it unless the
    server said that it has it, for then only a new envelope can bring a new echo.
    `recover`: `auto` does RESYNC by itself when the line is back or the cursor expired.
    """

    confirm: str = "received"
    confirm_in_reply: bool = False
    retry: str = "auto"
    max_attempts: int = 3
    retry_envelope: str = "auto"
    respond_async: bool = False
    recover: str = "auto"

    def change(self, data: dict[str, Any]) -> None:
        """Take over the members given in ``POST /_sim/behaviour``."""
        check_fields(data, BEHAVIOUR_FIELDS)
        for name, allowed in (
            ("confirm", ("received", "on_command")),
            ("retry", ("auto", "manual")),
            ("retry_envelope", ("auto", "same", "fresh")),
            ("recover", ("auto", "manual")),
        ):
            if name in data and data[name] not in allowed:
                raise ControlError(f"'{name}' must be {', '.join(allowed[:-1])} or {allowed[-1]}")
        if data.get("max_attempts") == 0:
            raise ControlError("'max_attempts' must be at least 1")
        for name, value in data.items():
            setattr(self, name, value)


# ---------------------------------------------------------------------------------------------------------------
# the client

POLLING_FIELDS: dict[str, Any] = {"on": (bool,), "max": (int,), "wait": (int,)}


@dataclass
class Polling:
    """How events are fetched: whether at all, and the `max` and `wait` of each call (10.1)."""

    on: bool = False
    max: int = 50
    wait: int = 5


class Client:
    """One gateway or one workplace: sends, polls, keeps the chats, minds the deadlines.

    `peer` and `port` are what the messages carry (`port` for a connector only), `agent_id` the agent logged in, `line`
    the newest answer to a poll.
    """

    def __init__(self, role: Role, caller: Caller, clock: Clock, peer: str | None, port: str | None = None) -> None:
        self.role = role
        self.caller = caller
        self.clock = clock
        self.peer = peer
        self.port = port
        self.agent_id: str | None = None
        self.party_name: str | None = None
        self.behaviour = Behaviour()
        self.polling = Polling()
        self.tasks = BackgroundTasks()
        self.cursor = 0
        self.line: Answer | None = None
        self._woken = asyncio.Event()
        self._timer: asyncio.Task[None] | None = None
        self._poller: asyncio.Task[None] | None = None
        self.forget()

    def forget(self) -> None:
        """No chats and no memory of events; the cursor stays, for the server will not send again."""
        self.anomalies = Anomalies()
        self.arrivals = Arrivals(self.role, self.anomalies)
        self.threads: dict[str, Thread] = {}
        self.commands: list[Command] = []
        self.scenarios: list[dict[str, Any]] = []

    # -- life ----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Start; needs the running loop."""
        self.caller.open()
        self._timer = asyncio.get_running_loop().create_task(self._mind_deadlines())

    async def close(self) -> None:
        """Stop everything."""
        for task in (self._timer, self._poller):
            if task is not None:
                task.cancel()
        self.tasks.cancel_all()
        await self.caller.close()

    def changed(self) -> None:
        """Something can be seen that could not be seen before; for a program that shows it."""

    # -- sending -------------------------------------------------------------------------------------------------

    def address(self, key: str | None) -> dict[str, Any]:
        """The members that say which gateway or workplace, and which chat."""
        made: dict[str, Any] = {"Peer": self.peer}
        if self.role is CONNECTOR:
            made["Port"] = self.port
        if key is not None:
            made[self.role.key] = key
        return made

    def command_body(self, key: str | None, **more: Any) -> dict[str, Any]:
        """ChatCommandInfo (4.2): AgentId belongs to agent clients only."""
        agent = {"AgentId": self.agent_id} if self.role is AGENT else {}
        return {**self.address(key), **agent, "TimeStamp": utc_now(), **more}

    def command(self, message: str, key: str | None, body: Any, seconds: float | None) -> Command:
        """A message to be sent; `message` is its name without the prefix."""
        made = Command(f"{self.role.out}_{message}", key, body, seconds)
        self.commands.append(made)
        return made

    def confirm_command(self, key: str, sentence_id: str) -> Command:
        """A confirmation of one sentence of the other side."""
        self.thread(key).confirmed.add(sentence_id)
        return self.command("CHAT_CONFIRM", key, self.command_body(key, ID=sentence_id), None)

    def thread(self, key: str) -> Thread:
        """The chat of this key, new if there is none."""
        if key not in self.threads:
            self.threads[key] = Thread(key, self.role, self.anomalies)
        return self.threads[key]

    def compose(self, key: str, members: Mapping[str, Any]) -> Sentence:
        """A sentence of a chat. One that was composed before with the same ID, Text and Model is that sentence again."""
        body = {
            **self.address(key),
            "ID": str(uuid.uuid4()),
            "PartyName": self.party_name,
            "TimeSent": utc_now(),
            "IsOutbound": self.role.own_outbound,
            "Model": M_SENTENCE,
            **members,
        }
        thread = self.thread(key)
        for one in thread.own:
            if one.is_echoed_by(body):
                return one
        sentence = Sentence(f"{self.role.out}_CHAT_SENTENCE", key, body, ECHO_SECONDS)
        thread.own.append(sentence)
        return sentence

    async def post(
        self,
        items: Sequence[Outgoing],
        *,
        spoil: Mapping[str, Any] | None = None,
        envelope_id: str | None = None,
        as_array: bool = False,
    ) -> list[Answer]:
        """One more attempt for each of the messages, all in one call: an array when there are several (10.2)."""
        for one in items:
            one.begin(self.clock.now(), self.behaviour.retry_envelope, envelope_id)
        self._woken.set()
        self.changed()
        envelopes = [one.envelope for one in items]
        payload: Any = envelopes if as_array or len(envelopes) > 1 else envelopes[0]
        headers = {"Prefer": "respond-async"} if self.behaviour.respond_async else {}
        answers = await self.caller.send(
            "POST",
            "/messages",
            encode(payload, self.caller.form),
            [one.name for one in items],
            content=payload,
            headers=headers,
            spoil=spoil,
        )
        for answer in answers:
            self._take_answer(items, answer)
        return answers

    def _take_answer(self, items: Sequence[Outgoing], answer: Answer) -> None:
        results = {str(one.get("Id")).lower(): one for one in answer.members("Results")}
        for one in items:
            found = [results[each] for each in one.envelope_ids if each in results]
            self._note_result(one, answer, found[0] if found else None)
        replies = answer.members("Replies")
        for reply in replies:
            self.receive(reply, "reply")
        if replies:
            self.confirm_in_background()
        self.changed()

    def _note_result(self, item: Outgoing, answer: Answer, result: dict[str, Any] | None) -> None:
        """Outcome of one message: whether the server has it, will not have it, or has to be asked again (10.6)."""
        outcome = result.get("Outcome") if result else None
        item.history.append({"http_status": answer.http_status, "outcome": outcome, "lost": answer.lost})
        if not item.is_waiting:
            return
        now = self.clock.now()
        if outcome in ("Accepted", "Duplicate") or (result is None and answer.is_ok):
            item.server_has_it = True
            if item.seconds is None:
                item.enter("sent", now)
            return
        item.error = (result or {}).get("Error") or answer.member("Error") or answer.error
        # 401 is worth another try with a better signature; without an answer nobody knows.
        is_passing = answer.http_status is None or answer.http_status in (401, 408, 429) or answer.http_status >= 500
        if isinstance(item.error, dict) and item.error.get("Retryable") is True:
            is_passing = True
        if not is_passing:
            item.enter(item.refused_state, now)
        elif item.seconds is None:
            item.enter(item.failed_state, now)

    # -- receiving -----------------------------------------------------------------------------------------------

    def receive(self, envelope: Mapping[str, Any], via: str) -> bool:
        """Take one envelope; whether it was new. `via` is `reply`, `poll` or `push`."""
        if not self.arrivals.note(envelope, via):
            self.changed()
            return False
        message = str(envelope.get("Msg"))
        body, seq = envelope.get("Body"), envelope.get("Seq")
        now = self.clock.now()
        # The old name of an agent's SC_CHAT_CONFIRM is CS_CHAT_CONFIRM (11.7).
        is_old_confirm = self.role is AGENT and message == "CS_CHAT_CONFIRM"
        if message.startswith(f"{self.role.into}_") or is_old_confirm:
            self._apply(message.partition("_")[2], body, seq if isinstance(seq, int) else None, now)
        elif message != "Skip":
            self.anomalies.add("unexpected_message", msg=message, seq=seq, via=via)
        for one in self.commands:
            if one.state in ("waiting", "failed") and one.seconds and one.is_answered_by(envelope, self.role):
                one.error = None
                one.enter("answered", now)
        self.changed()
        return True

    def _apply(self, message: str, body: Any, seq: int | None, now: float) -> None:
        if message == "CHAT_LIST" and isinstance(body, list):
            self._take_list([one for one in body if isinstance(one, dict)], seq, now)
            return
        if not isinstance(body, dict):
            return
        if message == "SCENARIO_MODEL":
            self.scenarios.append(body)
            return
        key = body.get(self.role.key)
        if not isinstance(key, str):
            return
        thread = self.thread(key)
        if message == "CHAT_RESPONSE":
            thread.signal, thread.scenario = body.get("Signal"), body.get("ScenarioModel")
        elif message in ("CHAT_STATUS", "CHAT_ALERT"):
            thread.on_status(body, seq, now)
        elif message == "CHAT_SENTENCE":
            thread.on_sentence(body, now)
        elif message == "CHAT_CONFIRM":
            thread.on_confirm(str(body.get("ID")), str(body.get("TimeStamp") or utc_now()), now)
        elif message == "CHAT_TYPING":
            thread.on_typing(body, now)
        self.on_event(message, thread, body, now)

    def on_event(self, message: str, thread: Thread, body: Mapping[str, Any], now: float) -> None:
        """What one of the programs does on top; `message` is without its prefix."""

    def _take_list(self, listed: Iterable[Mapping[str, Any]], seq: int | None, now: float) -> None:
        """The answer to RESYNC: a chat that is not in it is over (5.5, step 4)."""
        there = set()
        for one in listed:
            key = one.get(self.role.key)
            if isinstance(key, str):
                there.add(key)
                self.thread(key).on_status(one, seq, now)
                self.on_event("CHAT_LIST", self.thread(key), one, now)
        for thread in self.threads.values():
            is_older = seq is None or thread.status_seq < seq
            if thread.is_active and thread.key not in there and is_older:
                thread.status, thread.closed_because = "Closed", "not listed"
                self.on_event("CHAT_LIST", thread, {}, now)

    def confirm_received(self) -> list[Command]:
        """Confirmations that are due by themselves, for all chats."""
        if self.behaviour.confirm != "received":
            return []
        return [
            self.confirm_command(thread.key, sentence_id)
            for thread in self.threads.values()
            if self.may_confirm(thread)
            for sentence_id in thread.to_confirm()
        ]

    def may_confirm(self, thread: Thread) -> bool:
        """Whether what came in this chat has reached this side's person."""
        return True

    async def post_all(self, items: Sequence[Outgoing], *, as_array: bool = False) -> None:
        """Post many messages, 25 at a time."""
        for start in range(0, len(items), MAX_ENVELOPES):
            await self.post(items[start : start + MAX_ENVELOPES], as_array=as_array)

    def confirm_in_background(self) -> None:
        """Post the confirmations that are due."""
        due = self.confirm_received()
        if due:
            self.tasks.start(self.post_all(due))

    # -- deadlines -----------------------------------------------------------------------------------------------

    def outgoing(self) -> list[Outgoing]:
        """Everything that was sent, sentences last."""
        sentences = [one for thread in self.threads.values() for one in thread.own]
        return [*self.commands, *sentences]

    def overdue(self) -> list[Outgoing]:
        """Mark what is over its time as failed; those of them that are to be sent again by themselves."""
        now = self.clock.now()
        again: list[Outgoing] = []
        for one in self.outgoing():
            if one.is_waiting and one.deadline is not None and one.deadline <= now:
                one.enter(one.failed_state, now)
                if self.behaviour.retry == "auto" and one.attempts < self.behaviour.max_attempts:
                    again.append(one)
                else:
                    one.settled.set()
                self.changed()
        return again

    def tick(self) -> None:
        """Apply the deadlines as of now, and send again what is to be sent again."""
        for one in self.overdue():
            self.tasks.start(self._post_if_still_failed(one))

    async def _post_if_still_failed(self, item: Outgoing) -> None:
        # A late echo may have come in between; then there is nothing to repeat (5.2).
        if item.state == item.failed_state:
            await self.post([item])

    async def _mind_deadlines(self) -> None:
        while True:
            self.tick()
            self._woken.clear()
            deadlines = [one.deadline for one in self.outgoing() if one.is_waiting and one.deadline is not None]
            wait = max(0.0, min(deadlines) - self.clock.now()) if deadlines else None
            try:
                await asyncio.wait_for(self._woken.wait(), wait)
            except TimeoutError:
                continue

    # -- polling -------------------------------------------------------------------------------------------------

    def set_polling(self, polling: Polling) -> None:
        """Start, change or stop fetching events."""
        self.polling = polling
        if self._poller is not None:
            self._poller.cancel()
            self._poller = None
        if polling.on:
            self._poller = asyncio.get_running_loop().create_task(self._poll_on())

    async def poll(self, after: int | None = None, maximum: int | None = None, wait: int | None = None) -> Answer:
        """Fetch events once. Another `after` than the own cursor asks for old events again."""
        start = self.cursor if after is None else after
        most = self.polling.max if maximum is None else maximum
        longest = self.polling.wait if wait is None else wait
        path = f"/events?after={start}&max={most}&wait={longest}"
        answer = Answer(None)
        for answer in await self.caller.send("GET", path, b"", [POLL]):
            self._take_events(answer)
        if self.line is None or self.line.http_status != answer.http_status:
            self.line = answer
            self.changed()
        self.confirm_in_background()
        return answer

    def _take_events(self, answer: Answer) -> None:
        if answer.is_ok:
            for envelope in answer.members("Events"):
                self.receive(envelope, "poll")
            upto = answer.member("Next")
            if isinstance(upto, int):
                self.cursor = max(self.cursor, upto)
        elif answer.http_status == 410:
            self._take_expiry(answer)

    def _take_expiry(self, answer: Answer) -> None:
        """`CursorExpired`: RESYNC, and go on from `Next` (10.3)."""
        error = answer.member("Error")
        inner = error.get("Next") if isinstance(error, dict) else None
        upto = next((one for one in (answer.member("Next"), inner) if isinstance(one, int)), None)
        self.anomalies.add("cursor_expired", after=self.cursor, next=upto)
        if upto is None:
            # Nowhere to go on from: the same question would be refused for ever.
            self.polling.on = False
            return
        self.cursor = upto
        self.arrivals.forgive_until(upto)
        if self.behaviour.recover == "auto":
            self.tasks.start(self.recover())

    async def _poll_on(self) -> None:
        failures = 0
        while self.polling.on:
            began = time.monotonic()
            answer = await self.poll()
            if answer.is_ok:
                if failures and self.behaviour.recover == "auto":
                    self.tasks.start(self.recover())
                failures = 0
                is_idle = not answer.members("Events") and not answer.member("More")
                # A server that does not wait although it was asked to must not be asked without a break.
                if is_idle and time.monotonic() - began < POLL_PAUSE_SECONDS:
                    await asyncio.sleep(POLL_PAUSE_SECONDS)
            else:
                failures += answer.http_status is None
                await asyncio.sleep(self._pause_after(answer, failures))

    @staticmethod
    def _pause_after(answer: Answer, failures: int) -> float:
        """Seconds to the next poll after one that failed: twice as long each time, or what Retry-After asks for."""
        asked = answer.headers.get("Retry-After", "")
        pause = POLL_PAUSE_SECONDS * 2.0 ** max(0, min(failures - 1, 6))
        return min(BACKOFF_MAX_SECONDS, max(pause, float(asked) if asked.isdecimal() else 0.0))

    # -- recovery ------------------------------------------------------------------------------------------------

    async def status_of(self, keys: Sequence[str]) -> list[Command]:
        """Ask for the complete status of chats."""
        asked = [self.command("CHAT_STATUS", key, self.status_body(key), ANSWER_SECONDS) for key in keys]
        await self.post_all(asked)
        return asked

    def status_body(self, key: str) -> dict[str, Any]:
        """What names the chat: ChatStatusInfo for a connector, ChatCommandInfo for an agent (11.10)."""
        return self.address(key) if self.role is CONNECTOR else self.command_body(key)

    async def resync(self) -> Command:
        """Ask for the list of active chats."""
        asked = self.command("CHAT_RESYNC", None, self.command_body(None), ANSWER_SECONDS)
        await self.post([asked])
        return asked

    async def recover(self) -> dict[str, Any]:
        """The six steps of 5.5: list, status of each, merge, failed sentences again, confirms."""
        return await self.recover_after(await self.resync())

    async def recover_after(self, asked: Command) -> dict[str, Any]:
        """The steps that follow the question for the list."""
        await asked.settled.wait()
        if asked.state != "answered":
            return {"list": asked.state, "error": asked.error}
        listed = [thread.key for thread in self.threads.values() if thread.is_active]
        statuses = await self.status_of(listed)
        for one in statuses:
            await one.settled.wait()
        failed = [one for key in listed for one in self.threads[key].own if one.state == "Failed"]
        await self.post_all(failed)
        self.confirm_in_background()
        return {
            "list": asked.state,
            "listed": listed,
            "over": [one.key for one in self.threads.values() if one.closed_because == "not listed"],
            "statuses": [one.state for one in statuses],
            "sent_again": [one.sentence_id for one in failed],
        }
