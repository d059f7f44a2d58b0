"""Conversations as iAdvize runs them: with an agent, or with a bot whose replies are a schedule (contract sections 10 to 12)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.simulators.common import BackgroundTasks, ControlError
from tests.simulators.iadvize_calls import Caller, new_id

IDLE_SECONDS = 300.0
"""A bot's conversation closes by itself this long after its last message (section 10.2)."""
RETRY_SECONDS = (10.0, 20.0)
"""When a webhook is tried again: this long after each failure (section 11.1)."""
TRANSFER_SECONDS = 60.0
"""How long a transfer is tried when the app does not say (section 10.3)."""
UNIT_SECONDS = {"millis": 0.001, "seconds": 1.0, "minutes": 60.0}


def iso_now() -> str:
    """The time as webhooks have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def zoned_now() -> str:
    """The time as a bot's messages have it, with the name of a zone (section 10.2)."""
    return iso_now() + "[Etc/UTC]"


class Clock:
    """Time passes `speed` times as fast: awaits, transfers, the close of what is idle and the retries of webhooks."""

    def __init__(self) -> None:
        self.speed = 1.0

    async def sleep(self, seconds: float) -> None:
        """Let so much time of iAdvize pass."""
        await asyncio.sleep(seconds / self.speed)


@dataclass
class Visitor:
    """Somebody on the merchant's site."""

    name: str
    idVisitorUnique: str  # noqa: N815  (named as iAdvize sends it)
    idVisitorExternal: str | None = None  # noqa: N815
    emailVisitor: str | None = None  # noqa: N815


@dataclass
class Conversation:
    """One conversation. `operator` is an agent's number, or a bot with its platform before it."""

    id: str
    visitor: str
    operator: str
    is_bot: bool
    channel: str
    language: str
    state: str = "open"
    thread: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    app_id: str | None = None
    has_begun: bool = False
    said: int = 0
    """Messages of the visitor so far: a reply to an older one is due no more."""
    pending: asyncio.Task[None] | None = None
    idle: asyncio.Task[None] | None = None

    def as_json(self) -> dict[str, Any]:
        """As ``GET /_sim/conversations/{id}`` shows it; `pending`: replies are still to come."""
        shown = ("id", "visitor", "operator", "is_bot", "channel", "language", "state", "thread", "problems", "app_id")
        return {name: getattr(self, name) for name in shown} | {"pending": self.pending is not None and not self.pending.done()}


class Webhooks:
    """Delivers events, each up to three times (section 11.1)."""

    def __init__(self, caller: Caller, clock: Clock, platform: str, project: int) -> None:
        self.caller, self.clock = caller, clock
        self.common = {"platform": platform, "clientId": 77, "projectId": project}
        self.subscribed = True
        self.deliveries: list[dict[str, Any]] = []

    def event(self, given: dict[str, Any]) -> dict[str, Any]:
        """A whole event; a member that is null is left out."""
        now = iso_now()
        whole = {"eventId": new_id(), "eventType": "v2.conversation.pushed", **self.common, "createdAt": now, "sentAt": now}
        if given.get("eventType", whole["eventType"]) == "v2.conversation.pushed":
            whole |= {"conversationId": new_id(), "operatorId": int(self.caller.operator), "channel": "CHAT"}
            whole |= {"visitorExternalId": None}
        absent = {name for name, value in given.items() if value is None and name != "visitorExternalId"}
        return {name: value for name, value in {**whole, **given}.items() if name not in absent}

    async def deliver(self, event: Any, fault: str | None = None, attempts: int = 3) -> list[dict[str, Any]]:
        """All attempts for one event, until one is taken. A text goes out as it is."""
        correlation, told = new_id(), []
        for attempt in range(attempts):
            if attempt:
                await self.clock.sleep(RETRY_SECONDS[attempt - 1])
            delivery = new_id()
            headers = {"x-iadvize-delivery": delivery, "x-iadvize-correlationid": correlation}
            answer = await self.caller.call("webhook", body=event, fault=fault, headers=headers)
            told.append({"delivery": delivery, "correlation": correlation, **answer})
            self.deliveries.append(
                {
                    "eventId": event.get("eventId") if isinstance(event, dict) else None,
                    "eventType": event.get("eventType") if isinstance(event, dict) else None,
                    **{name: told[-1][name] for name in ("delivery", "correlation", "status")},
                }
            )
            if answer["status"] is not None and answer["status"] < 400:
                break
        return told


