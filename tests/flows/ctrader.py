"""The words in which flows of cTrader's screens are written: who opens them, what their scripts call, who hears of results."""

from __future__ import annotations

import json
import secrets
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

DEMO, BROKER = "ctrader/demo", "ctrader/flow"
"""The demo tenant's brand, and one of its own whose results a receiver hears of."""
EDUCATION = Path(__file__).resolve().parents[1] / "stack" / "education.json"
SECRET = "flow-webhook-secret"
PASSWORD = "flow-crm-password"


def host_of(stack: Any, brand: str) -> str:
    """The host by which a brand is known. Everything goes to the stack's origin, whatever the machine calls itself."""
    return f"127.0.0.1:{stack.ports.origin}" if brand == DEMO else f"flow.localhost:{stack.ports.origin}"


def base_url(stack: Any) -> str:
    """The origin of the brand of its own."""
    return f"http://{host_of(stack, BROKER)}"


def post(stack: Any, brand: str, path: str, body: dict[str, Any], **query: str) -> dict[str, Any]:
    """A call without a session, which has to succeed."""
    headers = {"Host": host_of(stack, brand)}
    end = time.monotonic() + 30
    while True:
        answer = requests.post(stack.origin + path, json=body, params=query, headers=headers, timeout=60)
        # A function that looked at the accounts a moment ago believes for 20 s that there is no such brand.
        if answer.status_code != 404 or time.monotonic() > end:
            break
        time.sleep(1)
    assert answer.status_code == 200, answer.text
    return answer.json()


def get(stack: Any, path: str) -> requests.Response:
    """What anybody sees who has an address of the brand of its own."""
    headers = {"Host": host_of(stack, BROKER)}
    return requests.get(stack.origin + path, headers=headers, timeout=60, allow_redirects=False)


def open_session(
    stack: Any,
    screen: str,
    user: int,
    params: dict[str, Any] | None = None,
    brand: str = BROKER,
    name: str | None = "Inés V",
) -> str:
    """A session of this user, as the app gets it when they press a control; its token."""
    known = {"action": "know", "account": brand, "userId": user, "name": name, "tradingLogin": 5207718}
    told = stack.invoke("operator-ctrader", known)
    assert told == {"known": user}, told
    password = PASSWORD if brand == BROKER else json.loads((stack.state_dir / "secrets.json").read_text())["crm_password"]
    crm = post(stack, brand, "/oauth2/crmApiToken", {"password": password})["crmApiToken"]
    token = post(stack, brand, "/oauth2/onetime/generate", {"userId": user}, crmApiToken=crm)["token"]
    written = {key: value if isinstance(value, str) else json.dumps(value) for key, value in (params or {}).items()}
    body = {"token": token, "nonce": secrets.token_urlsafe(24), "screen": screen, "params": written}
    return post(stack, brand, "/inapp/api/session", body)["session"]


