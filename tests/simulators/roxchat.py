"""Rox.Chat: the Agent Workspace for a frame, the server's interfaces, and the webhooks and bot calls it makes.

Run: ``python -m tests.simulators.roxchat --port 9110 --app http://127.0.0.1:9000``
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import sys
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import aiohttp
from aiohttp import web

from tests.simulators.common import (
    ANY,
    CONTROL_PREFIX,
    MAX_BODY_BYTES,
    PAGE_HEADERS,
    BackgroundTasks,
    ControlError,
    FaultScript,
    RequestLog,
    control_middleware,
    given_route,
    json_answer,
    json_or_text,
    open_client,
    own_pages_only,
    page_routes,
    platform_middleware,
    read_fields,
    run,
    shared_routes,
)

USAGE = """Rox.Chat simulator

The workspace: GET /workspace/, for the frame of a host page whose origin is allowed.
The server: GET /api/v{2,3,4}/operators, /chat?id=, /chats?since= (Basic auth of an administrator);
POST /api/bot/v2/send_message, /redirect_chat, /close_chat (Authorization: Token); POST /api/v2/rt/provide_visitor_fields.

GET    /_sim/page                        for a person: visitors write, agents answer and close, webhooks are seen
GET    /_sim/crm?agent=&name=            as the CRM does: on to the host page, with a ticket for this agent
GET    /_sim/feed?after=                 what open workspaces post, from that number on
GET    /_sim/state                       visitors, chats, settings, deliveries of webhooks and bot calls
POST   /_sim/visitors/{key}/write {"text","kind"?}
                                         the visitor writes; without an open chat a new one begins
POST   /_sim/visitors/{key}/select        the agent opens the chat with them
POST   /_sim/visitors/{key}/sign-in {"id"?,"as"?}
                                         they sign in at the shop; as: key of the visitor that they turn out to be
POST   /_sim/chats/{id}/agent {"text","kind"?}
                                         the agent writes
POST   /_sim/chats/{id}/close             the agent closes it: a message opens it again, under the same id
POST   /_sim/chats/{id}/finish            it is finally closed
POST   /_sim/notify {"text","kind"?,"session"?}, POST /_sim/notifications/{id}/remove
POST   /_sim/emit {"data"}                anything at all, posted by every open workspace
POST   /_sim/answer {"how","shape"?}      how open workspaces answer commands: none, visitorSelected, newMessageAdded, or a code
POST   /_sim/settings {"chat_started_handler_url"?,"chat_assigned_handler_url"?,"chat_closed_handler_url"?,"bot_url"?,
                       "version"?,"encoding"?,"delay_ms"?,"page_size"?,"cursor_as_text"?,"allowed"?}
                                         version of webhooks: 2, 3, 4; encoding: form, json; allowed: origins of host pages
POST   /_sim/webhook {"event","chat"?,"fault"?,"url"?}
                                         one webhook now; chat: a text that goes out as it is; fault: wrong, other_key, tampered,
                                         missing, upper, twice. Told: what was sent, and the status
POST   /_sim/bot {"event","chat_id","message"?}
                                         one call of the bot now
POST   /_sim/sign {"fields","expires","variant"?}
                                         the hash of a visitor's fields (section 9.5); variant: hmac, sha256
POST   /_sim/reset                       back to the start
GET    /_sim/requests?path=&method=      what came in
GET    /_sim/faults, POST, DELETE        scripted failures: {"path","method"?,"times"?,"skip"?,"status"?,"body"?,
                                         "headers"?,"delay_ms"?,"drop"?,"effect"?,"chance"?,"seed"?,"envelope"?};
                                         envelope: error, which with the status 200 is how this platform tells of most errors
