"""The bot of iAdvize over the real stack: an administrator chooses a scenario, a visitor talks."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.flows.conftest import CALL_SECONDS, Bridge

FUNCTIONS = (
    "iadvize-bot-scenarios",
    "iadvize-bot",
    "iadvize-bot-availability",
    "iadvize-bot-first-messages",
    "iadvize-bot-conversation",
)
VERSION = "idConnectorVersion=5f0c2b1e-9a44-4d0b-8a55-2f5a7a1d9c10"
RULE = "c1f0a2d4-97b3-4c55-8a2e-1f6d3b9e7a10"


class Site:
    """The demo site as iAdvize calls it."""

    def __init__(self, bridge: Bridge) -> None:
        self.info = bridge.info["accounts"]["iadvize"]
        self.base = f"{bridge.info['origin']}/iadvize/bot"
        self.query = f"{VERSION}&idWebsite={self.info['site']}"

    def call(self, method: str, path: str, body: Any = None, query: str | None = None) -> requests.Response:
        query = self.query if query is None else query
        data = None if body is None else json.dumps(body).encode()
        signed = query.encode() if method == "GET" else data or b""
        signature = hmac.new(self.info["secret"].encode(), signed, hashlib.sha256).hexdigest()
        headers = {"x-iadvize-signature": f"sha256={signature}", "content-type": "application/json"}
        url = f"{self.base}{path}?{query}"
        return requests.request(method, url, data=data, headers=headers, timeout=CALL_SECONDS)

    def link(self, operator: str, scenario: str) -> requests.Response:
        rules = [{"id": RULE, "label": "Conseillers"}]
        body = {"name": "Léo", "language": "fr", "external": {"idBot": scenario}, "distributionRules": rules}
        return self.call("PUT", f"/bots/{operator}", body)


class Talk:
    """A visitor's conversation with a bot."""

    def __init__(self, site: Site, operator: str) -> None:
        self.site, self.operator, self.id = site, operator, str(uuid.uuid4())

    def begin(self) -> Any:
        body = {"idOperator": self.operator, "idConversation": self.id, "history": []}
        return self.site.call("POST", "/conversations", body).json()

    def say(self, text: str, id: str | None = None, role: str = "visitor") -> Any:
        message = {
            "idMessage": id or str(uuid.uuid4()),
            "author": {"role": role},
            "payload": {"contentType": "text", "value": text},
            "createdAt": "2026-01-01T00:00:05.000Z[Etc/UTC]",
        }
        path = f"/conversations/{self.id}/messages"
        answer = self.site.call("POST", path, {"idOperator": self.operator, "message": message})
        assert answer.status_code == 200, answer.text
        return answer.json()


def texts(answer: Any) -> list[str]:
    return [reply["payload"]["value"] for reply in answer["replies"] if reply["type"] == "message"]


@pytest.fixture
def site(bridge: Bridge) -> Site:
    return Site(bridge)


@pytest.fixture
def operator(site: Site) -> str:
    """The bot of the scenario; it stays that of whichever operator was first."""
    answer = site.link("ha-60012", "orders-fr")
    assert answer.status_code == 200, answer.text
    return "ha-60012"


@pytest.fixture
def talk(site: Site, operator: str) -> Callable[[], Talk]:
    return lambda: Talk(site, operator)


def test_administrator_chooses_a_scenario_and_reads_it_back(site: Site, operator: str) -> None:
    scenarios = site.call("GET", "/external-bots").json()
    assert [each["idBot"] for each in scenarios] == ["orders-fr", "night"]
    bot = site.call("GET", f"/bots/{operator}").json()
    assert bot["external"]["idBot"] == "orders-fr"
    assert bot["distributionRules"] == [{"id": RULE, "label": "Conseillers"}]
    assert site.link(f"ha-{secrets.randbelow(10**9)}", "orders-fr").status_code == 409
    assert site.link(operator, "gone").status_code == 422


def test_bot_is_there_and_says_what_it_is_before_anybody_writes(site: Site, operator: str) -> None:
    query = f"{site.query}&idOperator={operator}"
    available = [{"strategy": "customAvailability", "availability": True}]
    assert site.call("GET", "/availability-strategies", query=query).json() == available
    first = site.call("GET", f"/bots/{operator}/conversation-first-messages", query=VERSION).json()
    assert [reply["type"] for reply in first["replies"]] == ["message"]
    assert first["replies"][0]["quickReplies"] == [{"contentType": "text/quick-reply", "value": "Suivre un colis"}]


def test_visitor_is_led_through_the_scenario(talk: Callable[[], Talk]) -> None:
    visitor = talk()
    assert visitor.begin()["replies"] == []
    assert texts(visitor.say("Suivre un colis")) == ["Quel est le numéro de votre commande ?"]
    assert visitor.say("Quel est le numéro de votre commande ?", role="operator")["replies"] == []
    again = visitor.say("12")
    assert [reply["type"] for reply in again["replies"]] == ["message", "await", "message"]
    found = visitor.say("12345")
    assert found["replies"][1]["payload"]["contentType"] == "card/content"


def test_message_that_comes_twice_at_a_time_is_answered_the_same(talk: Callable[[], Talk]) -> None:
    visitor, id = talk(), str(uuid.uuid4())
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: visitor.say("Suivre un colis", id), range(4)))
    assert all(answer["replies"] == answers[0]["replies"] for answer in answers)
    assert texts(visitor.say("12")) == ["Un numéro a quatre chiffres au moins.", "Quel est le numéro de votre commande ?"]


def test_transfer_goes_to_a_rule_of_the_operator_s(talk: Callable[[], Talk]) -> None:
    visitor = talk()
    visitor.say("Bonjour")
    replies = visitor.say("Parler à quelqu'un")["replies"]
    assert [reply["type"] for reply in replies] == ["transfer", "message", "close"]
    assert replies[0]["distributionRule"] == RULE


def test_call_that_is_not_signed_is_refused(site: Site) -> None:
    answer = requests.get(f"{site.base}/external-bots?{site.query}", timeout=CALL_SECONDS)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
