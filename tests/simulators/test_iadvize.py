"""Self tests of the iAdvize simulator: expected values are literals of the contract, a small server stands in for the app."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.simulators.iadvize_calls import FAULTS, SCHEMAS, Schemas, jwt, signature
from tests.simulators.test_simulators import Deskbridge, Simulator, until

SECRET = "9f4c1d7e2ab85c3360d1f0e4b7a96c21"
BOT = "ha-60012"
RULE = "c1f0a2d4-97b3-4c55-8a2e-1f6d3b9e7a10"
AT = "2025-02-11T08:30:00Z"
SCENARIOS = [{"idBot": "orders-fr", "name": "Suivi de commande", "editorUrl": "https://bots.example/edit/orders-fr"}]
PREVIEW = "application/vnd.iadvize.automation-chatbot-conversation-preview+json"
SEND = """mutation Send($conversationId: UUID!, $chatbotId: Int!, $what: Input!) {
  chatbotMessageSend(conversationId: $conversationId, chatbotId: $chatbotId, actionOrMessage: $what) {
    userErrors { message } } }"""


def say(text: str) -> dict[str, Any]:
    return {"type": "message", "payload": {"contentType": "text", "value": text}}


def pause(seconds: int = 1) -> dict[str, Any]:
    return {"type": "await", "duration": {"unit": "seconds", "value": seconds}}


class App(Deskbridge):
    """A stand-in for the app's bot: it says `replies` to a visitor."""

    def __init__(self) -> None:
        super().__init__()
        self.forget()

    def forget(self) -> None:
        """As new."""
        self.requests.clear()
        self.replies: list[dict[str, Any]] = [say("Bonjour")]
        self.own_replies: list[dict[str, Any]] = []
        self.failing: dict[str, int] = {}
        self.answer = self._answer

    def _answer(self, request: dict[str, Any]) -> tuple[int, Any]:
        path = request["path"].partition("?")[0]
        if self.failing.get(path, 0) > 0:
            self.failing[path] -= 1
            return 503, {"error": {"code": "unavailable", "message": "please try again"}}
        if path == "/iadvize/bot/external-bots":
            return 200, SCENARIOS
        if path.endswith("/conversation-first-messages"):
            return 200, {"replies": [say("Je suis un assistant automatique."), pause()]}
        if path.startswith("/iadvize/bot/bots/"):
            return 200, {"idOperator": BOT, "external": SCENARIOS[0], "createdAt": AT, "updatedAt": AT}
        if path == "/iadvize/bot/availability-strategies":
            return 200, [{"strategy": "customAvailability", "availability": True}]
        if path.startswith("/iadvize/bot/conversations"):
            is_message = path.endswith("/messages")
            is_visitor = is_message and request["body"]["message"]["author"]["role"] == "visitor"
            replies = self.replies if is_visitor else self.own_replies if is_message else []
            answer = {"idConversation": "ours-1", "idOperator": BOT, "replies": replies, "createdAt": AT, "updatedAt": AT}
            return 200, answer
        return 200, {}

    def to(self, path: str) -> list[dict[str, Any]]:
        """The requests to a path, whatever their query."""
        return [one for one in self.requests if one["path"].partition("?")[0] == path]


class Iadvize(Simulator):
    """The running simulator, as tests and apps call it."""

    def post(self, path: str, /, **body: Any) -> requests.Response:
        return requests.post(f"{self.url}/_sim/{path}", json=body, timeout=20)

    def call(self, name: str, /, **body: Any) -> dict[str, Any]:
        answer = self.post(f"call/{name}", **body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def talk(self, number: str) -> dict[str, Any]:
        return requests.get(f"{self.url}/_sim/conversations/{number}", timeout=10).json()

    def texts(self, number: str) -> list[str]:
        return [line["payload"]["value"] for line in self.talk(number)["thread"]]

    def login(self, **form: str) -> requests.Response:
        form = {"username": "bot@shop.example", "password": "s3cret word", "grant_type": "password", **form}
        return requests.post(f"{self.url}/oauth2/token", data=form, timeout=10)

    def graphql(self, token: str, query: str, variables: dict[str, Any], accept: str = PREVIEW) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}", "Accept": accept}
        return requests.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, headers=headers, timeout=10)


