"""Recipe files: how a model is made."""

from __future__ import annotations

import tomllib
from pathlib import Path

from particlespy_ml.training.registry import TRAININGS

_FOLDER = Path(__file__).parent / "recipes"
_TABLES = ("model", "simulation", "detector", "training", "card")


def bundled_recipes() -> list[str]:
    """Return the names of the recipes that come with the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def load_recipe(path_or_name: str | Path) -> dict:
    """Read a recipe: a bundled one by its name, or a file.

    Returns
    -------
    dict
        The tables ``model``, ``simulation`` and ``detector`` (for the classes of the task in `TRAININGS`), ``training``
        and ``card``, as plain values.

    Raises
    ------
    ValueError
        If there is no such recipe, or a task, a table or a setting is unknown.

    Examples
    --------
    >>> load_recipe("isomer-haadf")["simulation"]["symbol"]
    'Au'
    """
    path = Path(path_or_name)
    if not path.suffix:
        path = _FOLDER / f"{path_or_name}.toml"
    if not path.exists():
        raise ValueError(f"No recipe {str(path_or_name)!r}: give a file or one of {bundled_recipes()}.")
    recipe = tomllib.loads(path.read_text(encoding="utf-8"))
    unknown = sorted(set(recipe) - set(_TABLES))
    missing = sorted({"model", "training"} - set(recipe))
    if unknown or missing:
        raise ValueError(f"Recipe {path.name}: unknown tables {unknown}, missing {missing}; expected {_TABLES}.")
    recipe = {table: recipe.get(table, {}) for table in _TABLES}
    task = recipe["model"].get("task")
    if task not in TRAININGS:
        raise ValueError(f"Recipe {path.name}: unknown task {task!r}; expected one of {sorted(TRAININGS)}.")
    TRAININGS[task].simulation.from_dict(recipe["simulation"])
    TRAININGS[task].detector.from_dict(recipe["detector"])
    return recipe