class Talk:
    """All conversations, the bots and who is there."""

    def __init__(self, caller: Caller, hooks: Webhooks, clock: Clock, background: BackgroundTasks) -> None:
        self.caller, self.hooks, self.clock, self.background = caller, hooks, clock, background
        self.conversations: dict[str, Conversation] = {}
        self.bots: dict[str, dict[str, Any]] = {}
        self.rules: dict[str, bool] = {}
        """Whether somebody is free behind a routing rule; those that are not here have somebody."""

    def find(self, any_id: str) -> Conversation:
        """A conversation, by iAdvize's id."""
        if any_id not in self.conversations:
            raise ControlError(f"there is no conversation {any_id}", 404)
        return self.conversations[any_id]

    # -- how it begins and ends --------------------------------------------------------------------------------------

    def begin(self, visitor: str, operator: str, is_bot: bool, channel: str, language: str) -> Conversation:
        """A conversation without a message."""
        one = Conversation(new_id(), visitor, operator, is_bot, channel, language)
        self.conversations[one.id] = one
        return one

    def tell_hooks(self, one: Conversation, kind: str, visitor: Visitor) -> None:
        """``v2.conversation.pushed`` or ``.closed``, if the app subscribed to events."""
        if not self.hooks.subscribed:
            return
        number = int(one.operator.rpartition("-")[2])
        who = {"operatorId": number} if kind.endswith("pushed") else {"operatorIds": [number]}
        names = {"visitorId": visitor.idVisitorUnique, "visitorExternalId": visitor.idVisitorExternal}
        event = {"eventType": kind, "conversationId": one.id, "channel": one.channel, **who, **names}
        self.background.start(self._deliver(self.hooks.event(event)))

    async def _deliver(self, event: dict[str, Any]) -> None:
        await self.hooks.deliver(event)

    def close(self, one: Conversation, visitor: Visitor) -> None:
        """The end."""
        if one.state == "closed":
            return
        one.state = "closed"
        # The one who closes may be the schedule itself.
        for task in (one.pending, one.idle):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        self.tell_hooks(one, "v2.conversation.closed", visitor)

    def _touch(self, one: Conversation, visitor: Visitor) -> None:
        """Something was said: a bot's conversation is idle from now on."""
        if not one.is_bot:
            return
        if one.idle is not None:
            one.idle.cancel()

        async def wait() -> None:
            await self.clock.sleep(IDLE_SECONDS)
            self.close(one, visitor)

        one.idle = self.background.start(wait())

    def say(self, one: Conversation, role: str, payload: dict[str, Any], visitor: Visitor, **more: Any) -> dict[str, Any]:
        """Puts a message into the thread."""
        author = {"role": role}
        message = {"idMessage": new_id(), "author": author, "payload": payload, "createdAt": zoned_now()}
        one.thread.append({**message, **more})
        self._touch(one, visitor)
        return message

    # -- the visitor -------------------------------------------------------------------------------------------------

    async def open_box(self, one: Conversation, visitor: Visitor) -> dict[str, Any]:
        """The visitor opens the chat box: first messages (B5). What is no message is ignored."""
        answer = await self.caller.call("first-messages", {"idOperator": one.operator})
        one.problems += [f"first messages: {problem}" for problem in answer["problems"]]
        if answer["status"] == 200 and isinstance(answer["body"], dict):
            for reply in answer["body"].get("replies", []):
                if reply.get("type") == "message":
                    self.say(one, "operator", reply["payload"], visitor, quickReplies=reply.get("quickReplies", []))
        return answer

    async def visitor_says(
        self, one: Conversation, visitor: Visitor, payload: dict[str, Any], id_message: str | None = None
    ) -> dict[str, Any]:
        """What the visitor wrote: to a bot by B6, the first time, and B7. Replies that wait are cancelled."""
        if one.state == "closed":
            raise ControlError("the conversation is closed")
        one.said += 1
        if one.pending is not None:
            one.pending.cancel()
        first = not one.has_begun
        one.has_begun = True
        history = [{name: line[name] for name in ("idMessage", "author", "payload", "createdAt")} for line in one.thread]
        message = self.say(one, "visitor", payload, visitor)
        if id_message is not None:
            message["idMessage"] = one.thread[-1]["idMessage"] = id_message
        answers: dict[str, Any] = {"idMessage": message["idMessage"]}
        if first and one.is_bot:
            self.tell_hooks(one, "v2.conversation.pushed", visitor)
        if not one.is_bot or one.state == "transferred":
            return answers
        if first:
            body = {"idOperator": one.operator, "idConversation": one.id, "history": history}
            answers["conversation"] = begun = await self.caller.call("conversation", body=body)
            one.problems += [f"conversation: {problem}" for problem in begun["problems"]]
            if begun["status"] == 200 and begun["valid"]:
                one.app_id = begun["body"]["idConversation"]
        number = one.said
        answers["message"] = answer = await self._message(one, message)
        if answer["status"] == 200 and answer["valid"]:
            self._schedule(one, visitor, answer["body"]["replies"], number)
        return answers

    async def _message(self, one: Conversation, message: dict[str, Any]) -> dict[str, Any]:
        """B7, with the app's id if it gave one."""
        body = {"idOperator": one.operator, "message": message}
        answer = await self.caller.call("message", {"idConversation": one.app_id or one.id}, body)
        one.problems += [f"message: {problem}" for problem in answer["problems"]]
        return answer

    # -- the bot -----------------------------------------------------------------------------------------------------

    def _schedule(self, one: Conversation, visitor: Visitor, replies: list[dict[str, Any]], number: int) -> None:
        """Publishes replies, unless the visitor has said something since."""
        if one.said != number or one.state != "open":
            return
        one.pending = self.background.start(self._publish(one, visitor, replies))

    async def _publish(self, one: Conversation, visitor: Visitor, replies: list[dict[str, Any]]) -> None:
        for reply in replies:
            kind = reply["type"]
            if kind == "await":
                await self.clock.sleep(reply["duration"]["value"] * UNIT_SECONDS[reply["duration"]["unit"]])
            elif kind == "message":
                self.publish(one, visitor, reply["payload"], reply.get("quickReplies", []))
            elif kind == "close":
                self.close(one, visitor)
                return
            elif await self._transferred(one, reply):
                self.transfer(one, visitor)
                return

    def publish(self, one: Conversation, visitor: Visitor, payload: dict[str, Any], quick_replies: list[Any]) -> None:
        """A bot's message; B7 is called for it too, and must be answered with nothing to say."""
        message = self.say(one, "operator", payload, visitor, quickReplies=quick_replies)

        async def own() -> None:
            answer = await self._message(one, message)
            if isinstance(answer["body"], dict) and answer["body"].get("replies"):
                one.problems.append("the bot answered its own message")

        self.background.start(own())

    async def _transferred(self, one: Conversation, reply: dict[str, Any]) -> bool:
        """Tries a rule until its time is over."""
        rule = reply["distributionRule"]
        bot = self.bots.get(one.operator)
        if bot is not None and rule not in {known["id"] for known in bot["distributionRules"]}:
            one.problems.append("a transfer by a rule that the bot does not have")
        timeout = reply.get("transferOptions", {}).get("timeout", {"value": TRANSFER_SECONDS, "unit": "seconds"})
        left = timeout["value"] * UNIT_SECONDS[timeout["unit"]]
        while not self.rules.get(rule, True):
            if left <= 0:
                return False
            await self.clock.sleep(1)
            left -= 1
        return True

    def transfer(self, one: Conversation, visitor: Visitor) -> None:
        """An agent has the conversation from now on."""
        one.state, one.operator = "transferred", self.caller.operator
        if one.idle is not None:
            one.idle.cancel()
        self.tell_hooks(one, "v2.conversation.pushed", visitor)

    def forget(self) -> None:
        """As at the start. What is under way ends."""
        self.background.cancel_all()
        self.conversations.clear()
        self.bots.clear()
        self.rules.clear()
        self.hooks.deliveries.clear()
        self.hooks.subscribed = True
        self.clock.speed = 1.0
