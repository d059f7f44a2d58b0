"""iAdvize's plugins and webhooks over the real stack, with iAdvize played by the simulator.

The stack is the module's own, as its AWS operations are counted.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.flows.conftest import CALL_SECONDS, Bridge, Simulator, calm_bridge, running_stack, until
from tests.flows.test_ledger import READS, SENDS, WRITES
from tests.simulators.iadvize_calls import FAULTS
from tests.stack.stack import plain

ACCOUNT = "iadvize/shop"
PLUGINS = ("iadvize-options", "iadvize-customer", "iadvize-customer-action", "iadvize-closing-form", "iadvize-webhook")
OF_BODY = {"reserialised_body", "escaped_body", "base64_body"}
OF_QUERY = {"reordered_query", "reencoded_query", "longer_query"}
NOT_SIGNED = {"error": {"code": "unauthorized", "message": "not signed by iAdvize"}}


class Site:
    """The demo site, seen from iAdvize."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge, self.stack = bridge, bridge.stack
        self.simulator = Simulator(bridge.info["simulators"]["iadvize"])
        self.secret = bridge.info["accounts"]["iadvize"]["secret"]

    def call(self, name: str, /, **more: Any) -> dict[str, Any]:
        """One call; whatever is answered must be as the contract says."""
        answer = self.simulator.post(f"call/{name}", **more)
        assert answer["valid"], answer
        return answer

    def good(self, name: str, /, **more: Any) -> Any:
        """The body of an answer that must be good."""
        answer = self.call(name, **more)
        assert answer["status"] == 200, answer
        assert answer["headers"]["Content-Type"] == "application/json; charset=utf-8"
        return answer["body"]

    def card(self, **params: Any) -> list[dict[str, Any]]:
        """What an agent sees of a customer."""
        return self.good("customer", params=params)

    def click(self, **body: Any) -> Any:
        """What an agent who clicked is told."""
        return self.good("customer-action", body=body)

    def deliver(self, **event: Any) -> list[int]:
        """The statuses of all attempts of a webhook."""
        return [one["status"] for one in self.simulator.post("webhook", event=event)["deliveries"]]

    def stored(self, marker: str = ACCOUNT) -> list[str]:
        """What is stored with a text in it, with everything else about it; for the whole site, unless something else is named."""
        table = self.bridge.info["aws"]["table"]
        pages = self.stack.client("dynamodb").get_paginator("scan").paginate(TableName=table)
        items = (repr(sorted(plain(item).items())) for page in pages for item in page["Items"])
        return sorted(item for item in items if marker in item)

    def operations(self) -> dict[str, list[str]]:
        """What each of the plugins' functions did at AWS since it was last forgotten."""
        done: dict[str, list[str]] = {}
        for one in self.stack.gate.operations():
            if one.function in PLUGINS:
                done.setdefault(one.function, []).append(one.name)
        return done


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A stack whose operations are counted."""
    with running_stack(tmp_path_factory.mktemp("iadvize"), gate=True) as running:
        yield running


@pytest.fixture
def site(counted: Any) -> Iterator[Site]:
    with calm_bridge(counted) as bridge:
        site = Site(bridge)
        site.simulator.post("speed", factor=20)
        site.simulator.post("secret", secret=site.secret)
        yield site


@pytest.fixture
def customer(site: Site) -> dict[str, str]:
    """Somebody who wrote to the demo gateway before, by whom iAdvize knows them."""
    address = f"+4207{secrets.randbelow(10**8):08d}"
    told = site.bridge.send(address, f"before {secrets.token_hex(4)}")
    assert told["http_status"] == 200, told
    names = {"idVisitorExternal": address, "idVisitorUnique": secrets.token_hex(22) + "0"}
    until(lambda: site.card(**names), 20, "the card of somebody who wrote")
    return names


def labels(card: list[dict[str, Any]]) -> dict[str, str]:
    return {one["id"]: one["label"] for one in card}


def test_health_check_is_public_and_reads_nothing(site: Site) -> None:
    assert site.good("health") == {"status": "UP"}
    site.stack.gate.forget()
    assert site.good("health") == {"status": "UP"}
    assert [one for one in site.stack.gate.operations() if one.function == "iadvize-health"] == []


def test_choices_of_an_installation_parameter(site: Site) -> None:
    assert site.good("options", params={"key": "prices"}) == [
        {"label": "Prix TTC", "value": "with_tax"},
        {"label": "Prix HT", "value": "without_tax"},
    ]
    unknown = site.call("options", params={"key": "colours"})
    assert (unknown["status"], unknown["body"]["error"]["code"]) == (404, "not_found")


def test_site_that_is_not_there_is_told(site: Site) -> None:
    for name, params in (("options", {}), ("customer", {}), ("closing-form", {})):
        answer = site.call(name, params={**params, "idWebsite": "ha-1"})
        assert (answer["status"], answer["body"]["error"]["code"]) == (404, "not_found"), name
    # A call that names none is about the only site whose token it is.
    assert site.call("closing-form", params={"idWebsite": None})["status"] == 200


def test_card_of_somebody_who_wrote_before(site: Site, customer: dict[str, str]) -> None:
    card = site.card(**customer, operatorLocale="fr")
    assert labels(card) == {
        "external_id": "Client",
        "last_contact": "Dernier contact",
        "conversation": "Conversation",
        "crm": "Fiche client",
        "OPEN_CASE": "Ouvrir un dossier",
        "CALL_BACK": "Rappeler",
    }
    values = {one["id"]: one["value"] for one in card}
    assert values["external_id"] == customer["idVisitorExternal"]
    assert values["conversation"].endswith("· Messagerie")
    assert values["crm"] == "https://crm.example/c/" + customer["idVisitorExternal"].replace("+", "%2B")
    assert [one["fieldType"] for one in card] == ["TEXT", "TEXT", "TEXT", "URL", "ACTION", "ACTION"]
    assert labels(site.card(**customer, operatorLocale="en_GB"))["last_contact"] == "Last contact"
    answer = site.call("customer", params=customer)
    assert answer["headers"]["Cache-Control"] == "no-store"


def test_card_of_nobody_is_empty(site: Site) -> None:
    assert site.card(idVisitorExternal=secrets.token_hex(8)) == []
    assert site.card(emailVisitor="", idVisitorExternal="", idVisitorUnique="") == []


def test_agent_s_double_click_opens_one_case(site: Site, customer: dict[str, str]) -> None:
    click = {"action": "OPEN_CASE", "idVisitorUnique": customer["idVisitorUnique"], "idConversation": secrets.token_hex(8)}
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: site.click(**click), range(4)))
    assert all(one == told[0] for one in told), told
    assert told[0]["success"] is True
    number = told[0]["message"].removeprefix("Dossier ").removesuffix(" ouvert")
    assert number.isdecimal()
    cases = [one for one in site.card(**customer, operatorLocale="en") if one["label"] == "Case"]
    assert [one["value"].split(" · ")[:2] for one in cases] == [[number, "Open a case"]]


def test_action_that_cannot_be_done_is_told_the_agent(site: Site, customer: dict[str, str]) -> None:
    unknown = site.click(action="FLY", idVisitorUnique=customer["idVisitorUnique"], idConversation="c")
    assert unknown == {"success": False, "message": "Cette action n'est pas disponible."}
    nobody = site.click(action="OPEN_CASE", idVisitorUnique=secrets.token_hex(20), idConversation="c")
    assert nobody == {"success": False, "message": "Ce visiteur n'est pas connu."}
    missing = site.call("customer-action", body={"idVisitorUnique": "x"})
    assert (missing["status"], missing["body"]["error"]["field"]) == (400, "action")
    malformed = site.call("customer-action", body='{"action":')
    assert (malformed["status"], malformed["body"]["error"]["code"]) == (400, "invalid_parameter")


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("fr", ("Sujet", "Commande")),
        ("fr_CA", ("Sujet", "Commande")),
        ("en-GB", ("Topic", "Order")),
        (None, ("Sujet", "Commande")),
        ("xx", ("Sujet", "Commande")),
    ],
)
def test_closing_form_is_in_the_agent_s_language(site: Site, locale: str | None, expected: tuple[str, str]) -> None:
    form = site.good("closing-form", params={"operatorLocale": locale})
    assert (form[0]["label"], form[0]["options"][0]["label"]) == expected
    assert [(one["id"], one.get("idParent"), one["fieldType"], one["isRequired"]) for one in form] == [
        ("topic", None, "SELECT", True),
        ("note", None, "TEXTAREA", False),
        ("make_case", None, "CHECKBOX", False),
        ("case_reason", "make_case", "SELECT", True),
        ("refund", "make_case", "DECIMAL", False),
    ]




def test_webhook_that_comes_twice_is_kept_once(site: Site) -> None:
    event = {"eventId": secrets.token_hex(16), "conversationId": secrets.token_hex(16), "visitorId": secrets.token_hex(16)}
    assert site.deliver(**event) == [200]
    kept = site.stored(event["eventId"])
    assert len(kept) == 1
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: site.deliver(**event), range(4))) == [[200]] * 4
    assert site.stored(event["eventId"]) == kept


def test_webhooks_may_come_out_of_order(site: Site, customer: dict[str, str]) -> None:
    """The end comes before the beginning; from then on the visitor alone is known by the merchant's id."""
    visitor, conversation = secrets.token_hex(22), secrets.token_hex(16)
    common = {"conversationId": conversation, "visitorId": visitor, "visitorExternalId": customer["idVisitorExternal"]}
    closed = {"eventType": "v2.conversation.closed", "operatorIds": [77120], "channel": "CHAT", **common}
    assert site.deliver(eventId=secrets.token_hex(16), createdAt="2026-02-11T08:35:00.101Z", **closed) == [200]
    assert site.deliver(eventId=secrets.token_hex(16), createdAt="2026-02-11T08:30:00.101Z", **common) == [200]
    card = {one["id"]: one["value"] for one in site.card(idVisitorUnique=visitor)}
    assert card["external_id"] == customer["idVisitorExternal"]


