# The commands of this project; `make help` lists them.

.DEFAULT_GOAL := help
BIN := .venv/bin
WORKERS ?= 2

.PHONY: help setup browser run proto lint types arch test chaos storm check client bench vm screenshots clean

help: ## List the targets
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 13

setup: ## Install what is missing: system packages, .venv, locked dependencies
	@tools/setup.sh

browser: ## As setup, and what tests read status pages with: a browser, other people's clients
	@tools/setup.sh test

run: setup ## Run everything on this machine, with a demo team; Ctrl-C stops it
	@exec $(BIN)/oncall up --demo

proto: setup ## Generate src/oncall/v1 from proto/
	@tools/generate_stubs.sh

lint: setup ## Check style and contract: ruff, buf, and that the stubs are current
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	tools/check_protos.sh

types: setup ## Check types with mypy
	$(BIN)/mypy

arch: setup ## Check that imports follow the architecture
	$(BIN)/lint-imports

test: browser ## Run the whole suite against real PostgreSQL, Redis and sandbox
	$(BIN)/pytest -n $(WORKERS) --dist loadfile

chaos: setup ## Kill every process at random under a long load, and look for broken promises
	ONCALL_TEST_LONG=1 $(BIN)/pytest -q tests/unit/kernel/protocol
	$(BIN)/python -m tests.chaos $(CHAOS)

storm: setup ## Take access away from readers at full speed, and look for an answer that came after
	$(BIN)/python -m tests.storm $(STORM)

check: lint types arch test ## Everything that CI runs

client: setup ## Build the client's wheel into dist/
	@tools/build_client.sh dist

bench: ## Measure what the platform costs over a bare script, a page over a hello, a step over a transaction (installs wrk)
	@tools/setup.sh bench
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.pages
	$(BIN)/python -m tests.bench.workflows

vm: setup ## Prove isolation under cgroup v2 in an emulated machine (installs QEMU, takes half an hour or more)
	@tools/vm/run.sh $(PARTS)

screenshots: browser ## Take the pictures of a status page in docs/images
	$(BIN)/python -m tests.browser.screenshots docs/images

clean: ## Remove .venv and all caches; data folders stay
	rm -rf .venv .clients dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
