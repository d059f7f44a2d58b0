"""The coverage tables of the platforms' contracts: every item of one, the code that does it and the test that proves it.

The items stand in `docs/coverage/<platform>.json`, written by hand. This program checks each of them against the
sources, so that a cell that has become stale is noticed, checks that nothing is declared in the sources that the items
forget, and writes `docs/coverage/<platform>.md`. Run it by `make coverage-table`.

A cell is `file::what`. For code, `what` is a declared name (`fn`, `struct`, `const`, ...), a variant (`Enum::Variant`),
or a `"word"` that stands in the file as a literal. For tests it is the name of a test, with `[case]` behind it where
the test goes through several: the case has to stand in the file as a literal.
"""

from __future__ import annotations

import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TABLES = ROOT / "docs/coverage"
WIRE = ROOT / "shared/platform-frontstage/src"
VCITA = ROOT / "shared/platform-vcita/src"
CTRADER = ROOT / "shared/platform-ctrader/src"
ROXCHAT = ROOT / "shared/platform-roxchat/src"

Data = dict[str, Any]

DECLARATION = r"\b(?:fn|struct|enum|const|static|type|trait|mod|def|class|function)\s+{name}\b"
RUST_TEST = (
    r"#\[(?:tokio::)?test[^\]]*\]\s*(?:#\[[^\]]*\]\s*|//[^\n]*\s*)*(?:pub(?:\([a-z]+\))? )?(?:async )?fn {name}\b|"
    # Up to the end of the block, which is indented as its beginning.
    r"^( *)proptest! \{{(?:(?!^\1\}}).)*?\bfn {name}\("
)
PYTHON_TEST = r"^(?:    )?(?:async )?def {name}\("
JAVASCRIPT_TEST = r"^test\('{name}'"


@cache
def source(path: str) -> str | None:
    file = ROOT / path
    return file.read_text() if file.is_file() else None


@cache
def wrong_code(cell: str) -> str | None:
    """What is wrong with a cell of the column Code."""
    path, _, symbol = cell.partition("::")
    text = source(path)
    if text is None:
        return f"{cell}: there is no such file"
    if symbol.startswith('"'):
        return None if symbol in text else f"{cell}: the word is not there"
    kind, _, variant = symbol.partition("::")
    if not re.search(DECLARATION.format(name=re.escape(kind)), text):
        return f"{cell}: {kind} is not declared there"
    if variant and not re.search(rf"^\s*{re.escape(variant)}\b", text, re.MULTILINE):
        return f"{cell}: there is no {variant}"
    return None


@cache
def wrong_test(cell: str) -> str | None:
    """What is wrong with a cell of the column Test."""
    path, _, name = cell.partition("::")
    text = source(path)
    if text is None:
        return f"{cell}: there is no such file"
    name, _, case = name.partition("[")
    pattern = {".rs": RUST_TEST, ".py": PYTHON_TEST, ".mjs": JAVASCRIPT_TEST}[Path(path).suffix]
    if not re.search(pattern.format(name=re.escape(name)), text, re.MULTILINE | re.DOTALL):
        return f"{cell}: there is no such test"
    case = case.removesuffix("]")
    if case and not re.search(rf"""["'(\[ ]{re.escape(case)}["',)\] ]""", text):
        return f"{cell}: the test has no such case"
    return None


def cells(value: str | list[str] | None) -> list[str]:
    if not value:
        return []
    return [value] if isinstance(value, str) else value


def rows(data: Data) -> list[Data]:
    """Every item with its section, those of structures and enumerations included, in the order of the contract."""
    found: list[Data] = []
    for structure in data.get("structures", []):
        base = {"section": structure["section"], "test": structure["test"]}
        code = structure["code"]
        found.append({**base, "item": structure["name"], "code": code})
        for field, dirs in structure["fields"].items():
            own = structure.get("own", {}).get(field, {})
            found.append({**base, "item": f"{structure['name']}.{field} ({dirs})", "code": code, **own})
    for enumeration in data["enumerations"]:
        for word in enumeration["words"]:
            item = f"{enumeration['name']} {word}"
            row = {"section": data["enumerations_section"], "item": item}
            row |= {"code": enumeration["code"], "test": enumeration["test"]}
            found.append({**row, **enumeration.get("own", {}).get(word, {})})
    found.extend(data["items"])
    order = list(data["sections"])
    return sorted(found, key=lambda row: order.index(row["section"]))


