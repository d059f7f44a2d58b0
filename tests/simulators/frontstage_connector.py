"""A FrontStage message connector (e-mail, SMS and the like), the party `E` of frontstage.md section 1.

Signs and posts ES_ envelopes to a gateway of Deskbridge (10.1, 10.2, 10.5), receives pushed SE_ envelopes at
``POST /push`` (10.3) and acknowledges them as the current mode says. Everything can be watched and disturbed through
the control API: ``GET /_sim`` prints how.

Run: ``python -m tests.simulators.frontstage_connector --port 9102
--gateway-url http://127.0.0.1:9000/v1/frontstage/gw-demo --key-id k1 --secret <secret>``
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import re
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from tests.simulators.common import (
    ANY,
    MAX_BODY_BYTES,
    BackgroundTasks,
    ControlError,
    FaultScript,
    RequestLog,
    check_fields,
    compile_regex,
    control_middleware,
    drop_connection,
    json_answer,
    json_or_text,
    open_client,
    platform_middleware,
    read_fields,
    run,
    shared_routes,
    utc_now,
)

TIME_WINDOW_SECONDS = 300
"""Accepted distance between X-FS-Time and the receiver's clock (10.5)."""

NONCE_SECONDS = 600
"""A nonce is refused when seen for the same key within this time (10.5)."""

NONCE_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""Form of X-FS-Nonce (10.5)."""

MAX_ENVELOPES = 25
"""Envelopes of one push or post (10.2, 10.3)."""

REQUEST_TIMEOUT_SECONDS = 60.0
"""The connector waits at least 60 s for SE_MESSAGE_RECEIVED (section 7)."""

MAX_TURNS = 5
"""How often a post is made that is answered 429 (10.6), each time after what `Retry-After` asks for."""

CONTENT_FIELDS: dict[str, Any] = {
    name: ANY
    for name in (
        "DeliverySystemId",
        "InReplyToId",
        "MessageId",
        "RequestId",
        "GatewayId",
        "FromField",
        "RemoteAddress",
        "ToField",
        "ToCcField",
        "ToBccField",
        "Direction",
        "ExtendedFields",
        "ReceivedSentTime",
        "DraftTime",
        "SubjectField",
        "BodyHtml",
        "BodyText",
        "Culture",
        "Mark",
        "SpamLevel",
        "SignatureValidity",
        "Hierarchy",
        "Rating",
    )
}
"""Members of MessageContentInfo (4.5). Any JSON type is let through, so that wrong types can be sent."""

SIGNING_FIELDS: dict[str, Any] = {
    "unsigned": (bool,),
    "wrong_signature": (bool,),
    "unknown_key": (bool,),
    "old_time": (bool,),
    "same_nonce": (bool,),
}
"""Ways to spoil the signature of one call."""

USAGE = """\
FrontStage message connector simulator
--------------------------------------
  POST   /_sim/gateways         ask ES_SL_GETGATEWAYS, show the answer
  POST   /_sim/poll             {"after":0,"wait":0}: fetch events once; messages join /_sim/pushes and meet the mode
  POST   /_sim/send             {"from":"+420700000000","text":"Hi"}: ES_MESSAGE_RECEIVING, show HTTP status and answer
             optional: any member of MessageContentInfo by its name, omit ["RemoteAddress",..], envelope_id,
             gateway_id, repeat (copies of the same envelope on top of the first), parallel,
             unsigned, wrong_signature, unknown_key, old_time, same_nonce
  POST   /_sim/ack              {"message_id":"..","gateway_id":optional,"error":null|"text","reference":null|"text",
             "envelope_id":optional}: ES_MESSAGE_SENT now
  POST   /_sim/raw              {"body": text or JSON, "path":"/messages", "path_suffix":"", "method":"POST",
             "headers":{}, unsigned .. same_nonce}: sign and send anything below the gateway's URL
  GET    /_sim/pushes[?message_id=..]    envelopes received in order, signature verdict, attempt, what was answered
  GET    /_sim/sent                      envelopes posted, with the answers
  GET    /_sim/mode
  POST   /_sim/mode             how the next pushes are answered; {} is the default
             {"ack":"webhook"|"reply"|"none"|"error:TEXT"|"reply-error:TEXT","reference":null|"text","ack_delay_ms":0,
              "ack_twice":false,"hold":0,"http_status":200,"drop":false,"delay_ms":0,"times":null,"match":null}
             times: that many pushes, then the default again; match: regex on RemoteAddress or BodyText, other
             messages get the default; hold: keep so many acknowledgements back, then send them in reverse
  GET    /_sim/requests[?path=REGEX][&method=POST]
  GET    /_sim/faults    POST /_sim/faults    DELETE /_sim/faults        as in the vcita simulator, path /push
  POST   /_sim/reset            forget pushes, sent envelopes, mode and faults

  curl -s -X POST localhost:PORT/_sim/send -d '{"from":"+420700000000","text":"Hi"}'
