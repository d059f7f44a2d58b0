"""The ledger: how many AWS operations each function makes in each scenario.

Every operation costs time and money in production, so the golden file `ledger.json` pins them. The event sources are
switched off and each queue message is handed to its function by hand: what one invocation does is counted exactly, and
nothing has to be waited for. Receiving and deleting queue messages is the event source's work and is not counted.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from .conftest import Bridge, Simulator, event_sources, hand_over, running_stack, until
from .ctrader import Crm, Screen, Trader, configure, get, open_session
from .test_chats import Browser

GOLDEN = Path(__file__).with_name("ledger.json")

READS = {"GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems"}
WRITES = {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"}
SENDS = {"SendMessage", "SendMessageBatch"}

Counts = dict[str, dict[str, dict[str, int]]]
"""Scenario, function, operation: how often."""


def count_of(counts: Counts, scenario: str, function: str, names: set[str]) -> int:
    """How many operations with one of these names a function made."""
    return sum(count for name, count in counts[scenario][function].items() if name.partition(":")[2] in names)


def table_of(counts: Counts) -> str:
    """The ledger as people read it."""
    lines = [f"{'scenario':<58} {'function':<24} {'read':>4} {'write':>5} {'send':>4} {'other':>5}"]
    for scenario, functions in counts.items():
        for function, operations in functions.items():
            kinds = [count_of(counts, scenario, function, names) for names in (READS, WRITES, SENDS)]
            other = sum(operations.values()) - sum(kinds)
            lines.append(f"{scenario:<58} {function:<24} {kinds[0]:>4} {kinds[1]:>5} {kinds[2]:>4} {other:>5}")
    return "\n".join(lines)


class Book:
    """Plays the scenarios and writes down what they cost."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self.stack = bridge.stack
        self.counts: Counts = {}

    @contextlib.contextmanager
    def entry(self, scenario: str, function: str, alone: bool = True) -> Iterator[None]:
        """Counts what `function` does meanwhile. `alone`: nobody else may do anything."""
        self.stack.gate.forget()
        yield
        operations = self.stack.gate.operations()
        others = {one.function for one in operations} - {function}
        assert not (alone and others), f"{scenario}: {others} were at work too"
        operations = [one for one in operations if one.function == function]
        counted = Counter(f"{one.service}:{one.name}" for one in operations)
        self.counts[scenario] = {function: dict(sorted(counted.items()))}

    def hand_over(self, queue: str, function: str) -> None:
        """Takes the next message from a queue to its function, which must be able to work on it."""
        assert hand_over(self.stack, queue, function) == {"batchItemFailures": []}

    def empty_queues(self) -> None:
        """Lets everything happen that still waits."""
        for queue, function in (("ack", "outbound-ack-timer"), ("deliver", "outbound-deliver")):
            while hand_over(self.stack, queue, function, seconds=0.5) is not None:
                pass

    # -- scenarios -----------------------------------------------------------------------------------------------

    def inbound(self, address: str) -> None:
        """A visitor's message, from the connector to vcita."""
        bridge = self.bridge
        with self.entry("inbound message accepted", "frontstage-messages"):
            told = bridge.send(address, "inbound")
        assert told["http_status"] == 200
        with self.entry("relay to vcita, session active", "outbound-deliver"):
            self.hand_over("deliver", "outbound-deliver")
        (message,) = bridge.injected("inbound")
        with self.entry("inbound message repeated in the same envelope", "frontstage-messages"):
            bridge.send(address, "inbound", envelope_id=told["envelope"]["Id"], **told["envelope"]["Body"])
        with self.entry("inbound message repeated in another envelope", "frontstage-messages"):
            again = bridge.send(address, "inbound", **told["envelope"]["Body"])
        assert again["message_id"] == told["message_id"]
        with self.entry("status of an injected message (A4)", "vcita-message-updated"):
            bridge.vcs.post("message-status", message_uid=message["message_uid"], status="received")
        with self.entry("same status again (A4)", "vcita-message-updated"):
            bridge.vcs.post("message-status", message_uid=message["message_uid"], status="received")

    def first_contact(self, address: str) -> None:
        """The first message of an address: contact and session are created."""
        bridge = self.bridge
        bridge.vcs.post("activation", mode="before_answer")
        with self.entry("inbound message of a new address accepted", "frontstage-messages"):
            bridge.send(address, "first contact")
        # vcita announces the session while it is being created (A2): that is another function's work.
        with self.entry("relay to vcita, session created", "outbound-deliver", alone=False):
            self.hand_over("deliver", "outbound-deliver")
        self.empty_queues()
        bridge.vcs.post("activation", mode="auto", delay_ms=50)
        assert len(bridge.injected("first contact")) == 1

    def answered_at_once(self, session_uid: str) -> None:
        """A staff message that the connector acknowledges in its answer to the push."""
        bridge = self.bridge
        bridge.mode("at once", ack="reply")
        with self.entry("staff message accepted (A3)", "vcita-message-created"):
            message_uid = bridge.staff(session_uid, "at once")
        with self.entry("attempt acknowledged in the push's answer", "outbound-deliver"):
            self.hand_over("deliver", "outbound-deliver")
        with self.entry("receipt to vcita", "outbound-deliver"):
            self.hand_over("deliver", "outbound-deliver")
        assert bridge.statuses(message_uid) == ["sent"]
        with self.entry("timer of a settled attempt", "outbound-ack-timer"):
            self.hand_over("ack", "outbound-ack-timer")
        with self.entry("staff message repeated (A3)", "vcita-message-created"):
            bridge.staff(session_uid, "at once", message_uid=message_uid)

    def answered_by_webhook(self, session_uid: str) -> None:
        """A staff message that the connector acknowledges in a call of its own, in the second attempt."""
        bridge = self.bridge
        bridge.mode("later", ack="none")
        message_uid = bridge.staff(session_uid, "later")
        with self.entry("attempt not acknowledged yet: push", "outbound-deliver"):
            self.hand_over("deliver", "outbound-deliver")
        with self.entry("attempt not acknowledged in time: timer", "outbound-ack-timer"):
            self.hand_over("ack", "outbound-ack-timer")
        with self.entry("second attempt: push", "outbound-deliver"):
            self.hand_over("deliver", "outbound-deliver")
        message_id = bridge.wait_pushes("later", 2)[0]["message_id"]
        with self.entry("attempt acknowledged by webhook: acknowledgement", "frontstage-messages"):
            bridge.connector.post("ack", message_id=message_id)
        with self.entry("attempt acknowledged by webhook: follow-up", "outbound-deliver"):
            self.hand_over("deliver", "outbound-deliver")
        with self.entry("acknowledgement repeated", "frontstage-messages"):
            bridge.connector.post("ack", message_id=message_id)
        self.empty_queues()
        assert bridge.statuses(message_uid) == ["sent"]

    def brands(self) -> None:
        """cTrader's backend asks for a token and what it is worth, and screens of both identities exchange theirs."""
        ctrader = Simulator(self.bridge.info["simulators"]["ctrader"])
        accounts = self.bridge.info["accounts"]["ctrader"]

        def exchange(option: str, token: str) -> None:
            host = accounts[option]["origin"].partition("//")[2]
            body = {"token": token, "nonce": secrets.token_urlsafe(18), "screen": "chat"}
            url = f"{self.bridge.info['origin']}/inapp/api/session"
            assert requests.post(url, json=body, headers={"Host": host}, timeout=60).status_code == 200

        def ask(path: str, body: dict[str, Any]) -> dict[str, Any]:
            answer = ctrader.post("ask", path=path, body=body)
            assert answer["status"] == 200, answer
            return answer["body"]

        # The first call of each reads accounts, and asks for the manager's token.
        for option in ("sso", "handoff"):
            exchange(option, ctrader.post("token", option=option)["token"])
        ask("onetime/authorize", {"code": ctrader.post("token", option="sso")["token"]})
        login = {"action": "login", "account": accounts["sso"]["account"], "userId": accounts["sso"]["user"]}
        code = self.stack.invoke("operator-ctrader", {**login, "stayLoggedIn": True})["token"]
        with self.entry("brand of cTrader: a login is authorized (I2)", "ctrader-onetime-authorize"):
            access = ask("onetime/authorize", {"code": code})["accessToken"]
        ask("authorize", {"accessToken": access})
        with self.entry("brand of cTrader: a long-term token is authorized (I3)", "ctrader-authorize"):
            ask("authorize", {"accessToken": access})
        with self.entry("brand of cTrader: a token for a screen (I4)", "ctrader-onetime-generate"):
            token = ctrader.post("token", option="sso")["token"]
        with self.entry("brand of cTrader: session, identity sso", "ctrader-session"):
            exchange("sso", token)
        token = ctrader.post("token", option="handoff")["token"]
        with self.entry("brand of cTrader: session, identity handoff", "ctrader-session"):
            exchange("handoff", token)
        with self.entry("brand of cTrader: wrong crmApiToken", "ctrader-onetime-generate"):
            assert ctrader.post("ask", path="onetime/generate", body={}, crmApiToken="wrong")["status"] == 403

    def nothing_to_do(self, session_uid: str) -> None:
        """Calls that change little or nothing."""
        bridge = self.bridge
        with self.entry("gateways asked for", "frontstage-messages"):
            bridge.connector.post("gateways")
        with self.entry("wrong signature", "frontstage-messages"):
            assert bridge.send("+420700000001", "forged", wrong_signature=True)["http_status"] == 401
        with self.entry("wrong path secret", "vcita-message-created"):
            base = bridge.vcita_base.rpartition("/")[0]
            assert requests.post(f"{base}/wrong/messages", json={}, timeout=60).status_code == 404
        with self.entry("message refused for its content", "frontstage-messages"):
            assert bridge.send("+420700000001", "no time", omit=["ReceivedSentTime"])["message_id"] is None
        with self.entry("status of a session, nothing waits (A2)", "vcita-session-updated"):
            bridge.vcs.post("session-status", session_uid=session_uid, status="active")
        self.empty_queues()
        with self.entry("status of the channel (A1)", "vcita-channel-updated"):
            bridge.vcs.post("channel-status", status="active")
        with self.entry("sweep, nothing due", "outbound-sweep"):
            assert self.stack.invoke("outbound-sweep", {}) == {"swept": 0, "chats": 0, "pushes": 0, "registers": 0}


