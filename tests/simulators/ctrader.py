"""cTrader: its backend, and the app that opens a broker's screens (cTrader contract, sections 3, 4, 7 and 8).

It plays two brands at once. One has the identity `handoff`: the backend gives out one-time tokens by itself and the broker
redeems them here (O1, O2, O3). The other has `sso`: the backend asks the broker for tokens (I1 to I5) and takes ribbons (O4).

Run: ``python -m tests.simulators.ctrader --port 9108 --broker http://127.0.0.1:9000
--handoff-broker http://localhost:9000 --crm-password ... --manager-password ...``
"""

from __future__ import annotations

import argparse
import hashlib
import secrets
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from aiohttp import web

from tests.simulators.common import (
    ANY,
    CONTROL_PREFIX,
    MAX_BODY_BYTES,
    PAGE_HEADERS,
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

USAGE = """cTrader simulator

The platform: POST /v2/webserv/managers/token, POST /cid/ctid2/inAppToken/redeem,
GET /cid/ctid2/inAppOneTimeToken/data, PUT /cid/oauth2/ctid/inAppControls.

GET    /_sim/app                         a page that opens the screens as the app does
GET    /_sim/given                       the tokens that were given out, for whoever looks for them in logs
GET    /_sim/state                       users, ribbons, how many tokens were given out and redeemed
POST   /_sim/open {"option","screen","params"?,"userId"?}
                                         presses a control: a token from whoever gives it out, and the screen's address.
                                         option: handoff or sso; screen: action, chat or education
POST   /_sim/token {"option","userId"?,"ttl_seconds"?}
                                         the token alone
POST   /_sim/ask {"path","body"?,"query"?,"crmApiToken"?}
                                         calls the sso broker below /oauth2 as the backend does; crmApiToken is its own
                                         unless another, or null for none, is given
POST   /_sim/users {"userId","email"?,"tradingLogin"?}
                                         a user of the handoff brand
POST   /_sim/manager {"password"}        the manager's password changes: tokens of before die
POST   /_sim/limit {"calls"}             so many more calls with POST and PUT are taken in this hour; null for any number
POST   /_sim/reset                       back to the start
GET    /_sim/requests?path=&method=      what came in
GET    /_sim/faults, POST, DELETE        scripted failures: {"path","method"?,"times"?,"skip"?,"status"?,"body"?,
                                         "headers"?,"delay_ms"?,"drop"?,"effect"?,"chance"?,"seed"?,"envelope"?};
                                         envelopes: top, nested, text
"""

DEMO_USER = 31550462
DEMO_USERS = {DEMO_USER: {"email": "ines.v@example.com", "tradingLogin": 5207718}}
PAGE = Path(__file__).resolve().parent / "app_page"
PAGE_FILES = {"": PAGE / "index.html", "/page.js": PAGE / "page.js", "/page.css": PAGE / "page.css"}
SCREENS = ("action", "chat", "education")
TOKEN_SECONDS = 60
"""How long a token of handoff is valid; no number is published (contract, section 4)."""

LIMITED = {"errorCode": "REQUEST_FREQUENCY_EXCEEDED", "description": "too many requests"}


def _error_name(status: int) -> str:
    return {400: "INVALID_REQUEST", 403: "NOT_ENOUGH_RIGHTS", 429: "REQUEST_FREQUENCY_EXCEEDED"}.get(status, "UNKNOWN_ERROR")


ENVELOPES = {
    "top": lambda status: {"errorCode": _error_name(status), "description": "scripted"},
    "nested": lambda status: {"error": {"errorCode": _error_name(status), "description": "scripted"}},
    "text": lambda status: _error_name(status),
}
"""Shapes of an error that are to be expected (section 6.2)."""


def md5(text: str) -> str:
    """Lower-case hex, as a manager's password is sent."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@dataclass
class OneTime:
    """A token of handoff."""

    user: int
    ends_at: float
    is_spent: bool = False


class Ctrader:
    """The simulator."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.log = RequestLog()
        self.faults = FaultScript(ENVELOPES)
        self.given: set[str] = set()
        """Every token that was given out, those of before a reset too."""
        self.http: aiohttp.ClientSession | None = None
        self.forget()

    def forget(self) -> None:
        """The state at the start."""
        self.users: dict[int, dict[str, Any]] = {user: dict(data) for user, data in DEMO_USERS.items()}
        self.password = self.options.manager_password
        self._renew_webserv_token()
        self.tokens: dict[str, OneTime] = {}
        self.ribbons: dict[str, Any] = {}
        self.calls_left: int | None = None
        self.crm_token: str | None = None
        self.redeemed = 0

    def _renew_webserv_token(self) -> None:
        self.webserv_token = secrets.token_hex(16)
        self.given.add(self.webserv_token)

    # -- the platform ------------------------------------------------------------------------------------------------

    def _limited(self) -> web.Response | None:
        """The answer of the limiter, which counts calls that are not GET."""
        if self.calls_left is None:
            return None
        if self.calls_left == 0:
            return json_answer(LIMITED, status=429)
        self.calls_left -= 1
        return None

    def _let_in(self, request: web.Request) -> bool:
        return secrets.compare_digest(request.query.get("token", ""), self.webserv_token)

    async def manager_token(self, request: web.Request) -> web.Response:
        """O1."""
        if limited := self._limited():
            return limited
        body = json_or_text(await request.read())
        wanted = {"login": self.options.manager_login, "hashedPassword": md5(self.password)}
        if body != wanted:
            return json_answer(ENVELOPES["top"](403), status=403)
        return json_answer({"webservToken": self.webserv_token})

    def _spend(self, token: Any) -> web.Response:
        known = self.tokens.get(token) if isinstance(token, str) else None
        if known is None or known.is_spent or known.ends_at <= time.monotonic():
            return json_answer(ENVELOPES["top"](404), status=404)
        known.is_spent = True
        self.redeemed += 1
        return json_answer({"userId": known.user, **self.users.get(known.user, {})})

    async def redeem(self, request: web.Request) -> web.Response:
        """O2."""
        if limited := self._limited():
            return limited
        if not self._let_in(request):
            return json_answer(ENVELOPES["top"](401), status=401)
        body = json_or_text(await request.read())
        return self._spend(body.get("token") if isinstance(body, dict) else None)

    async def data(self, request: web.Request) -> web.Response:
        """O3."""
        if not self._let_in(request):
            return json_answer(ENVELOPES["top"](401), status=401)
        return self._spend(request.query.get("inAppToken"))

    async def controls(self, request: web.Request) -> web.Response:
        """O4."""
        if limited := self._limited():
            return limited
        if not self._let_in(request):
            return json_answer(ENVELOPES["top"](401), status=401)
        body = json_or_text(await request.read())
        is_whole = isinstance(body, dict) and isinstance(body.get("userId"), int) and isinstance(body.get("rules"), dict)
        if not is_whole or body.get("brokerCrmName") != self.options.broker_crm_name:
            return json_answer(ENVELOPES["top"](400), status=400)
        ribbons = body["rules"].get("ribbons")
        if ribbons is not None and (not isinstance(ribbons, list) or not all(self._is_ribbon(one) for one in ribbons)):
            return json_answer(ENVELOPES["top"](400), status=400)
        self.ribbons[str(body["userId"])] = body["rules"]
        return web.Response(status=201)

    @staticmethod
    def _is_ribbon(ribbon: Any) -> bool:
        if not isinstance(ribbon, dict):
            return False
        is_whole = all(isinstance(ribbon.get(name), str) for name in ("color", "title"))
        is_whole &= all(isinstance(ribbon.get(name), bool) for name in ("enabled", "closable"))
        action = ribbon.get("action", {})
        return is_whole and isinstance(action, dict) and len({"urlinApp", "urlExternal"} & set(action)) <= 1

    # -- the backend, at the broker ------------------------------------------------------------------------------------

    async def ask(self, path: str, body: Any, query: dict[str, str]) -> tuple[int, Any]:
        """A call of the backend to the broker with sso."""
        assert self.http is not None
        url = f"{self.options.broker}/oauth2/{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        try:
            async with self.http.post(url, json=body, headers=headers, allow_redirects=False) as answer:
                return answer.status, json_or_text(await answer.read())
        except aiohttp.ClientError as problem:
            raise ControlError(f"the broker cannot be reached: {problem}", 502) from problem

    async def authenticate(self) -> str:
        """The backend's `crmApiToken`, kept in memory."""
        if self.crm_token is None:
            status, body = await self.ask("crmApiToken", {"password": self.options.crm_password}, {})
            if status != 200:
                raise ControlError(f"the broker refuses the password: {status} {body}", 502)
            self.crm_token = body["crmApiToken"]
        return self.crm_token

    async def press(self, option: str, user: int, ttl_seconds: float = TOKEN_SECONDS) -> str:
        """A user presses a control: the token that the app puts into the screen's address."""
        if option == "handoff":
            # With characters that an address has to escape, as the sample of the contract has them.
            token = secrets.token_urlsafe(18) + "+/=="
            self.tokens[token] = OneTime(user, time.monotonic() + ttl_seconds)
            self.given.add(token)
            return token
        if option != "sso":
            raise ControlError("'option' must be handoff or sso")
        for _ in range(2):
            query = {"crmApiToken": await self.authenticate()}
            status, body = await self.ask("onetime/generate", {"userId": user}, query)
            if status != 403:
                break
            # The broker may have removed the password that the token came from.
            self.crm_token = None
        if status != 200:
            raise ControlError(f"the broker gives out no token: {status} {body}", 502)
        return body["token"]

    # -- control -----------------------------------------------------------------------------------------------------

    async def control_state(self, _: web.Request) -> web.Response:
        """What there is."""
        spent = sum(token.is_spent for token in self.tokens.values())
        return json_answer(
            {
                "users": {str(user): data for user, data in self.users.items()},
                "tokens": {"given_out": len(self.tokens), "redeemed": spent},
                "ribbons": self.ribbons,
                "calls_left": self.calls_left,
                "brokers": {"sso": self.options.broker, "handoff": self.options.handoff_broker},
            }
        )

    async def control_token(self, request: web.Request) -> web.Response:
        """A token."""
        fields = {"option": (str,), "userId": (int,), "ttl_seconds": (int, float)}
        data = await read_fields(request, fields, required=("option",))
        token = await self.press(data["option"], data.get("userId", DEMO_USER), data.get("ttl_seconds", TOKEN_SECONDS))
        return json_answer({"token": token})

    async def control_open(self, request: web.Request) -> web.Response:
        """A screen's address with a fresh token."""
        fields = {"option": (str,), "screen": (str,), "params": (dict,), "userId": (int,)}
        data = await read_fields(request, fields, required=("option", "screen"))
        if data["screen"] not in SCREENS:
            raise ControlError(f"'screen' must be one of {', '.join(SCREENS)}")
        params = data.get("params", {})
        if not all(isinstance(value, str) for value in params.values()):
            raise ControlError("'params' must map names to strings")
        token = await self.press(data["option"], data.get("userId", DEMO_USER))
        base = self.options.broker if data["option"] == "sso" else self.options.handoff_broker
        query = urlencode({"token": token, **params}, quote_via=quote)
        return json_answer({"url": f"{base}/inapp/{data['screen']}?{query}"})

    async def control_ask(self, request: web.Request) -> web.Response:
        """Any call of the backend."""
        fields = {"path": (str,), "body": ANY, "query": (dict,), "crmApiToken": (str, type(None))}
        data = await read_fields(request, fields, required=("path",))
        query = dict(data.get("query", {}))
        if data["path"] != "crmApiToken" and data.get("crmApiToken", "") is not None:
            query = {"crmApiToken": data.get("crmApiToken") or await self.authenticate(), **query}
        status, body = await self.ask(data["path"], data.get("body", {}), query)
        return json_answer({"status": status, "body": body})

    async def control_users(self, request: web.Request) -> web.Response:
        """A user of the handoff brand."""
        fields = {"userId": (int,), "email": (str,), "tradingLogin": (int, type(None))}
        data = await read_fields(request, fields, required=("userId",))
        self.users[data.pop("userId")] = data
        return json_answer({"users": len(self.users)}, status=201)

    async def control_manager(self, request: web.Request) -> web.Response:
        """The manager's password changes."""
        data = await read_fields(request, {"password": (str,)}, required=("password",))
        self.password = data["password"]
        self._renew_webserv_token()
        return json_answer({"changed": True})

    async def control_limit(self, request: web.Request) -> web.Response:
        """How many calls are taken."""
        data = await read_fields(request, {"calls": (int, type(None))})
        self.calls_left = data.get("calls")
        return json_answer({"calls_left": self.calls_left})

    async def control_reset(self, _: web.Request) -> web.Response:
        """Back to the start."""
        self.faults.faults.clear()
        self.log.clear()
        self.forget()
        return json_answer({"reset": True})

    # -- assembly ----------------------------------------------------------------------------------------------------

    def app(self) -> web.Application:
        """The whole."""
        middlewares = [control_middleware, platform_middleware(self.log, self.faults)]
        application = web.Application(middlewares=middlewares, client_max_size=MAX_BODY_BYTES)
        frames = f"frame-src {self.options.broker} {self.options.handoff_broker}; "
        headers = {**PAGE_HEADERS, "Content-Security-Policy": frames + PAGE_HEADERS["Content-Security-Policy"]}
        application.add_routes(
            [
                web.post("/v2/webserv/managers/token", self.manager_token),
                web.post("/cid/ctid2/inAppToken/redeem", self.redeem),
                web.get("/cid/ctid2/inAppOneTimeToken/data", self.data),
                web.put("/cid/oauth2/ctid/inAppControls", self.controls),
                web.get(CONTROL_PREFIX + "/state", self.control_state),
                given_route(lambda: self.given),
                web.post(CONTROL_PREFIX + "/token", self.control_token),
                web.post(CONTROL_PREFIX + "/open", self.control_open),
                web.post(CONTROL_PREFIX + "/ask", self.control_ask),
                web.post(CONTROL_PREFIX + "/users", self.control_users),
                web.post(CONTROL_PREFIX + "/manager", self.control_manager),
                web.post(CONTROL_PREFIX + "/limit", self.control_limit),
                web.post(CONTROL_PREFIX + "/reset", self.control_reset),
                *page_routes("/app", PAGE_FILES, headers),
                *shared_routes(self.log, self.faults, USAGE),
            ]
        )
        application.middlewares.insert(0, own_pages_only)
        application.cleanup_ctx.append(self._client)
        return application

    async def _client(self, _: web.Application):  # noqa: ANN202
        self.http = open_client(30.0)
        yield
        await self.http.close()


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.ctrader", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--port", type=int, default=9108)
    parser.add_argument("--broker", required=True, help="origin of the brand with sso, without a trailing slash")
    parser.add_argument("--handoff-broker", required=True, help="origin of the brand with handoff")
    parser.add_argument("--crm-password", required=True, help="what the backend shows at I1")
    parser.add_argument("--manager-login", type=int, default=1007)
    parser.add_argument("--manager-password", required=True)
    parser.add_argument("--broker-crm-name", default="demo", help="what O4 has to name")
    return parser.parse_args(arguments)


def main() -> int:
    """Run until SIGTERM."""
    options = parse_arguments()
    return run(Ctrader(options).app(), options.port, "cTrader simulator")


if __name__ == "__main__":
    sys.exit(main())
