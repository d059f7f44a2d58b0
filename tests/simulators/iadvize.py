"""iAdvize: what calls an app's plugins, bot and webhooks, the API that an app calls, and a Desk for a person.

Run: ``python -m tests.simulators.iadvize --port 9109 --app http://127.0.0.1:9000 --secret ...``
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

from aiohttp import web
from graphql import FieldNode, GraphQLError, OperationDefinitionNode, parse, value_from_ast_untyped

from tests.simulators.common import (
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
from tests.simulators.iadvize_calls import ENDPOINTS, FAULTS, JWT_FAULTS, Caller, jwt, unique_visitor
from tests.simulators.iadvize_talk import Clock, Conversation, Talk, Visitor, Webhooks

USAGE = f"""iAdvize simulator

The platform: POST /oauth2/token, GET /_authenticated, POST /graphql (chatbotMessageSend, routingRule).

GET    /_sim/desk                        the Desk: a visitor's card and its actions, products, closing form, panel, and the bot
GET    /_sim/idzcpa.umd.js               the browser library of panels; as a folder with its style sheet: /_sim/library/
GET    /_sim/given                       the tokens that were given out, for whoever looks for them in logs
GET    /_sim/state                       visitors, bots, rules, deliveries of webhooks, logins
POST   /_sim/call/{{name}} {{"params"?,"body"?,"fault"?,"secret"?,"headers"?,"seconds"?,"method"?}}
                                         one call as iAdvize makes it: {", ".join(ENDPOINTS)}.
                                         params: query and path; null leaves one out, an array has it several times.
                                         body: members over the usual ones, or a text that goes out as it is.
                                         Told: status, headers, body, ms, what was sent, valid (by the contract's JSON Schema
                                         or, of an error, by section 3.3) and the problems.
                                         fault, each to be answered 401: {", ".join(FAULTS)}
POST   /_sim/webhook {{"event"?,"fault"?,"attempts"?,"wait"?}}
                                         an event, tried up to three times, after 10 and 20 s; wait: false does not wait for that.
                                         event: members over those of v2.conversation.pushed, or a text that goes out as it is
POST   /_sim/subscribe {{"on"}}            whether conversations send webhooks by themselves; they do
POST   /_sim/speed {{"factor"}}            time passes so many times as fast: retries, awaits, transfers, idle conversations;
                                         limits of calls stay
POST   /_sim/visitors {{"id","name","idVisitorExternal"?,"emailVisitor"?}}
                                         somebody on the merchant's site
POST   /_sim/conversations {{"visitor","channel"?,"language"?,"idOperator"?}}
                                         one with an agent; with idOperator with that bot: the visitor opens the chat box
GET    /_sim/conversations, /_sim/conversations/{{id}}
POST   /_sim/conversations/{{id}}/visitor {{"text"?,"payload"?,"idMessage"?}}
                                         the visitor writes; a quick reply is its text
POST   /_sim/conversations/{{id}}/agent {{"text"}}
                                         the agent writes
POST   /_sim/conversations/{{id}}/close   the agent or the visitor ends it
POST   /_sim/bots {{"idBot"?,"number"?,"name"?,"pseudo"?,"language"?,"distributionRules"?}}
                                         an administrator creates a bot of a scenario, the first unless named
POST   /_sim/rules {{"id","available"}}    whether somebody is free behind a routing rule
POST   /_sim/jwt {{"audience"?,"sub"?,"email"?,"now"?,"fault"?}}
                                         a token for the panel; fault, each to be answered 401: {", ".join(JWT_FAULTS)}
POST   /_sim/secret {{"secret"}}           calls are signed with another token from now on
POST   /_sim/reset                       back to the start
GET    /_sim/requests?path=&method=      what came in
GET    /_sim/faults, POST, DELETE        scripted failures: {{"path","method"?,"times"?,"skip"?,"status"?,"body"?,
                                         "headers"?,"delay_ms"?,"drop"?,"effect"?,"chance"?,"seed"?,"envelope"?}};
                                         envelopes: errors, and user_errors with the status 200
