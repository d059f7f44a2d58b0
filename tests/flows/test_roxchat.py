"""Rox.Chat over the real stack: the CRM opens the host page, the page forwards events, the backend asks for a chat."""

from __future__ import annotations

import json
import secrets
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from tests.flows.conftest import CALL_SECONDS, Bridge
from tests.simulators.roxchat import signed

FUNCTIONS = ("roxchat-commands", "roxchat-events", "roxchat-host", "roxchat-session", "roxchat-views")


class Page:
    """A host page that an agent has open."""

    def __init__(self, bridge: Bridge, agent: str) -> None:
        account = bridge.info["accounts"]["roxchat"]
        self.account = account
        self.origin = bridge.info["origin"]
        self.base = account["base"]
        self.id = str(uuid.uuid4())
        self.seq = 0
        self.opened = requests.get(
            f"{self.base}/host", params={"ticket": self.ticket(agent)}, allow_redirects=False, timeout=CALL_SECONDS
        )
        self.cookie = self.opened.headers.get("Set-Cookie", "").split(";")[0]
        self.token = ""

    def ticket(self, agent: str) -> str:
        now = int(time.time())
        said = {"iss": "crm", "aud": "deskbridge-roxchat", "sub": agent, "iat": now, "exp": now + 60, "jti": secrets.token_hex(8)}
        return signed(said, self.account["sign_in_secret"])

    def host(self) -> requests.Response:
        return requests.get(f"{self.base}/host", headers={"Cookie": self.cookie}, timeout=CALL_SECONDS)

    def sign_in(self) -> requests.Response:
        headers = {"Cookie": self.cookie, "Origin": self.origin}
        answer = requests.post(f"{self.base}/session", json={"pageId": self.id}, headers=headers, timeout=CALL_SECONDS)
        self.token = answer.json().get("token", "")
        return answer

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        told = {"Authorization": f"Bearer {self.token}", "Origin": self.origin} | headers
        return requests.request(method, f"{self.base}{path}", json=body, headers=told, timeout=CALL_SECONDS)

    def event(self, name: str, **params: Any) -> dict[str, Any]:
        self.seq += 1
        return {
            "eventId": str(uuid.uuid4()),
            "pageId": self.id,
            "seq": self.seq,
            "receivedAt": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "origin": self.account["workspace_origin"],
            "message": {"source": "roxchat", "event": name, "params": params},
        }

    def tell(self, *events: dict[str, Any]) -> list[str]:
        answer = self.call("POST", "/events", {"events": events})
        assert answer.status_code == 200, answer.text
        return [result["status"] for result in answer.json()["results"]]


@pytest.fixture
def page(bridge: Bridge) -> Page:
    page = Page(bridge, f"agent-{secrets.token_hex(4)}")
    assert page.sign_in().status_code == 200
    return page


def ids() -> tuple[str, str, int]:
    """A visitor, what the customer's system calls them, and a chat."""
    return secrets.token_hex(16), f"AG-{secrets.token_hex(6)}", secrets.randbelow(2**40)


def test_ticket_opens_the_page_with_its_files(page: Page) -> None:
    assert (page.opened.status_code, page.opened.headers["Location"]) == (303, "/roxchat/acme/host")
    assert page.opened.headers["Set-Cookie"].endswith("; HttpOnly; Secure; SameSite=None; Partitioned")
    host = page.host()
    assert host.status_code == 200
    policy = host.headers["Content-Security-Policy"]
    assert f"frame-src {page.account['workspace_origin']};" in policy
    assert "X-Frame-Options" not in host.headers
    config = json.loads(host.text.split('id="config">')[1].split("</script>")[0])
    assert (config["account"], config["origin"]) == ("acme", page.origin)
    words = host.text.replace('"', " ").replace("=", " ").split()
    addresses = {word for word in words if word.startswith("/roxchat/acme/")}
    assert len(addresses) == 8
    for address in addresses:
        file = requests.get(f"{page.origin}{address}", timeout=CALL_SECONDS)
        assert (file.status_code, file.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")


def test_used_ticket_and_no_cookie_open_nothing(page: Page) -> None:
    ticket = page.ticket("agent-once")
    statuses = [
        requests.get(f"{page.base}/host", params={"ticket": ticket}, allow_redirects=False, timeout=CALL_SECONDS).status_code
        for _ in range(2)
    ]
    assert statuses == [303, 401]
    assert requests.get(f"{page.base}/host", timeout=CALL_SECONDS).status_code == 401
    foreign = {"Cookie": page.cookie, "Origin": "https://evil.example"}
    answer = requests.post(f"{page.base}/session", json={"pageId": page.id}, headers=foreign, timeout=CALL_SECONDS)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "origin_mismatch")


