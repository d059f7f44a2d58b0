"""Starts, describes and stops one local stack."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import socket
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer
from botocore.config import Config

from tests.stack import canaries, deploy, emulator
from tests.stack.canaries import Canary
from tests.stack.gate import Gate
from tests.stack.processes import Children

BOOTSTRAPS = deploy.ROOT / "target" / "lambda"
DEMO = Path(__file__).with_name("demo.json")
EDUCATION = Path(__file__).with_name("education.json")
GATEWAY, KEY_ID, APP = "gw-demo", "k1", "demo"
SALON = "salon"
"""A second vcita app: its business has not connected yet."""
SALON_BUSINESS = "s4l0n1r1sb7d2k9x"
CHAT_GATEWAY, PUSH_GATEWAY, STAFF_GATEWAY, ROBOT_GATEWAY = "gw-chat", "gw-push", "gw-staff", "gw-robot"
WEB_GATEWAY, DESK = "gw-web", "desk-demo"
BRAND, HANDOFF_BRAND = "demo", "demo-handoff"
"""A brand of cTrader with each of the two identities; they are told apart by the origin's host, 127.0.0.1 or localhost."""
BRAND_USER = 31550462
MANAGER_LOGIN = 1007
SITE, WEBSITE = "shop", "ha-4821"
"""A site of iAdvize, and its `idWebsite`."""
CRM = "acme"
"""An account of Rox.Chat."""
WORKPLACES = ("101", "102")
QUEUES = {"deliver": "DeliverQueue", "ack": "AckQueue", "chat": "ChatTimerQueue", "push": "PushQueue", "dead": "DeadQueue"}


DESERIALIZE = TypeDeserializer().deserialize


class StackError(Exception):
    """The stack could not be started or used; the text says why and what to do."""


class LeakError(Exception):
    """A function wrote into its log what must be in none."""


@dataclass(frozen=True)
class Ports:
    """Where everything listens, all on 127.0.0.1."""

    origin: int = 9000
    aws: int = 4566
    vcs: int = 9101
    frontstage: int = 9102
    chat: int = 9103
    agents: int = 9104
    shop: int = 9105
    push: int = 9106
    staff_chat: int = 9107
    ctrader: int = 9108
    iadvize: int = 9109
    roxchat: int = 9110

    @classmethod
    def from_environment(cls) -> Ports:
        """The defaults, or what the environment says."""
        names = {name: VARIABLES[name] for name in (field.name for field in fields(cls))}
        return cls(**{name: int(os.environ[variable]) for name, variable in names.items() if os.environ.get(variable)})

    @classmethod
    def free(cls) -> Ports:
        """Ports that nobody uses now."""
        return cls(*(free_port() for _ in fields(cls)))


VARIABLES = {
    "origin": "DESKBRIDGE_PORT",
    "aws": "DESKBRIDGE_AWS_PORT",
    "vcs": "DESKBRIDGE_VCS_PORT",
    "frontstage": "DESKBRIDGE_FRONTSTAGE_PORT",
    "chat": "DESKBRIDGE_CHAT_PORT",
    "agents": "DESKBRIDGE_AGENTS_PORT",
    "shop": "DESKBRIDGE_SHOP_PORT",
    "push": "DESKBRIDGE_PUSH_PORT",
    "staff_chat": "DESKBRIDGE_STAFF_CHAT_PORT",
    "ctrader": "DESKBRIDGE_CTRADER_PORT",
    "iadvize": "DESKBRIDGE_IADVIZE_PORT",
    "roxchat": "DESKBRIDGE_ROXCHAT_PORT",
}


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port: int) -> bool:
    """Whether something listens there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def plain(item: dict[str, Any]) -> dict[str, Any]:
    """An item of the table without the names of its types."""
    return {name: DESERIALIZE(value) for name, value in item.items()}


def read_json(url: str) -> Any:
    """The document at an address of a simulator."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


