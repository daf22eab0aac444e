"""Conditions that a user types, such as ``focus > .5 and count > 3``, without running what was typed."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Collection, Mapping

_COMPARISONS = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARITHMETIC = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
_HOW = "comparisons of names and numbers, joined by and, or, not"
LONGEST = 500  # characters: a condition is a line, and nesting without end would end the interpreter


class Condition:
    """A condition on named values.

    Comparisons of names, numbers and texts, with + - * /, joined by ``and``, ``or`` and ``not``: nothing else is
    understood, and nothing is run. A comparison of what is not known (None, or not a number) does not hold, whichever
    way it is asked, nor does its ``not``.

    Parameters
    ----------
    text
        The condition.
    names
        What may stand in it.

    Raises
    ------
    ValueError
        If it is no such condition, or has other names.

    Examples
    --------
    >>> good = Condition("focus > .5 and 3 < count <= 40", ["focus", "count"])
    >>> good({"focus": 0.8, "count": 12}), good({"focus": None, "count": 12})
    (True, False)
    """

    def __init__(self, text: str, names: Collection[str]):
        self.text = str(text)
        if len(self.text) > LONGEST:
            raise ValueError(f"The condition has {len(self.text)} characters; expected at most {LONGEST}.")
        try:
            tree = ast.parse(self.text.strip(), mode="eval").body
        except (SyntaxError, RecursionError, MemoryError) as error:
            raise ValueError(f"The condition {self.text!r} cannot be read; expected {_HOW}.") from error
        self._names = frozenset(names)
        self._check(tree)
        if not isinstance(tree, (ast.Compare, ast.BoolOp, ast.UnaryOp)) or isinstance(
            getattr(tree, "op", None), ast.USub
        ):
            raise ValueError(f"The condition {self.text!r} compares nothing; expected {_HOW}.")
        self._tree = tree

    def __call__(self, values: Mapping[str, object]) -> bool:
        """Whether the condition holds for some values; a name without one is not known."""
        return _truth(self._tree, values) is True

    def __repr__(self) -> str:
        return f"Condition({self.text!r})"

    def _check(self, node: ast.AST) -> None:
        """Raise unless all that stands in the condition is understood."""
        for part in ast.walk(node):
            if isinstance(part, ast.Name):
                if part.id not in self._names:
                    raise ValueError(f"Unknown name {part.id!r} in the condition; expected {sorted(self._names)}.")
            elif isinstance(part, ast.Constant):
                if not isinstance(part.value, (int, float, str)):
                    raise ValueError(f"{part.value!r} in the condition is neither a number nor a text.")
            elif not isinstance(
                part,
                (ast.Compare, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.BinOp, ast.Load)
                + tuple(_COMPARISONS)
                + tuple(_ARITHMETIC),
            ):
                raise ValueError(f"{type(part).__name__} cannot stand in a condition; expected {_HOW}.")


def _truth(node: ast.AST, values: Mapping[str, object]) -> bool | None:
    """True, False, or None where it cannot be told (S. C. Kleene's three values)."""
    if isinstance(node, ast.BoolOp):
        parts = [_truth(part, values) for part in node.values]
        decides = isinstance(node.op, ast.Or)
        return decides if decides in parts else None if None in parts else not decides
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _truth(node.operand, values)
        return None if inner is None else not inner
    if isinstance(node, ast.Compare):
        sides = [_value(side, values) for side in (node.left, *node.comparators)]
        if any(side is None for side in sides):
            return None
        pairs = zip(node.ops, sides, sides[1:], strict=False)
        try:
            return all(_COMPARISONS[type(how)](one, other) for how, one, other in pairs)
        except TypeError:  # a text compared with a number
            return None
    value = _value(node, values)
    return None if value is None else bool(value)


def _value(node: ast.AST, values: Mapping[str, object]):
    """A number or a text; None where it is not known."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        value = values.get(node.id)
        return None if isinstance(value, float) and math.isnan(value) else value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _value(node.operand, values)
        return -value if isinstance(value, (int, float)) else None
    if isinstance(node, ast.BinOp):
        one, other = _value(node.left, values), _value(node.right, values)
        try:
            return _ARITHMETIC[type(node.op)](one, other)
        except (TypeError, ZeroDivisionError, OverflowError):
            return None
    return _truth(node, values)
