# `make` alone lists what there is. Every target sets up what it needs first; nothing is installed outside this folder
# but Kafka's jars, which go to the user's cache.

.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.setup

# The first of these that runs and is new enough; `make setup PYTHON=/path/to/python` chooses another.
PYTHON ?= $(shell for candidate in python3.13 python3.12 python3.11 python3; do \
  if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo $$candidate; break; fi; done)

# A capture of exchange trades; without one the simulator makes them.
CAPTURE ?= $(firstword $(wildcard ../shared/data/*.gz))

.PHONY: help setup demo smoke verify-receipts test test-spark twin conformance fuzz-api lint bench-ingest bench-freshness bench-memory bench-serving bench-push bench-batch docs lock clean

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: $(READY) ## install everything into .venv and fetch Kafka's jars

demo: $(READY) ## run it all on this machine and watch bars move (CAPTURE=FILE replays that file)
	$(BIN)/twofold up $(if $(CAPTURE),--replay "$(CAPTURE)" --speed 10)

smoke: $(READY) ## run it all without a person and check every answer (CAPTURE=FILE ENGINE=polars|spark|mixed SYSTEM=up|compose)
	$(BIN)/python tests/smoke $(if $(CAPTURE),--capture "$(CAPTURE)") $(if $(ENGINE),--engine "$(ENGINE)") \
	  $(if $(SYSTEM),--system "$(SYSTEM)")

verify-receipts: $(READY) ## take ANSWERS=n answers of a running system and make all of them again, byte for byte
	$(BIN)/python tests/receipts $(if $(ANSWERS),--answers $(ANSWERS))

test: $(READY) ## prove the laws: every test, with real Kafka, Delta, Prefect and Spark
	POLARS_MAX_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadfile -m "not large"

test-spark: $(READY) ## let both engines do larger work, and compare; needs Java 17 or 21 (CAPTURE=FILE)
	TEST_CAPTURE="$(abspath $(CAPTURE))" POLARS_MAX_THREADS=2 $(BIN)/pytest -q --timeout 1800 -m large tests

twin: $(READY) ## put the whole seam, in memory, through SEQUENCES=n sequences of chance (FIRST_SEED=k, FAULT=name)
	TWIN_SEQUENCES="$(SEQUENCES)" TWIN_FIRST_SEED="$(FIRST_SEED)" TWIN_FAULT="$(FAULT)" \
	  POLARS_MAX_THREADS=1 $(BIN)/pytest -q -n 2 tests/twin -k whatever_happens

conformance: $(READY) ## break real processes, and check every answer (SEEDS=n STEPS=m FIRST_SEED=k)
	$(BIN)/python tests/conformance $(if $(SEEDS),--seeds "$(SEEDS)") $(if $(STEPS),--steps "$(STEPS)") \
	  $(if $(FIRST_SEED),--first-seed "$(FIRST_SEED)")

fuzz-api: $(READY) ## ask the serving API CASES=n questions made from its OpenAPI document, and see that it answers as it says
	FUZZ_CASES="$(or $(CASES),5000)" $(BIN)/pytest -q --timeout 3600 tests/serving/test_whole_api.py

lint: $(READY) ## check style, format, types and the borders between the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench-ingest: $(READY) ## CPU and rate of the speed worker beside quixstreams, over one topic
	$(BIN)/python bench/ingest

bench-freshness: $(READY) ## time from a produced trade to an HTTP answer that holds it
	$(BIN)/python bench/freshness

bench-memory: $(READY) ## memory of the speed worker at its bound, with 10 M groups offered and nobody asking
	$(BIN)/python bench/memory

bench-serving: $(READY) ## processor time of an answer in each format, beside a plain FastAPI route and raw bytes
	$(BIN)/python bench/serving

bench-push: $(READY) ## time from a produced trade to each of 1,000 readers of a stream having it
	$(BIN)/python bench/push

bench-batch: $(READY) ## rebuild minute bars by both engines, beside bare Polars and DuckDB (TRADES=n); needs Java 17 or 21
	$(BIN)/python bench/batch $(if $(TRADES),--trades "$(TRADES)")

docs: $(READY) ## write docs/settings.md and docs/metrics.md from what is declared
	$(BIN)/python docs/settings_page.py
	$(BIN)/python docs/metrics_page.py

lock: ## write requirements.lock from pyproject.toml (needs uv; keeps versions that still fit)
	@command -v uv >/dev/null 2>&1 || { echo "make lock needs uv, which is not on the path."; exit 1; }
	uv pip compile pyproject.toml --extra spark --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --quiet --output-file requirements.lock

clean: ## remove .venv, caches and builds; data in .twofold stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The lock is whole, so nothing is resolved (--no-deps). hatchling and editables come from it, so the project itself is
# installed without a build environment of its own. All is compiled once, here: uv does not, and a Python that may not
# write compiled files would do it again in each of the many processes, which doubles the time that a flow run needs to
# start. Some packages carry a module for another Python, which cannot be compiled here and is not needed (hence `|| true`).
$(READY): requirements.lock pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
	  echo "Twofold needs Python 3.11 or later, and none of python3.13, python3.12, python3.11 and python3 is one."; \
	  echo "Install one, or name it: make setup PYTHON=/path/to/python"; exit 1; fi
	@echo "Installing what requirements.lock names into $(VENV); the first time this takes a few minutes."
	@if command -v uv >/dev/null 2>&1; then \
	  set -ex; \
	  uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV); \
	  uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements.lock; \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .; \
	else \
	  set -ex; \
	  "$(PYTHON)" -m venv $(VENV); \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .; \
	fi
	$(BIN)/python -m compileall -q -j 0 $(VENV)/lib || true
	$(BIN)/python -m twofold.event_log.start_cache
	@touch $@
