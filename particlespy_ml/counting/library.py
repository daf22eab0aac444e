"""Counting with known cross-sections of columns of 1, 2, 3, ... atoms."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


UNITS = {"Å²": 1.0, "A^2": 1.0, "nm²": 100.0, "nm^2": 100.0, "pm²": 1e-4, "Mb": 0.01}
LARGEST_SCATTER = 0.04
PRIOR_COLUMNS = 0.5  # for each number of atoms
TYPICAL_SCATTER = 0.03  # scale of the prior of the scatter, half of a normal


@dataclass(frozen=True)
class ColumnLibrary:
    """Scattering cross-sections of columns of 1, 2, 3, ... atoms.

    Parameters
    ----------
    cross_sections
        In ascending order of the number of atoms, starting at one, shape (n,). For an image in fractions of the beam
        they are areas; for an image in arbitrary units, the image's units times areas.
    units
        Of the areas: one of Å², nm², pm² or Mb (1 Mb = 0.01 Å²).
    scatter
        Standard deviation of the cross-section of columns of one number of atoms as a fraction of it, by thermal motion
        and neighbours; None where it is not known, then it is fitted.
    spacing
        Distance between atoms along a column in nm; None where it is not known.
    parameters
        How they were made: element, zone axis, beam, detector.

    Raises
    ------
    ValueError
        If there are fewer than two cross-sections, or they are not positive numbers that grow.
    """

    cross_sections: np.ndarray
    units: str = "Å²"
    scatter: float | None = None
    spacing: float | None = None
    parameters: dict = field(default_factory=dict)

    def __post_init__(self):
        values = np.array(self.cross_sections, dtype=float)
        if self.units not in UNITS:
            raise ValueError(f"Unknown unit of area {self.units!r}; expected one of {', '.join(UNITS)}.")
        if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all() or values[0] <= 0:
            raise ValueError("Expected two or more positive cross-sections, of columns of 1, 2, ... atoms.")
        if np.any(np.diff(values) <= 0):
            raise ValueError("The cross-sections do not grow with the number of atoms; expected an ascending list.")
        values.setflags(write=False)
        object.__setattr__(self, "cross_sections", values)

    def __len__(self) -> int:
        return len(self.cross_sections)

    def in_units(self, units: str) -> np.ndarray:
        """Return the cross-sections in another unit of area."""
        return self.cross_sections * (UNITS[self.units] / UNITS[units])

    def scaled(self, factor: float) -> ColumnLibrary:
        """Return the library times a factor, such as that between units of an image and fractions of the beam."""
        return ColumnLibrary(
            self.cross_sections * factor, self.units, self.scatter, self.spacing, {**self.parameters, "factor": factor}
        )


def as_library(library) -> ColumnLibrary:
    """Return a library from a library, a list of cross-sections in Å², or the path of a saved one."""
    if isinstance(library, ColumnLibrary):
        return library
    if isinstance(library, str) or hasattr(library, "__fspath__"):
        return load_library(library)
    return ColumnLibrary(np.asarray(library, dtype=float))


def save_library(library: ColumnLibrary, path: str | Path) -> None:
    """Write a library as a .json file."""
    import json
    from pathlib import Path

    content = {
        "cross_sections": library.cross_sections.tolist(),
        "units": library.units,
        "scatter": library.scatter,
        "spacing": library.spacing,
        "parameters": library.parameters,
    }
    Path(path).write_text(json.dumps(content, indent=1), encoding="utf-8")


def load_library(path: str | Path) -> ColumnLibrary:
    """Return a library that `save_library` wrote."""
    import json
    from pathlib import Path

    return ColumnLibrary(**json.loads(Path(path).read_text(encoding="utf-8")))


@dataclass(frozen=True)
class LibraryCounts:
    """Posterior of the counts of columns.

    Parameters
    ----------
    posterior
        Probability of 1, 2, ... atoms, shape (n, m).
    prior
        Fraction of the columns of each number of atoms, shape (m,).
    scatter
        Relative scatter of the cross-sections that was used.
    factor
        What the library was multiplied by.
    log_likelihood
        Of the values.
    log_likelihoods
        Of each number of atoms for each column, shape (n, m).
    excess
        Deviation of each value from its nearest cross-section, in standard deviations, shape (n,).
    """

    posterior: np.ndarray
    prior: np.ndarray
    scatter: float
    factor: float
    log_likelihood: float
    log_likelihoods: np.ndarray
    excess: np.ndarray


def value_variance(values, errors, cross_sections, scatter: float) -> np.ndarray:
    """Return the variance of each value under each number of atoms, shape (n, m).

    The standard error of a value was found at that value; shot noise grows with the signal, so it is carried to each
    cross-section along the line that squared errors follow against values.

    Parameters
    ----------
    values, errors
        Shape (n,).
    cross_sections
        Shape (m,).
    scatter
        Relative scatter of the cross-sections.
    """
    values, errors = np.asarray(values, float), np.asarray(errors, float)
    square = errors**2
    spread = values - values.mean()
    slope = max(float(spread @ square / max(spread @ spread, 1e-300)), 0.0) if len(values) > 2 else 0.0
    carried = square[:, None] + slope * (cross_sections - values[:, None])
    return np.maximum(carried, 0.25 * square[:, None]) + (scatter * np.asarray(cross_sections)) ** 2


def count_with_library(
    values,
    errors,
    cross_sections,
    scatter: float | None = None,
    prior=None,
    iterations: int = 200,
) -> LibraryCounts:
    """Return the posterior probability of every number of atoms of each column.

    The counts are maximum a posteriori with a prior that the columns give themselves (empirical Bayes): the fraction of
    columns of each number of atoms, found by expectation-maximisation.

    Parameters
    ----------
    values, errors
        Cross-sections and their standard errors, shape (n,), in the unit of *cross_sections*.
    cross_sections
        Of 1, 2, ... atoms, shape (m,).
    scatter
        Relative scatter of cross-sections of one number of atoms; by default that with the greatest likelihood.
    prior
        Fractions of the numbers of atoms, shape (m,), in place of the fitted ones.
    iterations
        Upper limit of rounds of expectation-maximisation.

    References
    ----------
    H. Robbins, Ann. Math. Stat. 35, 1 (1964). A. De wael et al., Ultramicroscopy 177, 69 (2017) for counting with
    simulated cross-sections.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.counting.library import count_with_library
    >>> found = count_with_library([1.1, 2.0, 3.9], [0.1, 0.1, 0.1], [1.0, 2.0, 3.0, 4.0])
    >>> found.posterior.argmax(1) + 1
    array([1, 2, 4])
    """
    values, errors = np.asarray(values, float), np.asarray(errors, float)
    cross_sections = np.asarray(cross_sections, float)
    if scatter is None:
        # the likelihood is flat below the errors and falls above the truth: a grid, then its finer neighbourhood
        grid = np.concatenate([[0.0], np.geomspace(0.004, LARGEST_SCATTER, 14)])
        runs = [_fit_prior(values, errors, cross_sections, f, prior, 60) for f in grid]
        scatter = grid[
            int(np.argmax([run[1] - 0.5 * (f / TYPICAL_SCATTER) ** 2 for run, f in zip(runs, grid, strict=True)]))
        ]
    fractions, likelihood, posterior = _fit_prior(values, errors, cross_sections, scatter, prior, iterations)
    variance = np.maximum(value_variance(values, errors, cross_sections, scatter), 1e-300)
    squares = (values[:, None] - cross_sections) ** 2 / variance
    logs = -0.5 * squares - 0.5 * np.log(variance)
    return LibraryCounts(posterior, fractions, float(scatter), 1.0, likelihood, logs, np.sqrt(squares.min(1)))


def _fit_prior(values, errors, cross_sections, scatter, prior, iterations):
    variance = np.maximum(value_variance(values, errors, cross_sections, scatter), 1e-300)
    logs = -0.5 * (values[:, None] - cross_sections) ** 2 / variance - 0.5 * np.log(2 * np.pi * variance)
    m = len(cross_sections)
    fractions = np.full(m, 1 / m)
    if prior is not None:
        with np.errstate(divide="ignore"):
            logs = logs + np.log(np.asarray(prior, float) / np.sum(prior))
    peak = logs.max(1, keepdims=True)
    likely = np.exp(logs - peak)  # once: every round takes it times the fractions
    if prior is not None:
        total = likely.sum(1)
        likelihood = float((np.log(total) + peak[:, 0]).sum())
        return np.asarray(prior, float) / np.sum(prior), likelihood, likely / total[:, None]
    before, offset = -np.inf, float(peak.sum())
    for _ in range(iterations):
        used, total = fractions, likely @ fractions
        likelihood = float(np.log(total).sum()) + offset
        # some columns spread over all numbers of atoms, so that none is ruled out by the chance of a few columns
        fractions = (used * ((1 / total) @ likely) + PRIOR_COLUMNS) / (len(values) + PRIOR_COLUMNS * m)
        if likelihood - before < 1e-6 * len(values):
            break
        before = likelihood
    posterior = likely * used / total[:, None]
    return fractions, likelihood, posterior
