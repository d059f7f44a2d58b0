"""The product list of iAdvize over the real stack: a catalogue is loaded as an operator does it, and asked for as iAdvize does."""

from __future__ import annotations

import hashlib
import hmac
import io
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from tests.flows.conftest import CALL_SECONDS, Bridge
from tests.stack.catalogue import Catalogue, Progress, Refused, load, sample

FUNCTIONS = ("iadvize-categories", "iadvize-products", "operator-catalogue")
COUNT = 600


class Site:
    """The demo tenant's site, as iAdvize calls it."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge, self.info = bridge, bridge.info["accounts"]["iadvize"]

    def get(self, route: str, secret: str | None = None, **query: Any) -> requests.Response:
        text = urlencode({"idWebsite": self.info["site"], "idOperator": "77120", **query})
        signature = hmac.new((secret or self.info["secret"]).encode(), text.encode(), hashlib.sha256).hexdigest()
        url = f"{self.bridge.info['origin']}/iadvize/product-list/{route}?{text}"
        return requests.get(url, headers={"x-iadvize-signature": f"sha256={signature}"}, timeout=CALL_SECONDS)

    def ids(self, route: str = "products", **query: Any) -> list[int]:
        answer = self.get(route, **query)
        assert answer.status_code == 200, answer.text
        return [row["id"] for row in answer.json()]

    def load(self, catalogue: Catalogue) -> dict[str, Any]:
        invoke = lambda event: self.bridge.stack.invoke("operator-catalogue", event)  # noqa: E731
        return load(catalogue, self.info["account"], invoke, Progress(io.StringIO()))


def invented(count: int) -> Catalogue:
    catalogue = Catalogue()
    for line, row in enumerate(sample(count), 1):
        kind = row.pop("type", "product")
        (catalogue.categories if kind == "category" else catalogue.products).append({"line": line, **row})
    return catalogue


@pytest.fixture(scope="module")
def site(stack: Any) -> Site:
    site = Site(Bridge(stack))
    assert site.load(invented(COUNT))["products"] == COUNT
    return site


def test_row_5_every_product_is_on_one_page(site):
    seen: list[int] = []
    while page := site.ids(limit=100, offset=len(seen)):
        assert len(page) <= 100
        seen += page
    assert seen == list(range(100_001, 100_001 + COUNT))


def test_search_ignores_case_and_accents_and_begins_with_the_best(site):
    rows = site.get("products", searchQuery="ELECTR the", limit=100).json()
    assert rows
    texts = [row["title"].casefold() for row in rows]
    both = ["électr" in text and "théière" in text for text in texts]
    assert both == sorted(both, reverse=True), "both words in the title come first"
    reference = site.get("products", limit=1, offset=41).json()[0]["reference"]
    assert site.get("products", searchQuery=reference.lower(), limit=1).json()[0]["reference"] == reference


def test_categories_count_what_they_tell(site):
    top = site.get("categories").json()
    assert [row["label"] for row in top][:2] == ["Cuisine", "Salon"]
    assert sum(row["productsCount"] for row in top) == COUNT
    first = top[0]
    children = site.get("categories", idParent=first["id"]).json()
    assert {row["idParent"] for row in children} == {first["id"]}
    told = 0
    while page := site.ids(idCategory=first["id"], limit=100, offset=told):
        told += len(page)
    assert told == first["productsCount"] == sum(row["productsCount"] for row in children)
    assert site.ids(idCategory=99_999) == [] == site.ids("categories", idParent=99_999)


def test_what_is_not_signed_or_wrong_is_refused(site):
    assert site.get("products", secret="0" * 32).status_code == 401
    assert site.get("products", limit=0).json()["error"]["field"] == "limit"
    assert site.get("categories", idWebsite="ha-9").status_code == 404


def test_catalogue_is_replaced_whole_and_what_cannot_be_shown_is_left_out(site):
    other = invented(30)
    other.products[0]["url"] = "/relative"
    told = site.load(other)
    assert (told["products"], told["dropped"]) == (29, 1)
    assert site.ids(limit=100) == list(range(100_002, 100_031))
    state = site.bridge.stack.invoke("operator-catalogue", {"account": site.info["account"], "action": "status"})
    assert (state["leftovers"], state["load"]) == (0, None)
    twice = invented(2)
    twice.products[1]["id"] = twice.products[0]["id"]
    with pytest.raises(Refused, match="another product has this id"):
        site.load(twice)
    assert len(site.ids(limit=100)) == 29, "agents see what they saw before"