class ChatBook:
    """Plays the scenarios of chats: a connector, an agent at workplace 101, and a browser. Nobody polls but on command."""

    TRACKING, PLACE = "ledger", "101"

    def __init__(self, book: Book) -> None:
        self.entry = book.entry
        info = book.stack.info["simulators"]
        self.visitor, self.agents = Simulator(info["chat"]), Simulator(info["agents"])
        self.browser = Browser(book.stack)
        self.visitor.post("behaviour", confirm="on_command", retry="manual", recover="manual")
        self.chat_id = ""

    @staticmethod
    def quiet(stack: Any) -> None:
        """Stops the connector's polls."""
        for connector in ("chat", "staff_chat"):
            Simulator(stack.info["simulators"][connector]).post("polling", on=False)

    def log_in(self) -> None:
        """The agent comes, and looks for events on command only."""
        self.agents.post("login", workplace=self.PLACE, on_alert="person", confirm="on_command")
        self.agents.post("polling", workplace=self.PLACE, on=False)
        # A poll that waits ends by itself.
        time.sleep(2.5)

    def here(self) -> None:
        """The agent's client was heard of just now, so that the next call need not note it."""
        self.agents.post("list", workplace=self.PLACE)

    def warm_up(self) -> None:
        """Every function once, in a chat that is over afterwards."""
        self.log_in()
        self.visitor.post("start", tracking_id="warm", text="Hi")
        self.visitor.post("poll")
        self.agents.post("poll", workplace=self.PLACE)
        self.visitor.post("stop", tracking_id="warm")
        for method, path in (("GET", "scripts/webchat.js"), ("GET", "api/Routing/webchat"), ("GET", "api/Chat")):
            assert self.browser.call(method, path).status_code == 200
        for path, body in (
            ("Start", {}),
            ("Sentence", {"Text": "Hi"}),
            ("Typing", {"IsTyping": False}),
            ("Confirm", {"Counter": 1}),
            ("Stop", {}),
        ):
            assert self.browser.call("POST", f"api/Chat/{path}", json=body).status_code in (200, 204), path
        self.browser = Browser(self.browser.stack)

    def at_connector(self, scenario: str, what: str, **more: Any) -> dict[str, Any]:
        """One call of the connector."""
        function = "frontstage-events" if what == "poll" else "frontstage-messages"
        with self.entry(scenario, function):
            told = self.visitor.post(what, **({} if what in ("poll", "list") else {"tracking_id": self.TRACKING}), **more)
        assert told["http_status"] == 200, told
        return told

    def at_workplace(self, scenario: str, what: str, **more: Any) -> dict[str, Any]:
        """One call of the agent's client."""
        self.here()
        function = "frontstage-workplace-events" if what == "poll" else "frontstage-workplace-messages"
        chat = {} if what in ("poll", "list") else {"chat_id": self.chat_id}
        with self.entry(scenario, function):
            told = self.agents.post(what, workplace=self.PLACE, **chat, **more)
        assert told["http_status"] == 200, told
        return told

    def begin(self) -> None:
        """From the question at the gate to the answered alert."""
        self.here()
        self.at_connector("chat: gate asked", "request")
        self.at_connector("chat: started, an agent is alerted", "start")
        self.chat_id = self.visitor.get("chat", tracking_id=self.TRACKING)["chat_id"]
        self.agents.post("poll", workplace=self.PLACE)
        self.at_workplace("chat: alert answered", "answer")

    def talk(self) -> None:
        """Sentences, what follows them, and polls."""
        self.visitor.post("poll")
        self.at_connector("chat: connector polls, nothing new", "poll")
        self.agents.post("poll", workplace=self.PLACE)
        self.at_workplace("chat: workplace polls, nothing new", "poll")
        said = self.at_connector("chat: visitor's sentence", "say", text="Hi", id="v-1")
        envelope = said["envelope_ids"][0]
        members = {"id": "v-1", "text": "Hi"}
        self.at_connector("chat: visitor's sentence again, same envelope", "say", envelope_id=envelope, **members)
        self.at_connector("chat: visitor's sentence again, other envelope", "say", **members)
        self.at_workplace("chat: workplace polls, a sentence is new", "poll")
        self.at_workplace("chat: agent confirms", "confirm", id="v-1")
        self.at_workplace("chat: agent's sentence", "say", text="Hello", id="a-1")
        self.at_connector("chat: connector polls, a sentence is new", "poll")
        self.at_connector("chat: visitor confirms", "confirm", id="a-1")
        self.at_connector("chat: visitor types", "type")
        self.at_workplace("chat: agent types", "type")
        for number in range(2, 20):
            self.visitor.post("say", tracking_id=self.TRACKING, text="Hi", id=f"v-{number}")
        self.at_connector("chat: visitor's 20th sentence", "say", text="Hi", id="v-20")
        self.at_connector("chat: complete status", "status")

    def end(self) -> None:
        """Recovery, and the end."""
        self.at_connector("chat: connector's RESYNC", "list")
        self.at_workplace("chat: agent's RESYNC", "list")
        self.at_workplace("chat: agent hangs up", "hangup")
        self.visitor.post("poll")
        self.visitor.post("start", tracking_id=f"{self.TRACKING}-2")
        with self.entry("chat: visitor stops", "frontstage-messages"):
            self.visitor.post("stop", tracking_id=f"{self.TRACKING}-2")

    def at_browser(self, scenario: str, method: str, path: str, status: int, **more: Any) -> requests.Response:
        """One call of the browser."""
        function = "website-" + path.partition("/")[0].lower()
        with self.entry(scenario, function):
            answer = self.browser.call(method, "api/Chat" if path == "chat" else f"api/Chat/{path}", **more)
        assert answer.status_code == status, answer.text
        return answer

    def poll(self, scenario: str, status: int, after: int, tag: str | None = None) -> requests.Response:
        """One poll of the browser, not sooner than it may."""
        time.sleep(1.1)
        headers = {} if tag is None else {"If-None-Match": tag}
        return self.at_browser(scenario, "GET", "chat", status, params={"After": after}, more_headers=headers)

    def browse(self) -> None:
        """A visitor of the web site."""
        self.here()
        with self.entry("browser: page load", "website-routing"):
            answer = self.browser.call("GET", "api/Routing/webchat", params={"IncludeSettings": "true"})
        assert answer.json()["Signal"] == "Free"
        assert self.poll("browser: poll, no chat", 200, 0).json() is None
        self.at_browser("browser: first sentence, starts the chat", "POST", "Sentence", 200, json={"Text": "Hi"})
        self.agents.post("poll", workplace=self.PLACE)
        self.agents.post("answer", workplace=self.PLACE)
        chat_id = self.agents.get("chats")[-1]["chat_id"]
        self.agents.post("say", workplace=self.PLACE, chat_id=chat_id, text="Hello")
        answer = self.poll("browser: poll, a sentence is new", 200, 1)
        assert [one["Text"] for one in answer.json()["Sentences"]] == ["Hello"]
        self.poll("browser: poll, nothing new", 304, 2, answer.headers["ETag"])
        self.at_browser("browser: sentence", "POST", "Sentence", 200, json={"Text": "Bye"}, params={"After": 2})
        self.at_browser("browser: types", "POST", "Typing", 204, json={"IsTyping": True})
        self.at_browser("browser: confirms", "POST", "Confirm", 204, json={"Counter": 2})
        self.at_browser("browser: stops", "POST", "Stop", 200, json={})

    def screen(self) -> None:
        """A trader at the chat screen."""
        trader = Trader(self.browser.stack)
        # Each function once, before it is counted.
        trader.poll()
        trader.act("end")
        read, act = "ctrader-chat", "ctrader-chat-act"
        self.here()
        with self.entry("screen: poll, no chat", read):
            trader.poll()
        with self.entry("screen: chat started", act):
            trader.act("start")
        self.here()
        with self.entry("screen: first message, an agent is alerted", act):
            trader.say("Hi")
        self.agents.post("poll", workplace=self.PLACE)
        self.agents.post("answer", workplace=self.PLACE)
        chat_id = self.agents.get("chats")[-1]["chat_id"]
        self.agents.post("say", workplace=self.PLACE, chat_id=chat_id, text="Hello")
        with self.entry("screen: poll, a message is new", read):
            chat = trader.poll()
        assert [one["text"] for one in chat["messages"]] == ["Hi", "Hello"]
        with self.entry("screen: poll, nothing new", read):
            trader.poll()
        with self.entry("screen: message", act):
            trader.say("Bye")
        with self.entry("screen: types", act):
            trader.act("typing", typing=True)
        with self.entry("screen: has read one message", act):
            trader.act("read", counter=2)
        with self.entry("screen: transcript", read):
            trader.call("GET", "chat/transcript")
        with self.entry("screen: ends", act):
            trader.act("end")
        with self.entry("screen: survey", act):
            trader.act("survey", rating=5)


