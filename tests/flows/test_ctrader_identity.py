"""Who a user of cTrader's app is: both options over the real stack, with cTrader's backend played by the simulator."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.flows.conftest import CALL_SECONDS, Bridge, Simulator, until

FUNCTIONS = (
    "ctrader-crm-token",
    "ctrader-onetime-authorize",
    "ctrader-authorize",
    "ctrader-onetime-generate",
    "ctrader-logout",
    "ctrader-session",
    "operator-ctrader",
)
OPTIONS = ("sso", "handoff")


class Brand:
    """A brand of the demo tenant, seen from its screens."""

    def __init__(self, bridge: Bridge, option: str) -> None:
        self.bridge, self.option = bridge, option
        self.simulator = Simulator(bridge.info["simulators"]["ctrader"])
        self.info = bridge.info["accounts"]["ctrader"][option]
        # The one brand is told from the other by the host alone; which name a machine knows for itself does not matter.
        self.host = urlsplit(self.info["origin"]).netloc
        self.url = bridge.info["origin"]

    def token(self) -> str:
        return self.simulator.post("token", option=self.option)["token"]

    def exchange(self, token: Any, nonce: str | None = None, **members: Any) -> requests.Response:
        body = {"token": token, "nonce": nonce or secrets.token_urlsafe(18), "screen": "chat", **members}
        url = f"{self.url}/inapp/api/session"
        return requests.post(url, json=body, headers={"Host": self.host}, timeout=CALL_SECONDS)


@pytest.fixture(params=OPTIONS)
def brand(bridge: Bridge, request: pytest.FixtureRequest) -> Iterator[Brand]:
    brand = Brand(bridge, request.param)
    yield brand
    brand.simulator.drop_faults()
    brand.simulator.post("limit", calls=None)


@pytest.fixture
def sso(bridge: Bridge) -> Brand:
    return Brand(bridge, "sso")


@pytest.fixture
def handoff(bridge: Bridge) -> Iterator[Brand]:
    brand = Brand(bridge, "handoff")
    yield brand
    brand.simulator.drop_faults()
    brand.simulator.post("limit", calls=None)


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_control_in_the_app_opens_a_session(brand: Brand) -> None:
    opened = brand.simulator.post("open", option=brand.option, screen="chat", params={"lang": "pt-BR", "theme": "dark"})
    address = urlsplit(opened["url"])
    assert (address.path, f"{address.scheme}://{address.netloc}") == ("/inapp/chat", brand.info["origin"])
    # As the page does: percent-decoded once, `+` as it is.
    query = parse_qs(address.query.replace("+", "%2B"))
    answer = brand.exchange(query["token"][0], params={"lang": query["lang"][0], "theme": query["theme"][0]})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["expiresIn"], told["lang"]) == (1800, "pt")
    assert told["context"] == {"screen": "chat", "params": {"source": "Web", "theme": "dark"}}
    assert told["successUrl"] == f"{brand.info['origin']}/callback/success"
    assert told["user"]["displayName"] == {"sso": "Inés Vega", "handoff": "ines.v@example.com"}[brand.option]
    assert answer.headers["Cache-Control"] == "no-store"


def test_of_fifty_parallel_exchanges_one_wins(brand: Brand) -> None:
    token = brand.token()
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: brand.exchange(token), range(50)))
    outcomes = sorted(answer.status_code for answer in answers)
    assert outcomes == [200] + [401] * 49, outcomes
    assert {code(answer) for answer in answers if answer.status_code != 200} == {(401, "token_invalid")}


def test_same_page_gets_its_session_again(brand: Brand) -> None:
    token, nonce = brand.token(), secrets.token_urlsafe(18)
    first, again = brand.exchange(token, nonce), brand.exchange(token, nonce)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert code(brand.exchange(token)) == (401, "token_invalid")


def test_token_of_one_brand_opens_nothing_at_another(sso: Brand, handoff: Brand) -> None:
    token = sso.token()
    assert code(handoff.exchange(token)) == (401, "token_invalid")
    assert sso.exchange(token).status_code == 200


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (None, "token_missing"),
        ("", "token_missing"),
        ("a\u0000", "token_malformed"),
        ("x" * 2049, "token_malformed"),
        (["a", "b"], "token_duplicate"),
    ],
)
def test_token_that_cannot_be_one_is_told(sso: Brand, token: Any, said: str) -> None:
    assert code(sso.exchange(token)) == (400, said)


@pytest.mark.parametrize(
    ("fault", "status", "said", "metric"),
    [
        ({"status": 401, "times": 2}, 502, "identity_unavailable", "Unauthorised"),
        ({"status": 403, "times": 2}, 502, "identity_unavailable", "Unauthorised"),
        ({"status": 429, "envelope": "nested"}, 503, "identity_busy", "IdentityBusy"),
        ({"status": 400, "envelope": "text"}, 502, "identity_unavailable", "IdentityUnavailable"),
        ({"status": 500, "times": 2}, 502, "identity_unavailable", "IdentityUnavailable"),
        ({"drop": True, "times": 2}, 502, "identity_unavailable", "IdentityUnavailable"),
        ({"delay_ms": 4000}, 504, "identity_timeout", "IdentityTimeout"),
        ({"status": 500, "effect": True}, 401, "token_invalid", "PossiblySpent"),
    ],
    ids=["401", "403", "429", "400", "500", "reset", "slow", "possibly spent"],
)
def test_what_ctrader_answers_is_told_by_the_table(
    handoff: Brand, fault: dict[str, Any], status: int, said: str, metric: str
) -> None:
    def counted() -> int:
        return sum(f'"{metric}":1.0' in line for line in handoff.bridge.stack.logs("ctrader-session"))

    before = counted()
    handoff.simulator.post("faults", **{"path": "inAppToken/redeem", **fault})
    assert code(handoff.exchange(handoff.token())) == (status, said)
    until(lambda: counted() == before + 1, 20, f"{metric} is counted once")


def test_one_failure_of_ctrader_is_got_over(handoff: Brand) -> None:
    handoff.simulator.post("faults", path="inAppToken/redeem", status=503)
    assert handoff.exchange(handoff.token()).status_code == 200


def test_manager_s_token_is_refreshed_once_when_it_died(handoff: Brand) -> None:
    assert handoff.exchange(handoff.token()).status_code == 200
    handoff.simulator.post("faults", path="inAppToken/redeem", status=401)
    assert handoff.exchange(handoff.token()).status_code == 200


def test_limited_token_can_be_tried_again(handoff: Brand) -> None:
    assert handoff.exchange(handoff.token()).status_code == 200
    token = handoff.token()
    handoff.simulator.post("limit", calls=0)
    busy = handoff.exchange(token)
    assert code(busy) == (503, "identity_busy")
    assert busy.headers["Retry-After"] == "5"
    handoff.simulator.post("limit", calls=None)
    assert handoff.exchange(token).status_code == 200


def test_login_at_the_broker_lasts_until_logout(sso: Brand) -> None:
    stack, account = sso.bridge.stack, sso.info["account"]
    user = 40000000 + secrets.randbelow(1000000)
    login = {"action": "login", "account": account, "userId": user, "stayLoggedIn": True}
    given = stack.invoke("operator-ctrader", login)
    assert given["expiresIn"] == 60

    def ask(path: str, body: Any = None, **query: str) -> tuple[int, Any]:
        answer = sso.simulator.post("ask", path=path, body=body, query=query)
        return answer["status"], answer["body"]

    status, told = ask("onetime/authorize", {"code": given["token"]})
    assert (status, told["userId"]) == (200, user)
    access = told["accessToken"]
    assert ask("onetime/authorize", {"code": given["token"]})[0] == 404
    for _ in range(2):
        assert ask("authorize", {"accessToken": access}) == (200, {"userId": user})
    status, told = ask("onetime/generate", {"userId": str(user)})
    assert status == 200
    session = sso.exchange(told["token"])
    assert session.status_code == 200
    assert ask("onetime/authorize", {"code": told["token"]}) == (200, {"userId": user}), "a right of its own"
    assert ask("logout", userId=str(user), accessToken=access)[0] == 200
    assert ask("authorize", {"accessToken": access})[0] == 404
    assert ask("onetime/generate", {"userId": 1})[0] == 404


def test_backend_without_a_good_crm_token_is_refused(sso: Brand) -> None:
    for path in ("onetime/authorize", "authorize", "onetime/generate", "logout"):
        for token in (None, "wrong"):
            answer = sso.simulator.post("ask", path=path, body={}, crmApiToken=token)
            assert (answer["status"], answer["body"]["code"]) == (403, "CH_CLIENT_AUTH_FAILURE")


def test_endpoints_of_a_brand_with_handoff_are_not_there(handoff: Brand) -> None:
    url = f"{handoff.url}/oauth2/crmApiToken"
    answer = requests.post(url, json={"password": "x"}, headers={"Host": handoff.host}, timeout=CALL_SECONDS)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


def test_no_token_name_or_address_is_in_any_log(sso: Brand, handoff: Brand) -> None:
    stack = sso.bridge.stack
    user = 50000000 + secrets.randbelow(1000000)
    name, mail = f"Canary {secrets.token_hex(6)}", f"canary-{secrets.token_hex(6)}@example.com"
    login = {"action": "login", "account": sso.info["account"], "userId": user, "name": name, "email": mail}
    code_ = stack.invoke("operator-ctrader", {**login, "stayLoggedIn": True})["token"]
    told = sso.simulator.post("ask", path="onetime/authorize", body={"code": code_})["body"]
    handoff.simulator.post("users", userId=user, email=mail)
    one, two = sso.simulator.post("token", option="sso", userId=user), handoff.simulator.post("token", option="handoff", userId=user)
    canaries = [name, mail, code_, told["accessToken"], one["token"], two["token"]]
    for brand, token in ((sso, one["token"]), (handoff, two["token"])):
        nonce = secrets.token_urlsafe(18)
        opened = brand.exchange(token, nonce)
        assert opened.status_code == 200, opened.text
        canaries += [nonce, opened.json()["session"]]
    # What goes wrong is logged more than what goes right.
    handoff.simulator.post("faults", path="inAppToken/redeem", status=400)
    third = handoff.token()
    assert handoff.exchange(third).status_code == 502
    canaries.append(third)

    def logged() -> bool:
        return any("400" in line for line in stack.logs("ctrader-session"))

    until(logged, 20, "the failure is in the log")
    lines = "\n".join(line for function in FUNCTIONS for line in stack.logs(function))
    for canary in canaries:
        assert canary not in lines
