"""vcita's side: VCS, its OAuth endpoints and contacts, and the webhooks that vcita sends to a communication app.

Plays V1 to V10 and P4 to P8 of the contract (vcita.md section 2) and sends A1 to A5 to the app's base URL. State is
kept in memory. Everything can be watched and disturbed through the control API: ``GET /_sim`` prints how.

Run: ``python -m tests.simulators.vcs --port 9101 --target-base http://127.0.0.1:9000/vcita/demo/<secret>``
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import re
import secrets
import string
import sys
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from aiohttp import web
from yarl import URL

from tests.simulators.common import (
    ANY,
    MAX_BODY_BYTES,
    BackgroundTasks,
    ControlError,
    FaultScript,
    Handler,
    LoggedRequest,
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
    utc_now,
)
from tests.simulators.vcs_apps import (
    App,
    Apps,
    Bearer,
    authorize,
    control_consent,
    id_token,
    register,
    subscribe,
    unsubscribe,
)

DEMO_CHANNEL = "0d6a6c58-2d1e-4f53-9a5b-6f2a6f5b1c77"
"""The active channel that exists from the start (vcita.md V1, example)."""

DEMO_BUSINESS = "q7x2m9d4k1v8b3zt"
"""The business of the demo channel, 16 characters (vcita.md V1, example)."""

VCS_PREFIXES = ("/business/communication", "/business/communication/v1")
"""Both spellings of the path are served for every VCS operation (vcita.md 2.1)."""

CHANNEL_STATUSES = ("pending", "active", "inactive", "blocked", "deleted", "error")
CHANNEL_TYPES = ("transactional", "promotional")
SESSION_STATUSES = ("pending", "active", "inactive", "deleted", "failed")
SESSION_UPDATES = ("active", "inactive", "deleted")
MESSAGE_STATUSES = ("pending", "channel_pending", "sent", "error", "unavailable", "received", "read")
DIRECTIONS = ("client_to_business", "business_to_client")

ACTIVATION_MODES = ("auto", "manual", "before_answer", "never")

MESSAGE_UID_LIMIT = 255
"""Characters of a `message_uid` (vcita.md V8)."""

USER_TOKEN_SECONDS = 631_139_040
"""`expires_in` of a token from P4: about 20 years (vcita.md 9.1)."""

SERVICE_TOKEN_SECONDS = 3600
"""`expires_in` of a token from P5 (vcita.md 9.2)."""

CODE_SECONDS = 30
"""Lifetime of an authorization code (vcita.md 9.1)."""

ERROR_CODES = {401: "unauthorized", 404: "missing", 422: "invalid"}
"""Error codes of scripted faults by their status; `unexpected` for all others (vcita.md section 3)."""

ENVELOPES = {
    "vcs": lambda status: {
        "success": False,
        "errors": [
            {
                "code": ERROR_CODES.get(status, "unexpected"),
                "message": "401 Unauthorized" if status == 401 else "scripted fault",
            }
        ],
    },
    "status_error": lambda status: {"status": "Error", "error": "scripted fault"},
    "status_message": lambda status: {"status": "Error", "message": "scripted fault"},
    "failure_message": lambda status: {
        "message": "401 Unauthorized" if status == 401 else "scripted fault",
        "status": "Failure",
    },
    "error": lambda status: {"error": "Unauthorized"},
    "oauth": lambda status: {"error": "invalid_request", "error_description": "scripted fault"},
    "empty": lambda status: None,
    "html": lambda status: "<!doctype html><html><body><h1>Bad gateway</h1></body></html>",
}
"""The shapes of an error that vcita's front doors are known to emit (vcita.md section 3)."""

PAGE = Path(__file__).resolve().parent / "staff_page"
PAGE_FILES = {
    "": PAGE / "index.html",
    "/page.js": PAGE / "page.js",
    "/page.css": PAGE / "page.css",
    # What a conversation looks like, and how elements are made, is said once.
    "/desk.css": PAGE.with_name("agents_page") / "page.css",
    "/elements.js": PAGE.with_name("agents_page") / "elements.js",
}
"""The page for the staff member, below ``/_sim/staff``."""

WEBHOOK_TIMEOUT_SECONDS = 30.0
"""How long an answer to a webhook is waited for. VCS's own limit is not published (vcita.md section 5)."""

USAGE = """\
vcita simulator: VCS, OAuth, contacts; webhooks to the communication app
-----------------------------------------------------------------------
  GET    /_sim/staff                                 a page on which a person is the staff member
  GET    /_sim/requests[?path=REGEX][&method=POST]   what came in, oldest first
  GET    /_sim/given                                 the tokens that were given out, for whoever looks for them in logs
  GET    /_sim/state                                 channels, sessions, contacts, messages, statuses, webhooks
  POST   /_sim/staff-message    {"text":"Hello"}     the staff member writes (A3)
             optional: session_uid | external_uid | channel_uid, message_uid, status,
             duplicate (copies on top of the first), parallel (copies at the same time), extra {members of the body}
  POST   /_sim/message-status   {"message_uid":"..","status":"read","channel_uid":optional}          (A4)
  POST   /_sim/channel-status   {"status":"inactive","channel_uid":optional}                         (A1)
  POST   /_sim/session-status   {"status":"active","session_uid"|"external_uid":optional}            (A2)
  POST   /_sim/typing           {"typing":true,"session_uid"|"external_uid":optional}                (A5)
  POST   /_sim/webhook          {"method":"POST","path":"/messages" | "url":"..","body":"text or JSON","headers":{}}
  POST   /_sim/activation       {"mode":"auto|manual|before_answer|never","delay_ms":50}
             auto: activated after delay_ms; manual: only after PUT /sessions (V6) or session-status;
             before_answer: the webhook is answered before V4 is; never: not even after V6
  GET    /_sim/faults    POST /_sim/faults    DELETE /_sim/faults
             {"method":"POST","path":"/messages$","times":1,"skip":0,"status":500,"body":{..}|"text",
              "headers":{},"delay_ms":0,"drop":false,"effect":false,"chance":1,"seed":0,"envelope":optional}
             drop: close without an answer; effect: take effect first, then fail; times null: until deleted;
             chance: on that share of the requests, by dice of its own; delay_ms alone: answered later, others are not;
             envelope: vcs|status_error|status_message|failure_message|error|oauth|empty|html, in place of body
  GET    /_sim/rates                                 per business: most requests in any second, by endpoint group
  POST   /_sim/rate-limit       {"per_second":8}     more of one business within a second is 429; null: no limit
  POST   /_sim/businesses       {"business_uid":"..","channel_uid":"..","client_id":"..","client_secret":"..",
              "target_base":".."}                    one more business with an active channel, an app and its api_uri
  POST   /_sim/tokens/expire                         every access token issued so far answers 401
  POST   /_sim/tokens/search    {"text":".."}        how many of the tokens and codes given out occur in the text
  POST   /_sim/oauth-code       {"redirect_uri":"..","code_challenge":optional,"refresh_token":false}
  POST   /_sim/consent          {"business":"..","mode":"allow|deny","id_token":true}   who answers GET /app/oauth/authorize
  POST   /_sim/reset                                 state as at the start, faults and log emptied; tokens stay valid

  curl -s -X POST localhost:PORT/_sim/staff-message -d '{"text":"See you at 3pm"}'
"""