@pytest.fixture(scope="module")
def server() -> Iterator[App]:
    app = App()
    yield app
    app.server.shutdown()
    app.server.server_close()


@pytest.fixture(scope="module")
def program(server: App) -> Iterator[Iadvize]:
    simulator = Iadvize("iadvize", "--app", server.url, "--secret", SECRET, "--api-password", "s3cret word")
    yield simulator
    simulator.stop()


@pytest.fixture
def simulator(program: Iadvize) -> Iadvize:
    program.post("reset")
    program.post("speed", factor=50)
    return program


@pytest.fixture
def app(server: App, simulator: Iadvize) -> App:
    """As new; whatever an earlier test set going has ended."""
    server.forget()
    return server


@pytest.fixture
def talk(simulator: Iadvize, app: App) -> str:
    """A conversation with a bot, whose box is open."""
    assert simulator.post("bots").json()["idOperator"] == BOT
    return simulator.post("conversations", visitor="ines", idOperator=BOT).json()["id"]


# -- signatures, schemas and tokens: the vectors of the contract ----------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "value"),
    [
        (
            "idConnectorVersion=5f0c2b1e-9a44-4d0b-8a55-2f5a7a1d9c10&idWebsite=ha-4821&idOperator=77120&limit=10&offset=0"
            "&searchQuery=caf%C3%A9+noir",
            "22fd98139288507098acf16236ec72387ac32837869ab5619a55f45c2a976111",
        ),
        ("", "8acfde73b81a228692891e2d41808e292873b44171208fd916f1033ed98f9d66"),
        (
            '{"action":"OPEN_CASE","idConnectorVersion":"5f0c2b1e-9a44-4d0b-8a55-2f5a7a1d9c10",'
            '"idVisitorUnique":"c3d9e1f04b7a4d52a1be0f","idWebsite":"ha-4821",'
            '"idConversation":"7d0f4c5e-2b1a-4e7d-9f33-61a2b8c4d901","idOperator":"ha-77120"}',
            "d2784681f520c2239611db54fe98d6ee006f76dd483e127ece854a9cadf41c4a",
        ),
    ],
)
def test_signature_is_that_of_the_contract(message: str, value: str) -> None:
    assert signature(SECRET, message.encode()) == f"sha256={value}"


def test_token_is_that_of_the_contract() -> None:
    token = jwt(SECRET, "https://panel.example.com/orders", "270911", "lea.martin@example.com", now=1760000000)
    assert token == (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJpc3MiOiJpYWR2aXplIiwic3ViIjoiMjcwOTExIiwiYXVkIjoiaHR0cHM6Ly9wYW5lbC5leGFtcGxlLmNvbS9vcmRlcnMiLCJpYXQiOjE3NjAwMDAwMDAs"
        "ImV4cCI6MTc2MDAwMDA2MCwiZW1haWwiOiJsZWEubWFydGluQGV4YW1wbGUuY29tIn0.idvFrNOOxAT5fX8w_bxrsN_4uao5qlnTw1MhI_Hu_P0"
    )


def test_every_schema_is_one_and_has_the_name_of_its_file() -> None:
    schemas = Schemas()
    assert len(schemas.validators) == 19
    for file in SCHEMAS.glob("*.json"):
        document = json.loads(file.read_text())
        schemas.validators[file.stem].check_schema(document)
        assert document["$id"] == "urn:connector:iadvize:" + file.stem.replace("product-list-", "product-list:").replace(
            "customer-", "customer:"
        ).replace("panel-", "panel:").replace("bot-", "bot:")


