"""The WebSite module as a visitor's browser sees it (frontstage.md section 8), and a shop that has the chat on its pages.

Two origins on two ports: the API side serves the widget's script and plays routing, conversation and pictures, with the
agent's part scripted; the shop serves pages with a strict content security policy and collects what it reports. State
is kept in memory. Everything can be watched and disturbed through the control API: ``GET /_sim`` prints how.

Run: ``python -m tests.simulators.website --port 9103 --shop-port 9104``, then open http://shop.localhost:9104/
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import hashlib
import html
import json
import struct
import sys
import time
import uuid
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.simulators.common import (
    ANY,
    CONTROL_PREFIX,
    MAX_BODY_BYTES,
    ControlError,
    FaultScript,
    Handler,
    RequestLog,
    control_middleware,
    json_answer,
    platform_middleware,
    read_fields,
    run,
    shared_routes,
    utc_now,
)

WIDGET = Path(__file__).resolve().parents[2] / "web" / "widget"
COOKIE = "icc3_TrackingId"
TOKEN_HEADER = "X-Tracking-Token"
EXPOSED_HEADERS = f"{TOKEN_HEADER}, X-Poll-After, Retry-After, ETag"

POLL_AFTER = {"Answered": 2, "ICR": 2, "Alerting": 2, "Pilot": 5, "Waiting": 5, "Closed": 0}
"""Seconds to the next poll by status (8.5)."""

SHORTEST_POLL_SECONDS = 1.0
"""Faster polls of one visitor are answered 429 (8.5)."""

ROUTING: dict[str, Any] = {
    "TargetElementID": None,
    "WebResponse": None,
    "Scenario": None,
    "Signal": "Free",
    "HtmlTemplate": None,
    "Settings": None,
    "Literals": None,
    "PartyName": None,
    "SolicitationTimeOut": None,
    "SolicitationDuration": None,
    "WebSiteRoutingId": "77777777-7777-4777-8777-777777777777",
}
"""The RoutingModel at the start, without ChatRunning (4.1)."""

OPTIONS: dict[str, Any] = {
    "cookies": True,
    "echo_ids": False,
    "poll_after": None,
    "copies": 1,
    "hold": None,
    "rate_limit": True,
}

OPTION_FIELDS: dict[str, Any] = {
    "cookies": (bool,),
    "echo_ids": (bool,),
    "poll_after": (int, type(None)),
    "copies": (int,),
    "hold": (str, type(None)),
    "rate_limit": (bool,),
}

USAGE = """\
FrontStage WebSite simulator
----------------------------
  GET    /_sim/addresses                  both origins
  POST   /_sim/routing    {"Signal":"Busy", ...}   members of RoutingModel that differ from the start; {"none":true}: null
  POST   /_sim/options    {"cookies":true,"echo_ids":false,"poll_after":null,"copies":1,"hold":null,"rate_limit":true}
             cookies false: neither set nor read; echo_ids: sentences carry ID; poll_after: X-Poll-After of every poll;
             copies: each sentence so many times in an answer; hold "before"|"after": POST Sentence waits before or
             after it is stored, until /_sim/release
  POST   /_sim/release                    sentences held back go on, and nothing is held any more
             below, chat_id is optional: the newest chat
  POST   /_sim/answer     {"name":"Eva","agent_id":optional,"chat_id":optional}      an agent takes the chat
  POST   /_sim/say        {"text":"Hello","name":optional,"chat_id":optional}        the agent writes
  POST   /_sim/typing     {"typing":true,"chat_id":optional}                         the agent types
  POST   /_sim/confirm    {"chat_id":optional}                                       the agent has seen everything
  POST   /_sim/close      {"chat_id":optional}                                       the agent ends the chat
  GET    /_sim/chats                      every chat with sentences, starts, typing, confirmed, navigation, stops
  GET    /_sim/reports                    what the browser reported against the shop's policy
  GET    /_sim/requests[?path=REGEX][&method=POST]
  GET    /_sim/faults    POST /_sim/faults    DELETE /_sim/faults        as in the vcita simulator
  POST   /_sim/reset                      state as at the start, faults and log emptied

  shop pages: /, /basket, any other path; ?lang=ar&dir=rtl, ?target=ID (an element), ?user=TEXT (icc_user_token),
  ?policy=nonce|trusted|images|images-trusted (other ways to be strict)

  curl -s -X POST localhost:PORT/_sim/say -d '{"text":"How can I help?"}'