"""

HERE = Path(__file__).resolve().parent
PAGE = HERE / "desk_page"
PAGE_FILES = {"": PAGE / "index.html", "/page.js": PAGE / "page.js", "/page.css": PAGE / "page.css"}
LIBRARY = HERE / "desk"
LIBRARY_FILES = {
    "/desk/desk.js": LIBRARY / "desk.js",
    "/idzcpa.umd.js": LIBRARY / "idzcpa.umd.production.min.js",
    "/library/idzcpa.umd.production.min.js": LIBRARY / "idzcpa.umd.production.min.js",
    "/library/idzcpa.base.css": LIBRARY / "idzcpa.base.css",
}
OPERATOR, OPERATOR_EMAIL = "77120", "lea.martin@example.com"
BOT_NUMBER = "60012"
RULE = {"id": "c1f0a2d4-97b3-4c55-8a2e-1f6d3b9e7a10", "label": "Conseillers"}
CHANNELS = (
    *("APPLE_BUSINESS_CHAT", "CALL", "CHAT", "FACEBOOK", "FACEBOOK_BUSINESS_ON_MESSENGER", "GOOGLE_BUSINESS_MESSAGES"),
    *("INSTAGRAM", "MOBILE_APP", "SMS", "TWITTER", "VIDEO", "WHATSAPP"),
)
"""Section 9.4."""
VISITORS = {
    "ines": Visitor("Inés Vega", unique_visitor("ines"), "+420700123456", "ines.v@example.com"),
    "ada": Visitor("Ada", unique_visitor("ada"), None, "ada@example.org"),
    "nobody": Visitor("Nobody known", unique_visitor("nobody")),
}
LOGINS_A_MINUTE = 10
"""Of one user (section 12.1)."""
TOKEN_SECONDS = 86400
PREVIEW = "application/vnd.iadvize.automation-chatbot-conversation-preview+json"
MAX_TEXT = 450

ENVELOPES = {
    "errors": lambda status: {"errors": [{"message": "scripted"}]},
    "user_errors": lambda status: {"data": {"chatbotMessageSend": {"userErrors": [{"message": "scripted"}]}}},
}


class UserError(Exception):
    """GraphQL answers 200 to what it refuses, and says why."""


class Iadvize:
    """The simulator."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.log = RequestLog()
        self.faults = FaultScript(ENVELOPES)
        self.given: set[str] = set()
        """Every token that was given out, those of before a reset too."""
        self.background = BackgroundTasks()
        self.caller = Caller(options.app, options.secret, options.website, OPERATOR)
        self.clock = Clock()
        platform, _, project = options.website.partition("-")
        self.hooks = Webhooks(self.caller, self.clock, platform, int(project))
        self.talk = Talk(self.caller, self.hooks, self.clock, self.background)
        self.forget()

    def forget(self) -> None:
        """The state at the start."""
        self.visitors = {key: Visitor(**asdict(one)) for key, one in VISITORS.items()}
        self.tokens: dict[str, float] = {}
        self.logins: deque[float] = deque()
        self.caller.secret = self.options.secret
        self.talk.forget()

    def visitor_of(self, one: Conversation) -> Visitor:
        """Whose a conversation is."""
        return self.visitors[one.visitor]

    # -- the platform ------------------------------------------------------------------------------------------------

    async def login(self, request: web.Request) -> web.Response:
        """The token endpoint (section 12.1)."""
        form = {name: values[0] for name, values in parse_qs((await request.read()).decode(errors="replace")).items()}
        request["log_entry"].body = {name: "***" if name == "password" else value for name, value in form.items()}
        now = time.monotonic()
        while self.logins and self.logins[0] <= now - 60:
            self.logins.popleft()
        if len(self.logins) >= LOGINS_A_MINUTE:
            return json_answer({"error": "too_many_requests"}, status=429)
        self.logins.append(now)
        if form.get("grant_type") != "password":
            return json_answer({"error": "unsupported_grant_type"}, status=400)
        if (form.get("username"), form.get("password")) != (self.options.api_user, self.options.api_password):
            return json_answer({"error": "invalid_grant"}, status=400)
        token = secrets.token_urlsafe(24)
        self.tokens[token] = now + TOKEN_SECONDS
        self.given.add(token)
        return json_answer({"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS})

    def _let_in(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.tokens.get(token, 0.0) > time.monotonic()

    async def authenticated(self, request: web.Request) -> web.Response:
        """Whether a token is good."""
        return json_answer({"authenticated": True} if self._let_in(request) else {}, status=200 if self._let_in(request) else 401)

    async def graphql(self, request: web.Request) -> web.Response:
        """The GraphQL endpoint: the fields of section 12.2 and 12.3."""
        if not self._let_in(request):
            return json_answer({"errors": [{"message": "not authenticated"}]}, status=401)
        body = json_or_text(await request.read())
        variables = body.get("variables") if isinstance(body, dict) else None
        try:
            document = parse(body["query"])
            (operation,) = (one for one in document.definitions if isinstance(one, OperationDefinitionNode))
            data = {
                (one.alias or one.name).value: self._field(one, variables or {}, request)
                for one in operation.selection_set.selections
                if isinstance(one, FieldNode)
            }
        except (GraphQLError, KeyError, TypeError, ValueError) as problem:
            return json_answer({"errors": [{"message": str(problem) or type(problem).__name__}]})
        return json_answer({"data": data})

    def _field(self, one: FieldNode, variables: dict[str, Any], request: web.Request) -> Any:
        given = {each.name.value: value_from_ast_untyped(each.value, variables) for each in one.arguments}
        # The arguments may stand by themselves or in one input object.
        if len(given) == 1 and isinstance(inner := next(iter(given.values())), dict):
            given = inner
        if one.name.value == "routingRule":
            return {"availability": {"chat": {"isAvailable": self.talk.rules.get(given["id"], True)}}}
        if one.name.value != "chatbotMessageSend":
            raise ValueError(f"there is no field {one.name.value} here")
        if PREVIEW not in request.headers.get("Accept", ""):
            raise ValueError("chatbotMessageSend is a preview: the header Accept must ask for it")
        try:
            self._bot_says(given)
        except UserError as problem:
            return {"userErrors": [{"message": str(problem)}]}
        return {"userErrors": []}

    def _bot_says(self, given: dict[str, Any]) -> None:
        one = self.talk.conversations.get(given.get("conversationId", ""))
        if one is None or not one.is_bot:
            raise UserError("there is no such conversation")
        if one.state != "open":
            raise UserError("the conversation is not the bot's any more")
        if given.get("chatbotId") != int(one.operator.rpartition("-")[2]):
            raise UserError("it is another bot's conversation")
        if not one.has_begun:
            raise UserError("the visitor has written nothing yet")
        what = given.get("actionOrMessage") or {}
        message, action = what.get("chatbotMessage") or {}, what.get("chatbotAction") or {}
        if len(message) + len(action) != 1:
            raise UserError("one message or action in each call")
        self._act(one, message, action)

    def _act(self, one: Conversation, message: dict[str, Any], action: dict[str, Any]) -> None:
        visitor = self.visitor_of(one)
        if "closeMessage" in action:
            self.talk.close(one, visitor)
            return
        if "transferMessage" in action:
            asked = action["transferMessage"]
            if not self.talk.rules.get(asked["routingRuleId"], True):
                raise UserError("nobody is free")
            self.talk.transfer(one, visitor)
            return
        menu = (message.get("chatbotMessageAttachmentInput") or {}).get("quickReplyMenu") or {}
        text = message.get("chatbotSimpleTextMessage", menu.get("message"))
        if not isinstance(text, str) or not text or len(text) > MAX_TEXT:
            raise UserError(f"a text has 1 to {MAX_TEXT} characters")
        choices = [{"contentType": "text/quick-reply", "value": choice} for choice in menu.get("choices", [])]
        self.talk.publish(one, visitor, {"contentType": "text", "value": text}, choices)

    # -- control -----------------------------------------------------------------------------------------------------

    async def control_state(self, _: web.Request) -> web.Response:
        """What there is."""
        return json_answer(
            {
                "visitors": {key: asdict(one) for key, one in self.visitors.items()},
                "bots": self.talk.bots,
                "rules": self.talk.rules,
                "deliveries": self.hooks.deliveries,
                "subscribed": self.hooks.subscribed,
                "speed": self.clock.speed,
                "logins": len(self.logins),
                "app": self.options.app,
                "panel": self.options.panel,
                "website": self.options.website,
                "operator": OPERATOR,
                "channels": CHANNELS,
            }
        )

    async def control_call(self, request: web.Request) -> web.Response:
        """One call."""
        text = (str, type(None))
        fields = {
            "params": (dict,),
            "body": (dict, str),
            "fault": text,
            "secret": text,
            "headers": (dict,),
            "seconds": (int, float),
            "method": (str,),
        }
        data = await read_fields(request, fields)
        headers = data.get("headers", {})
        if not all(isinstance(value, str) for value in headers.values()):
            raise ControlError("'headers' must map names to strings")
        params, body = data.pop("params", {}), data.pop("body", None)
        return json_answer(await self.caller.call(request.match_info["name"], params, body, **data))

    async def control_webhook(self, request: web.Request) -> web.Response:
        """An event."""
        fields = {"event": (dict, str), "fault": (str, type(None)), "attempts": (int,), "wait": (bool,)}
        data = await read_fields(request, fields)
        event = data.get("event", {})
        event = self.hooks.event(event) if isinstance(event, dict) else event
        if not 1 <= (attempts := data.get("attempts", 3)) <= 3:
            raise ControlError("'attempts' must be 1, 2 or 3")
        work = self.hooks.deliver(event, data.get("fault"), attempts)
        if not data.get("wait", True):
            self.background.start(work)
            return json_answer({"event": event, "deliveries": None})
        return json_answer({"event": event, "deliveries": await work})

    async def control_subscribe(self, request: web.Request) -> web.Response:
        """Whether webhooks come by themselves."""
        data = await read_fields(request, {"on": (bool,)}, required=("on",))
        self.hooks.subscribed = data["on"]
        return json_answer({"subscribed": data["on"]})

    async def control_speed(self, request: web.Request) -> web.Response:
        """How fast time passes."""
        data = await read_fields(request, {"factor": (int, float)}, required=("factor",))
        if data["factor"] <= 0:
            raise ControlError("'factor' must be more than 0")
        self.clock.speed = float(data["factor"])
        return json_answer({"speed": self.clock.speed})

    async def control_visitors(self, request: web.Request) -> web.Response:
        """Somebody on the merchant's site."""
        fields = {"id": (str,), "name": (str,), "idVisitorExternal": (str, type(None)), "emailVisitor": (str, type(None))}
        data = await read_fields(request, fields, required=("id", "name"))
        key = data.pop("id")
        self.visitors[key] = Visitor(idVisitorUnique=unique_visitor(key), **data)
        return json_answer(asdict(self.visitors[key]), status=201)

    def _visitor(self, key: str) -> Visitor:
        if key not in self.visitors:
            raise ControlError(f"there is no visitor {key}", 404)
        return self.visitors[key]

    async def control_begin(self, request: web.Request) -> web.Response:
        """A conversation begins."""
        fields = {"visitor": (str,), "channel": (str,), "language": (str,), "idOperator": (str,)}
        data = await read_fields(request, fields, required=("visitor",))
        visitor, channel = self._visitor(data["visitor"]), data.get("channel", "CHAT")
        if channel not in CHANNELS:
            raise ControlError(f"'channel' must be one of {', '.join(CHANNELS)}")
        bot = data.get("idOperator")
        if bot is not None and bot not in self.talk.bots:
            raise ControlError(f"there is no bot {bot}", 404)
        one = self.talk.begin(data["visitor"], bot or OPERATOR, bot is not None, channel, data.get("language", "fr"))
        opened = await self.talk.open_box(one, visitor) if bot else None
        if not bot:
            self.talk.tell_hooks(one, "v2.conversation.pushed", visitor)
        return json_answer({**one.as_json(), "opened": opened}, status=201)

    async def control_conversations(self, _: web.Request) -> web.Response:
        """All of them."""
        return json_answer([one.as_json() for one in self.talk.conversations.values()])

    async def control_conversation(self, request: web.Request) -> web.Response:
        """One of them."""
        return json_answer(self.talk.find(request.match_info["id"]).as_json())

    async def control_says(self, request: web.Request) -> web.Response:
        """The visitor writes."""
        data = await read_fields(request, {"text": (str,), "payload": (dict,), "idMessage": (str,)})
        if ("text" in data) == ("payload" in data):
            raise ControlError("'text' or 'payload' is needed")
        one = self.talk.find(request.match_info["id"])
        payload = data.get("payload") or {"contentType": "text", "value": data["text"]}
        return json_answer(await self.talk.visitor_says(one, self.visitor_of(one), payload, data.get("idMessage")))

    async def control_agent_says(self, request: web.Request) -> web.Response:
        """The agent writes."""
        data = await read_fields(request, {"text": (str,)}, required=("text",))
        one = self.talk.find(request.match_info["id"])
        if one.state == "closed" or (one.is_bot and one.state == "open"):
            raise ControlError("no agent has this conversation")
        payload = {"contentType": "text", "value": data["text"]}
        return json_answer(self.talk.say(one, "operator", payload, self.visitor_of(one)))

    async def control_close(self, request: web.Request) -> web.Response:
        """The end of a conversation."""
        one = self.talk.find(request.match_info["id"])
        self.talk.close(one, self.visitor_of(one))
        return json_answer(one.as_json())

    async def control_bots(self, request: web.Request) -> web.Response:
        """An administrator creates a bot: B1, B2, B3 and B4, in this order (section 10.1)."""
        fields = {
            **{name: (str,) for name in ("idBot", "number", "name", "pseudo", "language")},
            "distributionRules": (list,),
        }
        data = await read_fields(request, fields)
        operator = f"{self.caller.platform}-{data.get('number', BOT_NUMBER)}"
        steps = {"external-bots": await self.caller.call("external-bots")}
        listed = steps["external-bots"]["body"] if steps["external-bots"]["valid"] else []
        ids = [one["idBot"] for one in listed] if isinstance(listed, list) else []
        chosen = data.get("idBot", ids[0] if ids else None)
        if chosen is None:
            return json_answer({"idOperator": None, "steps": steps})
        rules = data.get("distributionRules", [RULE])
        bot = {
            "name": data.get("name", "Bot"),
            "pseudo": data.get("pseudo", "Nami"),
            "language": data.get("language", "fr"),
            "distributionRules": rules,
            "external": {"idBot": chosen},
        }
        at = {"idOperator": operator}
        steps["bot-save"] = await self.caller.call("bot-save", at, bot)
        if steps["bot-save"]["status"] != 200:
            return json_answer({"idOperator": None, "steps": steps})
        steps["bot"] = await self.caller.call("bot", at)
        steps["availability"] = await self.caller.call("availability", at)
        self.talk.bots[operator] = bot
        return json_answer({"idOperator": operator, "steps": steps}, status=201)

    async def control_rules(self, request: web.Request) -> web.Response:
        """Who is free."""
        data = await read_fields(request, {"id": (str,), "available": (bool,)}, required=("id", "available"))
        self.talk.rules[data["id"]] = data["available"]
        return json_answer(self.talk.rules)

    async def control_jwt(self, request: web.Request) -> web.Response:
        """A token, and the panel's address with it."""
        text = (str, type(None))
        fields = {"audience": (str,), "sub": (str,), "email": text, "now": (int, float), "fault": text}
        data = await read_fields(request, fields)
        audience, email = data.get("audience", self.options.panel), data.get("email", OPERATOR_EMAIL)
        token = jwt(self.caller.secret, audience, data.get("sub", OPERATOR), email, data.get("now"), data.get("fault"))
        self.given.add(token)
        return json_answer({"jwt": token, "url": f"{self.options.panel}?{urlencode({'jwt': token})}"})

    async def control_secret(self, request: web.Request) -> web.Response:
        """Another token."""
        data = await read_fields(request, {"secret": (str,)}, required=("secret",))
        self.caller.secret = data["secret"]
        return json_answer({"changed": True})

    async def control_reset(self, _: web.Request) -> web.Response:
        """Back to the start."""
        self.faults.faults.clear()
        self.log.clear()
        self.forget()
        return json_answer({"reset": True})

    # -- assembly ----------------------------------------------------------------------------------------------------

    def app(self) -> web.Application:
        """The whole."""
        middlewares = [own_pages_only, control_middleware, platform_middleware(self.log, self.faults)]
        application = web.Application(middlewares=middlewares, client_max_size=MAX_BODY_BYTES)
        app = self.options.app
        policy = PAGE_HEADERS["Content-Security-Policy"].replace("connect-src 'self'", f"connect-src 'self' {app}")
        # Pictures of products are the merchant's.
        policy = policy.replace("img-src 'self'", "img-src 'self' https:")
        headers = {**PAGE_HEADERS, "Content-Security-Policy": f"frame-src {app}; {policy}"}
        control = {
            "/webhook": self.control_webhook,
            "/call/{name}": self.control_call,
            "/subscribe": self.control_subscribe,
            "/speed": self.control_speed,
            "/visitors": self.control_visitors,
            "/conversations": self.control_begin,
            "/conversations/{id}/visitor": self.control_says,
            "/conversations/{id}/agent": self.control_agent_says,
            "/conversations/{id}/close": self.control_close,
            "/bots": self.control_bots,
            "/rules": self.control_rules,
            "/jwt": self.control_jwt,
            "/secret": self.control_secret,
            "/reset": self.control_reset,
        }
        application.add_routes(
            [
                web.post("/oauth2/token", self.login),
                web.get("/_authenticated", self.authenticated),
                web.post("/graphql", self.graphql),
                web.get(CONTROL_PREFIX + "/state", self.control_state),
                web.get(CONTROL_PREFIX + "/conversations", self.control_conversations),
                web.get(CONTROL_PREFIX + "/conversations/{id}", self.control_conversation),
                given_route(lambda: self.given),
                *(web.post(CONTROL_PREFIX + path, handler) for path, handler in control.items()),
                *page_routes("/desk", PAGE_FILES, headers),
                # The panel loads the library from here, and is of another origin.
                *page_routes("", LIBRARY_FILES),
                *shared_routes(self.log, self.faults, USAGE),
            ]
        )
        application.cleanup_ctx.append(self._client)
        return application

    async def _client(self, _: web.Application):  # noqa: ANN202
        self.caller.http = open_client(30.0)
        yield
        self.background.cancel_all()
        await self.caller.http.close()


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.iadvize", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--port", type=int, default=9109)
    parser.add_argument("--app", required=True, help="origin of the app, without a trailing slash")
    parser.add_argument("--secret", required=True, help="the secret token of the app's connector")
    parser.add_argument("--website", default="ha-4821", help="the site, as idWebsite")
    parser.add_argument("--panel", help="the address of the panel; that of the app unless given")
    parser.add_argument("--api-user", default="bot@shop.example")
    parser.add_argument("--api-password", default="")
    options = parser.parse_args(arguments)
    options.panel = options.panel or f"{options.app}/iadvize/panel"
    return options


def main() -> int:
    """Run until SIGTERM."""
    options = parse_arguments()
    return run(Iadvize(options).app(), options.port, "iAdvize simulator")


if __name__ == "__main__":
    sys.exit(main())
