# Everything a person types. Needs Python 3.11+ and make; the rest is installed into .venv from requirements.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KEEP ?= 1
PICTURES ?= var/pictures
ARGS ?=

.PHONY: demo test test-long test-faults test-drift test-dirt test-pages test-services bench bench-names bench-search check docs docs-check services down clean lock airflow secrets
.DEFAULT_GOAL := demo

demo: $(VENV)/.installed
	@$(BIN)/python -m include.embedded demo --keep $(KEEP)

test: $(VENV)/.installed
	$(BIN)/python -m pytest -q -n 3 --dist loadfile $(ARGS)

# Whole nights told again (two nights, restatements, hidden records, past days in any order, a department that is down or asked again), lineage, and mutants.
test-long: $(VENV)/.installed
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m long tests $(ARGS)

# Every page in a headless Chromium (Debian: apt-get install chromium fonts-noto-cjk), at a desk and on a phone; what it
# looked like stays in PICTURES.
test-pages: $(VENV)/.installed
	$(BIN)/python -m pytest -q -rs -m browser tests/portal --pictures $(PICTURES) $(ARGS)

# The service set of docker-compose.yaml as processes of this machine (Debian: apt-get install postgresql redis-server):
# a night on Celery with a worker killed, and a backfill, beside the same from the shell.
test-services: $(VENV)/.installed
	$(BIN)/python -m pytest -q -rs -m composed tests/services $(ARGS)

# Every fault with all its seeds (clocks need Debian's faketime). Replay one: make test-faults ARGS="--faults-seed 17 -k shift"
test-faults: $(VENV)/.installed
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup -m "" tests/faults $(ARGS)

# False alarms of the drift checks over 72 clean nights of the whole city, and what they catch; about a quarter of an hour.
test-drift: $(VENV)/.installed
	$(BIN)/python -m pytest -q -n 2 -m drift tests/validation $(ARGS)

# The dirt catalogue: 20 clean seeds, larger worlds; prints planted, found, recall and precision of every kind.
test-dirt: $(VENV)/.installed
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "" tests/dirt $(ARGS)

# Time and memory at 2,791, 100,000 and 1,000,000 enterprises beside a hand-written best effort; a while, and 15 GiB of disk.
bench: $(VENV)/.installed
	$(BIN)/python -m include bench --out bench.json $(ARGS)

# 100,000 names against 100,000 enterprises, with known answers: precision, what is found, time and memory.
bench-names: $(VENV)/.installed
	$(BIN)/python -m include bench-names --out bench-names.json $(ARGS)

# The pages' search at 100,000 enterprises beside one SQL statement written by hand: p50, p99 and their ratio.
bench-search: $(VENV)/.installed
	$(BIN)/python -m include bench-search --out bench-search.json $(ARGS)

check: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory docs-check

docs: $(VENV)/.installed
	$(BIN)/python docs/generate.py

docs-check: $(VENV)/.installed
	$(BIN)/python docs/generate.py --check

down: $(VENV)/.installed
	@$(BIN)/python -m include.embedded down

clean: $(VENV)/.installed
	@$(BIN)/python -m include.embedded clean

# A shell command against the running demo: make airflow ARGS="dags list"
airflow: $(VENV)/.installed
	@. "$${INNOPOINTS_HOME:-var}/airflow.env" && airflow $(ARGS)

# The secrets of the composed services, drawn once; compose refuses to start without them.
secrets: $(VENV)/.installed
	@$(BIN)/python -m include.embedded secrets

# The service set of docker-compose.yaml without a container engine: processes of this machine, until Ctrl-C.
# Debian: apt-get install postgresql redis-server
services: $(VENV)/.installed
	@$(BIN)/python -m include.embedded services

lock: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile requirements.in --universal --python-version 3.11 -o requirements.txt

$(VENV)/.installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: make PYTHON=python3.11" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@