class StaffBook:
    """Plays typing between a connector's visitor and vcita's staff."""

    TRACKING = "staff-ledger"

    def __init__(self, book: Book) -> None:
        self.book = book
        self.entry = book.entry
        self.visitor = Simulator(book.stack.info["simulators"]["staff_chat"])
        self.visitor.post("behaviour", confirm="on_command", retry="manual", recover="manual")

    def types(self) -> None:
        """A chat of staff with an active session, and typing both ways."""
        bridge, vcs = self.book.bridge, self.book.bridge.vcs
        vcs.post("activation", mode="before_answer")
        self.visitor.post("start", tracking_id=self.TRACKING, PartyName="Eva", text="staff, please")
        self.book.empty_queues()
        session = bridge.injected("staff, please")[0]["session_uid"]
        with self.entry("chat of staff: visitor types", "frontstage-messages"):
            self.visitor.post("type", tracking_id=self.TRACKING)
        with self.entry("chat of staff: visitor types, again within 5 s", "frontstage-messages"):
            self.visitor.post("type", tracking_id=self.TRACKING)
        with self.entry("chat of staff: visitor's typing to vcita", "outbound-deliver"):
            self.book.hand_over("deliver", "outbound-deliver")
        assert [one["typing"] for one in vcs.get("state")["typing"] if one["session_uid"] == session] == [True]
        # The function reads its accounts with its first request. The visitor's side is told at most once in a second.
        vcs.post("typing", session_uid=session, typing=False)
        time.sleep(1.1)
        with self.entry("chat of staff: staff types (A5)", "vcita-typing"):
            assert vcs.post("typing", session_uid=session, typing=True)["status"] == 204
        with self.entry("chat of staff: staff types, again within 5 s (A5)", "vcita-typing"):
            assert vcs.post("typing", session_uid=session, typing=True)["status"] == 204
        vcs.post("activation", mode="auto", delay_ms=50)


