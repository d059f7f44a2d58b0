"""Agents' clients, the party `C` of frontstage.md section 1: several agents at several workplaces, in one process.

Each workplace signs and posts CS_ envelopes with a key of its own and fetches SC_ envelopes by polling (10.1, 10.5).
Alerts are answered, refused or ignored by script, through the control API, or by a person on the web page at ``/``.
``GET /_sim`` prints how to use it.

Run: ``python -m tests.simulators.frontstage_agents --port 9104 --base-url http://127.0.0.1:9000/v1/frontstage
--config agents.json``, with a file like

``{"workplaces":[{"number":"101","name":"Front desk","key_id":"k1","secret":"...",
"agents":[{"id":"aaaaaaaa-0000-4000-8000-000000000101","name":"Jana"}]}]}``
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from aiohttp import web

from tests.simulators.common import (
    CONTROL_PREFIX,
    MAX_BODY_BYTES,
    PAGE_HEADERS,
    ControlError,
    check_fields,
    control_middleware,
    json_answer,
    own_pages_only,
    read_fields,
    run,
)
from tests.simulators.frontstage_client import ANSWER_SECONDS, Behaviour, Client, Clock, Polling
from tests.simulators.frontstage_connector import Signer
from tests.simulators.frontstage_control import CALL_OPTIONS, Control
from tests.simulators.frontstage_state import AGENT, Command, Thread
from tests.simulators.frontstage_wire import Caller

PAGE = Path(__file__).resolve().parent / "agents_page"
PAGE_FILES = {"": "index.html", "page.css": "page.css", "page.js": "page.js", "elements.js": "elements.js"}

VIEW_WAIT_SECONDS = 25.0
"""Longest wait of ``GET /_sim/view``."""

SHOWN_PROBLEMS = 5
"""So many failed messages are handed to the page."""

USAGE = """\
FrontStage agent clients simulator           page for a person: http://localhost:PORT/
----------------------------------
  GET    /_sim/workplaces       numbers, agents, who is logged in
  POST   /_sim/login            {"workplace":"101","agent_id":optional,"confirm":"received|on_command",
             "on_alert":"person|answer|refuse|ignore"}: polls from now on, CS_CHAT_RESYNC and what follows from it
  POST   /_sim/logout           {"workplace":"101"}
  POST   /_sim/script           {"workplace":"101","on_alert":"answer","delay_ms":0,"times":null,"greet":"Hello"}
             what is done to the next alerts by itself; times: that many, then a person decides; GET shows
  POST   /_sim/answer           {"workplace":"101","chat_id":optional}: CS_CHAT_ANSWER, the newest alert
  POST   /_sim/refuse           the same: CS_CHAT_HANGUP of an alert
  POST   /_sim/hangup           {"workplace":"101","chat_id":optional}: CS_CHAT_HANGUP
  POST   /_sim/dismiss          {"workplace":"101","chat_id":".."}: no longer on the page
  GET    /_sim/view?workplace=101&chat_id=..&since=VERSION&wait=20      what the page shows, when it has changed
  POST   /_sim/reset            all agents log out, everything is forgotten; cursors stay
SHARED
  curl -s -X POST localhost:PORT/_sim/login -d '{"workplace":"101","on_alert":"answer"}'
