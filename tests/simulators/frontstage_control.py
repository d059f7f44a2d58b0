"""The control routes that both chat counterparties have: say, confirm, resync, faults, inspection.

A control call names one `Client` (the connector has one, the agents' program one per workplace) and usually one chat.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web

from tests.simulators.common import ANY, ControlError, check_fields, compile_regex, json_answer, read_fields, read_json
from tests.simulators.frontstage_client import (
    ANSWER_SECONDS,
    BEHAVIOUR_FIELDS,
    POLLING_FIELDS,
    Client,
    Polling,
)
from tests.simulators.frontstage_connector import SIGNING_FIELDS
from tests.simulators.frontstage_state import Command, Outgoing, Thread
from tests.simulators.frontstage_wire import FORMAT_FIELDS, Answer, CallFault, Format

SENTENCE_FIELDS: dict[str, Any] = dict.fromkeys(
    (
        "Peer",
        "Port",
        "ID",
        "PartyName",
        "Text",
        "TimeSent",
        "IsOutbound",
        "Counter",
        "Model",
        "TrackingId",
        "ChatId",
    ),
    ANY,
)
"""Members of ChatSentenceInfo (4.2). Any JSON type is let through, so that wrong types can be sent."""

CALL_OPTIONS: dict[str, Any] = {**SIGNING_FIELDS, "background": (bool,), "envelope_id": (str,), "omit": (list,)}
"""Members of every control call that posts: spoil the signature, do not wait for the answer, leave members out."""

RAW_FIELDS: dict[str, Any] = {
    "body": ANY,
    "hex": (str,),
    "path": (str,),
    "method": (str,),
    "headers": (dict,),
    **SIGNING_FIELDS,
}

SHARED_USAGE = """\
  messages; SEL names {select}
  POST   /_sim/say              {{SEL,"text":"Hi"}}: a sentence; the answer shows its state (Pending until the echo)
             "texts":["a","b"]: all in one array; "id": another ID (an old one with the same text is a retry);
             "model": 2 note, 4 panel, 6 navigation, 8 co-browsing; any member of ChatSentenceInfo by its name
  POST   /_sim/type             {{SEL,"typing":true}}
  POST   /_sim/confirm          {{SEL}}: all that is not confirmed; "id": this one; "up_to": counter
  POST   /_sim/retry            {{SEL,"id":".."}}: a Pending or Failed sentence again, same ID
  POST   /_sim/status           {{SEL}}: complete status of the chat
  POST   /_sim/list             RESYNC, only the list
  POST   /_sim/resync           the whole recovery of 5.5: list, status of each, merge, failed ones again, confirms
  POST   /_sim/batch            {{"messages":[{{"Msg":"..","Body":{{}}}},..]}}: one array, as it is
  POST   /_sim/raw              {{"body": text or JSON | "hex":"82a3..","path":"/messages","method":"POST","headers":{{}}}}
             all of them: unsigned, wrong_signature, unknown_key, old_time, same_nonce; where a message is made also
             "background":true (do not wait), "envelope_id":"..", "omit":["Text",..]
  settings (GET shows, POST changes)
  /_sim/behaviour    {{"confirm":"received|on_command","confirm_in_reply":false,"retry":"auto|manual","max_attempts":3,
                      "retry_envelope":"auto|same|fresh","respond_async":false,"recover":"auto|manual"}}
  /_sim/format       {{"body":"json|msgpack","content_type":null,"accept":null,"dates":"extension|text",
                      "guids":"text|bytes"}}
  /_sim/polling      {{"on":true,"max":50,"wait":5}}          POST /_sim/poll  {{"after":0,"max":50,"wait":0}}: once
  /_sim/clock        {{"advance_ms":20000}}: the clock of the deadlines (20 s, typing), not that of signatures
  /_sim/call-faults  {{"match":"CHAT_SENTENCE|EVENTS","times":1,"skip":0,"lose_answer":true,"lose_request":true,
                      "duplicate":1,"parallel":false,"hold":2,"delay_ms":0,"wrong_signature":true,..}}   DELETE: disarm
             what goes wrong with own calls; match: regex on the names of the messages, EVENTS for polls;
             hold: keep so many calls back, then send them in reverse
  inspection
  GET    /_sim/chats            all chats                GET /_sim/chat?SEL        one, complete
  GET    /_sim/transcript?SEL   sentences by Counter     GET /_sim/commands        other messages and their answers
  GET    /_sim/events[?key=..][&msg=REGEX]               every envelope that came, in order, doubles marked
  GET    /_sim/sent             every call made          GET /_sim/anomalies       gap, double, conflict, disorder ..
