"""Weights of a network that finds columns as the first ones of another, of other images or outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.files import replacing
from particlespy_ml.models.column_mapper import PLACE_OUTPUTS, ColumnMapper
from particlespy_ml.models.load import load_model

if TYPE_CHECKING:
    from pathlib import Path

FIRST, LAST = "stem.0.conv.weight", "out"


def write_initial_weights(model: str | Path, architecture: dict, path: Path) -> Path:
    """Write the weights of a model as first ones of a network of the same widths.

    What is shown of each image counts as much as what was shown of the model's one; every output begins as the mean of
    the model's, the background and the places as they are.

    Parameters
    ----------
    model
        Name of a bundled model, or a folder.
    architecture
        Of the network, see `particlespy_ml.models.networks.build_network`.
    path
        File to write.

    Raises
    ------
    ValueError
        If the model finds no columns, or its layers are others.
    """
    from safetensors.numpy import save_file

    known = load_model(model)
    same = ("name", "widths", "fold")
    if not isinstance(known, ColumnMapper) or [known.card["architecture"].get(key) for key in same] != [
        architecture.get(key) for key in same
    ]:
        raise ValueError(f"initial={model!r}: expected a model that finds columns by a network of the same widths.")
    weights = {name: value for name, value in known.weights.items() if not name.startswith("reader.")}
    fold = architecture.get("fold", 1) ** 2
    first = weights[FIRST]
    old, new = first.shape[1] // fold, architecture["in_channels"]
    if old != new:
        shared = first.reshape(len(first), old, fold, *first.shape[2:]).sum(1, keepdims=True) / new
        weights[FIRST] = np.repeat(shared, new, axis=1).reshape(len(first), new * fold, *first.shape[2:])
    for name in (f"{LAST}.weight", f"{LAST}.bias"):
        weights[name] = _outputs(weights[name], architecture["outputs"], fold)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        save_file({name: np.ascontiguousarray(value) for name, value in weights.items()}, part)
    return path


def _outputs(values: np.ndarray, number: int, fold: int) -> np.ndarray:
    """Rows of the last layer, *fold* for each output: the background, the columns, and the places."""
    old = values.reshape(-1, fold, *values.shape[1:])
    columns = number - 1 - PLACE_OUTPUTS
    if len(old) == number:
        return values
    middle = np.repeat(old[1:-PLACE_OUTPUTS].mean(0, keepdims=True), columns, axis=0)
    # columns of all outputs together are as probable as before
    if values.ndim == 1:
        middle = middle + np.float32(np.log((len(old) - 1 - PLACE_OUTPUTS) / columns))
    return np.concatenate([old[:1], middle, old[-PLACE_OUTPUTS:]]).reshape(-1, *values.shape[1:])