class ScreenBook:
    """Screens of cTrader: an action with its result, education and files."""

    USER = 7001

    def __init__(self, book: Book) -> None:
        self.book, self.entry, self.stack = book, book.entry, book.stack
        self.crm = Crm()
        configure(self.stack, self.crm)

    def screen(self, name: str, user: int, **params: Any) -> Screen:
        return Screen(self.stack, open_session(self.stack, name, user, params))

    def act(self) -> None:
        """A survey by somebody else first, so that the functions know the brand."""
        for user, entry in ((self.USER - 1, lambda *_: contextlib.nullcontext()), (self.USER, self.entry)):
            screen = self.screen("action", user, actionType="survey")
            with entry("action: look", "ctrader-action"):
                screen.call("GET", "action")
            with entry("action: a step is saved", "ctrader-action"):
                screen.fill_step(0, "rating", {"stars": 5})
            screen.fill_step(1, "words", {"comment": "Good"})
            with entry("action: submitted", "ctrader-action"):
                screen.submit(2)
            with entry("action: submitted once more", "ctrader-action"):
                screen.submit(2)
            with entry("action: result to the CRM", "outbound-deliver"):
                self.book.hand_over("deliver", "outbound-deliver")
        assert len(self.crm.calls) == 2

    def learn(self) -> None:
        """A list, a film and a quiz with its certificate."""
        self.screen("education", self.USER - 1).call("GET", "education")
        screen = self.screen("education", self.USER)
        with self.entry("education: list", "ctrader-education"):
            screen.call("GET", "education")
        with self.entry("education: a film goes on", "ctrader-education"):
            screen.call("PUT", "education/pips/progress", {"rev": 0, "percent": 40})
        with self.entry("education: quiz passed", "ctrader-education"):
            answers = {"pip": ["b"], "pair": ["a", "b"], "risk": ["y"]}
            code = screen.call("POST", "education/forex101/quiz", {"answers": answers})["certificate"]
        get(self.stack, f"/inapp/verify/{code}")
        with self.entry("certificate is checked", "ctrader-certificate"):
            assert get(self.stack, f"/inapp/verify/{code}").status_code == 200

    def hand_in(self) -> None:
        """A file is announced."""
        screen = self.screen("chat", self.USER)
        announced = {"name": "a.png", "type": "image/png", "size": 64}
        screen.call("POST", "upload", announced)
        with self.entry("file is announced", "ctrader-upload"):
            screen.call("POST", "upload", announced)
        self.crm.stop()


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counts]:
    """What every scenario cost, each of them played once on warm functions."""
    with running_stack(tmp_path_factory.mktemp("ledger"), gate=True, chats=True) as stack:
        ChatBook.quiet(stack)
        bridge = Bridge(stack)
        # Every function is called once, so that none reads its accounts while it is counted.
        session_uid = bridge.open_conversation("+420700000001")
        bridge.flush_outbound(session_uid)
        bridge.vcs.post("channel-status", status="active")
        bridge.vcs.post("session-status", session_uid=session_uid, status="active")
        assert bridge.vcs.post("message-status", message_uid="unknown", status="read")["status"] == 404
        stack.invoke("outbound-sweep", {})
        until(lambda: stack.gate.operations("outbound-ack-timer"), 20, "the timer of the first attempt")
        with event_sources(stack, enabled=False):
            book = Book(bridge)
            book.empty_queues()
            book.inbound("+420700000001")
            book.first_contact("+420700000002")
            book.answered_at_once(session_uid)
            book.answered_by_webhook(session_uid)
            book.nothing_to_do(session_uid)
            book.brands()
            chats = ChatBook(book)
            chats.warm_up()
            chats.begin()
            chats.talk()
            chats.end()
            chats.browse()
            chats.screen()
            StaffBook(book).types()
            screens = ScreenBook(book)
            screens.act()
            screens.learn()
            screens.hand_in()
        yield book.counts