@pytest.mark.parametrize(
    ("schema", "value", "is_good"),
    [
        ("health", {"status": "UP"}, True),
        ("health", {"status": "DOWN"}, False),
        ("options", [], False),
        ("customer-information", [{"id": "a", "label": "A", "value": "javascript:x", "fieldType": "URL"}], False),
        ("customer-information", [{"id": "a", "label": "A", "value": "x", "fieldType": "TEXT"}] * 2, False),
        ("closing-form", [{"id": "a", "label": "A", "fieldType": "SELECT", "isRequired": True}], False),
        ("closing-form", [{"id": "a", "idParent": "b", "label": "A", "fieldType": "TEXT", "isRequired": True}], False),
        ("bot-first-messages", {"replies": [say("x" * 450)]}, True),
        ("bot-first-messages", {"replies": [say("x" * 451)]}, False),
        ("bot-first-messages", {"replies": [pause()]}, False),
        ("bot-reply", {"type": "transfer", "distributionRule": RULE}, True),
    ],
)
def test_schemas_and_what_they_cannot_express(schema: str, value: Any, is_good: bool) -> None:
    assert (Schemas().problems(schema, value) == []) is is_good


def test_messages_without_a_pause_are_a_problem() -> None:
    answer = {"idConversation": "a", "idOperator": BOT, "createdAt": AT, "updatedAt": AT}
    schemas = Schemas()
    assert schemas.problems("bot-conversation-response", {**answer, "replies": [say("a"), pause(), say("b")]}) == []
    assert schemas.problems("bot-conversation-response", {**answer, "replies": [say("a"), say("b")]})


# -- calls ----------------------------------------------------------------------------------------------------------


def test_read_is_signed_over_its_query_as_it_is_sent(simulator: Iadvize, app: App) -> None:
    app.answer = lambda request: (200, [])
    told = simulator.call("products", params={"searchQuery": "café noir", "limit": "10", "idConnectorVersion": None})
    (request,) = app.requests
    assert request["path"] == (
        "/iadvize/product-list/products?idWebsite=ha-4821&idOperator=77120&limit=10&offset=0&searchQuery=caf%C3%A9+noir"
    )
    query = request["path"].partition("?")[2].encode()
    assert request["headers"]["x-iadvize-signature"] == signature(SECRET, query)
    assert (told["status"], told["body"], told["problems"]) == (200, [], [])


def test_write_is_signed_over_its_body(simulator: Iadvize, app: App) -> None:
    app.answer = lambda request: (200, {"success": True})
    simulator.call("customer-action", body={"action": "OPEN_CASE", "idVisitorUnique": "c3", "idConversation": "7d"})
    (request,) = app.requests
    assert request["raw"].decode() == (
        '{"action":"OPEN_CASE","idConnectorVersion":"5f0c2b1e-9a44-4d0b-8a55-2f5a7a1d9c10","idVisitorUnique":"c3",'
        '"idWebsite":"ha-4821","idConversation":"7d","idOperator":"ha-77120"}'
    )
    assert request["headers"]["x-iadvize-signature"] == signature(SECRET, request["raw"])


def test_health_check_is_not_signed(simulator: Iadvize, app: App) -> None:
    app.answer = lambda request: (200, {"status": "UP"})
    simulator.call("health")
    assert "x-iadvize-signature" not in app.requests[0]["headers"]


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_leaves_a_good_signature(simulator: Iadvize, app: App, fault: str) -> None:
    is_of_body = fault in ("reserialised_body", "escaped_body", "base64_body")
    name = "customer-action" if is_of_body else "customer"
    told = simulator.call(name, **({"body": {"action": "A"}} if is_of_body else {}), fault=fault)
    (request,) = app.requests
    sent = [value for key, value in told["sent"]["headers"] if key == "x-iadvize-signature"]
    message = request["raw"] if is_of_body else request["path"].partition("?")[2].encode()
    is_good = len(sent) == 1 and sent[0] == signature(SECRET, message)
    assert not is_good
    if is_of_body and fault != "base64_body":
        assert json.loads(request["raw"])["action"] == "A", "the same value"


def test_error_is_good_if_it_is_told_as_errors_are(simulator: Iadvize, app: App) -> None:
    app.answer = lambda request: (401, {"error": {"code": "unauthorized", "message": "no"}})
    assert simulator.call("customer")["valid"] is True
    app.answer = lambda request: (401, {"message": "Unauthorized"})
    assert simulator.call("customer")["valid"] is False


