"""The loader of catalogues, with a function that is played here."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.stack import catalogue
from tests.stack.catalogue import Catalogue, Progress, Refused, WrongFile, load, main, read, sample, write

CASES = json.loads((Path(__file__).parent / "catalogue-cases.json").read_text())

CSV = """\
type,id,parent,label,title,url,image_url,price,available,categories
category,10,,Cuisine,,,,,,
category,11,10,Bouilloires,,,,,,
,501,,,"Bouilloire électrique, 1,7 l",https://b.example/501,https://b.example/501.jpg,"49,90 €",yes,11|10

product,502,,,Théière,https://b.example/502,https://b.example/502.jpg,"19,90 €",,
"""


def given(tmp_path: Path, text: str, name: str = "a.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def problems(tmp_path: Path, text: str, name: str = "a.csv") -> list[tuple[int, str]]:
    with pytest.raises(WrongFile) as told:
        read(given(tmp_path, text, name))
    return told.value.problems


def test_csv_is_read_with_its_lines(tmp_path):
    found = read(given(tmp_path, CSV))
    assert found.categories == [
        {"line": 2, "id": 10, "label": "Cuisine"},
        {"line": 3, "id": 11, "parent": 10, "label": "Bouilloires"},
    ]
    first, second = found.products
    assert (first["line"], first["title"], first["available"], first["categories"]) == (4, "Bouilloire électrique, 1,7 l", True, [11, 10])
    assert second == {
        "line": 6, "id": 502, "title": "Théière", "url": "https://b.example/502", "image_url": "https://b.example/502.jpg", "price": "19,90 €",
    }  # fmt: skip


def test_csv_of_a_spreadsheet_has_semicolons_and_a_byte_order_mark(tmp_path):
    found = read(given(tmp_path, "\ufeffid;title;price\n1;Thé;1,50 €\n"))
    assert found.products == [{"line": 2, "id": 1, "title": "Thé", "price": "1,50 €"}]


def test_json_lines_hold_the_same(tmp_path):
    text = '{"type":"category","id":10,"label":"Cuisine"}\n\n{"id":501,"title":"Thé","categories":[10],"brand":null}\n'
    found = read(given(tmp_path, text, "a.jsonl"))
    assert found.categories == [{"line": 1, "id": 10, "label": "Cuisine"}]
    assert found.products == [{"line": 3, "id": 501, "title": "Thé", "categories": [10]}]


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_rows_are_judged_as_the_function_judges_them(case, tmp_path):
    categories = [{"type": "category", "id": number, "label": "a"} for number in range(30)]
    text = "".join(json.dumps(row) + "\n" for row in [case["row"], *categories])
    if case["is"] == "refused":
        [(line, _)] = problems(tmp_path, text, "a.jsonl")
        assert line == 1
    else:
        assert len(read(given(tmp_path, text, "a.jsonl")).products) == 1


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("id,colour\n1,red\n", 1, "unknown columns colour"),
        ("title\nThé\n", 1, "name each column once, with id"),
        ("id,id\n1,2\n", 1, "name each column once"),
        ("id,title\n1,Thé\n2\n", 3, "has 1 cells and not 2"),
        ('id,title\n1,"Thé\n', 2, "is no CSV"),
        ("id,title\nabc,Thé\n", 2, "id is no integer"),
        ("id,title\n1,Thé\n2,b\n1,c\n", 4, "the product of line 2 has this id"),
        ("id,categories\n1,5\n", 2, "there is no category 5"),
        ("id,categories\n1,a|b\n", 2, "categories are no list"),
        ("id,available\n1,maybe\n", 2, "available is neither"),
        ("type,id,label\nshelf,1,a\n", 2, "type is neither"),
        ("type,id,label\ncategory,1,\n", 2, "label is missing"),
        ("type,id,parent,label\ncategory,1,9,a\n", 2, "there is no category 9"),
        ("type,id,parent,label\ncategory,1,2,a\ncategory,2,1,b\ncategory,3,,c\n", 2, "below itself"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(text, line, what, tmp_path):
    assert any(at == line and what in said for at, said in problems(tmp_path, text)), problems(tmp_path, text)


def test_lines_that_are_no_json_are_named(tmp_path):
    told = problems(tmp_path, '{"id":1}\n{"id":\n[1]\n', "a.jsonl")
    assert [line for line, _ in told] == [2, 3]
    (tmp_path / "a.jsonl").write_bytes(b'{"id":1,"title":"\xe9"}\n')
    with pytest.raises(WrongFile, match="UTF-8"):
        read(tmp_path / "a.jsonl")


def test_all_errors_are_counted_and_some_shown(tmp_path):
    with pytest.raises(WrongFile) as told:
        read(given(tmp_path, "id\n" + "x\n" * 50))
    assert len(str(told.value).splitlines()) == 21
    assert str(told.value).endswith("... and 30 more")


class Function:
    """Takes parts as the function does, and fails where it is told to."""

    def __init__(self) -> None:
        self.digest, self.parts, self.published = "", [], None
        self.events: list[dict[str, Any]] = []
        self.fails_at: int | None = None

    def __call__(self, event: dict[str, Any]) -> dict[str, Any]:
        self.events.append(event)
        assert len(json.dumps(event)) < 6_000_000
        match event["action"]:
            case "begin":
                if event["digest"] != self.digest:
                    self.digest, self.parts = event["digest"], []
                return {"version": "v1", "parts": len(self.parts)}
            case "part":
                if self.fails_at == event["part"]:
                    raise Refused("no connection")
                assert event["part"] == len(self.parts)
                self.parts.append(event["products"])
                dropped = [row for row in event["products"] if "price" not in row]
                return {"dropped_rows": [{"line": row["line"], "message": "price is missing"} for row in dropped]}
            case "publish":
                self.published = [row["id"] for part in self.parts for row in part]
                return {"products": len(self.published), "dropped": 0}
            case "clean":
                return {"clean": len([event for event in self.events if event["action"] == "clean"]) > 1}
        raise AssertionError(event)


def products(count: int) -> Catalogue:
    return Catalogue([], [{"line": number + 1, "id": number, "price": "1 €"} for number in range(count)])


def test_catalogue_goes_in_parts_and_what_was_replaced_is_removed():
    function, out = Function(), io.StringIO()
    load(products(4_500), "iadvize/shop", function, Progress(out))
    assert [len(part) for part in function.parts] == [2000, 2000, 500]
    assert function.published == list(range(4_500))
    assert [event["action"] for event in function.events] == ["begin", *["part"] * 3, "publish", "clean", "clean"]
    assert "products: 4500 of 4500" in out.getvalue()


def test_long_products_make_shorter_parts():
    row = {"id": 1, "line": 1, "description": "x" * 8_900}
    parts = Catalogue([], [row] * 1_000).parts()
    assert [len(part) for part in parts] == [335, 335, 330]


def test_interrupted_load_goes_on_where_it_was():
    function, out = Function(), io.StringIO()
    function.fails_at = 2
    with pytest.raises(Refused):
        load(products(4_500), "iadvize/shop", function, Progress(out))
    function.fails_at = None
    load(products(4_500), "iadvize/shop", function, Progress(out))
    assert [event["part"] for event in function.events if event["action"] == "part"] == [0, 1, 2, 2]
    assert "goes on behind 4000 products" in out.getvalue()
    assert function.published == list(range(4_500))


def test_other_content_begins_anew():
    function = Function()
    function.fails_at = 1
    with pytest.raises(Refused):
        load(products(3_000), "iadvize/shop", function, Progress(io.StringIO()))
    function.fails_at = None
    load(products(2_999), "iadvize/shop", function, Progress(io.StringIO()))
    assert len(function.published) == 2_999


def test_products_that_are_left_out_are_told_by_line():
    function, out = Function(), io.StringIO()
    load(Catalogue([], [{"line": 7, "id": 1}]), "iadvize/shop", function, Progress(out))
    assert "line 7: left out: price is missing" in out.getvalue()


def test_refusal_names_the_rows():
    refused = {"error": {"code": "invalid", "message": "line 3: x", "rows": [{"line": 3, "message": "x"}]}}
    with pytest.raises(Refused, match="^line 3: x$"):
        load(products(1), "iadvize/shop", lambda event: refused, Progress(io.StringIO()))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_terminal_has_a_bar():
    out = Terminal()
    progress = Progress(out)
    progress.show("products", 1_500, 3_000)
    progress.show("products", 3_000, 3_000)
    assert f"[{'#' * 15:<30}]  50%  1500 of 3000" in out.getvalue()
    assert f"[{'#' * 30}] 100%" in out.getvalue()


@pytest.mark.parametrize("name", ["sample.csv", "sample.jsonl"])
def test_sample_is_the_same_each_time_and_can_be_loaded(name, tmp_path):
    rows = list(sample(500))
    assert rows == list(sample(500))
    path = tmp_path / name
    write(rows, path)
    found = read(path)
    assert (len(found.products), len(found.categories)) == (500, 168)
    assert [row["id"] for row in found.products] == list(range(100_001, 100_501))
    assert re.search("[éèêôŒœŁØ]", " ".join(row["title"] for row in found.products))


def test_command_writes_a_sample_and_refuses_a_wrong_file(tmp_path, capsys, monkeypatch):
    path = tmp_path / "a.csv"
    assert main([str(path), "--sample", "30"]) == 0
    assert len(read(path).products) == 30
    monkeypatch.setattr(catalogue, "STACK_FILE", tmp_path / "none.json")
    assert main([str(path)]) == 1
    assert "no local stack runs" in capsys.readouterr().err
    function = Function()
    monkeypatch.setattr(catalogue, "invoker", lambda stack: function)
    assert main([str(path)]) == 0
    assert main([str(given(tmp_path, "id,title\nx,Thé\n", "b.csv"))]) == 1
    assert "line 2: id is no integer" in capsys.readouterr().err
    assert [event["action"] for event in function.events].count("begin") == 1, "nothing was sent of the wrong file"
