"""A business connects, is activated, talks, and stops: over the real stack, with a browser that keeps cookies.

The second app of the demo tenant, `vcita/salon`, has no channel at first. Each test connects a business of its own.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.flows.conftest import CALL_SECONDS, Bridge, until


class Browser:
    """Follows redirects by hand and keeps the one cookie, which a plain http client would not send back."""

    def __init__(self) -> None:
        self.cookie: str | None = None

    def get(self, url: str, method: str = "GET") -> requests.Response:
        headers = {"Cookie": self.cookie} if self.cookie else {}
        answer = requests.request(method, url, headers=headers, allow_redirects=False, timeout=CALL_SECONDS)
        if "Set-Cookie" in answer.headers:
            self.cookie = answer.headers["Set-Cookie"].split(";")[0]
        return answer

    def connect(self, url: str, business: str) -> requests.Response:
        """From the landing page over vcita's authorization page back to us."""
        landed = self.get(f"{url}?business_uid={business}&staff_role=admin")
        assert landed.status_code == 302, landed.text
        allowed = self.get(landed.headers["Location"])
        assert allowed.status_code == 302, allowed.text
        return self.get(allowed.headers["Location"])


class Salon:
    """The second app, with as many businesses as a test wants."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self.stack = bridge.stack
        self.url = bridge.info["accounts"]["salon"]["connect"]
        self.base = bridge.info["accounts"]["salon"]["base"]

    def configure(self, key: str, business: str, **settings: Any) -> str:
        """Another account of the app."""
        document = self.stack.demo_document()
        vcs = self.bridge.info["simulators"]["vcita"]
        account = {"business_uid": business, "app": "salon", "api_base": vcs, "token_source": "oauth", **settings}
        document["accounts"] = [{"platform": "vcita", "key": key, "settings": account}]
        assert self.stack.invoke("operator-configure", document) == {"configured": [f"vcita/{key}"]}
        return f"vcita/{key}"

    def route(self, account: str, gateway: str = "frontstage/gw-demo") -> None:
        """New conversations of the gateway go to the account."""
        document = self.stack.demo_document()
        document["accounts"] = []
        document["tenant"]["routes"].insert(0, {"when": {"account": gateway}, "desk": account})
        assert self.stack.invoke("operator-configure", document) == {"configured": []}
        # Whoever has read the routes keeps them for four minutes; a new process has read none.
        self.stack.update_code("frontstage-messages")

    def status(self, account: str) -> dict[str, Any]:
        told = self.stack.invoke("operator-vcita", {"action": "status", "account": account})
        assert "error" not in told, told
        return told

    def channel(self, account: str, status: str, seconds: float = 20) -> str:
        """The channel's uid, once it has this status."""
        def found() -> str | None:
            channel = self.status(account)["channel"]
            return channel["uid"] if channel and channel["status"] == status else None

        return until(found, seconds, f"channel of {account} {status}")

    def event(self, entity: str, kind: str, **data: Any) -> requests.Response:
        body = {"entity_name": entity, "event_type": kind, "data": {**data, "event_time": secrets.token_hex(4)}}
        return requests.post(f"{self.base}/events", json=body, timeout=CALL_SECONDS)

    def channels_at_vcita(self, business: str) -> list[dict[str, Any]]:
        return [one for one in self.bridge.vcs.get("state")["channels"] if one["business_uid"] == business]


@pytest.fixture
def salon(bridge: Bridge) -> Iterator[Salon]:
    yield Salon(bridge)
    bridge.vcs.post("consent")
    bridge.stack.invoke("operator-configure", bridge.stack.demo_document())


@pytest.fixture
def business(salon: Salon) -> tuple[str, str]:
    """A business that nobody else uses, with its account; its staff are logged in at vcita."""
    uid = secrets.token_hex(8)
    account = salon.configure(f"b-{uid[:8]}", uid)
    salon.bridge.vcs.post("consent", business=uid)
    return uid, account


def test_business_is_connected_activated_and_answered(salon: Salon, business: tuple[str, str], address: str, words: Any):
    uid, account = business
    salon.route(account)
    early = words("before the business connected")
    message_id = salon.bridge.send(address, early)["message_id"]
    until(lambda: salon.bridge.delivery(message_id, account)["state"] == "parked", 20, "the message waits")

    page = Browser().connect(salon.url, uid)
    assert page.status_code == 200, page.text
    assert "Connected" in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    channel = salon.channel(account, "active")
    assert [one["uid"] for one in salon.channels_at_vcita(uid)] == [channel]
    assert salon.status(account)["grant"]["is_held"] is True

    # What was written before arrives now, and staff of the business answer over the app's one URL.
    session_uid = salon.bridge.wait_injected(early, 60)["session_uid"]
    answer = words("from the salon")
    salon.bridge.staff(session_uid, answer)
    salon.bridge.wait_pushes(answer)


