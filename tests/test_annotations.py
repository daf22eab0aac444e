"""Every function that a room offers says what it takes and what it gives back."""

import importlib
import inspect
from pathlib import Path

import pytest

import particlespy_ml

PACKAGE = Path(particlespy_ml.__file__).parent


def public_functions():
    """Functions that the stubs list, each once, by name."""
    found = {}
    for stub in sorted(PACKAGE.rglob("*.pyi")):
        room = importlib.import_module(".".join(stub.relative_to(PACKAGE.parent).parent.parts))
        for name in room.__all__:
            thing = getattr(room, name)
            if inspect.isfunction(thing):
                found[f"{thing.__module__}.{thing.__qualname__}"] = thing
    return found


def methods():
    """Functions that signals have as methods, each once, by name."""
    found = {}
    for name in ("haadf.HAADFImage", "hrtem.HRTEMImage", "particle_table.ParticleTable", "column_table.ColumnTable"):
        module, cls = name.split(".")
        signal = getattr(importlib.import_module(f"particlespy_ml.signals.{module}"), cls)
        for base in signal.__mro__:
            if base.__module__.startswith("particlespy_ml"):
                for verb, value in vars(base).items():
                    function = getattr(value, "__func__", value)
                    # HyperSpy's own method has the signature of HyperSpy
                    if inspect.isfunction(function) and not verb.startswith("_") and verb != "save":
                        found[f"{cls}.{verb}"] = function
    return found


FUNCTIONS = public_functions() | methods()


def test_there_are_functions():
    assert len(public_functions()) > 50 and len(methods()) > 50


@pytest.mark.parametrize("name", FUNCTIONS)
def test_parameters_and_result_are_annotated(name):
    signature = inspect.signature(FUNCTIONS[name])
    bare = [
        key
        for key, value in signature.parameters.items()
        if value.annotation is inspect.Parameter.empty and key != "self"
    ]
    assert bare == []
    assert signature.return_annotation is not inspect.Signature.empty
