"""How iAdvize calls an app: the endpoints with their parameters, the signature with its faults, and what an answer must be.

Contract sections 2 (endpoints and time limits), 3.2, 4 (signature), 9.3 (tokens of the panel), 11.1 (webhooks).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import aiohttp
from jsonschema import Draft202012Validator
from multidict import CIMultiDict
from referencing import Registry, Resource
from yarl import URL

from tests.simulators.common import ControlError, json_or_text

SCHEMAS = Path(__file__).resolve().parents[1] / "schemas" / "iadvize"
SIGNATURE = "x-iadvize-signature"
CONNECTOR_VERSION = "5f0c2b1e-9a44-4d0b-8a55-2f5a7a1d9c10"

UNLIMITED = 30.0
"""Seconds for calls whose limit is not published."""
CONNECT_SECONDS = 1.0
"""How long a webhook's connection may take to establish (section 11.1)."""

ERROR = {
    "type": "object",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "additionalProperties": False,
            "properties": {
                "code": {"type": "string", "minLength": 1},
                "message": {"type": "string", "minLength": 1},
                "field": {"type": "string", "minLength": 1},
            },
        }
    },
}
"""What a failure is told as (section 3.3)."""


# ---------------------------------------------------------------------------------------------------------------
# endpoints


@dataclass(frozen=True)
class Endpoint:
    """An endpoint of the app. `query` and `body` are the names that iAdvize sends, in this order; a default that is not known is
    left out. What stands in braces in `path` comes from the parameters.
    """

    method: str
    path: str
    query: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    schema: str | None = None
    seconds: float = UNLIMITED
    signed: bool = True


COMMON = ("idConnectorVersion", "idWebsite")
PAGED = ("idOperator", "limit", "offset")
BOT = "/iadvize/bot"

ENDPOINTS: dict[str, Endpoint] = {
    "health": Endpoint("GET", "/iadvize/health", schema="health", signed=False),
    "options": Endpoint("GET", "/iadvize/options/{key}", ("idWebsite",), schema="options"),
    "categories": Endpoint(
        "GET",
        "/iadvize/product-list/categories",
        ("idConnectorVersion", "idParent", "idWebsite", *PAGED),
        schema="product-list-categories",
    ),
    "products": Endpoint(
        "GET",
        "/iadvize/product-list/products",
        (*COMMON, *PAGED, "idCategory", "searchQuery"),
        schema="product-list-products",
    ),
    "customer": Endpoint(
        "GET",
        "/iadvize/customer",
        ("emailVisitor", "idVisitorExternal", "idVisitorUnique", *COMMON, "idOperator", "operatorLocale"),
        schema="customer-information",
    ),
    "customer-action": Endpoint(
        "POST",
        "/iadvize/customer/action",
        body=("action", "idConnectorVersion", "idVisitorUnique", "idWebsite", "idConversation", "idOperator"),
        schema="customer-action-response",
    ),
    "closing-form": Endpoint(
        "GET", "/iadvize/closing-form", (*COMMON, "operatorLocale", "idOperator"), schema="closing-form"
    ),
    "webhook": Endpoint("POST", "/iadvize/webhook"),
    "panel-messages": Endpoint(
        "POST", "/iadvize/panel/messages", ("idWebsite",), ("messages",), schema="panel-commands", signed=False
    ),
    "external-bots": Endpoint("GET", BOT + "/external-bots", COMMON, schema="bot-scenarios", seconds=10),
    "bot-save": Endpoint(
        "PUT",
        BOT + "/bots/{idOperator}",
        COMMON,
        ("name", "pseudo", "language", "distributionRules", "external"),
        schema="bot-bot",
        seconds=10,
    ),
    "bot": Endpoint("GET", BOT + "/bots/{idOperator}", COMMON, schema="bot-bot", seconds=10),
    "availability": Endpoint(
        "GET", BOT + "/availability-strategies", (*COMMON, "idOperator"), schema="bot-availability", seconds=10
    ),
    "first-messages": Endpoint(
        "GET",
        BOT + "/bots/{idOperator}/conversation-first-messages",
        ("idConnectorVersion",),
        schema="bot-first-messages",
        seconds=2,
    ),
    "conversation": Endpoint(
        "POST",
        BOT + "/conversations",
        COMMON,
        ("idOperator", "idConversation", "history"),
        schema="bot-conversation-response",
        seconds=10,
    ),
    "message": Endpoint(
        "POST",
        BOT + "/conversations/{idConversation}/messages",
        COMMON,
        ("idOperator", "message"),
        schema="bot-conversation-response",
        seconds=10,
    ),
    "conversation-read": Endpoint(
        "GET",
        BOT + "/conversations/{idConversation}",
        (*COMMON, "idOperator"),
        schema="bot-conversation-response",
        seconds=10,
    ),
}
"""By the name under which ``POST /_sim/call/{name}`` knows them."""