def test_state_counts_once_and_in_one_browser(salon: Salon, business: tuple[str, str]):
    uid, account = business
    browser = Browser()
    landed = browser.get(f"{salon.url}?business_uid={uid}")
    back = browser.get(landed.headers["Location"]).headers["Location"]
    assert Browser().get(back).status_code == 400
    assert browser.get(back, "HEAD").status_code == 200
    assert browser.get(back).status_code == 200
    again = browser.get(back)
    assert (again.status_code, "does not count" in again.text) == (400, True)
    assert len(salon.channels_at_vcita(uid)) == 1


def test_connecting_again_and_at_the_same_time_makes_one_channel(salon: Salon, business: tuple[str, str]):
    uid, account = business
    with ThreadPoolExecutor(4) as pool:
        pages = list(pool.map(lambda _: Browser().connect(salon.url, uid).status_code, range(4)))
    assert 200 in pages
    assert set(pages) <= {200, 409}
    assert Browser().connect(salon.url, uid).status_code == 200
    assert len(salon.channels_at_vcita(uid)) == 1


def test_other_business_unknown_business_and_denial_store_nothing(salon: Salon, business: tuple[str, str]):
    uid, account = business
    assert Browser().get(f"{salon.url}?business_uid=nobody").status_code == 404
    revoked = salon.bridge.vcs.get("state")["revoked"]
    salon.bridge.vcs.post("consent", business="an0therbus1ness0")
    assert Browser().connect(salon.url, uid).status_code == 409
    assert salon.bridge.vcs.get("state")["revoked"] == revoked + 1
    salon.bridge.vcs.post("consent", business=uid, mode="deny")
    assert Browser().connect(salon.url, uid).status_code == 403
    told = salon.status(account)
    assert (told["channel"], told["activation"], told["grant"]["is_held"]) == (None, None, False)


def test_without_an_id_token_the_business_comes_from_userinfo(salon: Salon, business: tuple[str, str]):
    uid, account = business
    salon.bridge.vcs.post("consent", business=uid, id_token=False)
    assert Browser().connect(salon.url, uid).status_code == 200
    salon.channel(account, "active")


def test_channel_that_is_not_activated_is_asked_once_and_reported(salon: Salon, business: tuple[str, str]):
    uid, account = business
    salon.configure(account.split("/")[1], uid, activation_timeout_seconds=1)
    salon.bridge.vcs.post("activation", mode="never")
    page = Browser().connect(salon.url, uid)
    assert (page.status_code, "waiting for activation" in page.text) == (200, True)

    def asked() -> int:
        salon.stack.invoke("vcita-upkeep", {})
        channel = salon.status(account)["channel"]["uid"]
        log = salon.bridge.vcs.get("requests", method="PUT", path=f"/channels/{channel}$")
        return len(log)

    until(lambda: asked() == 1, 20, "V2")
    until(lambda: asked() and salon.status(account)["activation"]["phase"] == "unanswered", 20, "the operator is told")
    assert asked() == 1


def test_fallback_activates_a_channel(salon: Salon, business: tuple[str, str]):
    uid, account = business
    salon.configure(account.split("/")[1], uid, activation_timeout_seconds=1)
    salon.bridge.vcs.post("activation", mode="manual")
    assert Browser().connect(salon.url, uid).status_code == 200

    def active() -> bool:
        salon.stack.invoke("vcita-upkeep", {})
        return salon.status(account)["channel"]["status"] == "active"

    until(active, 20, "active after V2")


def test_business_that_uninstalls_is_removed_and_can_come_back(salon: Salon, business: tuple[str, str]):
    uid, account = business
    assert Browser().connect(salon.url, uid).status_code == 200
    channel = salon.channel(account, "active")
    assert salon.event("application", "uninstalled", business_id=uid, app_code_name="salon").status_code == 204
    assert salon.status(account)["channel"] == {"uid": channel, "status": "deleted"}

    def removed() -> bool:
        salon.stack.invoke("vcita-upkeep", {})
        return salon.status(account)["activation"]["phase"] == "closed"

    until(removed, 20, "removed at vcita")
    assert [one["status"] for one in salon.channels_at_vcita(uid)] == ["deleted"]
    assert salon.status(account)["grant"] == {
        "kind": "business", "is_held": False, "expires_at": None, "refused": "the business was disconnected",
    }
    assert Browser().connect(salon.url, uid).status_code == 200
    assert salon.channel(account, "active") != channel