def test_call_ends_at_its_limit(simulator: Iadvize, app: App) -> None:
    def slow(_: dict[str, Any]) -> tuple[int, Any]:
        import time

        time.sleep(0.5)
        return 200, []

    app.answer = slow
    told = simulator.call("customer", seconds=0.1)
    assert (told["status"], told["problems"]) == (None, ["no answer within 0.1 s"])


def test_app_that_is_not_there_is_told(app: App) -> None:
    simulator = Iadvize("iadvize", "--app", "http://127.0.0.1:9", "--secret", SECRET)
    try:
        told = simulator.call("health")
        assert told["status"] is None and told["problems"][0].startswith("cannot be reached")
    finally:
        simulator.stop()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("call/nothing", {}),
        ("call/customer", {"fault": "nothing"}),
        ("call/customer", {"fault": "reserialised_body"}),
        ("call/customer", {"parms": {}}),
        ("call/message", {}),
        ("jwt", {"fault": "nothing"}),
        ("speed", {"factor": 0}),
        ("webhook", {"attempts": 4}),
        ("conversations", {"visitor": "ines", "channel": "PIGEON"}),
    ],
)
def test_wrong_control_is_told(simulator: Iadvize, path: str, body: dict[str, Any]) -> None:
    assert simulator.post(path, **body).status_code == 400


# -- webhooks -------------------------------------------------------------------------------------------------------


def test_webhook_is_tried_three_times(simulator: Iadvize, app: App) -> None:
    app.failing["/iadvize/webhook"] = 9
    told = simulator.post("webhook", event={"eventType": "user.connected", "userId": 7}).json()
    assert [one["status"] for one in told["deliveries"]] == [503, 503, 503]
    sent = app.calls("/iadvize/webhook")
    assert len({one["headers"]["x-iadvize-delivery"] for one in sent}) == 3
    assert len({one["headers"]["x-iadvize-correlationid"] for one in sent}) == 1
    assert len({one["raw"] for one in sent}) == 1
    assert {one["headers"]["x-iadvize-signature"] for one in sent} == {signature(SECRET, sent[0]["raw"])}
    uuid = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
    assert re.fullmatch(uuid, sent[0]["headers"]["x-iadvize-delivery"])


def test_webhook_that_is_taken_is_not_tried_again(simulator: Iadvize, app: App) -> None:
    app.failing["/iadvize/webhook"] = 1
    told = simulator.post("webhook").json()
    assert [one["status"] for one in told["deliveries"]] == [503, 200]
    event = app.calls("/iadvize/webhook")[0]["body"]
    assert (event["eventType"], event["platform"], event["projectId"]) == ("v2.conversation.pushed", "ha", 4821)
    assert Schemas().problems("webhook", event) == []


# -- the bot --------------------------------------------------------------------------------------------------------


def test_bot_is_created_in_the_documented_order(simulator: Iadvize, app: App) -> None:
    told = simulator.post("bots", name="Suivi").json()
    assert [one["method"] + " " + one["path"].partition("?")[0] for one in app.requests] == [
        "GET /iadvize/bot/external-bots",
        "PUT /iadvize/bot/bots/ha-60012",
        "GET /iadvize/bot/bots/ha-60012",
        "GET /iadvize/bot/availability-strategies",
    ]
    assert app.requests[1]["body"]["external"] == {"idBot": "orders-fr"}
    assert app.requests[3]["path"].endswith("&idOperator=ha-60012")
    assert set(told["steps"]) == {"external-bots", "bot-save", "bot", "availability"}


