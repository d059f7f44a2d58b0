"""Forms end to end: a connector that loads and brings back forms, a browser that fills them in, and the team that fetches them.

The stack is one of its own, as that of the chats is.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Simulator, running_stack, until
from .test_chats import Browser, Chats

FORM = "50000000-0000-4000-8000-000000000010"
NAME, MAIL, TOPIC, NEWS = (f"c0000000-0000-4000-8000-{number:012}" for number in range(21, 25))
WEBFORM_RULE = "77777777-7777-4777-8777-777777777778"
"""The form of the demo tenant's chat connector and of its web site, and the rule under which pages show it."""


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chats]:
    """A stack with both sides running."""
    with running_stack(tmp_path_factory.mktemp("forms"), chats=True) as stack:
        yield Chats(stack)


def fetched(chats: Chats, account: str, **more: Any) -> list[dict[str, Any]]:
    """What the team fetches, page by page."""
    results: list[dict[str, Any]] = []
    after = None
    while True:
        event = {"account": account, "max": 2, **more} | ({"after": after} if after else {})
        page = chats.stack.invoke("operator-results", event)
        assert "error" not in page, page
        results += page["results"]
        after = page["next"]
        if after is None:
            return results


def texts(result: dict[str, Any]) -> dict[str, str | None]:
    """The answers in text, by their controls."""
    return {answer["control"]: answer["text"] for answer in result["answers"]}


def test_form_is_loaded_in_the_language_asked_for(chats: Chats) -> None:
    chats.visitor.post("scenario/load", scenario_id=FORM, culture="cs-CZ")
    [loaded] = [one for one in chats.visitor.get("scenarios") if one["ScenarioId"] == FORM]
    assert (loaded["Culture"], loaded["DisplayName"]) == ("cs", "Napište nám")
    assert [control["ScreenControlId"] for control in loaded["Screens"][0]["Controls"]] == [NAME, MAIL, TOPIC, NEWS]
    unknown = chats.visitor.post("scenario/load", scenario_id=WEBFORM_RULE)
    assert unknown["http_status"] == 404
    assert unknown["answer"]["Error"]["Code"] == "UnknownScenario"


def test_registers_are_told_whole(chats: Chats) -> None:
    messages = [
        {"Msg": "ES_WS_ROUTING", "Body": "!ChatLink"},
        {"Msg": "ES_WS_LITERALS_GET", "Body": {"LiteralGroup": 102, "Culture": "cs-CZ"}},
    ]
    replies = chats.visitor.post("batch", messages=messages)["answer"]["Replies"]
    assert [reply["Msg"] for reply in replies] == ["SE_WS_ROUTING", "SE_WS_LITERALS_INFO"]
    assert [rule["ScenarioId"] for rule in replies[0]["Body"]] == [FORM]
    assert [row["LiteralText"] for row in replies[1]["Body"]] == ["Napište nám"]


@pytest.mark.parametrize(("side", "gateway", "via"), [("chat", "gw-chat", "poll"), ("push", "gw-push", "push")])
def test_register_that_has_changed_is_told_to_whoever_asked_for_it(chats: Chats, side: str, gateway: str, via: str) -> None:
    connector = Simulator(chats.stack.info["simulators"][side])
    document = chats.stack.demo_document()
    [account] = [one for one in document["accounts"] if one["key"] == gateway]
    title = {"LiteralGroup": 102, "LiteralValue": 9, "Culture": "en", "LiteralText": f"Chat {secrets.token_hex(4)}"}
    registers = account["settings"].get("registers", {})
    changed = account["settings"] | {"registers": registers | {"literals": [*registers.get("literals", []), title]}}

    def configure(settings: dict[str, Any]) -> None:
        answer = chats.stack.invoke("operator-configure", document | {"accounts": [account | {"settings": settings}]})
        assert answer == {"configured": [f"frontstage/{gateway}"]}

    def told() -> list[tuple[str, str, bool]]:
        """What was told unasked: how, which register, and whether with the new title."""
        found = [one for one in connector.get("events", msg="^SE_WS_") if one["in_reply_to"] is None]
        texts = [[row.get("LiteralText") for row in one["envelope"]["Body"]] for one in found]
        return [(one["via"], one["msg"], title["LiteralText"] in row) for one, row in zip(found, texts, strict=True)]

    asked = {"Msg": "ES_WS_LITERALS_GET", "Body": {"LiteralGroup": 102, "Culture": "en"}}
    [reply] = connector.post("batch", messages=[asked])["answer"]["Replies"]
    assert title["LiteralText"] not in [row["LiteralText"] for row in reply["Body"]]
    before = told()
    configure(changed)
    # The schedule sweeps once a minute; nobody waits for it here.
    chats.stack.invoke("outbound-sweep", {})
    until(lambda: len(told()) > len(before), 30, "the changed register at the connector")
    # Two sweeps at the same time may both tell it.
    assert set(told()[len(before) :]) == {(via, "SE_WS_LITERALS_INFO", True)}
    until(lambda: chats.stack.invoke("outbound-sweep", {})["registers"] == 0, 10, "nothing more to tell")