def name_of(row: Data) -> str:
    return f"{row['section']} {row['item']}"


def problems(data: Data) -> list[str]:
    """Everything that is wrong with the items."""
    found = []
    names = [name_of(row) for row in rows(data)]
    found += [f"{name}: is there twice" for name in sorted({name for name in names if names.count(name) > 1})]
    for row in rows(data):
        name = name_of(row)
        if "missing" in row:
            if not row["missing"]:
                found.append(f"{name}: is missing without a reason")
        elif not cells(row.get("code")) or not cells(row.get("test")):
            found.append(f"{name}: has an empty cell")
        found += [f"{name}: {wrong}" for cell in cells(row.get("code")) if (wrong := wrong_code(cell))]
        found += [f"{name}: {wrong}" for cell in cells(row.get("test")) if (wrong := wrong_test(cell))]
    missing = {name_of(row) for row in rows(data) if "missing" in row}
    allowed = set(data["allow_missing"])
    found += [f"{name}: is missing and not in allow_missing" for name in sorted(missing - allowed)]
    found += [f"{name}: is in allow_missing and not missing" for name in sorted(allowed - missing)]
    for section, about in data["sections"].items():
        counted = sum(row["section"] == section for row in rows(data))
        if counted != about["rows"]:
            found.append(f"section {section} has {counted} rows, not the {about['rows']} of the contract")
    return found + FORGOTTEN[data["contract"]](data)


def differences(what: str, declared: Any, listed: Any) -> list[str]:
    return [] if declared == listed else [f"{what}: declared {declared}, listed {listed}"]


def forgotten_frontstage(data: Data) -> list[str]:
    """What is declared in the sources and not listed, and the other way round."""
    wire = "".join(file.read_text() for file in sorted(WIRE.glob("*.rs")))
    listed = {structure["name"]: structure for structure in data["structures"]}

    declared = {
        name: {member: dirs.upper() for member, dirs in re.findall(r'= "(\w+)" in ([A-Za-z ]+);', body)}
        for name, body in re.findall(r"structure! \{.*?pub struct (\w+) \{(.*?)\n    \}", wire, re.DOTALL)
    }
    on_wire = {name: one["fields"] for name, one in listed.items() if one["declared"] == "structure"}
    found = differences("structures", sorted(declared), sorted(on_wire))
    for name in declared.keys() & on_wire.keys():
        found += differences(name, declared[name], on_wire[name])

    models = (ROOT / "shared/website/src/models.rs").read_text()
    for name in (name for name, one in listed.items() if one["declared"] == "serde"):
        body = re.search(rf"pub struct {name} \{{(.*?)\n\}}", models, re.DOTALL)
        members = re.findall(r'(?:#\[serde\(rename = "(\w+)".*?\]\s*)?pub (\w+): ', body[1] if body else "")
        pascal = {given or "".join(part.capitalize() for part in field.split("_")) for given, field in members}
        written = {field for field, dirs in listed[name]["fields"].items() if dirs != "IN"}
        found += differences(name, sorted(pascal - set(listed[name].get("extra", []))), sorted(written))
    body_source = (ROOT / "shared/website/src/body.rs").read_text()
    for name in (name for name, one in listed.items() if one.get("read_by")):
        body = re.search(rf"fn {listed[name]['read_by']}\(.*?\n\}}", body_source, re.DOTALL)
        read = set(re.findall(r'm\.\w+\("(\w+)"', body[0] if body else ""))
        expected = {field for field, dirs in listed[name]["fields"].items() if dirs in ("IN", "BOTH")}
        found += differences(
            f"{name} as it is read",
            sorted(read - set(listed[name].get("extra", []))),
            sorted(expected - set(listed[name].get("ignored", []))),
        )

    words = {
        name: re.findall(r'^\s+\w+ = ("[^;]+);', body, re.MULTILINE)
        for name, body in re.findall(r"enumeration! \{.*?pub enum (\w+) \{(.*?)\n    \}", wire, re.DOTALL)
    }
    for enumeration in data["enumerations"]:
        if enumeration.get("declared"):
            entries = words[enumeration["declared"]]
            declared_words = {word for entry in entries for word in re.findall(r'"(\w+)"', entry)}
            found += differences(enumeration["name"], sorted(declared_words), sorted(enumeration["words"]))
    listed_words = {enumeration.get("declared") for enumeration in data["enumerations"]}
    found += [f"enumeration {name} is not listed" for name in sorted(words.keys() - listed_words)]

    spelt = set(re.findall(r'"((?:ES|SE|CS|SC)_[A-Z_]+)"', (WIRE / "message.rs").read_text()))
    catalogue = {row["item"].split(" ")[0] for row in data["items"] if row["section"].startswith("3.")}
    # The one name of the catalogue that is read by its ending alone.
    found += differences("messages", sorted(spelt | {"CS_CHAT_RESNYC"}), sorted(catalogue))

    codes = re.search(r"pub enum Code \{(.*?)\n\}", (WIRE / "error.rs").read_text(), re.DOTALL)
    variants = re.findall(r"^    (\w+),", codes[1] if codes else "", re.MULTILINE)
    answered = [word for row in data["items"] if row["section"] == "10.6" for word in row.get("codes", [])]
    return found + differences("error codes", sorted(variants), sorted(answered))


