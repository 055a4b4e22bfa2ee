# Two commands for a newcomer: `make demo` and `make test`. Both do all set-up in .venv.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/installed
STATE  ?= .state
OUT    ?= demo-out
JOBS   ?= 2

export BROKER_STATE ?= $(STATE)
export BROKER_KEYS  ?= $(STATE)/keys

.PHONY: docs demo test serve check bench lock clean help

help: ## What there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(STAMP): pyproject.toml requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed, and $(PYTHON) is not: make … PYTHON=python3.12"; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || \
	  { echo "This Python cannot make a virtual environment (Debian and Ubuntu: package python3-venv)."; exit 1; }
	@echo "Installing (pinned by hash) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP) ## Run the whole main job on synthetic data (CASE=file.json for a case of yours)
	@$(BIN)/broker demo --to $(OUT) $(if $(CASE),--case $(CASE))

serve: $(STAMP) ## Serve desk, inbox and partner API on the demo's data, with sign-in links
	@$(BIN)/broker serve --links

test: $(STAMP) ## Run the tests
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

check: $(STAMP) ## Linters, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(STAMP) ## Measure, side by side with the alternatives
	@$(BIN)/python -m bench --docs

docs: $(STAMP) ## Write the generated parts of the pages
	@$(BIN)/python -m docs.make

lock: ## Pin dependencies by hash (needs uv)
	uv pip compile --quiet --no-strip-extras --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header pyproject.toml -o requirements.txt
	uv pip compile --quiet --no-strip-extras --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --extra dev --no-emit-package referral-broker pyproject.toml -o requirements-dev.txt

clean: ## Remove what the demo and the build leave (not .venv, not .state)
	rm -rf $(OUT) bench-out build dist