"""


class Refusal(Exception):
    """A request that the WebSite side refuses, with the error of 10.6."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers

    def answer(self) -> web.Response:
        """The error body of 10.6."""
        error = {"Code": self.code, "Message": str(self), "Field": None, "Retryable": self.status in (429, 503)}
        return json_answer({"Error": error}, status=self.status, headers=self.headers)


@dataclass
class Chat:
    """One conversation, with everything that the browser told about it."""

    visitor: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "Pilot"
    agent_name: str | None = None
    agent_id: str | None = None
    is_typing: bool = False
    sentences: list[dict[str, Any]] = field(default_factory=list)
    starts: list[dict[str, Any]] = field(default_factory=list)
    typing: list[bool] = field(default_factory=list)
    confirmed: list[int] = field(default_factory=list)
    navigation: list[str] = field(default_factory=list)
    stops: int = 0

    def add(self, text: str, outbound: bool, name: str | None, sentence_id: str, location: str | None) -> None:
        """Store a sentence under the next counter."""
        self.sentences.append(
            {
                "Counter": len(self.sentences) + 1,
                "TimeSent": utc_now(),
                "PartyName": name,
                "IsOutbound": outbound,
                "Text": text,
                "Location": location,
                "IsConfirmed": False,
                "ID": sentence_id,
            }
        )

    def etag(self) -> str:
        """Over what 8.5 names."""
        seen = [one["Counter"] for one in self.sentences if one["IsConfirmed"]]
        parts = (self.id, len(self.sentences), self.status, self.is_typing, seen, self.agent_name)
        return '"' + hashlib.sha256(repr(parts).encode()).hexdigest()[:16] + '"'

    def model(self, after: int, options: dict[str, Any]) -> dict[str, Any]:
        """ChatModel with the sentences after a counter; Text is HTML-encoded on its way out (8.2)."""
        sentences = []
        for one in self.sentences[after:]:
            shown = {name: value for name, value in one.items() if name not in ("Location", "ID")}
            shown["Text"] = html.escape(one["Text"])
            if options["echo_ids"] and not one["IsOutbound"]:
                shown["ID"] = one["ID"]
            sentences.extend([shown] * options["copies"])
        return {
            "ChatId": self.id,
            "AgentName": self.agent_name,
            "AgentId": self.agent_id,
            "Counter": len(self.sentences),
            "Status": self.status,
            "IsTyping": self.is_typing,
            "Sentences": sentences,
            "Navigation": None,
            "CoBrowsingData": None,
        }