"""


def raw_body(data: dict[str, Any]) -> bytes:
    """The body of ``POST /_sim/raw``: bytes in hex, a text as it is, anything else as JSON."""
    if "hex" in data:
        try:
            return bytes.fromhex(data["hex"])
        except ValueError as problem:
            raise ControlError(f"'hex' is not hexadecimal: {problem}") from problem
    body = data.get("body")
    if isinstance(body, str):
        return body.encode("utf-8", errors="surrogatepass")
    return b"" if body is None else json.dumps(body).encode()


class Control:
    """The routes. `pick` finds the client that a call means, by the members `where`; `key_name` names a chat."""

    def __init__(
        self,
        pick: Callable[[dict[str, Any]], Client],
        every: Callable[[], Sequence[Client]],
        where: tuple[str, ...],
        key_name: str,
    ) -> None:
        self.pick = pick
        self.every = every
        self.where: dict[str, Any] = dict.fromkeys(where, (str,))
        self.key_name = key_name

    def usage(self) -> str:
        """The sheet of these routes."""
        names = [f'"{one}":".."' for one in (*self.where, self.key_name)]
        return SHARED_USAGE.format(select=" and ".join(names) + " (left out: the only one, the newest chat)")

    # -- which client, which chat --------------------------------------------------------------------------------

    async def read(
        self, request: web.Request, fields: dict[str, Any], required: tuple[str, ...] = ()
    ) -> tuple[Client, dict[str, Any]]:
        """The client a call means, and its checked body."""
        data = await read_fields(request, {**self.where, **fields}, required)
        return self.pick(data), data

    async def read_chat(
        self, request: web.Request, fields: dict[str, Any], required: tuple[str, ...] = ()
    ) -> tuple[Client, str, dict[str, Any]]:
        """The client, the chat (the newest when none is named) and the body. A chat need not be known."""
        client, data = await self.read(request, {self.key_name: (str,), **fields}, required)
        return client, self.key_of(client, data), data

    def key_of(self, client: Client, data: dict[str, Any]) -> str:
        """The chat that a call names, else the newest."""
        given: str | None = data.get(self.key_name)
        if given:
            return given
        if not client.threads:
            raise ControlError(f"there is no chat yet; give '{self.key_name}'")
        return list(client.threads)[-1]

    def thread_of(self, request: web.Request) -> tuple[Client, Thread]:
        """The chat that a GET names, which has to be known."""
        query = dict(request.query)
        client = self.pick(query)
        key = self.key_of(client, query)
        if key not in client.threads:
            raise ControlError(f"no chat with this '{self.key_name}'", status=404)
        return client, client.threads[key]

    # -- posting -------------------------------------------------------------------------------------------------

    @staticmethod
    async def post(client: Client, items: Sequence[Outgoing], data: dict[str, Any], **more: Any) -> web.Response:
        """Post messages as a control call asks, and show what became of them."""
        for name in data.get("omit", []):
            for one in items:
                one.body.pop(name, None)
        spoil = {name: True for name in SIGNING_FIELDS if data.get(name)}
        work = client.post(
            items, spoil=spoil, envelope_id=data.get("envelope_id"), as_array=data.get("as_array", False)
        )
        if data.get("background"):
            client.tasks.start(work)
            return json_answer({"started": True, **more}, status=202)
        answers = await work
        shown = [one.as_json() for one in items]
        return Control.answer(answers, **({"sent": shown} if len(shown) > 1 else shown[0]), **more)

    @staticmethod
    def answer(answers: Sequence[Answer], **more: Any) -> web.Response:
        """The first answer with whatever else is to be shown; 502 when Deskbridge could not be reached."""
        first = answers[0]
        shown = {"http_status": first.http_status, "lost": first.lost, **more, "answer": first.body}
        if first.error is not None:
            shown["error"] = first.error
        if len(answers) > 1:
            shown["answers"] = [{"http_status": one.http_status, "answer": one.body} for one in answers]
        return json_answer(shown, status=200 if first.error is None else 502)

    async def say(self, request: web.Request) -> web.Response:
        """A sentence, or several in one array."""
        client, key, data = await self.read_chat(
            request,
            {"text": (str,), "texts": (list,), "id": (str,), "model": (int,), **CALL_OPTIONS, **SENTENCE_FIELDS},
        )
        texts = data.get("texts") or [data.get("text")]
        if data.get("text") is None and not data.get("texts") and "Text" not in data:
            raise ControlError("'text' is missing")
        if len(texts) > 1 and "id" in data:
            raise ControlError("'id' goes with one 'text'")
        members = {name: value for name, value in data.items() if name in SENTENCE_FIELDS}
        members |= {name: data[given] for name, given in (("ID", "id"), ("Model", "model")) if given in data}
        items = [client.compose(key, members if text is None else {"Text": text, **members}) for text in texts]
        return await self.post(client, items, {**data, "as_array": bool(data.get("texts"))})

    async def typing(self, request: web.Request) -> web.Response:
        """Typing, or not any more."""
        client, key, data = await self.read_chat(request, {"typing": (bool,), **CALL_OPTIONS})
        body = client.command_body(key, IsTyping=data.get("typing", True))
        return await self.post(client, [client.command("CHAT_TYPING", key, body, None)], data)

    async def confirm(self, request: web.Request) -> web.Response:
        """Confirm sentences of the other side."""
        client, key, data = await self.read_chat(request, {"id": (str,), "up_to": (int,), **CALL_OPTIONS})
        ids = [data["id"]] if "id" in data else client.thread(key).to_confirm(data.get("up_to"))
        if not ids:
            return json_answer({"http_status": None, "sent": []})
        return await self.post(client, [client.confirm_command(key, one) for one in ids[:25]], data)

    async def retry(self, request: web.Request) -> web.Response:
        """A sentence again, by hand."""
        client, key, data = await self.read_chat(request, {"id": (str,), **CALL_OPTIONS}, required=("id",))
        own = client.threads[key].own if key in client.threads else []
        found = [one for one in own if one.sentence_id == data["id"] and one.state not in ("Accepted", "Confirmed")]
        if not found:
            raise ControlError("no sentence with this 'id' is Pending, Failed or Refused")
        return await self.post(client, found[:1], data)

    async def status(self, request: web.Request) -> web.Response:
        """The complete status of one chat."""
        client, key, data = await self.read_chat(request, CALL_OPTIONS)
        return await self.post(
            client, [client.command("CHAT_STATUS", key, client.status_body(key), ANSWER_SECONDS)], data
        )

    async def list_chats(self, request: web.Request) -> web.Response:
        """RESYNC and nothing else."""
        client, data = await self.read(request, CALL_OPTIONS)
        return await self.post(
            client, [client.command("CHAT_RESYNC", None, client.command_body(None), ANSWER_SECONDS)], data
        )

    async def resync(self, request: web.Request) -> web.Response:
        """The whole recovery."""
        client, data = await self.read(request, {"background": (bool,)})
        if data.get("background"):
            client.tasks.start(client.recover())
            return json_answer({"started": True}, status=202)
        return json_answer(await client.recover())

    async def batch(self, request: web.Request) -> web.Response:
        """Any messages in one array; those that expect an answer are minded like the others."""
        client, data = await self.read(request, {"messages": (list,), **CALL_OPTIONS}, required=("messages",))
        items: list[Outgoing] = []
        for one in data["messages"]:
            check_fields(one, {"Msg": (str,), "Body": ANY}, required=("Msg",))
            body = one.get("Body")
            key = body.get(client.role.key) if isinstance(body, dict) else None
            if one["Msg"].endswith("_CHAT_SENTENCE") and isinstance(key, str):
                items.append(client.compose(key, body))
                continue
            command = Command(one["Msg"], key if isinstance(key, str) else None, body, None)
            client.commands.append(command)
            items.append(command)
        return await self.post(client, items, {**data, "as_array": True})

    async def raw(self, request: web.Request) -> web.Response:
        """Sign and send anything below the own URL."""
        client, data = await self.read(request, RAW_FIELDS)
        headers, path = data.get("headers", {}), data.get("path", "/messages")
        if not all(isinstance(value, str) for value in headers.values()):
            raise ControlError("'headers' must map names to strings")
        if path and not path.startswith(("/", "?")):
            raise ControlError("'path' must start with '/'")
        answers = await client.caller.send(
            data.get("method", "POST").upper(),
            path,
            raw_body(data),
            ["raw"],
            content=data.get("hex", data.get("body")),
            headers=headers,
            spoil=data,
        )
        return self.answer(answers, headers=answers[0].headers)

    # -- settings ------------------------------------------------------------------------------------------------

    async def show_behaviour(self, request: web.Request) -> web.Response:
        """The choices in force."""
        return json_answer(self.pick(dict(request.query)).behaviour.__dict__)

    async def set_behaviour(self, request: web.Request) -> web.Response:
        """Change some of the choices."""
        client, data = await self.read(request, BEHAVIOUR_FIELDS)
        client.behaviour.change({name: value for name, value in data.items() if name in BEHAVIOUR_FIELDS})
        return json_answer(client.behaviour.__dict__)

    async def show_format(self, request: web.Request) -> web.Response:
        """How bodies are written."""
        return json_answer(self.pick(dict(request.query)).caller.form.__dict__)

    async def set_format(self, request: web.Request) -> web.Response:
        """Replace the format; members left out have their default."""
        client, data = await self.read(request, FORMAT_FIELDS)
        client.caller.form = Format.from_control({name: data[name] for name in data if name in FORMAT_FIELDS})
        return json_answer(client.caller.form.__dict__)

    async def show_polling(self, request: web.Request) -> web.Response:
        """Whether events are fetched, and how far they are."""
        client = self.pick(dict(request.query))
        return json_answer({**client.polling.__dict__, "cursor": client.cursor})

    async def set_polling(self, request: web.Request) -> web.Response:
        """Start, change or stop fetching events."""
        client, data = await self.read(request, POLLING_FIELDS)
        chosen = {name: data[name] for name in data if name in POLLING_FIELDS}
        client.set_polling(Polling(**{**client.polling.__dict__, **chosen}))
        return json_answer({**client.polling.__dict__, "cursor": client.cursor})

    async def poll(self, request: web.Request) -> web.Response:
        """Fetch events once."""
        client, data = await self.read(request, {"after": (int,), "max": (int,), "wait": (int,)})
        answer = await client.poll(data.get("after"), data.get("max"), data.get("wait", 0))
        return self.answer([answer], cursor=client.cursor)

    async def show_clock(self, _: web.Request) -> web.Response:
        """How far the clock is ahead."""
        return json_answer({"ahead_ms": int(self.every()[0].clock.offset * 1000)})

    async def advance_clock(self, request: web.Request) -> web.Response:
        """Move the clock of the deadlines; what is due is done before the answer."""
        data = await read_fields(request, {"advance_ms": (int,)}, required=("advance_ms",))
        for clock in {id(one.clock): one.clock for one in self.every()}.values():
            clock.advance(data["advance_ms"] / 1000)
        for client in self.every():
            client.tick()
            client.changed()
        return await self.show_clock(request)

    async def show_call_faults(self, request: web.Request) -> web.Response:
        """The call faults that are armed."""
        return json_answer([one.as_json() for one in self.pick(dict(request.query)).caller.faults.faults])

    async def add_call_fault(self, request: web.Request) -> web.Response:
        """Arm a call fault."""
        data = await read_json(request)
        chosen = {name: data.pop(name) for name in self.where if isinstance(data, dict) and name in data}
        fault = CallFault.from_control(data)
        self.pick(chosen).caller.faults.faults.append(fault)
        return json_answer(fault.as_json(), status=201)

    async def drop_call_faults(self, request: web.Request) -> web.Response:
        """Disarm all call faults; held calls go out."""
        return json_answer({"removed": self.pick(dict(request.query)).caller.faults.clear()})

    # -- inspection ----------------------------------------------------------------------------------------------

    async def show_chats(self, request: web.Request) -> web.Response:
        """All chats."""
        client = self.pick(dict(request.query))
        return json_answer([one.as_json(client.clock.now()) for one in client.threads.values()])

    async def show_chat(self, request: web.Request) -> web.Response:
        """One chat."""
        client, thread = self.thread_of(request)
        return json_answer(thread.as_json(client.clock.now()))

    async def show_transcript(self, request: web.Request) -> web.Response:
        """The sentences of one chat."""
        return json_answer(self.thread_of(request)[1].sentences())

    async def show_commands(self, request: web.Request) -> web.Response:
        """Messages other than sentences."""
        return json_answer([one.as_json() for one in self.pick(dict(request.query)).commands])

    async def show_events(self, request: web.Request) -> web.Response:
        """Every envelope that came."""
        query = dict(request.query)
        events = self.pick(query).arrivals.events
        wanted = query.get("key")
        pattern = compile_regex(query.get("msg", ""), "msg")
        return json_answer([one for one in events if wanted in (None, one["key"]) and pattern.search(str(one["msg"]))])

    async def show_sent(self, request: web.Request) -> web.Response:
        """Every call made."""
        return json_answer(self.pick(dict(request.query)).caller.records)

    async def show_anomalies(self, request: web.Request) -> web.Response:
        """What looked wrong."""
        client = self.pick(dict(request.query))
        return json_answer(
            {
                "counts": client.anomalies.counts(),
                "missing_seq": client.arrivals.missing(),
                "missing_counters": {
                    key: thread.missing_counters()
                    for key, thread in client.threads.items()
                    if thread.missing_counters()
                },
                "list": client.anomalies.entries,
            }
        )

    # -- routes --------------------------------------------------------------------------------------------------

    def routes(self) -> list[web.RouteDef]:
        """All of the above."""
        shown: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
            "behaviour": self.show_behaviour,
            "format": self.show_format,
            "polling": self.show_polling,
            "clock": self.show_clock,
            "call-faults": self.show_call_faults,
            "chats": self.show_chats,
            "chat": self.show_chat,
            "transcript": self.show_transcript,
            "commands": self.show_commands,
            "events": self.show_events,
            "sent": self.show_sent,
            "anomalies": self.show_anomalies,
        }
        done: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
            "say": self.say,
            "type": self.typing,
            "confirm": self.confirm,
            "retry": self.retry,
            "status": self.status,
            "list": self.list_chats,
            "resync": self.resync,
            "batch": self.batch,
            "raw": self.raw,
            "behaviour": self.set_behaviour,
            "format": self.set_format,
            "polling": self.set_polling,
            "poll": self.poll,
            "clock": self.advance_clock,
            "call-faults": self.add_call_fault,
        }
        return [
            *(web.get(f"/_sim/{name}", handler) for name, handler in shown.items()),
            *(web.post(f"/_sim/{name}", handler) for name, handler in done.items()),
            web.delete("/_sim/call-faults", self.drop_call_faults),
        ]
