"""The panel's files: up to date, plain, their words in every language, and what must not stand in them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.web.test_inapp import PLACEHOLDER, PROJECT, code_of

PANEL = PROJECT / "web" / "panel"
MODULES = sorted([*(PANEL / "src").glob("*.js"), *(PROJECT / "web/agents").glob("*.js")])
PAGES = sorted(PANEL.glob("*.html"))
LANGUAGES = ["de", "en", "es", "fr"]
WORDS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (PANEL / "words").glob("*.json")}
OTHERS = [*(PROJECT / "tests/web").glob("panel*.mjs"), *(PROJECT / "tests/simulators/desk").glob("*.js")]


def test_joined_files_are_what_the_modules_say():
    done = subprocess.run([sys.executable, PANEL / "build.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_module_keeps_the_rules(path):
    forbidden = {
        "a string becomes markup": r"(?:inner|outer|insertAdjacent|set)HTML|document\.write|createContextualFragment|parseFromString",
        "a string becomes code": r"\beval\b|new Function|setTimeout\(['\"`]|setAttribute\('on|\bimport\(",
        "an inline style": r"setAttribute\('style'|\.style\b|cssText",
        "a pop-up": r"\balert\(|\bconfirm\(|\bprompt\(|window\.open|showModal|target: '_blank'",
        "somebody else's address": r"['\"`](?:https?:)?//[a-z]",
        "something that is kept": r"localStorage|sessionStorage|document\.cookie|indexedDB",
    }
    code = code_of(path)
    assert {why: found for why, rule in forbidden.items() if (found := re.findall(rule, code))} == {}


def test_token_is_taken_out_of_the_address_by_the_first_thing_that_the_page_does():
    lines = (PANEL / "panel.html").read_text(encoding="utf-8").splitlines()
    scripts = [line for line in lines if "<script" in line]
    # Both wait for the markup and run in this order; the library's style sheet, which could hold them up, is not in it.
    assert scripts == ['<script type="module" src="{{script}}"></script>', '<script defer src="{{library}}"></script>']
    assert [line for line in lines if "stylesheet" in line] == ['<link rel="stylesheet" href="{{style}}">']


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_page_has_neither_inline_script_nor_inline_style_nor_an_address_of_somebody_else(path):
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=\"\{\{(?:script|library)\}\}\")|https?:", text) == []


@pytest.mark.parametrize("path", [*MODULES, *PAGES, *OTHERS, PANEL / "src/panel.css"], ids=lambda path: path.name)
def test_lines_are_not_long(path):
    assert [line for line in path.read_text(encoding="utf-8").splitlines() if len(line) > 140] == []


def test_there_are_four_catalogues():
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
    same = {"Name", "Total: {amount}"}
    assert {key for key, text in WORDS["en"].items() if WORDS[lang][key] == text and text not in same} == set()


def test_every_word_is_used_and_no_other():
    code = "".join(code_of(path) for path in MODULES)
    code += (PROJECT / "functions/iadvize/src/panel/page.rs").read_text(encoding="utf-8")
    used = set(re.findall(r"['\"]([A-Z][a-z][A-Za-z]*)['\"]", code)) & set(WORDS["en"])
    assert used == set(WORDS["en"])
    assert set(re.findall(r"\bsay\(['\"](\w+)['\"]", code)) <= set(WORDS["en"])
