"""Self tests of the Rox.Chat simulator: expected values are literals of the contract, a small server stands in for the app."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests

from tests.simulators.test_simulators import Deskbridge, Simulator, until

ADMIN = ("admin@acme.example", "export-password")
TOKEN = {"Authorization": "Token bot-token"}
MARTA = "9a41c07e5b6d4f3288d0e1f2a3b4c5d6"
CHAT = '{"id":20417,"visitor":{"id":"1f0e2d3c4b5a69788796a5b4c3d2e1f0"}}'
ALLOWED = "http://127.0.0.1:9000"


@pytest.fixture
def app() -> Iterator[Deskbridge]:
    stand_in = Deskbridge()
    yield stand_in
    stand_in.server.shutdown()
    stand_in.server.server_close()


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    crm = ("--account", "acme", "--sign-in-secret", "the CRM's own secret of 32 characters")
    one = Simulator("roxchat", "--app", ALLOWED, "--admin-password", ADMIN[1], "--bot-token", "bot-token", *crm)
    yield one
    one.stop()


@pytest.fixture
def rox(running: Simulator) -> Simulator:
    running.control("reset", {})
    return running


def get(rox: Simulator, path: str, auth: tuple[str, str] | None = ADMIN) -> requests.Response:
    return requests.get(rox.url + path, auth=auth, timeout=10)


def bot(rox: Simulator, method: str, body: Any, headers: dict[str, str] = TOKEN) -> requests.Response:
    return requests.post(f"{rox.url}/api/bot/v2/{method}", json=body, headers=headers, timeout=10)


def posted(rox: Simulator, after: int = 0) -> list[Any]:
    """What open workspaces post."""
    return requests.get(f"{rox.url}/_sim/feed?after={after}", timeout=10).json()["posts"]


# -- the workspace


def test_workspace_may_be_framed_by_the_allowed_origins_only(rox):
    answer = get(rox, "/workspace/", None)
    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"].endswith(f"frame-ancestors {ALLOWED}")
    rox.control("settings", {"allowed": []})
    assert get(rox, "/workspace/", None).headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")
    assert get(rox, "/workspace/settings", None).json() == {"allowed": [], "feed": {"url": "/_sim/feed", "after": 0}}
    for name in ("workspace.js", "workspace.css"):
        assert get(rox, f"/workspace/{name}", None).status_code == 200


def test_chat_of_a_visitor_is_posted_with_the_fields_of_the_contract(rox):
    rox.control("visitors/marta/write", {"text": "Do you ship to Porto?"})
    rox.control("chats/55102/agent", {"text": "We do."})
    rox.control("visitors/marta/select", {})
    rox.control("chats/55102/close", {})
    ids = {
        "roxchatVisitorId": MARTA,
        "providedVisitorId": "AG-20417",
        "chatId": 55102,
        "sessionId": "77f0aa12bc34de56f7890123456789ab",
        "siebelId": "7-3KXPL902",
    }
    without_session = {name: value for name, value in ids.items() if name != "sessionId"}
    channel = {"channelType": "telegram", "channelUserId": "700417", "channelUserName": "Marta Q."}
    visitor, agent, selected, closed = posted(rox)
    assert visitor == {
        "source": "roxchat",
        "event": "newMessageAdded",
        "params": {**ids, "kind": "visitor", "messageText": "Do you ship to Porto?"},
    }
    assert agent["params"] == {**ids, "kind": "operator", "messageText": "We do."}
    assert selected == {"source": "roxchat", "event": "visitorSelected", "params": {**ids, "taskId": None}}
    assert closed["event"] == "chatClosedByOperator"
    assert len(closed["params"].pop("channelId")) == 32
    assert closed["params"] == {**without_session, **channel}


def test_closed_chat_is_opened_again_under_its_id_and_a_finished_one_is_not(rox):
    assert rox.control("visitors/marta/write", {"text": "1"}) == {"chat": 55102}
    rox.control("chats/55102/close", {})
    assert rox.control("visitors/marta/write", {"text": "2"}) == {"chat": 55102}
    rox.control("chats/55102/finish", {})
    assert rox.control("visitors/marta/write", {"text": "3"}) == {"chat": 55103}


def test_site_visitor_has_no_channel(rox):
    rox.control("visitors/anonymous/write", {"text": "hello"})
    rox.control("chats/55102/close", {})
    params = posted(rox)[-1]["params"]
    names = ("channelId", "channelType", "channelUserId", "channelUserName", "providedVisitorId", "siebelId")
    assert [params[name] for name in names] == [None] * 6


def test_sign_in_as_somebody_known_takes_the_chats_along(rox):
    rox.control("visitors/anonymous/write", {"text": "hello"})
    rox.control("visitors/anonymous/sign-in", {"as": "marta"})
    assert posted(rox)[-1] == {
        "source": "roxchat",
        "event": "visitorAuthorized",
        "params": {
            "old": {"roxchatVisitorId": "1f0e2d3c4b5a69788796a5b4c3d2e1f0", "providedVisitorId": None, "siebelId": None},
            "new": {"roxchatVisitorId": MARTA, "providedVisitorId": "AG-20417", "siebelId": "7-3KXPL902"},
        },
    }
    assert [chat["visitor"] for chat in rox.control("state")["chats"]] == ["marta"]
    rox.control("visitors/anonymous/sign-in", {"id": "AG-9"})
    assert posted(rox)[-1]["params"]["new"]["providedVisitorId"] == "AG-9"


def test_notifications_and_anything_else_are_posted(rox):
    one = rox.control("notify", {"text": "The visitor left"})["id"]
    rox.control(f"notifications/{one}/remove", {})
    rox.control("emit", {"data": [1, "x", None]})
    added, removed, odd = posted(rox)
    assert added["params"]["notification"]["text"] == "The visitor left"
    assert removed["params"] == {"notification": {"id": one}}
    assert odd == [1, "x", None]
    assert len(posted(rox, 2)) == 1
    rox.control("answer", {"how": "no_tariff_option", "shape": "code"})
    told = get(rox, "/_sim/feed?after=3", None).json()
    assert told == {"posts": [], "after": 3, "answer": {"how": "no_tariff_option", "shape": "code"}}


# -- webhooks


@pytest.mark.parametrize(
    ("version", "name", "value"),
    [
        (2, "crc", "20daa328248dc2ec91e14e8f54462632"),
        (3, "crc", "20daa328248dc2ec91e14e8f54462632"),
        (4, "signature", "3c3582245da28f0c3398f423e3248bf958421ca7614bd1ef7e957242d757604a"),
    ],
)
def test_webhook_proves_itself_as_the_contract_has_it(rox, app, version, name, value):
    rox.control("settings", {"version": version, "chat_closed_handler_url": f"{app.url}/closed"})
    told = rox.control("webhook", {"event": "chat_closed", "chat": CHAT})
    assert told["status"] == 204
    (request,) = app.requests
    assert request["headers"]["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(request["raw"].decode()) == {"chat": [CHAT], name: [value]}


def test_webhook_as_json_with_credentials_of_the_address(rox, app):
    url = app.url.replace("://", "://hook:pass@") + "/started"
    rox.control("settings", {"encoding": "json", "chat_started_handler_url": url})
    rox.control("webhook", {"event": "chat_started", "chat": CHAT})
    (request,) = app.requests
    assert request["headers"]["Authorization"] == "Basic aG9vazpwYXNz"
    assert request["body"]["chat"] == CHAT
    assert [one["url"] for one in rox.control("state")["deliveries"]] == [f"{app.url}/started"]


@pytest.mark.parametrize("fault", ["wrong", "other_key", "tampered", "missing", "upper"])
def test_fault_of_a_webhook_spoils_the_proof(rox, app, fault):
    rox.control("webhook", {"event": "chat_closed", "chat": CHAT, "fault": fault, "url": f"{app.url}/closed"})
    sent = parse_qs(app.requests[0]["raw"].decode())
    good = {"chat": [CHAT], "signature": ["3c3582245da28f0c3398f423e3248bf958421ca7614bd1ef7e957242d757604a"]}
    assert sent != good
    assert (sent["chat"] == [CHAT]) is (fault != "tampered")
    assert ("signature" in sent) is (fault != "missing")


def test_webhook_comes_twice_when_told_to(rox, app):
    rox.control("webhook", {"event": "chat_closed", "chat": CHAT, "fault": "twice", "url": f"{app.url}/closed"})
    assert len(app.requests) == 2
    assert app.requests[0]["raw"] == app.requests[1]["raw"]


def test_chat_sends_its_webhooks_by_itself(rox, app):
    addresses = {f"{event}_handler_url": f"{app.url}/{event}" for event in ("chat_started", "chat_assigned", "chat_closed")}
    rox.control("settings", {**addresses, "encoding": "json", "version": 3})
    rox.control("visitors/marta/write", {"text": "Do you ship to Porto?"})
    until(lambda: len(app.requests) == 2, "two webhooks")
    assert {request["path"] for request in app.requests} == {"/chat_started", "/chat_assigned"}
    chat = json.loads(app.calls("/chat_started")[0]["body"]["chat"])
    assert (chat["id"], chat["visitor"]["id"], chat["department_key"]) == (55102, MARTA, "sales")
    assert chat["categories"] == [["goods", "delivery"]]
    assert [message["message"] for message in chat["messages"]] == ["Do you ship to Porto?"]
    rox.control("chats/55102/close", {})
    rox.control("chats/55102/finish", {})
    until(lambda: app.calls("/chat_closed"), "the closing")
    assert len(app.requests) == 3


def test_app_that_is_not_there_is_told_of(rox):
    told = rox.control("webhook", {"event": "chat_closed", "chat": CHAT, "url": "http://127.0.0.1:9/closed"})
    assert (told["status"], told["body"]) == (None, "ClientConnectorError")


# -- the export


def test_export_wants_an_administrator(rox):
    assert get(rox, "/api/v4/operators", None).status_code == 401
    assert get(rox, "/api/v4/operators", ("admin@acme.example", "wrong")).status_code == 401
    assert get(rox, "/api/v4/operators", ("supervisor@acme.example", ADMIN[1])).status_code == 403
    operators = get(rox, "/api/v4/operators").json()
    assert [(one["id"], one["roles"]) for one in operators] == [(7, ["operator"]), (1, ["admin", "supervisor"])]
    for _ in range(10):
        get(rox, "/api/v4/operators", None)
    assert get(rox, "/api/v4/operators").status_code == 403


@pytest.mark.parametrize("as_text", [False, True])
def test_chats_come_in_pages_by_a_cursor(rox, as_text):
    rox.control("settings", {"page_size": 2, "cursor_as_text": as_text})
    for number in range(3):
        rox.control("visitors/marta/write", {"text": f"m{number}"})
        rox.control(f"chats/{55102 + number}/finish", {})
    first = get(rox, "/api/v4/chats?since=0").json()
    assert [str(chat["id"]) for chat in first["chats"]] == ["55102", "55103"]
    assert isinstance(first["last_ts"], str) is as_text
    assert first["more_chats_available"] is True
    second = get(rox, f"/api/v4/chats?since={first['last_ts']}").json()
    assert [str(chat["id"]) for chat in second["chats"]] == ["55104"]
    assert second["more_chats_available"] is False
    after = get(rox, f"/api/v4/chats?since={second['last_ts']}").json()
    assert (after["chats"], after["last_ts"]) == ([], second["last_ts"])
    # A chat that changes comes again.
    rox.control("chats/55102/agent", {"text": "one more thing"})
    again = get(rox, f"/api/v4/chats?since={second['last_ts']}").json()
    assert [message["text"] for message in again["chats"][0]["messages"]] == ["m0", "one more thing"]


def test_text_of_a_message_has_its_name_by_version(rox):
    rox.control("visitors/marta/write", {"text": "hello"})
    old, new = (get(rox, f"/api/v{version}/chat?id=55102").json()["chat"] for version in (3, 4))
    assert (old["messages"][0]["message"], new["messages"][0]["text"]) == ("hello", "hello")
    assert "text" not in old["messages"][0]
    assert new["visitor"]["fields"]["email"] == "marta.q@example.com"
    assert new["created_at"].endswith("Z")


def test_other_errors_of_the_export_are_200(rox):
    for path, code in (("chat?id=1", "chat-not-found"), ("chat", "chat-not-found"), ("chats?since=x", "invalid-since")):
        answer = get(rox, f"/api/v4/{path}")
        assert (answer.status_code, answer.json()) == (200, {"error": code})
    assert get(rox, "/api/v1/operators").status_code == 404


# -- the bot and the realtime API


def test_bot_is_told_of_chats_and_answers_by_separate_calls(rox, app):
    rox.control("settings", {"bot_url": f"{app.url}/bot"})
    rox.control("visitors/marta/write", {"text": "hello"})
    until(lambda: len(app.requests) == 1, "the new chat")
    new = app.requests[0]["body"]
    assert (new["event"], new["chat"], new["visitor"]["id"]) == ("new_chat", {"id": 55102}, MARTA)
    assert new["messages"][0]["text"] == "hello"
    assert app.requests[0]["headers"]["X-Bot-API-Version"] == "2.0"
    rox.control("visitors/marta/write", {"text": "anybody?"})
    until(lambda: len(app.requests) == 2, "the message")
    second = app.requests[1]["body"]
    assert (second["event"], second["chat_id"], second["message"]["text"]) == ("new_message", 55102, "anybody?")
    assert bot(rox, "send_message", {"chat_id": 55102, "message": {"kind": "operator", "text": "Good day"}}).json() == {"result": "ok"}
    # The echo of section 7.7: without any id.
    assert posted(rox)[-1]["params"]["messageText"] == "Good day"
    buttons = [[{"id": "a", "text": "Yes"}, {"id": "b", "text": "No"}]]
    assert bot(rox, "send_message", {"chat_id": 55102, "message": {"kind": "keyboard", "buttons": buttons}}).json() == {"result": "ok"}
    assert bot(rox, "redirect_chat", {"chat_id": 55102, "operator_id": 1}).json() == {"result": "ok"}
    assert rox.control("state")["chats"][0]["operator"] == 1
    assert bot(rox, "close_chat", {"chat_id": 55102}).json() == {"result": "ok"}
    assert rox.control("state")["chats"][0]["state"] == "closed_by_operator"


def test_bot_is_refused_with_an_error_in_the_body(rox):
    assert bot(rox, "close_chat", {"chat_id": 1}, {}).status_code == 401
    assert bot(rox, "close_chat", {"chat_id": 1}, {"Authorization": "Token wrong"}).status_code == 401
    answer = bot(rox, "close_chat", {"chat_id": 1})
    assert (answer.status_code, answer.json()["error"]) == (200, "chat-not-found")
    rox.control("visitors/marta/write", {"text": "hello"})
    answer = bot(rox, "send_message", {"chat_id": 55102, "message": {"kind": "operator"}})
    assert (answer.status_code, answer.json()["error"]) == (200, "invalid-message")
    answer = bot(rox, "redirect_chat", {"chat_id": 55102, "operator_id": 99})
    assert answer.json()["error"] == "operator-not-found"


def test_realtime_takes_fields_of_an_administrator(rox):
    url = f"{rox.url}/api/v2/rt/provide_visitor_fields"
    assert requests.post(url, json={}, timeout=10).status_code == 401
    assert requests.post(url, json={"fields": {"id": "AG-1"}}, auth=ADMIN, timeout=10).json() == {"result": "ok"}
    assert rox.control("state")["provided"] == [{"fields": {"id": "AG-1"}}]


def test_hash_of_fields_is_that_of_the_contract(rox):
    fields = {"id": "AG-20417", "display_name": "Marta Quintela", "phone": "+351910000417", "email": "marta.q@example.com"}
    asked = {"fields": fields, "expires": 1893456000}
    assert rox.control("sign", asked)["hash"] == "95e45f9305f1628b94c0babf6c48c37768ec2cae0ac8a3857ca27b71e586bea8"
    old = rox.control("sign", {**asked, "variant": "sha256"})["hash"]
    assert old == "8eb71e250bdd9decf05a9b9acc7b45db8bd634571c369081aeee883be5383718"


# -- control


def test_faults_act_on_the_server_only(rox):
    rox.control("faults", {"path": "^/api/v4/chats", "status": 200, "envelope": "error"}, status=201)
    assert get(rox, "/api/v4/chats?since=0").json() == {"error": "scripted"}
    assert get(rox, "/api/v4/chats?since=0").json()["chats"] == []
    rox.control("faults", {"path": "send_message", "drop": True}, status=201)
    with pytest.raises(requests.ConnectionError):
        bot(rox, "send_message", {})
    log = rox.control("requests?path=send_message")
    assert [(one["dropped"], one["headers"]["Authorization"]) for one in log] == [(True, "Token ***")]


def test_wrong_control_is_told_of(rox):
    wrong = [
        ("visitors/nobody/write", {"text": "x"}, "there is no visitor 'nobody'; there are marta, anonymous"),
        ("chats/1/close", {}, "there is no chat 1"),
        ("chats/x/close", {}, "there is no chat x"),
        ("settings", {"version": 1}, "'version' must be 2, 3 or 4"),
        ("settings", {"encoding": "xml"}, "'encoding' must be form or json"),
        ("settings", {"page_size": 0}, "'page_size' must be at least 1"),
        ("webhook", {"event": "x"}, "'event' must be one of chat_started, chat_assigned, chat_closed"),
        ("webhook", {"event": "chat_closed"}, "chat_closed_handler_url is not set"),
        ("webhook", {"event": "chat_closed", "url": "http://x"}, "there is no chat yet: let a visitor write, or give 'chat'"),
        ("bot", {"event": "new_chat", "chat_id": 1}, "bot_url is not set"),
        ("sign", {"fields": {}, "expires": 1, "variant": "md5"}, "'variant' must be hmac or sha256"),
    ]
    for path, body, message in wrong:
        assert rox.control(path, body, status=400) == {"error": message}


def test_page_and_usage_are_there(rox):
    for path in ("/_sim/page", "/_sim/page/page.js", "/_sim/page/page.css", "/_sim"):
        assert get(rox, path, None).status_code == 200, path
    assert rox.control("given") == []
    assert requests.get(f"{rox.url}/_sim/state", headers={"Origin": "https://evil.example"}, timeout=10).status_code == 403


def test_crm_opens_the_host_page_with_a_ticket_of_its_own_each_time(rox):
    def claims() -> dict[str, Any]:
        answer = requests.get(f"{rox.url}/_sim/crm", params={"agent": "a-7"}, allow_redirects=False, timeout=10)
        assert answer.status_code == 303
        place, _, query = answer.headers["Location"].partition("?")
        assert place == "http://127.0.0.1:9000/roxchat/acme/host"
        said, _, signature = parse_qs(query)["ticket"][0].rpartition(".")
        expected = hmac.new(b"the CRM's own secret of 32 characters", said.encode(), hashlib.sha256).digest()
        assert base64.urlsafe_b64decode(signature + "=") == expected
        return json.loads(base64.urlsafe_b64decode(said.partition(".")[2] + "=="))

    first, second = claims(), claims()
    assert (first["aud"], first["sub"], first["exp"] - first["iat"]) == ("deskbridge-roxchat", "a-7", 60)
    assert first["jti"] != second["jti"]