def forgotten_vcita(data: Data) -> list[str]:
    """The words, settings, routes and disagreements that the sources have and the items do not, and the other way round."""
    status = (VCITA / "status.rs").read_text()
    found = []
    for enumeration in data["enumerations"]:
        if name := enumeration.get("declared"):
            body = re.search(rf"pub\(crate\) fn {name}\(.*?\n\}}", status, re.DOTALL)
            words = re.findall(r'"(\w+)"', body[0] if body else "")
            found += differences(enumeration["name"], sorted(words), sorted(enumeration["words"]))

    settings = (VCITA / "settings.rs").read_text()
    body = re.search(r"struct Written \{(.*?)\n\}", settings, re.DOTALL)
    members = set(re.findall(r"^    (\w+): ", body[1] if body else "", re.MULTILINE))
    members |= set(re.findall(r'field\("(\w+)"\)', settings)) | set(re.findall(r'value\.get\("(\w+)"\)', settings))
    listed = {member for row in data["items"] for member in row.get("settings", [])}
    found += differences("settings", sorted(members), sorted(listed))

    declared = re.search(r"pub enum Route \{(.*?)\n\}", (VCITA / "auth.rs").read_text(), re.DOTALL)
    routes = re.findall(r"^    (\w+)(?:\(\w+\))?,", declared[1] if declared else "", re.MULTILINE)
    served = [row["route"] for row in data["items"] if "route" in row]
    found += differences("routes", sorted(routes), sorted(served))

    return found + disagreements(data, "12", of_ctrader=False)


def disagreements(data: Data, section: str, *, of_ctrader: bool) -> list[str]:
    """The tests about what a contract's sources disagree on: those in the sources, and those of the section about it."""
    files = [file for folder in ("functions", "shared") for file in (ROOT / folder).glob("*/**/*.rs")]
    files = [file for file in files if ("ctrader" in str(file.relative_to(ROOT))) == of_ctrader]
    proven = {name for file in files for name in re.findall(r"\bfn (disagreement_\d\d_\w+)", file.read_text())}
    named = {one.partition("::")[2] for row in rows(data) if row["section"] == section for one in cells(row.get("test"))}
    return differences("disagreements", sorted(proven), sorted(name for name in named if name.startswith("disagreement_")))


def forgotten_ctrader(data: Data) -> list[str]:
    """The settings and disagreements that the sources have and the items do not, and the other way round."""
    body = re.search(r"struct Raw \{(.*?)\n\}", (CTRADER / "settings.rs").read_text(), re.DOTALL)
    members = set(re.findall(r"^    (?:pub\(crate\) )?(\w+): ", body[1] if body else "", re.MULTILINE))
    secrets = (CTRADER / "secrets.rs").read_text()
    members |= set(re.findall(r'field\("(\w+)"\)', secrets)) | set(re.findall(r'value\.get\("(\w+)"\)', secrets))
    listed = {member for row in data["items"] for member in row.get("settings", [])}
    return differences("settings", sorted(members), sorted(listed)) + disagreements(data, "10", of_ctrader=True)


