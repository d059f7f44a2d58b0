"""Who looks through the logs finds what is there: each kind is planted, and what is harmless is left alone."""

from __future__ import annotations

import pytest

from tests.stack.canaries import Canary, Leak, find, personal, secrets_of, tokens_of

TOKEN = "Jm4c0TQy8hUu2VnEoWbS1x"


@pytest.mark.parametrize(
    ("line", "canary"),
    [
        ('{"message":"token Jm4c0TQy8hUu2VnEoWbS1x refused"}', Canary("token", TOKEN)),
        ('{"message":"GET /inapp/chat?token=Hn7%2Bw%2F4q%3D%3D0123"}', Canary("token", "Hn7+w/4q==0123")),
        ('{"message":"said \\"Where is my \\\\\\"deposit\\\\\\"?\\""}', Canary("text of a message", 'my \\"deposit\\"?')),
        ('{"message":"In\\u00e9s Vega came"}', Canary("display name", "Inés Vega", is_word=True)),
        ('{"message":"Inés Vega came"}', Canary("display name", "Inés Vega", is_word=True)),
    ],
)
def test_planted_canary_is_found_however_it_is_spelt(line, canary):
    logs = {"ctrader-chat": ["START", line, "END"], "ctrader-session": ["START"]}
    assert find(logs, [canary]) == [Leak("ctrader-chat", 2, canary.kind)]


def test_finding_says_where_and_what_but_not_which():
    (leak,) = find({"ctrader-chat": ["", f"x{TOKEN}x"]}, [Canary("token", TOKEN)])
    assert str(leak) == "ctrader-chat, line 2: token"


def test_name_within_another_word_is_none():
    canary = Canary("display name", "Jana", is_word=True)
    assert find({"a": ["Janata", "bJana"]}, [canary]) == []
    assert find({"a": ['"agent":"Jana"']}, [canary]) == [Leak("a", 1, "display name")]


def test_secrets_of_a_document_are_its_values_but_not_its_names():
    document = {"keys": [{"id": "key-number-one", "secret": "s3cret-of-key-one"}], "client_id": "demo-client", "crm_passwords": ["x"]}
    assert list(secrets_of(document)) == [Canary("secret", "s3cret-of-key-one")]
    # MD5 of "password", which is well known.
    assert list(secrets_of({"manager_password": "password"})) == [
        Canary("secret", "password"),
        Canary("secret", "5f4dcc3b5aa765d61d8327deb882cf99"),
    ]


def test_tokens_are_found_by_their_members_and_words_are_none():
    document = {"session": TOKEN, "error": {"code": "REQUEST_FREQUENCY_EXCEEDED"}, "token": "wrong", "accessToken": TOKEN[::-1]}
    assert list(tokens_of(document)) == [Canary("token", TOKEN), Canary("token", TOKEN[::-1])]


def test_what_people_wrote_is_found_within_the_json_of_an_item():
    item = {
        "pk": "CHAT#1",
        "message": "4bebea79-41cf-84d8-8951-2da202cac977",
        "party_name": "Inés Vega",
        "body": '{"text": "My deposit of yesterday is not there yet, and I do not know why.", "at": 1767225600000, "kind": "text"}',
        "visitor_address": "+420700000001",
        "memo": b'{"email": "ines.v@example.com", "name": "Eva"}',
        "answers": {"words": {"comment": "Quick and friendly."}, "proof": ["a0d41e33e5b5445cb773479bd040a74d", "Náměstí Míru 3"]},
    }
    assert set(personal(item)) == {
        Canary("display name", "Inés Vega", is_word=True),
        Canary("text of a message", "My deposit of yesterday is not there yet"),
        Canary("phone number", "+420700000001"),
        Canary("e-mail address", "ines.v@example.com"),
        Canary("answer in a form", "Quick and friendly."),
        Canary("answer in a form", "Náměstí Míru 3"),
    }
