"""The panel app over the real stack: its page, its API and what messages mean, asked for as the Desk and its page do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
import requests

from tests.flows.conftest import CALL_SECONDS, Bridge

FUNCTIONS = ("iadvize-panel", "iadvize-panel-api", "iadvize-panel-messages")
DESK = "https://ha.iadvize.com"


def part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


class Desk:
    """A Desk in which a conversation of the demo site is open."""

    def __init__(self, bridge: Bridge) -> None:
        self.origin = bridge.info["origin"]
        self.secret = bridge.info["accounts"]["iadvize"]["secret"]
        self.website = bridge.info["accounts"]["iadvize"]["site"]
        # As it is configured: one name of this machine, whatever the other is called.
        port = self.origin.rsplit(":", 1)[1]
        self.panel = f"http://localhost:{port}/iadvize/panel"

    def token(self, **claims: Any) -> str:
        now = int(time.time())
        said = {"iss": "iadvize", "sub": "270911", "aud": self.panel, "iat": now, "exp": now + 60, **claims}
        text = f"{part(json.dumps({'typ': 'JWT', 'alg': 'HS256'}).encode())}.{part(json.dumps(said).encode())}"
        return f"{text}.{part(hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).digest())}"

    def page(self, **query: str) -> requests.Response:
        return requests.get(f"{self.origin}/iadvize/panel", params=query, timeout=CALL_SECONDS)

    def ask(self, what: str, token: str, **more: Any) -> requests.Response:
        body = {"project": self.website.split("-")[1], "conversation": "c-1", "language": "en", **more}
        headers = {"Authorization": f"Bearer {token}"}
        return requests.post(f"{self.origin}/iadvize/panel/api/{what}", json=body, headers=headers, timeout=CALL_SECONDS)

    def mean(self, texts: list[str], origin: str = DESK, **query: str) -> requests.Response:
        body = {"messages": [{"id": f"m{at}", "authorType": "VISITOR", "text": text} for at, text in enumerate(texts)]}
        url = f"{self.origin}/iadvize/panel/messages"
        params = query or {"idWebsite": self.website}
        return requests.post(url, json=body, params=params, headers={"Origin": origin}, timeout=CALL_SECONDS)


@pytest.fixture
def desk(bridge: Bridge) -> Desk:
    return Desk(bridge)


def test_page_is_served_to_the_desk_with_its_files(desk: Desk) -> None:
    page = desk.page(jwt=desk.token())
    assert page.status_code == 200
    policy = page.headers["Content-Security-Policy"]
    assert policy.endswith("; frame-ancestors https://sd.iadvize.com https://ha.iadvize.com")
    assert "X-Frame-Options" not in page.headers and "Set-Cookie" not in page.headers
    assert (page.headers["Cache-Control"], page.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    words = page.text.replace('"', " ").replace("=", " ").split()
    addresses = [word for word in words if word.startswith("/iadvize/panel/assets/")]
    assert len(addresses) == 6
    for address in addresses:
        file = requests.get(f"{desk.origin}{address}", timeout=CALL_SECONDS)
        assert (file.status_code, file.headers["Content-Encoding"]) == (200, "gzip")
        assert file.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_without_a_good_token_nothing_is_told(desk: Desk) -> None:
    expired = desk.token(exp=int(time.time()) - 60)
    for token in ("", "a.b.c", desk.token(aud="https://elsewhere.example"), expired, f"{desk.token()}x"):
        assert desk.page(jwt=token).status_code == 401
        answer = desk.ask("start", token)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")


def test_page_is_told_what_the_site_has(desk: Desk) -> None:
    told = desk.ask("start", desk.token()).json()
    assert [reply["title"] for reply in told["templates"]] == ["Order status", "Opening hours"]
    assert told["applePay"] == {"currency": "EUR", "label": "Boutique"}
    assert desk.ask("start", desk.token(), project="9").status_code == 404


def test_words_in_messages_are_marked_for_the_desks_alone(desk: Desk) -> None:
    answer = desk.mean(["Bonjour", "Avez-vous la NAMI ?"])
    intent = {"key": "501", "payload": {"title": "Bouilloire Nami"}}
    action = {"highlight": "NAMI", "intent": intent}
    assert answer.json() == {"commands": [{"type": "addMessageActions", "messageId": "m1", "actions": [action]}]}
    assert (answer.headers["Access-Control-Allow-Origin"], answer.headers["Vary"]) == (DESK, "Origin")
    refused = desk.mean(["NAMI"], origin="https://evil.example")
    assert refused.status_code == 403 and "Access-Control-Allow-Origin" not in refused.headers
    headers = {"Origin": DESK, "Access-Control-Request-Method": "POST"}
    url = f"{desk.origin}/iadvize/panel/messages?idWebsite={desk.website}"
    asked_before = requests.options(url, headers=headers, timeout=CALL_SECONDS)
    assert (asked_before.status_code, asked_before.headers["Access-Control-Allow-Origin"]) == (204, DESK)


def test_no_token_is_in_a_log(bridge: Bridge, desk: Desk) -> None:
    token = desk.token()
    assert desk.page(jwt=token).status_code == 200
    assert desk.ask("start", token).status_code == 200
    signature = token.rsplit(".", 1)[1]
    for function in FUNCTIONS[:2]:
        assert signature not in json.dumps(bridge.stack.logs(function)), function