def test_conversation_begins_and_every_message_is_told(simulator: Iadvize, app: App, talk: str) -> None:
    assert simulator.texts(talk) == ["Je suis un assistant automatique."], "what is no message is ignored"
    app.replies = [say("Un"), pause(), say("Deux")]
    simulator.post(f"conversations/{talk}/visitor", text="Bonjour")
    until(lambda: simulator.texts(talk)[-1] == "Deux", "both replies")
    messages = lambda: app.to("/iadvize/bot/conversations/ours-1/messages")  # noqa: E731
    until(lambda: len(messages()) == 3, "B7 for the visitor's and for both own messages")
    assert [one["body"]["message"]["author"]["role"] for one in messages()] == ["visitor", "operator", "operator"]
    (begun,) = app.to("/iadvize/bot/conversations")
    assert begun["body"]["idConversation"] == talk
    assert [one["payload"]["value"] for one in begun["body"]["history"]] == ["Je suis un assistant automatique."]
    assert messages()[0]["body"]["message"]["createdAt"].endswith("Z[Etc/UTC]")
    assert simulator.talk(talk)["problems"] == ["first messages: $.replies[1].type: 'message' was expected"]


def test_visitor_s_message_cancels_what_is_not_due_yet(simulator: Iadvize, app: App, talk: str) -> None:
    app.replies = [say("Un"), pause(60), say("Never")]
    simulator.post(f"conversations/{talk}/visitor", text="a")
    until(lambda: "Un" in simulator.texts(talk), "the first reply")
    app.replies = [say("Deux")]
    simulator.post(f"conversations/{talk}/visitor", text="b")
    until(lambda: "Deux" in simulator.texts(talk), "the reply to the second message")
    assert simulator.talk(talk)["pending"] is False
    assert "Never" not in simulator.texts(talk)


def test_transfer_waits_and_then_the_rest_is_published(simulator: Iadvize, app: App, talk: str) -> None:
    simulator.post("rules", id=RULE, available=False)
    timeout = {"timeout": {"value": 20, "unit": "seconds"}}
    app.replies = [{"type": "transfer", "distributionRule": RULE, "transferOptions": timeout}, say("Personne"), {"type": "close"}]
    simulator.post(f"conversations/{talk}/visitor", text="a")
    assert until(lambda: (told := simulator.talk(talk))["state"] == "closed" and told, "the close")
    assert simulator.texts(talk)[-1] == "Personne"
    until(lambda: any(one["body"]["eventType"] == "v2.conversation.closed" for one in app.calls("/iadvize/webhook")), "webhook")


def test_transfer_gives_the_conversation_to_an_agent(simulator: Iadvize, app: App, talk: str) -> None:
    app.replies = [{"type": "transfer", "distributionRule": RULE}, say("Personne")]
    simulator.post(f"conversations/{talk}/visitor", text="a")
    assert until(lambda: (told := simulator.talk(talk))["state"] == "transferred" and told, "the transfer")["operator"] == "77120"
    calls = len(app.to("/iadvize/bot/conversations/ours-1/messages"))
    simulator.post(f"conversations/{talk}/visitor", text="b")
    assert len(app.to("/iadvize/bot/conversations/ours-1/messages")) == calls
    assert "Personne" not in simulator.texts(talk)


def test_conversation_closes_after_five_minutes(simulator: Iadvize, app: App, talk: str) -> None:
    simulator.post("speed", factor=300)
    simulator.post(f"conversations/{talk}/visitor", text="a")
    until(lambda: simulator.talk(talk)["state"] == "closed", "the close")
    assert simulator.post(f"conversations/{talk}/visitor", text="b").status_code == 400


def test_bot_that_answers_itself_is_told(simulator: Iadvize, app: App, talk: str) -> None:
    app.own_replies = [say("again")]
    simulator.post(f"conversations/{talk}/visitor", text="a")
    until(lambda: "the bot answered its own message" in simulator.talk(talk)["problems"], "the problem")


# -- the API --------------------------------------------------------------------------------------------------------


def test_login_gives_a_token_ten_times_a_minute(simulator: Iadvize) -> None:
    token = simulator.login().json()
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 86400)
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    assert requests.get(f"{simulator.url}/_authenticated", headers=bearer, timeout=10).status_code == 200
    assert requests.get(f"{simulator.url}/_authenticated", timeout=10).status_code == 401
    assert simulator.login(password="wrong").status_code == 400
    assert [simulator.login().status_code for _ in range(9)] == [200] * 8 + [429]
    logged = simulator.control("requests?path=oauth2")
    assert {one["body"]["password"] for one in logged if isinstance(one["body"], dict)} == {"***"}
    assert "s3cret" not in json.dumps(logged)