"""

HERE = Path(__file__).resolve().parent
WORKSPACE = HERE / "workspace"
PAGE = HERE / "rox_page"
PAGE_FILES = {"": PAGE / "index.html", "/page.js": PAGE / "page.js", "/page.css": PAGE / "page.css"}
ADMINISTRATOR = "admin@acme.example"
SUPERVISOR = "supervisor@acme.example"
"""May sign in, and may not export (section 9.2: 403)."""
MOST_ATTEMPTS = 10
"""With a wrong password, until 403 is the answer to everything; the number is not published."""
DEPARTMENT = "sales"
EVENTS = ("chat_started", "chat_assigned", "chat_closed")
FIRST_CHAT = 55102
FAULTS = ("wrong", "other_key", "tampered", "missing", "upper", "twice")
SETTINGS: dict[str, Any] = {
    "chat_started_handler_url": (str, type(None)),
    "chat_assigned_handler_url": (str, type(None)),
    "chat_closed_handler_url": (str, type(None)),
    "bot_url": (str, type(None)),
    "version": (int,),
    "encoding": (str,),
    "delay_ms": (int,),
    "page_size": (int,),
    "cursor_as_text": (bool,),
    "allowed": (list,),
}
OPERATORS = [
    {
        "id": 7,
        "full_name": "Jana Novotná",
        "email": "jana@acme.example",
        "status": "online",
        "roles": ["operator"],
        "created_at": "2025-01-07T08:00:00Z",
    },
    {
        "id": 1,
        "full_name": "Petr Admin",
        "email": ADMINISTRATOR,
        "status": "offline",
        "roles": ["admin", "supervisor"],
        "created_at": "2024-11-02T08:00:00Z",
    },
]


def hex_id(number: int, salt: str) -> str:
    """32 lower-case hex digits, as ids of Rox.Chat look."""
    return hashlib.md5(f"{salt}-{number}".encode(), usedforsecurity=False).hexdigest()


def iso(micros: int) -> str:
    """ISO 8601 in UTC (section 9.2)."""
    return datetime.fromtimestamp(micros / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def fields_hash(fields: dict[str, str], expires: int, key: str, variant: str = "hmac") -> str:
    """The hash of a visitor's fields (section 9.5)."""
    message = "".join(fields[name] for name in sorted(fields)) + str(expires)
    if variant == "sha256":
        return hashlib.sha256((message + key).encode()).hexdigest()
    return hmac.new(key.encode(), message.encode(), hashlib.sha256).hexdigest()


def signed(claims: dict[str, Any], secret: str) -> str:
    """A token of HS256."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    text = ".".join(part(json.dumps(each).encode()) for each in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{text}.{part(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())}"


def checksum(version: int, chat: str, key: str) -> tuple[str, str]:
    """Name and value of what proves a webhook (section 9.1)."""
    if version == 4:
        return "signature", hmac.new(key.encode(), chat.encode(), hashlib.sha256).hexdigest()
    return "crc", hashlib.md5((chat + key).encode(), usedforsecurity=False).hexdigest()


@dataclass
class Visitor:
    """Somebody on the site, known by a cookie, and by an id of the shop's once they have signed in."""

    id: str
    session: str
    name: str
    fields: dict[str, str] = field(default_factory=dict)
    siebel: str | None = None
    channel: dict[str, str] | None = None

    @property
    def provided(self) -> str | None:
        """The shop's id."""
        return self.fields.get("id")


@dataclass
class Chat:
    """A chat with its messages. `modified` is in microseconds since the epoch, and no two chats have the same."""

    id: int
    visitor: str
    created: int
    modified: int
    state: str = "open"
    operator: int | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)


