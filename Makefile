# `make help` lists what there is. Python 3.11 or newer, make and git are enough to begin with: the rest comes
# into .venv and .tools, once, and nothing outside this folder is changed.

.DEFAULT_GOAL := help
.PHONY: help demo demo-all check test e2e train bench setup tools clean
.DELETE_ON_ERROR:

BIN := .venv/bin
TOOLS := .tools/bin/uv .tools/bin/prometheus

export PATH := $(CURDIR)/.tools/bin:$(PATH)
export UV_PROJECT_ENVIRONMENT := .venv

help: ## What make can do here
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

# STORE=gs keeps the demo's versions in a Cloud Storage emulator, and not in a folder.
STORE ?= file

demo: .venv/.demo .tools/bin/prometheus ## Watch three versions: promoted, reverted, and half an upload (4 minutes)
	@$(BIN)/promoter sandbox demo --directory build/demo --store $(STORE)

demo-all: .venv/.demo .tools/bin/prometheus ## Watch every kind of version there is (10 minutes)
	@$(BIN)/promoter sandbox demo --directory build/demo --store $(STORE) --all

check: .venv/.dev ## Style, types, floors, schemas, workflows, spelling (a minute)
	@scripts/check.sh

test: .venv/.dev .tools/bin/prometheus ## Every test (8 minutes)
	@$(BIN)/pytest -m "not cluster and not e2e" --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations=15 --durations-min=1

E2E_TESTS ?= tests/cluster/e2e

e2e: .venv/.dev ## The whole loop on a cluster that the environment names (30 minutes)
	@$(BIN)/python tests/cluster/e2e/e2e_place.py
	@$(BIN)/pytest -m e2e --durations=0 --durations-min=1 $(E2E_TESTS)

train: .venv/.dev .tools/bin/prometheus ## Train ResNet50 twice, and watch the sandbox promote it (10 minutes)
	@scripts/train-in-sandbox.sh build/train

bench: .venv/.dev .tools/bin/prometheus ## Measure what the promoter costs, and how well it decides (8 minutes)
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.simulation
	@$(BIN)/python -m benchmarks.revert_to_envoy
	@$(BIN)/python -m benchmarks.verdict_to_traffic

setup: .venv/.dev tools ## Install everything that the other targets need

tools: $(TOOLS) ## Put uv and Prometheus into .tools/bin: those on PATH, or our own

clean: ## Stop sandboxes and remove what was built; .venv and .tools stay
	@for record in build/*/sandbox.json; do \
		if [ -e "$$record" ]; then $(BIN)/promoter sandbox down --directory "$$(dirname "$$record")"; fi; \
	done
	@rm -rf build dist .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find promoter tests -name __pycache__ -prune -exec rm -rf {} +

.tools/bin/%:
	@scripts/tools.sh $*

# Each adds to .venv and takes nothing away, so that one target does not undo another's work.
.venv/.demo: pyproject.toml uv.lock | .tools/bin/uv
	@echo "Python packages: installing what the sandbox needs into .venv"
	@uv sync --locked --inexact --no-dev --extra sandbox && touch $@

.venv/.dev: pyproject.toml uv.lock | .tools/bin/uv
	@echo "Python packages: installing what the checks and tests need into .venv"
	@uv sync --locked --inexact --extra notify --extra sandbox --extra signing --extra workflows && touch .venv/.demo $@
