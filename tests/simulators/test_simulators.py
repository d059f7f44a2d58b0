"""Self tests of the simulators: expected values are literals of the platform contracts.

The simulators run as programs of their own; `Deskbridge`, a small recording HTTP server, stands in for the app.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from yarl import URL

from tests.simulators.common import json_or_text
from tests.simulators.frontstage_connector import PushVerifier, Signer, signature, string_to_sign
from tests.simulators.vcs import busiest_second

PROJECT = Path(__file__).resolve().parents[2]
SECRET = "contract-demo-secret-001"
CHANNEL = "0d6a6c58-2d1e-4f53-9a5b-6f2a6f5b1c77"
BUSINESS = "q7x2m9d4k1v8b3zt"
GATEWAY = "44444444-4444-4444-8444-444444444444"
MESSAGE = "66666666-6666-4666-8666-666666666666"


def until(predicate: Callable[[], Any], what: str, seconds: float = 5.0) -> Any:
    """Poll until `predicate` gives something true; fail with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = predicate()
        if value:
            return value
        time.sleep(0.02)
    pytest.fail(f"not within {seconds} s: {what}")


class Deskbridge:
    """A stand-in for the app: records requests and answers what the test prescribes."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.answer: Callable[[dict[str, Any]], tuple[int, Any]] = lambda request: (204, None)
        outer = self

        class RequestHandler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                """Record, answer."""
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = {
                    "method": self.command,
                    "path": self.path,
                    "headers": dict(self.headers),
                    "raw": raw,
                    "body": json_or_text(raw),
                }
                outer.requests.append(request)
                status, body = outer.answer(request)
                payload = b"" if body is None else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_POST = do_PUT = handle_one

            def log_message(self, *_: Any) -> None:
                """Stay quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), RequestHandler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def calls(self, path: str) -> list[dict[str, Any]]:
        """The requests to one path."""
        return [one for one in self.requests if one["path"] == path]


class Simulator:
    """A simulator as a program, with its URL."""

    def __init__(self, module: str, *arguments: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"tests.simulators.{module}", "--port", str(port), *arguments],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline()

    def control(self, path: str, body: Any = None, status: int = 200, method: str | None = None) -> Any:
        """A control call; GET without a body, POST with one."""
        method = method or ("GET" if body is None else "POST")
        answer = requests.request(method, f"{self.url}/_sim/{path}", json=body, timeout=10)
        assert answer.status_code == status, answer.text
        return answer.json()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=5)


@pytest.fixture
def app() -> Iterator[Deskbridge]:
    stand_in = Deskbridge()
    yield stand_in
    stand_in.server.shutdown()
    stand_in.server.server_close()


@pytest.fixture
def vcs(app: Deskbridge) -> Iterator[Simulator]:
    simulator = Simulator("vcs", "--target-base", f"{app.url}/vcita/demo/s3cret", "--token", "good")
    yield simulator
    simulator.stop()


@pytest.fixture
def connector(app: Deskbridge) -> Iterator[Simulator]:
    gateway_url = f"{app.url}/v1/frontstage/gw-demo"
    simulator = Simulator("frontstage_connector", "--gateway-url", gateway_url, "--key-id", "k1", "--secret", SECRET)
    yield simulator
    simulator.stop()


# -- both -------------------------------------------------------------------------------------------------------


def test_program_prints_one_line_and_stops_on_sigterm(app: Deskbridge) -> None:
    simulator = Simulator("vcs", "--target-base", app.url)
    assert simulator.first_line == f"vcita simulator listening on {simulator.url} (control: GET /_sim)\n"
    assert "/_sim/staff-message" in requests.get(f"{simulator.url}/_sim", timeout=5).text
    assert simulator.stop() == 0


def test_port_taken_is_said(vcs: Simulator, app: Deskbridge) -> None:
    port = vcs.url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "tests.simulators.vcs", "--port", port, "--target-base", app.url]
    second = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=20, check=False)
    assert second.returncode == 1
    assert "cannot listen" in second.stderr


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("faults", {"path": "/x"}, "needs 'status', 'drop' or 'delay_ms'"),
        ("faults", {"status": 500}, "'path' is missing"),
        ("faults", {"path": "(", "status": 500}, "not a regular expression"),
        ("faults", {"path": "/x", "status": True}, "'status' must be a whole number"),
        ("faults", {"path": "/x", "statsu": 500}, "unknown member 'statsu'"),
        ("faults", [], "must be a JSON object"),
        ("activation", {"mode": "sometimes"}, "'mode' must be one of"),
        ("staff-message", {}, "'text' is missing"),
        ("staff-message", {"text": "x"}, "there is no such session yet"),
    ],
)
def test_wrong_control_input_is_400_with_words(vcs: Simulator, path: str, body: Any, words: str) -> None:
    assert words in vcs.control(path, body, status=400)["error"]


def test_unknown_control_path_is_404_and_wrong_method_405(vcs: Simulator) -> None:
    assert "no such control path" in vcs.control("nothing", status=404)["error"]
    assert "allowed: POST" in vcs.control("staff-message", status=405)["error"]


# -- VCS --------------------------------------------------------------------------------------------------------