class Website:
    """The simulated WebSite side and the shop."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.arguments = options
        self.log = RequestLog()
        self.faults = FaultScript()
        self.issued: set[str] = set()
        self.shop_port = 0
        self.shop_runner: web.AppRunner | None = None
        self.forget()

    def forget(self) -> None:
        """The state at the start. Tokens stay valid, as a browser may still hold one."""
        self.routing: dict[str, Any] | None = dict(ROUTING)
        self.options = dict(OPTIONS)
        self.chats: list[Chat] = []
        self.reports: list[Any] = []
        self.last_poll: dict[str, float] = {}
        self.released = asyncio.Event()

    # -- who is calling ------------------------------------------------------------------------------------------

    def identify(self, request: web.Request) -> str:
        """The visitor's token: from the cookie, else from the header, else a new one (8.4)."""
        given = request.cookies.get(COOKIE) if self.options["cookies"] else None
        given = given or request.headers.get(TOKEN_HEADER)
        if given in self.issued:
            return str(given)
        word = str(uuid.uuid4())
        token = f"{word}.{hashlib.sha256(word.encode()).hexdigest()[:32]}"
        self.issued.add(token)
        return token

    def current(self, request: web.Request) -> Chat | None:
        """The visitor's newest chat."""
        return next((chat for chat in reversed(self.chats) if chat.visitor == request["token"]), None)

    @web.middleware
    async def browser_middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Cookie, token and cross-origin headers on every answer of the platform side, those of faults included."""
        if request.path.startswith(CONTROL_PREFIX):
            return await handler(request)
        request["token"] = self.identify(request)
        if request.method == "OPTIONS":
            (await self.log.open(request)).status = 204
            answer: web.StreamResponse = web.Response(
                status=204,
                headers={
                    "Access-Control-Allow-Methods": "GET, POST",
                    "Access-Control-Allow-Headers": f"Content-Type, If-None-Match, {TOKEN_HEADER}",
                    "Access-Control-Max-Age": "600",
                },
            )
        else:
            try:
                answer = await handler(request)
            except Refusal as refusal:
                answer = refusal.answer()
        origin = request.headers.get("Origin", "")
        if origin.startswith("http://") and origin.endswith(f":{self.shop_port}"):
            answer.headers["Access-Control-Allow-Origin"] = origin
            answer.headers["Access-Control-Allow-Credentials"] = "true"
            answer.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
            answer.headers["Vary"] = "Origin"
        if request.method != "OPTIONS":
            answer.headers.setdefault("Cache-Control", "no-store")
            answer.headers[TOKEN_HEADER] = request["token"]
            if self.options["cookies"]:
                answer.headers["Set-Cookie"] = (
                    f"{COOKIE}={request['token']}; Path=/; Secure; HttpOnly; SameSite=None; Partitioned; Max-Age=31536000"
                )
        return answer

    # -- platform side -------------------------------------------------------------------------------------------

    async def serve_file(self, request: web.Request) -> web.Response:
        """The widget's script, and its style sheet for browsers without constructed ones."""
        path = WIDGET / request.match_info["name"]
        if path.name not in ("webchat.js", "webchat.css"):
            raise web.HTTPNotFound
        body, headers = path.read_bytes(), {}
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            body, headers = gzip.compress(body, 9), {"Content-Encoding": "gzip"}
        kind = "text/css" if path.suffix == ".css" else "text/javascript"
        return web.Response(body=body, headers=headers, content_type=kind, charset="utf-8")

    async def route(self, request: web.Request) -> web.Response:
        """``GET api/Routing/webchat``; HtmlTemplate, Settings and Literals only when asked for."""
        if self.routing is None:
            return json_answer(None)
        model = dict(self.routing)
        if request.query.get("IncludeSettings") != "true":
            model.update(HtmlTemplate=None, Settings=None, Literals=None)
        chat = self.current(request)
        model["ChatRunning"] = chat.model(0, self.options) if chat and chat.status != "Closed" else None
        return json_answer(model)

    @staticmethod
    async def body_of(request: web.Request) -> dict[str, Any]:
        """The JSON object of a POST; cross-site writes need the content type (8.4)."""
        if request.content_type != "application/json":
            raise Refusal(415, "UnsupportedMediaType", "the content type must be application/json")
        data = await request.json()
        if not isinstance(data, dict):
            raise Refusal(400, "MalformedBody", "the body must be an object")
        return data

    def open_chat(self, request: web.Request) -> Chat:
        """The visitor's chat, begun when there is none or the last one has ended (5.1 rows 2, 6, 8)."""
        chat = self.current(request)
        if chat is None or chat.status == "Closed":
            if self.routing is None or self.routing["Signal"] not in ("Free", "Busy"):
                raise Refusal(409, "GateClosed", "no chat can be started now")
            chat = Chat(request["token"])
            self.chats.append(chat)
        return chat

    async def start(self, request: web.Request) -> web.Response:
        """``POST api/Chat/Start`` with a ResultModel."""
        data = await self.body_of(request)
        scenario = (self.routing or {}).get("Scenario")
        known = {control["ControlId"] for control in (scenario or {}).get("Controls") or []}
        if any(value.get("ControlId") not in known for value in data.get("Values") or []):
            raise Refusal(422, "ValidationFailed", "a value names no control of the form")
        chat = self.open_chat(request)
        chat.starts.append(data)
        return json_answer(chat.model(0, self.options))

    async def poll(self, request: web.Request) -> web.Response:
        """``GET api/Chat?After=``."""
        now, last = time.monotonic(), self.last_poll.get(request["token"], 0.0)
        if self.options["rate_limit"] and now - last < SHORTEST_POLL_SECONDS:
            raise Refusal(429, "TooManyRequests", "one poll a second", {"Retry-After": "1"})
        self.last_poll[request["token"]] = now
        chat = self.current(request)
        if chat is None:
            return json_answer(None, headers={"X-Poll-After": "0"})
        pause = self.options["poll_after"] if self.options["poll_after"] is not None else POLL_AFTER[chat.status]
        headers = {"X-Poll-After": str(pause), "ETag": chat.etag()}
        if request.headers.get("If-None-Match") == chat.etag():
            return web.Response(status=304, headers=headers)
        return json_answer(chat.model(int(request.query.get("After", "0")), self.options), headers=headers)

    async def sentence(self, request: web.Request) -> web.Response:
        """``POST api/Chat/Sentence``; the same ID and Text again is a retry (5.2)."""
        data = await self.body_of(request)
        if not str(data.get("Text") or ""):
            raise Refusal(422, "ValidationFailed", "Text is empty")
        if self.options["hold"] == "before":
            await self.released.wait()
        chat = self.current(request)
        if chat is not None and chat.status == "Closed":
            raise Refusal(409, "ChatClosed", "the chat has ended")
        chat = chat or self.open_chat(request)
        given = data.get("ID") or str(uuid.uuid4())
        if not any(one["ID"] == given and one["Text"] == data["Text"] for one in chat.sentences):
            chat.add(data["Text"], False, data.get("PartyName"), given, data.get("Location"))
        if chat.status == "Pilot":
            chat.status = "Waiting"
        if self.options["hold"] == "after":
            await self.released.wait()
        return json_answer(chat.model(int(request.query.get("After", "0")), self.options))

    def running(self, request: web.Request) -> Chat:
        """The visitor's chat, or 404."""
        chat = self.current(request)
        if chat is None:
            raise Refusal(404, "UnknownChat", "there is no chat")
        return chat

    async def typing(self, request: web.Request) -> web.Response:
        """``POST api/Chat/Typing``."""
        data = await self.body_of(request)
        self.running(request).typing.append(data.get("IsTyping") is True)
        return web.Response(status=204)

    async def confirm(self, request: web.Request) -> web.Response:
        """``POST api/Chat/Confirm``: everything outbound up to the counter was displayed."""
        data = await self.body_of(request)
        chat = self.running(request)
        chat.confirmed.append(data["Counter"])
        for one in chat.sentences[: data["Counter"]]:
            one["IsConfirmed"] = one["IsConfirmed"] or one["IsOutbound"]
        return web.Response(status=204)

    async def navigation(self, request: web.Request) -> web.Response:
        """``POST api/Chat/Navigation``."""
        data = await self.body_of(request)
        self.running(request).navigation.append(data["Location"])
        return web.Response(status=204)

    async def stop(self, request: web.Request) -> web.Response:
        """``POST api/Chat/Stop``."""
        chat = self.running(request)
        chat.status = "Closed"
        chat.is_typing = False
        chat.stops += 1
        return json_answer(chat.model(len(chat.sentences), self.options))

    async def picture(self, request: web.Request) -> web.Response:
        """``GET api/AgentImage/{id}``: the agent of this visitor's chat in colour, anybody else in grey (8.1)."""
        chat = self.current(request)
        known = chat is not None and chat.agent_id == request.match_info["agent"]
        size = max(16, min(512, int(request.query.get("width") or 96)))
        return web.Response(body=portrait(size, known), content_type="image/png")

    # -- control side --------------------------------------------------------------------------------------------

    def pick(self, data: dict[str, Any]) -> Chat:
        """The chat that a control request is about: the one named, else the newest."""
        wanted = data.get("chat_id")
        found = [chat for chat in self.chats if wanted in (None, chat.id)]
        if not found:
            raise ControlError("there is no such chat")
        return found[-1]

    async def control_addresses(self, request: web.Request) -> web.Response:
        """Both origins. The shop's name is another site than the API's address, as in real life."""
        return json_answer({"api": f"http://{request.host}", "shop": f"http://shop.localhost:{self.shop_port}"})

    async def control_routing(self, request: web.Request) -> web.Response:
        """Members of RoutingModel; what is not given is as at the start."""
        data = await read_fields(request, {**dict.fromkeys(ROUTING, ANY), "none": (bool,)})
        self.routing = None if data.pop("none", False) else {**ROUTING, **data}
        return json_answer(self.routing)

    async def control_options(self, request: web.Request) -> web.Response:
        """Ways to disturb; what is not given stays as it is."""
        self.options.update(await read_fields(request, OPTION_FIELDS))
        if self.options["hold"] not in (None, "before", "after"):
            raise ControlError("'hold' must be before, after or null")
        return json_answer(self.options)

    async def control_release(self, _: web.Request) -> web.Response:
        """Let the sentences go that are held back."""
        self.options["hold"] = None
        self.released.set()
        self.released = asyncio.Event()
        return json_answer({"released": True})

    async def control_answer(self, request: web.Request) -> web.Response:
        """An agent takes the chat."""
        data = await read_fields(request, {"name": (str,), "agent_id": (str,), "chat_id": (str,)})
        chat = self.pick(data)
        chat.status = "Answered"
        chat.agent_name = data.get("name", "Eva Novak")
        chat.agent_id = data.get("agent_id", "99999999-9999-4999-8999-999999999999")
        return json_answer(chat.model(0, self.options))

    async def control_say(self, request: web.Request) -> web.Response:
        """The agent writes."""
        data = await read_fields(request, {"text": (str,), "name": (str,), "chat_id": (str,)}, required=("text",))
        chat = self.pick(data)
        chat.is_typing = False
        chat.add(data["text"], True, data.get("name", chat.agent_name), str(uuid.uuid4()), None)
        return json_answer(chat.sentences[-1])

    async def control_typing(self, request: web.Request) -> web.Response:
        """The agent types, or stops to."""
        data = await read_fields(request, {"typing": (bool,), "chat_id": (str,)}, required=())
        self.pick(data).is_typing = data.get("typing", True)
        return json_answer(data)

    async def control_confirm(self, request: web.Request) -> web.Response:
        """The agent has seen everything."""
        chat = self.pick(await read_fields(request, {"chat_id": (str,)}))
        for one in chat.sentences:
            one["IsConfirmed"] = one["IsConfirmed"] or not one["IsOutbound"]
        return json_answer({"confirmed": len(chat.sentences)})

    async def control_close(self, request: web.Request) -> web.Response:
        """The agent ends the chat."""
        chat = self.pick(await read_fields(request, {"chat_id": (str,)}))
        chat.status = "Closed"
        return json_answer({"closed": chat.id})

    async def show_chats(self, _: web.Request) -> web.Response:
        """Every chat."""
        return json_answer([dict(chat.__dict__) for chat in self.chats])

    async def show_reports(self, _: web.Request) -> web.Response:
        """Violations of the shop's policy."""
        return json_answer(self.reports)

    async def control_reset(self, _: web.Request) -> web.Response:
        """Back to the start."""
        self.released.set()
        self.faults.faults.clear()
        self.log.clear()
        self.forget()
        return json_answer({"reset": True})

    # -- the shop ------------------------------------------------------------------------------------------------

    async def shop_page(self, request: web.Request) -> web.Response:
        """A page with the script tag, under a policy that allows what the widget's README asks for and nothing else."""
        query = request.query
        api = f"http://127.0.0.1:{self.arguments.port}"
        nonce = uuid.uuid4().hex
        policy = query.get("policy", "origin")
        scripts = f"'nonce-{nonce}'" if policy == "nonce" else f"'self' {api}"
        rules = [
            "default-src 'none'",
            f"script-src {scripts}",
            f"connect-src {api}",
            f"style-src 'self'{f' {chr(39)}nonce-{nonce}{chr(39)}' if policy == 'nonce' else f' {api}'}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "report-uri /reports",
        ]
        if policy.startswith("images"):
            rules.append("img-src https://img.example")
        if policy.endswith("trusted"):
            rules += ["require-trusted-types-for 'script'", "trusted-types deskbridge-webchat"]
        user = query.get("user")
        mark = f' nonce="{nonce}"' if policy == "nonce" else ""
        parts = {
            "lang": html.escape(query.get("lang", "en")),
            "dir": html.escape(query.get("dir", "ltr")),
            "path": html.escape(request.path),
            "target": f'<div id="{html.escape(query["target"])}"></div>' if "target" in query else "",
            "user": f'<script src="/user.js?value={html.escape(user)}"{mark}></script>' if user else "",
            "script": f'<script src="{api}/scripts/webchat.js"{mark} async></script>',
        }
        text = SHOP_PAGE
        for name, value in parts.items():
            text = text.replace("{" + name + "}", value)
        return web.Response(
            text=text,
            content_type="text/html",
            headers={"Content-Security-Policy": "; ".join(rules), "Cache-Control": "no-store"},
        )

    async def shop_style(self, _: web.Request) -> web.Response:
        """The shop's own look, from a file as its policy demands."""
        return web.Response(text=SHOP_STYLE, content_type="text/css")

    async def shop_user(self, request: web.Request) -> web.Response:
        """A page's own script that says who the visitor is."""
        value = json.dumps(request.query.get("value", ""))
        return web.Response(text=f"var icc_user_token = {value};", content_type="text/javascript")

    async def shop_report(self, request: web.Request) -> web.Response:
        """Where the policy's violations go."""
        self.reports.append(json.loads(await request.read()))
        return web.Response(status=204)

    # -- assembly ------------------------------------------------------------------------------------------------

    def app(self) -> web.Application:
        """The API side; the shop is opened and closed along with it."""
        application = web.Application(
            middlewares=[control_middleware, self.browser_middleware, platform_middleware(self.log, self.faults)],
            client_max_size=MAX_BODY_BYTES,
        )
        application.add_routes(
            [
                web.get("/scripts/{name}", self.serve_file),
                web.get("/api/Routing/webchat", self.route),
                web.post("/api/Chat/Start", self.start),
                web.get("/api/Chat", self.poll),
                web.post("/api/Chat/Sentence", self.sentence),
                web.post("/api/Chat/Typing", self.typing),
                web.post("/api/Chat/Confirm", self.confirm),
                web.post("/api/Chat/Navigation", self.navigation),
                web.post("/api/Chat/Stop", self.stop),
                web.get("/api/AgentImage/{agent}", self.picture),
                *shared_routes(self.log, self.faults, USAGE.replace("PORT", str(self.arguments.port))),
                web.get("/_sim/addresses", self.control_addresses),
                web.post("/_sim/routing", self.control_routing),
                web.post("/_sim/options", self.control_options),
                web.post("/_sim/release", self.control_release),
                web.post("/_sim/answer", self.control_answer),
                web.post("/_sim/say", self.control_say),
                web.post("/_sim/typing", self.control_typing),
                web.post("/_sim/confirm", self.control_confirm),
                web.post("/_sim/close", self.control_close),
                web.get("/_sim/chats", self.show_chats),
                web.get("/_sim/reports", self.show_reports),
                web.post("/_sim/reset", self.control_reset),
            ]
        )
        application.on_startup.append(self._open)
        application.on_cleanup.append(self._close)
        return application

    async def _open(self, _: web.Application) -> None:
        shop = web.Application()
        shop.add_routes(
            [
                web.get("/shop.css", self.shop_style),
                web.get("/user.js", self.shop_user),
                web.post("/reports", self.shop_report),
                web.get("/{path:.*}", self.shop_page),
            ]
        )
        self.shop_runner = web.AppRunner(shop, access_log=None)
        await self.shop_runner.setup()
        await web.TCPSite(self.shop_runner, "127.0.0.1", self.arguments.shop_port).start()
        self.shop_port = self.shop_runner.addresses[0][1]

    async def _close(self, _: web.Application) -> None:
        if self.shop_runner is not None:
            await self.shop_runner.cleanup()


