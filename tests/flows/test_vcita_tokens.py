"""Tokens of vcita that all functions share, over the real stack (vcita contract, 8.5).

The vcita account has `token_keys`, so its token is kept in the table, sealed, and renewed by one for all.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .conftest import Bridge, calm_bridge, running_stack, until

CONVERSATIONS = 12
"""More than one batch of the deliver queue, so that several sandboxes meet the token's end."""

LOGIN = {"client_id": "demo-client", "client_secret": "demo-client-secret"}


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """A stack whose vcita account keeps its tokens."""
    with running_stack(tmp_path_factory.mktemp("tokens")) as stack:
        url_secret = stack.info["accounts"]["vcita"]["base"].rpartition("/")[2]
        # Before the first call of a function: secrets are read when it starts, and then every few minutes.
        keys = {"url_secrets": [url_secret], "token_keys": [secrets.token_hex(32)]}
        stack.put_secret("vcita/demo", {**keys, **LOGIN})
        with calm_bridge(stack) as both:
            yield both


def asked(bridge: Bridge) -> int:
    """How often vcita was asked for a token."""
    return len(bridge.vcs.get("requests", path="/oauth/service/token$"))


def grants(bridge: Bridge) -> list[dict[str, Any]]:
    """The grants in the table."""
    stack = bridge.stack
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.info["aws"]["table"])
    return [item for page in pages for item in page["Items"] if item["pk"]["S"].startswith("GRANT#")]


def test_token_that_ends_among_many_messages_is_renewed_once(bridge: Bridge) -> None:
    addresses = [f"+4207{secrets.randbelow(10**8):08d}" for _ in range(CONVERSATIONS)]
    with ThreadPoolExecutor(CONVERSATIONS) as pool:
        list(pool.map(bridge.open_conversation, addresses))
    assert asked(bridge) == 1, "all functions share one"

    assert bridge.vcs.post("tokens/expire")["expired"] == 1
    texts = {address: [f"{number} {secrets.token_hex(4)}" for number in range(2)] for address in addresses}

    def write(address: str) -> None:
        for text in texts[address]:
            assert bridge.send(address, text)["http_status"] == 200

    with ThreadPoolExecutor(CONVERSATIONS) as pool:
        list(pool.map(write, addresses))
    for address in addresses:
        for text in texts[address]:
            bridge.wait_injected(text, 60)
    assert asked(bridge) == 2
    arrived = [message["message"] for message in bridge.vcs.get("state")["messages"]]
    for address in addresses:
        assert [text for text in arrived if text in texts[address]] == texts[address], "in order, each once"


def test_kept_token_is_sealed_and_in_no_log(bridge: Bridge) -> None:
    (grant,) = grants(bridge)
    assert grant["rev"] == {"N": "2"}
    assert "expires_at" not in grant, "the table's clean-up has no business with it"
    logged = "\n".join(bridge.stack.logs("outbound-deliver"))
    for text in (str(grant), logged):
        found = bridge.vcs.post("tokens/search", text=text)
        assert found["tokens"] >= 2
        assert found["found"] == 0


def test_refused_business_keeps_its_messages_and_calls_no_more(bridge: Bridge, address: str) -> None:
    bridge.open_conversation(address)
    since_ms = int(time.time() * 1000)
    bridge.vcs.post("faults", path="/messages$", method="POST", times=None, status=403, body={"success": False})
    texts = [f"{number} {secrets.token_hex(4)}" for number in range(2)]
    for text in texts:
        assert bridge.send(address, text)["http_status"] == 200
    until(lambda: grants(bridge)[0].get("refused"), 30, "the refusal noted with the grant")
    assert grants(bridge)[0]["refused"] == {"S": "reauth_required: vcita answered 403"}

    other = f"+4207{secrets.randbelow(10**8):08d}"
    kept = bridge.send(other, "kept")["message_id"]
    until(lambda: bridge.delivery(kept, "vcita/demo")["state"] == "parked", 30, "the message parked")
    assert bridge.injected(texts[0]) == []

    def told() -> list[str]:
        lines = bridge.stack.logs("outbound-deliver", since_ms)
        return [line for line in lines if "cannot be delivered to: reauth_required: vcita answered 403" in line]

    until(told, 20, "the error in the log")
    assert len(told()) == 1, "told once, as an error"
    assert '"account.id":"vcita/demo"' in told()[0].replace(" ", "")