def test_webhook_of_an_unknown_kind_is_taken(site: Site) -> None:
    assert site.deliver(eventType="connector.dreamt", eventId=secrets.token_hex(16), colour="red") == [200]


def test_webhook_that_cannot_be_read_is_told_and_tried_three_times(site: Site) -> None:
    told = site.simulator.post("webhook", event='{"eventId": ')["deliveries"]
    assert [one["status"] for one in told] == [400, 400, 400]
    assert {one["body"]["error"]["code"] for one in told} == {"invalid_parameter"}
    refused = site.simulator.post("webhook", fault="wrong_secret")["deliveries"]
    assert [one["status"] for one in refused] == [401, 401, 401]


CALLS: dict[str, Callable[[str], dict[str, Any]]] = {
    "options": lambda mark: {"params": {"key": "prices"}},
    "customer": lambda mark: {"params": {"idVisitorExternal": mark, "idVisitorUnique": mark}},
    "closing-form": lambda mark: {"params": {"operatorLocale": "fr"}},
    "customer-action": lambda mark: {"body": {"action": "OPEN_CASE", "idVisitorUnique": mark, "idConversation": mark}},
    "webhook": lambda mark: {
        "body": {
            "eventId": mark,
            "eventType": "user.connected",
            "createdAt": "2026-02-11T08:30:00Z",
            "projectId": 4821,
            "userId": 7,
        }
    },
}