"""


# ---------------------------------------------------------------------------------------------------------------
# signature (10.5)


def string_to_sign(method: str, raw_path: str, raw_query: str, unix_time: str, nonce: str, body: bytes) -> bytes:
    """The six lines of 10.5 joined by LF, without one at the end. `raw_query` has no ``?`` and may be empty."""
    digest = hashlib.sha256(body).hexdigest()
    return "\n".join((method, raw_path, raw_query, unix_time, nonce, digest)).encode()


def signature(secret: bytes, signed: bytes) -> str:
    """HMAC-SHA-256 in the form of X-FS-Signature: ``v1=`` and lower-case hex."""
    return "v1=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()


@dataclass
class Signer:
    """One key of one gateway: signs our calls, checks the calls of the server."""

    key_id: str
    secret: bytes
    last_nonce: str | None = None

    def headers(self, method: str, url: URL, body: bytes, spoil: Mapping[str, Any]) -> dict[str, str]:
        """The four X-FS headers of a call, spoilt as asked (see `SIGNING_FIELDS`)."""
        if spoil.get("unsigned"):
            return {}
        unix_time = str(int(time.time()) - (2 * TIME_WINDOW_SECONDS if spoil.get("old_time") else 0))
        nonce = self.last_nonce if spoil.get("same_nonce") and self.last_nonce else uuid.uuid4().hex
        self.last_nonce = nonce
        secret = self.secret + b"x" if spoil.get("wrong_signature") else self.secret
        signed = string_to_sign(method, url.raw_path, url.raw_query_string, unix_time, nonce, body)
        return {
            "X-FS-Key": "no-such-key" if spoil.get("unknown_key") else self.key_id,
            "X-FS-Time": unix_time,
            "X-FS-Nonce": nonce,
            "X-FS-Signature": signature(secret, signed),
        }


class PushVerifier:
    """Checks the signature of pushes in the order of 10.5: headers, key, time, signature, nonce."""

    def __init__(self, signer: Signer) -> None:
        self.signer = signer
        self.seen_nonces: dict[str, float] = {}

    def verdict(
        self, method: str, raw_path: str, raw_query: str, headers: Mapping[str, str], body: bytes, now: float
    ) -> str:
        """``ok``, or the first thing that is wrong. `now` is in Unix seconds."""
        names = ("X-FS-Key", "X-FS-Time", "X-FS-Nonce", "X-FS-Signature")
        missing = [name for name in names if name not in headers]
        if missing:
            return f"{missing[0]} missing"
        key, unix_time, nonce, given = (headers[name] for name in names)
        if key != self.signer.key_id:
            return "unknown key"
        if not re.fullmatch(r"[0-9]{1,12}", unix_time) or abs(now - int(unix_time)) > TIME_WINDOW_SECONDS:
            return "time outside the window"
        expected = signature(self.signer.secret, string_to_sign(method, raw_path, raw_query, unix_time, nonce, body))
        if not hmac.compare_digest(expected.encode(), given.encode("utf-8", errors="replace")):
            return "wrong signature"
        if not NONCE_PATTERN.fullmatch(nonce):
            return "malformed nonce"
        self.seen_nonces = {one: seen for one, seen in self.seen_nonces.items() if now - seen < NONCE_SECONDS}
        if nonce in self.seen_nonces:
            return "nonce seen before"
        self.seen_nonces[nonce] = now
        return "ok"


def asked_pause(http_status: int | None, headers: Mapping[str, str]) -> float | None:
    """Seconds after which a call that was too many is to be made again; None if it was not."""
    asked = headers.get("Retry-After", "")
    return (float(asked) if asked.isdecimal() else 1.0) if http_status == 429 else None


# ---------------------------------------------------------------------------------------------------------------
# mode

MODE_FIELDS: dict[str, Any] = {
    "ack": (str,),
    "reference": (str, type(None)),
    "ack_delay_ms": (int,),
    "ack_twice": (bool,),
    "hold": (int,),
    "http_status": (int,),
    "drop": (bool,),
    "delay_ms": (int,),
    "times": (int, type(None)),
    "match": (str, type(None)),
}


@dataclass
class Mode:
    """How pushes are answered. The default acknowledges by webhook at once, with `Reference` null (4.5: keep ours).

    `http_status` other than 2xx and `drop` mean that the push failed, so nothing is acknowledged. Times are in
    milliseconds.
    """

    ack: str = "webhook"
    reference: str | None = None
    ack_delay_ms: int = 0
    ack_twice: bool = False
    hold: int = 0
    http_status: int = 200
    drop: bool = False
    delay_ms: int = 0
    times: int | None = None
    match: str | None = None

    @classmethod
    def from_control(cls, data: dict[str, Any]) -> Mode:
        """Build a mode from the body of ``POST /_sim/mode``."""
        check_fields(data, MODE_FIELDS)
        mode = cls(**data)
        if mode.ack not in ("webhook", "reply", "none") and not mode.ack.startswith(("error:", "reply-error:")):
            raise ControlError("'ack' must be webhook, reply, none, error:TEXT or reply-error:TEXT")
        if not 200 <= mode.http_status <= 599:
            raise ControlError("'http_status' must be between 200 and 599")
        if mode.times == 0:
            raise ControlError("'times' must be at least 1, or null")
        if mode.match is not None:
            compile_regex(mode.match, "match")
        return mode

    def fits(self, envelopes: list[dict[str, Any]]) -> bool:
        """Whether this mode is meant for a push: `match` is found in an address or text of it."""
        if self.match is None:
            return True
        for envelope in envelopes:
            body = envelope.get("Body")
            content = body if isinstance(body, dict) else {}
            if any(re.search(self.match, str(content.get(name) or "")) for name in ("RemoteAddress", "BodyText")):
                return True
        return False

    def error_text(self) -> str | None:
        """`Data` of the acknowledgement: null means sent, any text is an error (4.5)."""
        kind, separator, text = self.ack.partition(":")
        return text if separator and kind in ("error", "reply-error") else None

    def acks_in_reply(self) -> bool:
        """Whether the acknowledgement travels in the answer of the push (10.3, "Reply in the body")."""
        return self.ack == "reply" or self.ack.startswith("reply-error:")


# ---------------------------------------------------------------------------------------------------------------
# the connector


class Connector:
    """The simulated connector: what it sent, what was pushed to it, how it answers."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.gateway_url = options.gateway_url.rstrip("/")
        self.signer = Signer(options.key_id, options.secret.encode())
        self.verifier = PushVerifier(self.signer)
        self.log = RequestLog()
        self.faults = FaultScript()
        self.tasks = BackgroundTasks()
        self.http: aiohttp.ClientSession | None = None
        self.gateways: list[dict[str, Any]] | None = None
        self.forget()

    def forget(self) -> None:
        """The state at the start; the gateways learnt are kept."""
        self.mode = Mode()
        self.pushes: list[dict[str, Any]] = []
        self.sent: list[dict[str, Any]] = []
        self.held: list[dict[str, Any]] = []

    # -- calls to the server -------------------------------------------------------------------------------------

    async def call(
        self,
        method: str,
        path: str,
        body: bytes,
        spoil: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Sign and send one request below the gateway's URL.

        The result has `http_status` (null without an answer), `answer` (JSON or text), `headers`, and `error` when
        there was no answer.
        """
        assert self.http is not None, "the client is opened before the first request is served"
        url = URL(self.gateway_url + path, encoded=True)
        sent_headers = {"Content-Type": "application/json", **self.signer.headers(method, url, body, spoil or {})}
        sent_headers.update(headers or {})
        try:
            async with self.http.request(
                method, url, data=body or None, headers=sent_headers, allow_redirects=False
            ) as answer:
                raw = await answer.read()
                return {
                    "http_status": answer.status,
                    "answer": json_or_text(raw),
                    "headers": dict(answer.headers),
                }
        except (aiohttp.ClientError, TimeoutError) as problem:
            return {"http_status": None, "answer": None, "headers": {}, "error": f"no answer: {type(problem).__name__}"}

    async def post_envelope(self, envelope: dict[str, Any], spoil: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Post one envelope to ``/messages``, the same again while it is one too many, and write down what came back."""
        record: dict[str, Any] = {"time": utc_now(), "envelope": envelope, "http_status": None, "answer": None}
        self.sent.append(record)
        body = json.dumps(envelope).encode()
        for turn in range(1, MAX_TURNS + 1):
            result = await self.call("POST", "/messages", body, spoil)
            record.update(http_status=result["http_status"], answer=result["answer"], turns=turn)
            pause = asked_pause(result["http_status"], result["headers"])
            if pause is None:
                break
            await asyncio.sleep(pause)
        return result

    @staticmethod
    def envelope(name: str, body: Any, envelope_id: str | None = None) -> dict[str, Any]:
        """An envelope of 10.2 as a client makes it (`Seq` and `Warnings` belong to the server)."""
        return {"Msg": name, "Id": envelope_id or str(uuid.uuid4()), "Time": utc_now(), "Body": body}

    @staticmethod
    def inbound_content(address: str, text: str) -> dict[str, Any]:
        """A fresh MessageContentInfo of ES_MESSAGE_RECEIVING (section 7), all but its GatewayId."""
        return {
            "DeliverySystemId": f"sms-{uuid.uuid4().hex}",
            "RequestId": str(uuid.uuid4()),
            "RemoteAddress": address,
            "Direction": "I",
            "ReceivedSentTime": utc_now(),
            "BodyText": text,
        }

    @staticmethod
    def replies(result: dict[str, Any], name: str) -> list[dict[str, Any]]:
        """The envelopes of one name in the `Replies` of an answer (10.2)."""
        answer = result["answer"]
        replies = answer.get("Replies") if isinstance(answer, dict) else None
        return [one for one in replies or [] if isinstance(one, dict) and one.get("Msg") == name]

    async def ask_gateways(self) -> dict[str, Any]:
        """ES_SL_GETGATEWAYS; the answer SE_SL_MSGGATEWAYS is remembered (GatewayInfo[], 4.5)."""
        result = await self.post_envelope(self.envelope("ES_SL_GETGATEWAYS", self.options.peer))
        for reply in self.replies(result, "SE_SL_MSGGATEWAYS"):
            if isinstance(reply.get("Body"), list):
                self.gateways = reply["Body"]
        return result

    async def gateway_id(self, direction: str) -> str:
        """The first gateway that has direction `I` or `O`, asking for the list when it is not known yet."""
        if not self.gateways:
            await self.ask_gateways()
        for gateway in self.gateways or []:
            if gateway.get("Direction") in (direction, "B"):
                return str(gateway["Id"])
        raise ControlError(
            f"the server named no gateway of direction {direction}; give 'gateway_id', or look at POST /_sim/gateways",
            status=502,
        )

    async def acknowledge(
        self,
        message_id: Any,
        gateway_id: Any,
        error: str | None,
        reference: str | None,
        envelope_id: str | None = None,
    ) -> dict[str, Any]:
        """Post ES_MESSAGE_SENT (CommandInfo, 4.5): `Id` and `RefId` mirror the message, `Data` null means sent."""
        envelope = self.sent_envelope(message_id, gateway_id, error, reference, envelope_id)
        result = await self.post_envelope(envelope)
        for push in reversed(self.pushes):
            if push["message_id"] == message_id:
                outcome = self._first_outcome(result)
                push["acks"].append({"time": utc_now(), "http_status": result["http_status"], "outcome": outcome})
                break
        return result

    def sent_envelope(
        self,
        message_id: Any,
        gateway_id: Any,
        error: str | None,
        reference: str | None,
        envelope_id: str | None = None,
    ) -> dict[str, Any]:
        """The envelope of ES_MESSAGE_SENT."""
        body = {
            "Id": message_id,
            "RefId": gateway_id,
            "TimeStamp": utc_now(),
            "Reference": reference,
            "Data": error,
        }
        return self.envelope("ES_MESSAGE_SENT", body, envelope_id)

    @staticmethod
    def _first_outcome(result: dict[str, Any]) -> str | None:
        answer = result["answer"]
        results = answer.get("Results") if isinstance(answer, dict) else None
        return results[0].get("Outcome") if isinstance(results, list) and results else None

    # -- pushes --------------------------------------------------------------------------------------------------

    async def receive_push(self, request: web.Request) -> web.StreamResponse:
        """``POST /push``: an array of 1 to 25 envelopes (10.3). A wrong signature is recorded, and still answered."""
        raw = await request.read()
        path, _, query = request.raw_path.partition("?")
        verdict = self.verifier.verdict(request.method, path, query, request.headers, raw, time.time())
        envelopes = json_or_text(raw)
        if (
            not isinstance(envelopes, list)
            or not 1 <= len(envelopes) <= MAX_ENVELOPES
            or not all(isinstance(one, dict) and isinstance(one.get("Msg"), str) for one in envelopes)
        ):
            return json_answer({"Error": "a push is an array of 1 to 25 envelopes"}, status=400)
        mode = self._mode_for(envelopes)
        is_failure = mode.drop or mode.http_status >= 300
        records = [self._record(envelope, verdict, mode) for envelope in envelopes]
        if mode.delay_ms:
            await asyncio.sleep(mode.delay_ms / 1000)
        if mode.drop:
            request["log_entry"].dropped = True
            return drop_connection(request)
        if is_failure:
            return web.Response(status=mode.http_status)
        answers = self._acknowledgements(mode, records)
        return json_answer({"Messages": answers}, status=mode.http_status)

    async def poll(self, after: int, wait: int) -> dict[str, Any]:
        """Fetch events once (10.3, column "Poll"). Messages are written down as pushes are, and acknowledged by webhook
        as the mode says, each Id once: a consumer drops what it has seen."""
        result = await self.call("GET", f"/events?after={after}&wait={wait}", b"")
        answer = result["answer"]
        events = answer.get("Events") if isinstance(answer, dict) else None
        for event in events or []:
            known = any(one["envelope"]["Id"] == event["Id"] for one in self.pushes)
            if known or event["Msg"] != "SE_MESSAGE_SENDING":
                continue
            mode = self._mode_for([event])
            record = self._record(event, "polled", mode)
            if mode.ack != "none":
                self.tasks.start(self._acknowledge_in_order(mode, [record]))
        return result

    def _mode_for(self, envelopes: list[dict[str, Any]]) -> Mode:
        mode = self.mode
        if not mode.fits(envelopes):
            return Mode()
        if mode.times is not None:
            mode.times -= 1
            if mode.times == 0:
                self.mode = Mode()
        return mode

    def _record(self, envelope: dict[str, Any], verdict: str, mode: Mode) -> dict[str, Any]:
        """Write a pushed envelope down.

        `seen` counts how often the MessageId came, `attempt` how many different ReceivedSentTime values came with
        it: that member alone differs between the attempts of section 6, while a transport repeat changes nothing.
        """
        body = envelope.get("Body")
        content = body if isinstance(body, dict) else {}
        message_id = content.get("MessageId")
        earlier = [one for one in self.pushes if message_id is not None and one["message_id"] == message_id]
        times = {one["envelope"]["Body"].get("ReceivedSentTime") for one in earlier}
        times.add(content.get("ReceivedSentTime"))
        record: dict[str, Any] = {
            "number": len(self.pushes) + 1,
            "time": utc_now(),
            "unix_ms": int(time.time() * 1000),
            "signature": verdict,
            "message_id": message_id,
            "gateway_id": content.get("GatewayId"),
            "seen": len(earlier) + 1,
            "attempt": len(times),
            "answered": "dropped" if mode.drop else mode.http_status,
            "ack": "none" if mode.drop or mode.http_status >= 300 else mode.ack,
            "acks": [],
            "envelope": envelope,
        }
        self.pushes.append(record)
        return record

    def _acknowledgements(self, mode: Mode, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Start what acknowledges by webhook; the result is what goes into the answer itself."""
        in_reply: list[dict[str, Any]] = []
        for record in records:
            if record["envelope"]["Msg"] != "SE_MESSAGE_SENDING" or mode.ack == "none":
                continue
            if mode.acks_in_reply():
                envelope = self.sent_envelope(
                    record["message_id"], record["gateway_id"], mode.error_text(), mode.reference
                )
                in_reply.extend([envelope] * (2 if mode.ack_twice else 1))
            elif mode.hold:
                self.held.append(record)
                if len(self.held) >= mode.hold:
                    released, self.held = self.held[::-1], []
                    self.tasks.start(self._acknowledge_in_order(mode, released))
            else:
                self.tasks.start(self._acknowledge_in_order(mode, [record]))
        return in_reply

    async def _acknowledge_in_order(self, mode: Mode, records: list[dict[str, Any]]) -> None:
        await asyncio.sleep(mode.ack_delay_ms / 1000)
        for record in records:
            for _ in range(2 if mode.ack_twice else 1):
                await self.acknowledge(record["message_id"], record["gateway_id"], mode.error_text(), mode.reference)

    # -- control side --------------------------------------------------------------------------------------------

    async def control_gateways(self, _: web.Request) -> web.Response:
        """Ask ES_SL_GETGATEWAYS."""
        return self._result(await self.ask_gateways())

    @staticmethod
    def _result(result: dict[str, Any], **more: Any) -> web.Response:
        return json_answer({**result, **more}, status=502 if result["http_status"] is None else 200)

    async def control_send(self, request: web.Request) -> web.Response:
        """ES_MESSAGE_RECEIVING (section 7). `message_id` is what SE_MESSAGE_RECEIVED gave, null when refused."""
        data = await read_fields(
            request,
            {
                "from": (str,),
                "text": (str,),
                "omit": (list,),
                "envelope_id": (str,),
                "gateway_id": (str,),
                "repeat": (int,),
                "parallel": (bool,),
                **SIGNING_FIELDS,
                **CONTENT_FIELDS,
            },
        )
        content = self.inbound_content(data.get("from", "+420700000000"), data.get("text", "Hi"))
        content.update({name: value for name, value in data.items() if name in CONTENT_FIELDS})
        if "GatewayId" not in content:
            content["GatewayId"] = data.get("gateway_id") or await self.gateway_id("I")
        for name in data.get("omit", []):
            content.pop(name, None)
        envelope = self.envelope("ES_MESSAGE_RECEIVING", content, data.get("envelope_id"))
        calls = [self.post_envelope(envelope, data) for _ in range(1 + data.get("repeat", 0))]
        if data.get("parallel"):
            results = list(await asyncio.gather(*calls))
        else:
            results = [await call for call in calls]
        received = self.replies(results[0], "SE_MESSAGE_RECEIVED")
        body = received[0].get("Body") if received else None
        message_id = body.get("Id") if isinstance(body, dict) else None
        return self._result(results[0], message_id=message_id, envelope=envelope, answers=results)

    async def control_ack(self, request: web.Request) -> web.Response:
        """ES_MESSAGE_SENT now."""
        data = await read_fields(
            request,
            {
                "message_id": (str,),
                "gateway_id": (str,),
                "error": (str, type(None)),
                "reference": (str, type(None)),
                "envelope_id": (str,),
            },
            required=("message_id",),
        )
        pushed = [one for one in self.pushes if one["message_id"] == data["message_id"]]
        gateway_id = data.get("gateway_id") or (pushed[-1]["gateway_id"] if pushed else await self.gateway_id("O"))
        return self._result(
            await self.acknowledge(
                data["message_id"], gateway_id, data.get("error"), data.get("reference"), data.get("envelope_id")
            )
        )

    async def control_poll(self, request: web.Request) -> web.Response:
        """Fetch events once."""
        data = await read_fields(request, {"after": (int,), "wait": (int,)})
        return self._result(await self.poll(data.get("after", 0), data.get("wait", 0)))

    async def control_raw(self, request: web.Request) -> web.Response:
        """Sign and send anything below the gateway's URL."""
        data = await read_fields(
            request,
            {
                "body": ANY,
                "path": (str,),
                "path_suffix": (str,),
                "method": (str,),
                "headers": (dict,),
                **SIGNING_FIELDS,
            },
        )
        body = data.get("body")
        if isinstance(body, str):
            raw = body.encode("utf-8", errors="surrogatepass")
        else:
            raw = b"" if body is None else json.dumps(body).encode()
        headers = data.get("headers", {})
        if not all(isinstance(value, str) for value in headers.values()):
            raise ControlError("'headers' must map names to strings")
        path = data.get("path", "/messages") + data.get("path_suffix", "")
        if path and not path.startswith(("/", "?")):
            raise ControlError("'path' must start with '/'")
        return self._result(await self.call(data.get("method", "POST").upper(), path, raw, data, headers))

    async def show_pushes(self, request: web.Request) -> web.Response:
        """The envelopes received, in order."""
        wanted = request.query.get("message_id")
        return json_answer([one for one in self.pushes if wanted in (None, one["message_id"])])

    async def show_sent(self, _: web.Request) -> web.Response:
        """The envelopes posted, in order, with their answers."""
        return json_answer(self.sent)

    async def show_mode(self, _: web.Request) -> web.Response:
        """The mode that the next push meets."""
        return json_answer({**self.mode.__dict__, "held_back": len(self.held)})

    async def control_mode(self, request: web.Request) -> web.Response:
        """Replace the mode; members left out have their default."""
        self.mode = Mode.from_control(await read_fields(request, MODE_FIELDS))
        self.held.clear()
        return json_answer(self.mode.__dict__)

    async def control_reset(self, _: web.Request) -> web.Response:
        """Back to the start."""
        self.tasks.cancel_all()
        self.faults.faults.clear()
        self.log.clear()
        self.forget()
        return json_answer({"reset": True})

    # -- assembly ------------------------------------------------------------------------------------------------

    def app(self) -> web.Application:
        """The application with the push endpoint and the control routes."""
        application = web.Application(
            middlewares=[control_middleware, platform_middleware(self.log, self.faults)],
            client_max_size=MAX_BODY_BYTES,
        )
        application.add_routes(
            [
                web.post("/push", self.receive_push),
                *shared_routes(self.log, self.faults, USAGE.replace("PORT", str(self.options.port))),
                web.post("/_sim/gateways", self.control_gateways),
                web.post("/_sim/send", self.control_send),
                web.post("/_sim/ack", self.control_ack),
                web.post("/_sim/poll", self.control_poll),
                web.post("/_sim/raw", self.control_raw),
                web.get("/_sim/pushes", self.show_pushes),
                web.get("/_sim/sent", self.show_sent),
                web.get("/_sim/mode", self.show_mode),
                web.post("/_sim/mode", self.control_mode),
                web.post("/_sim/reset", self.control_reset),
            ]
        )
        application.on_startup.append(self._open)
        application.on_cleanup.append(self._close)
        return application

    async def _open(self, _: web.Application) -> None:
        self.http = open_client(REQUEST_TIMEOUT_SECONDS)

    async def _close(self, _: web.Application) -> None:
        self.tasks.cancel_all()
        if self.http is not None:
            await self.http.close()


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulators.frontstage_connector", description=__doc__.split("\n", 1)[0]
    )
    parser.add_argument("--port", type=int, default=9102)
    parser.add_argument("--gateway-url", required=True, help=".../v1/frontstage/{gateway}, without /messages")
    parser.add_argument("--key-id", required=True, help="X-FS-Key")
    parser.add_argument("--secret", required=True, help="the gateway's secret, its text bytes are the key")
    parser.add_argument("--peer", default=None, help="PeerAddress in ES_SL_GETGATEWAYS; default: none")
    return parser.parse_args(arguments)


def main() -> int:
    """Run until SIGTERM."""
    options = parse_arguments()
    return run(Connector(options).app(), options.port, "FrontStage connector simulator")


if __name__ == "__main__":
    sys.exit(main())
