"""Actions, education, files and results of cTrader's screens over the real functions (cTrader contract, sections 5, 9 and 11)."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.flows.conftest import until
from tests.flows.ctrader import BROKER, SECRET, Crm, Screen, configure, get, open_session

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 56


@pytest.fixture(scope="module")
def crm(stack: Any) -> Iterator[Crm]:
    """A brand of its own whose results a receiver hears of."""
    receiver = Crm()
    configure(stack, receiver)
    yield receiver
    receiver.stop()


@pytest.fixture
def user() -> int:
    """A user whom no other test knows."""
    return secrets.randbelow(10**9) + 1


def screen_of(stack: Any, user: int, action: str, **params: str) -> Screen:
    return Screen(stack, open_session(stack, "action", user, {"actionType": action, "actionParams": params}))


def opinion(stars: int) -> dict[str, dict[str, Any]]:
    return {"rating": {"stars": stars}, "words": {"comment": "Good", "topics": ["app"]}}


def delivery_of(stack: Any, call: dict[str, Any]) -> dict[str, Any]:
    story = stack.invoke("operator-timeline", {"id": call["body"]["messageId"]})
    (delivery,) = story["deliveries"]
    assert delivery["delivery"].endswith(f"@{BROKER}")
    return delivery


def test_result_reaches_the_crm_signed_and_is_recorded_as_sent(stack: Any, crm: Crm, user: int) -> None:
    screen = screen_of(stack, user, "survey")
    result = screen.submit(screen.fill(opinion(2)))
    assert (result["status"], result["redirect"]) == ("partial", True)
    (call,) = until(lambda: crm.of(result["id"]), 30, "the result at the CRM")
    headers, body = call["headers"], call["body"]
    signed = f"{headers['x-deskbridge-timestamp']}.{call['text']}".encode()
    assert headers["x-deskbridge-signature"] == "v1=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["idempotency-key"] == result["id"]
    assert (body["event"], body["brand"], body["action"], body["userId"]) == ("action.result", BROKER, "survey", user)
    assert body["result"]["answers"]["rating"] == {"stars": 2}
    until(lambda: delivery_of(stack, call)["state"] == "sent", 20, "the delivery recorded as sent")


def test_erased_user_has_no_result(stack: Any, crm: Crm, user: int) -> None:
    screen = screen_of(stack, user, "survey")
    result = screen.submit(screen.fill(opinion(5)))
    (call,) = until(lambda: crm.of(result["id"]), 30, "the result at the CRM")
    message = {"id": call["body"]["messageId"]}
    until(lambda: stack.invoke("operator-timeline", message)["deliveries"][0]["state"] == "sent", 30, "it is settled")
    told = stack.invoke("operator-erase", {"account": BROKER, "brand": BROKER, "user_id": user})
    assert (told["erased"]["messages"], told["erased"]["deliveries"], told["next"]) == (1, 1, None)
    assert stack.invoke("operator-timeline", message)["error"]["code"] == "unknown"
    forget = {"action": "forget", "account": BROKER, "userId": user}
    assert stack.invoke("operator-ctrader", forget) == {"forgotten": user, "sessions": 1}


def test_receiver_that_fails_hears_of_the_result_again_under_the_same_id(stack: Any, crm: Crm, user: int) -> None:
    screen = screen_of(stack, user, "survey")
    rev = screen.fill(opinion(5))
    crm.script = [500, 503]
    result = screen.submit(rev)
    calls = until(lambda: len(found := crm.of(result["id"])) >= 3 and found, 40, "three calls")
    assert len({call["body"]["messageId"] for call in calls}) == 1
    assert len({call["text"] for call in calls}) == 1
    until(lambda: delivery_of(stack, calls[0])["state"] == "sent", 20, "the delivery recorded as sent")


def test_result_that_is_refused_is_a_dead_letter_and_can_be_replayed(stack: Any, bridge: Any, crm: Crm, user: int) -> None:
    screen = screen_of(stack, user, "survey")
    rev = screen.fill(opinion(4))
    crm.script = [422]
    result = screen.submit(rev)
    assert result["status"] == "success", "a sink never blocks the user"
    (call,) = until(lambda: crm.of(result["id"]), 30, "the result at the CRM")
    failed = until(lambda: (d := delivery_of(stack, call))["state"] == "failed" and d, 20, "the delivery failed")
    assert failed["reason"] == "rejected"
    message = call["body"]["messageId"]
    until(lambda: any(message in json.dumps(entry) for entry in bridge.dead_entries()), 20, "a dead letter")
    stack.invoke("operator-replay", {"deliveries": [failed["delivery"]]})
    until(lambda: delivery_of(stack, call)["state"] == "sent", 20, "the delivery recorded as sent")
    assert len(crm.of(result["id"])) == 2


def test_survey_is_done_once(stack: Any, crm: Crm, user: int) -> None:
    first = screen_of(stack, user, "survey")
    result = first.submit(first.fill(opinion(5)))
    again = screen_of(stack, user, "survey")
    seen = again.call("GET", "action")
    assert (seen["state"], seen["result"]["id"]) == ("done", result["id"])
    again.call("PUT", "action/progress", {"rev": seen["progress"]["rev"], "step": "rating", "answers": {"stars": 1}}, 409)
    assert again.submit(seen["progress"]["rev"])["id"] == result["id"]


def test_promotion_is_redeemed_once_and_not_after_its_end(stack: Any, crm: Crm, user: int) -> None:
    results = []
    for code in ("summer2023", "SUMMER2023"):
        screen = screen_of(stack, user, "promo", promoId=code)
        seen = screen.call("GET", "action")
        rev = screen.fill({"terms": {"agreed": True}}) if seen["state"] == "open" else seen["progress"]["rev"]
        results.append(screen.submit(rev))
    assert [result["status"] for result in results] == ["success", "success"]
    assert results[0]["id"] == results[1]["id"]
    for code in ("winter2020", "invented"):
        screen = screen_of(stack, user, "promo", promoId=code)
        assert screen.submit(screen.fill({"terms": {"agreed": True}}))["status"] == "failure"
    (call,) = until(lambda: crm.of(results[0]["id"]), 30, "the redemption at the CRM")
    assert call["body"]["result"]["code"] == "summer2023"


def test_fifty_submissions_at_once_give_one_result(stack: Any, crm: Crm, user: int) -> None:
    screen = screen_of(stack, user, "survey")
    rev = screen.fill(opinion(5))

    def submit(_: int) -> tuple[int, str | None]:
        answer = requests.post(screen.base + "action/submit", json={"rev": rev}, headers=screen.headers, timeout=60)
        return answer.status_code, answer.json().get("result", {}).get("id")

    with ThreadPoolExecutor(max_workers=50) as pool:
        answers = list(pool.map(submit, range(50)))
    assert {status for status, _ in answers} <= {200, 503}
    ids = {id for status, id in answers if status == 200}
    assert len(ids) == 1
    (result,) = ids
    until(lambda: crm.of(result), 30, "the result at the CRM")
    assert {call["body"]["resultId"] for call in crm.calls if call["body"]["userId"] == user} == {result}
    assert len({call["body"]["messageId"] for call in crm.of(result)}) == 1


def upload(screen: Screen, content: bytes, kind: str = "image/png", size: int | None = None) -> str:
    begun = screen.call("POST", "upload", {"name": "proof.png", "type": kind, "size": size or len(content)})
    files = {"file": ("blob", content, "application/octet-stream")}
    answer = requests.post(begun["url"], data=begun["fields"], files=files, timeout=30)
    assert answer.status_code in (200, 201, 204), answer.text
    return begun["id"]


def test_document_is_handed_in_with_a_request(stack: Any, crm: Crm, user: int) -> None:
    screen = screen_of(stack, user, "address_change")
    address = {"street": "Main street 1", "country": "CZ"}
    rev = screen.fill({"address": address})
    stray = {"rev": rev, "step": "proof", "answers": {"documents": ["0" * 32]}}
    refused = screen.call("PUT", "action/progress", stray, 400)
    assert refused["error"]["fields"] == {"documents": "format"}

    file = upload(screen, PNG)
    known = screen.call("POST", f"upload/{file}/done")
    assert known == {"id": file, "name": "proof.png", "size": 64, "type": "image/png"}
    answer = requests.get(screen.call("GET", f"upload/{file}", status=302), timeout=30)
    assert (answer.status_code, answer.content) == (200, PNG)
    assert answer.headers["Content-Disposition"].startswith("attachment")

    rev = screen.call("PUT", "action/progress", {**stray, "answers": {"documents": [file]}})["rev"]
    result = screen.submit(rev)
    (call,) = until(lambda: crm.of(result["id"]), 30, "the result at the CRM")
    assert call["body"]["result"]["files"] == [known]


@pytest.mark.parametrize(
    "content",
    [b"<html><script>alert(1)</script></html>", b"MZ\x90\0\x03", b"<svg onload='x()'/>"],
    ids=["html", "program", "svg"],
)
def test_file_that_lies_about_what_it_is_is_not_served(stack: Any, crm: Crm, user: int, content: bytes) -> None:
    screen = screen_of(stack, user, "address_change")
    file = upload(screen, content)
    screen.call("POST", f"upload/{file}/done", status=400)
    screen.call("GET", f"upload/{file}", status=404)


@pytest.mark.parametrize(
    ("change", "content"),
    [({}, PNG + b"x"), ({}, PNG[:-1]), ({"key": "uploads/flow/other"}, PNG), ({"Content-Type": "text/html"}, PNG)],
    ids=["longer", "shorter", "another key", "another type"],
)
def test_bucket_takes_nothing_but_what_was_announced(
    stack: Any, crm: Crm, user: int, change: dict[str, str], content: bytes
) -> None:
    screen = screen_of(stack, user, "address_change")
    begun = screen.call("POST", "upload", {"name": "a.png", "type": "image/png", "size": len(PNG)})
    files = {"file": ("blob", content, "application/octet-stream")}
    answer = requests.post(begun["url"], data={**begun["fields"], **change}, files=files, timeout=30)
    assert answer.status_code in (400, 403), answer.text
    screen.call("POST", f"upload/{begun['id']}/done", status=400)


def test_quiz_gives_a_certificate_that_anybody_can_check(stack: Any, crm: Crm, user: int) -> None:
    screen = Screen(stack, open_session(stack, "education", user))
    items = screen.call("GET", "education")["items"]
    assert [(item["id"], item["type"]) for item in items] == [
        ("first-steps", "article"),
        ("pips", "video"),
        ("forex101", "quiz"),
    ]
    assert screen.call("PUT", "education/pips/progress", {"rev": 0, "percent": 100, "position": 60})["done"] is True
    assert "right" not in json.dumps(screen.call("GET", "education/forex101"))
    failed = screen.call("POST", "education/forex101/quiz", {"answers": {"pip": ["a"]}})
    assert (failed["score"], failed["passed"]) == (0, False)
    answers = {"answers": {"pip": ["b"], "pair": ["a", "b"], "risk": ["y"]}}
    passed = screen.call("POST", "education/forex101/quiz", answers)
    assert (passed["score"], passed["passed"]) == (100, True)
    code = passed["certificate"]
    pdf = get(stack, f"/inapp/api/certificate/{code}")
    assert (pdf.status_code, pdf.headers["Content-Type"]) == (200, "application/pdf")
    assert pdf.content.startswith(b"%PDF-1.4") and b"Forex basics" in pdf.content
    page = get(stack, f"/inapp/verify/{code}")
    assert page.status_code == 200 and "Inés V" in page.text and "<script" not in page.text
    assert get(stack, f"/inapp/verify/{'0' * 32}").status_code == 404
