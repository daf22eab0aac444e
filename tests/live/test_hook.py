"""Commands and functions of the user's are told of rows, and their faults are theirs."""

from __future__ import annotations

import json
import sys
import threading

import pytest

from particlespy_ml.live import hook as module
from particlespy_ml.live.hook import Hook


def test_a_command_gets_the_row(tmp_path):
    code = "import sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read())"
    hook = Hook(f"{sys.executable} -S -c {json.dumps(code)} {tmp_path / 'told'}")
    hook({"image": "Å", "focus": None})
    hook.close()
    assert json.loads((tmp_path / "told").read_bytes()) == {"image": "Å", "focus": None}


def test_one_that_fails_is_named_and_the_next_is_called():
    called = []

    def function(row):
        called.append(row["image"])
        raise KeyError(row["image"])

    hook = Hook(function)
    hook({"image": "a"})
    hook({"image": "b"})
    hook.close()
    assert called == ["a", "b"] and len(hook.failures) == 2
    missing = Hook("no-such-command-at-all")
    missing({})
    missing.close()
    assert "FileNotFoundError" in missing.failures[0]


def test_one_that_is_slow_holds_up_nothing(monkeypatch):
    monkeypatch.setattr(module, "WAITING", 2)
    going = threading.Event()
    hook = Hook(lambda row: going.wait(10))
    taken = [hook({"image": str(number)}) for number in range(6)]
    going.set()
    hook.close()
    assert not all(taken) and any("rows wait" in why for why in hook.failures)


def test_an_empty_command():
    with pytest.raises(ValueError, match="empty"):
        Hook("  ")
