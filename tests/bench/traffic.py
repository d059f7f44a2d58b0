"""A small deployment to measure in: tenants, secrets, environment, and gateway events as the platforms cause them.

What the table holds is written by the functions themselves: `operator-configure` loads the tenants, one inbound message
makes a conversation. So nothing here knows how an item looks.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import hmac
import json
import time
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from tests.bench.double import ROOT

DEMO = ROOT / "tests" / "stack" / "demo.json"
PREFIX = "/deskbridge/bench"
TENANTS = 5
"""Each with one account per platform: what a start has to read."""

KEY_ID = "k1"
FRONTSTAGE_SECRET = "bench-secret-of-a-gateway-0000001"
VCITA_SECRET = "6a1f0c52d7e94b8fa3c1e5d2b7f80964"
COOKIE_KEY = VCITA_SECRET * 2
GATEWAY, APP = "gw-bench-0", "bench-0"

TEXT = "Hello, is there still a free place tomorrow at three? I would come with my daughter, she is seven. \U0001f642"


def environment(function: str) -> dict[str, str]:
    """What the Lambda service and the template put into a function's environment."""
    queue = "https://sqs.us-east-1.amazonaws.com/123456789012/bench-"
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "AWS_LAMBDA_FUNCTION_NAME": f"bench-{function}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/bench-{function}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/03/02/[$LATEST]58419525dade4d17a495dceeeed44708",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "bench-access-key-id0",
        "AWS_SECRET_ACCESS_KEY": "bench-secret-access-key-of-40-characters",
        # Temporary credentials carry a token of this size; it is a header of every call.
        "AWS_SESSION_TOKEN": "bench" * 150,
        "_HANDLER": "bootstrap",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "DESKBRIDGE_TABLE": "bench-table",
        "DESKBRIDGE_DELIVER_QUEUE_URL": queue + "deliver",
        "DESKBRIDGE_ACK_QUEUE_URL": queue + "ack",
        "DESKBRIDGE_DEAD_QUEUE_URL": queue + "dead",
        "DESKBRIDGE_CHAT_TIMER_QUEUE_URL": queue + "chat-timer",
        "DESKBRIDGE_SECRETS_PREFIX": PREFIX,
        "DESKBRIDGE_ACK_TIMEOUT_SECONDS": "90",
        "DESKBRIDGE_RETRY_DELAYS_SECONDS": "30,120",
        "DESKBRIDGE_MAX_ATTEMPTS": "3",
        "DESKBRIDGE_ALLOW_LOOPBACK_TARGETS": "false",
        "DESKBRIDGE_LOG_LEVEL": "info",
    }


AS_FAST_AS_IT_GOES = 10_000
"""Envelopes a second of the gateways that are measured: what is refused costs less than what is taken."""


@functools.cache
def tenants() -> list[dict[str, Any]]:
    """Documents for `operator-configure`: the demo tenant, several times over."""
    demo = json.loads(DEMO.read_text())
    documents = []
    for number in range(TENANTS):
        document = copy.deepcopy(demo)
        keys = {"frontstage": f"gw-bench-{number}", "vcita": f"bench-{number}"}
        document["tenant"] = {"id": f"bench-{number}", "routes": [{"desk": f"vcita/{keys['vcita']}"}]}
        # Those of the bridge of messages, the first of each platform; chats are not what is measured here.
        document["accounts"] = [
            a for a in document["accounts"] if a["platform"] in keys and a["key"] in ("gw-demo", "demo")
        ]
        for account in document["accounts"]:
            account["key"] = keys[account["platform"]]
            settings = account["settings"]
            for name, value in settings.items():
                if isinstance(value, str) and value.startswith("http://"):
                    settings[name] = f"https://{account['platform']}.example"
            if account["platform"] == "frontstage":
                settings["envelopes_per_second"] = AS_FAST_AS_IT_GOES
        documents.append(document)
    return documents


