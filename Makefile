# Each verb is one line. PYTHON=… names another interpreter, PORT=… another port,
# EVENTFLOW_HOME=… another data folder.
IS_NEW := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$p -c '$(IS_NEW)' 2>/dev/null && echo $$p && exit; done; echo python3)
READY = @$(PYTHON) eventflow/bootstrap.py
TOOLS = @$(PYTHON) eventflow/bootstrap.py --dev

.DEFAULT_GOAL := help
.PHONY: help run test check lint format frontend bench bench-large soak

help: ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 14

run: ## start everything on PORT (8000) and stay until Ctrl-C
	$(READY) manage.py up --first-step 3 --with-parent

test: ## run all tests
	$(TOOLS) tests/run.py

check: ## run what CI runs: lint, types, contracts, all tests, the front end
	$(TOOLS) tests/check.py

lint: ## run what CI runs, without the tests
	$(TOOLS) tests/check.py --no-tests

format: ## format the Python source
	$(TOOLS) -m ruff format .

frontend: ## build the front end's bundle
	$(TOOLS) tests/frontend.py build

soak: ## try a thousand examples, then let everything die at random for MINUTES (10)
	$(TOOLS) -m pytest tests/engine tests/nodes tests/faults/test_model.py --hypothesis-profile thorough
	$(TOOLS) -m tests.soak --minutes $(or $(MINUTES),10) --database sqlite
	$(TOOLS) -m tests.soak --minutes $(or $(MINUTES),10) --database postgres

bench: ## measure speed against the peer, and write the figures down
	$(TOOLS) -m tests.bench --database $(or $(DATABASE),sqlite)

bench-large: ## measure parts, growth, memory and MILLIONS (5) of stored events: over an hour
	$(TOOLS) -m tests.bench.parts --write
	$(TOOLS) -m tests.bench.growth --write
	$(TOOLS) -m tests.bench.large --millions $(or $(MILLIONS),5) --database $(or $(DATABASE),sqlite) --write
	$(TOOLS) -m tests.bench.memory --write
