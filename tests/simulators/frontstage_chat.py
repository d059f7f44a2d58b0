"""An external chat application, the party `E` of frontstage.md section 1: visitors' chats over a gateway of Deskbridge.

Signs and posts ES_ envelopes (10.1, 10.2, 10.5), one by one or in arrays, as JSON or MessagePack (10.4); receives SE_
envelopes by polling ``GET .../events`` or pushed to ``POST /push`` (10.3), which it may answer with messages of its own.
Per TrackingId it keeps what an honest connector would, see `frontstage_client`. ``GET /_sim`` prints how to use it.

Run: ``python -m tests.simulators.frontstage_chat --port 9103
--gateway-url http://127.0.0.1:9000/v1/frontstage/gw-chat --key-id k1 --secret <secret> --peer '!DemoLink'``
"""

from __future__ import annotations

import argparse
import sys
import time
import uuid
from typing import Any

from aiohttp import web

from tests.simulators.common import (
    ANY,
    MAX_BODY_BYTES,
    ControlError,
    FaultScript,
    RequestLog,
    check_fields,
    control_middleware,
    json_answer,
    platform_middleware,
    read_fields,
    run,
    shared_routes,
    utc_now,
)
from tests.simulators.frontstage_client import (
    ANSWER_SECONDS,
    MAX_ENVELOPES,
    REQUEST_SECONDS,
    Client,
    Clock,
    Polling,
)
from tests.simulators.frontstage_connector import PushVerifier, Signer
from tests.simulators.frontstage_control import CALL_OPTIONS, Control
from tests.simulators.frontstage_state import CONNECTOR, Outgoing
from tests.simulators.frontstage_wire import Caller, decode, encode

SERVICE_FIELDS: dict[str, Any] = dict.fromkeys(
    (
        "Peer",
        "Port",
        "PreferredCulture",
        "UserToken",
        "ExtResponse",
        "ResultModel",
        "PartyName",
        "RemoteAddress",
        "ReturnChatId",
    ),
    ANY,
)
"""Members of ChatServiceInfo (4.2) that a connector fills in. Any JSON type is let through."""

RESULT_FIELDS: dict[str, Any] = dict.fromkeys(
    (
        "ScenarioId",
        "ScenarioResultId",
        "TimeUtc",
        "Values",
        "AgentId",
        "InboundCallId",
        "OutboundCallId",
        "MessageId",
        "IssueId",
        "ContactId",
        "ChatId",
        "WorkflowId",
        "Activity",
    ),
    ANY,
)
"""Members of ScenarioResultInfo (4.3)."""

USAGE = """\
FrontStage external chat application simulator
----------------------------------------------
  POST   /_sim/request          {"tracking_id":optional,"PreferredCulture":"en",..}: ES_CHAT_REQUEST, shows the signal
  POST   /_sim/start            {"tracking_id":optional,"PartyName":"Eva","text":optional}: ES_CHAT_START
             any member of ChatServiceInfo by its name; text: the first sentence, in the same array
  POST   /_sim/stop             {"tracking_id":".."}: ES_CHAT_STOP
  POST   /_sim/scenario/load    {"scenario_id":"..","culture":"en-US"}: ES_SCENARIO_LOAD      GET /_sim/scenarios
  POST   /_sim/scenario/save    {"ScenarioId":"..","Values":[..]}: ES_SCENARIO_SAVE, members of ScenarioResultInfo
  POST   /_sim/push-replies     {"messages":[{"Msg":"ES_..","Body":{}},..],"times":1}: what the next pushes are answered
  GET    /_sim/requests[?path=REGEX][&method=POST]      pushes as they came
  GET    /_sim/faults    POST /_sim/faults    DELETE /_sim/faults     {"path":"/push","status":503 | "drop":true,
             "times":1,"skip":0,"delay_ms":0,"effect":false}: how pushes go wrong on this side
  POST   /_sim/reset            forget chats, events, calls, faults; the cursor stays
SHARED
  curl -s -X POST localhost:PORT/_sim/start -d '{"tracking_id":"t-1","PartyName":"Eva","text":"Hi"}'
"""


class ChatClient(Client):
    """The client of the one gateway."""

    def __init__(self, options: argparse.Namespace) -> None:
        caller = Caller(options.gateway_url, Signer(options.key_id, options.secret.encode()))
        super().__init__(CONNECTOR, caller, Clock(), options.peer, options.gateway_port)
        self.party_name = options.party_name
        self.cursor = options.after


