# Everything a contributor runs. `make` alone says what there is.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help servers build demo cloud-demo bench bench-mapping bench-client bench-rows torture fuzz test lint fmt schemas clean

PYTHON := .servers/venv/bin/python
CHECK_SCHEMA := .servers/venv/bin/check-jsonschema
SCHEMA := schemas/plan.v1.schema.json
TEST_THREADS ?= 6
TORTURE_RUNS ?= 200
FUZZ_TARGETS ?= plan saved settings state answer
FUZZ_SECONDS ?= 60

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

servers: ## Install the real Milvus servers into .servers/ (quick when they are there)
	@python3 servers/setup.py

build: ## Build the release binary
	cargo build --release --locked

demo: servers build ## Move thirty thousand passages between two real Milvus servers
	@$(PYTHON) demo/demo.py

cloud-demo: servers build ## Move collections between two clusters of a simulator of Zilliz Cloud
	@$(PYTHON) demo/cloud.py

bench: servers build ## Measure speed beside other ways, on real servers, and write docs/benchmarks.md (an hour)
	@$(PYTHON) bench/bench.py

bench-mapping: servers build ## Measure what mapping costs, on two real Milvus servers
	@$(PYTHON) bench/mapping.py

# Needs no servers: what stands in for them is built by the script.
bench-client: build ## Measure the client alone, against a stand-in for its servers
	@python3 bench/client.py

bench-rows: ## Measure what is done to a row, step by step and without a socket
	cargo bench --locked --features benching --bench rows

torture: servers ## Copy at random with random faults, on real servers, and write the table of docs/reliability.md
	@TORTURE_RUNS=$(TORTURE_RUNS) TORTURE_PAGE=docs/reliability.md cargo test --locked --test it torture -- --nocapture

fmt: ## Format the code
	cargo fmt

lint: ## Check the formatting, and lint every target
	cargo fmt --check
	cargo clippy --locked --all-targets --features benching -- --deny warnings

schemas: servers ## Check the JSON Schemas, the examples and the workflows with another validator
	$(CHECK_SCHEMA) --check-metaschema schemas/*.json
	find examples/plans examples/init -name '*.yaml' -print0 | xargs -0 $(CHECK_SCHEMA) --schemafile $(SCHEMA)
	$(CHECK_SCHEMA) --builtin-schema vendor.github-workflows examples/ci/vecferry.yml examples/ci/vecferry-reusable.yml
	$(CHECK_SCHEMA) --builtin-schema vendor.gitlab-ci examples/ci/vecferry.gitlab-ci.yml

# The tests come last, so that a log ends in what they say; the integration tests are the last of them. Most of their time is
# waiting for servers to index and load, so there are more at once than processors; with many more the servers choke. What the
# unit tests print is kept, because the integration tests search it for secrets. Servers are downloaded while the lints are
# checked, and all tests are built at once, so that no processor is idle meanwhile.
test: ## Run everything, on real servers too
	$(MAKE) --no-print-directory --jobs=2 servers lint
	$(MAKE) --no-print-directory schemas
	cargo test --locked --no-run --lib --bins --test it
	cargo test --locked --doc
	@mkdir -p target
	cargo test --locked --lib --bins -- --show-output 2>&1 | tee target/unit-tests.txt
	cargo test --locked --test it -- --test-threads=$(TEST_THREADS)

# What is found stays in fuzz/artifacts; fuzz/README.md says what to do with it.
fuzz: ## Throw bytes at everything that reads bytes, FUZZ_SECONDS for each target (needs cargo-fuzz and a nightly toolchain)
	for target in $(FUZZ_TARGETS); do fuzz/run $$target $(FUZZ_SECONDS); done

clean: ## Remove what was built, installed and left behind by the demo
	cargo clean
	rm -rf .servers .demo
