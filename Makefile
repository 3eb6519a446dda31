# Every target works alone in a clean checkout: it finds a Python (3.10 or newer), makes .venv and
# installs what it needs. Override with PYTHON=python3.12, the environment's folder with VENV=...

VENV ?= .venv
export VENV
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test check bench docs install clean

help:
	@echo "make demo      see it work: examples/demo.py, with only what users install"
	@echo "make test      all tests; make test ARGS='-k threads -x' passes arguments to pytest"
	@echo "make check     format, lint, types, generated files, hygiene"
	@echo "make bench     the benchmarks behind what we claim about speed"
	@echo "make docs      write the generated pages of docs/"
	@echo "make install   the development environment in $(VENV)"
	@echo "make clean     remove what the others made"

demo:
	@scripts/install --runtime
	@$(VENV)/bin/python examples/demo.py $(ARGS)

test:
	@scripts/test $(ARGS)

check:
	@scripts/check

bench:
	@scripts/install
	@set -e; for file in benchmarks/[a-z]*.py; do \
		echo "== $$file"; $(VENV)/bin/python "$$file" $(ARGS); \
	done

docs:
	@scripts/install
	@$(VENV)/bin/python scripts/docs

install:
	@scripts/install

clean:
	rm -rf $(VENV) node_modules dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* htmlcov
	find src tests scripts examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