class Stack:
    """One emulator with the template deployed to it, an origin, the simulators and a demo tenant.

    `state_dir` belongs to one stack at a time. With `gate=True` the functions reach AWS through `self.gate`, which
    counts their operations and can let them fail. With `sam_cli=True` the template is deployed by `sam build` and
    `sam deploy`, as a user does it; it takes some ten seconds longer. With `chats=True` two connectors of chats, whose
    visitors are answered by agents and by vcita's staff, and the agents' clients run too; they poll all the time. With
    `watches_logs=True` its end looks through every line of the functions' logs (`canaries.py`).
    """

    def __init__(
        self,
        *,
        ports: Ports | None = None,
        state_dir: str | Path = ".local/test",
        name: str = "deskbridge",
        ack_timeout: int = 90,
        retry_delays: str = "30,120",
        max_attempts: int = 3,
        bootstraps: Path = BOOTSTRAPS,
        simulators: bool = True,
        chats: bool = False,
        demo: bool = True,
        gate: bool = False,
        sam_cli: bool = False,
        follow_logs: bool = False,
        watches_logs: bool = False,
        say=lambda text: None,
    ) -> None:
        self.name = name
        self.ports = ports or Ports.free()
        self.state_dir = Path(state_dir).resolve()
        self.endpoint = f"http://127.0.0.1:{self.ports.aws}"
        self.origin = f"http://127.0.0.1:{self.ports.origin}"
        self.handoff_origin = f"http://localhost:{self.ports.origin}"
        self.info: dict[str, Any] = {}
        self.gate: Gate | None = None
        self._parameters = {
            "Architecture": "x86_64",
            "AckTimeoutSeconds": str(ack_timeout),
            "RetryDelaysSeconds": retry_delays,
            "MaxAttempts": str(max_attempts),
            "AllowLoopbackTargets": "true",
            "UploadOrigins": self.origin,
        }
        self._bootstraps = bootstraps
        self._simulators = simulators
        self._chats = simulators and chats
        self._demo = demo
        self._with_gate = gate
        self._sam_cli = sam_cli
        self._follow_logs = follow_logs
        self._watches_logs = watches_logs
        self._secret_canaries: set[Canary] = set()
        self._say = say
        self._children = Children(self.state_dir)
        self._is_ours = False
        self._clients: dict[str, Any] = {}
        self._clients_lock = threading.Lock()
        self._stopping = threading.Event()
        self._deployed: deploy.Deployed | None = None

    # ------------------------------------------------------------------------------------------------ start and stop

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(self, exception: object, *_: object) -> None:
        try:
            if self._watches_logs and exception is None and (leaks := self.leaks()):
                shown = "\n".join(str(leak) for leak in leaks[:20])
                raise LeakError(f"{len(leaks)} findings in the logs; the first of them:\n{shown}")
        finally:
            self.stop()

    def start(self) -> None:
        """Starts everything and returns when it is ready; stops what it started when that fails."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        if (running := self._children.end_leftovers()) is not None:
            raise StackError(
                f"process {running} runs a stack in {self.state_dir}: stop it, or set DESKBRIDGE_STATE and the ports"
            )
        self._is_ours = True
        try:
            self._stack_file.unlink(missing_ok=True)
            self._check_ports()
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends everything that was started; does nothing to another stack in the same directory."""
        if not self._is_ours:
            return
        self._is_ours = False
        self._stopping.set()
        self._children.stop_all()
        if self.gate is not None:
            self.gate.stop()
            self.gate = None
        self._stack_file.unlink(missing_ok=True)

    def _start(self) -> None:
        keys = self._secrets()
        self._say("starting the embedded AWS")
        functions_endpoint = None
        if self._with_gate:
            gate_port = free_port()
            self.gate = Gate(gate_port, self.endpoint)
            self.gate.start()
            functions_endpoint = f"http://127.0.0.1:{gate_port}"
        aws = self._children.start(
            "aws", emulator.argv(), emulator.environment(self.ports.aws, self.state_dir, functions_endpoint)
        )
        if self._simulators:
            self._start_simulators(keys)
        if not emulator.wait_until_ready(self.ports.aws, lambda: aws.poll() is not None):
            raise StackError("the embedded AWS did not start:\n" + self._children.tail("aws"))
        self._say("deploying template.yaml")
        self._put_secrets(keys)
        try:
            if self._sam_cli:
                deploy.with_sam_cli(self.name, self._parameters, self.endpoint, self.state_dir, self._bootstraps)
            else:
                deploy.package(self.client, self._bootstraps)
                deploy.create(self.client, self.name, self._parameters, self.endpoint)
        except deploy.DeployError as error:
            raise StackError(str(error)) from error
        self._open(keys)

    def _open(self, keys: dict[str, str]) -> None:
        """Makes the deployed stack reachable: routes, origin, demo tenant, `stack.json`."""
        self._deployed = deployed = deploy.connect_routes(self.client, self.name)
        deploy.let_roles_do_what_aws_would(self.client, self.name)
        if self.gate is not None:
            for function, name in deployed.functions.items():
                configuration = self.client("lambda").get_function(FunctionName=name)["Configuration"]
                self.gate.name_caller(function, configuration["FunctionArn"], configuration["Role"])
        argv = ["--port", str(self.ports.origin), "--target", self.endpoint, "--api", deployed.api_id]
        if self._watches_logs:
            argv += ["--tokens", str(self._tokens_file)]
        self._children.start("origin", [sys.executable, "-m", "tests.stack.origin", *argv], self._own_environment())
        self._wait_for("origin", self.ports.origin)
        if self._simulators:
            self._wait_for("vcs", self.ports.vcs)
            self._wait_for("frontstage_connector", self.ports.frontstage)
            self._wait_for("ctrader", self.ports.ctrader)
            self._wait_for("iadvize", self.ports.iadvize)
            self._wait_for("roxchat", self.ports.roxchat)
        self.info = self._describe(keys)
        if self._demo:
            self._say("loading the demo tenant")
            self.invoke("operator-configure", self.demo_document())
            know = {"action": "know", "account": f"ctrader/{BRAND}", "userId": BRAND_USER}
            self.invoke("operator-ctrader", {**know, "name": "Inés Vega", "tradingLogin": 5207718})
            self.invoke("operator-education", json.loads(EDUCATION.read_text()))
        if self._chats:
            # They poll from their first moment on, and a gateway that is not known is looked for again only after a while.
            self._start_chats(keys)
            self._wait_for("frontstage_chat", self.ports.chat)
            self._wait_for("frontstage_chat_staff", self.ports.staff_chat)
            self._wait_for("frontstage_agents", self.ports.agents)
            self._wait_for("shop", self.ports.shop)
            self._wait_for("frontstage_push", self.ports.push)
        if self._follow_logs:
            threading.Thread(target=self._write_logs, name="logs", daemon=True).start()
        temporary = self._stack_file.with_suffix(".new")
        temporary.write_text(json.dumps(self.info, indent=1) + "\n")
        temporary.replace(self._stack_file)

    @property
    def _tokens_file(self) -> Path:
        return self.state_dir / "tokens"

    @property
    def _stack_file(self) -> Path:
        return self.state_dir / "stack.json"

    def _check_ports(self) -> None:
        wanted = ["origin", "aws"] + (["vcs", "frontstage", "ctrader", "iadvize", "roxchat"] if self._simulators else [])
        wanted += ["chat", "staff_chat", "agents", "shop", "push"] if self._chats else []
        for name in wanted:
            port = getattr(self.ports, name)
            if accepts(port):
                raise StackError(f"port {port} is in use by another program: set {VARIABLES[name]} to a free one")

    def _wait_for(self, name: str, port: int, seconds: float = 15.0) -> None:
        deadline = time.monotonic() + seconds
        while not accepts(port):
            if self._children.first_dead() == name or time.monotonic() > deadline:
                raise StackError(f"{name} did not start:\n" + self._children.tail(name))
            time.sleep(0.05)

    @staticmethod
    def _own_environment() -> dict[str, str]:
        return os.environ | {"PYTHONPATH": str(deploy.ROOT), "PYTHONUNBUFFERED": "1"}

    def _start_simulators(self, keys: dict[str, str]) -> None:
        ports = self.ports
        vcs = ["--port", str(ports.vcs), "--target-base", f"{self.origin}/vcita/{APP}/{keys['vcita_url']}"]
        vcs += ["--redirect-uri", f"{self.origin}/vcita/{APP}/connect", "--app", json.dumps(self._salon(keys))]
        connector = ["--port", str(ports.frontstage), "--gateway-url", f"{self.origin}/v1/frontstage/{GATEWAY}"]
        connector += ["--key-id", KEY_ID, "--secret", keys["frontstage"]]
        ctrader = ["--port", str(ports.ctrader), "--broker", self.origin, "--handoff-broker", self.handoff_origin]
        ctrader += ["--crm-password", keys["crm_password"], "--manager-password", keys["manager_password"]]
        ctrader += ["--manager-login", str(MANAGER_LOGIN)]
        iadvize = ["--port", str(ports.iadvize), "--app", self.origin, "--secret", keys["iadvize"], "--website", WEBSITE]
        iadvize += ["--api-password", keys["iadvize_api"]]
        roxchat = ["--port", str(ports.roxchat), "--app", self.origin, "--private-key", keys["roxchat"]]
        roxchat += ["--admin-password", keys["roxchat_admin"], "--bot-token", keys["roxchat_bot"]]
        roxchat += ["--account", CRM, "--sign-in-secret", keys["roxchat_sign_in"]]
        programs = {"vcs": vcs, "frontstage_connector": connector, "ctrader": ctrader, "iadvize": iadvize, "roxchat": roxchat}
        for name, arguments in programs.items():
            argv = [sys.executable, "-m", f"tests.simulators.{name}", *arguments]
            self._children.start(name, argv, self._own_environment())

    def _salon(self, keys: dict[str, str]) -> dict[str, str]:
        """The second app, as vcita knows it."""
        return {
            "client_id": "salon-client",
            "client_secret": "salon-client-secret",
            "api_uri": f"{self.origin}/vcita/{SALON}/{keys['salon_url']}",
            "redirect_uri": f"{self.origin}/vcita/{SALON}/connect",
            "app_id": "2",
            "app_code_name": "salon",
            "business": SALON_BUSINESS,
        }

    def _start_chats(self, keys: dict[str, str]) -> None:
        base = f"{self.origin}/v1/frontstage"
        connector = ["--port", str(self.ports.chat), "--gateway-url", f"{base}/{CHAT_GATEWAY}", "--peer", "!ChatLink"]
        connector += ["--key-id", KEY_ID, "--secret", keys["chat"], "--wait", "2"]
        staff = ["--port", str(self.ports.staff_chat), "--gateway-url", f"{base}/{STAFF_GATEWAY}", "--peer", "!StaffLink"]
        staff += ["--key-id", KEY_ID, "--secret", keys["staff_chat"], "--wait", "2"]
        desk = next(a for a in self.demo_document()["accounts"] if a["key"] == DESK)["settings"]["desk"]
        places = [
            {
                "number": number,
                "key_id": f"w{number}",
                "secret": keys[f"workplace_{number}"],
                "agents": [{"id": a["id"], "name": a["name"]} for a in desk["agents"] if number in a["workplaces"]],
            }
            for number in WORKPLACES
        ]
        config = self.state_dir / "agents.json"
        with open(config, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            json.dump({"workplaces": places}, out)
        agents = ["--port", str(self.ports.agents), "--base-url", base, "--config", str(config), "--wait", "2"]
        shop = ["--port", str(self.ports.shop), "--script", f"{base}/{WEB_GATEWAY}/web/scripts/webchat.js"]
        # The same connector once more, for a gateway that is pushed its events.
        pushed = ["--port", str(self.ports.push), "--gateway-url", f"{base}/{PUSH_GATEWAY}", "--peer", "!PushLink"]
        pushed += ["--key-id", KEY_ID, "--secret", keys["push"], "--delivery", "push"]
        for name, program, arguments in (
            ("frontstage_chat", "frontstage_chat", connector),
            ("frontstage_push", "frontstage_chat", pushed),
            ("frontstage_chat_staff", "frontstage_chat", staff),
            ("frontstage_agents", "frontstage_agents", agents),
            ("shop", "shop", shop),
        ):
            argv = [sys.executable, "-m", f"tests.simulators.{program}", *arguments]
            self._children.start(name, argv, self._own_environment())

    # --------------------------------------------------------------------------------------------------- demo tenant

    def _secrets(self) -> dict[str, str]:
        """Made once per state directory, so that a command line stays valid over a restart."""
        file = self.state_dir / "secrets.json"
        made = {"frontstage": secrets.token_hex(32), "vcita_url": secrets.token_hex(16), "salon_url": secrets.token_hex(16), "chat": secrets.token_hex(32)}
        more = ("token_key", "cookie", "push", "staff_chat", "robot", "crm_password", "manager_password", "iadvize", "iadvize_api")
        more += ("roxchat", "roxchat_sign_in", "roxchat_api", "roxchat_admin", "roxchat_bot")
        made |= {name: secrets.token_hex(32) for name in more}
        made |= {f"workplace_{number}": secrets.token_hex(32) for number in WORKPLACES}
        with contextlib.suppress(FileNotFoundError, ValueError):
            made |= json.loads(file.read_text())
        with open(file, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            json.dump(made, out)
        return made

    def _put_secrets(self, keys: dict[str, str]) -> None:
        documents = {
            f"frontstage/{GATEWAY}": {"keys": [{"id": KEY_ID, "secret": keys["frontstage"]}]},
            f"frontstage/{CHAT_GATEWAY}": {"keys": [{"id": KEY_ID, "secret": keys["chat"]}]},
            f"frontstage/{PUSH_GATEWAY}": {"keys": [{"id": KEY_ID, "secret": keys["push"]}]},
            f"frontstage/{STAFF_GATEWAY}": {"keys": [{"id": KEY_ID, "secret": keys["staff_chat"]}]},
            f"frontstage/{ROBOT_GATEWAY}": {"keys": [{"id": KEY_ID, "secret": keys["robot"]}]},
            f"frontstage/{WEB_GATEWAY}": {"cookie_keys": [keys["cookie"]]},
            f"frontstage/{DESK}": {
                "keys": [
                    {"id": f"w{number}", "secret": keys[f"workplace_{number}"], "workplace": number}
                    for number in WORKPLACES
                ]
            },
            f"vcita/{APP}": {
                "url_secrets": [keys["vcita_url"]],
                "client_id": "demo-client",
                "client_secret": "demo-client-secret",
                "token_keys": [keys["token_key"]],
                "app_id": "1",
                "app_code_name": "deskbridge",
            },
            f"vcita/{SALON}": {
                "url_secrets": [keys["salon_url"]],
                "token_keys": [keys["token_key"]],
                **{
                    name: value
                    for name, value in self._salon(keys).items()
                    if name not in ("api_uri", "redirect_uri", "business")
                },
            },
        }
        documents[f"ctrader/{BRAND}"] = {"manager_password": keys["manager_password"], "crm_passwords": [keys["crm_password"]]}
        documents[f"ctrader/{HANDOFF_BRAND}"] = {"manager_password": keys["manager_password"]}
        documents[f"iadvize/{SITE}"] = {"tokens": [keys["iadvize"]], "api_password": keys["iadvize_api"]}
        documents[f"roxchat/{CRM}"] = {"sign_in_secret": keys["roxchat_sign_in"], "api_key": keys["roxchat_api"]}
        for account, document in documents.items():
            self.put_secret(account, document)

    def put_secret(self, account: str, document: dict[str, Any]) -> None:
        """Writes an account's secrets, e.g. of ``frontstage/gw-demo``."""
        self._secret_canaries.update(canaries.secrets_of(document))
        self.client("ssm").put_parameter(
            Name=f"/deskbridge/{self.name}/{account}", Type="SecureString", Value=json.dumps(document), Overwrite=True
        )

    def demo_document(self) -> dict[str, Any]:
        """`demo.json`, with the ports of this stack's simulators."""
        text = DEMO.read_text()
        for name in ("origin", "vcs", "frontstage", "shop", "push", "ctrader", "iadvize", "roxchat"):
            default, port = getattr(Ports, name), getattr(self.ports, name)
            text = re.sub(rf"\b(127\.0\.0\.1|localhost):{default}\b", rf"\1:{port}", text)
        return json.loads(text)

    def _describe(self, keys: dict[str, str]) -> dict[str, Any]:
        deployed = self._deployed
        functions: dict[str, Any] = {}
        for function, name in sorted(deployed.functions.items()):
            entry: dict[str, Any] = {"name": name}
            if deployed.routes[function]:
                entry["url"] = self.origin + deployed.routes[function][0]["path"]
                entry["routes"] = deployed.routes[function]
            functions[function] = entry
        for key, value in deployed.outputs.items():
            if key.endswith("Url") and ".lambda-url." in value:
                # The emulator also serves function URLs by path, which needs no name resolution.
                url_id = value.split("://", 1)[1].split(".", 1)[0]
                function = next(f for f in functions if f.replace("-", "") == key.removesuffix("Url").lower())
                functions[function]["function_url"] = f"{self.endpoint}/_aws/lambda-url/{url_id}"
        outputs = deployed.outputs
        return {
            "origin": self.origin,
            "functions": functions,
            "tenant": "demo",
            "accounts": {
                "frontstage": {"gateway": GATEWAY, "key_id": KEY_ID, "secret": keys["frontstage"]},
                "vcita": {"base": f"{self.origin}/vcita/{APP}/{keys['vcita_url']}"},
                "salon": {
                    "base": f"{self.origin}/vcita/{SALON}/{keys['salon_url']}",
                    "connect": f"{self.origin}/vcita/{SALON}/connect",
                    "business": SALON_BUSINESS,
                },
                "ctrader": {
                    "sso": {"account": f"ctrader/{BRAND}", "origin": self.origin, "user": BRAND_USER},
                    "handoff": {"account": f"ctrader/{HANDOFF_BRAND}", "origin": self.handoff_origin, "user": BRAND_USER},
                },
                "iadvize": {"account": f"iadvize/{SITE}", "site": WEBSITE, "secret": keys["iadvize"]},
                "roxchat": {
                    "account": f"roxchat/{CRM}",
                    "base": f"{self.origin}/roxchat/{CRM}",
                    "sign_in_secret": keys["roxchat_sign_in"],
                    "api_key": keys["roxchat_api"],
                    "workspace_origin": f"http://127.0.0.1:{self.ports.roxchat}",
                },
            },
            "simulators": {
                "vcita": f"http://127.0.0.1:{self.ports.vcs}",
                "frontstage": f"http://127.0.0.1:{self.ports.frontstage}",
                "ctrader": f"http://127.0.0.1:{self.ports.ctrader}",
                "iadvize": f"http://127.0.0.1:{self.ports.iadvize}",
                "roxchat": f"http://127.0.0.1:{self.ports.roxchat}",
                **(
                    {
                        name: f"http://127.0.0.1:{getattr(self.ports, name)}"
                        for name in ("chat", "staff_chat", "agents", "shop", "push")
                    }
                    if self._chats
                    else {}
                ),
            },
            "aws": {
                "endpoint": self.endpoint,
                "region": emulator.REGION,
                "stack": self.name,
                "table": outputs["TableName"],
                "queues": {queue: self._queue_url(outputs[f"{name}Url"]) for queue, name in QUEUES.items()},
            },
            "logs": str(self.state_dir / "logs"),
        }

    def _queue_url(self, url: str) -> str:
        """The emulator writes `localhost`, which may resolve to ::1, where it does not listen."""
        return self.endpoint + "/" + url.split("://", 1)[1].split("/", 1)[1]

    # ----------------------------------------------------------------------------------------------------------- use

    def client(self, service: str):
        """A boto3 client of the emulated AWS, with root's rights."""
        with self._clients_lock:
            if service not in self._clients:
                self._clients[service] = boto3.session.Session().client(
                    service,
                    endpoint_url=self.endpoint,
                    region_name=emulator.REGION,
                    config=Config(retries={"max_attempts": 1}, connect_timeout=5, read_timeout=70),
                    **emulator.ACCOUNT_KEYS,
                )
            return self._clients[service]

    def invoke(self, function: str, event: Any) -> Any:
        """Invokes a function by its name in the template and returns what it returned."""
        answer = self.client("lambda").invoke(
            FunctionName=self._deployed.functions[function], Payload=json.dumps(event).encode()
        )
        result = json.loads(answer["Payload"].read() or b"null")
        if answer.get("FunctionError"):
            raise StackError(f"{function} failed: {json.dumps(result)}")
        return result

    def logs(self, function: str, since_ms: int = 0) -> list[str]:
        """The lines that a function wrote, and the platform's START, END and REPORT, oldest first."""
        return [event["message"] for event in self._log_events(function, since_ms)]

    def leaks(self) -> list[canaries.Leak]:
        """The log lines that hold a secret, a token, or what somebody wrote or is called, as far as it is known now."""
        wanted = set(self._secret_canaries)
        for line in self._tokens_file.read_text().splitlines() if self._tokens_file.exists() else ():
            wanted.update(canaries.token(json.loads(line)))
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self.info["aws"]["table"])
        for item in (plain(item) for page in pages for item in page["Items"]):
            # What is configured is the operator's own.
            if item["pk"] != "DIRECTORY":
                wanted.update(canaries.personal(item))
        if self._simulators:
            for name in ("vcita", "ctrader", "iadvize", "roxchat"):
                control = self.info["simulators"][name] + "/_sim/"
                wanted.update(canaries.personal(read_json(control + "state")))
                for token in read_json(control + "given"):
                    wanted.update(canaries.token(token))
        return canaries.find({function: self.logs(function) for function in self._deployed.functions}, wanted)

    def _log_events(self, function: str, since_ms: int) -> list[dict[str, Any]]:
        logs = self.client("logs")
        group = f"/aws/lambda/{self._deployed.functions[function]}"
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since_ms)
        return sorted((event for page in pages for event in page["events"]), key=lambda event: event["timestamp"])

    def update_code(self, function: str) -> None:
        """Puts a function's present bootstrap into the running stack."""
        self.client("lambda").update_function_code(
            FunctionName=self._deployed.functions[function],
            ZipFile=deploy.zipped(self._bootstraps / function / "bootstrap"),
        )

    def pause(self) -> None:
        """Freezes the embedded AWS with all functions: connections stay open and nothing answers."""
        os.killpg(self._children.pid("aws"), signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it go on."""
        os.killpg(self._children.pid("aws"), signal.SIGCONT)

    def dead_child(self) -> str | None:
        """What ended although nobody asked it to, with the last lines that it printed."""
        name = self._children.first_dead()
        return None if name is None else f"{name} ended\n{self._children.tail(name)}"

    def _write_logs(self) -> None:
        """Copies the functions' log lines to ``logs/<function>.log``, for an operator's `tail` and `grep`."""
        folder = self.state_dir / "logs"
        seen: dict[str, tuple[int, set[str]]] = {}
        for function in self._deployed.functions:
            (folder / f"{function}.log").write_text("")
        while not self._stopping.wait(1.0):
            for function in self._deployed.functions:
                since, known = seen.get(function, (0, set()))
                with contextlib.suppress(Exception):
                    events = [e for e in self._log_events(function, since) if e["eventId"] not in known]
                    if not events:
                        continue
                    with (folder / f"{function}.log").open("a") as out:
                        out.writelines(event["message"] + "\n" for event in events)
                    last = events[-1]["timestamp"]
                    ids = {event["eventId"] for event in events if event["timestamp"] == last}
                    seen[function] = (last, ids | known if last == since else ids)