OF_BOTS = {"bot-save", "bot", "availability", "first-messages", "conversation", "message", "conversation-read"}
"""Endpoints whose `idOperator` is a bot, which always has its platform before the number (section 3.1)."""


# ---------------------------------------------------------------------------------------------------------------
# signature


def signature(secret: str | bytes, message: bytes, algorithm: str = "sha256") -> str:
    """The header's value (section 4.1)."""
    key = secret.encode() if isinstance(secret, str) else secret
    return f"{algorithm}={hmac.new(key, message, algorithm).hexdigest()}"


@dataclass
class Wire:
    """A request as it goes out."""

    method: str
    query: str
    body: bytes | None
    signatures: list[str] = field(default_factory=list)

    @property
    def message(self) -> bytes:
        """What is signed: the undecoded query of a GET, else the body."""
        return self.query.encode() if self.method == "GET" else self.body or b""


def _of_hex(secret: str) -> bytes:
    try:
        return bytes.fromhex(secret)
    except ValueError as problem:
        raise ControlError("the secret has no hexadecimal form") from problem


def _base64(secret: str, wire: Wire) -> None:
    digest = hmac.new(secret.encode(), wire.message, "sha256").digest()
    wire.signatures = [f"sha256={base64.b64encode(digest).decode()}"]


def _signed_wrongly(sign: Callable[[str, bytes], str]) -> Callable[[str, Wire], None]:
    def act(secret: str, wire: Wire) -> None:
        wire.signatures = [sign(secret, wire.message)]

    return act


def _double(secret: str, wire: Wire) -> None:
    wire.signatures *= 2


def _unsigned(secret: str, wire: Wire) -> None:
    wire.signatures = []


def _other_part(secret: str, wire: Wire) -> None:
    """Signs the body of a GET, the query of anything else."""
    wire.signatures = [signature(secret, wire.body or b"" if wire.method == "GET" else wire.query.encode())]


def _query(change: Callable[[str], str]) -> Callable[[str, Wire], None]:
    def act(secret: str, wire: Wire) -> None:
        if wire.method != "GET":
            raise ControlError("this fault is for calls whose query is signed")
        before, wire.query = wire.query, change(wire.query)
        if before == wire.query:
            raise ControlError("this fault changes nothing in such a query")

    return act


def _body(change: Callable[[bytes], bytes]) -> Callable[[str, Wire], None]:
    def act(secret: str, wire: Wire) -> None:
        if wire.method == "GET" or wire.body is None:
            raise ControlError("this fault is for calls whose body is signed")
        before, wire.body = wire.body, change(wire.body)
        if before == wire.body:
            raise ControlError("this fault changes nothing in such a body")

    return act


def _reencoded(query: str) -> str:
    """The same values, escaped in another way."""
    names = query.replace("+", "%20").split("=", 1)
    return names[0] + "=" + "".join(f"%{byte:02x}" for byte in names[1][:1].encode()) + names[1][1:] if names[1:] else query