class ChatApplication:
    """The program: the client, its push endpoint and its control routes."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.client = ChatClient(options)
        self.verifier = PushVerifier(self.client.caller.signer)
        self.log = RequestLog()
        self.faults = FaultScript()
        self.push_replies: list[list[dict[str, Any]]] = []
        self.control = Control(lambda _: self.client, lambda: [self.client], (), "tracking_id")

    # -- pushes --------------------------------------------------------------------------------------------------

    async def receive_push(self, request: web.Request) -> web.StreamResponse:
        """``POST /push``: an array of 1 to 25 signed envelopes (10.3). A wrong signature is refused and noted."""
        raw = await request.read()
        path, _, query = request.raw_path.partition("?")
        verdict = self.verifier.verdict(request.method, path, query, request.headers, raw, time.time())
        request["log_entry"].note = f"signature: {verdict}"
        content_type = request.headers.get("Content-Type")
        envelopes = decode(raw, content_type)
        request["log_entry"].body = envelopes
        if verdict != "ok":
            self.client.anomalies.add("push_signature", verdict=verdict)
            return json_answer({"Error": {"Code": "Unauthorized", "Message": "signature rejected"}}, status=401)
        if (
            not isinstance(envelopes, list)
            or not 1 <= len(envelopes) <= MAX_ENVELOPES
            or not all(isinstance(one, dict) and isinstance(one.get("Msg"), str) for one in envelopes)
        ):
            self.client.anomalies.add("push_malformed", body=envelopes)
            return json_answer({"Error": {"Code": "MalformedBody", "Message": "1 to 25 envelopes"}}, status=400)
        for envelope in envelopes:
            self.client.receive(envelope, "push")
        messages = self.push_replies.pop(0) if self.push_replies else []
        if self.client.behaviour.confirm_in_reply:
            messages = [*messages, *self._confirms()]
        else:
            self.client.confirm_in_background()
        return self._push_answer(messages)

    def _confirms(self) -> list[dict[str, Any]]:
        """Confirmations that ride in the answer: nothing says whether they arrived, so they count as sent."""
        confirms = self.client.confirm_received()
        for one in confirms:
            one.begin(self.client.clock.now(), self.client.behaviour.retry_envelope)
            one.enter("sent", self.client.clock.now())
        return [one.envelope for one in confirms]

    def _push_answer(self, messages: list[dict[str, Any]]) -> web.Response:
        form = self.client.caller.form
        content_type = form.headers()["Content-Type"]
        return web.Response(body=encode({"Messages": messages}, form), headers={"Content-Type": content_type})

    async def control_push_replies(self, request: web.Request) -> web.Response:
        """Messages for the answers of the next pushes (10.3, "Reply in the body")."""
        data = await read_fields(request, {"messages": (list,), "times": (int,)}, required=("messages",))
        for one in data["messages"]:
            check_fields(one, {"Msg": (str,), "Body": ANY}, required=("Msg",))
        for _ in range(data.get("times", 1)):
            self.push_replies.append([{"Id": str(uuid.uuid4()), "Time": utc_now(), **one} for one in data["messages"]])
        return json_answer({"waiting": len(self.push_replies)})

    # -- messages that only a connector has ----------------------------------------------------------------------

    def _service_info(self, key: str, data: dict[str, Any]) -> dict[str, Any]:
        """ChatServiceInfo (4.2)."""
        given = {name: value for name, value in data.items() if name in SERVICE_FIELDS}
        return {**self.client.address(key), "PartyName": self.client.party_name, **given}

    async def control_request(self, request: web.Request) -> web.Response:
        """ES_CHAT_REQUEST: may a chat be started now? Makes no chat."""
        data = await read_fields(request, {"tracking_id": (str,), **CALL_OPTIONS, **SERVICE_FIELDS})
        key = data.get("tracking_id") or str(uuid.uuid4())
        command = self.client.command("CHAT_REQUEST", key, self._service_info(key, data), REQUEST_SECONDS)
        # Until the answer is here the chat is shown as closed (3.1).
        self.client.thread(key).signal = self.client.thread(key).signal or "Closed"
        return await self.control.post(self.client, [command], data, tracking_id=key)

    async def control_start(self, request: web.Request) -> web.Response:
        """ES_CHAT_START, with the first sentence in the same array when a text is given."""
        fields = {"tracking_id": (str,), "text": (str,), **CALL_OPTIONS, **SERVICE_FIELDS}
        data = await read_fields(request, fields)
        key = data.get("tracking_id") or str(uuid.uuid4())
        self.client.thread(key)
        items: list[Outgoing] = [self.client.command("CHAT_START", key, self._service_info(key, data), ANSWER_SECONDS)]
        if "text" in data:
            if "envelope_id" in data:
                raise ControlError("'envelope_id' goes with one message: leave 'text' out")
            name = {"PartyName": data["PartyName"]} if "PartyName" in data else {}
            items.append(self.client.compose(key, {"Text": data["text"], **name}))
        return await self.control.post(self.client, items, data, tracking_id=key)

    async def control_stop(self, request: web.Request) -> web.Response:
        """ES_CHAT_STOP."""
        client, key, data = await self.control.read_chat(request, CALL_OPTIONS)
        command = client.command("CHAT_STOP", key, client.command_body(key), ANSWER_SECONDS)
        return await self.control.post(client, [command], data)

    async def control_scenario_load(self, request: web.Request) -> web.Response:
        """ES_SCENARIO_LOAD: CommandInfo with the scenario in `Id` and the culture in `Reference` (4.5)."""
        fields = {"scenario_id": (str,), "culture": (str, type(None)), **CALL_OPTIONS}
        data = await read_fields(request, fields, required=("scenario_id",))
        body = {"Id": data["scenario_id"], "Reference": data.get("culture")}
        command = self.client.command("SCENARIO_LOAD", None, body, ANSWER_SECONDS)
        return await self.control.post(self.client, [command], data)

    async def control_scenario_save(self, request: web.Request) -> web.Response:
        """ES_SCENARIO_SAVE: ScenarioResultInfo (4.3); nothing but the transport answers (3.1)."""
        data = await read_fields(request, {**CALL_OPTIONS, **RESULT_FIELDS}, required=("ScenarioId",))
        body = {"TimeUtc": utc_now(), **{name: value for name, value in data.items() if name in RESULT_FIELDS}}
        command = self.client.command("SCENARIO_SAVE", None, body, None)
        return await self.control.post(self.client, [command], data)

    async def show_scenarios(self, _: web.Request) -> web.Response:
        """The forms that were loaded."""
        return json_answer(self.client.scenarios)

    async def control_reset(self, _: web.Request) -> web.Response:
        """Back to the start; how it polls, behaves and writes stays as it is."""
        self.client.tasks.cancel_all()
        self.client.caller.faults.clear()
        self.client.caller.records.clear()
        self.client.forget()
        self.faults.faults.clear()
        self.log.clear()
        self.push_replies.clear()
        return json_answer({"reset": True})

    # -- assembly ------------------------------------------------------------------------------------------------

    def app(self) -> web.Application:
        """The application with the push endpoint and the control routes."""
        application = web.Application(
            middlewares=[control_middleware, platform_middleware(self.log, self.faults)],
            client_max_size=MAX_BODY_BYTES,
        )
        usage = USAGE.replace("SHARED\n", self.control.usage()).replace("PORT", str(self.options.port))
        application.add_routes(
            [
                web.post("/push", self.receive_push),
                *shared_routes(self.log, self.faults, usage),
                *self.control.routes(),
                web.post("/_sim/request", self.control_request),
                web.post("/_sim/start", self.control_start),
                web.post("/_sim/stop", self.control_stop),
                web.post("/_sim/scenario/load", self.control_scenario_load),
                web.post("/_sim/scenario/save", self.control_scenario_save),
                web.get("/_sim/scenarios", self.show_scenarios),
                web.post("/_sim/push-replies", self.control_push_replies),
                web.post("/_sim/reset", self.control_reset),
            ]
        )
        application.on_startup.append(self._open)
        application.on_shutdown.append(self._close)
        return application

    async def _open(self, _: web.Application) -> None:
        self.client.open()
        is_polling = self.options.delivery == "poll"
        self.client.set_polling(Polling(on=is_polling, max=self.options.max, wait=self.options.wait))

    async def _close(self, _: web.Application) -> None:
        await self.client.close()


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulators.frontstage_chat", description=__doc__.split("\n", 1)[0]
    )
    parser.add_argument("--port", type=int, default=9103)
    parser.add_argument("--gateway-url", required=True, help=".../v1/frontstage/{gateway}, without /messages")
    parser.add_argument("--key-id", required=True, help="X-FS-Key")
    parser.add_argument("--secret", required=True, help="the gateway's secret, its text bytes are the key")
    parser.add_argument("--peer", default=None, help="PeerAddress in every message; default: none, the server knows")
    parser.add_argument("--gateway-port", default=None, help="PeerPort in every message; default: none")
    parser.add_argument("--party-name", default=None, help="PartyName when a control call gives none")
    parser.add_argument(
        "--delivery", choices=("poll", "push", "none"), default="poll", help="poll fetches events; push waits for them"
    )
    parser.add_argument("--wait", type=int, default=5, help="seconds that a poll may wait, 0 to 20")
    parser.add_argument("--max", type=int, default=50, help="events of one poll, 1 to 50")
    parser.add_argument("--after", type=int, default=0, help="the Seq to go on from")
    return parser.parse_args(arguments)


def main() -> int:
    """Run until SIGTERM."""
    options = parse_arguments()
    return run(ChatApplication(options).app(), options.port, "FrontStage chat simulator")


if __name__ == "__main__":
    sys.exit(main())
