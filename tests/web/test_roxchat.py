"""The host page's files: up to date, plain, their words in every language, and what must not stand in them."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys

import pytest

from tests.web.test_inapp import PLACEHOLDER, PROJECT, code_of

HOST = PROJECT / "web" / "roxchat"
MODULES = sorted([*(HOST / "src").glob("*.js"), *(PROJECT / "web/agents").glob("*.js")])
PAGES = sorted(HOST.glob("*.html"))
LANGUAGES = ["ar", "de", "en", "es", "fr", "pt"]
WORDS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (HOST / "words").glob("*.json")}
OTHERS = [*(PROJECT / "tests/web").glob("roxchat*.mjs"), *(PROJECT / "tests/simulators/workspace").glob("*.js")]
WORDS_OF_THE_FUNCTION = {"Title", "Loading", "NoScript", "NotSignedIn", "SignInFirst"}
"""What it fills the two pages with, beside those that the script says."""
MOST_BYTES = 40 * 1024
"""Of everything that a page is made of, packed."""


def test_joined_files_are_what_the_modules_say():
    done = subprocess.run([sys.executable, HOST / "build.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_module_keeps_the_rules(path):
    forbidden = {
        "a string becomes markup": r"(?:inner|outer|insertAdjacent|set)HTML|document\.write|createContextualFragment|parseFromString",
        "a string becomes code": r"\beval\b|new Function|setTimeout\(['\"`]|setAttribute\('on|\bimport\(",
        "an inline style": r"setAttribute\('style'|\.style\b|cssText",
        "a pop-up": r"\balert\(|\bconfirm\(|\bprompt\(|window\.open",
        "somebody else's address": r"['\"`](?:https?:)?//[a-z]",
        "something that is kept": r"localStorage|sessionStorage|document\.cookie|sendBeacon",
        "a message to everybody": r"postMessage\([^)]*['\"]\*['\"]",
        "a log of what was said": r"\bconsole\.",
    }
    # The buffer has a module of its own.
    if path.name != "store.js":
        forbidden["something that is kept"] += r"|indexedDB"
    code = code_of(path)
    assert {why: found for why, rule in forbidden.items() if (found := re.findall(rule, code))} == {}


def test_commands_are_posted_in_one_place():
    found = [(path.name, line.strip()) for path in MODULES for line in code_of(path).splitlines() if "postMessage(" in line]
    checked = "if (settings.workspaceOrigins.includes(this.origin)) "
    assert found == [
        ("host.js", f"{checked}this.frame.contentWindow.postMessage(command, this.origin);"),
        ("host.js", "siblings.postMessage('left');"),
    ]


def test_policy_names_nobody_but_the_page_itself_the_workspace_and_those_around_it():
    assert (HOST / "policy.txt").read_text(encoding="utf-8") == (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src {{frames}}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors {{ancestors}}; "
        "require-trusted-types-for 'script'; trusted-types 'none'\n"
    )


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_page_has_neither_inline_script_nor_inline_style_nor_an_address_of_somebody_else(path):
    text = path.read_text(encoding="utf-8").replace('<script type="application/json" id="config">{{config}}</script>', "")
    assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=\"\{\{script\}\}\")|https?:", text) == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_page_is_small(lang):
    parts = [HOST / "host.html", HOST / "roxchat.js", HOST / "roxchat.css", HOST / f"words/{lang}.json"]
    assert sum(len(gzip.compress(path.read_bytes(), 9)) for path in parts) < MOST_BYTES


@pytest.mark.parametrize("path", [*MODULES, *PAGES, *OTHERS, HOST / "src/roxchat.css"], ids=lambda path: path.name)
def test_lines_are_not_long(path):
    assert [line for line in path.read_text(encoding="utf-8").splitlines() if len(line) > 140] == []


def test_there_are_six_catalogues():
    assert sorted(WORDS) == LANGUAGES


@pytest.mark.parametrize("lang", LANGUAGES)
def test_catalogue_has_the_same_keys_and_placeholders_as_the_english_one(lang):
    assert list(WORDS[lang]) == list(WORDS["en"])
    for key, english in WORDS["en"].items():
        text = WORDS[lang][key]
        assert text.strip() == text != "", key
        assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(english)), key


@pytest.mark.parametrize("lang", [lang for lang in LANGUAGES if lang != "en"])
def test_catalogue_is_translated(lang):
    # Words that are the same in two languages.
    same = {"Chats", "Chat {id}", "Agent", "{n} s", "messages", "Notifications"}
    assert {key for key, text in WORDS["en"].items() if WORDS[lang][key] == text and text not in same} == set()


def test_the_five_errors_are_said_as_the_contract_words_them():
    assert [WORDS["en"][key] for key in ("OtherDepartment", "VisitorIsStarting", "AlreadyInChat", "NotInPlan", "UnableToStart")] == [
        "This visitor belongs to another department. Ask a colleague there to start the chat.",
        "The visitor is opening a chat right now. It will appear in the workspace.",
        "The visitor is already in a chat.",
        "Your Rox.Chat plan does not include outgoing chats. Contact the account administrator.",
        "Rox.Chat could not create the chat. Try again.",
    ]


def test_every_word_is_used_and_no_other():
    code = "".join(code_of(path) for path in MODULES)
    used = set(re.findall(r"['\"]([A-Z][a-z][A-Za-z]*)['\"]", code)) & set(WORDS["en"])
    assert used | WORDS_OF_THE_FUNCTION == set(WORDS["en"])
    assert set(re.findall(r"\bsay\(['\"](\w+)['\"]", code)) <= set(WORDS["en"])