def test_saved_form_is_stored_once_and_fetched_by_the_team(chats: Chats) -> None:
    name = f"Eva {secrets.token_hex(4)}"
    values = [{"ScreenControlId": NAME, "ResultText": name}, {"ScreenControlId": TOPIC, "ResultNumber": 2}]
    envelope_id = f"f0000000-0000-4000-8000-{secrets.token_hex(6)}"
    body = {"ScenarioId": FORM, "TimeUtc": "2026-01-01T00:00:00Z", "Values": values}
    saved = [chats.visitor.post("scenario/save", envelope_id=envelope_id, **body) for _ in range(2)]
    outcomes = [one["answer"]["Results"][0] for one in saved]
    assert [one["Outcome"] for one in outcomes] == ["Accepted", "Duplicate"]
    assert outcomes[0]["ResultId"] == outcomes[1]["ResultId"]
    found = [one for one in fetched(chats, "frontstage/gw-chat") if texts(one).get(NAME) == name]
    assert [(one["id"], one["rev"]) for one in found] == [(outcomes[0]["ResultId"], 1)]
    assert texts(found[0]) == {NAME: name, TOPIC: "complaint"}


def test_form_of_a_chat_is_shown_to_its_agent(chats: Chats, jana: str) -> None:
    tracking = chats.start("I have a question")
    chat_id = chats.wait_status(tracking, "Answered")["chat_id"]
    values = [{"ScreenControlId": NAME, "ResultText": "Eva"}]
    saved = chats.visitor.post("scenario/save", ScenarioId=FORM, ChatId=chat_id, Values=values)
    result_id = saved["answer"]["Results"][0]["ResultId"]

    def shown() -> list[str]:
        told = chats.agents.get("events", msg="SC_CHAT_STATUS")
        bodies = [one["envelope"]["Body"] for one in told]
        infos = [body["Info"] for body in bodies if body["ChatId"] == chat_id and body["Info"]]
        return [form["ResultId"] for info in infos for form in info["Scenarios"] or []]

    until(lambda: result_id in shown(), 30, "the form at the workplace")
    chats.visitor.post("stop", tracking_id=tracking)
    chats.wait_status(tracking, "Closed")


def test_page_shows_a_form_and_its_answers_reach_the_team(chats: Chats) -> None:
    browser = Browser(chats.stack)
    offer = browser.call("GET", "api/Routing/webform").json()
    assert (offer["WebSiteRoutingId"], offer["Scenario"]["ScenarioId"]) == (WEBFORM_RULE, FORM)
    form = browser.call("GET", f"api/Scenario/{FORM}", params={"Culture": "cs"})
    assert (form.status_code, form.json()["DisplayName"]) == (200, "Napište nám")
    assert browser.call("GET", f"api/Scenario/{WEBFORM_RULE}").status_code == 404

    mail = f"eva-{secrets.token_hex(4)}@demo.example"
    result = {
        "ScenarioId": FORM,
        "WebSiteRoutingId": WEBFORM_RULE,
        "Values": [
            {"ControlId": NAME, "ResultText": "<b>Eva</b>"},
            {"ControlId": MAIL, "ResultText": mail},
            {"ControlId": NEWS, "ResultNumber": 1},
        ],
    }
    taken = browser.call("POST", "api/Result/webform", json=result)
    assert (taken.status_code, taken.json()["WebResponse"]) == (200, "Thank you. We will answer soon.")
    [found] = [one for one in fetched(chats, "frontstage/gw-web") if one["id"] == taken.json()["ResultId"]]
    assert texts(found) == {NAME: "<b>Eva</b>", MAIL: mail, NEWS: "yes"}


def test_form_that_does_not_fit_is_refused_and_not_stored(chats: Chats) -> None:
    browser = Browser(chats.stack)
    before = len(fetched(chats, "frontstage/gw-web"))
    result = {"ScenarioId": FORM, "WebSiteRoutingId": WEBFORM_RULE, "Values": []}
    for values, field in (
        ([], "Values"),
        ([{"ControlId": FORM, "ResultText": "x"}], "Values[0].ControlId"),
        ([{"ControlId": TOPIC, "ResultNumber": 9}], "Values[0].ResultNumber"),
    ):
        refused = browser.call("POST", "api/Result/webform", json=result | {"Values": values})
        assert (refused.status_code, refused.json()["Error"]["Field"]) == (422, field)
    assert len(fetched(chats, "frontstage/gw-web")) == before


def test_shared_browsing_reaches_the_agent(chats: Chats, jana: str) -> None:
    browser = Browser(chats.stack)
    assert browser.call("POST", "api/Chat/Sentence", json={"Text": "Look at this"}).status_code == 200
    until(lambda: browser.chat()["Status"] == "Answered", 30, "an agent")
    assert browser.call("POST", "api/Chat/CoBrowsing", json={"Data": '{"scroll":120}'}).status_code == 204
    until(lambda: browser.chat()["CoBrowsingData"] == '{"scroll":120}', 30, "the data in the chat")
    assert browser.call("POST", "api/Chat/Stop", json={}).status_code == 200