class Roxchat:
    """The simulator."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.log = RequestLog()
        self.faults = FaultScript({"error": lambda status: {"error": "scripted"}})
        self.background = BackgroundTasks()
        self.http: aiohttp.ClientSession | None = None
        self.forget()

    def forget(self) -> None:
        """The state at the start."""
        self.visitors = {
            "marta": Visitor(
                "9a41c07e5b6d4f3288d0e1f2a3b4c5d6",
                "77f0aa12bc34de56f7890123456789ab",
                "Marta Quintela",
                {"id": "AG-20417", "display_name": "Marta Quintela", "phone": "+351910000417", "email": "marta.q@example.com"},
                "7-3KXPL902",
                {"id": hex_id(1, "channel"), "type": "telegram", "user_id": "700417", "user_name": "Marta Q."},
            ),
            "anonymous": Visitor("1f0e2d3c4b5a69788796a5b4c3d2e1f0", "0c1d2e3f405162738495a6b7c8d9eafb", "Somebody on the site"),
        }
        self.chats: dict[int, Chat] = {}
        self.posts: list[Any] = []
        self.answer: dict[str, str] | None = None
        self.deliveries: list[dict[str, Any]] = []
        self.provided: list[Any] = []
        self.attempts = 0
        self.notifications = 0
        self.clock = 0
        self.settings: dict[str, Any] = {
            **{f"{event}_handler_url": None for event in EVENTS},
            "bot_url": None,
            "version": 4,
            "encoding": "form",
            "delay_ms": 0,
            "page_size": 50,
            "cursor_as_text": False,
            "allowed": list(self.options.allowed),
        }

    def now(self) -> int:
        """Microseconds since the epoch that only go forward."""
        self.clock = max(self.clock + 1, time.time_ns() // 1000)
        return self.clock

    # -- what happens in chats ---------------------------------------------------------------------------------------

    def visitor(self, key: str) -> Visitor:
        """One of them, by the name it has here."""
        if key not in self.visitors:
            raise ControlError(f"there is no visitor '{key}'; there are {', '.join(self.visitors)}")
        return self.visitors[key]

    def chat(self, number: Any) -> Chat:
        """One of them, by its id."""
        if str(number) not in map(str, self.chats):
            raise ControlError(f"there is no chat {number}")
        return self.chats[int(number)]

    def ids(self, one: Visitor, chat: Chat | None, session: bool = True) -> dict[str, Any]:
        """What events carry of a visitor (section 3.1)."""
        carried = {"roxchatVisitorId": one.id, "providedVisitorId": one.provided, "chatId": chat.id if chat else None}
        return carried | ({"sessionId": one.session} if session else {}) | {"siebelId": one.siebel}

    def post(self, event: str, params: dict[str, Any]) -> None:
        """To the page around every open workspace."""
        self.posts.append({"source": "roxchat", "event": event, "params": params})

    def open_chat(self, key: str) -> Chat | None:
        """The chat of a visitor that is not finally closed."""
        return next((one for one in self.chats.values() if one.visitor == key and one.state != "closed"), None)

    def say(self, chat: Chat, kind: str, text: str) -> dict[str, Any]:
        """A message of a chat, whoever wrote it."""
        at = self.now()
        message = {"id": hex_id(at, "message"), "kind": kind, "text": text, "at": at}
        chat.messages.append(message)
        chat.modified = at
        chat.state = "open"
        one = self.visitors[chat.visitor]
        self.post("newMessageAdded", {**self.ids(one, chat), "kind": kind, "messageText": text})
        return message

    def write(self, key: str, text: str, kind: str) -> Chat:
        """A visitor writes."""
        self.visitor(key)
        chat = self.open_chat(key)
        begins = chat is None
        if chat is None:
            at = self.now()
            chat = Chat(max(self.chats, default=FIRST_CHAT - 1) + 1, key, at, at)
            self.chats[chat.id] = chat
        message = self.say(chat, kind, text)
        if begins:
            self.send_later("chat_started", chat)
            chat.operator = OPERATORS[0]["id"]
            self.send_later("chat_assigned", chat)
        if self.settings["bot_url"]:
            call = self.bot_call("new_chat" if begins else "new_message", chat, message)
            self.background.start(self.deliver("bot", self.settings["bot_url"], call, "json"))
        return chat

    def close(self, chat: Chat) -> None:
        """The agent closes a chat, which is not final (section 3.3)."""
        chat.state = "closed_by_operator"
        chat.modified = self.now()
        one = self.visitors[chat.visitor]
        names = {"channelId": "id", "channelType": "type", "channelUserId": "user_id", "channelUserName": "user_name"}
        channel = {name: (one.channel or {}).get(member) for name, member in names.items()}
        self.post("chatClosedByOperator", {**self.ids(one, chat, session=False), **channel})

    def finish(self, chat: Chat) -> None:
        """A chat is finally closed."""
        chat.state = "closed"
        chat.modified = self.now()
        self.send_later("chat_closed", chat)

    # -- what the server sends ---------------------------------------------------------------------------------------

    def chat_text(self, chat: Chat) -> str:
        """The `chat` of a webhook: a string of JSON (section 9.1)."""
        categories = {
            2: {"category": "goods", "subcategory": "delivery"},
            3: {"categories": [["goods", "delivery"]]},
            4: {"category_ids": [17]},
        }[self.settings["version"]]
        one = self.visitors[chat.visitor]
        document = {
            "id": chat.id,
            "created_at": iso(chat.created),
            "locale": "en",
            "start_page": "https://shop.example/kettles",
            "department_key": DEPARTMENT,
            "visitor": {"id": one.id, "fields": one.fields},
            "messages": [self.exported(message, 3) for message in chat.messages],
        }
        return json.dumps(document | categories, ensure_ascii=False, separators=(",", ":"))

    def send_later(self, event: str, chat: Chat) -> None:
        """A webhook, if its address is set. Each is sent by itself: their order is not kept."""
        url = self.settings[f"{event}_handler_url"]
        if url:
            self.background.start(self.send_webhook(event, url, self.chat_text(chat), None, self.settings["delay_ms"]))

    async def send_webhook(self, event: str, url: str, chat: str, fault: str | None, delay_ms: int = 0) -> dict[str, Any]:
        """One webhook, with what proves it or, by `fault`, with what does not."""
        await asyncio.sleep(delay_ms / 1000)
        key = "0" * 32 if fault == "other_key" else self.options.private_key
        name, value = checksum(self.settings["version"], chat, key)
        if fault == "wrong":
            value = ("0" if value[0] != "0" else "1") + value[1:]
        if fault == "upper":
            value = value.upper()
        body = {"chat": chat.replace("{", '{"added":1,', 1) if fault == "tampered" else chat}
        if fault != "missing":
            body[name] = value
        told = await self.deliver(event, url, body, self.settings["encoding"])
        return await self.deliver(event, url, body, self.settings["encoding"]) if fault == "twice" else told

    def bot_call(self, event: str, chat: Chat, message: dict[str, Any] | None) -> dict[str, Any]:
        """What the bot is told (section 9.3)."""
        shown = None if message is None else {name: message[name] for name in ("id", "kind", "text")}
        if event == "new_message":
            return {"event": event, "chat_id": chat.id, "message": shown}
        one = self.visitors[chat.visitor]
        call = {"event": event, "chat": {"id": chat.id}, "visitor": {"id": one.id, "fields": one.fields}}
        return call if shown is None else {**call, "messages": [shown]}

    async def deliver(self, what: str, url: str, body: dict[str, Any], encoding: str) -> dict[str, Any]:
        """One request; credentials in the address become Basic auth."""
        parts = urlsplit(url)
        headers = {"Content-Type": "application/json" if encoding == "json" else "application/x-www-form-urlencoded"}
        if parts.username is not None:
            pair = f"{parts.username}:{parts.password or ''}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        if what == "bot":
            headers |= {"X-Bot-API-Dialect": "roxchat", "X-Bot-API-Version": "2.0"}
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        sent = json.dumps(body, ensure_ascii=False) if encoding == "json" else urlencode(body)
        told: dict[str, Any] = {"what": what, "url": bare, "sent": body, "status": None, "body": None}
        self.deliveries.append(told)
        assert self.http is not None
        try:
            async with self.http.post(bare, data=sent.encode(), headers=headers) as answer:
                told["status"] = answer.status
                told["body"] = json_or_text(await answer.read())
        except (aiohttp.ClientError, TimeoutError) as problem:
            told["body"] = type(problem).__name__
        return told

    # -- the server's interfaces -------------------------------------------------------------------------------------

    def refusal(self, request: web.Request) -> web.Response | None:
        """Of whoever may not export (section 9.2); None for an administrator."""
        if self.attempts >= MOST_ATTEMPTS:
            return json_answer({"error": "too-many-attempts"}, status=403)
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        known = {ADMINISTRATOR: self.options.admin_password, SUPERVISOR: self.options.admin_password}
        try:
            user, _, password = base64.b64decode(given, validate=True).decode().partition(":")
        except ValueError:
            user, password = "", ""
        if scheme.lower() != "basic" or known.get(user, "") != password or not password:
            self.attempts += 1
            return json_answer({"error": "unauthorized"}, status=401, headers={"WWW-Authenticate": "Basic"})
        return json_answer({"error": "forbidden"}, status=403) if user == SUPERVISOR else None

    def exported(self, message: dict[str, Any], version: int) -> dict[str, Any]:
        """A message as the export has it: the text's name depends on the version."""
        text = "text" if version >= 4 else "message"
        return {"id": message["id"], "kind": message["kind"], "created_at": iso(message["at"]), text: message["text"]}

    def exported_chat(self, chat: Chat, version: int) -> dict[str, Any]:
        """A chat as the export has it."""
        one = self.visitors[chat.visitor]
        as_text = self.settings["cursor_as_text"]
        return {
            "id": str(chat.id) if as_text else chat.id,
            "created_at": iso(chat.created),
            "operator_id": chat.operator,
            "visitor": {"id": one.id, "fields": one.fields},
            "messages": [self.exported(message, version) for message in chat.messages],
        }

    async def export(self, request: web.Request) -> web.Response:
        """The Stored Data API. Errors other than of the credentials are 200 (section 9.2)."""
        if (refusal := self.refusal(request)) is not None:
            return refusal
        version, what = int(request.match_info["version"]), request.match_info["what"]
        if what == "operators":
            return json_answer(OPERATORS)
        if what == "chat":
            number = request.query.get("id", "")
            if not number.isdecimal() or int(number) not in self.chats:
                return json_answer({"error": "chat-not-found"})
            return json_answer({"chat": self.exported_chat(self.chats[int(number)], version)})
        since = request.query.get("since", "")
        if not since.isdecimal():
            return json_answer({"error": "invalid-since"})
        later = sorted((one for one in self.chats.values() if one.modified > int(since)), key=lambda one: one.modified)
        page = later[: self.settings["page_size"]]
        last = page[-1].modified if page else int(since)
        return json_answer(
            {
                "chats": [self.exported_chat(one, version) for one in page],
                "last_ts": str(last) if self.settings["cursor_as_text"] else last,
                "more_chats_available": len(later) > len(page),
            }
        )

    async def bot(self, request: web.Request) -> web.Response:
        """The External Bot API (section 9.3)."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "token" or token != self.options.bot_token:
            return json_answer({"error": "unauthorized", "desc": "the token is not known"}, status=401)
        body = json_or_text(await request.read())
        if not isinstance(body, dict):
            return json_answer({"error": "invalid-json", "desc": "an object is expected"}, status=400)
        chat = self.chats.get(body.get("chat_id")) if isinstance(body.get("chat_id"), int) else None
        if chat is None:
            return json_answer({"error": "chat-not-found", "desc": "there is no such chat"})
        method = request.match_info["method"]
        if method == "close_chat":
            self.close(chat)
        elif method == "redirect_chat":
            operator = body.get("operator_id")
            if operator is not None and operator not in [one["id"] for one in OPERATORS]:
                return json_answer({"error": "operator-not-found", "desc": "there is no such operator"})
            chat.operator = operator
            self.send_later("chat_assigned", chat)
        elif (problem := self._bot_says(chat, body.get("message"))) is not None:
            return json_answer({"error": "invalid-message", "desc": problem})
        return json_answer({"result": "ok"})

    def _bot_says(self, chat: Chat, message: Any) -> str | None:
        """Take a bot's message; else why not."""
        if not isinstance(message, dict):
            return "message is not an object"
        kind = message.get("kind")
        if kind == "operator" and isinstance(message.get("text"), str) and message["text"]:
            self.say(chat, kind, message["text"])
        elif kind == "keyboard" and isinstance(rows := message.get("buttons"), list) and rows:
            self.say(chat, kind, " | ".join(button["text"] for row in rows for button in row))
        elif kind == "file_operator" and isinstance(data := message.get("data"), dict) and data.get("url"):
            self.say(chat, kind, str(data.get("name", "")))
        else:
            return "kind and content do not fit"
        return None

    async def provide(self, request: web.Request) -> web.Response:
        """The realtime API (section 9.4); its fields are not published, so any object is taken."""
        if (refusal := self.refusal(request)) is not None:
            return refusal
        body = json_or_text(await request.read())
        if not isinstance(body, dict):
            return json_answer({"error": "invalid-json"})
        self.provided.append(body)
        return json_answer({"result": "ok"})

    # -- the workspace -----------------------------------------------------------------------------------------------

    def workspace_file(self, name: str) -> Any:
        """A file of the workspace's page, which only the allowed origins may put into a frame."""

        async def show(_: web.Request) -> web.StreamResponse:
            around = " ".join(self.settings["allowed"]) or "'none'"
            policy = PAGE_HEADERS["Content-Security-Policy"].replace("frame-ancestors 'none'", f"frame-ancestors {around}")
            return web.FileResponse(WORKSPACE / name, headers={**PAGE_HEADERS, "Content-Security-Policy": policy})

        return show

    async def workspace_settings(self, _: web.Request) -> web.Response:
        """Where the page may post to, and from where on it follows what happens."""
        # Not below the workspace: what is asked twice a second would fill the log of requests.
        feed = {"url": CONTROL_PREFIX + "/feed", "after": len(self.posts)}
        return json_answer({"allowed": self.settings["allowed"], "feed": feed})

    async def control_feed(self, request: web.Request) -> web.Response:
        """What has happened since."""
        after = request.query.get("after", "")
        begins = int(after) if after.isdecimal() else len(self.posts)
        # After a reset there is less than the page has seen.
        posts = self.posts[begins:] if begins <= len(self.posts) else self.posts
        return json_answer({"posts": posts, "after": len(self.posts), "answer": self.answer})

    # -- control -----------------------------------------------------------------------------------------------------

    async def control_state(self, _: web.Request) -> web.Response:
        """What there is."""
        return json_answer(
            {
                "visitors": {key: asdict(one) for key, one in self.visitors.items()},
                "chats": [asdict(one) for one in self.chats.values()],
                "settings": self.settings,
                "deliveries": self.deliveries,
                "provided": self.provided,
                "posted": len(self.posts),
            }
        )

    async def control_write(self, request: web.Request) -> web.Response:
        """A visitor writes."""
        data = await read_fields(request, {"text": (str,), "kind": (str,)}, required=("text",))
        chat = self.write(request.match_info["key"], data["text"], data.get("kind", "visitor"))
        return json_answer({"chat": chat.id})

    async def control_select(self, request: web.Request) -> web.Response:
        """The agent opens the chat with a visitor."""
        key = request.match_info["key"]
        self.post("visitorSelected", {**self.ids(self.visitor(key), self.open_chat(key)), "taskId": None})
        return json_answer({"posted": len(self.posts)})

    async def control_sign_in(self, request: web.Request) -> web.Response:
        """A visitor signs in; what was theirs is the other one's from then on."""
        data = await read_fields(request, {"id": (str,), "as": (str,)})
        key = request.match_info["key"]
        before = self.visitor(key)
        names = ("roxchatVisitorId", "providedVisitorId", "siebelId")
        old = {name: self.ids(before, None)[name] for name in names}
        if "as" in data:
            now = self.visitor(data["as"])
            for chat in self.chats.values():
                chat.visitor = data["as"] if chat.visitor == key else chat.visitor
        else:
            before.fields = {**before.fields, "id": data.get("id", "AG-30001")}
            now = before
        self.post("visitorAuthorized", {"old": old, "new": {name: self.ids(now, None)[name] for name in names}})
        return json_answer({"id": now.provided})

    async def control_agent(self, request: web.Request) -> web.Response:
        """The agent writes."""
        data = await read_fields(request, {"text": (str,), "kind": (str,)}, required=("text",))
        message = self.say(self.chat(request.match_info["id"]), data.get("kind", "operator"), data["text"])
        return json_answer({"message": message["id"]})

    async def control_close(self, request: web.Request) -> web.Response:
        """The agent closes a chat."""
        self.close(self.chat(request.match_info["id"]))
        return json_answer({"closed": True})

    async def control_finish(self, request: web.Request) -> web.Response:
        """A chat ends."""
        self.finish(self.chat(request.match_info["id"]))
        return json_answer({"finished": True})

    async def control_notify(self, request: web.Request) -> web.Response:
        """A notification arrives in the workspace."""
        data = await read_fields(request, {"text": (str,), "kind": (str,), "session": (str,)}, required=("text",))
        self.notifications += 1
        notification = {"id": hex_id(self.notifications, "notification"), "kind": data.get("kind", "visitor")}
        notification |= {"text": data["text"], "sessionId": data.get("session", self.visitors["marta"].session)}
        self.post("notificationAdded", {"notification": notification})
        return json_answer({"id": notification["id"]})

    async def control_remove(self, request: web.Request) -> web.Response:
        """A notification disappears."""
        self.post("notificationRemoved", {"notification": {"id": request.match_info["id"]}})
        return json_answer({"posted": len(self.posts)})

    async def control_emit(self, request: web.Request) -> web.Response:
        """Anything."""
        data = await read_fields(request, {"data": ANY})
        self.posts.append(data.get("data"))
        return json_answer({"posted": len(self.posts)})

    async def control_answer(self, request: web.Request) -> web.Response:
        """How commands are answered from now on."""
        self.answer = await read_fields(request, {"how": (str,), "shape": (str,)}, required=("how",))
        return json_answer(self.answer)

    async def control_settings(self, request: web.Request) -> web.Response:
        """Set some, keep the others."""
        data = await read_fields(request, SETTINGS)
        if data.get("version", 4) not in (2, 3, 4):
            raise ControlError("'version' must be 2, 3 or 4")
        if data.get("encoding", "form") not in ("form", "json"):
            raise ControlError("'encoding' must be form or json")
        if data.get("page_size", 1) < 1:
            raise ControlError("'page_size' must be at least 1")
        self.settings |= data
        return json_answer(self.settings)

    async def control_webhook(self, request: web.Request) -> web.Response:
        """One webhook."""
        fields = {"event": (str,), "chat": (str,), "fault": (str,), "url": (str,)}
        data = await read_fields(request, fields, required=("event",))
        event, fault = data["event"], data.get("fault")
        if event not in EVENTS:
            raise ControlError(f"'event' must be one of {', '.join(EVENTS)}")
        if fault not in (None, *FAULTS):
            raise ControlError(f"'fault' must be one of {', '.join(FAULTS)}")
        url = data.get("url") or self.settings[f"{event}_handler_url"]
        if not url:
            raise ControlError(f"{event}_handler_url is not set")
        newest = next(reversed(self.chats.values()), None)
        if "chat" not in data and newest is None:
            raise ControlError("there is no chat yet: let a visitor write, or give 'chat'")
        text = data["chat"] if "chat" in data else self.chat_text(newest)
        return json_answer(await self.send_webhook(event, url, text, fault))

    async def control_bot(self, request: web.Request) -> web.Response:
        """One call of the bot."""
        data = await read_fields(request, {"event": (str,), "chat_id": (int,), "message": (dict,)}, required=("event", "chat_id"))
        if not self.settings["bot_url"]:
            raise ControlError("bot_url is not set")
        chat = self.chat(data["chat_id"])
        message = data.get("message") or (chat.messages[-1] if chat.messages else None)
        call = self.bot_call(data["event"], chat, message)
        return json_answer(await self.deliver("bot", self.settings["bot_url"], call, "json"))

    async def control_sign(self, request: web.Request) -> web.Response:
        """The hash of a visitor's fields."""
        data = await read_fields(
            request, {"fields": (dict,), "expires": (int,), "variant": (str,)}, required=("fields", "expires")
        )
        if data.get("variant", "hmac") not in ("hmac", "sha256"):
            raise ControlError("'variant' must be hmac or sha256")
        given = fields_hash(data["fields"], data["expires"], self.options.private_key, data.get("variant", "hmac"))
        return json_answer({"fields": data["fields"], "expires": data["expires"], "hash": given})

    async def control_reset(self, _: web.Request) -> web.Response:
        """Back to the start."""
        self.background.cancel_all()
        self.faults.faults.clear()
        self.log.clear()
        self.forget()
        return json_answer({"reset": True})

    # -- the CRM --------------------------------------------------------------------------------------------------

    async def open_host_page(self, request: web.Request) -> web.Response:
        """What a click in the CRM does: on to the host page, with a ticket that is good for a minute and once."""
        if not self.options.sign_in_secret:
            raise ControlError("start it with --sign-in-secret")
        agent, name = request.query.get("agent", "jana"), request.query.get("name", "Jana Novotná")
        now = int(time.time())
        claims = {"iss": "crm", "aud": "deskbridge-roxchat", "sub": agent, "name": name, "iat": now, "exp": now + 60}
        ticket = signed({**claims, "jti": secrets.token_hex(16)}, self.options.sign_in_secret)
        place = f"{self.options.app}/roxchat/{self.options.account}/host?{urlencode({'ticket': ticket})}"
        return web.Response(status=303, headers={"Location": place, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})

    # -- assembly ----------------------------------------------------------------------------------------------------

    def app(self) -> web.Application:
        """The whole."""
        middlewares = [own_pages_only, control_middleware, platform_middleware(self.log, self.faults)]
        application = web.Application(middlewares=middlewares, client_max_size=MAX_BODY_BYTES)
        control = {
            "/visitors/{key}/write": self.control_write,
            "/visitors/{key}/select": self.control_select,
            "/visitors/{key}/sign-in": self.control_sign_in,
            "/chats/{id}/agent": self.control_agent,
            "/chats/{id}/close": self.control_close,
            "/chats/{id}/finish": self.control_finish,
            "/notify": self.control_notify,
            "/notifications/{id}/remove": self.control_remove,
            "/emit": self.control_emit,
            "/answer": self.control_answer,
            "/settings": self.control_settings,
            "/webhook": self.control_webhook,
            "/bot": self.control_bot,
            "/sign": self.control_sign,
            "/reset": self.control_reset,
        }
        application.add_routes(
            [
                web.get("/api/v{version:[234]}/{what:operators|chat|chats}", self.export),
                web.post("/api/bot/v2/{method:send_message|redirect_chat|close_chat}", self.bot),
                web.post("/api/v2/rt/provide_visitor_fields", self.provide),
                web.get("/workspace/", self.workspace_file("workspace.html")),
                web.get("/workspace/workspace.js", self.workspace_file("workspace.js")),
                web.get("/workspace/workspace.css", self.workspace_file("workspace.css")),
                web.get("/workspace/settings", self.workspace_settings),
                web.get(CONTROL_PREFIX + "/crm", self.open_host_page),
                web.get(CONTROL_PREFIX + "/feed", self.control_feed),
                web.get(CONTROL_PREFIX + "/state", self.control_state),
                # Nobody gets a token from this platform.
                given_route(list),
                *(web.post(CONTROL_PREFIX + path, handler) for path, handler in control.items()),
                *page_routes("/page", PAGE_FILES),
                *shared_routes(self.log, self.faults, USAGE),
            ]
        )
        application.cleanup_ctx.append(self._client)
        return application

    async def _client(self, _: web.Application):  # noqa: ANN202
        self.http = open_client(30.0)
        yield
        self.background.cancel_all()
        await self.http.close()


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.roxchat", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--port", type=int, default=9110)
    parser.add_argument("--app", required=True, help="origin of the app: whose host page may frame the workspace")
    parser.add_argument("--allowed", action="append", help="another origin of a host page; several times")
    parser.add_argument("--admin-password", default="", help=f"of {ADMINISTRATOR} and, without the rights, {SUPERVISOR}")
    parser.add_argument("--bot-token", default="")
    parser.add_argument("--account", default="acme", help="of the app, whose host page the CRM opens")
    parser.add_argument("--sign-in-secret", default="", help="of that account: what the CRM signs tickets with")
    parser.add_argument("--private-key", default="5d0c7be3a91f42e68a0b9c3f17d2e4a6", help="of webhooks and visitors' fields")
    options = parser.parse_args(arguments)
    options.allowed = [options.app, *(options.allowed or [])]
    return options


def main() -> int:
    """Run until SIGTERM."""
    options = parse_arguments()
    return run(Roxchat(options).app(), options.port, "Rox.Chat simulator")


if __name__ == "__main__":
    sys.exit(main())