def test_operations_are_those_of_the_golden_file(
    ledger: Counts, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with capsys.disabled():
        print("\n" + table_of(ledger))
    measured = tmp_path / GOLDEN.name
    measured.write_text(json.dumps(ledger, indent=1) + "\n")
    golden: Counts = json.loads(GOLDEN.read_text())

    def flat(counts: Counts) -> dict[tuple[str, str, str], int]:
        return {
            (scenario, function, operation): count
            for scenario, functions in counts.items()
            for function, operations in functions.items()
            for operation, count in operations.items()
        }

    found, allowed = flat(ledger), flat(golden)
    keys = sorted(found.keys() | allowed.keys())
    risen = [f"{key}: {allowed.get(key, 0)} -> {found[key]}" for key in keys if found.get(key, 0) > allowed.get(key, 0)]
    fallen = [
        f"{key}: {allowed[key]} -> {found.get(key, 0)}" for key in keys if found.get(key, 0) < allowed.get(key, 0)
    ]
    assert not risen, "more operations than before:\n" + "\n".join(risen) + f"\nall that was measured: {measured}"
    assert not fallen, f"fewer operations, well done: cp {measured} {GOLDEN}\n" + "\n".join(fallen)
    assert ledger == golden, f"other scenarios than in the golden file: cp {measured} {GOLDEN}"


def test_accepted_inbound_is_one_read_one_write_one_send(ledger: Counts) -> None:
    cost = [
        count_of(ledger, "inbound message accepted", "frontstage-messages", names) for names in (READS, WRITES, SENDS)
    ]
    assert cost[0] <= 1
    assert cost[1] <= 1
    assert cost[2] == 1


def test_attempt_acknowledged_at_once_is_one_read_two_writes_two_sends(ledger: Counts) -> None:
    scenario = "attempt acknowledged in the push's answer"
    cost = [count_of(ledger, scenario, "outbound-deliver", names) for names in (READS, WRITES, SENDS)]
    assert cost[0] <= 1
    assert cost[1] <= 2
    assert cost[2] <= 2


@pytest.mark.parametrize(
    ("scenario", "function"),
    [
        ("wrong signature", "frontstage-messages"),
        ("wrong path secret", "vcita-message-created"),
        ("brand of cTrader: wrong crmApiToken", "ctrader-onetime-generate"),
    ],
)
def test_authentication_failure_costs_nothing(ledger: Counts, scenario: str, function: str) -> None:
    assert ledger[scenario] == {function: {}}


def test_only_known_operations_are_made(ledger: Counts) -> None:
    made = {operation for functions in ledger.values() for operations in functions.values() for operation in operations}
    assert {operation.partition(":")[2] for operation in made} <= READS | WRITES | SENDS


@pytest.mark.parametrize(
    ("scenario", "function"),
    [
        ("chat: visitor's sentence", "frontstage-messages"),
        ("chat: visitor's 20th sentence", "frontstage-messages"),
    ],
)
def test_sentence_is_one_read_one_number_per_side_and_one_write(ledger: Counts, scenario: str, function: str) -> None:
    assert ledger[scenario] == {
        function: {"dynamodb:BatchGetItem": 1, "dynamodb:TransactWriteItems": 1, "dynamodb:UpdateItem": 2}
    }


@pytest.mark.parametrize("scenario", ["browser: poll, no chat", "browser: poll, nothing new"])
def test_poll_of_a_browser_that_brings_nothing_is_one_read(ledger: Counts, scenario: str) -> None:
    assert ledger[scenario] == {"website-chat": {"dynamodb:BatchGetItem": 1}}


def test_poll_of_a_browser_that_brings_something_is_two_reads(ledger: Counts) -> None:
    counted = ledger["browser: poll, a sentence is new"]
    assert counted == {"website-chat": {"dynamodb:BatchGetItem": 1, "dynamodb:Query": 1}}


@pytest.mark.parametrize("scenario", ["screen: poll, no chat", "screen: poll, nothing new"])
def test_poll_of_a_screen_that_brings_nothing_is_the_session_and_the_chat(ledger: Counts, scenario: str) -> None:
    assert ledger[scenario] == {"ctrader-chat": {"dynamodb:BatchGetItem": 1, "dynamodb:GetItem": 1}}


def test_poll_of_a_screen_that_brings_something_is_a_read_more(ledger: Counts) -> None:
    counted = ledger["screen: poll, a message is new"]
    assert counted == {"ctrader-chat": {"dynamodb:BatchGetItem": 1, "dynamodb:GetItem": 1, "dynamodb:Query": 1}}