CHAT_GATEWAY, WEB_GATEWAY, DESK, PLACE = "gw-chat", "gw-web", "desk-demo", "101"
SHOP = "https://shop.example"
AGENT = "aaaaaaaa-0000-4000-8000-000000000101"


def chat_tenant(rules: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """The chats of the demo tenant: a connector's gateway, a web site and a desk. `rules` are the web site's own."""
    demo = copy.deepcopy(json.loads(DEMO.read_text()))
    accounts = [one for one in demo["accounts"] if one["key"] in (CHAT_GATEWAY, WEB_GATEWAY, DESK)]
    for one in accounts:
        if one["key"] == CHAT_GATEWAY:
            one["settings"]["envelopes_per_second"] = AS_FAST_AS_IT_GOES
        if one["key"] == WEB_GATEWAY:
            one["settings"]["website"]["origins"] = [SHOP]
            one["settings"]["website"]["rules"] = rules or one["settings"]["website"]["rules"]
    return {"tenant": {"id": "bench-chats", "routes": [{"desk": f"frontstage/{DESK}"}]}, "accounts": accounts}


IADVIZE_SITE, IADVIZE_TOKEN, IADVIZE_BOT = "ha-4821", "9f4c1d7e2ab85c3360d1f0e4b7a96c21", "ha-60012"


def iadvize_tenant() -> dict[str, Any]:
    """The demo shop's bot, without the gateway to which it hands over."""
    demo = copy.deepcopy(json.loads(DEMO.read_text()))
    shop = next(one for one in demo["accounts"] if one["platform"] == "iadvize")
    del shop["settings"]["bot"]["chat"], shop["settings"]["panel"], shop["settings"]["api"]
    return {"tenant": {"id": "bench-shop", "routes": []}, "accounts": [shop]}


def iadvize(method: str, path: str, query: str, body: Any = None) -> dict[str, Any]:
    """iAdvize: a call of the bot, signed (contract section 4)."""
    text = "" if body is None else json.dumps(body, ensure_ascii=False)
    message = query if method == "GET" else text
    signature = hmac.new(IADVIZE_TOKEN.encode(), message.encode(), hashlib.sha256).hexdigest()
    path = f"/iadvize/bot{path}"
    headers = {"x-iadvize-signature": f"sha256={signature}"}
    return gateway_event(method, f"ANY {path}", path, headers, text) | {"rawQueryString": query}


IADVIZE_QUERY = f"idConnectorVersion=5f0c2b1e-9a44-4d0b-8a55-2f5a7a1d9c10&idWebsite={IADVIZE_SITE}"


def bot_is_chosen() -> dict[str, Any]:
    """iAdvize: an administrator chooses a scenario (B2)."""
    body = {"name": "Bot", "language": "fr", "external": {"idBot": "orders-fr"}, "distributionRules": []}
    return iadvize("PUT", f"/bots/{IADVIZE_BOT}", IADVIZE_QUERY, body)


def bot_availability() -> dict[str, Any]:
    """iAdvize: whether the bot is there (B4), about once a second."""
    return iadvize("GET", "/availability-strategies", f"{IADVIZE_QUERY}&idOperator={IADVIZE_BOT}")


def bot_first_messages() -> dict[str, Any]:
    """iAdvize: what stands in the chat box before the visitor writes (B5), within two seconds."""
    return iadvize("GET", f"/bots/{IADVIZE_BOT}/conversation-first-messages", IADVIZE_QUERY)


HOSTILE = ("(a+)+!", "(a|aa)+!", "(.*a){9}!", "(?:a?){30}a{30}!", "[ab]*a[ab]{5}!", "(?:a{0,30}){9}!", "(.*€){3}!")
"""Patterns whose end is out of sight, so that all of a subject is looked at."""


def hostile_rules(pattern: str, count: int) -> list[dict[str, Any]]:
    """Rules of a web site that match nothing."""
    conditions = {"PageUrlRegex": pattern, "BrowserRegex": f"{pattern}|^a", "UserTokenRegex": f"{pattern}|^a"}
    return [{"WebSiteRoutingId": str(uuid.UUID(int=n)), "WebApp": "webchat", **conditions} for n in range(1, count + 1)]


def page_load() -> dict[str, Any]:
    """A page load with 64 KB of hostile input wherever a pattern looks, of letters that take the most bytes."""
    event = browser("GET", "Routing/webchat", tracking_token())
    page = quote(f"{SHOP}/{'a€' * 16_384}!", safe="")
    event["rawQueryString"] = f"RegionalTime=1767225600000&UserToken={'a' * 320}&PageUrl={page}"
    event["headers"]["user-agent"] = "a" * 65_536 + "!"
    return event


def parameters() -> list[dict[str, Any]]:
    """The accounts' secrets as SSM returns them."""
    secrets: dict[str, Any] = {
        f"frontstage/{CHAT_GATEWAY}": {"keys": [{"id": KEY_ID, "secret": FRONTSTAGE_SECRET}]},
        f"frontstage/{WEB_GATEWAY}": {"cookie_keys": [COOKIE_KEY]},
        f"frontstage/{DESK}": {"keys": [{"id": KEY_ID, "secret": FRONTSTAGE_SECRET, "workplace": PLACE}]},
        "iadvize/shop": {"tokens": [IADVIZE_TOKEN]},
    }
    for number in range(TENANTS):
        secrets[f"frontstage/gw-bench-{number}"] = {"keys": [{"id": KEY_ID, "secret": FRONTSTAGE_SECRET}]}
        secrets[f"vcita/bench-{number}"] = {
            "url_secrets": [VCITA_SECRET],
            "client_id": "bench-client",
            "client_secret": "bench-client-secret-0123456789abcdef",
        }
    return [
        {
            "ARN": f"arn:aws:ssm:us-east-1:123456789012:parameter{PREFIX}/{account}",
            "DataType": "text",
            "LastModifiedDate": 1767225600.123,
            "Name": f"{PREFIX}/{account}",
            "Type": "SecureString",
            "Value": json.dumps(secret),
            "Version": 1,
        }
        for account, secret in secrets.items()
    ]


def settings(platform: str) -> dict[str, Any]:
    """The settings of the first tenant's account."""
    return next(one["settings"] for one in tenants()[0]["accounts"] if one["platform"] == platform)


def gateway_event(method: str, route: str, path: str, headers: dict[str, str], body: str) -> dict[str, Any]:
    """An event of the HTTP API, payload format 2.0, with the headers that always come along."""
    agent = "bench-agent/1.0"
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "accept": "application/json",
            "accept-encoding": "gzip, deflate",
            "content-length": str(len(body.encode())),
            "content-type": "application/json",
            "host": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
            "user-agent": agent,
            "x-amzn-trace-id": "Root=1-65a1b2c3-0123456789abcdef01234567",
            "x-forwarded-for": "198.51.100.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
            **headers,
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3d4e5",
            "domainName": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "a1b2c3d4e5",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "198.51.100.7",
                "userAgent": agent,
            },
            "requestId": uuid.uuid4().hex[:16],
            "routeKey": route,
            "stage": "$default",
            "time": "02/Mar/2026:09:00:00 +0000",
            "timeEpoch": 1772442000000,
        },
        "body": body,
        "isBase64Encoded": False,
    }


