"""The screens' files: up to date, plain, their words in every language, and what they must not say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
INAPP = PROJECT / "web" / "inapp"
MODULES = sorted([*(INAPP / "src").glob("*.js"), *(PROJECT / "web/common").glob("*.js")])
STYLE = INAPP / "src" / "inapp.css"
PAGES = sorted(INAPP.glob("*.html"))
LANGUAGES = ["ar", "de", "en", "es", "fr", "ja", "pt", "zh"]
WORDS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (INAPP / "words").glob("*.json")}
PLACEHOLDER = re.compile(r"\{\w+\}")
TEXTS = [*MODULES, *PAGES, *(INAPP / "words").glob("*.json")]


def code_of(path: Path) -> str:
    """A module without its comments."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.strip().startswith("//"))


def test_joined_files_are_what_the_modules_say():
    done = subprocess.run([sys.executable, INAPP / "build.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_module_keeps_the_rules(path):
    forbidden = {
        "a string becomes markup": r"(?:inner|outer|insertAdjacent|set)HTML|document\.write|createContextualFragment|parseFromString",
        "a string becomes code": r"\beval\b|new Function|setTimeout\(['\"`]|setAttribute\('on|\bimport\(",
        "an inline style": r"setAttribute\('style'|\.style\b|cssText",
        "a pop-up": r"\balert\(|\bconfirm\(|\bprompt\(|window\.open|showModal|target: '_blank'",
        # The name of SVG is one of these, and no address.
        "somebody else's address": r"['\"`](?:https?:)?//(?!www\.w3\.org/2000/svg')[a-z]",
    }
    code = code_of(path)
    assert {why: found for why, rule in forbidden.items() if (found := re.findall(rule, code))} == {}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_page_has_neither_inline_script_nor_inline_style_nor_an_address_of_somebody_else(path):
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=\"\{\{script\}\}\")|https?:", text) == []


@pytest.mark.parametrize("path", [*MODULES, *PAGES, STYLE, *(PROJECT / "tests/web").glob("inapp*.mjs")], ids=lambda path: path.name)
def test_lines_are_not_long(path):
    assert [line for line in path.read_text(encoding="utf-8").splitlines() if len(line) > 130] == []


def test_sides_in_the_style_sheet_are_logical():
    sheet = re.sub(r"/\*.*?\*/", "", STYLE.read_text(encoding="utf-8"), flags=re.DOTALL)
    sided = r"(?<!-)(?:margin|padding|border|inset|scroll-padding)-(?:left|right|top|bottom)"
    sided += r"|(?:^|[\s;{])(?:left|right|top|bottom)\s*:|text-align:\s*(?:left|right)"
    assert re.findall(sided, sheet) == []


def test_there_are_eight_catalogues():
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
    same = {"Chat", "Video", "Quiz", "Article", "Conversation"}
    assert {key for key, text in WORDS["en"].items() if WORDS[lang][key] == text and text not in same} == set()


def test_every_word_is_used_and_no_other():
    code = "".join(code_of(path) for path in MODULES) + (PROJECT / "functions/ctrader/src/screen.rs").read_text(encoding="utf-8")
    used = set(re.findall(r"['\"]([A-Z][a-z][A-Za-z]+)['\"]", code)) & set(WORDS["en"])
    assert used == set(WORDS["en"])
    said = set(re.findall(r"\bsay\('(\w+)'", code))
    assert said <= set(WORDS["en"])


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_nothing_names_another_platform(path):
    others = r"metatrader|\bmt[45]\b|tradingview|frontstage|vcita|roxchat|deskbridge(?!\.inapp)|ctrader ?id|\bctid\b"
    text = path.read_text(encoding="utf-8") if path.suffix != ".js" else code_of(path)
    assert re.findall(others, text, re.IGNORECASE) == []