class Refusal(Exception):
    """A request that VCS or the platform API refuses.

    `code` is one of the error codes of vcita.md section 3, or for OAuth the `error` member of its answer.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def vcs_error(status: int, code: str, message: str) -> web.Response:
    """The error envelope of VCS (vcita.md section 3)."""
    return json_answer({"success": False, "errors": [{"code": code, "message": message}]}, status=status)


def vcs_success(data: dict[str, Any], status: int = 200) -> web.Response:
    """The success envelope of VCS (vcita.md section 3)."""
    return json_answer({"success": True, "data": data}, status=status)


def platform_success(data: dict[str, Any], status: int = 200) -> web.Response:
    """The success envelope of the platform APIs (vcita.md 9.6)."""
    return json_answer({"status": "OK", "data": data}, status=status)


def refusal_answer(path: str, refusal: Refusal) -> web.Response:
    """The refusal in the shape of the front door that was asked (vcita.md sections 3, 9.1, 9.4)."""
    if path.startswith("/oauth/") and path != "/oauth/userinfo":
        return json_answer({"error": refusal.code, "error_description": refusal.message}, status=refusal.status)
    if path.startswith("/business/"):
        return vcs_error(refusal.status, refusal.code, refusal.message)
    if refusal.status == 401:
        return json_answer({"message": refusal.message, "status": "Failure"}, status=401)
    return json_answer({"status": "Error", "error": refusal.message}, status=refusal.status)


def short_uid() -> str:
    """A fresh 16 character id, the form of businesses and clients (vcita.md section 1)."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(16))


async def json_body(request: web.Request) -> dict[str, Any]:
    """The body as a JSON object, else 400 `invalid`."""
    data = json_or_text(await request.read())
    if not isinstance(data, dict):
        raise Refusal(400, "invalid", "Request body must be a JSON object")
    return data


def text_member(data: dict[str, Any], name: str) -> str:
    """A mandatory, non-empty string member: 400 `missing_field` without it, 400 `invalid` for another type."""
    value = data.get(name)
    if value in (None, ""):
        raise Refusal(400, "missing_field", f"{name} is missing")
    if not isinstance(value, str):
        raise Refusal(400, "invalid", f"{name} must be a string")
    return value