def message_receiving(number: int, secret: str = FRONTSTAGE_SECRET) -> dict[str, Any]:
    """FrontStage: a message of a visitor who has never written before (contract sections 7 and 10), signed now."""
    gateways = settings("frontstage")["message_gateways"]
    content = {
        "DeliverySystemId": f"sms-{uuid.uuid4()}",
        "RequestId": str(uuid.uuid4()),
        "GatewayId": next(one["id"] for one in gateways if one["direction"] in ("I", "B")),
        "RemoteAddress": f"+4207{number:08d}",
        "Direction": "I",
        "ReceivedSentTime": now(),
        "FromField": "Eva",
        "BodyText": TEXT,
    }
    return posted(f"/v1/frontstage/{GATEWAY}/messages", "ES_MESSAGE_RECEIVING", content, secret)


def posted(path: str, message: str, content: Any, secret: str = FRONTSTAGE_SECRET) -> dict[str, Any]:
    """FrontStage: one envelope, signed now."""
    envelope = {"Msg": message, "Id": str(uuid.uuid4()), "Time": now(), "Body": content}
    return signed("POST", path, "", json.dumps(envelope, ensure_ascii=False), secret)


def signed(method: str, path: str, query: str = "", body: str = "", secret: str = FRONTSTAGE_SECRET) -> dict[str, Any]:
    """FrontStage: a call, signed now (contract 10.5)."""
    moment, nonce = str(int(time.time())), uuid.uuid4().hex
    to_sign = "\n".join([method, path, query, moment, nonce, hashlib.sha256(body.encode()).hexdigest()])
    signature = hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    headers = {
        "x-fs-key": KEY_ID,
        "x-fs-nonce": nonce,
        "x-fs-signature": f"v1={signature}",
        "x-fs-time": moment,
    }
    return gateway_event(method, f"ANY {path}", path, headers, body) | {"rawQueryString": query}