"""


# ---------------------------------------------------------------------------------------------------------------
# configuration


@dataclass(frozen=True)
class Agent:
    """Somebody who may log in."""

    id: str
    name: str


@dataclass(frozen=True)
class Workplace:
    """One agent client: its number, its key, and who may log in there."""

    number: str
    name: str
    key_id: str
    secret: str
    agents: tuple[Agent, ...]


def read_config(text: str) -> list[Workplace]:
    """The workplaces of a configuration file; a `ControlError` says what is wrong with it."""
    try:
        data = check_fields(json.loads(text), {"workplaces": (list,)}, required=("workplaces",))
    except ValueError as problem:
        raise ControlError(f"the configuration is not JSON: {problem}") from problem
    made: list[Workplace] = []
    texts = dict.fromkeys(("number", "name", "key_id", "secret"), (str,))
    for one in data["workplaces"]:
        check_fields(one, {**texts, "agents": (list,)}, required=("number", "key_id", "secret", "agents"))
        agents = []
        for agent in one["agents"]:
            check_fields(agent, {"id": (str,), "name": (str,)}, required=("id", "name"))
            agents.append(Agent(agent["id"], agent["name"]))
        name = one.get("name", f"Workplace {one['number']}")
        made.append(Workplace(one["number"], name, one["key_id"], one["secret"], tuple(agents)))
    if len({one.number for one in made}) != len(made):
        raise ControlError("two workplaces have the same number")
    return made


# ---------------------------------------------------------------------------------------------------------------
# presence


class Presence(Protocol):
    """How the server learns that an agent is there. The contract does not say; this is the one place that does."""

    async def come(self, desk: Desk) -> Command:
        """The agent of `desk` is there from now on; the message that told so."""

    async def go(self, desk: Desk) -> None:
        """The agent leaves."""


class PollPresence:
    """Live presence: an agent is there while the workplace polls with a wait, and has said RESYNC with its AgentId."""

    def __init__(self, wait: int, most: int) -> None:
        self.wait = wait
        self.most = most

    async def come(self, desk: Desk) -> Command:
        """Poll, and ask for the chats that are there; the rest of the recovery goes on by itself."""
        desk.set_polling(Polling(on=True, max=self.most, wait=self.wait))
        asked = await desk.resync()
        desk.tasks.start(desk.recover_after(asked))
        return asked

    async def go(self, desk: Desk) -> None:
        """Stop polling: the server notices by itself."""
        desk.set_polling(Polling(on=False, max=self.most, wait=self.wait))


# ---------------------------------------------------------------------------------------------------------------
# one workplace

SCRIPT_FIELDS: dict[str, Any] = {
    "on_alert": (str,),
    "delay_ms": (int,),
    "times": (int, type(None)),
    "greet": (str, type(None)),
}


@dataclass
class Script:
    """What happens to alerts without a person: `person` leaves them to one, `ignore` to nobody."""

    on_alert: str = "person"
    delay_ms: int = 0
    times: int | None = None
    greet: str | None = None

    @classmethod
    def from_control(cls, data: dict[str, Any]) -> Script:
        """Build a script from the body of ``POST /_sim/script``."""
        made = cls(**check_fields(data, SCRIPT_FIELDS))
        if made.on_alert not in ("person", "answer", "refuse", "ignore"):
            raise ControlError("'on_alert' must be person, answer, refuse or ignore")
        if made.times == 0:
            raise ControlError("'times' must be at least 1, or null")
        return made

    def take(self) -> str:
        """What to do to the alert that came now, counted down."""
        if self.times == 0:
            return "person"
        if self.times is not None:
            self.times -= 1
        return self.on_alert


class Desk(Client):
    """One workplace with the agent who sits there, if any. `alerts` maps a ChatId to the time it began to ring."""

    def __init__(self, workplace: Workplace, base_url: str, clock: Clock, on_change: Callable[[], None]) -> None:
        # Set before the base class, which forgets everything at the start.
        self.workplace = workplace
        self.on_change = on_change
        self.agent: Agent | None = None
        self.script = Script()
        caller = Caller(
            f"{base_url.rstrip('/')}/workplaces/{quote(workplace.number, safe='~')}",
            Signer(workplace.key_id, workplace.secret.encode()),
        )
        super().__init__(AGENT, caller, clock, workplace.number)

    def forget(self) -> None:
        """As at the start."""
        super().forget()
        self.alerts: dict[str, float] = {}
        self.mine: set[str] = set()
        self.hidden: set[str] = set()

    def changed(self) -> None:
        """Wake who looks on."""
        self.on_change()

    def sit_down(self, agent: Agent | None) -> None:
        """Another agent, or nobody; the chats of the one before are none of the next one's business."""
        self.agent = agent
        self.agent_id = agent.id if agent else None
        self.party_name = agent.name if agent else None
        self.line = None
        self.tasks.cancel_all()
        self.commands.clear()
        self.threads.clear()
        self.alerts.clear()
        self.mine.clear()
        self.hidden.clear()
        self.changed()

    # -- events --------------------------------------------------------------------------------------------------

    def on_event(self, message: str, thread: Thread, body: Mapping[str, Any], now: float) -> None:
        """Keep alerts, and which chats are this agent's."""
        if message == "CHAT_ALERT":
            # An alert that comes after newer news of the chat is over already.
            if thread.status == "Alerting":
                self._ring(thread, now)
                self._play(thread.key)
        elif message == "CHAT_ALERT_END":
            self.alerts.pop(thread.key, None)
        elif message in ("CHAT_STATUS", "CHAT_LIST"):
            if thread.status == "Alerting":
                # Known from a list or after a restart only: nobody says how long it has been ringing.
                self._ring(thread, self.alerts.get(thread.key, now))
            else:
                self.alerts.pop(thread.key, None)
            is_own = (thread.agent_id or "").lower() in ("", (self.agent_id or "").lower())
            if thread.status == "Answered" and is_own:
                self.mine.add(thread.key)
                self.hidden.discard(thread.key)
            elif thread.status != "Closed":
                self.mine.discard(thread.key)

    def _ring(self, thread: Thread, since: float) -> None:
        self.alerts[thread.key] = since
        self.hidden.discard(thread.key)

    def may_confirm(self, thread: Thread) -> bool:
        """Only what is said in an own chat reaches this agent."""
        return thread.key in self.mine

    def _play(self, key: str) -> None:
        """Do what the script says about a new alert."""
        decision = self.script.take()
        if decision in ("answer", "refuse"):
            self.tasks.start(self._decide(key, decision, self.script))

    async def _decide(self, key: str, decision: str, script: Script) -> None:
        await asyncio.sleep(script.delay_ms / 1000)
        if key not in self.alerts:
            return
        if decision == "refuse":
            await self.post([self.hang_up(key)])
            return
        asked = self.answer(key)
        await self.post([asked])
        await asked.settled.wait()
        if asked.state == "answered" and script.greet is not None:
            await self.post([self.compose(key, {"Text": script.greet})])

    def answer(self, key: str) -> Command:
        """CS_CHAT_ANSWER."""
        return self.command("CHAT_ANSWER", key, self.command_body(key), ANSWER_SECONDS)

    def hang_up(self, key: str) -> Command:
        """CS_CHAT_HANGUP: refuses an alert, ends a chat."""
        return self.command("CHAT_HANGUP", key, self.command_body(key), ANSWER_SECONDS)

    # -- what a person sees --------------------------------------------------------------------------------------

    def alert_of(self, key: str) -> dict[str, Any] | None:
        """The alert of a chat: how long it rings in all, and how much is left; null where that is not known."""
        since = self.alerts.get(key)
        if since is None:
            return None
        given = (self.threads[key].info or {}).get("MaxSignalDuration")
        if not isinstance(given, int) or isinstance(given, bool):
            return {"seconds": None, "ms_left": None}
        return {"seconds": given, "ms_left": int((since + given - self.clock.now()) * 1000)}

    def shown(self) -> list[Thread]:
        """Chats that ring and own ones, in the order in which they came."""
        return [one for key, one in self.threads.items() if key in {*self.alerts, *self.mine} - self.hidden]

    def summary(self) -> dict[str, Any]:
        """The workplace in the list of all."""
        ok = self.line is not None and self.line.is_ok
        return {
            "number": self.workplace.number,
            "name": self.workplace.name,
            "agents": [one.__dict__ for one in self.workplace.agents],
            "agent": self.agent.__dict__ if self.agent else None,
            "ringing": len(self.alerts),
            "chats": len(self.shown()),
            "line": None if self.line is None else {"ok": ok, "http_status": self.line.http_status},
        }

    def chat_summary(self, thread: Thread) -> dict[str, Any]:
        """A chat in the list of the workplace."""
        last = thread.sentences()[-1:]
        waiting = [one.name for one in self.commands if one.key == thread.key and one.state == "waiting"]
        return {
            "chat_id": thread.key,
            "name": (thread.info or {}).get("RemotePartyName"),
            "status": thread.status,
            "closed_because": thread.closed_because,
            "mine": thread.key in self.mine,
            "alert": self.alert_of(thread.key),
            "info": thread.info,
            "last": last[0].get("Text") if last else None,
            "unconfirmed": len(thread.to_confirm()) if self.may_confirm(thread) else 0,
            "typing_ms_left": thread.as_json(self.clock.now())["typing_ms_left"],
            "waiting_for": waiting,
        }

    def problems(self) -> list[dict[str, Any]]:
        """Messages that were refused or never answered, the newest last."""
        found = [
            {"id": one.envelope_ids[0], "message": one.name, "chat_id": one.key, "state": one.state, "error": one.error}
            for one in self.commands
            if one.state in ("refused", "failed")
        ]
        return found[-SHOWN_PROBLEMS:]

    def view(self, key: str | None) -> dict[str, Any]:
        """Everything the page shows of this workplace; one chat is complete."""
        shown = self.shown()
        chosen = next((one for one in shown if one.key == key), None)
        return {
            **self.summary(),
            "list": [self.chat_summary(one) for one in shown],
            "chat": None if chosen is None else chosen.as_json(self.clock.now()),
            "problems": self.problems(),
        }