def test_bot_says_something_by_itself(simulator: Iadvize, app: App, talk: str) -> None:
    token = simulator.login().json()["access_token"]
    message = {"conversationId": talk, "chatbotId": 60012, "what": {"chatbotMessage": {"chatbotSimpleTextMessage": "Encore là"}}}

    def send(**change: Any) -> Any:
        return simulator.graphql(token, SEND, {**message, **change}).json()

    def refused(answer: Any) -> str:
        return answer["data"]["chatbotMessageSend"]["userErrors"][0]["message"]

    assert refused(send()) == "the visitor has written nothing yet"
    simulator.post(f"conversations/{talk}/visitor", text="a")
    assert send() == {"data": {"chatbotMessageSend": {"userErrors": []}}}
    assert simulator.texts(talk)[-1] == "Encore là" or "Encore là" in simulator.texts(talk)
    assert refused(send(chatbotId=1)) == "it is another bot's conversation"
    assert refused(send(conversationId="x")) == "there is no such conversation"
    assert refused(send(what={"chatbotMessage": {"chatbotSimpleTextMessage": "x" * 451}})) == "a text has 1 to 450 characters"
    assert refused(send(what={})) == "one message or action in each call"
    assert send(what={"chatbotAction": {"closeMessage": {}}})["data"]["chatbotMessageSend"]["userErrors"] == []
    assert refused(send()) == "the conversation is not the bot's any more"
    assert "errors" in simulator.graphql(token, SEND, message, accept="application/json").json(), "it is a preview"
    assert simulator.graphql("wrong", SEND, message).status_code == 401
    simulator.post("faults", path="graphql", status=200, envelope="user_errors")
    assert refused(send()) == "scripted"
    simulator.post("faults", path="graphql", status=429, envelope="errors")
    assert simulator.graphql(token, SEND, message).status_code == 429


def test_routing_rule_says_who_is_free(simulator: Iadvize) -> None:
    token = simulator.login().json()["access_token"]
    query = 'query { routingRule(id: "%s") { availability { chat { isAvailable } } } }' % RULE
    ask = lambda: simulator.graphql(token, query, {}).json()["data"]["routingRule"]["availability"]["chat"]  # noqa: E731
    assert ask() == {"isAvailable": True}
    simulator.post("rules", id=RULE, available=False)
    assert ask() == {"isAvailable": False}


# -- the Desk -------------------------------------------------------------------------------------------------------


def test_desk_frames_the_app_and_nobody_frames_the_desk(simulator: Iadvize, app: App) -> None:
    page = requests.get(f"{simulator.url}/_sim/desk", timeout=10)
    policy = page.headers["Content-Security-Policy"]
    assert f"frame-src {app.url};" in policy and "frame-ancestors 'none'" in policy
    library = Path("desk") / "desk.js"
    for name in ("desk/page.js", "desk/page.css", str(library), "idzcpa.umd.js", "library/idzcpa.base.css"):
        assert requests.get(f"{simulator.url}/_sim/{name}", timeout=10).status_code == 200, name
    library_text = requests.get(f"{simulator.url}/_sim/idzcpa.umd.js", timeout=10).text
    for member in (
        *("init", "context", "insertTextInComposeBox", "pushCardInConversationThread", "getJWT"),
        *("pushCardBundleInConversationThread", "pushApplePayPaymentRequestInConversationThread"),
    ):
        assert member in library_text


def test_token_of_the_panel_is_in_its_address_and_among_the_given(simulator: Iadvize, app: App) -> None:
    told = simulator.post("jwt").json()
    assert told["url"] == f"{app.url}/iadvize/panel?jwt={told['jwt']}"
    assert told["jwt"] in simulator.control("given")