def visitor_says(message: str, tracking: str, **more: Any) -> dict[str, Any]:
    """An envelope of the connector about one chat."""
    return posted(f"/v1/frontstage/{CHAT_GATEWAY}/messages", message, {"TrackingId": tracking, **more})


def agent_says(message: str, chat_id: str | None = None, **more: Any) -> dict[str, Any]:
    """An envelope of the agent's client."""
    content = {"Peer": PLACE, "AgentId": AGENT, **({"ChatId": chat_id} if chat_id else {}), **more}
    return posted(f"/v1/frontstage/workplaces/{PLACE}/messages", message, content)


def sentence() -> dict[str, Any]:
    """The members of a new sentence."""
    return {"ID": str(uuid.uuid4()), "PartyName": "Eva", "Text": TEXT, "Model": 0}


def tracking_token() -> str:
    """The token of a new browser, as the server would have given it (contract 8.4)."""
    guid = str(uuid.uuid4())
    return f"{guid}.{hmac.new(bytes.fromhex(COOKIE_KEY), guid.encode(), hashlib.sha256).hexdigest()[:32]}"


def browser(method: str, path: str, token: str, query: str = "", content: Any = None) -> dict[str, Any]:
    """A call of a browser to the web site."""
    path = f"/v1/frontstage/{WEB_GATEWAY}/web/api/{path}"
    headers = {"origin": SHOP, "referer": f"{SHOP}/", "x-tracking-token": token}
    body = "" if content is None else json.dumps(content, ensure_ascii=False)
    return gateway_event(method, f"ANY {path}", path, headers, body) | {"rawQueryString": query}


def staff_message(external_uid: str, secret: str = VCITA_SECRET) -> dict[str, Any]:
    """vcita: staff answers (contract, A3)."""
    body = {
        "external_uid": external_uid,
        "message": TEXT,
        "message_uid": str(uuid.uuid4()),
        "channel_uid": settings("vcita")["channel_uid"],
        "status": "pending",
    }
    text = json.dumps(body, ensure_ascii=False)
    return gateway_event("POST", "ANY /vcita/{app}/{secret}/messages", f"/vcita/{APP}/{secret}/messages", {}, text)


def channel_active() -> dict[str, Any]:
    """vcita: the channel can be used (contract, A1)."""
    path = f"/vcita/{APP}/{VCITA_SECRET}/channels/{settings('vcita')['channel_uid']}"
    return gateway_event("PUT", "ANY /vcita/{app}/{secret}/channels/{channel_uid}", path, {}, '{"status":"active"}')


def now() -> str:
    """The time as FrontStage writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