@pytest.mark.parametrize("name", CALLS)
def test_what_is_not_signed_well_is_refused_and_writes_nothing(site: Site, name: str) -> None:
    is_read = "params" in CALLS[name]("x")
    # Its secrets and accounts are known to the function afterwards: what a refusal costs is then the same each time.
    assert site.call(name, **CALLS[name](secrets.token_hex(16)))["status"] == 200
    faults = [one for one in FAULTS if one not in (OF_BODY if is_read else OF_QUERY)]
    if name == "options":
        # Its query has one parameter: there is no other order.
        faults.remove("reordered_query")
    assert len(faults) >= 13
    before = site.stored()
    assert before, "the site itself is there"
    for fault in faults:
        site.stack.gate.forget()
        answer = site.call(name, **CALLS[name](secrets.token_hex(16)), fault=fault)
        assert (answer["status"], answer["body"]) == (401, NOT_SIGNED), fault
        done = {operation for operations in site.operations().values() for operation in operations}
        assert not done & (WRITES | SENDS), (fault, done)
        assert done <= READS | {"GetParametersByPath", "GetParameter", "GetParameters"}, (fault, done)
    assert site.stored() == before


def test_upper_case_and_parts_beside_what_is_signed_do_not_matter(site: Site) -> None:
    """The query of a POST is not signed (section 4.2, rule 4)."""
    body = {"action": "FLY", "idVisitorUnique": "x", "idConversation": "c"}
    assert site.call("customer-action", params={"x": "1"}, body=body)["status"] == 200


def test_without_a_parameter_nobody_is_harmed(site: Site) -> None:
    for name, members in (
        ("customer", ("idConnectorVersion", "idOperator", "operatorLocale")),
        ("closing-form", ("idConnectorVersion", "idOperator", "operatorLocale")),
        ("options", ("idWebsite",)),
    ):
        for member in members:
            assert site.call(name, params={member: None})["status"] == 200, (name, member)
        assert site.call(name, params={"colour": "red"})["status"] == 200
    for name in ("customer", "closing-form"):
        # Of a parameter that is there twice the first counts.
        assert site.call(name, params={"idWebsite": ["ha-4821", "ha-1"]})["status"] == 200
        assert site.call(name, params={"idWebsite": ["ha-1", "ha-4821"]})["status"] == 404


def test_tokens_rotate_without_a_moment_of_refusal(site: Site) -> None:
    """Old alone, then both, then new alone: each step is done at iAdvize or at ours, and no call is refused."""
    old, new = site.secret, secrets.token_hex(16)

    def asked(secret: str) -> int:
        return site.simulator.post("call/closing-form", secret=secret)["status"]

    try:
        assert (asked(old), asked(new)) == (200, 401)
        site.stack.put_secret(ACCOUNT, {"tokens": [new, old]})
        until(lambda: asked(new) == 200, CALL_SECONDS, "the new token is taken")
        assert asked(old) == 200
        site.stack.put_secret(ACCOUNT, {"tokens": [new]})
        # A token of nobody's makes the function look again, twenty seconds after it last did.
        until(lambda: asked("0" * 32) == 401 and asked(old) == 401, CALL_SECONDS, "the old token is refused")
        assert asked(new) == 200
    finally:
        site.stack.put_secret(ACCOUNT, {"tokens": [old]})
        until(lambda: asked(old) == 200, CALL_SECONDS, "the demo's own token is taken again")