def enum_member(data: dict[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    """A mandatory string member of a closed set."""
    value = text_member(data, name)
    if value not in allowed:
        raise Refusal(422, "invalid", f"{name} must be one of {', '.join(allowed)}")
    return value


def optional_text(data: dict[str, Any], name: str) -> str | None:
    """A string member that may be absent or null."""
    value = data.get(name)
    if value is not None and not isinstance(value, str):
        raise Refusal(400, "invalid", f"{name} must be a string")
    return value


def digits(phone: str | None) -> str:
    """The digits of a phone number: what a search by phone compares."""
    return re.sub(r"\D", "", phone or "")


def endpoint_group(path: str) -> tuple[str, bool]:
    """The group of a path (`sessions`, `typing`, `messages`, `clients`, `token`, ...), and whether it is one of VCS."""
    for prefix in sorted(VCS_PREFIXES, key=len, reverse=True):
        if path.startswith(prefix + "/"):
            group = path.removeprefix(prefix + "/")
            return ("typing" if group == "sessions/typing" else group.partition("/")[0]), True
    return path.removeprefix("/platform/v1").strip("/").partition("/")[0], False


def busiest_second(times: list[float]) -> int:
    """The largest number of these times, in milliseconds and in order, within any second (the 1000th excluded)."""
    most, first = 0, 0
    for last, at in enumerate(times):
        while times[first] <= at - 1000:
            first += 1
        most = max(most, last - first + 1)
    return most


class Tokens:
    """Access tokens, refresh tokens and authorization codes.

    Values leave this object in an OAuth answer, and for whoever looks for them in logs.
    """

    def __init__(self) -> None:
        self.valid_until: dict[str, float] = {}
        self.bearers: dict[str, Bearer] = {}
        """By access token: whose it is."""
        self.refresh: dict[str, Bearer] = {}
        """Likewise by refresh token."""
        self.codes: dict[str, dict[str, Any]] = {}

    def add(self, token: str, bearer: Bearer, until: float) -> None:
        """A token that works for `bearer`."""
        self.valid_until[token] = until
        self.bearers[token] = bearer

    def given(self) -> set[str]:
        """Whatever works, or worked, but for codes that are redeemed: those have come back with a redirect."""
        return {*self.bearers, *self.refresh, *self.codes}

    def issue(self, seconds: int, bearer: Bearer) -> str:
        """A fresh opaque token of 64 hex characters (vcita.md 9.1) that is valid for `seconds`."""
        token = secrets.token_hex(32)
        self.add(token, bearer, time.time() + seconds)
        return token

    def bearer_of(self, authorization: str | None) -> Bearer | None:
        """Whose the token in a request's `Authorization` header is."""
        return self.bearers.get((authorization or "").partition(" ")[2])

    def verdict(self, authorization: str | None) -> str:
        """What a request's `Authorization` header amounts to: valid, expired, unknown or missing."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return "missing"
        if token not in self.valid_until:
            return "unknown"
        return "valid" if time.time() < self.valid_until[token] else "expired"

    def expire_all(self) -> int:
        """End every token that is valid now; the number of them."""
        now = time.time()
        running = [token for token, until in self.valid_until.items() if until > now]
        for token in running:
            self.valid_until[token] = 0.0
        return len(running)


class Vcs:
    """The simulated service: its state, the platform side and the control side."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.log = RequestLog(self._business_of)
        self.faults = FaultScript(ENVELOPES)
        self.tasks = BackgroundTasks()
        self.tokens = Tokens()
        self.http: aiohttp.ClientSession | None = None
        self.forget()

    def _business_of(self, request: web.Request, body: Any) -> str | None:
        """For whom a request is: by its token, or by the client that asks for one."""
        if isinstance(body, dict) and request.path.startswith("/oauth/"):
            client = body.get("client_id") or body.get("service_id")
            if isinstance(client, str) and client in self.apps.by_id:
                return self.apps.by_id[client].business
        bearer = self.tokens.bearer_of(request.headers.get("Authorization"))
        return bearer.acts_for if bearer else None

    def forget(self) -> None:
        """The state at the start: one business with an active channel, nothing else."""
        options = self.options
        base = options.target_base.rstrip("/")
        first = App(options.client_id, options.client_secret, base, options.redirect_uri, "1", "deskbridge", options.business)
        self.apps = Apps(first, [App(**json.loads(text)) for text in options.app])
        self.channels: dict[str, dict[str, Any]] = {}
        self.add_business(options.business, options.channel, first, "Demo channel")
        for token in options.token:
            self.tokens.add(token, Bearer(first, None), float("inf"))
        self.per_second: int | None = None
        self.taken: defaultdict[str | None, deque[float]] = defaultdict(deque)
        self.sessions: dict[str, dict[str, Any]] = {}
        self.contacts: dict[str, dict[str, Any]] = {}
        self.messages: list[dict[str, Any]] = []
        self.staff_messages: list[dict[str, Any]] = []
        self.by_uid: dict[tuple[str, str], dict[str, Any]] = {}
        """The messages of both lists, by channel and uid."""
        self.statuses: list[dict[str, Any]] = []
        self.typing: list[dict[str, Any]] = []
        self.webhooks: list[dict[str, Any]] = []
        self.activation: dict[str, Any] = {
            "mode": self.options.activation,
            "delay_ms": self.options.activation_delay_ms,
        }

    def add_business(self, uid: str, channel: str, app: App, name: str) -> None:
        """One more business, that lets `app` in, and its active channel of that app."""
        self.apps.by_id[app.client_id] = app
        self.apps.consented.add((app.client_id, uid))
        self.channels[channel] = {
            "uid": channel,
            "business_uid": uid,
            "type": "transactional",
            "status": "active",
            "display_name": name,
            "open_channel": False,
            "client_id": app.client_id,
        }

    # -- rates ---------------------------------------------------------------------------------------------------

    def over_limit(self, entry: LoggedRequest) -> web.Response | None:
        """The refusal of a request above the limit of its business. What is refused does not count against it."""
        if self.per_second is None:
            return None
        taken = self.taken[entry.business]
        while taken and taken[0] <= entry.at_ms - 1000:
            taken.popleft()
        if len(taken) >= self.per_second:
            entry.note = "above the limit"
            return vcs_error(429, "unexpected", "Too many requests")
        taken.append(entry.at_ms)
        return None

    def rates(self) -> dict[str, dict[str, int]]:
        """Per business the most requests that came within any second: by group, all of VCS, and all."""
        times: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for entry in self.log.entries:
            group, is_vcs = endpoint_group(entry.path)
            for name in (group, "all", *(("vcs",) if is_vcs else ())):
                times[entry.business or "unknown"][name].append(entry.at_ms)
        return {
            business: {name: busiest_second(sorted(each)) for name, each in sorted(groups.items())}
            for business, groups in sorted(times.items())
        }

    # -- look-ups ------------------------------------------------------------------------------------------------

    def channel_of(self, request: web.Request, uid: str) -> dict[str, Any]:
        """A channel of the caller's business by its uid; 404 for an unknown or deleted one."""
        channel = self.channels.get(uid)
        if channel is None or channel["status"] == "deleted":
            raise Refusal(404, "missing", "Channel not found")
        self.check_business(request, channel["business_uid"])
        return channel

    def session_of(self, request: web.Request, uid: str) -> dict[str, Any]:
        """A session of the caller's business by its uid; 404 for an unknown or deleted one."""
        session = self.sessions.get(uid)
        if session is None or session["status"] == "deleted":
            raise Refusal(404, "missing", "Session not found")
        self.check_business(request, session["business_uid"])
        return session

    def live_sessions(self, channel_uid: str) -> list[dict[str, Any]]:
        """The sessions of a channel that still count: `deleted` and `failed` ones make room for a new one."""
        return [
            session
            for session in self.sessions.values()
            if session["channel_uid"] == channel_uid and session["status"] not in ("deleted", "failed")
        ]

    def check_business(self, request: web.Request, uid: str) -> None:
        """The token is an app's or a business's; another business is refused in the words of vcita.md 9.4, row 2."""
        if not self.apps.may(request["bearer"], uid):
            raise Refusal(401, "unauthorized", "Unauthorized")

    # -- VCS: channels -------------------------------------------------------------------------------------------

    async def create_channel(self, request: web.Request) -> web.Response:
        """V1: 201 with `data.channel`, status `pending`; A1 announces `active`."""
        data = await json_body(request)
        business = text_member(data, "business_uid")
        kind = enum_member(data, "type", CHANNEL_TYPES)
        name = optional_text(data, "display_name")
        self.check_business(request, business)
        channel: dict[str, Any] = {
            "uid": str(uuid.uuid4()),
            "business_uid": business,
            "type": kind,
            "status": "pending",
            "display_name": name or "",
            "open_channel": False,
            "client_id": request["bearer"].app.client_id,
        }
        self.channels[channel["uid"]] = channel
        answer = {"uid": channel["uid"], "status": "pending", "display_name": channel["display_name"]}
        await self.activate("channels", channel)
        return vcs_success({"channel": answer}, status=201)

    async def update_channel(self, request: web.Request) -> web.Response:
        """V2: takes `status`, `display_name` and `open_channel`; a change of status is announced by A1."""
        channel = self.channel_of(request, request.match_info["uid"])
        data = await json_body(request)
        name = optional_text(data, "display_name")
        status = enum_member(data, "status", CHANNEL_STATUSES) if data.get("status") is not None else None
        if name is not None:
            channel["display_name"] = name
        if isinstance(data.get("open_channel"), bool):
            channel["open_channel"] = data["open_channel"]
        if status is not None:
            await self.announce("channels", channel, status)
        return vcs_success({})

    async def delete_channel(self, request: web.Request) -> web.Response:
        """V3: the channel is gone for good."""
        self.channel_of(request, request.match_info["uid"])["status"] = "deleted"
        return vcs_success({})

    # -- VCS: sessions -------------------------------------------------------------------------------------------

    async def create_session(self, request: web.Request) -> web.Response:
        """V4: 201 with `data.session`, status `pending`; 422 when channel and contact, or external_uid, have one."""
        data = await json_body(request)
        business, channel_uid, contact_uid, external_uid = (
            text_member(data, name) for name in ("business_uid", "channel_uid", "contact_uid", "external_uid")
        )
        self.check_business(request, business)
        channel = self.channel_of(request, channel_uid)
        if channel["status"] != "active":
            raise Refusal(422, "invalid", "Channel is not active")
        if contact_uid not in self.contacts or self.contacts[contact_uid]["business_uid"] != business:
            raise Refusal(422, "invalid", "Contact not found")
        for other in self.live_sessions(channel_uid):
            if contact_uid == other["contact_uid"] or external_uid == other["external_uid"]:
                raise Refusal(422, "already_exists", "Session already exist")
        session = {
            "uid": str(uuid.uuid4()),
            "business_uid": business,
            "channel_uid": channel_uid,
            "contact_uid": contact_uid,
            "external_uid": external_uid,
            "status": "pending",
            "ai_status": "none",
        }
        self.sessions[session["uid"]] = session
        # The answer says "pending" even when the webhook that says "active" has already been answered.
        answer = {"uid": session["uid"], "status": "pending", "ai_status": "none"}
        await self.activate("sessions", session)
        return vcs_success({"session": answer}, status=201)

    async def find_sessions(self, request: web.Request) -> web.Response:
        """V5: both spellings of the filter are read; contact and external ids are not given back."""
        wanted: dict[str, str | None] = {}
        for name in ("channel_uid", "business_uid", "contact_uid"):
            wanted[name] = request.query.get(name) or request.query.get(f"filter[{name}]")
        for name in ("channel_uid", "business_uid"):
            if not wanted[name]:
                raise Refusal(400, "missing_field", f"{name} is missing")
        self.check_business(request, wanted["business_uid"] or "")
        found = [
            {"uid": session["uid"], "status": session["status"], "ai_status": session["ai_status"]}
            for session in self.sessions.values()
            if session["channel_uid"] == wanted["channel_uid"]
            and session["business_uid"] == wanted["business_uid"]
            and wanted["contact_uid"] in (None, session["contact_uid"])
        ]
        return vcs_success({"sessions": found})

    async def update_session(self, request: web.Request) -> web.Response:
        """V6: 200 means taken; A2 announces the change. `ai_status` must never be sent by a source channel app."""
        session = self.session_of(request, request.match_info["uid"])
        data = await json_body(request)
        if "ai_status" in data:
            raise Refusal(422, "invalid", "ai_status must not be sent by the source channel app")
        status = enum_member(data, "status", SESSION_UPDATES)
        await self.announce("sessions", session, status)
        return vcs_success({})

    async def delete_session(self, request: web.Request) -> web.Response:
        """V7: a logical delete; the session stays visible in V5 as `deleted`."""
        self.session_of(request, request.match_info["uid"])["status"] = "deleted"
        return vcs_success({})

    async def client_typing(self, request: web.Request) -> web.Response:
        """V10: the client started or stopped typing."""
        data = await json_body(request)
        session = self.session_of(request, text_member(data, "session_uid"))
        if not isinstance(data.get("typing"), bool):
            raise Refusal(400, "invalid", "typing must be a boolean")
        self.typing.append({"session_uid": session["uid"], "typing": data["typing"], "time": utc_now()})
        return vcs_success({})

    # -- VCS: messages -------------------------------------------------------------------------------------------

    async def inject_message(self, request: web.Request) -> web.Response:
        """V8: 201 with `data.message`, status `pending`; needs an active channel and session."""
        data = await json_body(request)
        message, channel_uid, message_uid, external_uid = (
            text_member(data, name) for name in ("message", "channel_uid", "message_uid", "external_uid")
        )
        contact_uid = optional_text(data, "contact_uid")
        direction = optional_text(data, "direction") or DIRECTIONS[0]
        created_at = optional_text(data, "created_at")
        self._check_injected(data, message_uid, direction, created_at)
        channel = self.channel_of(request, channel_uid)
        if channel["status"] != "active":
            raise Refusal(422, "invalid", "Channel is not active")
        if self.find_message(channel_uid, message_uid) is not None:
            raise Refusal(422, "already_exists", "Message already exist")
        session = next(
            (
                one
                for one in self.live_sessions(channel_uid)
                if one["external_uid"] == external_uid or (contact_uid and one["contact_uid"] == contact_uid)
            ),
            None,
        )
        is_reachable = session is not None and session["status"] == "active"
        # An open channel needs no session, but then the contact must be named (vcita.md 9.5).
        if not is_reachable and not (channel["open_channel"] and contact_uid in self.contacts):
            raise Refusal(422, "invalid", "Session is not active")
        self.by_uid[channel_uid, message_uid] = injected = {
            "message_uid": message_uid,
            "channel_uid": channel_uid,
            "external_uid": external_uid,
            "session_uid": session["uid"] if session else None,
            "contact_uid": session["contact_uid"] if session else contact_uid,
            "message": message,
            "direction": direction,
            "created_at": created_at,
            "status": "pending",
            "attachments": data.get("attachments"),
            "contact_data": data.get("contact_data"),
            "time": utc_now(),
        }
        self.messages.append(injected)
        return vcs_success({"message": {"uid": message_uid, "status": "pending"}}, status=201)

    @staticmethod
    def _check_injected(data: dict[str, Any], message_uid: str, direction: str, created_at: str | None) -> None:
        if len(message_uid) > MESSAGE_UID_LIMIT:
            raise Refusal(422, "too_long", f"message_uid is longer than {MESSAGE_UID_LIMIT}")
        if direction not in DIRECTIONS:
            raise Refusal(422, "invalid", f"direction must be one of {', '.join(DIRECTIONS)}")
        if created_at is not None:
            try:
                datetime.strptime(created_at, "%Y-%m-%d %H:%M:%S")
            except ValueError as problem:
                raise Refusal(422, "invalid", "created_at must be YYYY-MM-DD HH:MM:SS") from problem
        if data.get("attachments") is not None and not isinstance(data["attachments"], list):
            raise Refusal(400, "invalid", "attachments must be an array")
        contact_data = data.get("contact_data")
        if contact_data is not None and not (
            isinstance(contact_data, dict) and all(isinstance(value, str) for value in contact_data.values())
        ):
            raise Refusal(400, "invalid", "contact_data must map strings to strings")

    def find_message(self, channel_uid: str, message_uid: str) -> dict[str, Any] | None:
        """A message of either direction: a uid is unique per channel, not per direction."""
        return self.by_uid.get((channel_uid, message_uid))

    async def report_status(self, request: web.Request) -> web.Response:
        """V9: the status of a message that the staff wrote; looked up by channel and message."""
        data = await json_body(request)
        status = enum_member(data, "status", MESSAGE_STATUSES)
        channel_uid = text_member(data, "channel_uid")
        self.channel_of(request, channel_uid)
        message = self.find_message(channel_uid, request.match_info["uid"])
        if message is None:
            raise Refusal(404, "missing", "Message not found")
        if message["direction"] != DIRECTIONS[1]:
            raise Refusal(422, "invalid", "Not an outbound message")
        message["status"] = status
        self.statuses.append(
            {
                "message_uid": message["message_uid"],
                "channel_uid": channel_uid,
                "status": status,
                "time": utc_now(),
            }
        )
        return vcs_success({})

    # -- OAuth and platform --------------------------------------------------------------------------------------

    async def oauth_token(self, request: web.Request) -> web.Response:
        """P4: `authorization_code`, or `refresh_token` where one was given out (vcita.md 8.5, 9.1)."""
        data = await json_body(request)
        grant = data.get("grant_type")
        if grant not in ("authorization_code", "refresh_token"):
            raise Refusal(400, "unsupported_grant_type", "grant_type must be authorization_code")
        needed = ("code", "redirect_uri") if grant == "authorization_code" else ("refresh_token",)
        for name in (*needed, "client_id", "client_secret"):
            if not isinstance(data.get(name), str) or not data[name]:
                raise Refusal(400, "invalid_request", f"{name} is missing")
        app = self._check_client(data["client_id"], data["client_secret"])
        gives_refresh = True
        if grant == "authorization_code":
            code = self._redeem_code(data)
            gives_refresh = code["refresh_token"]
            bearer = Bearer(app, code["business"] or app.business)
        else:
            code = {"business": None}
            found = self.tokens.refresh.get(data["refresh_token"])
            if found is None or found.app is not app:
                raise Refusal(400, "invalid_grant", "The refresh token is invalid")
            bearer = found
        answer: dict[str, Any] = {
            "access_token": self.tokens.issue(USER_TOKEN_SECONDS, bearer),
            "token_type": "Bearer",
            "expires_in": USER_TOKEN_SECONDS,
            "created_at": int(time.time()),
        }
        if code["business"]:
            self.apps.consented.add((app.client_id, code["business"]))
            if self.apps.consent.id_token:
                answer["id_token"] = id_token(code["business"])
        if gives_refresh:
            answer["refresh_token"] = secrets.token_hex(32)
            self.tokens.refresh[answer["refresh_token"]] = bearer
        return json_answer(answer)

    def _check_client(self, client_id: str, client_secret: str) -> App:
        app = self.apps.by_id.get(client_id)
        if app is None or app.client_secret != client_secret:
            raise Refusal(401, "invalid_client", "Client authentication failed")
        return app

    def _redeem_code(self, data: dict[str, Any]) -> dict[str, Any]:
        # A code works once, so it is taken out even when a later check fails.
        code = self.tokens.codes.pop(data["code"], None)
        if (
            code is None
            or time.time() > code["valid_until"]
            or code["redirect_uri"] != data["redirect_uri"]
            or code.get("client_id", data["client_id"]) != data["client_id"]
        ):
            raise Refusal(400, "invalid_grant", "The authorization code is invalid, used or expired")
        if code["code_challenge"] is not None:
            digest = hashlib.sha256(str(data.get("code_verifier", "")).encode()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != code["code_challenge"]:
                raise Refusal(400, "invalid_grant", "The code verifier does not match")
        return code

    async def service_token(self, request: web.Request) -> web.Response:
        """P5: an app-level token of 3600 s; `created_at` is an ISO-8601 string here (vcita.md 9.2)."""
        data = await json_body(request)
        for name in ("service_id", "service_secret"):
            if not isinstance(data.get(name), str) or not data[name]:
                raise Refusal(400, "invalid_request", f"{name} is missing")
        app = self._check_client(data["service_id"], data["service_secret"])
        return json_answer(
            {
                "access_token": self.tokens.issue(SERVICE_TOKEN_SECONDS, Bearer(app, None)),
                "token_type": "Bearer",
                "expires_in": SERVICE_TOKEN_SECONDS,
                "created_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )

    async def userinfo(self, request: web.Request) -> web.Response:
        """P6: who and which business is behind the token."""
        business = request["bearer"].acts_for
        return json_answer(
            {
                "sub": "st4ffm3mb3r00001",
                "type": "staff",
                "role": "owner",
                "email": "owner@salon.example",
                "business_uid": business,
                "business_id": business,
                "directory_uid": "d1r3ct0ry0000001",
                "brand_host": "app.vcita.example",
            }
        )

    async def mint_token(self, request: web.Request) -> web.Response:
        """P7: a further token; at least one of app, business and directory is named."""
        data = await json_body(request)
        if not any(data.get(name) for name in ("app_id", "business_id", "directory_id")):
            raise Refusal(422, "missing_field", "One of app_id, business_id, directory_id is required")
        return platform_success({"token": self.tokens.issue(USER_TOKEN_SECONDS, request["bearer"])}, status=201)

    async def revoke_token(self, request: web.Request) -> web.Response:
        """P7: 201 with the revoked tokens, 422 for one that is not ours."""
        token = (await json_body(request)).get("token")
        if not isinstance(token, str) or self.tokens.valid_until.pop(token, None) is None:
            raise Refusal(422, "invalid", "Token not found")
        self.apps.revoked += 1
        return platform_success({"revoked_tokens": [token]}, status=201)

    async def authorize(self, request: web.Request) -> web.StreamResponse:
        """The authorization page (vcita.md 9.1)."""
        return authorize(self.apps, self.tokens.codes, CODE_SECONDS, request)

    async def register_app(self, request: web.Request) -> web.Response:
        """P1."""
        return platform_success(register(self.apps, await json_body(request)), status=201)

    async def assign_app(self, request: web.Request) -> web.Response:
        """P2 and P3: remembered."""
        data = await json_body(request)
        if not data.get("app_code_name"):
            raise Refusal(400, "missing_field", "app_code_name is missing")
        if request.path.endswith("/business_app_installs"):
            known = {app.app_code_name for app in self.apps.by_id.values()}
            if not data.get("business_uid") or data["app_code_name"] not in known:
                raise Refusal(422, "invalid", "business_uid or app_code_name is unknown")
        self.apps.assignments.append(data)
        return platform_success({"assigned": True}, status=201)

    async def subscribe(self, request: web.Request) -> web.Response:
        """P9: 201 with the id; 422 for the same pair again."""
        data = await json_body(request)
        text_member(data, "event")
        text_member(data, "target_url")
        entry = subscribe(self.apps, data)
        if entry is None:
            raise Refusal(422, "already_exists", "Subscription already exists")
        return platform_success({"subscription_id": entry["subscription_id"]}, status=201)

    async def unsubscribe(self, request: web.Request) -> web.Response:
        """P9: 201; 404 for what was not subscribed."""
        data = await json_body(request)
        text_member(data, "target_url")
        if not unsubscribe(self.apps, data):
            raise Refusal(404, "missing", "Subscription not found")
        return platform_success({}, status=201)

    async def control_consent(self, request: web.Request) -> web.Response:
        """How the authorization page answers."""
        return await control_consent(self.apps, request)

    async def find_clients(self, request: web.Request) -> web.Response:
        """P8: search by phone, email or uid, at most 100 a page (vcita.md 9.6)."""
        query = request.query
        by, term = query.get("search_by"), query.get("search_term", "")
        try:
            page, per_page = int(query.get("page", "1")), int(query.get("per_page", "25"))
        except ValueError as problem:
            raise Refusal(422, "invalid", "page and per_page must be numbers") from problem
        if page < 1 or not 1 <= per_page <= 100:
            raise Refusal(422, "invalid", "page starts at 1, per_page is 1 to 100")
        if by not in (None, "phone", "email", "uid") or (by is not None and not term):
            raise Refusal(422, "invalid", "search_by must be phone, email or uid, with a search_term")
        found = [contact for contact in self.contacts_of(request) if by is None or self._matches(contact, by, term)]
        return platform_success({"clients": found[(page - 1) * per_page : page * per_page]})

    def contacts_of(self, request: web.Request) -> Iterable[dict[str, Any]]:
        """The contacts of the caller's business."""
        return (one for one in self.contacts.values() if one["business_uid"] == request["bearer"].acts_for)

    @staticmethod
    def _matches(contact: dict[str, Any], by: str, term: str) -> bool:
        if by == "uid":
            return contact["id"] == term
        if by == "email":
            return (contact["email"] or "").lower() == term.lower()
        return digits(term) != "" and digits(contact["mobile_phone"]) == digits(term)

    async def create_client(self, request: web.Request) -> web.Response:
        """P8: 201 with `data.client`; 409 when the e-mail address is taken."""
        data = await json_body(request)
        first_name = data.get("first_name")
        if not isinstance(first_name, str) or not first_name.strip():
            raise Refusal(422, "missing_field", "first_name is missing")
        known = ("last_name", "email", "phone", "source_name", "source_channel", "status")
        last_name, email, phone, source_name, source_channel, status = (optional_text(data, name) for name in known)
        if status not in (None, "lead", "customer", "loyal", "inactive"):
            raise Refusal(422, "invalid", "status must be lead, customer, loyal or inactive")
        if email and any(self._matches(contact, "email", email) for contact in self.contacts_of(request)):
            raise Refusal(409, "already_exists", "Client with this email already exists")
        contact = {
            "id": short_uid(),
            "business_uid": request["bearer"].acts_for,
            "first_name": first_name,
            "last_name": last_name,
            "email": email,
            "mobile_phone": phone,
            "normalized_phone": f"+{digits(phone)}" if digits(phone) else None,
            "source_name": source_name,
            "source_channel": source_channel,
            "status": status or "lead",
        }
        self.contacts[contact["id"]] = contact
        return platform_success({"client": contact}, status=201)

    # -- webhooks ------------------------------------------------------------------------------------------------

    async def send_webhook(
        self,
        route: str,
        method: str,
        path: str,
        body: Any,
        headers: dict[str, str] | None = None,
        base: str | None = None,
    ) -> dict[str, Any]:
        """Call the communication app: `path` under the target base, or a whole URL. Text goes out as it is.

        The base is an app's `api_uri`, the first one's for None. The result has `status` (null when there was no
        answer), `body`, `headers` and, without an answer, `error`.
        """
        assert self.http is not None, "the client is opened before the first request is served"
        is_absolute = path.startswith(("http://", "https://"))
        url = URL(path if is_absolute else (base or self.apps.first.api_uri) + path, encoded=True)
        payload = body.encode("utf-8", errors="surrogatepass") if isinstance(body, str) else None
        sent_headers = {"Content-Type": "application/json", "Accept": "application/json", **(headers or {})}
        record: dict[str, Any] = {
            "route": route,
            "method": method,
            "path": "(absolute)" if is_absolute else path,
            "body": json_or_text(payload) if payload is not None else body,
            "time": utc_now(),
            "status": None,
        }
        self.webhooks.append(record)
        try:
            async with self.http.request(
                method,
                url,
                data=payload,
                json=body if payload is None and body is not None else None,
                headers=sent_headers,
                allow_redirects=False,
            ) as answer:
                text = (await answer.read()).decode("utf-8", errors="replace")
                record["status"] = answer.status
                return {"status": answer.status, "body": text, "headers": dict(answer.headers)}
        except (aiohttp.ClientError, TimeoutError) as problem:
            record["error"] = type(problem).__name__
            return {"status": None, "body": "", "headers": {}, "error": f"no answer: {type(problem).__name__}"}

    async def _change_and_tell(self, kind: str, thing: dict[str, Any], status: str) -> None:
        thing["status"] = status
        route = "A1" if kind == "channels" else "A2"
        path = f"/{kind}/{quote(thing['uid'], safe='~')}"
        await self.send_webhook(route, "PUT", path, {"status": status}, base=self.base_of(kind, thing))

    def base_of(self, kind: str, thing: dict[str, Any] | None) -> str | None:
        """The `api_uri` of the app that a channel or a session belongs to; None for the first app's."""
        channel = thing if kind == "channels" else self.channels.get((thing or {}).get("channel_uid", ""))
        app = self.apps.by_id.get((channel or {}).get("client_id", ""))
        return app.api_uri if app else None

    async def _change_later(self, kind: str, thing: dict[str, Any], status: str) -> None:
        await asyncio.sleep(self.activation["delay_ms"] / 1000)
        if thing["status"] != "deleted":
            await self._change_and_tell(kind, thing, status)

    async def announce(self, kind: str, thing: dict[str, Any], status: str) -> None:
        """A change that we were asked for (V2, V6): announced in every mode but `never`."""
        mode = self.activation["mode"]
        if mode == "before_answer":
            await self._change_and_tell(kind, thing, status)
        elif mode != "never":
            self.tasks.start(self._change_later(kind, thing, status))

    async def activate(self, kind: str, thing: dict[str, Any]) -> None:
        """The activation of something just created (V1, V4): by itself in the modes `auto` and `before_answer`."""
        if self.activation["mode"] in ("auto", "before_answer"):
            await self.announce(kind, thing, "active")

    # -- control side --------------------------------------------------------------------------------------------

    async def show_state(self, _: web.Request) -> web.Response:
        """Everything that the service knows; lists are in order of arrival."""
        return json_answer(
            {
                "channels": list(self.channels.values()),
                "sessions": list(self.sessions.values()),
                "contacts": list(self.contacts.values()),
                "messages": self.messages,
                "staff_messages": self.staff_messages,
                "statuses": self.statuses,
                "typing": self.typing,
                "webhooks": self.webhooks,
                "activation": self.activation,
                **self.apps.state(),
            }
        )

    def _session_for_control(self, data: dict[str, Any]) -> dict[str, Any]:
        """The session that a control call means: by uid, by external_uid, else the newest."""
        if data.get("session_uid"):
            if data["session_uid"] not in self.sessions:
                raise ControlError("no session with this 'session_uid'")
            return self.sessions[data["session_uid"]]
        candidates = list(self.sessions.values())
        if data.get("external_uid"):
            candidates = [one for one in candidates if one["external_uid"] == data["external_uid"]]
        if not candidates:
            raise ControlError("there is no such session yet: let the other side write first")
        return candidates[-1]

    async def control_staff_message(self, request: web.Request) -> web.Response:
        """A3. With `external_uid` and `channel_uid` both given no session is needed: unknown ids can be sent."""
        data = await read_fields(
            request,
            {
                "text": (str,),
                "session_uid": (str,),
                "external_uid": (str,),
                "channel_uid": (str,),
                "message_uid": (str,),
                "status": (str,),
                "duplicate": (int,),
                "parallel": (bool,),
                "extra": (dict,),
            },
            required=("text",),
        )
        if data.get("external_uid") and data.get("channel_uid"):
            external_uid, channel_uid = data["external_uid"], data["channel_uid"]
        else:
            session = self._session_for_control(data)
            external_uid = session["external_uid"]
            channel_uid = data.get("channel_uid", session["channel_uid"])
        message_uid = data.get("message_uid") or str(uuid.uuid4())
        body = {
            "external_uid": external_uid,
            "message": data["text"],
            "message_uid": message_uid,
            "channel_uid": channel_uid,
            "status": data.get("status", "pending"),
            **data.get("extra", {}),
        }
        calls = [self.write_as_staff(body) for _ in range(1 + data.get("duplicate", 0))]
        if data.get("parallel"):
            answers = list(await asyncio.gather(*calls))
        else:
            answers = [await call for call in calls]
        return self._webhook_answer({**answers[0], "message_uid": message_uid, "answers": answers})

    async def write_as_staff(self, body: dict[str, Any]) -> dict[str, Any]:
        """A3 with this body; the message is written down the first time. The app's answer, see `send_webhook`."""
        channel_uid, message_uid = body["channel_uid"], body["message_uid"]
        if self.find_message(channel_uid, message_uid) is None:
            self.by_uid[channel_uid, message_uid] = written = {**body, "direction": DIRECTIONS[1], "time": utc_now()}
            self.staff_messages.append(written)
        base = self.base_of("channels", self.channels.get(channel_uid))
        return await self.send_webhook("A3", "POST", "/messages", body, base=base)

    @staticmethod
    def _webhook_answer(result: dict[str, Any]) -> web.Response:
        return json_answer(result, status=502 if result["status"] is None else 200)

    async def control_message_status(self, request: web.Request) -> web.Response:
        """A4. The channel is that of the message when it is known, else the first channel."""
        data = await read_fields(
            request,
            {"message_uid": (str,), "status": (str,), "channel_uid": (str,)},
            required=("message_uid", "status"),
        )
        known = [one for one in (*self.messages, *self.staff_messages) if one["message_uid"] == data["message_uid"]]
        if data.get("channel_uid"):
            known = [one for one in known if one["channel_uid"] == data["channel_uid"]]
        channel_uid = data.get("channel_uid") or (known[0]["channel_uid"] if known else self.options.channel)
        for message in known:
            message["status"] = data["status"]
        path = f"/messages/{quote(data['message_uid'], safe='~')}"
        body = {"status": data["status"], "channel_uid": channel_uid}
        base = self.base_of("channels", self.channels.get(channel_uid))
        return self._webhook_answer(await self.send_webhook("A4", "PUT", path, body, base=base))

    async def control_channel_status(self, request: web.Request) -> web.Response:
        """A1. An unknown `channel_uid` is sent all the same: the app has to park it (vcita.md section 5)."""
        data = await read_fields(request, {"status": (str,), "channel_uid": (str,)}, required=("status",))
        uid = data.get("channel_uid", self.options.channel)
        if uid in self.channels:
            self.channels[uid]["status"] = data["status"]
        path = f"/channels/{quote(uid, safe='~')}"
        base = self.base_of("channels", self.channels.get(uid))
        return self._webhook_answer(await self.send_webhook("A1", "PUT", path, {"status": data["status"]}, base=base))

    async def control_session_status(self, request: web.Request) -> web.Response:
        """A2. An unknown `session_uid` is sent all the same: the app has to park it (vcita.md section 5)."""
        data = await read_fields(
            request,
            {"status": (str,), "session_uid": (str,), "external_uid": (str,)},
            required=("status",),
        )
        uid = data.get("session_uid") or self._session_for_control(data)["uid"]
        if uid in self.sessions:
            self.sessions[uid]["status"] = data["status"]
        path = f"/sessions/{quote(uid, safe='~')}"
        base = self.base_of("sessions", self.sessions.get(uid))
        return self._webhook_answer(await self.send_webhook("A2", "PUT", path, {"status": data["status"]}, base=base))

    async def control_typing(self, request: web.Request) -> web.Response:
        """A5: directly under the base, not under ``/sessions`` (vcita.md 2.3)."""
        data = await read_fields(
            request,
            {"typing": (bool,), "session_uid": (str,), "external_uid": (str,)},
            required=("typing",),
        )
        uid = data.get("session_uid") or self._session_for_control(data)["uid"]
        path = f"/{quote(uid, safe='~')}/typing"
        base = self.base_of("sessions", self.sessions.get(uid))
        return self._webhook_answer(await self.send_webhook("A5", "POST", path, {"typing": data["typing"]}, base=base))

    async def control_webhook(self, request: web.Request) -> web.Response:
        """Any request to the app, right or wrong."""
        data = await read_fields(
            request,
            {"method": (str,), "path": (str,), "url": (str,), "body": ANY, "headers": (dict,)},
        )
        headers = data.get("headers", {})
        if not all(isinstance(value, str) for value in headers.values()):
            raise ControlError("'headers' must map names to strings")
        target = data.get("url") or data.get("path", "")
        if not re.match(r"https?://|/|$", target):
            raise ControlError("'path' starts with '/', or is a whole URL")
        method = data.get("method", "POST").upper()
        return self._webhook_answer(await self.send_webhook("raw", method, target, data.get("body"), headers))

    async def control_activation(self, request: web.Request) -> web.Response:
        """How and when created sessions and channels become active."""
        data = await read_fields(request, {"mode": (str,), "delay_ms": (int,)})
        if "mode" in data and data["mode"] not in ACTIVATION_MODES:
            raise ControlError(f"'mode' must be one of {', '.join(ACTIVATION_MODES)}")
        self.activation.update(data)
        return json_answer(self.activation)

    async def control_expire(self, _: web.Request) -> web.Response:
        """Every token issued so far is over."""
        return json_answer({"expired": self.tokens.expire_all()})

    async def control_search(self, request: web.Request) -> web.Response:
        """Whether a token leaked into a text, such as a log: the values themselves are never shown."""
        data = await read_fields(request, {"text": (str,)}, required=("text",))
        given_out = self.tokens.valid_until.keys() | self.tokens.refresh.keys() | self.tokens.codes.keys()
        return json_answer({"tokens": len(given_out), "found": sum(token in data["text"] for token in given_out)})

    async def control_code(self, request: web.Request) -> web.Response:
        """An authorization code as the consent page would hand it out: 30 s, once."""
        data = await read_fields(
            request,
            {"redirect_uri": (str,), "code_challenge": (str,), "refresh_token": (bool,)},
            required=("redirect_uri",),
        )
        code = secrets.token_hex(16)
        self.tokens.codes[code] = {
            "valid_until": time.time() + CODE_SECONDS,
            "redirect_uri": data["redirect_uri"],
            "code_challenge": data.get("code_challenge"),
            "refresh_token": data.get("refresh_token", False),
            "business": None,
        }
        return json_answer({"code": code, "expires_in": CODE_SECONDS}, status=201)

    async def show_rates(self, _: web.Request) -> web.Response:
        """Per business the most requests within any second."""
        return json_answer(self.rates())

    async def control_rate_limit(self, request: web.Request) -> web.Response:
        """So many requests of a business within a second, or any number."""
        data = await read_fields(request, {"per_second": (int, type(None))})
        if data.get("per_second") == 0:
            raise ControlError("'per_second' must be at least 1, or null")
        self.per_second = data.get("per_second")
        self.taken.clear()
        return json_answer({"per_second": self.per_second})

    async def control_business(self, request: web.Request) -> web.Response:
        """One more business."""
        names = ("business_uid", "channel_uid", "client_id", "client_secret", "target_base")
        data = await read_fields(request, {name: (str,) for name in names}, required=names)
        business, channel = data["business_uid"], data["channel_uid"]
        if channel in self.channels or any(one["business_uid"] == business for one in self.channels.values()):
            raise ControlError("the business or the channel is there already")
        app = App(data["client_id"], data["client_secret"], data["target_base"].rstrip("/"), business=business)
        self.add_business(business, channel, app, f"Channel of {business}")
        return json_answer(self.channels[data["channel_uid"]], status=201)

    async def control_reset(self, _: web.Request) -> web.Response:
        """Back to the start. Tokens stay valid, so that a running app need not log in again."""
        self.tasks.cancel_all()
        self.faults.faults.clear()
        self.log.clear()
        self.forget()
        return json_answer({"reset": True})

    # -- assembly ------------------------------------------------------------------------------------------------

    def app(self) -> web.Application:
        """The application with all routes of both sides."""
        application = web.Application(
            middlewares=[
                own_pages_only,
                control_middleware,
                platform_middleware(self.log, self.faults, self.over_limit),
                self._refusals(),
            ],
            client_max_size=MAX_BODY_BYTES,
        )
        for prefix in VCS_PREFIXES:
            application.add_routes(
                [
                    web.post(f"{prefix}/channels", self.create_channel),
                    web.put(f"{prefix}/channels/{{uid}}", self.update_channel),
                    web.delete(f"{prefix}/channels/{{uid}}", self.delete_channel),
                    web.post(f"{prefix}/sessions", self.create_session),
                    web.get(f"{prefix}/sessions", self.find_sessions),
                    web.post(f"{prefix}/sessions/typing", self.client_typing),
                    web.put(f"{prefix}/sessions/{{uid}}", self.update_session),
                    web.delete(f"{prefix}/sessions/{{uid}}", self.delete_session),
                    web.post(f"{prefix}/messages", self.inject_message),
                    web.put(f"{prefix}/messages/{{uid}}", self.report_status),
                ]
            )
        application.add_routes(
            [
                web.post("/oauth/token", self.oauth_token),
                web.post("/oauth/service/token", self.service_token),
                web.get("/oauth/userinfo", self.userinfo),
                web.get("/app/oauth/authorize", self.authorize),
                web.post("/platform/v1/apps", self.register_app),
                web.post("/v3/apps/app_assignments", self.assign_app),
                web.post("/v3/apps/business_app_installs", self.assign_app),
                web.post("/platform/v1/webhook/subscribe", self.subscribe),
                web.post("/platform/v1/webhook/unsubscribe", self.unsubscribe),
                web.post("/_sim/consent", self.control_consent),
                web.post("/platform/v1/tokens", self.mint_token),
                web.post("/platform/v1/tokens/revoke", self.revoke_token),
                web.get("/platform/v1/clients", self.find_clients),
                web.post("/platform/v1/clients", self.create_client),
                *shared_routes(self.log, self.faults, USAGE.replace("PORT", str(self.options.port))),
                web.get("/_sim/state", self.show_state),
                given_route(self.tokens.given),
                web.post("/_sim/staff-message", self.control_staff_message),
                web.post("/_sim/message-status", self.control_message_status),
                web.post("/_sim/channel-status", self.control_channel_status),
                web.post("/_sim/session-status", self.control_session_status),
                web.post("/_sim/typing", self.control_typing),
                web.post("/_sim/webhook", self.control_webhook),
                web.post("/_sim/activation", self.control_activation),
                web.post("/_sim/tokens/expire", self.control_expire),
                web.post("/_sim/tokens/search", self.control_search),
                web.post("/_sim/oauth-code", self.control_code),
                web.get("/_sim/rates", self.show_rates),
                web.post("/_sim/rate-limit", self.control_rate_limit),
                web.post("/_sim/businesses", self.control_business),
                *page_routes("/staff", PAGE_FILES),
                web.post("/_sim/reset", self.control_reset),
            ]
        )
        application.on_startup.append(self._open)
        application.on_cleanup.append(self._close)
        return application

    def _refusals(self) -> Any:
        """Check the bearer token of the platform side and turn a `Refusal` into the answer of its front door."""

        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path.startswith("/_sim"):
                return await handler(request)
            try:
                if request.path not in ("/oauth/token", "/oauth/service/token", "/app/oauth/authorize"):
                    verdict = self.tokens.verdict(request.headers.get("Authorization"))
                    request["log_entry"].note = f"token {verdict}"
                    if verdict != "valid":
                        raise Refusal(401, "unauthorized", "401 Unauthorized")
                    request["bearer"] = self.tokens.bearer_of(request.headers.get("Authorization"))
                return await handler(request)
            except Refusal as refusal:
                return refusal_answer(request.path, refusal)
            except web.HTTPNotFound:
                return vcs_error(404, "missing", "Not found")
            except web.HTTPMethodNotAllowed as problem:
                answer = vcs_error(405, "invalid", "Method not allowed")
                answer.headers["Allow"] = ", ".join(sorted(problem.allowed_methods))
                return answer

        return middleware

    async def _open(self, _: web.Application) -> None:
        self.http = open_client(WEBHOOK_TIMEOUT_SECONDS)

    async def _close(self, _: web.Application) -> None:
        self.tasks.cancel_all()
        if self.http is not None:
            await self.http.close()


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.vcs", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--port", type=int, default=9101)
    parser.add_argument("--target-base", required=True, help="the app's api_uri, without a trailing slash")
    parser.add_argument("--channel", default=DEMO_CHANNEL, help="uid of the channel that exists from the start")
    parser.add_argument("--business", default=DEMO_BUSINESS, help="uid of the business behind every token")
    parser.add_argument("--client-id", default="demo-client", help="of P4 and P5")
    parser.add_argument("--client-secret", default="demo-client-secret", help="of P4 and P5")
    parser.add_argument("--redirect-uri", default="", help="of the app that exists from the start")
    parser.add_argument("--app", action="append", default=[], help="a further app, as JSON: the fields of vcs_apps.App")
    parser.add_argument("--token", action="append", default=[], help="an access token valid from the start")
    parser.add_argument("--activation", choices=ACTIVATION_MODES, default="auto")
    parser.add_argument("--activation-delay-ms", type=int, default=50)
    return parser.parse_args(arguments)


def main() -> int:
    """Run until SIGTERM."""
    options = parse_arguments()
    return run(Vcs(options).app(), options.port, "vcita simulator")


if __name__ == "__main__":
    sys.exit(main())
