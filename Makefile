# make certify: set up, then bracket the bundled trained generator from both sides
# make test:    set up, then lint, types, layout and tests
# make check-all: the longer checks, after `make test`
# make docs:    the documentation site, build/docs/index.html
# make certificates: bracket all committed results again, and quote them (some minutes)
# make notebooks: execute the notebooks again, outputs included (some minutes)
# make bench: the tables and figures of benchmarks/README.md (above an hour, most of it searches to compare with)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install -q --disable-pip-version-check
COMMIT := $(shell git rev-parse HEAD 2>/dev/null)

.PHONY: certify test check-all docs certificates notebooks bench clean
.DELETE_ON_ERROR:

certify: $(VENV)/.runtime
	@mkdir -p build
	$(BIN)/wdccheck certify --workers -1 --time-limit 170 --seed 0 --json build/certify.json

test: $(VENV)/.test
	@mkdir -p build && rm -f build/tested
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -n 2 --dist worksteal
	@echo $(COMMIT) > build/tested

check-all: $(VENV)/.test certify docs
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m slow
	WDCCHECK_KERNEL=reference $(BIN)/python -m pytest -q -n 2 --dist worksteal
	$(BIN)/wdccheck verify build/certify.json

docs: $(VENV)/.docs
	$(BIN)/sphinx-build -q -W --keep-going -b html docs build/docs

certificates: $(VENV)/.runtime
	$(BIN)/python certificates/regenerate.py

notebooks: $(VENV)/.test
	$(BIN)/python notebooks/execute.py

bench: $(VENV)/.test
	$(BIN)/python benchmarks/brackets.py
	$(BIN)/python benchmarks/cones.py
	$(BIN)/python benchmarks/workers.py
	$(BIN)/python benchmarks/kernels.py --ascent
	$(BIN)/python benchmarks/search.py --plot docs/figures/bench_search.svg
	$(BIN)/python benchmarks/proof.py --verdicts --plot docs/figures/bench_proof.svg
	$(BIN)/python benchmarks/cells.py --plot docs/figures/bench_cells.svg
	$(BIN)/python benchmarks/ranges.py
	$(BIN)/python benchmarks/limits.py

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.runtime: pyproject.toml setup.py $(wildcard wdccheck/_kernels/*.pyx wdccheck/_kernels/*.h)
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e .
	@touch $@

$(VENV)/.test: $(VENV)/.runtime
	$(INSTALL) -e ".[test]"
	@touch $@

$(VENV)/.docs: $(VENV)/.test
	$(INSTALL) -e ".[docs]"
	@touch $@
