"""A server just large enough to test FrontStage's chat counterparties; nothing but their tests may use it.

It keeps chats in memory, answers synchronously unless asked not to, and offers a chat to a workplace when a test says
so. Tests disturb it through `trouble` and `is_mute`.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgpack
import requests
from yarl import URL

from tests.simulators.frontstage_connector import PushVerifier, Signer

SECRET = "contract-demo-secret-001"
GATEWAY = "gw-chat"
PEER = "!DemoLink"
AGENTS = {
    "101": ("aaaaaaaa-0000-4000-8000-000000000101", "Jana"),
    "102": ("aaaaaaaa-0000-4000-8000-000000000102", "Petr"),
}
TIME = "2026-01-01T00:00:00.000Z"


def refusal(code: str) -> dict[str, Any]:
    """An error of 10.6."""
    return {"Code": code, "Message": code, "Field": None, "Retryable": False}


@dataclass
class Stream:
    """What waits for one gateway or workplace. `done` are replies that travelled in an answer."""

    name: str
    events: list[dict[str, Any]] = field(default_factory=list)
    done: set[int] = field(default_factory=set)
    oldest: int = 1

    def put(self, msg: str, body: Any, in_reply_to: str | None = None) -> dict[str, Any]:
        """One more envelope."""
        seq = len(self.events) + 1
        envelope = {
            "Msg": msg,
            "Id": str(uuid.uuid4()),
            "Time": TIME,
            "Seq": seq,
            "InReplyTo": in_reply_to,
            "Body": body,
        }
        self.events.append(envelope)
        return envelope

    def after(self, cursor: int) -> list[dict[str, Any]]:
        """What a poll gets."""
        return [one for one in self.events if one["Seq"] > cursor and one["Seq"] not in self.done]


@dataclass
class Chat:
    """One chat."""

    tracking_id: str
    chat_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "Pilot"
    workplace: str | None = None
    sentences: list[dict[str, Any]] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)


class FakeFrontStage:
    """The server: `url` is its base, `requests` what came, `trouble` what the next posts get instead of an answer."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.streams = {name: Stream(name) for name in (GATEWAY, *AGENTS)}
        self.verifiers = {name: PushVerifier(Signer(f"k-{name}", SECRET.encode())) for name in self.streams}
        self.chats: dict[str, Chat] = {}
        self.answers: dict[tuple[str, str], dict[str, Any]] = {}
        self.requests: list[dict[str, Any]] = []
        self.trouble: list[int | str] = []
        self.is_mute = False
        self.is_down = False
        outer = self

        class RequestHandler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                """Check the signature, answer."""
                outer.answer_http(self)

            do_GET = do_POST = handle_one

            def log_message(self, *_: Any) -> None:
                """Stay quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), RequestHandler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/frontstage"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """No more."""
        self.server.shutdown()
        self.server.server_close()

    # -- HTTP ----------------------------------------------------------------------------------------------------

    def answer_http(self, http: BaseHTTPRequestHandler) -> None:
        """One request."""
        raw = http.rfile.read(int(http.headers.get("Content-Length", 0)))
        parts = urlsplit(http.path)
        name = parts.path.removeprefix("/v1/frontstage/").removeprefix("workplaces/").split("/")[0]
        is_packed = "msgpack" in http.headers.get("Content-Type", "")
        body = (msgpack.unpackb(raw) if is_packed else json.loads(raw)) if raw else None
        verdict = self.verifiers[name].verdict(
            http.command, parts.path, parts.query, dict(http.headers), raw, time.time()
        )
        self.requests.append({"path": http.path, "headers": dict(http.headers), "raw": raw, "body": body})
        trouble = self.trouble.pop(0) if self.trouble and http.command == "POST" else None
        if self.is_down or trouble == "drop":
            http.close_connection = True
            return
        status, answer = 401, {"Error": refusal("Unauthorized")}
        if isinstance(trouble, int):
            status, answer = trouble, {"Error": {**refusal("Unavailable"), "Retryable": True}}
        elif verdict == "ok" and http.command == "GET":
            status, answer = self.poll(self.streams[name], parse_qs(parts.query))
        elif verdict == "ok":
            is_async = http.headers.get("Prefer") == "respond-async"
            with self.changed:
                status, answer = self.post(self.streams[name], body, is_async=is_async)
                self.changed.notify_all()
        is_packed = "msgpack" in http.headers.get("Accept", "")
        payload = msgpack.packb(answer) if is_packed else json.dumps(answer).encode()
        # A poll that waits may be given up by its client at any time.
        with suppress(ConnectionError):
            http.send_response(status)
            http.send_header("Content-Type", "application/vnd.msgpack" if is_packed else "application/json")
            http.send_header("Content-Length", str(len(payload)))
            if status == 429:
                http.send_header("Retry-After", "0")
            http.end_headers()
            http.wfile.write(payload)

    def poll(self, stream: Stream, query: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """``GET events`` (10.3)."""
        after, most, wait = (int(query[name][0]) for name in ("after", "max", "wait"))
        with self.changed:
            if after + 1 < stream.oldest:
                return 410, {"Error": refusal("CursorExpired"), "Next": stream.oldest - 1}
            self.changed.wait_for(lambda: stream.after(after), timeout=wait)
            events = stream.after(after)[:most]
            upto = events[-1]["Seq"] if events else max(after, len(stream.events))
            return 200, {"Events": events, "Next": upto, "More": len(stream.after(upto)) > 0}

    def post(self, stream: Stream, body: Any, *, is_async: bool) -> tuple[int, dict[str, Any]]:
        """``POST messages`` (10.2)."""
        envelopes = body if isinstance(body, list) else [body]
        results, replies = [], []
        for envelope in envelopes:
            known = self.answers.get((stream.name, envelope["Id"]))
            if known is None:
                error, answers = self.handle(stream, envelope["Msg"], envelope.get("Body"), envelope["Id"])
                known = {"Outcome": "Rejected" if error else "Accepted", "Error": error, "Replies": answers}
                self.answers[(stream.name, envelope["Id"])] = {
                    **known,
                    "Outcome": "Duplicate" if not error else "Rejected",
                }
            results.append(
                {"Id": envelope["Id"], "Msg": envelope["Msg"], **{k: known[k] for k in ("Outcome", "Error")}}
            )
            replies += known["Replies"]
        if is_async:
            return 202, {"Results": results, "Replies": []}
        stream.done.update(one["Seq"] for one in replies)
        is_refused = not isinstance(body, list) and results[0]["Error"]
        return 409 if is_refused else 200, {"Results": results, "Replies": replies}

    def push(self, url: str, envelopes: list[dict[str, Any]] | None = None, **spoil: Any) -> requests.Response:
        """Push what waits for the gateway (10.3), and take the messages of the answer as if they had been posted."""
        stream = self.streams[GATEWAY]
        sent = stream.after(0) if envelopes is None else envelopes
        body = json.dumps(sent).encode()
        headers = Signer(f"k-{GATEWAY}", SECRET.encode()).headers("POST", URL(url), body, spoil)
        answer = requests.post(url, data=body, headers={**headers, "Content-Type": "application/json"}, timeout=10)
        if answer.status_code == 200:
            stream.done.update(one["Seq"] for one in sent)
            if answer.json()["Messages"]:
                self.post(stream, answer.json()["Messages"], is_async=True)
        return answer

    # -- messages ------------------------------------------------------------------------------------------------

    def handle(self, stream: Stream, msg: str, body: Any, envelope_id: str) -> tuple[dict[str, Any] | None, list[Any]]:
        """One message: what is wrong with it, and its replies."""
        name = msg.partition("_")[2]
        side = "SE" if stream.name == GATEWAY else "SC"

        def reply(reply_name: str, content: Any) -> list[dict[str, Any]]:
            return [stream.put(f"{side}_{reply_name}", content, envelope_id)]

        if name == "CHAT_REQUEST":
            key = body["TrackingId"]
            return None, reply(
                "CHAT_RESPONSE", {"Peer": PEER, "TrackingId": key, "Signal": "Free", "ScenarioModel": None}
            )
        if name == "SCENARIO_LOAD":
            return None, reply(
                "SCENARIO_MODEL", {"ScenarioId": body["Id"], "Culture": body["Reference"], "Screens": []}
            )
        if name == "SCENARIO_SAVE":
            return None, []
        if name == "CHAT_RESYNC":
            return None, reply("CHAT_LIST", [self.status(one, side) for one in self.active(stream.name)])
        if name == "CHAT_START":
            started = self.chats.setdefault(body["TrackingId"], Chat(body["TrackingId"]))
            return None, reply("CHAT_STATUS", self.status(started, side, complete=True))
        chat = self.find(body)
        if chat is None:
            return refusal("UnknownChat"), []
        if name == "CHAT_STATUS":
            return None, reply("CHAT_STATUS", self.status(chat, side, complete=True))
        if name == "CHAT_SENTENCE":
            return self.take_sentence(chat, stream, side, body, envelope_id)
        if name in ("CHAT_TYPING", "CHAT_CONFIRM"):
            self.relay(chat, stream, name, body)
            return None, []
        return self.change_state(chat, stream, side, name, envelope_id)

    def change_state(
        self, chat: Chat, stream: Stream, side: str, name: str, envelope_id: str
    ) -> tuple[dict[str, Any] | None, list[Any]]:
        """Stop, answer, hang up (5.1)."""
        if name == "CHAT_ANSWER" and chat.workplace != stream.name:
            return refusal("AlertOver"), []
        is_refusal = name == "CHAT_HANGUP" and chat.status == "Alerting"
        chat.status = "Waiting" if is_refusal else "Answered" if name == "CHAT_ANSWER" else "Closed"
        if chat.status == "Waiting":
            chat.workplace = None
        replies = [stream.put(f"{side}_CHAT_STATUS", self.status(chat, side, complete=True), envelope_id)]
        if side == "SC":
            self.streams[GATEWAY].put("SE_CHAT_STATUS", self.status(chat, "SE"))
        elif chat.workplace:
            self.streams[chat.workplace].put("SC_CHAT_STATUS", self.status(chat, "SC"))
        return None, replies

    def take_sentence(
        self, chat: Chat, stream: Stream, side: str, body: dict[str, Any], envelope_id: str
    ) -> tuple[dict[str, Any] | None, list[Any]]:
        """Store a sentence once, echo it each time (5.2)."""
        if chat.status == "Closed":
            return refusal("ChatClosed"), []
        outbound = side == "SC"
        facts = {"ID": body["ID"], "Text": body["Text"], "Model": body.get("Model", 0), "IsOutbound": outbound}
        stored = next((one for one in chat.sentences if facts.items() <= one.items()), None)
        if stored is None:
            stored = {**facts, "PartyName": body.get("PartyName"), "TimeSent": TIME, "ConfirmedTime": None}
            if facts["Model"] in (0, 2):
                stored["Counter"] = len(chat.sentences) + 1
                chat.sentences.append(stored)
            else:
                stored["Counter"] = 0
                chat.values[{4: "Panel", 6: "Navigation", 8: "CoBrowsingData"}[facts["Model"]]] = stored
            other = GATEWAY if outbound else chat.workplace
            if other:
                self.streams[other].put(
                    f"{'SE' if outbound else 'SC'}_CHAT_SENTENCE", self.addressed(chat, other, stored)
                )
        if self.is_mute:
            return None, []
        return None, [stream.put(f"{side}_CHAT_SENTENCE", self.addressed(chat, stream.name, stored), envelope_id)]

    def relay(self, chat: Chat, stream: Stream, name: str, body: dict[str, Any]) -> None:
        """Typing and confirms go to the other side."""
        from_agent = stream.name != GATEWAY
        if name == "CHAT_CONFIRM":
            for one in chat.sentences:
                if one["ID"] == body["ID"] and one["IsOutbound"] != from_agent:
                    one["ConfirmedTime"] = one["ConfirmedTime"] or TIME
        other = GATEWAY if from_agent else chat.workplace
        if other:
            facts: dict[str, Any] = {key: body[key] for key in ("ID", "IsTyping") if key in body}
            self.streams[other].put(f"{'SE' if from_agent else 'SC'}_{name}", self.addressed(chat, other, facts))

    # -- what the server would decide -----------------------------------------------------------------------------

    def offer(self, tracking_id: str, workplace: str, seconds: int = 30) -> Chat:
        """Alert an agent."""
        with self.changed:
            chat = self.chats[tracking_id]
            chat.status, chat.workplace = "Alerting", workplace
            self.streams[GATEWAY].put("SE_CHAT_STATUS", self.status(chat, "SE"))
            self.streams[workplace].put("SC_CHAT_ALERT", self.status(chat, "SC", seconds=seconds))
            self.changed.notify_all()
        return chat

    def end_alert(self, tracking_id: str) -> None:
        """The alert was not answered in time."""
        with self.changed:
            chat = self.chats[tracking_id]
            assert chat.workplace is not None
            self.streams[chat.workplace].put("SC_CHAT_ALERT_END", {"Peer": chat.workplace, "ChatId": chat.chat_id})
            chat.status, chat.workplace = "Waiting", None
            self.changed.notify_all()

    def emit(self, stream: str, msg: str, body: Any) -> None:
        """Anything."""
        with self.changed:
            self.streams[stream].put(msg, body)
            self.changed.notify_all()

    # -- views ---------------------------------------------------------------------------------------------------

    def active(self, stream: str) -> list[Chat]:
        """What RESYNC lists."""
        return [one for one in self.chats.values() if one.status != "Closed" and stream in (GATEWAY, one.workplace)]

    def find(self, body: dict[str, Any]) -> Chat | None:
        """The chat a message is about."""
        names = (body.get("TrackingId"), body.get("ChatId"))
        return next((one for one in self.chats.values() if one.tracking_id in names or one.chat_id in names), None)

    @staticmethod
    def addressed(chat: Chat, stream: str, facts: dict[str, Any]) -> dict[str, Any]:
        """Members that name the chat, and others."""
        if stream == GATEWAY:
            return {"Peer": PEER, "Port": None, "TrackingId": chat.tracking_id, **facts}
        return {"Peer": stream, "ChatId": chat.chat_id, **facts}

    def status(self, chat: Chat, side: str, *, complete: bool = False, seconds: int = 30) -> dict[str, Any]:
        """ChatStatusInfo (4.2)."""
        stream = GATEWAY if side == "SE" else str(chat.workplace)
        agent_id, agent_name = AGENTS[chat.workplace] if chat.workplace and chat.status == "Answered" else (None, None)
        facts: dict[str, Any] = {
            "ChatId": chat.chat_id,
            "Status": chat.status,
            "AgentId": agent_id,
            "AgentName": agent_name,
            "Sentences": [self.addressed(chat, stream, one) for one in chat.sentences] if complete else None,
            **{name: chat.values.get(name) for name in ("Panel", "Navigation", "CoBrowsingData")},
        }
        if side == "SC":
            facts["Info"] = {
                "RemotePartyName": "Eva",
                "MaxSignalDuration": seconds,
                "ProjectName": "Sales",
                "WaitingTime": 7,
            }
        return self.addressed(chat, stream, facts)
