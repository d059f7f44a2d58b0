"""What must be in no log line, and who looks for it: secrets, tokens, and what people wrote or are called.

A stack of the tests is looked through when it ends: every line that its functions wrote, for everything that is known by then.
A finding names function, line and kind, never what was found.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

SHORTEST_TEXT = 12
"""Characters of what somebody wrote: shorter texts are words that a log line may have of its own."""
SHORTEST_NAME = 4
"""Of a name; it counts only where it stands as a word."""
SHORTEST_SECRET = 8
"""Of a configured secret; what is shorter is a test's "x"."""
SHORTEST_TOKEN = 16
LONGEST = 40
"""As much of a text as is looked for: a line may hold the beginning of a text alone."""

NOT_SECRET = frozenset({"id", "workplace", "client_id", "app_id", "app_code_name", "redirect_uri"})
"""Members of secrets' documents that are names."""

TEXTS = frozenset({"text", "html", "subject", "message", "comment", "bodytext", "bodyhtml", "question"})
NAMES = frozenset(
    {"name", "displayname", "visitorname", "partyname", "remotepartyname", "firstname", "lastname", "fullname", "staffname"}
)
TOKENS = frozenset(
    {"token", "session", "nonce", "code", "password", "crmapitoken", "accesstoken", "inapptoken", "refreshtoken", "webservtoken"}
    | {"policy", "xamzsignature", "xamzsecuritytoken"}
)
"""Members and parameters by what they hold, in lower case without separators."""

VISITOR_IDS = frozenset({"idvisitorunique", "idvisitorexternal"})
"""What iAdvize knows a visitor by."""

EMAIL = re.compile(r"[^\s@<>\"]+@[\w-]+(?:\.[\w-]+)+")
PHONE = re.compile(r"\+?\d{9,15}")
INSTANT = re.compile(r"1[6-9]\d{11}")
"""Milliseconds: the place of a message in its conversation, and the time of a metric."""
WORD_OF_OURS = re.compile(r"[a-z_.-]+|[A-Z_]+")
"""A code of an error, or a placeholder: it tells nothing."""
ID = re.compile(r"[\w@:/.+=-]+")
"""An id: which message it is where a member is called so, or which file was handed in with a form."""


@dataclass(frozen=True)
class Canary:
    """Something to look for. `is_word`: only where it stands alone."""

    kind: str
    value: str
    is_word: bool = False

    def spellings(self) -> set[str]:
        """As it may stand in a line: itself, within JSON, within a URL."""
        escaped = (json.dumps(self.value, ensure_ascii=plain)[1:-1] for plain in (False, True))
        return {self.value, *escaped, quote(self.value, safe="")}


@dataclass(frozen=True)
class Leak:
    """A log line that holds what it must not."""

    function: str
    line: int
    """From 1, oldest first."""
    kind: str

    def __str__(self) -> str:
        return f"{self.function}, line {self.line}: {self.kind}"


def find(logs: Mapping[str, Sequence[str]], canaries: Iterable[Canary]) -> list[Leak]:
    """The lines of each function's log that hold a canary, each once for a kind."""
    joined = {function: "\n".join(lines) for function, lines in logs.items()}
    found: set[Leak] = set()
    for canary in set(canaries):
        for spelling in canary.spellings():
            pattern = re.compile(rf"(?<!\w){re.escape(spelling)}(?!\w)") if canary.is_word else None
            for function, text in joined.items():
                # Few are found; for all others this is one look at the whole.
                if spelling not in text:
                    continue
                for number, line in enumerate(logs[function], 1):
                    if pattern.search(line) if pattern else spelling in line:
                        found.add(Leak(function, number, canary.kind))
    return sorted(found, key=lambda leak: (leak.function, leak.line, leak.kind))


# ------------------------------------------------------------------------------------------------------------- what they are


def secrets_of(document: Any) -> Iterator[Canary]:
    """The secrets of an account's document, and what is as good as one: a manager's password is sent as its MD5."""
    for name, value in leaves(document):
        if name in NOT_SECRET or len(value) < SHORTEST_SECRET:
            continue
        yield Canary("secret", value)
        if name == "manager_password":
            yield Canary("secret", hashlib.md5(value.encode(), usedforsecurity=False).hexdigest())


def tokens_of(document: Any) -> Iterator[Canary]:
    """The tokens among the members of a body, a query or an answer."""
    for name, value in leaves(document):
        if bare(name) in TOKENS:
            yield from token(value)


def token(value: str) -> Iterator[Canary]:
    """A token, unless it is a word: what a test makes up to be refused, or the code of an error."""
    if len(value) >= SHORTEST_TOKEN and not WORD_OF_OURS.fullmatch(value):
        yield Canary("token", value)


def personal(document: Any) -> Iterator[Canary]:
    """What people wrote and are called, by the names of the members that hold it and by how it looks."""
    for name, value in leaves(document):
        text = value.strip()
        is_words = len(text) >= SHORTEST_TEXT and not ID.fullmatch(text)
        if EMAIL.fullmatch(text):
            yield Canary("e-mail address", text)
        elif PHONE.fullmatch(text) and not INSTANT.fullmatch(text) and bare(name) not in ("id", "userid", "counter", "at"):
            yield Canary("phone number", text)
        elif bare(name) in VISITOR_IDS and len(text) >= SHORTEST_NAME:
            yield Canary("visitor id", text, is_word=True)
        elif bare(name) in NAMES and len(text) >= SHORTEST_NAME:
            yield Canary("display name", text, is_word=True)
        elif bare(name) in TEXTS and is_words:
            yield Canary("text of a message", text[:LONGEST])
        elif bare(name) == "answers" and is_words:
            yield Canary("answer in a form", text[:LONGEST])


def bare(name: str) -> str:
    """A member's name without what tells its spellings apart."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The strings of a document, each with the name of the member it belongs to; JSON within a string is looked into.

    Whatever stands below `answers` belongs to that: its members are the form's own.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, name if name == "answers" and key not in ("text", "name") else key)
    elif isinstance(value, bytes):
        yield from leaves(value.decode(errors="replace"), name)
    elif isinstance(value, str):
        inner = parsed(value)
        if inner is None:
            yield name, value
        else:
            yield from leaves(inner, name)
    elif isinstance(value, Iterable):
        for inner in value:
            yield from leaves(inner, name)


def parsed(text: str) -> Any:
    """The document that a string is, None where it is none."""
    if text[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None