def forgotten_iadvize(data: Data) -> list[str]:
    """The endpoints of section 2 that the items do not name."""
    endpoints = "A1 A2 A3 B1 B2 B3 B4 B5 B6 B7 B8 C1 C2 F1 H1 O1 P1 P2 W1".split()
    named = {word for row in data["items"] for word in re.findall(r"\b[ABCFHOPW]\d\b", row["item"])}
    return differences("endpoints", endpoints, sorted(named & set(endpoints)))


def forgotten_roxchat(data: Data) -> list[str]:
    """The events and kinds of messages that the sources know and the items do not, and the other way round."""
    events = re.search(r"pub const fn name\(.*?\n    \}\n", (ROXCHAT / "event.rs").read_text(), re.DOTALL)
    known = set(re.findall(r'=> "(\w+)"', events[0] if events else "")) - {"unknown"}
    listed = {row["item"] for row in data["items"] if row["section"] == "3"} - {"an event that is not listed"}
    kinds = set(re.findall(r'^    \("(\w+)", Side::', (ROXCHAT / "kind.rs").read_text(), re.MULTILINE))
    named = {row["item"].removeprefix("kind ") for row in data["items"] if row["item"].startswith("kind ")}
    return differences("events", sorted(known), sorted(listed)) + differences("kinds", sorted(kinds), sorted(named))


FORGOTTEN = {
    "FrontStage": forgotten_frontstage,
    "cTrader": forgotten_ctrader,
    "iAdvize": forgotten_iadvize,
    "Rox.Chat": forgotten_roxchat,
    "vcita": forgotten_vcita,
}
"""By contract: what its sources are compared with."""


def cell(values: list[str]) -> str:
    return "<br>".join(f"`{value.replace('::', ' ', 1)}`" for value in values)


def escaped(text: str) -> str:
    return text.replace("|", "\\|")


def table(data: Data) -> str:
    """The table, as Markdown."""
    every = rows(data)
    covered = [row for row in every if "missing" not in row]
    missing = [row for row in every if "missing" in row]
    lines = [
        f"# Coverage of the {data['contract']} contract",
        "",
        "Generated by `make coverage-table` from the JSON file of the same name; not edited by hand. Every item of the",
        "contract's sections named below, the code that does it and a test that proves it. `make flows` fails if a file,",
        f"a name or a test is not there any more, and if the sources declare {data['compared']}",
        "that is not listed.",
        "",
        f"{len(covered)} of {len(every)} items are covered.",
    ]
    for section, about in data["sections"].items():
        lines += ["", f"## {section} {about['title']}", "", "| Item | Code | Test |", "|---|---|---|"]
        for row in covered:
            if row["section"] == section:
                lines.append(f"| {escaped(row['item'])} | {cell(cells(row['code']))} | {cell(cells(row['test']))} |")
    if missing:
        lines += ["", "## Not covered", "", "| Section | Item | Why |", "|---|---|---|"]
        lines += [f"| {row['section']} | {escaped(row['item'])} | {escaped(row['missing'])} |" for row in missing]
    return "\n".join(lines) + "\n"


def platforms() -> list[str]:
    """The platforms that have a table."""
    return sorted(file.stem for file in TABLES.glob("*.json"))


def load(platform: str) -> Data:
    data: Data = json.loads((TABLES / f"{platform}.json").read_text())
    return data


def written(platform: str) -> Path:
    """Where the table of a platform stands."""
    return TABLES / f"{platform}.md"


def main() -> int:
    tables = {platform: load(platform) for platform in platforms()}
    wrong = [f"{platform}: {problem}" for platform, data in tables.items() for problem in problems(data)]
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    for platform, data in tables.items():
        written(platform).write_text(table(data))
    return 0


if __name__ == "__main__":
    sys.exit(main())
