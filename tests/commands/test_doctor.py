"""The doctor says what is there, and that what is broken is broken."""

from __future__ import annotations

import json

import pytest

from particlespy_ml.cli import main
from particlespy_ml.commands import doctor as module
from particlespy_ml.models.load import list_models


def test_an_installation_that_works(capsys):
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "All works." in printed and "BROKEN" not in printed
    for word in ("particlespy-ml 0", "Python 3", "hyperspy 2", "abtem", "torch has", "6 particles", *list_models()):
        assert word in printed


def test_weights_that_are_damaged(tmp_path, monkeypatch, model_folder):
    import importlib.resources
    import shutil

    shutil.copytree(model_folder, tmp_path / "random")
    content = bytearray((tmp_path / "random" / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "random" / "model.safetensors").write_bytes(content)
    monkeypatch.setattr(importlib.resources, "files", lambda package: tmp_path)
    lines, wrong = module._models()
    assert lines == [] and "random: its weights have the sha256" in wrong[0]
    (tmp_path / "random" / "card.json").write_text(json.dumps({}))
    assert module._models()[1]


@pytest.mark.parametrize("check", ["_self_test", "_packages"])
def test_what_is_broken_is_said_and_the_rest_is_still_checked(check, capsys, monkeypatch):
    def works():
        return ["fine"], []

    def fails():
        raise RuntimeError("no such thing")

    for name in ("_system", "_packages", "_extras", "_registration", "_models", "_processors", "_self_test"):
        monkeypatch.setattr(module, name, fails if name == check else works)
    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "BROKEN: RuntimeError: no such thing" in printed and "1 broken" in printed and printed.count("fine") == 6


def test_a_package_that_is_missing(monkeypatch):
    monkeypatch.setattr(module, "requires", lambda name: ["no-such-package>=1", "numpy>=1000", "x; extra == 'y'"])
    lines, wrong = module._packages()
    assert len(wrong) == 1 and "pip install 'no-such-package>=1'" in wrong[0]
    assert len(lines) == 1 and "(expected >=1000)" in lines[0]
