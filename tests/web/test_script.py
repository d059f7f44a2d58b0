"""The script as it is served: up to date, small, plain, and what its README says about it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.web.conftest import free_port

PROJECT = Path(__file__).resolve().parents[2]
WIDGET = PROJECT / "web" / "widget"
SOURCES = sorted((WIDGET / "src").iterdir())
MODULES = [path for path in SOURCES if path.suffix == ".js"]
README = (WIDGET / "README.md").read_text(encoding="utf-8")

SIZE_LIMIT = 30_000
"""Bytes of the script on the wire, gzipped."""


def test_joined_files_are_what_the_modules_say():
    done = subprocess.run([sys.executable, WIDGET / "build.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_script_is_small_as_served():
    port, shop_port = free_port(), free_port()
    command = [sys.executable, "-m", "tests.simulators.website", "--port", str(port), "--shop-port", str(shop_port)]
    simulator = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    try:
        assert simulator.stdout is not None and "listening on" in simulator.stdout.readline()
        url = f"http://127.0.0.1:{port}/scripts/webchat.js"
        with requests.get(url, headers={"Accept-Encoding": "gzip"}, stream=True, timeout=10) as answer:
            served = answer.raw.read()
            assert answer.headers["Content-Encoding"] == "gzip"
    finally:
        simulator.terminate()
        simulator.wait(timeout=10)
    print(f"{len(served)} bytes gzipped")
    assert len(served) < SIZE_LIMIT


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_module_keeps_the_rules(path):
    text = path.read_text(encoding="utf-8")
    code = "\n".join(line for line in text.splitlines() if not line.strip().startswith("//"))
    forbidden = {
        "a string becomes markup": r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment",
        "a string becomes code": r"\beval\b|new Function|setTimeout\(['\"`]|setAttribute\('on",
        "an inline style attribute": r"setAttribute\('style'|\bstyle: |cssText",
        "newer than ES2019": r"\?\.[A-Za-z_([]|\?\?|matchAll|replaceAll|globalThis|\bimport\(|^\s*static |#[a-z]+ = ",
    }
    assert {why: found for why, rule in forbidden.items() if (found := re.findall(rule, code, re.MULTILINE))} == {}


def test_markup_is_parsed_in_one_place():
    assert [path.name for path in MODULES if "parseFromString" in path.read_text(encoding="utf-8")] == ["template.js"]


@pytest.mark.parametrize("path", [*SOURCES, *WIDGET.glob("*.*")], ids=lambda path: path.name)
def test_lines_are_not_long(path):
    assert [line for line in path.read_text(encoding="utf-8").splitlines() if len(line) > 130] == []


def test_readme_lists_every_literal_with_its_number_and_text():
    defaults = re.findall(r"^  \['(\w+)', '(.*)'\],$", (WIDGET / "src" / "literals.js").read_text(encoding="utf-8"), re.MULTILINE)
    listed = re.findall(r"^\| (\d+) \| `(\w+)` \| (.*) \|$", README, re.MULTILINE)
    assert listed == [(str(number), name, text or "-") for number, (name, text) in enumerate(defaults, 1)]


def test_every_literal_is_used_and_no_other():
    code = "".join(path.read_text(encoding="utf-8") for path in MODULES)
    names = set(re.findall(r"^  \['([A-Z]\w+)', ", code, re.MULTILINE))
    used = set(re.findall(r"\bsay\.([A-Z]\w+)", code)) | set(re.findall(r"literals\.([A-Z]\w+)", code))
    # Named as text where a check or a failed call says which literal explains it.
    used |= {name for name in names if re.search(rf"(return|\?|:) '{name}'", code)}
    assert used == names


def test_readme_lists_every_setting():
    code = "".join(path.read_text(encoding="utf-8") for path in MODULES)
    settings = set(re.findall(r"settings\.([A-Z]\w+)", code))
    table = README.split("## Settings", 1)[1].split("\n## ", 1)[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == settings