# ---------------------------------------------------------------------------------------------------------------
# the program


class Agents:
    """The program: its desks, its page and its control routes."""

    def __init__(self, options: argparse.Namespace, workplaces: list[Workplace]) -> None:
        self.options = options
        self.version = 0
        self._changed = asyncio.Event()
        self.presence: Presence = PollPresence(options.wait, options.max)
        clock = Clock()
        self.desks = {one.number: Desk(one, options.base_url, clock, self.changed) for one in workplaces}
        self.control = Control(self.desk_of, lambda: list(self.desks.values()), ("workplace",), "chat_id")

    def changed(self) -> None:
        """One of the desks has something new to show."""
        self.version += 1
        event, self._changed = self._changed, asyncio.Event()
        event.set()

    def desk_of(self, data: Mapping[str, Any]) -> Desk:
        """The workplace a control call names; left out, the only one at which somebody sits."""
        number = data.get("workplace")
        if number is not None:
            if number not in self.desks:
                raise ControlError(f"no such workplace; there are {', '.join(self.desks)}", status=404)
            return self.desks[number]
        taken = [one for one in self.desks.values() if one.agent is not None] or list(self.desks.values())
        if len(taken) != 1:
            raise ControlError("give 'workplace'")
        return taken[0]

    # -- control side --------------------------------------------------------------------------------------------

    async def show_workplaces(self, _: web.Request) -> web.Response:
        """The workplaces."""
        return json_answer([one.summary() for one in self.desks.values()])

    async def control_login(self, request: web.Request) -> web.Response:
        """Somebody sits down at a workplace."""
        fields = {"workplace": (str,), "agent_id": (str,), "confirm": (str,), "on_alert": (str,)}
        data = await read_fields(request, fields)
        desk = self.desk_of(data)
        if desk.agent is not None:
            raise ControlError(f"{desk.agent.name} is logged in there", status=409)
        wanted = data.get("agent_id")
        agents = [one for one in desk.workplace.agents if wanted in (None, one.id)]
        if not agents:
            raise ControlError("no such agent at this workplace", status=404)
        behaviour, script = Behaviour(), Script.from_control({"on_alert": data.get("on_alert", "person")})
        behaviour.change({"confirm": data.get("confirm", "received")})
        desk.behaviour, desk.script = behaviour, script
        desk.sit_down(agents[0])
        asked = await self.presence.come(desk)
        if asked.state == "refused":
            await self.presence.go(desk)
            desk.sit_down(None)
        return json_answer({"logged_in": desk.agent is not None, **asked.as_json()})

    async def control_logout(self, request: web.Request) -> web.Response:
        """The agent leaves; the chats go on at the server."""
        desk = self.desk_of(await read_fields(request, {"workplace": (str,)}))
        await self.presence.go(desk)
        desk.sit_down(None)
        return json_answer({"logged_in": False})

    async def show_script(self, request: web.Request) -> web.Response:
        """The script in force."""
        return json_answer(self.desk_of(request.query).script.__dict__)

    async def control_script(self, request: web.Request) -> web.Response:
        """Replace the script; members left out have their default."""
        data = await read_fields(request, {"workplace": (str,), **SCRIPT_FIELDS})
        desk = self.desk_of(data)
        data.pop("workplace", None)
        desk.script = Script.from_control(data)
        return json_answer(desk.script.__dict__)

    async def _command(self, request: web.Request, make: str) -> web.Response:
        client, data = await self.control.read(request, {"chat_id": (str,), **CALL_OPTIONS})
        desk = self.desk_of(data)
        ringing = list(desk.alerts)
        if "chat_id" not in data and make in ("answer", "refuse"):
            if not ringing:
                raise ControlError("nothing rings; give 'chat_id'")
            data["chat_id"] = ringing[-1]
        key = self.control.key_of(client, data)
        command = desk.answer(key) if make == "answer" else desk.hang_up(key)
        return await self.control.post(client, [command], data)

    async def control_answer(self, request: web.Request) -> web.Response:
        """CS_CHAT_ANSWER."""
        return await self._command(request, "answer")

    async def control_refuse(self, request: web.Request) -> web.Response:
        """CS_CHAT_HANGUP of an alert."""
        return await self._command(request, "refuse")

    async def control_hangup(self, request: web.Request) -> web.Response:
        """CS_CHAT_HANGUP."""
        return await self._command(request, "hangup")

    async def control_dismiss(self, request: web.Request) -> web.Response:
        """Take a chat off the page; it stays in the control API."""
        data = await read_fields(request, {"workplace": (str,), "chat_id": (str,)}, required=("chat_id",))
        desk = self.desk_of(data)
        desk.hidden.add(data["chat_id"])
        desk.changed()
        return json_answer({"dismissed": data["chat_id"]})

    async def show_view(self, request: web.Request) -> web.Response:
        """What the page shows, as soon as it is another version than `since`."""
        query = request.query
        desk = self.desk_of(query) if query.get("workplace") else None
        wait = query.get("wait", "0")
        if not wait.isdecimal():
            raise ControlError("'wait' must be a whole number")
        if query.get("since") == str(self.version):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), min(int(wait), VIEW_WAIT_SECONDS))
        return json_answer(
            {
                "version": self.version,
                "workplaces": [one.summary() for one in self.desks.values()],
                "desk": None if desk is None else desk.view(query.get("chat_id")),
            }
        )

    async def control_reset(self, _: web.Request) -> web.Response:
        """Back to the start."""
        for desk in self.desks.values():
            await self.presence.go(desk)
            desk.caller.faults.clear()
            desk.caller.records.clear()
            desk.forget()
            desk.sit_down(None)
        return json_answer({"reset": True})

    async def show_usage(self, _: web.Request) -> web.Response:
        """The usage sheet."""
        usage = USAGE.replace("SHARED\n", self.control.usage())
        return web.Response(text=usage.replace("PORT", str(self.options.port)))

    async def show_page(self, request: web.Request) -> web.StreamResponse:
        """The page for a person."""
        return web.FileResponse(PAGE / PAGE_FILES[request.match_info["name"]], headers=PAGE_HEADERS)

    # -- assembly ------------------------------------------------------------------------------------------------

    def app(self) -> web.Application:
        """The application with the page and the control routes."""
        application = web.Application(middlewares=[own_pages_only, control_middleware], client_max_size=MAX_BODY_BYTES)
        names = "|".join(PAGE_FILES).replace(".", r"\.")
        application.add_routes(
            [
                web.get(f"/{{name:{names}}}", self.show_page),
                web.get(CONTROL_PREFIX, self.show_usage),
                web.get(CONTROL_PREFIX + "/", self.show_usage),
                *self.control.routes(),
                web.get("/_sim/workplaces", self.show_workplaces),
                web.post("/_sim/login", self.control_login),
                web.post("/_sim/logout", self.control_logout),
                web.get("/_sim/script", self.show_script),
                web.post("/_sim/script", self.control_script),
                web.post("/_sim/answer", self.control_answer),
                web.post("/_sim/refuse", self.control_refuse),
                web.post("/_sim/hangup", self.control_hangup),
                web.post("/_sim/dismiss", self.control_dismiss),
                web.get("/_sim/view", self.show_view),
                web.post("/_sim/reset", self.control_reset),
            ]
        )
        application.on_startup.append(self._open)
        application.on_shutdown.append(self._close)
        return application

    async def _open(self, _: web.Application) -> None:
        for desk in self.desks.values():
            desk.open()

    async def _close(self, _: web.Application) -> None:
        # Pages that wait get their answer now, so that nobody waits for them.
        self.changed()
        for desk in self.desks.values():
            await desk.close()


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulators.frontstage_agents", description=__doc__.split("\n", 1)[0]
    )
    parser.add_argument("--port", type=int, default=9104)
    parser.add_argument("--base-url", required=True, help=".../v1/frontstage, without /workplaces")
    parser.add_argument("--config", required=True, type=Path, help="JSON file with workplaces, their keys and agents")
    parser.add_argument("--wait", type=int, default=5, help="seconds that a poll may wait, 1 to 20")
    parser.add_argument("--max", type=int, default=50, help="events of one poll, 1 to 50")
    return parser.parse_args(arguments)


def main() -> int:
    """Run until SIGTERM."""
    options = parse_arguments()
    try:
        workplaces = read_config(options.config.read_text())
    except (OSError, ControlError) as problem:
        print(f"{options.config}: {problem}", file=sys.stderr, flush=True)
        return 1
    return run(Agents(options, workplaces).app(), options.port, "FrontStage agents simulator")


if __name__ == "__main__":
    sys.exit(main())
