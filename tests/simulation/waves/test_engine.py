import sys
from types import SimpleNamespace

import pytest

from particlespy_ml.simulation.waves.engine import abtem_engine, find_device


def test_a_device_is_used_where_cupy_finds_one(monkeypatch):
    for count, device in ((0, "cpu"), (2, "gpu")):
        runtime = SimpleNamespace(getDeviceCount=lambda count=count: count)
        monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(runtime=runtime)))
        assert find_device() == device
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert find_device() == "cpu"


def test_settings_are_those_of_the_block_alone():
    abtem = pytest.importorskip("abtem")
    abtem.config.set({"precision": "float64"})
    with abtem_engine() as engine:
        assert engine.config.get("precision") == "float32"
    assert abtem.config.get("precision") == "float64"
    abtem.config.set({"precision": "float32"})


def test_without_abtem_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "abtem", None)
    with pytest.raises(ImportError, match=r"particlespy-ml\[simulation\]"), abtem_engine():
        pass
