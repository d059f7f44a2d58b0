# The only entry point people need; `make help` lists it. Everything that is installed goes into this folder: .venv (Python
# packages), .local/tools (cargo tools), target (builds). A stamp file makes the second time instant.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

CARGO_DENY_VERSION := 0.20.2
PYTHON ?= python3
PY := .venv/bin/python
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := $(CURDIR)
export PYTHONDONTWRITEBYTECODE := 1
export SAM_CLI_TELEMETRY := 0
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD := 1

# What `make build` and `make deploy` build for: this machine's own architecture, or ARCHITECTURE=arm64 / x86_64. Building for
# another one, or for an older glibc than this machine's (ZIG=1), takes cargo-zigbuild.
NATIVE := $(patsubst aarch64,arm64,$(shell uname -m))
ARCHITECTURE ?= $(NATIVE)
ZIG ?= $(if $(filter $(NATIVE),$(ARCHITECTURE)),,1)
TRIPLE := $(if $(filter arm64,$(ARCHITECTURE)),aarch64,x86_64)-unknown-linux-gnu
RELEASE := target/$(if $(ZIG),$(TRIPLE)/)release

.PHONY: help
help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

# ------------------------------------------------------------------------------------------------------------------- work

.PHONY: run
run: .venv/run.stamp build ## Start the local stack with a demo tenant; Ctrl-C stops it
	@exec $(PY) -m tests.stack

.PHONY: watch
watch: .venv/run.stamp ## Rebuild on every change and update the functions of the running stack
	@exec $(PY) -m tests.stack.watch

# The stack that runs locally, or with STACK=<name> a deployed one, by the credentials and the region of the environment.
ACCOUNT ?= iadvize/shop
STACK ?=
PRODUCTS ?= 20000

.PHONY: catalogue
catalogue: .venv/run.stamp ## Replace the catalogue of ACCOUNT by FILE (.csv or .jsonl); STACK names a deployed stack
	@test -n "$(FILE)" || { echo "error: which file? make catalogue FILE=products.csv" >&2; exit 1; }
	@$(PY) -m tests.stack.catalogue "$(FILE)" --account "$(ACCOUNT)" --stack "$(STACK)"

.PHONY: catalogue-sample
catalogue-sample: .venv/run.stamp ## Write an invented catalogue of PRODUCTS products to FILE
	@test -n "$(FILE)" || { echo "error: which file? make catalogue-sample FILE=sample.csv" >&2; exit 1; }
	@$(PY) -m tests.stack.catalogue "$(FILE)" --sample "$(PRODUCTS)"

.PHONY: build
build: ## Build all functions into target/lambda
ifeq ($(ZIG),)
	@cargo build --release --workspace --bins --locked
else
	@cargo zigbuild --version >/dev/null 2>&1 || { \
	  echo "error: a build for $(ARCHITECTURE) on $(NATIVE) (or for another glibc) takes cargo-zigbuild and the Rust target:"; \
	  echo "         pip install ziglang && cargo install --locked cargo-zigbuild && rustup target add $(TRIPLE)"; \
	  echo "       or leave ARCHITECTURE out and deploy for $(NATIVE)."; \
	  exit 1; } >&2
	@cargo zigbuild --release --workspace --bins --locked --target $(TRIPLE).2.34
endif
	@$(PYTHON) -m tests.stack.bootstraps --release $(RELEASE) --architecture $(ARCHITECTURE)

.PHONY: deploy
deploy: .venv/test.stamp build ## Deploy to AWS with the SAM CLI; asks for everything the first time
	@sam build
	@if grep -q '^stack_name' samconfig.toml; then guided=; else guided=--guided; fi; \
	sam deploy $$guided --parameter-overrides "Architecture=$$($(PY) -m tests.stack.bootstraps --check)"

# ------------------------------------------------------------------------------------------------------------------ checks

.PHONY: test
test: lint unit build flows ## Everything that has to pass: lints, unit tests, template, end-to-end flows

.PHONY: lint
lint: .venv/test.stamp .local/tools/cargo-deny-$(CARGO_DENY_VERSION).stamp ## Formatting, clippy, dependencies, template
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	.local/tools/bin/cargo-deny --locked check --hide-inclusion-graph licenses bans sources
	cfn-lint template.yaml
	sam validate --lint

.PHONY: unit
unit: ## Unit and property tests
	cargo test --workspace --locked

.PHONY: flows
flows: .venv/test.stamp tests/web/node_modules/.stamp ## Template checks, simulators, pages and end-to-end flows over a stack of their own; needs `make build`
	$(PY) -m pytest -q tests

.PHONY: load
load: .venv/test.stamp build ## Two hundred chats at once, then five hundred conversations with a vcita that fails; an hour at most
	DESKBRIDGE_LOAD_CHATS=200 $(PY) -m pytest -q tests/flows/test_load.py
	DESKBRIDGE_LOAD_VCITA=500x20 $(PY) -m pytest -q tests/flows/test_vcita_load.py

.PHONY: coverage-table
coverage-table: ## Write the tables of docs/coverage from the items beside them
	@$(PYTHON) -m tests.coverage.table

.PHONY: bench
bench: .venv/run.stamp build ## Print speed, size and cost
	@$(PY) -m tests.bench.bench

.PHONY: clean
clean: ## Remove what was built, not what was installed
	rm -rf target/lambda .aws-sam
	cargo clean

# ----------------------------------------------------------------------------------------------------------------- installs

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/run.stamp: tests/requirements-run.txt | .venv/bin/python
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps -r tests/requirements-run.txt
	@touch $@

tests/web/node_modules/.stamp: tests/web/package-lock.json
	npm ci --prefix tests/web --no-audit --no-fund --loglevel=error
	@touch $@

.venv/test.stamp: tests/requirements-test.txt .venv/run.stamp
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps -r tests/requirements-test.txt
	@touch $@

# Without the feature that downloads an advisory database: licenses, bans and sources need only the lock file. Unoptimised: it
# checks for two seconds, and to optimise it takes minutes.
.local/tools/cargo-deny-$(CARGO_DENY_VERSION).stamp:
	cargo install cargo-deny --version $(CARGO_DENY_VERSION) --locked --no-default-features --debug \
	  --root .local/tools --target-dir target/tools
	@rm -rf target/tools
	@touch $@
