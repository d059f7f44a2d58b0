"""`docs/settings.md` names every member of the settings and secrets that the code reads, and nothing else.

What the code reads is taken from the Rust sources: the types that serde fills are followed from the first ones, which
are listed here, through the types of their members. So a new member, and a new type behind it, is asked for by name.

In the document a comment in front of a table or of an example says which type it is about:

    <!-- shared/chat/src/gate.rs GateRule -->
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/settings.md"

FRONTSTAGE = "shared/platform-frontstage/src/settings.rs"
WEBSITE = "shared/website/src/settings.rs"
VCITA = "shared/platform-vcita/src/settings.rs"
CTRADER = "shared/platform-ctrader/src"
IADVIZE = "shared/platform-iadvize/src"
ROXCHAT = "shared/platform-roxchat/src"
FORMS = "shared/platform-frontstage/src/forms.rs"
CONFIGURE = "shared/app/src/configure.rs"

#: Where reading begins: what `operator-configure` takes, and the secrets in the parameter store.
FIRST = [
    f"{CONFIGURE} Document",
    f"{FRONTSTAGE} SecretsText",
    f"{WEBSITE} SecretsText",
    f"{VCITA} Secrets",
    f"{CTRADER}/secrets.rs Secrets",
    f"{IADVIZE}/secrets.rs Secrets",
    f"{ROXCHAT}/secrets.rs Secrets",
]

#: Members that are kept as JSON and read by somebody else -> who reads them; of several, one of them.
READ_BY = {
    f"{CONFIGURE} AccountDocument settings": [
        f"{FRONTSTAGE} DeskAccountText",
        f"{FRONTSTAGE} SettingsText",
        f"{VCITA} Written",
        f"{CTRADER}/settings.rs Raw",
        f"{IADVIZE}/settings.rs Raw",
        f"{ROXCHAT}/settings.rs Raw",
    ],
    f"{CTRADER}/settings.rs Raw actions": [f"{CTRADER}/action.rs RawAction"],
    f"{FRONTSTAGE} SettingsText website": [f"{WEBSITE} WebsiteText"],
    f"{FRONTSTAGE} SettingsText scenarios": ["shared/website/src/form.rs ScenarioInfo"],
    f"{FRONTSTAGE} SettingsText registers": [f"{FORMS} RegistersText"],
    f"{FORMS} RegistersText rules": ["shared/website/src/routing/rule.rs WebSiteRoutingInfo"],
    f"{FORMS} RegistersText literals": ["shared/platform-frontstage/src/register.rs LiteralLookupInfo"],
}

#: Types that no derive reads -> what their names look like in their declaration or `impl`.
BY_HAND = {
    f"{VCITA} Secrets": r'\b(?:field|get)\("(\w+)"\)',
    f"{CTRADER}/secrets.rs Secrets": r'\b(?:field|get)\("(\w+)"\)',
    f"{IADVIZE}/secrets.rs Secrets": r'\b(?:field|get)\("(\w+)"\)',
    f"{ROXCHAT}/secrets.rs Secrets": r'\blisted\(value, "(\w+)"\)',
    # What is in an action is a notation of its own.
    f"{CTRADER}/action.rs RawAction": r"(?m)^    (?:r#)?(\w+): ",
    # Of the contract's structures, what the server tells is what an operator writes.
    "shared/platform-frontstage/src/register.rs LiteralLookupInfo": r'= "(\w+)" in (?:\w+ )*Se;',
}

#: How checks that are written by hand tell the words of a member.
NOT_ONE_OF = re.compile(r'problem\("(\w+) is not one of ([\w, ]+)"\)')

NUMBERS = r"[iu](?:8|16|32|64|size)"
LISTS, MAPS = {"Vec", "BTreeSet", "HashSet"}, {"BTreeMap", "HashMap"}

Sources = dict[str, str]


@dataclass
class Member:
    """One name in JSON."""

    name: str
    type: str = "String"
    aliases: list[str] = field(default_factory=list)
    is_required: bool = False
    #: The function that gives the default, if one is named.
    default: str | None = None
    #: Whether other variants of the enum do without it.
    is_of_variant: bool = False


@dataclass
class Type:
    """What serde, or somebody by hand, reads as an object, as one of some words, or by way of other types."""

    file: str
    name: str
    members: list[Member] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    default_word: str | None = None
    #: What is read in its place: a newtype's, or one of those of an enumeration without a tag.
    instead: list[str] = field(default_factory=list)
    is_by_hand: bool = False
    #: Whether an object of this type has one member, whichever it is.
    is_choice: bool = False
    #: What this test cannot read of it; of no concern where settings do not come to it.
    trouble: str | None = None

    @property
    def id(self) -> str:
        return f"{self.file} {self.name}"


# ------------------------------------------------------------------------------------------------------- Rust sources


def sources() -> Sources:
    """The code under shared/, without its tests and comments, by path."""
    read: Sources = {}
    for path in sorted(ROOT.glob("shared/*/src/**/*.rs")):
        text = path.read_text().split("#[cfg(test)]")[0]
        read[path.relative_to(ROOT).as_posix()] = re.sub(r"^\s*//.*\n| //[^\"\n]*$", "", text, flags=re.M)
    return read


ATTRIBUTES = r"((?:#\[(?:[^\[\]]|\[[^\]]*\])*\]\s*)*)"
DECLARATION = re.compile(ATTRIBUTES + r"(?:pub(?:\(\w+\))? )?(struct|enum) (\w+)(?:<[^>]*>)?\s*([{(])")
FIELD = re.compile(ATTRIBUTES + r"(?:pub(?:\(\w+\))? )?(?:r#)?(\w+)\s*:\s*(.+)", re.S)
VARIANT = re.compile(ATTRIBUTES + r"(\w+)\s*(.*)", re.S)


def block(text: str, start: int) -> str:
    """What stands within the bracket at ``start``."""
    depth = 0
    for at in range(start, len(text)):
        depth += {"{": 1, "(": 1, "}": -1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return text[start + 1 : at]
    raise AssertionError("a bracket is not closed")


def parts(text: str) -> Iterator[str]:
    """Parts of a list, without looking into brackets."""
    depth, part = 0, ""
    for char in text + ",":
        depth += {"{": 1, "(": 1, "<": 1, "[": 1, "}": -1, ")": -1, ">": -1, "]": -1}.get(char, 0)
        if char == "," and depth == 0:
            if part.strip():
                yield part.strip()
            part = ""
        else:
            part += char


def attributes(text: str) -> list[tuple[str, str | None]]:
    """The words of `#[serde(...)]`, each with its text if it has one."""
    found: list[tuple[str, str | None]] = []
    for inside in re.findall(r"#\[serde\((.*?)\)\]", text, re.S):
        found += [(word, value or None) for word, value in re.findall(r'(\w+)(?:\s*=\s*"([^"]*)")?', inside)]
    return found


def renamed(name: str, rule: str | None, is_variant: bool) -> str:
    words = [word.lower() for word in (re.findall(r"[A-Z][a-z0-9]*", name) if is_variant else name.split("_"))]
    match rule:
        case None:
            return name
        case "lowercase":
            return "".join(words)
        case "UPPERCASE":
            return "".join(words).upper()
        case "snake_case":
            return "_".join(words)
        case "PascalCase":
            return "".join(word.capitalize() for word in words)
        case "camelCase":
            return words[0] + "".join(word.capitalize() for word in words[1:])
        case "kebab-case":
            return "-".join(words)
    raise AssertionError(f'rename_all = "{rule}" is not known to this test')


def members(body: str, rule: str | None, all_default: bool) -> list[Member]:
    """The fields of a struct, as JSON names them."""
    found = []
    for part in parts(body):
        match = FIELD.match(part)
        assert match, part
        given = attributes(match[1])
        words = dict(given)
        if "skip" in words or "skip_deserializing" in words:
            continue
        assert "flatten" not in words, f"{match[2]}: flatten is not known to this test"
        is_option = match[3].startswith("Option<") and not {"deserialize_with", "with"} & set(words)
        found.append(
            Member(
                words.get("rename") or renamed(match[2], rule, is_variant=False),
                re.sub(r"\s", "", match[3]),
                [value for word, value in given if word == "alias" and value],
                not (is_option or all_default or "default" in words),
                words.get("default"),
            )
        )
    return found


def fill(of: Type, kind: str, is_tuple: bool, words: dict[str, str | None], body: str) -> None:
    """Reads the declaration of a type."""
    rule = words.get("rename_all")
    if source := words.get("try_from") or words.get("from"):
        of.instead = [source]
    elif is_tuple:
        of.instead = list(parts(re.sub(r"pub(?:\(\w+\))? ", "", body)))
    elif kind == "struct":
        of.members = members(body, rule, "default" in words)
    else:
        if "tag" in words:
            of.members.append(Member(words["tag"] or "", is_required=True))
        for part in parts(body):
            variant = VARIANT.match(part)
            assert variant, part
            own, rest = dict(attributes(variant[1])), variant[3]
            said = own.get("rename") or renamed(variant[2], rule, is_variant=True)
            inner = block(rest, 0) if rest[:1] in {"(", "{"} else ""
            if rest.startswith("{") and {"tag", "untagged"} & set(words):
                known = {member.name for member in of.members}
                # Whether it is there depends on the variant.
                own_members = [replace(m, is_of_variant=True) for m in members(inner, None, False)]
                of.members += [m for m in own_members if m.name not in known]
            elif {"tag", "untagged"} & set(words):
                of.instead += [inner] if inner else []
            elif inner:
                assert rest.startswith("("), f"{of.name}::{variant[2]} is not known to this test"
                of.is_choice = True
                of.members.append(Member(said, inner))
            else:
                of.words.append(said)
                if "#[default]" in variant[1]:
                    of.default_word = said


@cache
def declared(file: str, text: str) -> list[Type]:
    """The types of a file that serde can read."""
    found = []
    for match in DECLARATION.finditer(text):
        given, kind, name = match[1], match[2], match[3]
        if not re.search(r"derive\([^)]*\bDeserialize\b", given):
            continue
        words, body = dict(attributes(given)), block(text, match.end() - 1)
        of = Type(file, name)
        try:
            fill(of, kind, match[4] == "(", words, body)
        except AssertionError as error:
            of.trouble = str(error)
        found.append(of)
    return found


class Code:
    """What the sources say is read."""

    def __init__(self, read: Sources) -> None:
        self.sources = read
        self.by_name: dict[str, list[Type]] = {}
        for file, text in read.items():
            for each in declared(file, text):
                self.by_name.setdefault(each.name, []).append(each)
        self.problems: list[str] = []
        #: What is read, and by way of which member.
        self.read: dict[str, Type] = {}
        self.way: dict[str, str] = {}
        for first in FIRST:
            self._follow(self.named(first), "")

    def named(self, id: str) -> Type:
        """A type by its file and name, e.g. `shared/chat/src/gate.rs GateRule`."""
        file, name = id.split()
        if id in BY_HAND:
            text = self.sources[file]
            starts = [match.end() - 1 for match in re.finditer(rf"\b(?:struct|impl) {name} \{{", text)]
            names = [each for start in starts for each in re.findall(BY_HAND[id], block(text, start))]
            return Type(file, name, [Member(each) for each in dict.fromkeys(names)], is_by_hand=True)
        found = [each for each in self.by_name.get(name, []) if each.file == file]
        assert found, f"{id}: there is no such type that serde reads; correct FIRST, READ_BY or the document"
        return found[0]

    def behind(self, file: str, type: str) -> list[Type]:
        """The types of ours that a type written in ``file`` is made of; none for plain text, numbers and the like."""
        found = []
        for name in re.findall(r"\b[A-Z]\w*", type):
            known = self.by_name.get(name, [])
            crate = "/".join(file.split("/")[:2]) + "/"
            used = re.findall(rf"\buse (\w+)::[^;]*\b{name}\b", self.sources[file])
            places = [f"shared/{word.replace('_', '-')}/" for word in used]
            for near in (
                [each for each in known if each.file == file],
                [each for each in known if each.file.startswith(crate)],
                [each for each in known if each.file.startswith(tuple(places))] if places else [],
                known,
            ):
                if len({each.id for each in near}) == 1:
                    found.append(near[0])
                    break
            else:
                if known:
                    self.problems.append(f"{file}: it is not clear which {name} is meant")
        return found

    def _follow(self, of: Type, way: str) -> None:
        if of.id in self.read:
            return
        self.read[of.id], self.way[of.id] = of, way
        if of.trouble:
            self.problems.append(f"{of.name} ({of.file}): {of.trouble}")
        for type in of.instead:
            for each in self.behind(of.file, type):
                self._follow(each, way)
        for member in of.members:
            at = f"`{member.name}` of {of.name}"
            if re.search(r"\bValue\b", member.type):
                by = READ_BY.get(f"{of.id} {member.name}")
                if by is None:
                    self.problems.append(f"{at} ({of.file}) is kept as JSON: say in READ_BY which type reads it")
                for reader in by or []:
                    self._follow(self.named(reader), at)
            for each in self.behind(of.file, member.type):
                self._follow(each, at)

    def tables(self) -> list[Type]:
        """The types that have members."""
        return [each for each in self.read.values() if each.members]

    def json_type(self, file: str, type: str) -> set[str]:
        """What a value of the type can be in JSON."""
        if match := re.fullmatch(r"(?:Option|Box)<(.*)>", type):
            return self.json_type(file, match[1])
        outer = re.match(r"\w+", type)
        if type == "Value":
            # What a type reads by hand: texts, one for all languages or one for each.
            return {"object", "string"}
        if type == "bool":
            return {"boolean"}
        if type == "Words":
            # One text, or one for each language.
            return {"string", "object"}
        if type == "Value":
            # What reads it in its place says more than its declaration.
            return set(JSON_TYPES.values()) - {"null"}
        if re.fullmatch(NUMBERS, type):
            return {"integer"}
        if outer and outer[0] in LISTS:
            return {"array"}
        if outer and outer[0] in MAPS:
            return {"object"}
        found: set[str] = set()
        for each in self.behind(file, type):
            found |= {"object"} if each.members else set()
            found |= {"string"} if each.words else set()
            for instead in each.instead:
                found |= self.json_type(each.file, instead)
        return found or {"string"}

    def default(self, of: Type, member: Member) -> str | None:
        """How the default of a member is written in JSON; None if nothing takes its place."""
        if member.type.startswith("Option<"):
            return None
        if member.default:
            name = member.default.split("::")[-1]
            crate = "/".join(of.file.split("/")[:2])
            for file in [of.file, *(file for file in self.sources if file.startswith(crate))]:
                says = rf"\bfn {name}\(\) -> [^{{]*\{{\s*([^\s}}]*?)(?:\.to_owned\(\))?\s*\}}"
                if match := re.search(says, self.sources[file]):
                    return match[1].replace("_", "") if match[1][0].isdigit() else match[1]
            raise AssertionError(f"{member.name} of {of.name}: {name} does not say its value in one word")
        if member.type == "bool":
            return "false"
        if re.fullmatch(NUMBERS, member.type):
            return "0"
        for each in self.behind(of.file, member.type):
            if each.default_word:
                return f'"{each.default_word}"'
        return "[]" if self.json_type(of.file, member.type) == {"array"} else "{}"


# ----------------------------------------------------------------------------------------------------------- document

MARKED = re.compile(r"^<!-- (\S+\.rs \w+) -->\n+(?:((?:^\|[^\n]*\n)+)|```json\n(.*?)^```$)", re.M | re.S)
EXAMPLE = re.compile(r"^```json\n(.*?)^```$", re.M | re.S)
NAME = re.compile(r"`([^`]+)`")

#: A row: the names in its first cell, the type, the default.
Row = tuple[list[str], str, str]


def tables(document: str) -> dict[str, list[Row]]:
    """The rows of the tables, by the type that the comment in front of a table names."""
    found: dict[str, list[Row]] = {}
    for id, table, _ in MARKED.findall(document):
        for line in table.splitlines()[2:]:
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            found.setdefault(id, []).append((NAME.findall(cells[0]), cells[1], cells[2]))
    return found


def listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def wrong_row(code: Code, of: Type, member: Member, row: Row) -> Iterator[str]:
    """What a row says otherwise than the code. A required member has the word `required` and nothing else as its default,
    one that may be null has `none` at the beginning."""
    _, type, default = row
    where = f"`{member.name}` of {of.name} ({of.file})"
    if of.is_by_hand:
        return
    if not re.search(r"\bValue\b", member.type):
        allowed = sorted(code.json_type(of.file, member.type))
        if not re.match(rf"(?:{'|'.join(allowed)})\b", type):
            yield f"{where} is of type {' or '.join(allowed)}, not: {type}"
    if of.is_choice:
        return
    if member.is_required:
        wanted = "required"
    elif member.type.startswith("Option<"):
        wanted = "none"
    else:
        wanted = f"`{code.default(of, member)}`"
    fits = default == wanted if wanted == "required" else re.match(rf"{re.escape(wanted)}(?!\w)", default)
    if not fits:
        yield f"{where} has the default {wanted}, not: {default}"


def problems(document: str, read: Sources) -> list[str]:
    """What the document does not say, or says of what is not there."""
    code = Code(read)
    found, written = list(code.problems), tables(document)
    for of in code.tables():
        names = [name for member in of.members for name in (member.name, *member.aliases)]
        rows = written.get(of.id)
        if rows is None:
            way = f", read at {code.way[of.id]}" if code.way[of.id] else ""
            found.append(f"{of.name} ({of.file}{way}) has no table; its members: {listed(names)}")
            continue
        there = [name for row in rows for name in row[0]]
        if missing := [name for name in names if name not in there]:
            found.append(f"{of.name} ({of.file}): missing in its table: {listed(missing)}")
        if gone := [name for name in there if name not in names]:
            found.append(f"{of.name} ({of.file}): in its table, but not in the code: {listed(gone)}")
        if twice := sorted({name for name in there if there.count(name) > 1}):
            found.append(f"{of.name} ({of.file}): twice in its table: {listed(twice)}")
        for member in of.members:
            for row in rows:
                if member.name in row[0]:
                    found += wrong_row(code, of, member, row)
    known = {of.id for of in code.tables()}
    found += [f"{id}: has a table, but nothing that is read has members of this type" for id in written if id not in known]
    for of in code.read.values():
        if missing := [word for word in of.words if f"`{word}`" not in document and f'`"{word}"`' not in document]:
            found.append(f"{of.name} ({of.file}): its words are not in the document: {listed(missing)}")
    for file in sorted({of.file for of in code.read.values()}):
        for name, words in NOT_ONE_OF.findall(read[file]):
            if missing := [word for word in words.split(", ") if f"`{word}`" not in document]:
                found.append(f"{file}: words of `{name}` that are not in the document: {listed(missing)}")
    return found


# ----------------------------------------------------------------------------------------------------------- examples

JSON_TYPES = {str: "string", bool: "boolean", int: "integer", list: "array", dict: "object", type(None): "null"}


def misfits(code: Code, file: str, type_: str, value: Any, at: str) -> Iterator[str]:
    """What of an example the type, as it is written in ``file``, would not take."""
    if match := re.fullmatch(r"(Option|Box)<(.*)>", type_):
        if value is not None or match[1] == "Box":
            yield from misfits(code, file, match[2], value, at)
        return
    allowed, is_type = code.json_type(file, type_), JSON_TYPES.get(type(value), "number")
    if is_type not in allowed:
        yield f"{at} is {is_type}, not {' or '.join(sorted(allowed))}"
    elif type_ == "Words":
        return
    elif match := re.fullmatch(r"(?:Vec|BTreeSet)<(.*)>", type_):
        for index, each in enumerate(value):
            yield from misfits(code, file, match[1], each, f"{at}[{index}]")
    elif match := re.fullmatch(r"BTreeMap<[^,]*,(.*)>", type_):
        for name, each in value.items():
            yield from misfits(code, file, match[1], each, f"{at}.{name}")
    else:
        for of in code.behind(file, type_):
            yield from object_misfits(code, of, value, at)


def object_misfits(code: Code, of: Type, value: Any, at: str) -> Iterator[str]:
    """What of an example one of our types would not take."""
    if of.instead and not (isinstance(value, dict) and of.members):
        yield from min((list(misfits(code, of.file, each, value, at)) for each in of.instead), key=len)
        return
    if of.words and isinstance(value, str) and value not in of.words:
        yield f"{at} is not one of {listed(of.words)}"
    if not of.members or not isinstance(value, dict):
        return
    by_name = {name: member for member in of.members for name in (member.name, *member.aliases)}
    yield from (f"{at}: no member `{name}` in {of.name}" for name in value if name not in by_name)
    missing = (each.name for each in of.members if each.is_required and each.name not in value and not each.is_of_variant)
    yield from (f"{at}: `{name}` of {of.name} is missing" for name in missing)
    for name, inner in value.items():
        member = by_name.get(name)
        if member is None or of.is_by_hand:
            continue
        if readers := READ_BY.get(f"{of.id} {member.name}"):
            values = inner if isinstance(inner, list) else [inner]
            found = (
                [each for one in values for each in object_misfits(code, code.named(id), one, f"{at}.{name}")]
                for id in readers
            )
            yield from min(found, key=len)
        elif not re.search(r"\bValue\b", member.type):
            yield from misfits(code, of.file, member.type, inner, f"{at}.{name}")


def wrong_examples(document: str, read: Sources) -> list[str]:
    """Examples that are not JSON, and members of them that are not as the code reads them."""
    code, found = Code(read), []
    for number, text in enumerate(EXAMPLE.findall(document), 1):
        try:
            json.loads(text)
        except ValueError as error:
            found.append(f"example {number} is not JSON ({error}): {text[:60]}...")
    if not found:
        for id, _, text in MARKED.findall(document):
            if text:
                found += object_misfits(code, code.named(id), json.loads(text), id.split()[1])
    return found


# -------------------------------------------------------------------------------------------------------------- tests


def told(found: list[str]) -> None:
    if found:
        pytest.fail("docs/settings.md:\n" + "\n".join(f"- {each}" for each in found), pytrace=False)


def test_document_names_what_the_code_reads_and_nothing_else() -> None:
    told(problems(DOCUMENT.read_text(), sources()))


def test_examples_are_json_of_the_types_that_they_show() -> None:
    told(wrong_examples(DOCUMENT.read_text(), sources()))


def test_there_is_an_example_of_every_kind_of_account_and_secret() -> None:
    document = DOCUMENT.read_text()
    shown = [(id.split()[1], json.loads(text)) for id, _, text in MARKED.findall(document) if text]
    accounts = [(each["platform"], set(each["settings"])) for name, each in shown if name == "AccountDocument"]
    assert {platform for platform, _ in accounts} == {"ctrader", "frontstage", "iadvize", "roxchat", "vcita"}
    for member in ("message_gateways", "chat", "website", "desk"):
        assert any(member in settings for _, settings in accounts), member
    assert {id for id in FIRST} <= {id for id, _, text in MARKED.findall(document) if text}


CHATS = "shared/platform-frontstage/src/gateway_chats.rs"
DESK = "shared/platform-frontstage/src/desk.rs"


CHANGES = {
    "member": (DESK, r"struct AgentText \{", "shoe: Option<u8>,", f"AgentText ({DESK}): missing in its table: `shoe`"),
    "other names": (
        DESK,
        r"struct AgentText \{",
        '#[serde(rename = "most", alias = "top")] more: u32,',
        f"AgentText ({DESK}): missing in its table: `most`, `top`",
    ),
    "member that is gone": (
        CHATS,
        r"#\[serde\(default\)\]\s*gateway_name: Option<String>,",
        None,
        f"ChatText ({CHATS}): in its table, but not in the code: `gateway_name`",
    ),
    "type": (
        CHATS,
        r"struct ChatText \{",
        "novel: Vec<NewText>,",
        f"NewText ({CHATS}, read at `novel` of ChatText) has no table; its members: `hello`",
    ),
    "member that other code reads": (
        FRONTSTAGE,
        r"struct SettingsText \{",
        "papers: Vec<Value>,",
        f"`papers` of SettingsText ({FRONTSTAGE}) is kept as JSON: say in READ_BY which type reads it",
    ),
    "other default": (
        DESK,
        r"fn half_a_minute\(\) -> u64 \{\s*",
        "1",
        f"`max_signal_duration` of DeskText ({DESK}) has the default `130`, not: `30`",
    ),
    "required": (
        DESK,
        r"#\[serde\(default\)\]\s*(?=may_return: bool)",
        None,
        f"`may_return` of DeskText ({DESK}) has the default required, not: `false`",
    ),
    "other type": (
        DESK,
        r"struct WorkplaceText \{\s*number: (?=String)",
        "Vec<u8>, other: ",
        f"`number` of WorkplaceText ({DESK}) is of type array, not: string",
    ),
    "word": (
        VCITA,
        r"\n    Seed",
        "ling",
        f"StatusVocabulary ({VCITA}): its words are not in the document: `seedling`",
    ),
    "word that is checked by hand": (
        CHATS,
        r"channel is not one of ",
        "PlainIM, ",
        f"{CHATS}: words of `channel` that are not in the document: `PlainIM`",
    ),
    "secret that is read by hand": (
        VCITA,
        r"impl Secrets \{",
        '// field("bearer")',
        f"Secrets ({VCITA}): missing in its table: `bearer`",
    ),
}


@pytest.mark.parametrize(("file", "place", "added", "said"), CHANGES.values(), ids=CHANGES)
def test_what_is_new_in_the_code_is_told_by_name(file: str, place: str, added: str | None, said: str) -> None:
    """``added`` stands behind what ``place`` matches, or, if it is None, in place of it nothing."""
    read = sources()
    text, count = re.subn(place, lambda match: match[0] + added if added else "", read[file], count=1)
    assert count == 1, f"{place} is not in {file} any more: give this test another example"
    read[file] = text + "\n#[derive(Deserialize)]\nstruct NewText { hello: String }\n"
    assert any(each.startswith(said) for each in problems(DOCUMENT.read_text(), read))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"business_uid"', '"busyness_uid"', "no member `busyness_uid` in Written"),
        ('"peer_address"', '"peer_adress"', "`peer_address` of SettingsText is missing"),
        ('"direction": "B"', '"direction": 2', "is integer, not string"),
        ('"open": true', '"open": true,,', "is not JSON"),
    ],
)
def test_what_is_wrong_in_an_example_is_told(old: str, new: str, said: str) -> None:
    document = DOCUMENT.read_text()
    assert old in document
    assert any(said in each for each in wrong_examples(document.replace(old, new), sources()))
