"""How FrontStage's chat counterparties put envelopes on the wire: JSON or MessagePack, signed, disturbed on command.

The connector (ES_, SE_) and the agent client (CS_, SC_) of frontstage.md speak the same way to different paths;
`Caller` is that way. It keeps a record of every call and applies the call faults that were asked for.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp
import msgpack
from yarl import URL

from tests.simulators.common import (
    ControlError,
    check_fields,
    compile_regex,
    json_or_text,
    open_client,
    utc_now,
)
from tests.simulators.frontstage_connector import MAX_TURNS, SIGNING_FIELDS, Signer, asked_pause

JSON_TYPE = "application/json"
MSGPACK_TYPE = "application/vnd.msgpack"
"""The registered type; the two others are accepted as well (10.4)."""

MSGPACK_TYPES = (MSGPACK_TYPE, "application/msgpack", "application/x-msgpack")

DATE_MEMBERS = frozenset(
    {
        "Time",
        "TimeStamp",
        "TimeSent",
        "TimeUtc",
        "ConfirmedTime",
        "DeadTimeUtc",
        "EnqueueingTimeUtc",
        "PilotDialTime",
        "ResultCreated",
        "ResultTime",
    }
)
"""Members of section 4.2, 4.3 and 10.2 that are dates: MessagePack has a type of its own for them (10.4)."""

GUID_MEMBERS = frozenset(
    {
        "Id",
        "InReplyTo",
        "ChatId",
        "AgentId",
        "ReturnChatId",
        "ScenarioId",
        "ScenarioResultId",
        "ScreenControlId",
        "InboundCallId",
        "OutboundCallId",
        "MessageId",
        "IssueId",
        "ContactId",
        "WorkflowId",
    }
)
"""Members that are GUIDs and may travel as 16 bytes. A sentence's `ID` is a free text, not a GUID (11.15)."""

CALL_SECONDS = 60.0
"""Longest call: above the 20 s that a poll may wait."""

POLL = "EVENTS"
"""The name under which a call fault finds polls; posts are found by the names of their messages."""


# ---------------------------------------------------------------------------------------------------------------
# bodies (2.2, 10.4)

FORMAT_FIELDS: dict[str, Any] = {
    "body": (str,),
    "content_type": (str, type(None)),
    "accept": (str, type(None)),
    "dates": (str,),
    "guids": (str,),
}


@dataclass
class Format:
    """How bodies are written. `content_type` and `accept` null mean what belongs to `body`.

    `dates` and `guids` concern MessagePack only: the server has to accept both spellings of each.
    """

    body: str = "json"
    content_type: str | None = None
    accept: str | None = None
    dates: str = "extension"
    guids: str = "text"

    @classmethod
    def from_control(cls, data: dict[str, Any]) -> Format:
        """Build a format from the body of ``POST /_sim/format``."""
        check_fields(data, FORMAT_FIELDS)
        made = cls(**data)
        for name, allowed in (
            ("body", ("json", "msgpack")),
            ("dates", ("extension", "text")),
            ("guids", ("text", "bytes")),
        ):
            if getattr(made, name) not in allowed:
                raise ControlError(f"'{name}' must be {' or '.join(allowed)}")
        return made

    def headers(self) -> dict[str, str]:
        """Content-Type and Accept of a call."""
        own = MSGPACK_TYPE if self.body == "msgpack" else JSON_TYPE
        content_type = self.content_type or own
        return {"Content-Type": content_type, "Accept": self.accept or content_type}


def encode(value: Any, form: Format) -> bytes:
    """The bytes of a body."""
    if form.body == "json":
        return json.dumps(value).encode()
    packed: bytes = msgpack.packb(_to_pack(value, form, None))
    return packed


def decode(raw: bytes, content_type: str | None) -> Any:
    """What a body says, as JSON would say it. A body that cannot be read comes back as a text."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind not in MSGPACK_TYPES or not raw:
        return json_or_text(raw)
    try:
        return _from_pack(msgpack.unpackb(raw, strict_map_key=True, timestamp=0), None)
    except (ValueError, msgpack.UnpackException) as problem:
        return f"not MessagePack ({problem}): {raw[:200].hex()}"


def _to_pack(value: Any, form: Format, name: str | None) -> Any:
    if isinstance(value, dict):
        return {key: _to_pack(inner, form, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_to_pack(inner, form, None) for inner in value]
    if isinstance(value, str) and name in DATE_MEMBERS and form.dates == "extension":
        return _timestamp(value)
    if isinstance(value, str) and name in GUID_MEMBERS and form.guids == "bytes":
        return _guid_bytes(value)
    return value


def _timestamp(text: str) -> Any:
    """The timestamp extension, or the text itself when it is no date: wrong dates must be sendable."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    if moment.tzinfo is None:
        # No suffix means UTC (2.2).
        moment = datetime.fromisoformat(text + "+00:00")
    return msgpack.Timestamp.from_datetime(moment)


