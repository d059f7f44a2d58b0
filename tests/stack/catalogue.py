"""`make catalogue`: replaces the catalogue of a site of iAdvize by that of a file; `make catalogue-sample` writes such a file.

The whole file is read and judged before anything is sent. What was sent stays unseen until all of it is there and is published, so an
interruption does no harm: the same command goes on where it was. What a file holds is in docs/operations.md.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

ROOT = Path(__file__).resolve().parents[2]
STACK_FILE = ROOT / ".local" / "stack.json"
FUNCTION = "operator-catalogue"

PART_PRODUCTS, PART_BYTES = 2_000, 3_000_000
"""Of one invocation: a function takes 6 MB."""
MAX_PRODUCTS, MAX_CATEGORIES, MAX_ID = 200_000, 10_000, 2**53 - 1
MAX_BYTES = 9_000
"""Of one product, as JSON."""
NAMED = 20
"""Errors that are shown; of the others only how many they are."""

CATEGORY = ("id", "parent", "label")
TEXTS = (
    "title", "url", "image_url", "price", "reference", "description", "short_description", "brand", "promotion_price", "special_price",
)  # fmt: skip
PRODUCT = ("id", *TEXTS, "available", "categories")
YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

Row = dict[str, Any]
Invoke = Callable[[Row], Row]


class WrongFile(Exception):
    """The file cannot be loaded: what is wrong, by line."""

    def __init__(self, problems: list[tuple[int, str]]) -> None:
        self.problems = sorted(problems)
        shown = [f"line {line}: {what}" for line, what in self.problems[:NAMED]]
        more = len(self.problems) - NAMED
        super().__init__("\n".join(shown + ([f"... and {more} more"] if more > 0 else [])))


class Refused(Exception):
    """The function did not do what it was asked; the text is its own."""


@dataclass
class Catalogue:
    """What a file holds, each row with its line."""

    categories: list[Row] = field(default_factory=list)
    products: list[Row] = field(default_factory=list)

    def digest(self) -> str:
        """The same for the same rows, and for nothing else."""
        text = json.dumps([self.categories, self.products], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def parts(self) -> list[list[Row]]:
        """The products, as many together as one invocation takes."""
        parts: list[list[Row]] = []
        room = 0
        for product in self.products:
            size = len(json.dumps(product).encode())
            if not parts or size > room or len(parts[-1]) == PART_PRODUCTS:
                parts.append([])
                room = PART_BYTES
            parts[-1].append(product)
            room -= size
        return parts


# ----------------------------------------------------------------------------------------------------------------- reading


def rows_of_csv(file: TextIO) -> Iterator[tuple[int, Row | str]]:
    """The rows of a CSV file with a header; a cell that is empty is none. A row that is wrong is a text."""
    # A spreadsheet of Central or Western Europe separates by semicolons.
    header = file.readline()
    file.seek(0)
    reader = csv.reader(file, delimiter=";" if header.count(";") > header.count(",") else ",", strict=True)
    names: list[str] = []
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, f"is no CSV: {error}"
            return
        if not names:
            names = [name.strip() for name in cells]
            unknown = sorted({name for name in names if name not in ("type", *CATEGORY, *PRODUCT)} - {""})
            if unknown or "id" not in names or len(set(names)) != len(names):
                yield line, f"unknown columns {', '.join(unknown)}" if unknown else "the first line has to name each column once, with id"
                return
        elif any(cell.strip() for cell in cells):
            if len(cells) != len(names):
                yield line, f"has {len(cells)} cells and not {len(names)}"
                continue
            yield line, {name: cell.strip() for name, cell in zip(names, cells, strict=True) if cell.strip()}


def rows_of_json(file: TextIO) -> Iterator[tuple[int, Row | str]]:
    """The rows of a file with one JSON object a line. A row that is wrong is a text."""
    for line, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except ValueError as error:
            yield line, f"is no JSON: {error}"
            continue
        yield line, row if isinstance(row, dict) else "is no object"


def from_cells(row: Row) -> Row:
    """The row of a CSV file with the types that a JSON file has; what cannot be read stays text, and is found to be wrong."""
    number = lambda text: int(text) if text.isascii() and text.isdigit() else text  # noqa: E731
    for name in ("id", "parent"):
        if name in row:
            row[name] = number(row[name])
    if "categories" in row:
        row["categories"] = [number(cell.strip()) for cell in row["categories"].split("|")]
    if "available" in row:
        row["available"] = YES_NO.get(row["available"].lower(), row["available"])
    return row


def is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_ID


def problem_of(row: Row, names: tuple[str, ...]) -> str | None:
    """What makes a row one that cannot be loaded. Whether a product can be shown, the function says."""
    if unknown := sorted(set(row) - {*names, "type"}):
        return f"unknown {', '.join(unknown)}"
    if not is_id(row.get("id")):
        return f"id is no integer from 0 to {MAX_ID}"
    for name, value in row.items():
        if name in TEXTS or name == "label":
            if value is not None and not isinstance(value, str):
                return f"{name} is no text"
        elif name == "parent" and value is not None and not is_id(value):
            return "parent is no id"
        elif name == "available" and value is not None and not isinstance(value, bool):
            return "available is neither true nor false"
        elif name == "categories" and not (isinstance(value, list) and all(map(is_id, value)) and len(value) <= 20):
            return "categories are no list of at most 20 ids"
    if names is CATEGORY and not (row.get("label") or "").strip():
        return "label is missing"
    if names is CATEGORY and len(row["label"].strip()) > 200:
        return "label has more than 200 characters"
    if len((row.get("reference") or "").strip()) > 100:
        return "reference has more than 100 characters"
    if names is PRODUCT and size(row) > MAX_BYTES:
        return f"has more than {MAX_BYTES} bytes"
    return None


def size(row: Row) -> int:
    """Bytes of a product as it is stored."""
    texts = {name: row[name].strip() for name in TEXTS if (row.get(name) or "").strip()}
    stored = {"id": row["id"], "reference": str(row["id"]), "description": texts.get("title", ""), **texts}
    stored |= {name: row[name] for name in ("available", "categories") if row.get(name) not in (None, [])}
    return len(json.dumps(stored, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))


def read(path: Path) -> Catalogue:
    """The catalogue of a file.

    Raises `WrongFile` if anything in it is wrong.
    """
    catalogue, problems = Catalogue(), []
    is_csv = path.suffix.lower() == ".csv"
    lines: dict[tuple[str, int], int] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="" if is_csv else None) as file:
            for line, row in rows_of_csv(file) if is_csv else rows_of_json(file):
                if isinstance(row, str):
                    problems.append((line, row))
                    continue
                row = from_cells(row) if is_csv else row
                kind = row.get("type") or "product"
                if kind not in ("product", "category"):
                    problems.append((line, "type is neither product nor category"))
                    continue
                if what := problem_of(row, CATEGORY if kind == "category" else PRODUCT):
                    problems.append((line, what))
                    continue
                first = lines.setdefault((kind, row["id"]), line)
                if first != line:
                    problems.append((line, f"the {kind} of line {first} has this id"))
                row = {name: value for name, value in row.items() if name != "type" and value is not None}
                (catalogue.categories if kind == "category" else catalogue.products).append({"line": line, **row})
    except UnicodeDecodeError as error:
        raise WrongFile([(1, f"the file is no UTF-8 text: byte {error.start}")]) from None
    problems += wrong_references(catalogue)
    if len(catalogue.products) > MAX_PRODUCTS or len(catalogue.categories) > MAX_CATEGORIES:
        problems.append((1, f"more than {MAX_PRODUCTS} products or {MAX_CATEGORIES} categories"))
    if problems:
        raise WrongFile(problems)
    return catalogue


def wrong_references(catalogue: Catalogue) -> Iterator[tuple[int, str]]:
    """Categories that are named and not there, and those below themselves."""
    parents = {row["id"]: row.get("parent") for row in catalogue.categories}
    for row in catalogue.categories:
        if row.get("parent") is not None and row["parent"] not in parents:
            yield row["line"], f"there is no category {row['parent']}"
    for row in catalogue.products:
        for category in row.get("categories", []):
            if category not in parents:
                yield row["line"], f"there is no category {category}"
    rooted: set[int] = set()
    for row in catalogue.categories:
        line: list[int] = []
        at = row["id"]
        while at is not None and at in parents and at not in rooted and at not in line:
            line.append(at)
            at = parents[at]
        if at in line:
            yield row["line"], "the category is below itself"
        else:
            rooted.update(line)


# ----------------------------------------------------------------------------------------------------------------- loading


class Progress:
    """A bar on a terminal, and a line for each step elsewhere."""

    def __init__(self, out: TextIO) -> None:
        self.out, self.is_terminal, self.began = out, out.isatty(), time.monotonic()

    def show(self, what: str, done: int, of: int) -> None:
        """Says how far it is."""
        share = done / of if of else 1.0
        if self.is_terminal:
            bar = "#" * int(30 * share)
            print(f"\r{what:<12} [{bar:<30}] {share:4.0%}  {done} of {of} ", end="", file=self.out, flush=True)
        elif done == of or int(10 * share) != int(10 * (done - 1) / of):
            print(f"{what}: {done} of {of}", file=self.out, flush=True)

    def say(self, text: str) -> None:
        """Says something beside the bar."""
        print(f"\r\033[K{text}" if self.is_terminal else text, file=self.out, flush=True)


def load(catalogue: Catalogue, account: str, invoke: Invoke, progress: Progress) -> Row:
    """Sends a catalogue and publishes it; what there is of it from an earlier attempt is not sent again."""

    def ask(action: str, **members: Any) -> Row:
        answer = invoke({"account": account, "action": action, **members})
        if error := answer.get("error"):
            rows = [f"line {row['line']}: {row['message']}" for row in error.get("rows", [])]
            raise Refused("\n".join(rows[:NAMED]) or f"{error['code']}: {error['message']}")
        return answer

    begun = ask("begin", digest=catalogue.digest(), categories=catalogue.categories)
    parts = catalogue.parts()
    sent = sum(len(part) for part in parts[: begun["parts"]])
    if sent:
        progress.say(f"goes on behind {sent} products that are there")
    for number, part in enumerate(parts[begun["parts"] :], begun["parts"]):
        told = ask("part", version=begun["version"], part=number, products=part)
        sent += len(part)
        for row in told["dropped_rows"]:
            progress.say(f"line {row['line']}: left out: {row['message']}")
        progress.show("products", sent, len(catalogue.products))
    progress.say("makes the index and publishes")
    published = ask("publish", version=begun["version"])
    # What was replaced is not seen any more; if this is interrupted, the next load does it.
    while not ask("clean")["clean"]:
        pass
    return published


def invoker(stack: str | None) -> Invoke:
    """Invokes the function of a deployed stack by its name, or that of the stack that runs locally."""
    import boto3
    from botocore.config import Config

    # Publishing takes minutes with very many products; every step may be repeated.
    config = Config(read_timeout=310, retries={"total_max_attempts": 4, "mode": "standard"})
    if stack:
        client, name = boto3.client("lambda", config=config), f"{stack}-{FUNCTION}"
    else:
        if not STACK_FILE.is_file():
            raise Refused("no local stack runs: `make run` it, or name a deployed one with STACK=")
        from tests.stack import emulator

        info = json.loads(STACK_FILE.read_text())
        aws, name = info["aws"], info["functions"][FUNCTION]["name"]
        client = boto3.client(
            "lambda", endpoint_url=aws["endpoint"], region_name=aws["region"], config=config, **emulator.ACCOUNT_KEYS
        )

    def invoke(event: Row) -> Row:
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        payload = json.loads(answer["Payload"].read() or b"null")
        if answer.get("FunctionError") or not isinstance(payload, dict):
            raise Refused(f"{name} failed; its log says why. The same command goes on where it was.")
        return payload

    return invoke


# ----------------------------------------------------------------------------------------------------------------- samples

ROOMS = ("Cuisine", "Salon", "Chambre", "Salle de bains", "Jardin", "Bureau", "Entrée", "Atelier")
KINDS = (
    "Bouilloire", "Théière", "Cafetière", "Poêle", "Étagère", "Fauteuil", "Canapé", "Lampe", "Miroir", "Tapis", "Commode", "Vase",
    "Crêpière", "Gâteau à bougies", "Serre-livres", "Œillet", "Panier", "Bureau à tréteaux", "Rideau", "Hachoir",
)  # fmt: skip
LOOKS = ("électrique", "en fonte", "émaillée", "rétro", "pliable", "à motifs", "légère", "d'été", "en chêne", "tressé", "brûlé", "doré")
BRANDS = ("Nami", "Électra", "Maison Hélène", "Ørsund", "Łucznik", "Café Noël", "Straßer", "Čapek", "Forêt", "Îlot")
WORDS = (
    "solide", "facile à nettoyer", "livrée avec son filtre", "idéale pour deux", "fabriquée à la main", "résiste à la chaleur",
    "pièces détachées disponibles", "garantie cinq ans", "sans bisphénol", "se range dans un tiroir", "couleur crème", "grande capacité",
)  # fmt: skip


def sample(products: int, seed: int = 1) -> Iterator[Row]:
    """An invented catalogue, the same for the same numbers: categories two levels deep, then so many products."""
    chance = random.Random(seed)
    leaves = []
    for room, label in enumerate(ROOMS, 1):
        yield {"type": "category", "id": room, "label": label}
        for kind, name in enumerate(KINDS, 1):
            leaves.append(room * 100 + kind)
            yield {"type": "category", "id": room * 100 + kind, "parent": room, "label": f"{name} · {label}"}
    for number in range(1, products + 1):
        kind, look, brand = chance.randrange(len(KINDS)), chance.choice(LOOKS), chance.choice(BRANDS)
        leaf = chance.randrange(len(ROOMS)) * len(KINDS) + kind
        price = chance.randrange(490, 99_990) // 10 * 10
        text = lambda cents: f"{cents // 100},{cents % 100:02d} €"  # noqa: E731
        row = {
            "id": 100_000 + number,
            "title": f"{KINDS[kind]} {look} {brand} n° {number}",
            "url": f"https://boutique.example/p/{100_000 + number}",
            "image_url": f"https://boutique.example/img/{100_000 + number}.jpg",
            "price": text(price),
            "reference": f"{brand[:3].upper()}-{number:06d}-{look[:2].upper()}",
            "description": f"{KINDS[kind]} {look}, {', '.join(chance.sample(WORDS, 4))}.",
            "brand": brand,
            "available": chance.random() < 0.9,
            "categories": [leaves[leaf]],
        }
        if chance.random() < 0.2:
            row["promotion_price"] = text(price * 8 // 10)
        if chance.random() < 0.3:
            row["short_description"] = chance.choice(WORDS).capitalize()
        yield row


def write(rows: Iterable[Row], path: Path) -> None:
    """Writes rows as CSV, or as one JSON object a line, as the name of the file says."""
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix.lower() != ".csv":
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            return
        names = list(dict.fromkeys(("type", *CATEGORY, *PRODUCT)))
        cells = csv.DictWriter(file, names)
        cells.writeheader()
        for row in rows:
            row = dict(row)
            if "categories" in row:
                row["categories"] = "|".join(map(str, row["categories"]))
            if "available" in row:
                row["available"] = str(row["available"]).lower()
            cells.writerow(row)


def main(arguments: list[str] | None = None) -> int:
    """Runs what the Makefile says."""
    parser = argparse.ArgumentParser(prog="make catalogue", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--account", default="iadvize/shop")
    parser.add_argument("--stack", default="")
    parser.add_argument("--sample", type=int, metavar="PRODUCTS")
    options = parser.parse_args(arguments)
    try:
        if options.sample is not None:
            write(sample(options.sample), options.file)
            print(f"wrote {options.sample} products to {options.file}")
            return 0
        catalogue = read(options.file)
        if not catalogue.products:
            raise Refused("the file holds no product")
        print(f"{len(catalogue.products)} products in {len(catalogue.categories)} categories")
        published = load(catalogue, options.account, invoker(options.stack or None), Progress(sys.stderr))
    except WrongFile as error:
        print(f"{options.file} was not loaded:\n{error}", file=sys.stderr)
        return 1
    except (Refused, OSError) as error:
        print(f"not loaded: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted: the same command goes on where it was", file=sys.stderr)
        return 130
    print(f"{options.account} has {published['products']} products; {published['dropped']} were left out")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
