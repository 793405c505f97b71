# Each target makes .venv and installs what it needs when it isn't there.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: method demo test coverage lint types tables docs site slow submission repeat dist perf clean

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "torch==2.13.0"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev,dgl,energy]"
	touch $@

demo: .venv/.installed
	$(BIN)/recpress demo

# Two files of tests at a time; `$(BIN)/python -m pytest` alone runs them one by one.
test: .venv/.installed
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

# Of the processes that tests start too; it takes about twice as long as the tests.
coverage: .venv/.installed
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --cov --cov-report=term --cov-fail-under=85

slow: .venv/.installed
	$(BIN)/python -m pytest -m slow

# What has changed in methods/ and datasets/ since BASE, held to all that is asked of it, and what a person is to look at
# in the records that have; the findings are in SUMMARY, too.
BASE ?= origin/main
FORMAT ?= text
SUMMARY ?= build/submission.md
submission: .venv/.installed
	mkdir -p $(dir $(SUMMARY))
	$(BIN)/recpress check --changed $(BASE) --format $(FORMAT) --summary $(SUMMARY)

# A share of the records that have changed since BASE, drawn by SEED and run again: what is found is added to SUMMARY.
SAMPLE ?= 3
SEED ?= 0
repeat: .venv/.installed
	mkdir -p $(dir $(SUMMARY))
	$(BIN)/recpress results reproduce --changed $(BASE) --sample $(SAMPLE) --seed $(SEED) --summary $(SUMMARY)

lint: .venv/.installed
	$(BIN)/ruff check .ci benchmark tests tools methods datasets
	$(BIN)/ruff format --check .ci benchmark tests tools methods datasets
	$(MAKE) --no-print-directory types
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml

# Methods and races against peers lie in folders that are no packages: mypy is told where they are.
types: .venv/.installed
	$(BIN)/mypy
	$(BIN)/mypy methods
	$(BIN)/mypy benchmark/perf

# What is written from the results: tables of the folder, of README and of the documents.
tables: .venv/.installed
	$(BIN)/recpress show --write-tables
	for part in across elsewhere headline sizes spread; do $(BIN)/python tools/table_$$part.py || exit; done

# What a new method adds beside its folder: golden digests, and its lines in the table of bytes.
method: .venv/.installed
	$(BIN)/python tools/versions.py record
	$(BIN)/python tools/table_bytes.py

docs: .venv/.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The site with the documents in its docs/.
site: docs
	$(BIN)/recpress site --docs build/docs

dist: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check build
	$(BIN)/python -m build --outdir dist .

# Speed and memory of this commit; `asv compare` sets two of them side by side.
perf: .venv/.installed
	$(BIN)/asv machine --yes
	$(BIN)/asv run --environment existing:$(abspath $(BIN)/python) --set-commit-hash $$(git rev-parse HEAD) --show-stderr
	$(BIN)/asv publish

clean:
	rm -rf .venv build dist