def _guid_bytes(text: str) -> Any:
    """16 bytes in .NET order, in which the first three groups are little-endian (10.4)."""
    try:
        return uuid.UUID(text).bytes_le
    except ValueError:
        return text


def _from_pack(value: Any, name: str | None) -> Any:
    if isinstance(value, dict):
        return {str(key): _from_pack(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [_from_pack(inner, None) for inner in value]
    if isinstance(value, msgpack.Timestamp):
        return value.to_datetime().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    if isinstance(value, bytes):
        return str(uuid.UUID(bytes_le=value)) if len(value) == 16 and name in GUID_MEMBERS else value.hex()
    return value


# ---------------------------------------------------------------------------------------------------------------
# call faults

CALL_FAULT_FIELDS: dict[str, Any] = {
    "match": (str,),
    "times": (int, type(None)),
    "skip": (int,),
    "delay_ms": (int,),
    "lose_request": (bool,),
    "lose_answer": (bool,),
    "duplicate": (int,),
    "parallel": (bool,),
    "hold": (int,),
    **SIGNING_FIELDS,
}


class HeldCalls:
    """Calls kept back until there are `size` of them; then they go out one by one, the last first."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.waiting: list[asyncio.Event] = []
        self.leaving: list[asyncio.Event] = []

    async def enter(self) -> None:
        """Wait for the own turn."""
        turn = asyncio.Event()
        self.waiting.append(turn)
        if len(self.waiting) >= self.size:
            self.release()
        await turn.wait()

    def release(self) -> None:
        """Let go of those that wait, complete or not."""
        self.leaving, self.waiting = self.waiting, []
        self.next()

    def next(self) -> None:
        """The call before is done."""
        if self.leaving:
            self.leaving.pop().set()


@dataclass
class CallFault:
    """What goes wrong with own calls whose name contains a match of `match`: a message name, or `EVENTS` for polls.

    `lose_request`: the call is not made; `lose_answer`: it is made, and its answer thrown away; `duplicate`: so many
    copies on top, with the same envelopes; `hold`: so many calls are kept back and sent in reverse. Both losses look
    to the client like a broken connection.
    """

    match: re.Pattern[str]
    times: int | None
    skip: int
    delay_ms: int
    lose_request: bool
    lose_answer: bool
    duplicate: int
    parallel: bool
    spoil: dict[str, bool]
    held: HeldCalls | None
    fired: int = 0

    @classmethod
    def from_control(cls, data: dict[str, Any]) -> CallFault:
        """Build a fault from the body of ``POST /_sim/call-faults``."""
        check_fields(data, CALL_FAULT_FIELDS)
        spoil = {name: True for name in SIGNING_FIELDS if data.get(name)}
        hold = data.get("hold", 0)
        effects = ("delay_ms", "lose_request", "lose_answer", "duplicate", "hold")
        if not spoil and not any(data.get(name) for name in effects):
            raise ControlError(f"a call fault needs one of {', '.join((*effects, *SIGNING_FIELDS))}")
        return cls(
            match=compile_regex(data.get("match", ""), "match"),
            # As many calls as are to be held: fewer would wait for ever.
            times=hold or data.get("times", 1),
            skip=data.get("skip", 0),
            delay_ms=data.get("delay_ms", 0),
            lose_request=data.get("lose_request", False),
            lose_answer=data.get("lose_answer", False),
            duplicate=data.get("duplicate", 0),
            parallel=data.get("parallel", False),
            spoil=spoil,
            held=HeldCalls(hold) if hold else None,
        )

    def as_json(self) -> dict[str, Any]:
        """The form shown by ``GET /_sim/call-faults``; `held` is the number of calls that are kept back now."""
        shown = {name: value for name, value in self.__dict__.items() if name not in ("match", "held", "spoil")}
        held = len(self.held.waiting) if self.held else 0
        return {
            "match": self.match.pattern,
            **shown,
            **self.spoil,
            "hold": self.held.size if self.held else 0,
            "held": held,
        }


class CallFaults:
    """The call faults that are armed; the first that applies acts."""

    def __init__(self) -> None:
        self.faults: list[CallFault] = []

    def take(self, names: Sequence[str]) -> CallFault | None:
        """The fault that acts on a call with messages of these names, counted down; None when none does."""
        for fault in self.faults:
            if fault.times == 0 or not any(fault.match.search(name) for name in names):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
            fault.fired += 1
            return fault
        return None

    def clear(self) -> int:
        """Disarm all, letting go of held calls; the number of them."""
        faults, self.faults = self.faults, []
        for fault in faults:
            if fault.held is not None:
                fault.held.release()
        return len(faults)


# ---------------------------------------------------------------------------------------------------------------
# calls


@dataclass
class Answer:
    """What came back from one call. `http_status` is None without an answer; `lost` says that a fault is the reason."""

    http_status: int | None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    lost: str | None = None

    @property
    def is_ok(self) -> bool:
        """Answered 2xx."""
        return self.http_status is not None and 200 <= self.http_status < 300

    def member(self, name: str) -> Any:
        """A member of the answer's object, None when there is no such thing."""
        return self.body.get(name) if isinstance(self.body, dict) else None

    def members(self, name: str) -> list[dict[str, Any]]:
        """A list of objects in the answer, e.g. `Replies`; empty when there is none."""
        value = self.member(name)
        return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


class Caller:
    """Signs and sends the calls of one gateway or one workplace, and remembers them in `records`."""

    def __init__(self, base_url: str, signer: Signer) -> None:
        self.base_url = base_url.rstrip("/")
        self.signer = signer
        self.form = Format()
        self.faults = CallFaults()
        self.records: list[dict[str, Any]] = []
        self.http: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Get ready to call; needs the running loop."""
        self.http = open_client(CALL_SECONDS)

    async def close(self) -> None:
        """No more calls."""
        self.faults.clear()
        if self.http is not None:
            await self.http.close()

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
        """Make one call, or several when a fault duplicates it; the answers in the order of the copies.

        `names` are the message names for the faults, `content` is what the record shows of the body.
        """
        fault = self.faults.take(names)
        if fault is None:
            return [await self._call(method, path, body, names, content, headers, spoil or {}, None)]
        if fault.held is not None:
            await fault.held.enter()
        try:
            await asyncio.sleep(fault.delay_ms / 1000)
            spoilt = {**(spoil or {}), **fault.spoil}
            copies = [
                self._call(method, path, body, names, content, headers, spoilt, fault)
                for _ in range(1 + fault.duplicate)
            ]
            if fault.parallel:
                return list(await asyncio.gather(*copies))
            return [await copy for copy in copies]
        finally:
            if fault.held is not None:
                fault.held.next()

    async def _call(
        self,
        method: str,
        path: str,
        body: bytes,
        names: Sequence[str],
        content: Any,
        headers: Mapping[str, str] | None,
        spoil: Mapping[str, Any],
        fault: CallFault | None,
    ) -> Answer:
        record: dict[str, Any] = {
            "number": len(self.records) + 1,
            "time": utc_now(),
            "method": method,
            "path": path,
            "messages": list(names),
            "content": content,
            "format": self.form.body,
            "http_status": None,
            "answer": None,
            "turns": 1,
        }
        self.records.append(record)
        if fault is not None and fault.lose_request:
            answer = Answer(None, lost="request")
        else:
            answer = await self._exchange(method, path, body, headers or {}, spoil)
            for _ in range(1, MAX_TURNS):
                pause = asked_pause(answer.http_status, answer.headers) if method == "POST" else None
                if pause is None:
                    break
                record["turns"] += 1
                await asyncio.sleep(pause)
                answer = await self._exchange(method, path, body, headers or {}, spoil)
            record["http_status"], record["answer"] = answer.http_status, answer.body
            if fault is not None and fault.lose_answer:
                # The record still shows what the server said; the client must not.
                answer = Answer(None, lost="answer")
        record["lost"], record["error"] = answer.lost, answer.error
        return answer

    async def _exchange(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], spoil: Mapping[str, Any]
    ) -> Answer:
        assert self.http is not None, "opened before the first request is served"
        url = URL(self.base_url + path, encoded=True)
        sent = {**self.form.headers(), **self.signer.headers(method, url, body, spoil), **headers}
        if not body:
            sent.pop("Content-Type", None)
        try:
            async with self.http.request(method, url, data=body or None, headers=sent, allow_redirects=False) as answer:
                raw = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as problem:
            return Answer(None, error=f"no answer: {type(problem).__name__}")
        return Answer(answer.status, decode(raw, answer.headers.get("Content-Type")), dict(answer.headers))