def portrait(size: int, known: bool) -> bytes:
    """A PNG of head and shoulders, in colour for the agent of the chat and in grey for anybody."""
    background, body, skin = ((244, 201, 165), (46, 92, 110), (122, 74, 50)) if known else ((224,) * 3, (150,) * 3, (180,) * 3)
    rows = bytearray()
    for row in range(size):
        rows.append(0)
        for column in range(size):
            x, y = column / size - 0.5, row / size
            head = x * x / 0.03 + (y - 0.42) ** 2 / 0.045 < 1
            shoulders = x * x / 0.16 + (y - 1.05) ** 2 / 0.12 < 1
            rows.extend(skin if head else body if shoulders else background)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")


SHOP_PAGE = """\
<!doctype html>
<html lang="{lang}" dir="{dir}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Nordlicht, lamps for long evenings</title>
<link rel="stylesheet" href="/shop.css">
{user}
{script}
</head>
<body>
<header><b>Nordlicht</b><nav aria-label="Shop"><a href="/">Lamps</a> <a href="/basket">Basket</a></nav></header>
<main>
<h1>Lamps for long evenings</h1>
<p>You are at <code>{path}</code>. Made by hand, sent within two days, and taken back within thirty.</p>
<label>Search the shop <input type="search"></label>
{target}
<ul><li>Floor lamp Alva</li><li>Desk lamp Lund</li><li>Pendant Sol</li></ul>
</main>
</body>
</html>
"""

SHOP_STYLE = """\
:root { color-scheme: light dark; }
body { margin: 0; font: 17px/1.6 Georgia, "DejaVu Serif", serif; background: #faf7f2; color: #2b2723; }
header { display: flex; justify-content: space-between; padding: 20px 6vw; background: #fff; }
main { padding: 5vw 6vw; max-width: 46rem; }
h1 { font-weight: 500; font-size: 2.4rem; line-height: 1.15; }
ul { display: grid; grid-template-columns: repeat(3, 1fr); gap: 16px; padding: 0; list-style: none; }
li { min-height: 140px; padding: 16px; background: #f0e7da; border-radius: 4px; }
a { color: inherit; margin-inline-start: 1em; }
@media (prefers-color-scheme: dark) {
  body { background: #141210; color: #eee8df; }
  header { background: #1d1a17; }
  li { background: #2a2520; }
}
"""


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.website", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--port", type=int, default=9103)
    parser.add_argument("--shop-port", type=int, default=9104)
    return parser.parse_args(arguments)


def main() -> int:
    """Run until SIGTERM."""
    options = parse_arguments()
    return run(Website(options).app(), options.port, "FrontStage WebSite simulator")


if __name__ == "__main__":
    sys.exit(main())
