"""The examples in the docstrings run, and every public function has one docstring that says what it returns."""

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

import particlespy_ml

PACKAGE = Path(particlespy_ml.__file__).parent
BESIDE = ("simulation", "training")  # need abTEM; their tests run in its environment


def module_names():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if parts[1] not in BESIDE and parts[1:3] != ("data", "make"):
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("name", list(module_names()))
def test_examples(name, monkeypatch, tmp_path):
    import hyperspy.api as hs
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hs.preferences.General, "show_progressbar", False)
    module = importlib.import_module(name)
    report = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, name):
        runner.run(test, out=report.append)
    plt.close("all")
    assert runner.summarize(verbose=False).failed == 0, "".join(report)
    assert list(tmp_path.iterdir()) == []


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    count = sum(bool(test.examples) for name in module_names() for test in finder.find(importlib.import_module(name)))
    assert count >= 10


@pytest.mark.parametrize(
    "name",
    [name for name in particlespy_ml.__all__ if not (PACKAGE / name).is_dir()],
)
def test_public_functions_are_documented(name):
    """Every parameter is named in the docstring (several may share a line)."""
    thing = getattr(particlespy_ml, name)
    doc = inspect.getdoc(thing)
    for parameter in inspect.signature(thing).parameters:
        assert parameter in doc, f"{name}: {parameter} is not documented"


@pytest.mark.parametrize(
    "verb", ["segment_particles", "measure_particles", "classify_particles", "extract_particles", "find_columns"]
)
def test_methods_have_the_docstrings_of_their_functions(verb):
    from particlespy_ml.signals.haadf import HAADFImage

    assert getattr(HAADFImage, verb).__doc__ == getattr(particlespy_ml, verb).__doc__