def test_visitor_who_signs_in_keeps_their_chat(page: Page) -> None:
    (anonymous, customer, chat), (known, _, _) = ids(), ids()
    said = {"roxchatVisitorId": anonymous, "chatId": chat, "sessionId": "s-1"}
    message = page.event("newMessageAdded", **said, kind="visitor", messageText="Porto?")
    note = page.event("newMessageAdded", **said, kind="operator_note", messageText="between us")
    close = page.event("chatClosedByOperator", roxchatVisitorId=anonymous, chatId=chat, channelType="telegram")
    sides = {"old": {"roxchatVisitorId": anonymous}, "new": {"roxchatVisitorId": known, "providedVisitorId": customer}}
    signed_in = page.event("visitorAuthorized", **sides)
    late = page.event("newMessageAdded", **said, kind="visitor", messageText="Still there?")
    strange = page.event("operatorTyping")
    statuses = page.tell(message, note, close, signed_in, late, strange)
    assert statuses == ["accepted"] * 5 + ["ignored"]
    assert page.tell(message, late) == ["duplicate", "duplicate"]
    for path in (f"/visitors/{anonymous}", f"/visitors/{known}", f"/visitors/{customer}?by=provided"):
        card = page.call("GET", path).json()
        assert (card["visitor"]["id"], card["visitor"]["aliases"]) == (known, [anonymous])
        assert card["visitor"]["channel"]["type"] == "telegram"
        assert [(chat["state"], chat["reopened"]) for chat in card["chats"]] == [("open", 1)]
        assert [entry["platform"] for entry in card["timeline"]] == ["roxchat"]
    history = page.call("GET", f"/chats/{chat}").json()
    lines = [(line["side"], line["text"]) for line in history["messages"]]
    assert lines == [("inbound", "Porto?"), ("internal", "between us"), ("inbound", "Still there?")]


def test_long_text_is_kept_whole(page: Page) -> None:
    visitor, _, chat = ids()
    text = '"é\\' * 65_536
    params = {"roxchatVisitorId": visitor, "chatId": chat, "kind": "visitor", "messageText": text}
    assert page.tell(page.event("newMessageAdded", **params)) == ["accepted"]
    line = page.call("GET", f"/chats/{chat}").json()["messages"][0]
    assert (line["text"], "truncated" in line) == (text, False)


def test_history_is_paged(page: Page) -> None:
    visitor, _, chat = ids()
    for batch in range(2):
        params = {"roxchatVisitorId": visitor, "chatId": chat, "kind": "visitor"}
        events = [page.event("newMessageAdded", **params, messageText=f"{batch}-{number}") for number in range(60)]
        assert page.tell(*events) == ["accepted"] * 60
    newest = page.call("GET", f"/chats/{chat}").json()
    earlier = page.call("GET", f"/chats/{chat}?before={newest['more']}").json()
    texts = [line["text"] for line in earlier["messages"] + newest["messages"]]
    assert texts == [f"{batch}-{number}" for batch in range(2) for number in range(60)]
    assert (len(newest["messages"]), earlier["more"]) == (100, None)


def test_outgoing_chat_is_taken_by_one_of_many_pages(page: Page, bridge: Bridge) -> None:
    visitor, _, chat = ids()
    agent = f"agent-{secrets.token_hex(4)}"
    assert page.tell(page.event("visitorSelected", roxchatVisitorId=visitor, chatId=chat, sessionId="s-9")) == ["accepted"]
    key = {"Authorization": f"Bearer {page.account['api_key']}"}
    asked = page.call("POST", "/commands", {"visitorId": visitor, "agent": agent}, **key)
    assert asked.status_code == 202
    id = asked.json()["command"]["id"]
    pages = [Page(bridge, agent) for _ in range(8)]
    assert all(page.sign_in().status_code == 200 for page in pages)
    taken: list[tuple[Page, dict[str, Any]]] = []

    def poll(page: Page) -> None:
        command = page.call("GET", "/commands").json()["command"]
        if command:
            taken.append((page, command))

    threads = [threading.Thread(target=poll, args=(page,)) for page in pages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [command["id"] for _, command in taken] == [id]
    owner, command = taken[0]
    assert (command["roxchatVisitorId"], command["sessionId"]) == (visitor, "s-9")
    other = next(page for page in pages if page is not owner)
    assert other.call("POST", f"/commands/{id}/result", {"state": "confirmed"}).status_code == 403
    assert owner.call("POST", f"/commands/{id}/result", {"state": "sent"}).status_code == 200
    failed = {"state": "failed", "code": "visitor_already_in_chat"}
    assert owner.call("POST", f"/commands/{id}/result", failed).status_code == 200
    state = page.call("GET", f"/commands/{id}", None, **key).json()["command"]
    assert state == {"id": id, **failed}


def test_unknown_session_is_refused(page: Page) -> None:
    answer = page.call("POST", "/commands", {"visitorId": secrets.token_hex(16)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "session_unknown")


def test_nothing_of_it_is_logged(page: Page, bridge: Bridge) -> None:
    visitor, customer, chat = ids()
    secret_text = f"words {secrets.token_hex(8)}"
    params = {"roxchatVisitorId": visitor, "providedVisitorId": customer, "chatId": chat, "kind": "visitor"}
    page.tell(page.event("newMessageAdded", **params, messageText=secret_text))
    page.call("GET", f"/visitors/{visitor}")
    lines = [line for function in FUNCTIONS for line in bridge.stack.logs(function)]
    assert lines
    for private in (visitor, customer, secret_text, page.token, page.cookie.split("=", 1)[1], page.account["api_key"]):
        assert not [line for line in lines if private in line]