def call(vcs: Simulator, method: str, path: str, body: Any = None, token: str | None = "good") -> requests.Response:
    """A call as the app makes it."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.request(method, vcs.url + path, json=body, headers=headers, timeout=10)


def make_session(vcs: Simulator, external_uid: str = "wa:1", prefix: str = "/business/communication") -> dict[str, Any]:
    """A contact and a session; the body of the session request with the answer under `session`."""
    contact = call(vcs, "POST", "/platform/v1/clients", {"first_name": "Eva", "phone": "+49 151 1"})
    assert contact.status_code == 201
    body = {
        "business_uid": BUSINESS,
        "channel_uid": CHANNEL,
        "contact_uid": contact.json()["data"]["client"]["id"],
        "external_uid": external_uid,
    }
    answer = call(vcs, "POST", f"{prefix}/sessions", body)
    assert answer.status_code == 201, answer.text
    return {**body, "session": answer.json()["data"]["session"]}


def is_active(vcs: Simulator) -> bool:
    return all(one["status"] == "active" for one in vcs.control("state")["sessions"])


def inject(vcs: Simulator, message_uid: str, external_uid: str = "wa:1", **more: Any) -> requests.Response:
    body = {"channel_uid": CHANNEL, "external_uid": external_uid, "message_uid": message_uid, "message": "Hi"}
    return call(vcs, "POST", "/business/communication/messages", {**body, **more})


def test_v4_session_is_pending_then_activated_by_a2(vcs: Simulator, app: Deskbridge) -> None:
    made = make_session(vcs)
    assert made["session"] == {"uid": made["session"]["uid"], "status": "pending", "ai_status": "none"}
    path = f"/vcita/demo/s3cret/sessions/{made['session']['uid']}"
    sent = until(lambda: app.calls(path), "A2")
    assert [(one["method"], one["body"]) for one in sent] == [("PUT", {"status": "active"})]


def test_v4_second_session_of_contact_or_external_uid_is_422(vcs: Simulator) -> None:
    made = make_session(vcs)
    made.pop("session")
    for change in ({"external_uid": "wa:2"}, {}):
        answer = call(vcs, "POST", "/business/communication/v1/sessions", {**made, **change})
        assert answer.status_code == 422
        assert answer.json() == {
            "success": False,
            "errors": [{"code": "already_exists", "message": "Session already exist"}],
        }
    for query in (
        {"channel_uid": CHANNEL, "business_uid": BUSINESS, "contact_uid": made["contact_uid"]},
        {"filter[channel_uid]": CHANNEL, "filter[business_uid]": BUSINESS},
    ):
        found = requests.get(
            f"{vcs.url}/business/communication/sessions",
            params=query,
            headers={"Authorization": "Bearer good"},
            timeout=5,
        ).json()["data"]["sessions"]
        assert [sorted(one) for one in found] == [["ai_status", "status", "uid"]]


def test_v4_before_answer_announces_first(vcs: Simulator, app: Deskbridge) -> None:
    vcs.control("activation", {"mode": "before_answer"})
    made = make_session(vcs)
    assert made["session"]["status"] == "pending"
    assert [one["path"] for one in app.requests] == [f"/vcita/demo/s3cret/sessions/{made['session']['uid']}"]


def test_activation_manual_waits_for_v6_and_never_not_even_then(vcs: Simulator, app: Deskbridge) -> None:
    vcs.control("activation", {"mode": "manual", "delay_ms": 0})
    uid = make_session(vcs)["session"]["uid"]
    assert inject(vcs, "m-1").status_code == 422
    assert call(vcs, "PUT", f"/business/communication/sessions/{uid}", {"status": "active"}).json() == {
        "success": True,
        "data": {},
    }
    until(lambda: is_active(vcs), "activation after V6")
    assert inject(vcs, "m-1").status_code == 201
    vcs.control("activation", {"mode": "never"})
    assert call(vcs, "PUT", f"/business/communication/sessions/{uid}", {"status": "inactive"}).status_code == 200
    assert is_active(vcs)
    refused = call(vcs, "PUT", f"/business/communication/sessions/{uid}", {"status": "active", "ai_status": "none"})
    assert refused.status_code == 422


def test_v8_injects_once_per_channel_in_both_spellings(vcs: Simulator) -> None:
    make_session(vcs)
    until(lambda: is_active(vcs), "activation")
    answer = inject(vcs, "wamid.HBgL-0001", message="Hi, is 3pm free? \U0001f642", created_at="2026-03-04 14:05:09")
    assert answer.status_code == 201
    assert answer.json() == {"success": True, "data": {"message": {"uid": "wamid.HBgL-0001", "status": "pending"}}}
    again = inject(vcs, "wamid.HBgL-0001")
    assert (again.status_code, again.json()["errors"][0]["code"]) == (422, "already_exists")
    second = {"channel_uid": CHANNEL, "external_uid": "wa:1", "message_uid": "m-2", "message": "two"}
    assert call(vcs, "POST", "/business/communication/v1/messages", second).status_code == 201
    texts = [one["message"] for one in vcs.control("state")["messages"]]
    assert texts == ["Hi, is 3pm free? \U0001f642", "two"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"message": ""}, 400, "missing_field"),
        ({"message": 5}, 400, "invalid"),
        ({"channel_uid": "unknown"}, 404, "missing"),
        ({"message_uid": "x" * 256}, 422, "too_long"),
        ({"created_at": "2026-03-04T14:05:09Z"}, 422, "invalid"),
        ({"direction": "I"}, 422, "invalid"),
        ({"external_uid": "wa:nobody"}, 422, "invalid"),
    ],
)
def test_v8_bad_input_is_refused(vcs: Simulator, change: dict[str, Any], status: int, code: str) -> None:
    make_session(vcs)
    until(lambda: is_active(vcs), "activation")
    answer = inject(vcs, **{"message_uid": "m-1", **change})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)
    assert vcs.control("state")["messages"] == []


def test_a3_and_v9_status_of_a_staff_message(vcs: Simulator, app: Deskbridge) -> None:
    make_session(vcs)
    made = vcs.control("staff-message", {"text": "See you at 3pm", "message_uid": "a/b", "duplicate": 2})
    assert (made["status"], made["message_uid"], len(made["answers"])) == (204, "a/b", 3)
    bodies = [one["body"] for one in app.calls("/vcita/demo/s3cret/messages")]
    assert (
        bodies
        == [
            {
                "external_uid": "wa:1",
                "message": "See you at 3pm",
                "message_uid": "a/b",
                "channel_uid": CHANNEL,
                "status": "pending",
            }
        ]
        * 3
    )
    report = {"status": "sent", "channel_uid": CHANNEL}
    assert call(vcs, "PUT", "/business/communication/messages/a%2Fb", report).status_code == 200
    assert call(vcs, "PUT", "/business/communication/messages/nobody", report).status_code == 404
    bad = call(vcs, "PUT", "/business/communication/messages/a%2Fb", {**report, "status": "shown"})
    assert bad.status_code == 422
    statuses = vcs.control("state")["statuses"]
    assert [(one["message_uid"], one["status"]) for one in statuses] == [("a/b", "sent")]


def test_a1_a2_a4_a5_paths_and_bodies(vcs: Simulator, app: Deskbridge) -> None:
    uid = make_session(vcs)["session"]["uid"]
    until(lambda: is_active(vcs) and app.requests, "activation")
    app.requests.clear()
    vcs.control("channel-status", {"status": "inactive"})
    vcs.control("session-status", {"status": "inactive"})
    vcs.control("message-status", {"message_uid": "h-1", "status": "read"})
    vcs.control("typing", {"typing": True})
    vcs.control("webhook", {"method": "PUT", "path": "/messages", "body": "{", "headers": {"X-A": "1"}})
    seen = [(one["method"], one["path"], one["raw"]) for one in app.requests]
    assert seen == [
        ("PUT", f"/vcita/demo/s3cret/channels/{CHANNEL}", b'{"status": "inactive"}'),
        ("PUT", f"/vcita/demo/s3cret/sessions/{uid}", b'{"status": "inactive"}'),
        ("PUT", "/vcita/demo/s3cret/messages/h-1", json.dumps({"status": "read", "channel_uid": CHANNEL}).encode()),
        ("POST", f"/vcita/demo/s3cret/{uid}/typing", b'{"typing": true}'),
        ("PUT", "/vcita/demo/s3cret/messages", b"{"),
    ]
    assert app.requests[-1]["headers"]["X-A"] == "1"


def test_tokens_expire_and_are_renewed(vcs: Simulator) -> None:
    vcs_401 = {"success": False, "errors": [{"code": "unauthorized", "message": "401 Unauthorized"}]}
    platform_401 = {"message": "401 Unauthorized", "status": "Failure"}
    assert call(vcs, "POST", "/business/communication/channels", {}, token=None).json() == vcs_401
    assert vcs.control("tokens/expire", {}) == {"expired": 1}
    answer = call(vcs, "GET", "/platform/v1/clients")
    assert (answer.status_code, answer.json()) == (401, platform_401)
    login = {"service_id": "demo-client", "service_secret": "demo-client-secret"}
    wrong = call(vcs, "POST", "/oauth/service/token", {**login, "service_secret": "x"}, token=None)
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    token = call(vcs, "POST", "/oauth/service/token", login, token=None).json()
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 3600)
    assert isinstance(token["created_at"], str)
    assert call(vcs, "GET", "/oauth/userinfo", token=token["access_token"]).json()["business_uid"] == BUSINESS
    foreign = {"business_uid": "otherbusiness001", "type": "transactional"}
    other = call(vcs, "POST", "/business/communication/channels", foreign, token=token["access_token"])
    assert (other.status_code, other.json()["errors"][0]["message"]) == (401, "Unauthorized")
    assert vcs.control("tokens/search", {"text": f"leaked: {token['access_token']}"}) == {"tokens": 2, "found": 1}
    assert vcs.control("tokens/search", {"text": "clean"})["found"] == 0
    seen = vcs.control("requests?path=/oauth/service/token$")
    assert [one["body"]["service_secret"] for one in seen] == ["***", "***"]
    noted = vcs.control("requests?path=/clients$&method=GET")[0]
    assert (noted["headers"]["Authorization"], noted["note"]) == ("Bearer ***", "token expired")


def test_p4_code_works_once_and_refresh_token_renews(vcs: Simulator) -> None:
    code = vcs.control("oauth-code", {"redirect_uri": "https://a.example/cb", "refresh_token": True}, status=201)
    body = {
        "grant_type": "authorization_code",
        "code": code["code"],
        "client_id": "demo-client",
        "client_secret": "demo-client-secret",
        "redirect_uri": "https://a.example/cb",
    }
    token = call(vcs, "POST", "/oauth/token", body, token=None).json()
    assert (token["expires_in"], type(token["created_at"])) == (631139040, int)
    used = call(vcs, "POST", "/oauth/token", body, token=None)
    assert (used.status_code, used.json()["error"]) == (400, "invalid_grant")
    body.update(grant_type="refresh_token", refresh_token=token["refresh_token"])
    assert call(vcs, "POST", "/oauth/token", body, token=None).status_code == 200


def test_p7_tokens_and_p8_clients_use_the_platform_envelope(vcs: Simulator) -> None:
    minted = call(vcs, "POST", "/platform/v1/tokens", {"business_id": BUSINESS})
    assert (minted.status_code, minted.json()["status"]) == (201, "OK")
    token = minted.json()["data"]["token"]
    revoked = call(vcs, "POST", "/platform/v1/tokens/revoke", {"token": token})
    assert (revoked.status_code, revoked.json()["data"]) == (201, {"revoked_tokens": [token]})
    assert call(vcs, "POST", "/platform/v1/tokens/revoke", {"token": token}).status_code == 422
    eva = {"first_name": "Eva", "email": "eva@demo.example", "phone": "+420 700 000 000"}
    made = call(vcs, "POST", "/platform/v1/clients", eva)
    assert made.status_code == 201
    client = made.json()["data"]["client"]
    assert (len(client["id"]), client["normalized_phone"], client["business_uid"]) == (16, "+420700000000", BUSINESS)
    assert call(vcs, "POST", "/platform/v1/clients", eva).status_code == 409
    for by, term in (("phone", "+420700000000"), ("email", "EVA@demo.example"), ("uid", client["id"])):
        query = f"/platform/v1/clients?search_by={by}&search_term={term.replace('+', '%2B')}&page=1&per_page=25"
        found = call(vcs, "GET", query).json()
        assert (found["status"], [one["id"] for one in found["data"]["clients"]]) == ("OK", [client["id"]])
    assert call(vcs, "GET", "/platform/v1/clients?search_by=phone&search_term=1&per_page=101").status_code == 422


def test_channel_v1_v2_v3_v10(vcs: Simulator, app: Deskbridge) -> None:
    body = {"business_uid": BUSINESS, "type": "transactional", "display_name": "Salon Iris"}
    made = call(vcs, "POST", "/business/communication/channels", body)
    channel = made.json()["data"]["channel"]
    assert (made.status_code, channel["status"], channel["display_name"]) == (201, "pending", "Salon Iris")
    until(lambda: app.calls(f"/vcita/demo/s3cret/channels/{channel['uid']}"), "A1")
    path = f"/business/communication/v1/channels/{channel['uid']}"
    assert call(vcs, "PUT", path, {"display_name": "Iris"}).json() == {"success": True, "data": {}}
    assert call(vcs, "DELETE", path).status_code == 200
    assert call(vcs, "DELETE", path).status_code == 404
    session = make_session(vcs)["session"]["uid"]
    typing = call(vcs, "POST", "/business/communication/v1/sessions/typing", {"session_uid": session, "typing": True})
    assert typing.status_code == 200
    assert vcs.control("state")["typing"][0]["typing"] is True


def test_faults_skip_times_effect_and_drop(vcs: Simulator) -> None:
    make_session(vcs)
    until(lambda: is_active(vcs), "activation")
    failure = {"method": "POST", "path": "/messages$", "skip": 1, "status": 503, "headers": {"Retry-After": "1"}}
    vcs.control("faults", {**failure, "body": "<html>"}, status=201)
    vcs.control("faults", {"path": "/messages$", "skip": 1, "drop": True, "effect": True}, status=201)
    assert inject(vcs, "m-1").status_code == 201
    second = inject(vcs, "m-2")
    assert (second.status_code, second.text, second.headers["Retry-After"]) == (503, "<html>", "1")
    with pytest.raises(requests.ConnectionError):
        inject(vcs, "m-3")
    assert inject(vcs, "m-3").status_code == 422
    assert [one["message_uid"] for one in vcs.control("state")["messages"]] == ["m-1", "m-3"]
    seen = vcs.control("requests?path=/messages$")
    assert [(one["status"], one["dropped"], one["fault"]) for one in seen] == [
        (201, False, False),
        (503, False, True),
        (None, True, True),
        (422, False, False),
    ]
    assert vcs.control("faults", method="DELETE") == {"removed": 2}
    assert vcs.control("reset", {}) == {"reset": True}
    assert vcs.control("state")["sessions"] == []


VCS_CALLS = [
    ("POST", "/channels", {"business_uid": BUSINESS, "type": "transactional"}, 201),
    ("PUT", f"/channels/{CHANNEL}", {"display_name": "Iris"}, 200),
    ("PUT", "/sessions/SESSION", {"status": "active"}, 200),
    ("GET", f"/sessions?channel_uid={CHANNEL}&business_uid={BUSINESS}", None, 200),
    ("POST", "/sessions/typing", {"session_uid": "SESSION", "typing": True}, 200),
    ("PUT", "/messages/a-1", {"status": "sent", "channel_uid": CHANNEL}, 200),
    ("DELETE", "/sessions/SESSION", None, 200),
    ("DELETE", f"/channels/{CHANNEL}", None, 200),
]


@pytest.mark.parametrize("prefix", ["/business/communication", "/business/communication/v1"])
def test_both_spellings_of_every_path_are_served(vcs: Simulator, prefix: str) -> None:
    """V4 and V8 in the first lines, the others from the table (vcita.md 2.1)."""
    uid = make_session(vcs, prefix=prefix)["session"]["uid"]
    until(lambda: is_active(vcs), "activation")
    message = {"channel_uid": CHANNEL, "external_uid": "wa:1", "message_uid": "m-1", "message": "Hi"}
    assert call(vcs, "POST", f"{prefix}/messages", message).status_code == 201
    vcs.control("staff-message", {"text": "Hello", "message_uid": "a-1"})
    for method, path, body, status in VCS_CALLS:
        sent = json.loads(json.dumps(body).replace("SESSION", uid))
        assert call(vcs, method, prefix + path.replace("SESSION", uid), sent).status_code == status, path


@pytest.mark.parametrize(
    ("envelope", "status", "text"),
    [
        ("vcs", 401, '{"success": false, "errors": [{"code": "unauthorized", "message": "401 Unauthorized"}]}'),
        ("vcs", 422, '{"success": false, "errors": [{"code": "invalid", "message": "scripted fault"}]}'),
        ("vcs", 500, '{"success": false, "errors": [{"code": "unexpected", "message": "scripted fault"}]}'),
        ("status_error", 500, '{"status": "Error", "error": "scripted fault"}'),
        ("status_message", 500, '{"status": "Error", "message": "scripted fault"}'),
        ("failure_message", 401, '{"message": "401 Unauthorized", "status": "Failure"}'),
        ("error", 401, '{"error": "Unauthorized"}'),
        ("oauth", 400, '{"error": "invalid_request", "error_description": "scripted fault"}'),
        ("empty", 502, ""),
        ("html", 502, "<!doctype html><html><body><h1>Bad gateway</h1></body></html>"),
    ],
)
def test_fault_answers_in_the_envelope_that_it_names(vcs: Simulator, envelope: str, status: int, text: str) -> None:
    """The shapes of vcita.md section 3."""
    vcs.control("faults", {"path": "/clients$", "status": status, "envelope": envelope}, status=201)
    answer = call(vcs, "GET", "/platform/v1/clients")
    assert (answer.status_code, answer.text) == (status, text)
    assert call(vcs, "GET", "/platform/v1/clients").status_code == 200


def test_chance_acts_on_its_share_and_the_same_seed_on_the_same_requests(vcs: Simulator) -> None:
    def struck(seed: int) -> list[bool]:
        vcs.control("faults", method="DELETE")
        vcs.control("faults", {"path": "/clients$", "status": 429, "chance": 0.1, "seed": seed, "times": None}, status=201)
        return [call(vcs, "GET", "/platform/v1/clients").status_code == 429 for _ in range(200)]

    first = struck(7)
    assert 8 <= sum(first) <= 35
    assert struck(7) == first
    assert struck(8) != first
    vcs.control("faults", method="DELETE")
    vcs.control("faults", {"path": "/clients$", "status": 429, "chance": 0, "times": None}, status=201)
    assert [call(vcs, "GET", "/platform/v1/clients").status_code for _ in range(20)] == [200] * 20


def test_chance_is_rolled_only_for_requests_that_fit_and_does_not_use_up_times(vcs: Simulator) -> None:
    fault = {"path": "/clients$", "method": "POST", "status": 503, "chance": 0.5, "seed": 1, "times": 2}
    vcs.control("faults", fault, status=201)
    assert call(vcs, "GET", "/platform/v1/clients").status_code == 200
    made = [call(vcs, "POST", "/platform/v1/clients", {"first_name": "Eva"}).status_code for _ in range(30)]
    assert (made.count(503), made.count(201)) == (2, 28)


def test_request_that_is_answered_late_holds_up_no_other(vcs: Simulator) -> None:
    vcs.control("faults", {"path": "/clients$", "delay_ms": 1500}, status=201)
    answers: list[tuple[int, float]] = []

    def ask() -> None:
        answers.append((call(vcs, "GET", "/platform/v1/clients").status_code, time.monotonic()))

    slow = threading.Thread(target=ask)
    begun = time.monotonic()
    slow.start()
    until(lambda: vcs.control("faults")[0]["fired"], "the slow request has come")
    ask()
    slow.join()
    (_, quick_at), (status, slow_at) = answers
    assert status == 200
    assert quick_at < slow_at
    assert slow_at - begun >= 1.5


def second_business(vcs: Simulator, app: Deskbridge) -> str:
    """A second business with an app of its own; a token of it."""
    business = {"business_uid": "another000000001", "channel_uid": "c-2", "client_id": "two", "client_secret": "s-2"}
    vcs.control("businesses", {**business, "target_base": f"{app.url}/vcita/two/s3cret/"}, status=201)
    told = call(vcs, "POST", "/oauth/service/token", {"service_id": "two", "service_secret": "s-2"}, token=None)
    return told.json()["access_token"]


def test_second_business_has_contacts_sessions_and_webhooks_of_its_own(vcs: Simulator, app: Deskbridge) -> None:
    make_session(vcs)
    until(lambda: app.requests, "A2 at the first app")
    app.requests.clear()
    token = second_business(vcs, app)
    assert call(vcs, "GET", "/oauth/userinfo", token=token).json()["business_uid"] == "another000000001"
    assert call(vcs, "GET", "/platform/v1/clients", token=token).json()["data"]["clients"] == []
    contact = call(vcs, "POST", "/platform/v1/clients", {"first_name": "Adam"}, token=token).json()["data"]["client"]
    body = {"business_uid": "another000000001", "channel_uid": "c-2", "contact_uid": contact["id"], "external_uid": "wa:1"}
    made = call(vcs, "POST", "/business/communication/sessions", body, token=token)
    assert made.status_code == 201
    uid = made.json()["data"]["session"]["uid"]
    until(lambda: app.calls(f"/vcita/two/s3cret/sessions/{uid}"), "A2 at the second app")
    vcs.control("staff-message", {"text": "Hello", "session_uid": uid})
    vcs.control("typing", {"typing": True, "session_uid": uid})
    vcs.control("channel-status", {"status": "inactive", "channel_uid": "c-2"})
    assert {one["path"].split("/")[2] for one in app.requests} == {"two"}
    for method, path, sent in (
        ("POST", "/business/communication/sessions", body),
        ("PUT", f"/business/communication/sessions/{uid}", {"status": "inactive"}),
        ("GET", "/business/communication/sessions?channel_uid=c-2&business_uid=another000000001", None),
        ("POST", "/business/communication/messages", {**body, "message_uid": "m", "message": "Hi"}),
    ):
        refused = call(vcs, method, path, sent)
        assert (refused.status_code, refused.json()["errors"][0]["message"]) == (401, "Unauthorized"), path
    assert "is there already" in vcs.control(
        "businesses",
        {"business_uid": BUSINESS, "channel_uid": "c-3", "client_id": "x", "client_secret": "x", "target_base": app.url},
        status=400,
    )["error"]
    vcs.control("reset", {})
    assert [one["business_uid"] for one in vcs.control("state")["channels"]] == [BUSINESS]
    login = {"service_id": "two", "service_secret": "s-2"}
    assert call(vcs, "POST", "/oauth/service/token", login, token=None).status_code == 401


def test_requests_are_logged_with_their_moment_and_business(vcs: Simulator, app: Deskbridge) -> None:
    token = second_business(vcs, app)
    call(vcs, "GET", "/platform/v1/clients")
    call(vcs, "GET", "/platform/v1/clients", token=token)
    call(vcs, "GET", "/platform/v1/clients", token="invented")
    seen = vcs.control("requests")
    assert [(one["path"], one["business"]) for one in seen] == [
        ("/oauth/service/token", "another000000001"),
        ("/platform/v1/clients", BUSINESS),
        ("/platform/v1/clients", "another000000001"),
        ("/platform/v1/clients", None),
    ]
    times = [one["at_ms"] for one in seen]
    assert times == sorted(times)


def test_rates_are_the_busiest_second_of_each_business_and_group(vcs: Simulator, app: Deskbridge) -> None:
    token = second_business(vcs, app)
    for _ in range(3):
        call(vcs, "GET", "/platform/v1/clients")
    call(vcs, "PUT", f"/business/communication/channels/{CHANNEL}", {"display_name": "Iris"})
    call(vcs, "POST", "/business/communication/v1/sessions/typing", {"session_uid": "s", "typing": True})
    call(vcs, "GET", "/platform/v1/clients", token=token)
    rates = vcs.control("rates")
    assert rates[BUSINESS] == {"all": 5, "channels": 1, "clients": 3, "typing": 1, "vcs": 2}
    assert rates["another000000001"] == {"all": 2, "clients": 1, "oauth": 1}


@pytest.mark.parametrize(
    ("times", "most"),
    [
        ([], 0),
        ([5.0], 1),
        ([0.0, 999.0, 1000.0], 2),
        ([0.0, 1000.0, 2000.0], 1),
        # No window that begins at a whole second shows these three.
        ([600.0, 1000.0, 1599.5, 1600.0], 3),
        ([0.0, 0.0, 0.0, 3000.0], 3),
    ],
)
def test_second_is_half_open_and_slides(times: list[float], most: int) -> None:
    assert busiest_second(times) == most


def test_rate_limit_refuses_what_is_too_much_for_one_business(vcs: Simulator, app: Deskbridge) -> None:
    token = second_business(vcs, app)
    assert vcs.control("rate-limit", {"per_second": 2}) == {"per_second": 2}
    eva = {"first_name": "Eva"}
    made = [call(vcs, "POST", "/platform/v1/clients", eva) for _ in range(4)]
    assert [one.status_code for one in made[:3]] == [201, 201, 429]
    assert made[2].json() == {"success": False, "errors": [{"code": "unexpected", "message": "Too many requests"}]}
    assert call(vcs, "POST", "/platform/v1/clients", eva, token=token).status_code == 201
    refused = sum(one.status_code == 429 for one in made)
    assert len(vcs.control("state")["contacts"]) == 5 - refused
    # What was refused does not count: a second after the first that was taken there is room again.
    until(lambda: call(vcs, "POST", "/platform/v1/clients", eva).status_code == 201, "room again", 2)
    assert vcs.control("rate-limit", {"per_second": None}) == {"per_second": None}
    assert [call(vcs, "POST", "/platform/v1/clients", eva).status_code for _ in range(4)] == [201] * 4
    assert "at least 1" in vcs.control("rate-limit", {"per_second": 0}, status=400)["error"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"path": "/x", "status": 500, "chance": 1.5}, "'chance' must be between 0 and 1"),
        ({"path": "/x", "status": 500, "chance": "half"}, "'chance' must be a whole number or a number"),
        ({"path": "/x", "status": 500, "chance": -0.5}, "'chance' must not be negative"),
        ({"path": "/x", "status": 500, "envelope": "xml"}, "'envelope' must be one of vcs, status_error"),
        ({"path": "/x", "drop": True, "envelope": "vcs"}, "'envelope' needs 'status'"),
    ],
)
def test_wrong_fault_is_400_with_words(vcs: Simulator, fault: Any, words: str) -> None:
    assert words in vcs.control("faults", fault, status=400)["error"]


def test_staff_page_is_served_with_a_policy_and_for_nobody_else(vcs: Simulator) -> None:
    scripts, sheets = ("/page.js", "/elements.js"), ("/page.css", "/desk.css")
    kinds = {"": "text/html"} | dict.fromkeys(scripts, "javascript") | dict.fromkeys(sheets, "text/css")
    for path, kind in kinds.items():
        answer = requests.get(f"{vcs.url}/_sim/staff{path}", timeout=5)
        assert answer.status_code == 200
        assert kind in answer.headers["Content-Type"]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert requests.get(f"{vcs.url}/_sim/staff/../vcs.py", timeout=5).status_code == 404
    foreign = requests.post(f"{vcs.url}/_sim/reset", headers={"Origin": "https://evil.example"}, timeout=5)
    assert foreign.status_code == 403


def test_unreachable_app_is_said(app: Deskbridge) -> None:
    simulator = Simulator("vcs", "--target-base", "http://127.0.0.1:9")
    try:
        told = simulator.control("channel-status", {"status": "active"}, status=502)
        assert told["status"] is None
        assert "no answer" in told["error"]
    finally:
        simulator.stop()


# -- FrontStage -------------------------------------------------------------------------------------------------


def test_signature_known_answer_post() -> None:
    """frontstage.md 10.5, first known answer."""
    body = b'{"Msg":"ES_SL_GETGATEWAYS","Id":"5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01","Body":"!MailLink"}'
    assert len(body) == 90
    signed = string_to_sign("POST", "/v1/frontstage/gw-mail/messages", "", "1767225600", "n-0001", body)
    assert signed.endswith(b"e0c05241244fd9747de125b24761e20df4a597d8b1de86f90c048f56c15dd76c")
    assert (
        signature(b"contract-demo-secret-001", signed)
        == "v1=a633eac6d3f46c2af71571c9d81d7c0f9ba3cb65c82c5f28d13cda4baa47ed4a"
    )


def test_signature_known_answer_get() -> None:
    """frontstage.md 10.5, second known answer."""
    signed = string_to_sign(
        "GET", "/v1/frontstage/gw-mail/events", "after=41&max=10&wait=0", "1767225605", "n-0002", b""
    )
    assert (
        signature(b"contract-demo-secret-001", signed)
        == "v1=238eff3e987986b96b1cd49ca708aa8493d69c6f9fdd4e700a6eb7127186a907"
    )


def test_push_verifier_names_the_first_thing_wrong() -> None:
    good = {
        "X-FS-Key": "k1",
        "X-FS-Time": "1767225600",
        "X-FS-Nonce": "n-0001",
        "X-FS-Signature": "v1=a633eac6d3f46c2af71571c9d81d7c0f9ba3cb65c82c5f28d13cda4baa47ed4a",
    }
    body = b'{"Msg":"ES_SL_GETGATEWAYS","Id":"5b0c1a52-6a0e-4a5e-9a53-0a1f5b6c7d01","Body":"!MailLink"}'
    verifier = PushVerifier(Signer("k1", SECRET.encode()))

    def verdict(now: float = 1767225900.0, **change: str) -> str:
        headers = {**good, **{f"X-FS-{name}": value for name, value in change.items()}}
        headers = {name: value for name, value in headers.items() if value}
        return verifier.verdict("POST", "/v1/frontstage/gw-mail/messages", "", headers, body, now)

    assert verdict(Key="") == "X-FS-Key missing"
    assert verdict(Key="k2") == "unknown key"
    assert verdict(now=1767225901.0) == "time outside the window"
    assert verdict(Nonce="n-0002") == "wrong signature"
    assert verdict() == "ok"
    assert verdict() == "nonce seen before"


def gateways_answer(request: dict[str, Any]) -> tuple[int, Any]:
    """What the server answers: gateways (13), or SE_MESSAGE_RECEIVED with Data true."""
    envelope = request["body"]
    result = {"Id": envelope["Id"], "Msg": envelope["Msg"], "Outcome": "Accepted", "Error": None}
    if envelope["Msg"] == "ES_SL_GETGATEWAYS":
        gateways = [{"Id": GATEWAY, "Direction": direction, "Channel": "SMS"} for direction in ("I", "O")]
        replies = [{"Msg": "SE_SL_MSGGATEWAYS", "InReplyTo": envelope["Id"], "Body": gateways}]
    elif envelope["Msg"] == "ES_MESSAGE_RECEIVING":
        body = {"Id": MESSAGE, "RefId": GATEWAY, "Reference": envelope["Body"]["RequestId"], "Data": "true"}
        replies = [{"Msg": "SE_MESSAGE_RECEIVED", "InReplyTo": envelope["Id"], "Body": body}]
    else:
        replies = []
    return 200, {"Results": [result], "Replies": replies}


def push(
    connector: Simulator, message_id: str = MESSAGE, sent_time: str = "2026-01-01T00:00:00Z", **spoil: Any
) -> requests.Response:
    """A push as the server makes it (10.3)."""
    content = {
        "MessageId": message_id,
        "GatewayId": GATEWAY,
        "RemoteAddress": "+420700000000",
        "Direction": "O",
        "ReceivedSentTime": sent_time,
        "BodyText": "Hello",
    }
    envelope = {"Msg": "SE_MESSAGE_SENDING", "Id": "11111111-1111-4111-8111-111111111111", "Seq": 1, "Body": content}
    body = json.dumps([envelope]).encode()
    headers = Signer("k1", SECRET.encode()).headers("POST", URL(f"{connector.url}/push"), body, spoil)
    return requests.post(f"{connector.url}/push", data=body, headers=headers, timeout=10)


def acks(app: Deskbridge) -> list[dict[str, Any]]:
    """The acknowledgements that the connector posted."""
    bodies = [one["body"] for one in app.calls("/v1/frontstage/gw-demo/messages")]
    return [one["Body"] for one in bodies if one["Msg"] == "ES_MESSAGE_SENT"]


def test_send_asks_gateways_lazily_and_signs(connector: Simulator, app: Deskbridge) -> None:
    app.answer = gateways_answer
    told = connector.control("send", {"from": "+420700000000", "text": "Call me", "SubjectField": "s"})
    assert (told["http_status"], told["message_id"]) == (200, MESSAGE)
    first, second = app.requests
    assert (first["body"]["Msg"], first["body"]["Body"]) == ("ES_SL_GETGATEWAYS", None)
    content = second["body"]["Body"]
    assert (content["GatewayId"], content["RemoteAddress"], content["BodyText"]) == (
        GATEWAY,
        "+420700000000",
        "Call me",
    )
    assert (content["Direction"], content["SubjectField"]) == ("I", "s")
    headers = second["headers"]
    expected = signature(
        SECRET.encode(),
        string_to_sign(
            "POST",
            "/v1/frontstage/gw-demo/messages",
            "",
            headers["X-FS-Time"],
            headers["X-FS-Nonce"],
            second["raw"],
        ),
    )
    assert (headers["X-FS-Key"], headers["X-FS-Signature"]) == ("k1", expected)


def test_send_spoils_and_repeats(connector: Simulator, app: Deskbridge) -> None:
    app.answer = gateways_answer
    base = {"gateway_id": GATEWAY, "omit": ["RemoteAddress"], "BodyText": 5}
    connector.control("send", {**base, "unsigned": True})
    connector.control("send", {**base, "old_time": True})
    connector.control("send", {**base, "same_nonce": True, "repeat": 1})
    unsigned, old, third, fourth = app.requests
    assert "RemoteAddress" not in unsigned["body"]["Body"]
    assert unsigned["body"]["Body"]["BodyText"] == 5
    assert "X-FS-Signature" not in unsigned["headers"]
    assert int(old["headers"]["X-FS-Time"]) < time.time() - 300
    nonces = {one["headers"]["X-FS-Nonce"] for one in (old, third, fourth)}
    assert len(nonces) == 1
    assert third["body"] == fourth["body"]


def test_push_is_acknowledged_by_webhook_by_default(connector: Simulator, app: Deskbridge) -> None:
    app.answer = gateways_answer
    answer = push(connector)
    assert (answer.status_code, answer.json()) == (200, {"Messages": []})
    (body,) = until(lambda: acks(app), "ES_MESSAGE_SENT")
    assert (body["Id"], body["RefId"], body["Reference"], body["Data"]) == (MESSAGE, GATEWAY, None, None)
    (record,) = connector.control(f"pushes?message_id={MESSAGE}")
    assert (record["signature"], record["seen"], record["attempt"], record["answered"]) == ("ok", 1, 1, 200)
    assert push(connector, wrong_signature=True).status_code == 200
    assert push(connector, sent_time="2026-01-01T00:02:00Z").status_code == 200
    records = connector.control("pushes")
    assert [(one["signature"], one["seen"], one["attempt"]) for one in records] == [
        ("ok", 1, 1),
        ("wrong signature", 2, 1),
        ("ok", 3, 2),
    ]


def test_mode_reply_error_status_drop_and_back_to_default(connector: Simulator, app: Deskbridge) -> None:
    app.answer = gateways_answer
    connector.control("mode", {"ack": "reply", "reference": "sms-1"})
    (envelope,) = push(connector).json()["Messages"]
    assert (envelope["Msg"], envelope["Body"]["Reference"], envelope["Body"]["Data"]) == (
        "ES_MESSAGE_SENT",
        "sms-1",
        None,
    )
    connector.control("mode", {"ack": "error:550 mailbox full", "ack_twice": True})
    push(connector)
    until(lambda: len(acks(app)) == 2, "two acknowledgements")
    assert [one["Data"] for one in acks(app)] == ["550 mailbox full"] * 2
    connector.control("mode", {"http_status": 503, "times": 1})
    assert push(connector).status_code == 503
    assert connector.control("mode")["http_status"] == 200
    connector.control("mode", {"drop": True, "match": "70000"})
    with pytest.raises(requests.ConnectionError):
        push(connector)
    connector.control("mode", {"drop": True, "match": "somebody else"})
    assert push(connector).status_code == 200
    until(lambda: len(acks(app)) == 3, "the acknowledgement of the default mode")
    connector.control("mode", {"ack": "none"})
    assert push(connector).json() == {"Messages": []}
    answered = [(one["answered"], one["ack"]) for one in connector.control("pushes")]
    assert answered[-4:] == [(503, "none"), ("dropped", "none"), (200, "webhook"), (200, "none")]
    assert len(acks(app)) == 3
    assert "'ack' must be" in connector.control("mode", {"ack": "perhaps"}, status=400)["error"]


def test_mode_hold_reverses_acknowledgements(connector: Simulator, app: Deskbridge) -> None:
    app.answer = gateways_answer
    connector.control("mode", {"hold": 2})
    first, second = MESSAGE, MESSAGE.replace("6", "7")
    push(connector, message_id=first)
    push(connector, message_id=second)
    until(lambda: len(acks(app)) == 2, "two acknowledgements")
    assert [one["Id"] for one in acks(app)] == [second, first]


def test_ack_and_raw(connector: Simulator, app: Deskbridge) -> None:
    app.answer = gateways_answer
    connector.control("ack", {"message_id": MESSAGE, "error": "", "reference": "x"})
    (body,) = acks(app)
    assert (body["RefId"], body["Data"], body["Reference"]) == (GATEWAY, "", "x")
    app.answer = lambda request: (418, {"Error": {}})
    told = connector.control("raw", {"method": "GET", "path": "/events?after=41&max=10"})
    assert (told["http_status"], told["answer"]) == (418, {"Error": {}})
    assert app.requests[-1]["path"] == "/v1/frontstage/gw-demo/events?after=41&max=10"
    connector.control("raw", {"body": "{", "path_suffix": "/ES_MESSAGE_SENT"})
    assert (app.requests[-1]["path"], app.requests[-1]["raw"]) == (
        "/v1/frontstage/gw-demo/messages/ES_MESSAGE_SENT",
        b"{",
    )
