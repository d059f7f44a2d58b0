"""The tables of what is covered of the platforms' contracts are whole, true and the ones that are committed."""

from __future__ import annotations

import copy

import pytest

from tests.coverage import table


@pytest.mark.parametrize("platform", table.platforms())
def test_every_item_has_code_and_a_test_that_are_there(platform: str) -> None:
    assert not table.problems(table.load(platform))


@pytest.mark.parametrize("platform", table.platforms())
def test_committed_table_is_the_generated_one(platform: str) -> None:
    assert table.written(platform).read_text() == table.table(table.load(platform)), "run `make coverage-table`"


@pytest.mark.parametrize(
    ("section", "change", "told"),
    [
        ("5.1", {"code": []}, "has an empty cell"),
        ("5.1", {"test": ""}, "has an empty cell"),
        ("5.1", {"code": "shared/chat/src/gone.rs::step"}, "there is no such file"),
        ("5.1", {"code": "shared/chat/src/step.rs::gone"}, "gone is not declared there"),
        ("5.1", {"code": "shared/platform-frontstage/src/error.rs::Code::Gone"}, "there is no Gone"),
        ("5.1", {"test": "shared/chat/src/tests/rows.rs::row_0_gone"}, "there is no such test"),
        ("5.1", {"test": "shared/chat/src/step.rs::step"}, "there is no such test"),
        ("7", {"test": "shared/platform-frontstage/src/inbound.rs::every_broken_rule_is_listed[Gone]"}, "no such case"),
        ("8.1", {"missing": "nobody had the time"}, "is missing and not in allow_missing"),
    ],
)
def test_stale_or_empty_cell_is_told(section: str, change: dict[str, object], told: str) -> None:
    data = copy.deepcopy(table.load("frontstage"))
    row = next(row for row in data["items"] if row["section"] == section and "missing" not in row)
    row.update(change)
    assert any(told in problem for problem in table.problems(data))


def test_item_that_is_forgotten_is_told() -> None:
    whole = table.load("frontstage")
    for forget in (
        lambda data: data["structures"][-1]["fields"].popitem(),
        lambda data: data["structures"].pop(),
        lambda data: data["enumerations"][0]["words"].pop(),
        lambda data: data["items"].pop(0),
        lambda data: data["allow_missing"].append("5.1 something that is done by now"),
    ):
        data = copy.deepcopy(whole)
        forget(data)
        assert table.problems(data), "nothing is missed"


def test_item_of_vcita_that_is_forgotten_is_told() -> None:
    whole = table.load("vcita")
    setting = next(row for row in whole["items"] if "settings" in row)
    disagreement = next(row for row in whole["items"] if "disagreement_" in str(row.get("test")))
    for forget in (
        lambda data: data["enumerations"][0]["words"].pop(),
        lambda data: data["items"].remove(setting),
        lambda data: data["items"].remove(disagreement),
        lambda data: data["items"].pop(0),
        lambda data: data["allow_missing"].append("8.3 something that is done by now"),
    ):
        data = copy.deepcopy(whole)
        forget(data)
        assert table.problems(data), "nothing is missed"
