"""Files and functions stay short enough to be read in one go."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("particlespy_ml", "tests", "benchmarks", "docs", ".ci")
LINES_OF_A_FILE = 450
LINES_OF_A_FUNCTION = 80  # less its docstring; decorators count no lines


def length_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from ``def`` to the end, less those of the docstring."""
    length = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        text = function.body[0]
        length -= text.end_lineno - text.lineno + 1
    return length


def too_long(source: str, name: str) -> list[str]:
    """The file and its functions, methods and nested functions that are too long."""
    found = []
    lines = len(source.splitlines())
    if lines > LINES_OF_A_FILE:
        found.append(f"{name}: {lines} lines")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length_of(node) > LINES_OF_A_FUNCTION:
            found.append(f"{name}:{node.lineno} {node.name}: {length_of(node)} lines of code")
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_and_functions_are_short(folder):
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        found += too_long(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))
    assert not found, "\n".join(["too long:", *found])


def test_what_is_too_long_is_named():
    body = "    x = 1\n" * 79
    assert too_long(f"def f():\n{body}", "a.py") == []
    assert too_long(f'def f():\n    """One.\n\n    Two.\n    """\n{body}', "a.py") == []
    assert too_long(f"class A:\n  @b\n  def f(self):\n{body}    x = 2\n", "a.py") == ["a.py:3 f: 81 lines of code"]
    assert too_long("\n" * 450, "a.py") == []
    assert too_long("\n" * 451, "a.py") == ["a.py: 451 lines"]