class Screen:
    """A screen's script: what it calls with its session."""

    def __init__(self, stack: Any, token: str) -> None:
        self.base = f"{stack.origin}/inapp/api/"
        self.headers = {"Authorization": f"Bearer {token}", "Host": host_of(stack, BROKER)}

    def call(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """Calls and hands back the answer, whose status must be this one."""
        answer = requests.request(
            method, self.base + path, json=body, headers=self.headers, timeout=60, allow_redirects=False
        )
        assert answer.status_code == status, answer.text
        if status == 302:
            return answer.headers["Location"]
        return answer.json() if answer.content else None

    def fill(self, answers: dict[str, dict[str, Any]]) -> int:
        """Fills steps in; the `rev` to submit."""
        rev = self.call("GET", "action")["progress"]["rev"]
        for step, given in answers.items():
            rev = self.fill_step(rev, step, given)
        return rev

    def fill_step(self, rev: int, step: str, given: dict[str, Any]) -> int:
        """Fills one step in; the `rev` of the next."""
        return self.call("PUT", "action/progress", {"rev": rev, "step": step, "answers": given})["rev"]

    def submit(self, rev: int) -> dict[str, Any]:
        """Submits; the result."""
        return self.call("POST", "action/submit", {"rev": rev})["result"]


def configure(stack: Any, crm: Crm) -> None:
    """Configures a brand of its own whose results a receiver hears of, with the demo brand's actions and content."""
    demo = next(account for account in stack.demo_document()["accounts"] if account["platform"] == "ctrader")
    actions = [{**action, "sinks": ["success_url", "crm_webhook"]} for action in demo["settings"]["actions"]]
    settings = {
        "public_base_url": base_url(stack),
        "success_url": base_url(stack) + "/callback/success",
        "identity": "sso",
        "crm_webhook_url": crm.url,
        "actions": actions,
    }
    stack.put_secret(BROKER, {"webhook_secret": SECRET, "crm_passwords": [PASSWORD]})
    account = {"platform": "ctrader", "key": BROKER.split("/")[1], "settings": settings}
    told = stack.invoke("operator-configure", {"tenant": {"id": "flow"}, "accounts": [account]})
    assert told == {"configured": [BROKER]}
    content = json.loads(EDUCATION.read_text())
    stack.invoke("operator-education", {**content, "account": BROKER})


class Trader:
    """A trader's screen. It asks for what is new as the page does, and keeps what it was told."""

    def __init__(self, stack: Any, user: int | None = None, **params: str) -> None:
        self.stack = stack
        self.user = user or secrets.randbelow(10**9) + 1
        self.params = params
        self.base = f"{stack.origin}/inapp/api"
        self.reopen()

    def reopen(self) -> None:
        """The screen is opened anew, by another token."""
        self.token = open_session(self.stack, "chat", self.user, self.params, DEMO, "Inés")
        self.counter, self.tag, self.messages, self.answer = 0, "", {}, {}

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        """One call."""
        headers = {"Authorization": f"Bearer {self.token}"} | more.pop("headers", {})
        return requests.request(method, f"{self.base}/{path}", headers=headers, timeout=60, **more)

    def act(self, act: str, status: int = 200, **body: Any) -> dict[str, Any]:
        """Does something; the chat as it is then, or the error."""
        answer = self.call("POST", f"chat/{act}", json=body)
        assert answer.status_code == status, answer.text
        told = answer.json()
        return told["chat"] if status == 200 else told["error"]

    def say(self, text: str, message_id: str | None = None, **more: Any) -> str:
        """Writes something; the id of the message."""
        message_id = message_id or str(uuid.uuid4())
        self.act("message", id=message_id, text=text, **more)
        return message_id

    def poll(self) -> dict[str, Any]:
        """Asks for what is new; the chat."""
        answer = self.call("GET", "chat", params={"after": self.counter, "tag": self.tag})
        assert answer.status_code == 200, answer.text
        self.answer = answer.json()
        chat = self.answer["chat"]
        for message in chat["messages"]:
            self.messages[message["id"]] = message
        self.counter, self.tag = chat["counter"], chat["tag"]
        return chat

    def texts(self) -> list[tuple[str, str]]:
        """Who said what, in order, as the screen shows it now."""
        self.poll()
        shown = sorted(self.messages.values(), key=lambda message: message["counter"])
        return [(message["from"], message["text"]) for message in shown]

    def state(self) -> str:
        """Where the chat stands."""
        return self.poll()["state"]


class Crm:
    """A receiver of results that answers as it is told."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.script: list[int] = []
        crm = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                crm.calls.append({"headers": headers, "text": body.decode(), "body": json.loads(body)})
                self.send_response(crm.script.pop(0) if crm.script else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/results"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, result_id: str) -> list[dict[str, Any]]:
        """The calls that tell of a result."""
        return [call for call in self.calls if call["body"]["resultId"] == result_id]

    def stop(self) -> None:
        """Ends it."""
        self.server.shutdown()
