# `make demo` and `make test` need Python 3.11 and make; they make the environments they use.
# .venv is what a user who analyses images has (zarr<3, so .zspy works); .venv-simulation adds abTEM (zarr>=3.1).

BASE_PYTHON ?= $(shell command -v python3.11 || command -v python3)
PYTHON := .venv/bin/python
SIMULATION_PYTHON := .venv-simulation/bin/python
RECIPE ?= particlespy_ml/training/recipes/isomer-haadf.toml
HEADLESS := MPLBACKEND=Agg QT_QPA_PLATFORM=offscreen

.PHONY: help demo test lint format benchmark simulate train wheel-test clean

help:
	@echo "make demo         classify the particles of a measured image and of a simulated movie into demo_output/"
	@echo "make test         run all the tests"
	@echo "make wheel-test   build the wheel and test it outside the checkout"
	@echo "make lint|format  check or apply the style"
	@echo "make benchmark    time and memory beside ParticleSpy's"
	@echo "make simulate     simulate the images of RECIPE=$(RECIPE) (abTEM, resumable)"
	@echo "make train        train the model of RECIPE=$(RECIPE)"
	@echo "make clean        remove what the other targets made"

# temul-toolkit brings the demo's measured image; only its data is used, so none of its dependencies are installed.
.venv/.installed: constraints.txt setup.cfg
	$(BASE_PYTHON) -m venv .venv
	$(PYTHON) -m pip install -q -c constraints.txt setuptools
	$(PYTHON) -m pip install -q -c constraints.txt --no-build-isolation -e '.[zspy,test,dev]'
	$(PYTHON) -m pip install -q -c constraints.txt --no-deps temul-toolkit
	touch $@

.venv-simulation/.installed: constraints-simulation.txt setup.cfg
	$(BASE_PYTHON) -m venv .venv-simulation
	$(SIMULATION_PYTHON) -m pip install -q -c constraints-simulation.txt setuptools
	$(SIMULATION_PYTHON) -m pip install -q -c constraints-simulation.txt --no-build-isolation -e '.[simulation,test]'
	touch $@

demo: .venv/.installed
	$(HEADLESS) $(PYTHON) -m particlespy_ml.demo --out demo_output

# Tests that need abTEM run in its environment (and are skipped in the other one).
test: .venv/.installed .venv-simulation/.installed
	$(HEADLESS) $(SIMULATION_PYTHON) -m pytest tests/simulation tests/training
	$(HEADLESS) $(PYTHON) -m pytest

wheel-test: .venv/.installed
	$(HEADLESS) $(PYTHON) -m pytest tests/test_wheel.py

lint: .venv/.installed
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

format: .venv/.installed
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

benchmark: .venv/.installed
	$(HEADLESS) $(PYTHON) -m benchmarks

simulate: .venv-simulation/.installed
	$(SIMULATION_PYTHON) -m particlespy_ml.training simulate $(RECIPE)

train: .venv-simulation/.installed
	$(SIMULATION_PYTHON) -m particlespy_ml.training train $(RECIPE)

# The cache of simulations stays: it takes hours to make.
clean:
	rm -rf .venv .venv-simulation build dist *.egg-info demo_output .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
