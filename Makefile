# Everything a developer runs. `make demo` and `make test` set up what they need on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests mostly wait for one another's servers, so there may be more processes than cores.
JOBS ?= 4

.PHONY: help
help: ## Say what there is to run
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -t -s "$$(printf '\t')"

$(VENV)/runtime: requirements/runtime.txt requirements/build.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/build.txt
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev: $(VENV)/runtime requirements/dev.txt
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/bench: $(VENV)/dev requirements/bench.txt
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@touch $@

.PHONY: demo
demo: $(VENV)/runtime ## Watch an emulated AWS on this machine
	$(BIN)/kms-exporter demo $(ARGS)

.PHONY: components
components: ## Install the real programs that the tests use (Debian, root)
	scripts/components

.PHONY: test
test: $(VENV)/bench components ## Run every test, with coverage, in JOBS processes
	$(BIN)/pytest --cov -n $(JOBS) $(ARGS)

.PHONY: soak
soak: $(VENV)/dev ## Inject faults for MINUTES (60) eight times, from SEED (1), and look for leaks over 10,000 passes
	$(BIN)/python -m tests.faults.campaign --seed $(or $(SEED),1) --minutes $(or $(MINUTES),60) --campaigns 8
	$(BIN)/python -m tests.faults.leaks --passes 10000

.PHONY: lint
lint: $(VENV)/dev ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: generate
generate: $(VENV)/dev ## Write anew what is generated: documents, dashboards, policies, the chart's schema
	$(BIN)/python docs/build.py
	$(BIN)/python docs/build_cost.py
	$(BIN)/python -m docs.build_dependencies
	$(BIN)/python -m docs.build_performance
	$(BIN)/python -m grafana.builder
	$(BIN)/python grafana/rules/build_grafana_managed.py
	$(BIN)/python iam/build.py
	$(BIN)/python -m helm.build_schema
	$(BIN)/python -m helm.build_readme

.PHONY: screenshots
screenshots: $(VENV)/dev components ## Draw the dashboards and the status page from the demo's data into docs/images
	$(BIN)/python -m grafana.screenshots.page
	$(BIN)/python -m grafana.screenshots

.PHONY: image
image: ## Build the container image
	scripts/image

# What the benchmarks compare with, each in an environment of its own. Prowler takes 2.3 GB and no Python beyond 3.13;
# `make bench NEIGHBOURS="custodian awscli"` does without.
NEIGHBOURS ?= custodian prowler awscli

.cache/%/installed: requirements/%.txt
	$(PYTHON) -m venv .cache/$*
	.cache/$*/bin/pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

.PHONY: bench
bench: $(VENV)/bench $(NEIGHBOURS:%=.cache/%/installed) ## Measure everything, print one table; about 65 minutes (QUICK=1: 10, small sizes)
ifdef QUICK
	$(BIN)/python -m benchmarks.report --measure --quick
else
	$(BIN)/python -m benchmarks.report --measure
	$(BIN)/python -m benchmarks.plots
	$(BIN)/python -m docs.build_performance
	$(BIN)/python -m helm.build_readme
endif

.PHONY: lock
lock: $(VENV)/dev ## Resolve the pinned, hashed requirement files anew
	scripts/lock $(ARGS)

.PHONY: sbom
sbom: $(VENV)/dev ## Write the software bill of materials (CycloneDX) into dist
	$(BIN)/python -m scripts.sbom

.PHONY: audit
audit: $(VENV)/dev ## Ask for known vulnerabilities of the dependencies; status 3 if nobody could be asked
	$(BIN)/python -m scripts.audit $(ARGS)

.PHONY: clean
clean: ## Remove what was built
	rm -rf $(VENV) .cache build dist *.egg-info .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis
