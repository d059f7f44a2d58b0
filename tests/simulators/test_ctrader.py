"""Self tests of the cTrader simulator: expected values are literals of the contract, a small server stands in for the broker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.simulators.test_simulators import Deskbridge, Simulator

# MD5 of "password", which is well known.
HASHED = "5f4dcc3b5aa765d61d8327deb882cf99"


class Ctrader(Simulator):
    """The running simulator, as brokers and people call it."""

    def post(self, path: str, /, **body: Any) -> requests.Response:
        return requests.post(f"{self.url}/_sim/{path}", json=body, timeout=10)

    def manager(self, hashed: str = HASHED, login: int = 1007) -> requests.Response:
        body = {"login": login, "hashedPassword": hashed}
        return requests.post(f"{self.url}/v2/webserv/managers/token", json=body, timeout=10)

    def redeem(self, manager: str, token: str) -> requests.Response:
        url = f"{self.url}/cid/ctid2/inAppToken/redeem"
        return requests.post(url, params={"token": manager}, json={"token": token}, timeout=10)


@pytest.fixture
def broker() -> Iterator[Deskbridge]:
    broker = Deskbridge()
    yield broker
    broker.server.shutdown()
    broker.server.server_close()


@pytest.fixture
def simulator(broker: Deskbridge) -> Iterator[Ctrader]:
    brokers = ["--broker", broker.url, "--handoff-broker", "http://localhost:9000"]
    passwords = ["--crm-password", "t9#Mistral-Copper-21", "--manager-password", "password"]
    simulator = Ctrader("ctrader", *brokers, *passwords)
    yield simulator
    simulator.stop()


def test_token_is_redeemed_once_by_whoever_has_the_manager_s(simulator: Ctrader) -> None:
    assert simulator.manager("0" * 32).status_code == 403
    assert simulator.manager(login=1).status_code == 403
    manager = simulator.manager().json()["webservToken"]
    assert simulator.manager().json()["webservToken"] == manager, "asked again it is the same"
    token = simulator.post("token", option="handoff").json()["token"]
    assert simulator.redeem("wrong", token).status_code == 401
    answer = simulator.redeem(manager, token)
    assert (answer.status_code, answer.json()) == (
        200,
        {"userId": 31550462, "email": "ines.v@example.com", "tradingLogin": 5207718},
    )
    assert simulator.redeem(manager, token).status_code == 404


def test_older_call_redeems_too(simulator: Ctrader) -> None:
    manager = simulator.manager().json()["webservToken"]
    token = simulator.post("token", option="handoff").json()["token"]
    query = {"token": manager, "inAppToken": token}
    url = f"{simulator.url}/cid/ctid2/inAppOneTimeToken/data"
    assert requests.get(url, params=query, timeout=10).json()["userId"] == 31550462
    assert requests.get(url, params=query, timeout=10).status_code == 404


def test_token_that_is_over_is_not_redeemed(simulator: Ctrader) -> None:
    manager = simulator.manager().json()["webservToken"]
    token = simulator.post("token", option="handoff", ttl_seconds=0).json()["token"]
    assert simulator.redeem(manager, token).status_code == 404


def test_manager_s_token_dies_with_the_password(simulator: Ctrader) -> None:
    manager = simulator.manager().json()["webservToken"]
    simulator.post("manager", password="changed")
    token = simulator.post("token", option="handoff").json()["token"]
    assert simulator.redeem(manager, token).status_code == 401
    assert simulator.manager().status_code == 403


def test_limit_counts_what_is_not_get(simulator: Ctrader) -> None:
    manager = simulator.manager().json()["webservToken"]
    simulator.post("limit", calls=1)
    token = simulator.post("token", option="handoff").json()["token"]
    assert simulator.redeem(manager, "wrong").status_code == 404
    limited = simulator.redeem(manager, token)
    assert (limited.status_code, limited.json()["errorCode"]) == (429, "REQUEST_FREQUENCY_EXCEEDED")
    simulator.post("limit", calls=None)
    assert simulator.redeem(manager, token).status_code == 200


def test_backend_of_sso_authenticates_and_asks_for_a_token(simulator: Ctrader, broker: Deskbridge) -> None:
    def answer(request: dict[str, Any]) -> tuple[int, Any]:
        if request["path"] == "/oauth2/crmApiToken":
            return 200, {"crmApiToken": "crm-1"}
        return 200, {"token": "Jm4c0TQy8hUu2VnEoWbS1x"}

    broker.answer = answer
    opened = simulator.post("open", option="sso", screen="action", params={"actionParams": '{"a":"b c+d"}'}).json()
    assert opened["url"] == (
        f"{broker.url}/inapp/action?token=Jm4c0TQy8hUu2VnEoWbS1x&actionParams=%7B%22a%22%3A%22b%20c%2Bd%22%7D"
    )
    assert [request["path"] for request in broker.requests] == [
        "/oauth2/crmApiToken",
        "/oauth2/onetime/generate?crmApiToken=crm-1",
    ]
    assert [request["body"] for request in broker.requests] == [{"password": "t9#Mistral-Copper-21"}, {"userId": 31550462}]


def test_ribbons_are_taken_as_a_whole(simulator: Ctrader) -> None:
    manager = simulator.manager().json()["webservToken"]
    url = f"{simulator.url}/cid/oauth2/ctid/inAppControls"
    ribbon = {"color": "#1f6feb", "title": "Done", "enabled": True, "closable": True, "action": {"urlinApp": "https://a"}}

    def put(body: dict[str, Any], token: str = manager) -> int:
        return requests.put(url, params={"token": token}, json=body, timeout=10).status_code

    whole = {"brokerCrmName": "demo", "userId": 31550462, "rules": {"ribbons": [ribbon]}}
    assert put(whole) == 201
    for wrong in ({**whole, "brokerCrmName": "Demo"}, {**whole, "userId": "x"}, {**whole, "rules": {"ribbons": [{}]}}):
        assert put(wrong) == 400
    assert put(whole, "wrong") == 401
    state = requests.get(f"{simulator.url}/_sim/state", timeout=10).json()
    assert state["ribbons"] == {"31550462": {"ribbons": [ribbon]}}
    assert put({**whole, "rules": {}}) == 201
    assert requests.get(f"{simulator.url}/_sim/state", timeout=10).json()["ribbons"] == {"31550462": {}}


def test_faults_act_on_the_platform_s_side(simulator: Ctrader) -> None:
    manager = simulator.manager().json()["webservToken"]
    token = simulator.post("token", option="handoff").json()["token"]
    simulator.post("faults", path="redeem", status=500, effect=True, envelope="nested")
    broken = simulator.redeem(manager, token)
    assert (broken.status_code, broken.json()["error"]["errorCode"]) == (500, "UNKNOWN_ERROR")
    assert simulator.redeem(manager, token).status_code == 404, "it took effect"


def test_app_s_page_frames_the_brokers_and_nobody_frames_it(simulator: Ctrader, broker: Deskbridge) -> None:
    page = requests.get(f"{simulator.url}/_sim/app", timeout=10)
    assert page.status_code == 200
    policy = page.headers["Content-Security-Policy"]
    assert f"frame-src {broker.url} http://localhost:9000" in policy
    assert "frame-ancestors 'none'" in policy
    for name in ("page.js", "page.css"):
        assert requests.get(f"{simulator.url}/_sim/app/{name}", timeout=10).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [("token", {"option": "both"}), ("open", {"option": "handoff", "screen": "trade"}), ("token", {"optoin": "sso"})],
)
def test_wrong_control_is_told(simulator: Ctrader, path: str, body: dict[str, Any]) -> None:
    assert simulator.post(path, **body).status_code == 400
