# `make demo` and `make test` need Python 3.11 and make; they make the environment they use.

BASE_PYTHON ?= $(shell command -v python3.11 || command -v python3)
PYTHON := .venv/bin/python
RECIPE ?= isomer-haadf
CACHE ?= cache/$(RECIPE)
COUNT ?= 1000
HEADLESS := MPLBACKEND=Agg QT_QPA_PLATFORM=offscreen
# Two processes, each with a thread of its own: numerical libraries would start one for every core in each of them.
TWO := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.PHONY: help demo test layers lint format notebooks docs benchmark simulate train evaluate wheel-test release clean

help:
	@echo "make demo         classify the particles of two images and of a movie into demo_output/"
	@echo "make test         run all the tests"
	@echo "make layers       test that rooms import from their left alone, and what imports cost"
	@echo "make wheel-test   build the wheel and test it outside the checkout"
	@echo "make docs         build the site into build/site/html; notebooks are shown as they are, and nothing is downloaded"
	@echo "make release      build sdist and wheel into dist/, check them and install the wheel in an empty environment"
	@echo "make notebooks    run the notebooks and keep their outputs"
	@echo "make lint|format  check or apply the style"
	@echo "make benchmark    time and memory beside ParticleSpy's"
	@echo "make simulate     simulate COUNT=$(COUNT) images of RECIPE=$(RECIPE) into CACHE=$(CACHE) (resumable)"
	@echo "make train        train the model of RECIPE=$(RECIPE) on CACHE"
	@echo "make evaluate     evaluate the bundled model on the simulations held out in CACHE"
	@echo "make clean        remove what the other targets made"

# temul-toolkit brings the demo's measured image; only its data is used, so none of its dependencies are installed.
.venv/.installed: constraints.txt setup.cfg
	$(BASE_PYTHON) -m venv .venv
	$(PYTHON) -m pip install -q -c constraints.txt setuptools
	$(PYTHON) -m pip install -q -c constraints.txt --no-build-isolation -e '.[simulation,test,dev]'
	$(PYTHON) -m pip install -q -c constraints.txt --no-deps temul-toolkit
	touch $@

demo: .venv/.installed
	$(HEADLESS) $(PYTHON) -m particlespy_ml.demo --out demo_output

test: .venv/.installed
	$(HEADLESS) $(TWO) $(PYTHON) -m pytest -n 2 --dist loadscope --no-loadscope-reorder --durations=25 tests

layers: .venv/.installed
	$(HEADLESS) $(TWO) $(PYTHON) -m pytest -q tests/test_imports.py

wheel-test: .venv/.installed
	$(HEADLESS) $(PYTHON) -m pytest tests/test_wheel.py

lint: .venv/.installed
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

format: .venv/.installed
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

# What builds the site and the release is not part of the environment of the tests.
.venv/.docs: .venv/.installed setup.cfg
	$(PYTHON) -m pip install -q -c constraints.txt -e '.[docs]' --no-build-isolation
	touch $@

docs: .venv/.docs
	rm -rf build/site
	$(HEADLESS) $(PYTHON) -m docs.site.stage build/site/source
	$(HEADLESS) $(PYTHON) -m sphinx -W --keep-going -q -b html -c docs/site build/site/source build/site/html
	$(PYTHON) -m docs.site.walk build/site/html
	@echo "build/site/html/index.html"

.venv/.release: .venv/.installed setup.cfg
	$(PYTHON) -m pip install -q -c constraints.txt -e '.[release]' --no-build-isolation
	touch $@

release: .venv/.release
	$(HEADLESS) $(PYTHON) .ci/release.py dist

notebooks: .venv/.installed
	$(PYTHON) .ci/notebooks.py

benchmark: .venv/.installed
	$(HEADLESS) $(PYTHON) -m benchmarks

simulate: .venv/.installed
	$(PYTHON) -m particlespy_ml.cli simulate $(RECIPE) --cache $(CACHE) --count $(COUNT)

train: .venv/.installed
	$(PYTHON) -m particlespy_ml.cli train $(RECIPE) --cache $(CACHE) --out $(CACHE)/model

evaluate: .venv/.installed
	$(PYTHON) -m particlespy_ml.cli evaluate $(RECIPE) --cache $(CACHE) --out $(CACHE)/evaluation

# The cache of simulations stays: it takes hours to make.
clean:
	rm -rf .venv build dist *.egg-info demo_output .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
