"""The bot of iAdvize over the real stack: an administrator chooses a scenario, a visitor talks, and an agent takes over.

Agents poll all the time, so their stack is one of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.flows.conftest import CALL_SECONDS, Bridge, Simulator, until
from tests.flows.test_chats import Floor, running_floor, unique

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
    assert [each["idBot"] for each in scenarios] == ["orders-fr", "night", "advice"]
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


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    """A stack with all sides running."""
    with running_floor(tmp_path_factory.mktemp("iadvize-bot")) as floor:
        yield floor


class Handed:
    """A visitor of the simulator, in a conversation whose bot hands everybody to a desk."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.iadvize = Simulator(floor.stack.info["simulators"]["iadvize"])
        operator = self.iadvize.post("bots", idBot="advice", number="60013")["idOperator"]
        visitor = secrets.token_hex(4)
        self.iadvize.post("visitors", id=visitor, name="Ada")
        self.id = self.iadvize.post("conversations", visitor=visitor, idOperator=operator)["id"]

    def says(self, text: str) -> None:
        """The visitor writes."""
        self.iadvize.post(f"conversations/{self.id}/visitor", text=text)

    def shown(self) -> dict[str, Any]:
        """The conversation as iAdvize has it."""
        return self.iadvize.get(f"conversations/{self.id}")

    def told(self) -> list[str]:
        """What the visitor is told, in order."""
        return [one["payload"]["value"] for one in self.shown()["thread"] if one["author"]["role"] == "operator"]

    def chat_at(self, workplace: str, text: str) -> str:
        """The agent's chat in which the visitor says this, once it is there."""

        def found() -> list[str]:
            chats = self.floor.at(workplace)
            return [id for id in chats if (1, False, text) in self.floor.agent_texts(workplace, id)]

        return until(found, 30, f"'{text}' at the workplace")[0]


def test_scenario_goes_on_where_no_agent_is_there(chats: Floor) -> None:
    # Before any agent has come.
    visitor = Handed(chats)
    visitor.says("Bonjour")
    until(lambda: visitor.told() == ["Aucun conseiller n'est là pour l'instant."], 20, "what the scenario says then")


def test_visitor_whom_the_bot_hands_over_talks_with_an_agent_until_she_hangs_up(chats: Floor, jana: str) -> None:
    visitor = Handed(chats)
    question, more, answer, last = (unique(text) for text in ("Bonjour", "Merci", "Je regarde", "Il arrive demain"))
    visitor.says(question)
    chat_id = visitor.chat_at(jana, question)
    said = ["Un conseiller vous répond ici."]
    until(lambda: visitor.told() == said, 20, "the bot's word")

    for text in (answer, last):
        chats.agents.post("say", workplace=jana, chat_id=chat_id, text=text)
    said += [f"Jana: {answer}", f"Jana: {last}"]
    until(lambda: visitor.told() == said, 30, f"both answers, in order: {visitor.told()}")
    visitor.says(more)
    spoken = [(1, False, question), (2, True, answer), (3, True, last), (4, False, more)]
    until(lambda: chats.agent_texts(jana, chat_id) == spoken, 20, "the visitor's words at the workplace")

    def confirmed() -> bool:
        transcript = chats.agents.get("transcript", workplace=jana, chat_id=chat_id)
        sentences = transcript["sentences"] if isinstance(transcript, dict) else transcript
        return all(one.get("ConfirmedTime") for one in sentences if one["IsOutbound"])

    until(confirmed, 20, "the agent knows that the visitor has both")

    chats.agents.post("hangup", workplace=jana, chat_id=chat_id)
    said.append("Le conseiller a quitté la conversation.")
    until(lambda: visitor.told() == said, 30, f"the end: {visitor.told()}")
    assert visitor.shown()["state"] == "open"
    # The scenario begins again, and hands over anew.
    again = unique("Encore une question")
    visitor.says(again)
    visitor.chat_at(jana, again)
    until(lambda: visitor.told() == [*said, "Un conseiller vous répond ici."], 20, "the bot's word once more")
    assert visitor.shown()["problems"] == []


def test_chat_ends_with_the_conversation_at_iadvize(chats: Floor, jana: str) -> None:
    visitor = Handed(chats)
    question = unique("Bonjour")
    visitor.says(question)
    chat_id = visitor.chat_at(jana, question)
    visitor.iadvize.post(f"conversations/{visitor.id}/close")
    until(lambda: chats.at(jana)[chat_id]["status"] == "Closed", 30, "the end at the workplace")
    assert visitor.told() == ["Un conseiller vous répond ici."]
