"""Conditions are read, and never run."""

from __future__ import annotations

import pytest

from particlespy_ml.live.condition import Condition

NAMES = ("focus", "count", "flags")
VALUES = {"focus": 0.6, "count": 5, "flags": ""}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("focus > .5 and count > 3", True),
        ("focus > .5 and count > 5", False),
        ("1 < count <= 5", True),
        ("not focus < .5 or count == 0", True),
        ("count * 2 - 1 >= 9", True),
        ("flags == ''", True),
        ("focus > -1", True),
        ("count / 0 > 1", False),
        ("flags > 3", False),
    ],
)
def test_what_holds(text, holds):
    assert Condition(text, NAMES)(VALUES) is holds


@pytest.mark.parametrize("value", [None, float("nan")])
def test_what_is_not_known_holds_neither_way(value):
    for text in ("focus > .5", "not focus > .5", "focus != 2", "focus > .5 and count > 3"):
        assert not Condition(text, NAMES)({"focus": value, "count": 5})
    assert Condition("focus > .5 or count > 3", NAMES)({"focus": value, "count": 5})
    assert not Condition("focus > .5", NAMES)({})


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "count.real > 1",
        "[focus][0] > 1",
        "(lambda: 1)() > 0",
        "focus if count else 1",
        "f'{focus}' > 1",
        "count ** 9 > 1",
        "count > 1; focus",
        "focus >",
        "focus",
        "-count",
        "3",
        "True > False and None == 1",
        "sharpness > 1",
        "focus in (1, 2)",
        "(" * 300 + "focus > 1",
        "not " * 400 + "focus > 1",
        "",
    ],
)
def test_what_is_no_condition(text):
    with pytest.raises(ValueError, match="condition"):
        Condition(text, NAMES)