def test_operator_disconnects_registers_and_subscribes(salon: Salon, business: tuple[str, str]):
    uid, account = business
    assert Browser().connect(salon.url, uid).status_code == 200
    salon.channel(account, "active")
    done = salon.stack.invoke("operator-vcita", {"action": "disconnect", "account": account})
    assert done == {"disconnected": account, "is_new": True}
    assert salon.status(account)["channel"]["status"] == "deleted"

    made = salon.stack.invoke(
        "operator-vcita",
        {
            "action": "register",
            "account": "vcita/fresh",
            "base": "https://chat.example",
            "name": "Fresh chat",
            "app_code_name": "freshchat",
            "directory_token": directory_token(salon),
            "api_base": salon.bridge.info["simulators"]["vcita"],
        },
    )
    assert made["redirect_uri"] == "https://chat.example/vcita/fresh/connect"
    assert made["api_uri"] == "https://chat.example/vcita/fresh/" + made["secrets"]["url_secrets"][0]
    form = next(one for one in salon.bridge.vcs.get("state")["apps"] if one["app_code_name"] == "freshchat")["form"]
    assert (form["app_type"], form["trusted"], form["open_channel"]) == (["communication"], False, False)

    events = {"action": "subscribe", "account": "vcita/salon", "base": salon.url.split("/vcita/")[0]}
    first = salon.stack.invoke("operator-vcita", events)
    assert [one["event"] for one in first["subscribed"]] == ["application/installed", "application/uninstalled"]
    again = salon.stack.invoke("operator-vcita", events)
    assert [one["is_new"] for one in again["subscribed"]] == [False, False]
    targets = {one["target_url"] for one in salon.bridge.vcs.get("state")["subscriptions"]}
    assert targets == {f"{salon.base}/events"}
    ended = salon.stack.invoke("operator-vcita", {**events, "action": "unsubscribe"})
    assert ended["unsubscribed"] == [{"event": "application/installed"}, {"event": "application/uninstalled"}]
    assert salon.bridge.vcs.get("state")["subscriptions"] == []
    log = "\n".join(salon.stack.logs("operator-vcita"))
    assert not any(secret in log for secret in (made["secrets"]["client_secret"], made["secrets"]["url_secrets"][0]))


def test_operator_assigns_and_installs_the_app(salon: Salon, business: tuple[str, str]):
    uid, account = business
    common = {"account": "vcita/salon", "directory_token": directory_token(salon)}
    assign = {"action": "assign", "assignee_type": "business", "assignee_uid": uid, "assignment_mode": "internal", **common}
    assert salon.stack.invoke("operator-vcita", assign) == {"assigned": "salon", "to": uid}
    install = {"action": "install", "business_uid": uid, **common}
    assert salon.stack.invoke("operator-vcita", install) == {"installed": "salon", "for": uid}
    assert [one for one in salon.bridge.vcs.get("state")["assignments"] if uid in one.values()] == [
        {
            "assignee_type": "business", "assignee_uid": uid, "app_code_name": "salon",
            "settings": {"assignment_mode": "internal"},
        },
        {"business_uid": uid, "app_code_name": "salon"},
    ]
    refused = salon.stack.invoke("operator-vcita", {**install, "app_code_name": "nobodys"})
    assert refused["error"]["code"] == "refused"
    # What it was given is in no log.
    assert common["directory_token"] not in "\n".join(salon.stack.logs("operator-vcita"))


def directory_token(salon: Salon) -> str:
    """Any token that the simulator gave out will do."""
    body = {"service_id": "salon-client", "service_secret": "salon-client-secret"}
    vcs = salon.bridge.info["simulators"]["vcita"]
    return requests.post(f"{vcs}/oauth/service/token", json=body, timeout=CALL_SECONDS).json()["access_token"]


def test_no_token_or_code_is_written_to_a_log(salon: Salon, business: tuple[str, str]):
    uid, account = business
    browser = Browser()
    landed = browser.get(f"{salon.url}?business_uid={uid}")
    (state,) = parse_qs(urlsplit(landed.headers["Location"]).query)["state"]
    back = browser.get(landed.headers["Location"]).headers["Location"]
    assert browser.get(back).status_code == 200
    text = "\n".join(salon.stack.logs("vcita-connect"))
    assert "answered 200" in text
    assert state not in text
    assert salon.bridge.vcs.post("tokens/search", text=text)["found"] == 0
