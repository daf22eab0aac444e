"""Columns of different units to features that one distance can compare."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from particlespy_ml.tables.derive import column_of

LOGARITHMIC = ("area", "diameter", "length", "perimeter", "intensity", "aspect_ratio", "background")
COMPONENTS = 8  # of a column of vectors


def is_logarithmic(name: str) -> bool:
    """Whether the logarithm of a column is taken: of sizes, intensities and ratios, whose spread grows with them."""
    if any(name.startswith(f"{prefix}_") for prefix in ("hu", "zernike", "intensity_hu", "intensity_zernike")):
        return False
    return any(word in name for word in LOGARITHMIC)


@dataclass(frozen=True, eq=False)
class Scaling:
    """How columns become features: logarithm, median and spread, and the main components of columns of vectors.

    Parameters
    ----------
    columns
        Names of the columns.
    projections
        Mean and components, shape (k, features), of the columns that hold vectors.
    logs, centres, scales
        For each feature whether its logarithm is taken, its median, and its scale.
    """

    columns: tuple[str, ...]
    logs: tuple[bool, ...]
    centres: np.ndarray
    scales: np.ndarray
    projections: dict = field(default_factory=dict)

    def __call__(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the features of the rows of a table, and which rows have any.

        A missing number, such as NaN or the logarithm of what is not positive, becomes the column's median, 0. Rows
        that have no number at all have no features.
        """
        values = raw_values(rows, self.columns, self.logs, self.projections)
        known = np.isfinite(values)
        features = np.where(known, (values - self.centres) / self.scales, 0.0)
        return features, known.any(1)


def raw_values(rows: np.ndarray, columns: tuple[str, ...], logs: tuple[bool, ...], projections: dict) -> np.ndarray:
    """Return the columns beside each other, logarithms taken and vectors projected; NaN where a number is missing."""
    parts = []
    for name, log in zip(columns, logs, strict=True):
        values = column_of(rows, name)
        if values.ndim > 1:
            mean, components = projections[name]
            values = (values - mean) @ components
        elif log:
            values = np.log(values, out=np.full(len(rows), np.nan), where=values > 0)
        parts.append(values if values.ndim > 1 else values[:, None])
    values = np.concatenate(parts, axis=1)
    return np.where(np.isfinite(values), values, np.nan)


def fit_scaling(rows: np.ndarray, columns: tuple[str, ...]) -> Scaling:
    """Return the scaling of some columns: the median becomes 0, and 1.4826 times the median distance from it 1.

    For normal columns that is the standard deviation, and a few wild particles do not change it. Where more than half
    of the rows have one value, the standard deviation stands in. Columns of vectors, such as the embedding, are
    reduced to their first 8 principal components, which share one scale.

    Raises
    ------
    ValueError
        If a column has no finite number, or every column the same one in all rows.
    """
    logs = tuple(is_logarithmic(name) for name in columns)
    projections = {name: _components(column_of(rows, name)) for name in columns if column_of(rows, name).ndim > 1}
    values = raw_values(rows, columns, logs, projections)
    widths = [projections[name][1].shape[1] if name in projections else 1 for name in columns]
    owner = np.repeat(np.arange(len(columns)), widths)
    empty = sorted({columns[i] for i in owner[~np.isfinite(values).any(0)]})
    if empty:
        raise ValueError(f"No particle has a number in {', '.join(empty)}; leave these columns out.")
    centres = np.nanmedian(values, axis=0)
    scales = 1.4826 * np.nanmedian(np.abs(values - centres), axis=0)
    spread = np.nanstd(values, axis=0)
    negligible = 1e-9 * (np.abs(centres) + 1e-300)
    spread[spread <= negligible] = 0
    if not spread.any():
        raise ValueError(
            f"All {len(rows)} particles have the same {', '.join(columns)}: there is nothing to tell them apart by."
        )
    scales = np.where(scales > 1e-3 * spread, scales, spread)
    for name, i in zip(columns, range(len(columns)), strict=True):
        if name in projections:
            scales[owner == i] = scales[owner == i].max()
    return Scaling(columns, logs, centres, np.where(scales > 0, scales, 1.0), projections)


def _components(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and first principal components of vectors, shape (k,) and (k, components)."""
    values = values.reshape(len(values), -1)
    values = values[np.isfinite(values).all(1)]
    if len(values) < 2:
        raise ValueError(f"{len(values)} particles have the vectors to cluster by; expected two or more.")
    mean = values.mean(0)
    _, _, rows = np.linalg.svd(values - mean, full_matrices=False)
    return mean, rows[:COMPONENTS].T
