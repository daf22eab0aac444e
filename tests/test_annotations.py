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


FUNCTIONS = public_functions()


def test_there_are_functions():
    assert len(FUNCTIONS) > 50


@pytest.mark.parametrize("name", FUNCTIONS)
def test_parameters_and_result_are_annotated(name):
    signature = inspect.signature(FUNCTIONS[name])
    bare = [key for key, value in signature.parameters.items() if value.annotation is inspect.Parameter.empty]
    assert bare == []
    assert signature.return_annotation is not inspect.Signature.empty