FAULTS: dict[str, Callable[[str, Wire], None]] = {
    "missing_header": _unsigned,
    "doubled_header": _double,
    "wrong_secret": _signed_wrongly(lambda secret, message: signature(secret[::-1] + "0", message)),
    "wrong_message": _signed_wrongly(lambda secret, message: signature(secret, message + b" ")),
    "other_part": _other_part,
    "sha1": _signed_wrongly(lambda secret, message: signature(secret, message, "sha1")),
    "named_sha1": _signed_wrongly(lambda secret, message: signature(secret, message).replace("sha256=", "sha1=")),
    "no_prefix": _signed_wrongly(lambda secret, message: signature(secret, message).removeprefix("sha256=")),
    "truncated": _signed_wrongly(lambda secret, message: signature(secret, message)[:-2]),
    "base64_signature": _base64,
    "hex_key": _signed_wrongly(lambda secret, message: signature(_of_hex(secret), message)),
    "reordered_query": _query(lambda query: "&".join(reversed(query.split("&")))),
    "reencoded_query": _query(_reencoded),
    "longer_query": _query(lambda query: query + "&limit=100"),
    "reserialised_body": _body(lambda body: json.dumps(json.loads(body), indent=1, ensure_ascii=False).encode()),
    "escaped_body": _body(lambda body: body.replace(b'"', b'"\\u0020', 1) if b"\\u" in body else _escaped(body)),
    "base64_body": _body(base64.b64encode),
}
"""What can be wrong with a signature. Every one of these is answered 401 and changes nothing (section 16, item 2)."""


def _escaped(body: bytes) -> bytes:
    """The same JSON value with the first letter after the first quote written as an escape."""
    text = body.decode()
    at = text.index('"') + 1
    return f"{text[:at]}\\u{ord(text[at]):04x}{text[at + 1 :]}".encode()


# ---------------------------------------------------------------------------------------------------------------
# tokens of the panel

TOKEN_SECONDS = 60


def _part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwt(secret: str, audience: str, operator: str, email: str | None, now: float | None = None, fault: str | None = None) -> str:
    """A token as the Desk hands it to a panel (section 9.3), or with something wrong about it."""
    if fault is not None and fault not in JWT_FAULTS:
        raise ControlError(f"'fault' must be one of {', '.join(JWT_FAULTS)}")
    issued = int(time.time() if now is None else now)
    claims: dict[str, Any] = {"iss": "iadvize", "sub": operator, "aud": audience, "iat": issued, "exp": issued + TOKEN_SECONDS}
    if email is not None:
        claims["email"] = email
    header: dict[str, Any] = {"alg": "HS256", "typ": "JWT"}
    change = {
        "audience": {"aud": audience + "/other"},
        "issuer": {"iss": "elsewhere"},
        "expired": {"iat": issued - 3600, "exp": issued - 3600 + TOKEN_SECONDS},
        "not_yet": {"iat": issued + 3600, "exp": issued + 3600 + TOKEN_SECONDS},
        "too_long": {"exp": issued + 7200},
    }
    claims |= change.get(fault or "", {})
    if fault == "no_exp":
        del claims["exp"]
    if fault in ("none", "HS512"):
        header["alg"] = fault
    if fault == "crit":
        header["crit"] = ["exp"]
    signed = f"{_part(header)}.{_part(claims)}"
    key = _of_hex(secret) if fault == "hex_key" else secret.encode()
    digest = b"" if fault == "none" else hmac.new(key, signed.encode(), "sha512" if fault == "HS512" else "sha256").digest()
    if fault == "altered":
        signed = f"{_part(header)}.{_part({**claims, 'sub': operator + '0'})}"
    return f"{signed}.{_part(digest)}"


JWT_FAULTS = (
    *("none", "HS512", "crit", "hex_key", "altered"),
    *("audience", "issuer", "expired", "not_yet", "too_long", "no_exp"),
)


# ---------------------------------------------------------------------------------------------------------------
# answers


