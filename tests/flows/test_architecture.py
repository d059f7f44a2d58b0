"""Dependencies point one way, and what must be known in one place only is known there only.

The table below is the diagram of `docs/architecture.md` as data: a crate may know less than its row says, never more.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Crate under shared/ -> what of ours it may know.
SHARED: dict[str, set[str]] = {
    "model": set(),
    "chat": {"model"},
    "text": set(),
    "catalogue": {"text"},
    "seal": set(),
    "wire": {"model"},
    "ports": {"catalogue", "chat", "model", "wire"},
    "app": {"chat", "model", "ports", "wire"},
    "aws": set(),
    "store-dynamodb": {"aws", "catalogue", "chat", "model", "ports"},
    "queue-sqs": {"aws", "model", "ports"},
    "secrets-ssm": {"aws", "model", "ports"},
    "objects-s3": {"model", "wire"},
    "outbound-http": {"ports", "wire"},
    "lambda": {"app", "aws", "model", "ports", "queue-sqs", "secrets-ssm", "store-dynamodb", "wire"},
    "testkit": {"catalogue", "chat", "model", "ports", "wire"},
    "website": {"model", "text", "wire"},
    "pages": {"wire"},
    "pages-build": set(),
    # Joins the use cases of chats with the words of their one platform.
    "chats-frontstage": {"app", "chat", "model", "platform-frontstage", "ports"},
}
PLATFORM = {"catalogue", "chat", "model", "seal", "text", "wire"}
FUNCTION = {"app", "catalogue", "chat", "lambda", "model", "ports", "wire"}

#: The functions that serve no platform of their own and link all of them: the one delivers to each, the other asks each
#: whether its settings are right.
LINK_ALL_PLATFORMS = {"outbound", "operator"}

#: The functions that call platforms, or their tenants' own systems, beside those that deliver to each.
CALL_THEIR_PLATFORM = {"ctrader", "frontstage", "iadvize", "vcita"}

#: The functions that hand files to and from browsers.
KEEP_FILES = {"ctrader"}

#: The functions that serve pages.
SERVE_PAGES = {"ctrader", "iadvize", "roxchat"}

#: The functions that move chats.
MOVE_CHATS = {"ctrader", "frontstage", "iadvize", "operator", "outbound", "vcita", "website"}

#: The functions that know what browsers are offered: those that serve them, and the one that judges the settings.
KNOW_WEB_SITES = {"operator", "website"}

#: The platform of functions that are not named for it.
PLATFORM_OF = {"website": "frontstage"}

#: Third-party crates by the beginning of their name -> the crates of ours that may use them directly.
GUARDED = {
    "aws": {"aws", "store-dynamodb", "queue-sqs", "secrets-ssm", "lambda"},
    "aws-sdk-dynamodb": {"store-dynamodb"},
    "aws-sdk-sqs": {"queue-sqs"},
    "aws-sdk-ssm": {"secrets-ssm"},
    "aws_lambda_events": {"lambda"},
    "lambda": {"lambda", "bench"},
    "serde_dynamo": {"store-dynamodb"},
    "hyper": {"aws", "outbound-http"},
    "rustls": {"aws", "outbound-http"},
    "reqwest": set(),
}


def metadata() -> list[dict[str, Any]]:
    done = subprocess.run(
        ["cargo", "metadata", "--format-version=1", "--no-deps"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)["packages"]


def place(package: dict[str, Any]) -> Path:
    return Path(package["manifest_path"]).parent.relative_to(ROOT)


PACKAGES = {str(place(package)): package for package in metadata()}
#: Package name -> its place, e.g. `deskbridge-app` -> `shared/app`.
PLACES = {package["name"]: where for where, package in PACKAGES.items()}
PLATFORMS = {where.removeprefix("shared/") for where in PACKAGES if where.startswith("shared/platform-")}
FUNCTIONS = sorted(where for where in PACKAGES if where.startswith("functions/"))


def dependencies(where: str, *kinds: str | None) -> set[str]:
    """Names of the packages that the crate at ``where`` names in its manifest; a kind of None is the normal one."""
    return {each["name"] for each in PACKAGES[where]["dependencies"] if each["kind"] in (kinds or (None, "build"))}


def ours(where: str, *kinds: str | None) -> set[str]:
    """The places of those among them that are ours, without `shared/`."""
    return {PLACES[name].removeprefix("shared/") for name in dependencies(where, *kinds) if name in PLACES}


def allowed(where: str) -> set[str]:
    folder, _, name = where.partition("/")
    if folder == "shared":
        return PLATFORM if name in PLATFORMS else SHARED[name]
    if folder == "functions":
        own = PLATFORMS | {"outbound-http"} if name in LINK_ALL_PLATFORMS else {f"platform-{PLATFORM_OF.get(name, name)}"}
        chats = {"chats-frontstage"} if name in MOVE_CHATS else set()
        own |= {"outbound-http"} if name in CALL_THEIR_PLATFORM else set()
        own |= {"objects-s3"} if name in KEEP_FILES else set()
        own |= {"pages", "pages-build", "text"} if name in SERVE_PAGES else set()
        return FUNCTION | own | chats | ({"website"} if name in KNOW_WEB_SITES else set())
    return set()


def test_every_crate_has_its_place():
    shared = {where.removeprefix("shared/") for where in PACKAGES if where.startswith("shared/")}
    assert shared - PLATFORMS == set(SHARED)
    assert {Path(where).parts[0] for where in PACKAGES} == {"shared", "functions", "tests"}


@pytest.mark.parametrize(("where", "package"), sorted(PACKAGES.items()), ids=sorted(PACKAGES))
def test_crate_is_named_for_its_folder(where, package):
    prefix = "deskbridge-functions-" if where.startswith("functions/") else "deskbridge-"
    assert package["name"] == prefix + Path(where).name


@pytest.mark.parametrize("where", sorted(PACKAGES))
def test_crate_knows_nothing_beyond_its_row(where):
    assert ours(where) <= allowed(where)


@pytest.mark.parametrize("where", sorted(PACKAGES))
def test_tests_of_a_crate_know_the_testkit_beside_its_row(where):
    assert ours(where, "dev") <= allowed(where) | {"testkit"}


def test_platforms_never_know_each_other_and_functions_no_function():
    # Follows from the rows; said once more, as a row is easily widened.
    for name in PLATFORMS:
        assert not ours(f"shared/{name}", None, "build", "dev") & PLATFORMS
    for where in PACKAGES:
        assert not any(known.startswith("functions/") for known in ours(where, None, "build", "dev"))


def test_only_some_functions_link_every_platform():
    linked = {where.removeprefix("functions/"): ours(where) & PLATFORMS for where in FUNCTIONS}
    assert {name for name, platforms in linked.items() if platforms == PLATFORMS} == LINK_ALL_PLATFORMS
    assert {name: platforms for name, platforms in linked.items() if name not in LINK_ALL_PLATFORMS} == {
        name.removeprefix("platform-"): {name} for name in PLATFORMS
    } | {name: {f"platform-{platform}"} for name, platform in PLATFORM_OF.items()}


@pytest.mark.parametrize("prefix", sorted(GUARDED))
def test_third_party_crate_is_used_where_it_belongs(prefix):
    users = {
        Path(where).name
        for where in PACKAGES
        if any(re.fullmatch(rf"{prefix}([-_].*)?", name) for name in dependencies(where, None, "build", "dev"))
    }
    assert users <= GUARDED[prefix]


def lines_with(pattern: str, *globs: str) -> set[str]:
    wanted = re.compile(pattern)
    return {
        str(path.relative_to(ROOT))
        for glob in globs
        for path in ROOT.glob(glob)
        if any(wanted.search(line) for line in path.read_text().splitlines())
    }


def test_key_attributes_of_the_table_are_spelt_in_one_module():
    everywhere = lines_with(r'"(pk|sk|due_shard)"', "shared/**/*.rs", "functions/**/*.rs")
    # The contract tests make a table of their own and look into it, by names that they do not take from the code under test.
    tests = {f"shared/store-dynamodb/tests/contract/{name}.rs" for name in ("main", "chats")}
    assert everywhere == {"shared/store-dynamodb/src/keys.rs"} | tests


def test_environment_is_read_in_one_module():
    readers = lines_with(r"\benv::vars?(_os)?\(", "shared/*/src/**/*.rs", "functions/*/src/**/*.rs")
    # Tests, and build scripts.
    others = ("shared/testkit/", "shared/pages-build/")
    assert {reader for reader in readers if not reader.startswith(others)} == {"shared/lambda/src/config.rs"}


def test_time_and_chance_are_injected():
    """Only the real clock reads the time; duration measurements for log lines use the monotonic one. A call's token, as an SDK
    client would make it, decides nothing."""
    readers = lines_with(
        r"SystemTime::now|Timestamp::now|Zoned::now|Uuid::new_v4", "shared/*/src/**/*.rs", "functions/*/src/**/*.rs"
    )
    allowed = {"shared/lambda/src/system.rs", "shared/aws/src/service.rs", "shared/testkit/src/store_contract.rs"}
    assert readers <= allowed


@pytest.mark.parametrize("where", FUNCTIONS)
def test_deployed_function_is_wiring_only(where):
    for path in (ROOT / where / "src" / "bin").glob("*.rs"):
        assert len(path.read_text().splitlines()) <= 12, path.name
