# Recipes for working here; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
export DAGSTER_HOME ?= $(CURDIR)/data/dagster
export DAGSTER_DISABLE_TELEMETRY := 1

.PHONY: help demo test test-all test-needs test-lake check dev bench bench-compare bench-scale soak fuzz readme screenshots lock clean
help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(DAGSTER_HOME)/dagster.yaml: dagster.yaml
	@mkdir -p -m 700 "$(DAGSTER_HOME)"
	@cp dagster.yaml "$@"

demo: $(READY) $(DAGSTER_HOME)/dagster.yaml ## everything once, against a local Azure, with a summary
	@$(BIN)/secscore demo

dev: $(READY) $(DAGSTER_HOME)/dagster.yaml ## Dagster's UI on this project
	@$(BIN)/secscore dev

test: $(READY) ## the fast tests, in minutes: no service needed; what this machine lacks is skipped, and listed at the end
	@env -u DAGSTER_HOME $(BIN)/python -m pytest -n 3 --dist loadfile -m "not slow"

test-all: $(READY) ## every test: services, browser, kills, cluster and soak too (half an hour)
	@env -u DAGSTER_HOME $(BIN)/python -m pytest -n 3 --dist loadfile

test-needs: $(READY) ## the tests that use more than Python's packages, as on a machine that has none of it: all skip
	@env -u DAGSTER_HOME SECSCORE_TEST_HIDDEN=all $(BIN)/python -m pytest -m needs

test-lake: $(READY) ## the tests that have a store, on DuckLake, where PostgreSQL is installed; PART=0/4 for a quarter
	@env -u DAGSTER_HOME SECSCORE_TEST_WAREHOUSE=ducklake SECSCORE_TEST_PART=$(PART) $(BIN)/python -m pytest -n 3 --dist loadfile

check: $(READY) ## ruff (lint, security lint, format), types, SQL, secrets, and an audit of the locked dependencies
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m scripts.lint_sql
	@$(BIN)/python -m scripts.find_secrets
	@.ci/audit $(BIN)/pip-audit

bench: $(READY) ## measure a sync beside its peers, its limits, and a year's history (an hour); ONLY=sync for one group, ONLY=help; WRITE=1 writes the docs
	@env -u DAGSTER_HOME $(BIN)/python -W ignore -m bench.run $(if $(filter help,$(ONLY)),--help,$(ONLY)) $(if $(WRITE),--write)

bench-compare: $(READY) ## compare this tree with the commit BASE: whole syncs of both by turns
	@env -u DAGSTER_HOME $(BIN)/python -W ignore -m bench.compare $(BASE)

bench-scale: $(READY) ## measure workers, a lake and a year of 5,000 subscriptions in it (hours; python -m bench.scale --help)
	@env -u DAGSTER_HOME $(BIN)/python -W ignore -m bench.scale

soak: $(READY) ## 200 simulated days of runs, readers, alerts and faults in one process: nothing may drift (half an hour)
	@env -u DAGSTER_HOME $(BIN)/python -W ignore -m bench.soak

fuzz: $(READY) ## hostile answers, settings and files, and kills, for MINUTES=20; what fails is kept in .fuzz; REPLAY=file for one
	@env -u DAGSTER_HOME $(BIN)/python -W ignore -m secscore_pipeline_tests.fuzzing $(if $(REPLAY),--replay $(REPLAY),--minutes $(or $(MINUTES),20))

readme: $(READY) ## write the generated parts of the documents: tables, settings, commands, failures, output of queries
	@env -u DAGSTER_HOME $(BIN)/python -m scripts.readme

screenshots: $(READY) ## take the pictures in docs/images, of the running UI and the report
	@env -u DAGSTER_HOME $(BIN)/python -m scripts.screenshots

lock: ## write requirements.lock and deploy/requirements.lock anew from pyproject.toml
	$(BIN)/pip-compile --quiet --no-header --all-extras --generate-hashes --no-emit-index-url --no-emit-trusted-host \
		--no-emit-find-links --allow-unsafe --strip-extras --output-file requirements.lock pyproject.toml
	$(BIN)/python -m scripts.production_lock

clean: ## remove the environment and what the demo made
	rm -rf .venv data