class Schemas:
    """The JSON Schemas of the contract, and what it asks beyond them."""

    def __init__(self) -> None:
        documents = {file.stem: json.loads(file.read_text()) for file in SCHEMAS.glob("*.json")}
        registry = Registry().with_resources(
            (document["$id"], Resource.from_contents(document)) for document in documents.values()
        )
        self.validators = {
            name: Draft202012Validator(document, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER)
            for name, document in documents.items()
        }
        self.error = Draft202012Validator(ERROR)

    def problems(self, schema: str, value: Any) -> list[str]:
        """What is wrong with a value, in words; nothing if it is as it should be."""
        found = [f"{one.json_path}: {one.message}" for one in self.validators[schema].iter_errors(value)]
        return found or [*BEYOND.get(schema, lambda value: [])(value)]

    def of_answer(self, endpoint: Endpoint, status: int, headers: CIMultiDict[str], body: Any) -> list[str]:
        """What is wrong with an answer: a good one by its schema, any other by section 3.3."""
        if status >= 400:
            return [f"{one.json_path}: {one.message}" for one in self.error.iter_errors(body)]
        if endpoint.schema is None:
            return [] if 200 <= status < 300 else [f"the status is {status}"]
        found = [] if status == 200 else [f"the status is {status}"]
        kind = headers.get("Content-Type", "")
        if kind.partition(";")[0].strip().lower() != "application/json":
            found.append(f"the content type is {kind or 'missing'}")
        return found + self.problems(endpoint.schema, body)


def _twice(ids: list[str]) -> list[str]:
    return [f"{one} is there twice" for one in sorted({one for one in ids if ids.count(one) > 1})]


def _closing_form(fields: list[dict[str, Any]]) -> list[str]:
    found, boxes = _twice([one["id"] for one in fields]), set()
    for one in fields:
        if "idParent" in one and one["idParent"] not in boxes:
            found.append(f"{one['id']}: its parent is no box that stands before it")
        if one["fieldType"] == "CHECKBOX" and "idParent" not in one:
            boxes.add(one["id"])
        found += _twice([option["value"] for option in one.get("options", [])])
        # Characters are those of UTF-16 (section 8.1).
        long = [text for text in _texts(one) if len(text.encode("utf-16-le")) > 2 * 1024]
        found += [f"{one['id']}: a text has more than 1024 characters"] * bool(long)
    return found


def _texts(one: dict[str, Any]) -> list[str]:
    return [one["label"], *(option["value"] for option in one.get("options", []))]


def _replies(answer: dict[str, Any]) -> list[str]:
    kinds = [reply["type"] for reply in answer["replies"]]
    return ["two messages without a pause"] * (("message", "message") in zip(kinds, kinds[1:], strict=False))


BEYOND: dict[str, Callable[[Any], list[str]]] = {
    "customer-information": lambda fields: _twice([one["id"] for one in fields]),
    "closing-form": _closing_form,
    "bot-conversation-response": _replies,
    "product-list-categories": lambda items: _twice([str(one["id"]) for one in items]),
    "product-list-products": lambda items: _twice([str(one["id"]) for one in items]),
}
"""The invariants that a schema cannot express."""


# ---------------------------------------------------------------------------------------------------------------
# calls


class Caller:
    """Calls an app."""

    def __init__(self, app: str, secret: str, website: str, operator: str) -> None:
        self.app = app
        self.secret = secret
        self.schemas = Schemas()
        self.http: aiohttp.ClientSession | None = None
        self.operator = operator
        self.platform = website.partition("-")[0]
        self.defaults: dict[str, Any] = {
            "idConnectorVersion": CONNECTOR_VERSION,
            "idWebsite": website,
            "idOperator": operator,
            "limit": "20",
            "offset": "0",
            "operatorLocale": "fr",
            "key": "prices",
        }

    def _value(self, name: str, member: str, given: dict[str, Any]) -> Any:
        if member in given:
            return given[member]
        if member == "idOperator" and (name in OF_BOTS or name == "customer-action"):
            return f"{self.platform}-{self.operator}"
        return self.defaults.get(member)

    def request(self, name: str, params: dict[str, Any], body: Any) -> tuple[Endpoint, str, Wire]:
        """An endpoint, its path and what goes there, before it is signed. A parameter that is null is left out; of a list, each
        value is a parameter.
        """
        endpoint = ENDPOINTS[name]
        path, in_path = endpoint.path, set()
        for member in {*params, *self.defaults, "idConversation"}:
            if f"{{{member}}}" in path:
                value = self._value(name, member, params)
                if not isinstance(value, str) or not value:
                    raise ControlError(f"'{member}' is part of the path and missing")
                path = path.replace(f"{{{member}}}", quote(value, safe=""))
                in_path.add(member)
        names = [*endpoint.query, *(one for one in params if one not in endpoint.query)]
        pairs: list[str] = []
        for member in (one for one in names if one not in in_path):
            value = self._value(name, member, params)
            for each in value if isinstance(value, list) else [value]:
                if each is not None:
                    pairs.append(f"{quote_plus(member)}={quote_plus(str(each))}")
        raw = None
        if isinstance(body, str):
            raw = body.encode()
        elif endpoint.method != "GET":
            given = body or {}
            members = [*endpoint.body, *(one for one in given if one not in endpoint.body)]
            whole = {one: self._value(name, one, given) for one in members}
            text = {one: value for one, value in whole.items() if value is not None or one in given and one not in endpoint.body}
            raw = json.dumps(text, separators=(",", ":"), ensure_ascii=False).encode()
        return endpoint, path, Wire(endpoint.method, "&".join(pairs), raw)

    async def call(
        self,
        name: str,
        params: dict[str, Any] | None = None,
        body: Any = None,
        *,
        fault: str | None = None,
        secret: str | None = None,
        headers: dict[str, str] | None = None,
        seconds: float | None = None,
        method: str | None = None,
    ) -> dict[str, Any]:
        """One call: what went out and what came back, with what is wrong about it."""
        if name not in ENDPOINTS:
            raise ControlError(f"there is no call '{name}'; there are {', '.join(ENDPOINTS)}")
        if fault is not None and fault not in FAULTS:
            raise ControlError(f"'fault' must be one of {', '.join(FAULTS)}")
        endpoint, path, wire = self.request(name, params or {}, body)
        if method is not None:
            wire.method = method
        key = secret or self.secret
        if endpoint.signed or fault is not None:
            wire.signatures = [signature(key, wire.message)]
        if fault is not None:
            FAULTS[fault](key, wire)
        sent = CIMultiDict({"Accept": "application/json"})
        if wire.body is not None:
            sent["Content-Type"] = "application/json"
        sent.update(headers or {})
        for one in wire.signatures:
            sent.add(SIGNATURE, one)
        url = self.app + path + (f"?{wire.query}" if wire.query else "")
        return {
            "sent": {"method": wire.method, "url": url, "headers": [*sent.items()], "body": (wire.body or b"").decode()},
            **await self._send(endpoint, url, wire, sent, seconds or endpoint.seconds),
        }

    async def _send(
        self, endpoint: Endpoint, url: str, wire: Wire, headers: CIMultiDict[str], seconds: float
    ) -> dict[str, Any]:
        assert self.http is not None
        connect = CONNECT_SECONDS if endpoint is ENDPOINTS["webhook"] else None
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=connect)
        began = time.monotonic()
        nothing = {"status": None, "headers": {}, "body": None, "valid": False}
        try:
            target = URL(url, encoded=True)
            async with self.http.request(
                wire.method, target, data=wire.body, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                read = json_or_text(await answer.read())
                problems = self.schemas.of_answer(endpoint, answer.status, CIMultiDict(answer.headers), read)
                outcome = {"status": answer.status, "headers": dict(answer.headers), "body": read, "valid": not problems}
        except (TimeoutError, asyncio.TimeoutError):
            problems, outcome = [f"no answer within {seconds:g} s"], nothing
        except aiohttp.ClientError as problem:
            problems, outcome = [f"cannot be reached: {problem}"], nothing
        return {**outcome, "problems": problems, "ms": round((time.monotonic() - began) * 1000)}


def new_id() -> str:
    """An id as iAdvize gives them out."""
    return str(uuid.uuid4())


def unique_visitor(name: str) -> str:
    """A visitor's own id: 45 hexadecimal digits, the same for the same name."""
    return hashlib.sha256(name.encode()).hexdigest()[:45]
